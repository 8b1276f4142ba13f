//! Reads a pipe to its end, for a limited time.
//!
//! Rules: S1.1 (stdin and pipes of the shell), S2.1 (a `.env` that is a named pipe). `source_file` decides which
//! files can be pipes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::source_file::{MAX_BYTES, Unreadable};

/// How long to wait for a pipe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PipePatience {
    /// When to show a line about the wait. None: never.
    announce_after: Option<Duration>,
    /// When to give up.
    give_up_after: Duration,
}

/// For stdin and pipes of the shell: their writer is running already.
pub(crate) const OPEN_PIPE: PipePatience = PipePatience { announce_after: None, give_up_after: Duration::from_secs(5) };

/// For a named pipe: its writer may ask the user for permission first.
pub(crate) const NAMED_PIPE: PipePatience =
    PipePatience { announce_after: Some(Duration::from_secs(1)), give_up_after: Duration::from_secs(10) };

/// The next step of a wait.
#[derive(Debug, PartialEq, Eq)]
enum WaitStep {
    /// Wait this long, then look again.
    Wait(Duration),
    /// Show the line about the wait, then look again.
    Announce,
    GiveUp,
}

/// A wait in progress.
#[derive(Debug)]
struct PipeWait {
    patience: PipePatience,
    begun: Instant,
    announced: bool,
}

impl PipeWait {
    fn next(&mut self, now: Instant) -> WaitStep {
        let waited = now.saturating_duration_since(self.begun);
        let left = |until: Duration| until.saturating_sub(waited);
        let give_up = left(self.patience.give_up_after);
        if give_up.is_zero() {
            return WaitStep::GiveUp;
        }
        match self.patience.announce_after.filter(|_| !self.announced).map(left) {
            Some(Duration::ZERO) => {
                self.announced = true;
                WaitStep::Announce
            }
            Some(announce) => WaitStep::Wait(announce.min(give_up)),
            None => WaitStep::Wait(give_up),
        }
    }
}

/// Reads a pipe that was opened without blocking. `announce` is called once, if the wait is long, with the seconds after
/// which reading gives up.
///
/// A named pipe that no program has opened for writing yet is not at its end: `poll` waits for a writer, but `read`
/// would report the end. Data that a writer left in the pipe before closing it is still read.
///
/// `abandoned`: a pipe whose other end is closed as soon as nothing waits for the data any more. From then on nothing
/// is read, because the data may be meant for another reader.
///
/// # Errors
/// The writer was too slow, the data is too large, the wait was abandoned, or the system refused.
pub(crate) fn read(
    mut pipe: File,
    patience: PipePatience,
    abandoned: Option<BorrowedFd<'_>>,
    announce: impl FnOnce(u64),
) -> Result<Vec<u8>, Unreadable> {
    let mut wait = PipeWait { patience, begun: Instant::now(), announced: false };
    let seconds = patience.give_up_after.as_secs();
    let mut announce = Some(announce);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        // Checked before the clock: data that arrived while this process was stopped is not late.
        if !is_ready(&pipe, abandoned, Duration::ZERO)? {
            match wait.next(Instant::now()) {
                WaitStep::Wait(left) => drop(is_ready(&pipe, abandoned, left)?),
                WaitStep::Announce => {
                    if let Some(announce) = announce.take() {
                        announce(seconds);
                    }
                }
                WaitStep::GiveUp => return Err(Unreadable::Endless { seconds, received: !bytes.is_empty() }),
            }
            continue;
        }
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error.into()),
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Unreadable::TooLarge);
        }
    }
}

