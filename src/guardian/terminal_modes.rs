//! The modes of a terminal: reads them, makes them raw, and restores them. Also the keys that mean a signal.
//!
//! `dyno` makes the user's terminal raw while a dyno has the keyboard. If `dyno` is killed meanwhile, the guardian
//! restores the modes, unless another program has changed them by then, such as the shell that has its prompt back.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::termios::{
    FlowArg, FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices as Character, Termios,
    tcflow, tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::write;

use super::sys::other_side;

/// How many characters the kernel has. C libraries have room for more, which not each of them fills.
const CHARACTERS: usize = 19;

/// Size of [`TerminalModes`] in a frame, in bytes.
const BYTES: usize = 3 * 4 + CHARACTERS;

/// How a terminal handles keys and output. Speed and character size are not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalModes {
    input: u32,
    output: u32,
    local: u32,
    characters: [u8; CHARACTERS],
}

impl TerminalModes {
    /// The modes of the terminal `fd`.
    ///
    /// # Errors
    /// ENOTTY: it is not a terminal. EIO: the terminal is gone.
    pub fn of(fd: impl AsFd) -> Result<Self, Errno> {
        let modes = tcgetattr(fd)?;
        let mut characters = [0; CHARACTERS];
        characters.iter_mut().zip(modes.control_chars).for_each(|(to, from)| *to = from);
        Ok(Self {
            input: modes.input_flags.bits(),
            output: modes.output_flags.bits(),
            local: modes.local_flags.bits(),
            characters,
        })
    }

    /// Sets them on the terminal `fd` immediately. Typed input that has not been read yet is kept.
    ///
    /// # Errors
    /// Same as [`TerminalModes::of`].
    pub fn set(&self, fd: impl AsFd) -> Result<(), Errno> {
        let mut modes: Termios = tcgetattr(&fd)?;
        modes.input_flags = InputFlags::from_bits_retain(self.input);
        modes.output_flags = OutputFlags::from_bits_retain(self.output);
        modes.local_flags = LocalFlags::from_bits_retain(self.local);
        modes.control_chars.iter_mut().zip(self.characters).for_each(|(to, from)| *to = from);
        tcsetattr(fd, SetArg::TCSANOW, &modes)
    }

    /// The same modes, but raw: every key arrives immediately and unchanged, without echo and without signals.
    /// `output_too`: output is raw as well; otherwise `\n` still returns to the first column.
    #[must_use]
    pub fn raw(mut self, output_too: bool) -> Self {
        let input = InputFlags::IGNBRK
            | InputFlags::BRKINT
            | InputFlags::PARMRK
            | InputFlags::ISTRIP
            | InputFlags::INLCR
            | InputFlags::IGNCR
            | InputFlags::ICRNL
            | InputFlags::IXON;
        let local = LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN;
        self.input &= !input.bits();
        self.local &= !local.bits();
        if output_too {
            self.output &= !OutputFlags::OPOST.bits();
        }
        for (index, value) in [(Character::VMIN, 1), (Character::VTIME, 0)] {
            if let Some(character) = self.characters.get_mut(index as usize) {
                *character = value;
            }
        }
        self
    }

    /// The key that sends SIGINT, by default Ctrl-C. None: there is no such key.
    #[must_use]
    pub fn interrupt_key(&self) -> Option<u8> {
        let makes_signals = LocalFlags::from_bits_retain(self.local).contains(LocalFlags::ISIG);
        let key = self.characters.get(Character::VINTR as usize).copied();
        key.filter(|key| makes_signals && *key != libc::_POSIX_VDISABLE)
    }

    /// The signal that the terminal sends to its foreground processes for this key. None: the key is text.
    #[must_use]
    pub fn signal_of(&self, key: u8) -> Option<i32> {
        let makes_signals = LocalFlags::from_bits_retain(self.local).contains(LocalFlags::ISIG);
        let signals =
            [(Character::VINTR, libc::SIGINT), (Character::VQUIT, libc::SIGQUIT), (Character::VSUSP, libc::SIGTSTP)];
        let is_key = |character: Character| self.characters.get(character as usize) == Some(&key);
        let found = signals.into_iter().find(|(character, _)| is_key(*character)).map(|(_, signal)| signal);
        found.filter(|_| makes_signals && key != libc::_POSIX_VDISABLE)
    }

    /// Whether a program reads single keys, or draws a line that is being typed itself.
    #[must_use]
    pub fn gives_single_keys(&self) -> bool {
        !LocalFlags::from_bits_retain(self.local).contains(LocalFlags::ICANON)
    }

    /// Whether what is written is passed on unchanged, as [`raw`](Self::raw) with `output_too` does.
    #[must_use]
    pub fn has_raw_output(&self) -> bool {
        !OutputFlags::from_bits_retain(self.output).contains(OutputFlags::OPOST)
    }

