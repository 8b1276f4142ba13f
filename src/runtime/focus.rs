//! The keyboard of the user in the hands of one dyno (S6.8): its keys go to that dyno's terminal as they are.
//!
//! Carries bytes and changes the modes of our own terminal while a run has the keyboard; who hears Ctrl-C is decided by the
//! supervisor. The terminal is read and changed only while we are in its foreground: a job in the background that did
//! so would be stopped, and its shell disturbed. While its modes are changed the guardian minds it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::output::at;
use crate::app::RunId;
use crate::guardian::{Guardian, TerminalModes};

/// Keys read at once, in bytes: what a terminal holds for its reader.
const READ_BYTES: usize = 4096;

/// Keys that wait for a dyno which does not read; further ones wait in the user's terminal.
const WAITING_BYTES: usize = 64 << 10;

/// Between two looks at keys that wait while others are in the foreground.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The user's terminal as the keyboard of one dyno.
pub(super) struct Keyboard {
    /// Opened anew where that is possible: then it alone does not block, and not the user's shell.
    terminal: AsyncFd<File>,
    /// What is shown goes to the same terminal.
    shares_output: bool,
    typing: Option<Typing>,
    modes: Option<ChangedModes>,
    /// When to look whether keys that wait have become ours: a shell may bring us to the foreground without a signal.
    look_again: Option<Instant>,
}

/// The run that has the keyboard.
struct Typing {
    run: RunId,
    /// The master of its terminal.
    master: Sender,
    waiting: VecDeque<u8>,
}

struct ChangedModes {
    before: TerminalModes,
    during: TerminalModes,
}

/// What the user did.
pub(super) enum Pressed {
    Keys(Keys),
    /// The window was closed: there is no keyboard any more.
    Gone,
}

#[derive(PartialEq, Eq)]
enum Found {
    Keys(Vec<u8>),
    /// They are for whoever is in the foreground.
    KeysOfOthers,
    Nothing,
    Gone,
}

/// Keys of the user, in order.
pub(super) struct Keys {
    /// Whose they are.
    pub(super) run: RunId,
    bytes: Vec<u8>,
    interrupt: Option<u8>,
}

/// One part of what was typed.
pub(super) enum Typed<'a> {
    Text(&'a [u8]),
    Interrupt,
}

impl Keys {
    /// What was typed, each interrupt key on its own.
    pub(super) fn parts(&self) -> impl Iterator<Item = Typed<'_>> {
        let is_interrupt = |byte: &u8| Some(*byte) == self.interrupt;
        self.bytes.chunk_by(move |a, b| !is_interrupt(a) && !is_interrupt(b)).map(move |part| match part {
            [byte] if is_interrupt(byte) => Typed::Interrupt,
            text => Typed::Text(text),
        })
    }
}