/// Whether data or the end of the pipe can be read; waits at most this long.
fn is_ready(pipe: &File, abandoned: Option<BorrowedFd<'_>>, wait: Duration) -> Result<bool, Unreadable> {
    let polled = [Some(pipe.as_fd()), abandoned].into_iter().flatten();
    let mut polled: Vec<PollFd<'_>> = polled.map(|end| PollFd::new(end, PollFlags::POLLIN)).collect();
    // Rounded up: a wait of less than a millisecond would poll again and again until it is over.
    let milliseconds = u16::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
    match poll(&mut polled, PollTimeout::from(milliseconds)) {
        Ok(_) => {
            let has_events = |end: Option<&PollFd<'_>>| end.is_some_and(|end| end.any().unwrap_or(true));
            if has_events(polled.get(1)) { Err(Unreadable::Abandoned) } else { Ok(has_events(polled.first())) }
        }
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(wait: &PipeWait, milliseconds: u64) -> Instant {
        wait.begun + Duration::from_millis(milliseconds)
    }

    fn wait(patience: PipePatience) -> PipeWait {
        PipeWait { patience, begun: Instant::now(), announced: false }
    }

    #[test]
    fn s2_1_a_named_pipe_is_announced_after_1_second_and_abandoned_after_10() {
        let mut wait = wait(NAMED_PIPE);

        assert_eq!(wait.next(at(&wait, 0)), WaitStep::Wait(SECOND));
        assert_eq!(wait.next(at(&wait, 400)), WaitStep::Wait(Duration::from_millis(600)));
        assert_eq!(wait.next(at(&wait, 1_000)), WaitStep::Announce);
        assert_eq!(wait.next(at(&wait, 1_000)), WaitStep::Wait(9 * SECOND));
        assert_eq!(wait.next(at(&wait, 9_999)), WaitStep::Wait(Duration::from_millis(1)));
        assert_eq!(wait.next(at(&wait, 10_000)), WaitStep::GiveUp);
    }

    #[test]
    fn s1_1_a_pipe_of_the_shell_is_abandoned_silently_after_5_seconds() {
        let mut wait = wait(OPEN_PIPE);

        assert_eq!(wait.next(at(&wait, 0)), WaitStep::Wait(5 * SECOND));
        assert_eq!(wait.next(at(&wait, 4_000)), WaitStep::Wait(SECOND));
        assert_eq!(wait.next(at(&wait, 5_000)), WaitStep::GiveUp);
    }

    #[test]
    fn a_wait_that_resumes_too_late_gives_up_without_an_announcement() {
        let mut wait = wait(NAMED_PIPE);

        assert_eq!(wait.next(at(&wait, 60_000)), WaitStep::GiveUp);
    }

    /// Reads a pipe with no time to wait. `open`: its writing end stays open meanwhile.
    fn read_at_once(text: &[u8], open: bool) -> (Result<Vec<u8>, Unreadable>, Vec<u64>) {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(text).unwrap();
        let kept = open.then_some(writer);
        let patience = PipePatience { announce_after: Some(Duration::ZERO), give_up_after: Duration::ZERO };
        let mut announced = Vec::new();
        let read = read(File::from(OwnedFd::from(reader)), patience, None, |seconds| announced.push(seconds));
        drop(kept);
        (read, announced)
    }

    #[test]
    fn data_in_a_closed_pipe_is_read_even_when_the_time_is_up() {
        let (read, announced) = read_at_once(b"A=1\n", false);

        assert_eq!((read.unwrap(), announced), (b"A=1\n".to_vec(), Vec::new()));
    }

    #[test]
    fn s14_1_data_that_comes_after_the_wait_was_abandoned_is_not_read() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let pipe = File::from(OwnedFd::from(reader.try_clone().unwrap()));
        let (abandoned, interest) = io::pipe().unwrap();
        writer.write_all(b"A=1\n").unwrap();
        drop((writer, interest));

        let read = read(pipe, NAMED_PIPE, Some(abandoned.as_fd()), |_| panic!("it does not wait"));

        let mut left = String::new();
        reader.read_to_string(&mut left).unwrap();
        assert!(matches!(read, Err(Unreadable::Abandoned)), "{read:?}");
        assert_eq!(left, "A=1\n");
    }

    #[test]
    fn s2_1_a_writer_that_does_not_close_the_pipe_in_time_is_an_error() {
        for (text, expected) in [(&b""[..], false), (b"A=1\n", true)] {
            let (read, _) = read_at_once(text, true);

            assert!(
                matches!(read, Err(Unreadable::Endless { seconds: 0, received }) if received == expected),
                "{text:?}"
            );
        }
    }
}
