//! Connects the user's keyboard to one dyno (S6.8): every key goes unchanged to that dyno's terminal.
//!
//! Carries bytes, and changes the modes of our own terminal while a run has the keyboard. The supervisor decides what
//! Ctrl-C does. The terminal is read and changed only while we are in its foreground: a background job that did so would
//! be stopped and would disturb its shell. While the modes are changed, the guardian is ready to restore them.

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
use tokio::net::unix::pipe::Receiver;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::output::at;
use super::run_input::RunInput;
use crate::guardian::{Guardian, TerminalModes};
use crate::model::RunId;
use crate::terminal::{KeyPart, KeyReader, KeyTable};

/// Keys read at once, in bytes: as many as a terminal holds for its reader.
const READ_BYTES: usize = 4096;

/// How often to check whether we are in the foreground again while there are keys for another job.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The user's terminal as the keyboard of one dyno.
pub(super) struct Keyboard {
    /// Opened again if possible, so that `O_NONBLOCK` does not reach the user's shell.
    terminal: AsyncFd<File>,
    /// Whether stdout is the same terminal.
    shares_output: bool,
    typing: Option<Typing>,
    modes: Option<ChangedModes>,
    /// When to check again whether we are in the foreground: a shell may bring us there without a signal.
    check_again_at: Option<Instant>,
}

/// The run that has the keyboard.
struct Typing {
    run: RunId,
    /// Further keys than it holds wait in the user's terminal.
    input: RunInput,
}

struct ChangedModes {
    before: TerminalModes,
    during: TerminalModes,
}

/// What the user did.
pub(super) enum Pressed {
    Keys(PressedKeys),
    /// The window was closed, and the keyboard is gone with it.
    Gone,
}

/// What a read of the terminal returned.
#[derive(PartialEq, Eq)]
enum KeyRead {
    Keys(Vec<u8>),
    /// There are keys, but they are for the job that is in the foreground.
    KeysForOthers,
    Nothing,
    Gone,
}

/// Keys of the user, in order.
pub(super) struct PressedKeys {
    /// The run that they are for.
    pub(super) run: RunId,
    /// What they mean.
    pub(super) parts: Vec<KeyPart>,
}

