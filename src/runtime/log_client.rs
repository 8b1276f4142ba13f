//! Reads the log of a running start (S10.4).
//!
//! Blocks, like `api_client`. The end of the log is marked: a log that was cut is reported as such.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::api_client::no_answer;
use super::{ANSWERS_WITHIN, NoAnswer, RuntimeDirectory};
use crate::api::StartDescription;

/// Bytes per read.
const READ_BYTES: usize = 64 << 10;

/// The most bytes before the log itself.
const MAX_HEAD: usize = 64 << 10;

/// The log of one start, as it arrives.
#[derive(Debug)]
pub struct LogReader {
    stream: UnixStream,
    chunks: Chunks,
}

/// What has happened to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogState {
    /// More may come.
    Open,
    /// It was read to its end.
    Ended,
    /// The start ended without marking the end.
    Cut,
}

/// What there is to do after a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// These logs can be read, by their position.
    Logs(Vec<usize>),
    /// The reader of our own stdout has gone away.
    OutputClosed,
}

impl RuntimeDirectory {
    /// Asks for a log. `path`: that of its session.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn open_log(&self, start: &StartDescription, path: &str) -> Result<LogReader, NoAnswer> {
        let began = Instant::now();
        let mut stream = self.connect(start, ANSWERS_WITHIN).map_err(no_answer)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: dyno\r\naccept: application/x-ndjson\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(no_answer)?;
        let mut head = Vec::new();
        // Byte by byte costs little, and what follows stays in the socket.
        while !head.ends_with(b"\r\n\r\n") {
            let left = ANSWERS_WITHIN.saturating_sub(began.elapsed());
            if left.is_zero() || head.len() > MAX_HEAD {
                return Err(NoAnswer::Late);
            }
            stream.set_read_timeout(Some(left)).map_err(NoAnswer::Refused)?;
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(0) => return Err(NoAnswer::Ended),
                Ok(_) => head.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(no_answer(error)),
            }
        }
        if !head.starts_with(b"HTTP/1.1 200 ") {
            return Err(NoAnswer::Ended);
        }
        stream.set_read_timeout(None).map_err(NoAnswer::Refused)?;
        Ok(LogReader { stream, chunks: Chunks::default() })
    }
}

impl LogReader {
    /// Appends what has arrived to `out`. Waits if there is nothing yet.
    pub fn read(&mut self, out: &mut Vec<u8>) -> LogState {
        let mut part = vec![0; READ_BYTES];
        match self.stream.read(&mut part) {
            Ok(0) => LogState::Cut,
            Ok(count) => match self.chunks.feed(part.get(..count).unwrap_or_default(), out) {
                Some(true) => LogState::Ended,
                Some(false) => LogState::Open,
                None => LogState::Cut,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => LogState::Open,
            Err(_) => LogState::Cut,
        }
    }
}

/// Waits until one of these logs can be read. None: not within this time.
pub fn await_logs<'a>(logs: impl Iterator<Item = (usize, &'a LogReader)>, limit: Option<Duration>) -> Option<LogEvent> {
    let logs: Vec<(usize, &LogReader)> = logs.collect();
    let stdout = io::stdout();
    // Without flags only an error or a hang-up is reported: the reader of a pipe has gone away.
    let output = PollFd::new(stdout.as_fd(), PollFlags::empty());
    let of_log = |(_, log): &(usize, &'a LogReader)| PollFd::new(log.stream.as_fd(), PollFlags::POLLIN);
    let mut fds: Vec<PollFd<'_>> = std::iter::once(output).chain(logs.iter().map(of_log)).collect();
    let limit = limit.map_or(PollTimeout::NONE, |limit| PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX));
    match poll(&mut fds, limit) {
        Ok(0) => return None,
        Ok(_) => {}
        Err(Errno::EINTR) => return Some(LogEvent::Logs(Vec::new())),
        Err(_) => return Some(LogEvent::Logs(logs.iter().map(|(at, _)| *at).collect())),
    }
    let has_event = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    let mut fds = fds.iter();
    if fds.next().is_some_and(|output| output.revents().is_some_and(|events| !events.is_empty())) {
        return Some(LogEvent::OutputClosed);
    }
    Some(LogEvent::Logs(logs.iter().zip(fds).filter(|(_, fd)| has_event(fd)).map(|((at, _), _)| *at).collect()))
}

/// Reads the chunks of HTTP/1.1.
#[derive(Debug, Default)]
struct Chunks {
    /// The line with the size of the next chunk, as far as it has arrived.
    line: Vec<u8>,
    /// Bytes of the current chunk that have not arrived, with the line end after it.
    left: usize,
    has_ended: bool,
}

/// The end of each chunk.
const LINE_END: usize = 2;

impl Chunks {
    /// Appends the bytes of the chunks to `out`. True: the last one has ended. None: these are not chunks.
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        while !bytes.is_empty() && !self.has_ended {
            if self.left > 0 {
                let (now, rest) = bytes.split_at(self.left.min(bytes.len()));
                let data = self.left.saturating_sub(LINE_END).min(now.len());
                out.extend_from_slice(now.get(..data)?);
                self.left -= now.len();
                bytes = rest;
                continue;
            }
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let (now, rest) = bytes.split_at(end);
            self.line.extend_from_slice(now);
            bytes = rest;
            if self.line.len() > MAX_HEAD {
                return None;
            }
            if let Some(line) = self.line.strip_suffix(b"\r\n") {
                let size = std::str::from_utf8(line).ok().and_then(|text| usize::from_str_radix(text, 16).ok())?;
                self.has_ended = size == 0;
                self.left = size.checked_add(LINE_END)?;
                self.line.clear();
            }
        }
        Some(self.has_ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let text = b"5\r\none\n\r\r\n0a\r\n0123456789\r\n0\r\n\r\n";

        for cut in 0..text.len() - 2 {
            let (mut chunks, mut out) = (Chunks::default(), Vec::new());
            assert_ne!(chunks.feed(&text[..cut], &mut out), None);
            assert_eq!(chunks.feed(&text[cut..], &mut out), Some(true), "{cut}");
            assert_eq!(out, b"one\n\r0123456789");
        }
        assert_eq!(Chunks::default().feed(&text[..20], &mut Vec::new()), Some(false));
        assert_eq!(Chunks::default().feed(b"x\r\n", &mut Vec::new()), None);
    }
}