    /// Whether typed keys are shown. If not, and they come in whole lines, a program asks for a password.
    #[must_use]
    pub fn echoes(&self) -> bool {
        LocalFlags::from_bits_retain(self.local).contains(LocalFlags::ECHO)
    }

    pub(super) fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let flags = [self.input, self.output, self.local];
        let flags = flags.iter().flat_map(|flags| flags.to_ne_bytes());
        for (to, from) in bytes.iter_mut().zip(flags.chain(self.characters)) {
            *to = from;
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (input, rest) = bytes.split_first_chunk()?;
        let (output, rest) = rest.split_first_chunk()?;
        let (local, rest) = rest.split_first_chunk()?;
        let [input, output, local] = [input, output, local].map(|flags| u32::from_ne_bytes(*flags));
        Some(Self { input, output, local, characters: rest.try_into().ok()? })
    }
}

/// A terminal whose modes `dyno` has changed.
pub(super) struct RememberedTerminal {
    pub(super) terminal: OwnedFd,
    pub(super) before: TerminalModes,
    pub(super) during: TerminalModes,
}

impl RememberedTerminal {
    /// Restores its modes, unless another program has changed them meanwhile.
    pub(super) fn give_back(&self) {
        if TerminalModes::of(&self.terminal) == Ok(self.during) {
            let _ = self.before.set(&self.terminal);
        }
    }
}

/// Drops what was typed into a terminal and was not read, as the system does when a key means a signal. `master`: of that
/// terminal.
///
/// # Errors
/// `master` is something else, or the system is older than Linux 4.13.
pub fn drop_unread_keys(master: impl AsFd) -> Result<(), Errno> {
    tcflush(other_side(master)?, FlushArg::TCIFLUSH)
}

/// Does what the system does for a key that means a signal, apart from the signal: continues output that Ctrl-S has stopped, and
/// with `echoes` shows the key as `^C`. `master`: of the terminal.
///
/// # Errors
/// Those of [`drop_unread_keys`], or the output of the terminal is not being read.
pub fn press_signal_key(master: impl AsFd, key: u8, echoes: bool) -> Result<(), Errno> {
    let side = other_side(master)?;
    // Only output that was stopped in this way can be continued.
    tcflow(&side, FlowArg::TCOOFF)?;
    tcflow(&side, FlowArg::TCOON)?;
    if !echoes {
        return Ok(());
    }
    let shown = if key.is_ascii_control() { vec![b'^', key ^ 0x40] } else { vec![key] };
    write(&side, &shown).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cooked() -> TerminalModes {
        let pty = nix::pty::openpty(None, None).expect("a terminal");
        TerminalModes::of(&pty.slave).expect("its modes")
    }

    #[test]
    fn modes_are_decoded_as_they_were_encoded() {
        let modes = cooked();

        assert_eq!(TerminalModes::decode(&modes.encode()), Some(modes));
        assert_eq!(TerminalModes::decode(&modes.encode()[1..]), None);
    }

    #[test]
    fn modes_are_restored_only_if_no_other_program_changed_them() {
        let pty = nix::pty::openpty(None, None).expect("a terminal");
        let before = TerminalModes::of(&pty.slave).expect("its modes");
        let during = before.raw(true);
        let remembered = RememberedTerminal { terminal: pty.slave.try_clone().expect("a descriptor"), before, during };
        during.set(&pty.slave).expect("set");
        assert_eq!(TerminalModes::of(&pty.slave), Ok(during));

        remembered.give_back();
        assert_eq!(TerminalModes::of(&pty.slave), Ok(before));

        let others = before.raw(false);
        others.set(&pty.slave).expect("set");
        remembered.give_back();
        assert_eq!(TerminalModes::of(&pty.slave), Ok(others), "a shell has set its own modes");
    }

    #[test]
    fn the_interrupt_key_is_the_one_the_user_has_set() {
        let mut modes = cooked();
        assert_eq!(modes.interrupt_key(), Some(3));
        assert_eq!([3, 0x1c, 0x1a, 4].map(|key| modes.signal_of(key)), [Some(2), Some(3), Some(20), None]);

        modes.characters[Character::VINTR as usize] = 24;
        assert_eq!(modes.interrupt_key(), Some(24));
        assert_eq!(modes.raw(false).interrupt_key(), None);
        assert_eq!((modes.signal_of(3), modes.signal_of(24)), (None, Some(2)));
        assert_eq!(modes.raw(false).signal_of(24), None);
        assert_eq!((modes.gives_single_keys(), modes.raw(false).gives_single_keys()), (false, true));
    }
}