impl Keyboard {
    /// Opens the terminal that stdin is connected to.
    ///
    /// # Errors
    /// The terminal cannot be polled.
    pub(super) fn open() -> std::io::Result<Self> {
        let stdin = std::io::stdin();
        let (stdin, stdout) = (stdin.as_fd(), std::io::stdout());
        let device = |fd: BorrowedFd<'_>| File::from(fd.try_clone_to_owned()?).metadata().map(|data| data.rdev());
        let shares_output = device(stdin)? == device(stdout.as_fd()).unwrap_or_default();
        let again = if tcgetpgrp(stdin).is_ok() { "/dev/tty" } else { "/proc/self/fd/0" };
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // Refused if the terminal belongs to another user, as after `su`. Then stdin's own descriptor is used. It may
        // block, so it is read only when keys are waiting.
        let opened = File::options().read(true).custom_flags(flags).open(again);
        let terminal = opened.or_else(|_| stdin.try_clone_to_owned().map(File::from))?;
        #[expect(
            deprecated,
            reason = "a file keeps its descriptor; the replacement is unsafe, as other types may change theirs"
        )]
        let terminal = AsyncFd::with_interest(terminal, Interest::READABLE)?;
        Ok(Self { terminal, shares_output, typing: None, modes: None, check_again_at: None })
    }

    /// Whether stdout is the terminal whose modes change. If so, `\n` alone does not begin a new line.
    pub(super) fn shares_output(&self) -> bool {
        self.shares_output
    }

    /// The modes that the user's terminal has without us. None if another job is in the foreground.
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

    /// Sends keys to this run from now on. `stream`: the master of its terminal.
    pub(super) fn give_to(&mut self, run: RunId, stream: &Receiver, guardian: &mut Guardian) -> std::io::Result<()> {
        self.typing = Some(Typing { run, input: RunInput::of_terminal(stream)? });
        self.change_modes(guardian);
        Ok(())
    }

    /// The run has ended: takes the keyboard from it if it has it.
    pub(super) fn take_from(&mut self, run: RunId, guardian: &mut Guardian) {
        if self.typing.take_if(|typing| typing.run == run).is_some() {
            self.restore_modes(guardian);
        }
    }

    /// Makes the terminal raw while a run has the keyboard, even if a shell has changed the modes since the last call.
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
            guardian.remember_terminal(copy, now, during);
            // Before the change, because we may be killed right after it. The loop notices if the guardian is gone.
            let _ = guardian.flush();
        }
        if during.set(terminal).is_ok() {
            self.modes = Some(ChangedModes { before: now, during });
        }
    }

    /// Restores the modes of the terminal, unless another program has changed them.
    pub(super) fn restore_modes(&mut self, guardian: &mut Guardian) {
        let Some(modes) = self.modes.take() else { return };
        let terminal = self.terminal.get_ref();
        if self.is_ours() && TerminalModes::of(terminal) == Ok(modes.during) {
            let _ = modes.before.set(terminal);
        }
        guardian.forget_terminal();
    }

    /// Whether we are in the foreground of the terminal, or it is not our controlling terminal.
    fn is_ours(&self) -> bool {
        match tcgetpgrp(self.terminal.get_ref()) {
            Ok(group) => group == getpgrp(),
            Err(errno) => errno == Errno::ENOTTY,
        }
    }

    /// Waits for the next keys and meanwhile writes held ones to the run. Never returns without a run. Cancel safe.
    pub(super) async fn next(&mut self) -> Pressed {
        loop {
            let Some(typing) = &mut self.typing else { return std::future::pending().await };
            let run = typing.run;
            let (has_room, is_waiting) = (typing.input.has_room(), typing.input.is_waiting());
            let check_again_at = self.check_again_at;
            tokio::select! {
                ready = self.terminal.readable(), if has_room => {
                    let Ok(mut ready) = ready else { return std::future::pending().await };
                    let found = self.check();
                    match found {
                        KeyRead::Keys(bytes) => return Pressed::Keys(self.keys(run, &bytes)),
                        // The next key wakes us again.
                        KeyRead::Nothing | KeyRead::KeysForOthers => ready.clear_ready(),
                        KeyRead::Gone => {}
                    }
                    drop(ready);
                    self.check_again_at = (found == KeyRead::KeysForOthers).then(|| Instant::now() + CHECK_INTERVAL);
                    if found == KeyRead::Gone {
                        self.typing = None;
                        return Pressed::Gone;
                    }
                    // A terminal that is always ready must not keep the loop from signals and dynos.
                    yield_now().await;
                }
                () = typing.input.writable(), if is_waiting => {
                    typing.input.write();
                    // A terminal that no program has open is always ready: let the loop do other work.
                    yield_now().await;
                }
                () = at(check_again_at), if has_room => match self.check() {
                    KeyRead::Keys(bytes) => {
                        self.check_again_at = None;
                        return Pressed::Keys(self.keys(run, &bytes));
                    }
                    KeyRead::KeysForOthers => self.check_again_at = Some(Instant::now() + CHECK_INTERVAL),
                    // The end of the terminal makes it readable, too, and is handled above.
                    KeyRead::Nothing | KeyRead::Gone => self.check_again_at = None,
                },
            }
        }
    }

    fn keys(&self, run: RunId, bytes: &[u8]) -> PressedKeys {
        let mut reader = KeyReader::new(KeyTable::Focus { interrupt: self.interrupt_key() });
        // Nothing is held back, so the time does not matter.
        PressedKeys { run, parts: reader.press(bytes, Duration::ZERO) }
    }

    /// Reads the waiting keys, if they are for us.
    fn check(&self) -> KeyRead {
        let terminal = self.terminal.get_ref();
        let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::ZERO);
        let [events] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        if events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
            return KeyRead::Gone;
        }
        match (events.contains(PollFlags::POLLIN), self.is_ours()) {
            (true, true) => {}
            (true, false) => return KeyRead::KeysForOthers,
            (false, _) => return KeyRead::Nothing,
        }
        let mut bytes = vec![0; READ_BYTES];
        match (&*terminal).read(&mut bytes) {
            Ok(0) => KeyRead::Nothing,
            Ok(count) => {
                bytes.truncate(count);
                KeyRead::Keys(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => KeyRead::Nothing,
            Err(_) => KeyRead::Gone,
        }
    }

    /// The interrupt key. None if there is none, or if the terminal turns it into a signal itself.
    fn interrupt_key(&self) -> Option<u8> {
        self.modes.as_ref().and_then(|modes| modes.before.interrupt_key())
    }

    /// Types text into the terminal of the run that has the keyboard.
    pub(super) fn type_text(&mut self, run: RunId, text: &[u8]) {
        if let Some(typing) = self.typing.as_mut().filter(|typing| typing.run == run) {
            typing.input.type_text(text);
        }
    }

    /// Types the interrupt key.
    pub(super) fn type_interrupt(&mut self, run: RunId) {
        let key = self.interrupt_key();
        if let (Some(typing), Some(key)) = (self.typing.as_mut().filter(|typing| typing.run == run), key) {
            typing.input.type_signal(key);
        }
    }
}

/// A copy of our own stdin, for a run that reads it.
pub(super) fn own_stdin() -> Result<OwnedFd, Errno> {
    let own = std::io::stdin().as_fd().try_clone_to_owned();
    own.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
}