impl Keyboard {
    /// The terminal behind stdin.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub(super) fn open() -> std::io::Result<Self> {
        let stdin = std::io::stdin();
        let (stdin, stdout) = (stdin.as_fd(), std::io::stdout());
        let device = |fd: BorrowedFd<'_>| File::from(fd.try_clone_to_owned()?).metadata().map(|data| data.rdev());
        let shares_output = device(stdin)? == device(stdout.as_fd()).unwrap_or_default();
        let again = if tcgetpgrp(stdin).is_ok() { "/dev/tty" } else { "/proc/self/fd/0" };
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // Refused where the terminal is another user's, as after `su`. Then it is only read when it has something.
        let opened = File::options().read(true).custom_flags(flags).open(again);
        let terminal = opened.or_else(|_| stdin.try_clone_to_owned().map(File::from))?;
        #[expect(
            deprecated,
            reason = "a file keeps its descriptor; what replaces this is unsafe for types that may not"
        )]
        let terminal = AsyncFd::with_interest(terminal, Interest::READABLE)?;
        Ok(Self { terminal, shares_output, typing: None, modes: None, look_again: None })
    }

    /// Whether what is shown goes to the terminal whose modes change: then `\n` alone does not begin a line.
    pub(super) fn shares_output(&self) -> bool {
        self.shares_output
    }

    /// The modes that the user's terminal has without us; None: somebody else has it now.
    pub(super) fn user_modes(&self) -> Option<TerminalModes> {
        match &self.modes {
            Some(modes) => Some(modes.before),
            None if self.is_ours() => TerminalModes::of(self.terminal.get_ref()).ok(),
            None => None,
        }
    }

    pub(super) fn terminal(&self) -> &File {
        self.terminal.get_ref()
    }

    /// From now on keys go to this run. `stream`: the master of its terminal.
    pub(super) fn give_to(&mut self, run: RunId, stream: &Receiver, guardian: &mut Guardian) -> std::io::Result<()> {
        let master = Sender::from_owned_fd_unchecked(stream.as_fd().try_clone_to_owned()?)?;
        self.typing = Some(Typing { run, master, waiting: VecDeque::new() });
        self.change_modes(guardian);
        Ok(())
    }

    /// The run is over.
    pub(super) fn take_from(&mut self, run: RunId, guardian: &mut Guardian) {
        if self.typing.take_if(|typing| typing.run == run).is_some() {
            self.restore_modes(guardian);
        }
    }

    /// Lets every key come as it is, while somebody types; once more, if a shell has changed that meanwhile.
    pub(super) fn change_modes(&mut self, guardian: &mut Guardian) {
        if self.typing.is_none() || !self.is_ours() {
            return;
        }
        let terminal = self.terminal.get_ref();
        let Ok(now) = TerminalModes::of(terminal) else { return };
        if self.modes.as_ref().is_some_and(|modes| modes.during == now) {
            return;
        }
        let during = now.raw(self.shares_output);
        if let Ok(copy) = terminal.as_fd().try_clone_to_owned() {
            guardian.mind_terminal(copy, now, during);
            // Before the change: we may be killed right behind it. Whether the guardian lives is asked by the loop.
            let _ = guardian.flush();
        }
        if during.set(terminal).is_ok() {
            self.modes = Some(ChangedModes { before: now, during });
        }
    }

    /// Gives the terminal its modes back, unless somebody else has changed them.
    pub(super) fn restore_modes(&mut self, guardian: &mut Guardian) {
        let Some(modes) = self.modes.take() else { return };
        let terminal = self.terminal.get_ref();
        if self.is_ours() && TerminalModes::of(terminal) == Ok(modes.during) {
            let _ = modes.before.set(terminal);
        }
        guardian.forget_terminal();
    }

    /// Whether we are in the foreground of the terminal, or it controls nobody here.
    fn is_ours(&self) -> bool {
        match tcgetpgrp(self.terminal.get_ref()) {
            Ok(group) => group == getpgrp(),
            Err(errno) => errno == Errno::ENOTTY,
        }
    }

    /// The next keys. Meanwhile what waits goes on to the run. Cancel safe; never without a run.
    pub(super) async fn next(&mut self) -> Pressed {
        loop {
            let Some(typing) = &mut self.typing else { return std::future::pending().await };
            let run = typing.run;
            let (has_room, is_waiting) = (typing.waiting.len() < WAITING_BYTES, !typing.waiting.is_empty());
            let look_again = self.look_again;
            tokio::select! {
                ready = self.terminal.readable(), if has_room => {
                    let Ok(mut ready) = ready else { return std::future::pending().await };
                    let found = self.look();
                    match found {
                        Found::Keys(bytes) => return Pressed::Keys(self.keys(run, bytes)),
                        // The next key wakes us again.
                        Found::Nothing | Found::KeysOfOthers => ready.clear_ready(),
                        Found::Gone => {}
                    }
                    drop(ready);
                    self.look_again = (found == Found::KeysOfOthers).then(|| Instant::now() + LOOK_AGAIN);
                    if found == Found::Gone {
                        self.typing = None;
                        return Pressed::Gone;
                    }
                    // Whatever a terminal says, signals and dynos are heard.
                    yield_now().await;
                }
                _ = typing.master.writable(), if is_waiting => {
                    typing.write();
                    // As long as nobody has the terminal it says so at once, each time.
                    yield_now().await;
                }
                () = at(look_again), if has_room => match self.look() {
                    Found::Keys(bytes) => {
                        self.look_again = None;
                        return Pressed::Keys(self.keys(run, bytes));
                    }
                    Found::KeysOfOthers => self.look_again = Some(Instant::now() + LOOK_AGAIN),
                    // What the end of the terminal is: it wakes us as a key does.
                    Found::Nothing | Found::Gone => self.look_again = None,
                },
            }
        }
    }

    fn keys(&self, run: RunId, bytes: Vec<u8>) -> Keys {
        Keys { run, bytes, interrupt: self.interrupt_key() }
    }

    /// What there is to read.
    fn look(&self) -> Found {
        let terminal = self.terminal.get_ref();
        let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::ZERO);
        let [events] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        if events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
            return Found::Gone;
        }
        match (events.contains(PollFlags::POLLIN), self.is_ours()) {
            (true, true) => {}
            (true, false) => return Found::KeysOfOthers,
            (false, _) => return Found::Nothing,
        }
        let mut bytes = vec![0; READ_BYTES];
        match (&*terminal).read(&mut bytes) {
            Ok(0) => Found::Nothing,
            Ok(count) => {
                bytes.truncate(count);
                Found::Keys(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Found::Nothing,
            Err(_) => Found::Gone,
        }
    }

    /// The key that interrupts. None: no key does, or the terminal makes a signal of it itself.
    fn interrupt_key(&self) -> Option<u8> {
        self.modes.as_ref().and_then(|modes| modes.before.interrupt_key())
    }

    /// Types text into the terminal of the run that has the keyboard.
    pub(super) fn type_text(&mut self, run: RunId, text: &[u8]) {
        if let Some(typing) = self.typing.as_mut().filter(|typing| typing.run == run) {
            typing.waiting.extend(text);
            typing.write();
        }
    }

    /// Types the interrupt key. What waits is dropped, as the system does with its own queue: a dyno that does not read
    /// is interrupted too.
    pub(super) fn type_interrupt(&mut self, run: RunId) {
        let key = self.interrupt_key();
        if let (Some(typing), Some(key)) = (self.typing.as_mut().filter(|typing| typing.run == run), key) {
            typing.waiting.clear();
            typing.waiting.push_back(key);
            typing.write();
        }
    }
}

impl Typing {
    /// Hands over what the terminal of the run takes now.
    fn write(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match self.master.try_write(front) {
                Ok(count @ 1..) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.is_held() => return,
                // Nobody has the terminal any more.
                Ok(0) | Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Whether some program has the terminal. One that is full says "later" for ever where none has.
    fn is_held(&self) -> bool {
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fds, PollTimeout::ZERO);
        let [events] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        !events.contains(PollFlags::POLLHUP)
    }
}

/// What a run reads instead of the endless pipe.
pub(super) fn own_stdin() -> Result<OwnedFd, Errno> {
    let own = std::io::stdin().as_fd().try_clone_to_owned();
    own.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bytes: &[u8], interrupt: Option<u8>) -> Vec<String> {
        let keys = Keys { run: RunId(1), bytes: bytes.to_vec(), interrupt };
        let shown = |part: Typed<'_>| match part {
            Typed::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Typed::Interrupt => "<interrupt>".to_owned(),
        };
        keys.parts().map(shown).collect()
    }

    #[test]
    fn s6_8_each_interrupt_key_stands_alone_among_what_was_typed() {
        assert_eq!(parts(b"ab\x03\x03cd\x03", Some(3)), ["ab", "<interrupt>", "<interrupt>", "cd", "<interrupt>"]);
        assert_eq!(parts(b"ab\x03", Some(24)), ["ab\u{3}"]);
        assert_eq!(parts(b"\x18x", Some(24)), ["<interrupt>", "x"]);
        assert_eq!(parts(b"\x00\x03", None), ["\u{0}\u{3}"]);
    }
}
