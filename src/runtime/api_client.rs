//! Sends one request to a running start and reads its answer: a plain socket, because a command must be fast.
//!
//! Blocks, with a limit on the time. The server closes the connection after each answer.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::RuntimeDirectory;
use crate::api::StartDescription;

/// How long the start may take to answer a question that it can answer at once.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The header of an interim response that has a line for the person who waits, as a JSON string.
pub(super) const NOTICE_HEADER: &str = "dyno-notice";

/// The longest answer in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// A request to a start.
#[derive(Debug, Clone, Copy)]
pub struct ClientRequest<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The body; empty for none.
    pub body: &'a [u8],
    /// How long the answer may take.
    pub patience: Duration,
    /// Shows a line that the start sends before its answer.
    pub notice: fn(&str),
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The start has ended, before the request or before its answer.
    Ended,
    /// It did not answer in time.
    Late,
    /// The system refused.
    Refused(io::Error),
}

impl RuntimeDirectory {
    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn ask(&self, start: &StartDescription, request: &ClientRequest<'_>) -> Result<ClientAnswer, NoAnswer> {
        let began = Instant::now();
        let mut stream = self.connect(start, request.patience.min(ANSWERS_WITHIN)).map_err(no_answer)?;
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: dyno\r\ncontent-length: {}\r\n\r\n",
            request.method,
            request.path,
            request.body.len()
        );
        stream.set_write_timeout(Some(request.patience)).map_err(NoAnswer::Refused)?;
        // The server may answer before it has read everything.
        let sent = stream.write_all(&[head.as_bytes(), request.body].concat());
        let mut bytes = Vec::new();
        let mut part = vec![0; 64 << 10];
        loop {
            let left = request.patience.saturating_sub(began.elapsed());
            if left.is_zero() || bytes.len() > MAX_ANSWER {
                return Err(NoAnswer::Late);
            }
            stream.set_read_timeout(Some(left)).map_err(NoAnswer::Refused)?;
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match whole(&bytes) {
                    Some(answer) => return Ok(answer),
                    None => return Err(no_answer(error)),
                },
            }
            while let Some((line, end)) = interim(&bytes) {
                (request.notice)(&line);
                bytes.drain(..end);
            }
            if let Some(answer) = whole(&bytes) {
                return Ok(answer);
            }
        }
        match sent {
            Err(error) if bytes.is_empty() => Err(no_answer(error)),
            Ok(()) | Err(_) => Err(NoAnswer::Ended),
        }
    }
}

pub(super) fn no_answer(error: io::Error) -> NoAnswer {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, TimedOut, WouldBlock};
    if matches!(error.kind(), WouldBlock | TimedOut) {
        NoAnswer::Late
    } else if matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe) {
        NoAnswer::Ended
    } else {
        NoAnswer::Refused(error)
    }
}

/// The line of the interim response that these bytes begin with, and the length of that response.
fn interim(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.strip_prefix(b"HTTP/1.1 1").and_then(|_| memchr::memmem::find(bytes, b"\r\n\r\n"))?;
    let head = String::from_utf8_lossy(bytes.get(..end)?);
    let line = head.lines().find_map(|line| line.strip_prefix(NOTICE_HEADER)?.strip_prefix(": "));
    let line = line.and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    Some((line, end + b"\r\n\r\n".len()))
}

/// The answer, once it is complete.
pub(super) fn whole(bytes: &[u8]) -> Option<ClientAnswer> {
    let head_end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..head_end)?).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    let body = bytes.get(head_end + 4..)?;
    (body.len() >= length).then(|| ClientAnswer { status, body: body.get(..length).unwrap_or_default().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interim_response_has_a_line_of_any_characters() {
        let line = "waiting for a\r\nb\u{7f}\u{e9}\"";
        let sent = super::super::client_stream::interim(line);

        for end in 0..sent.len() {
            assert_eq!(interim(&sent[..end]), None, "{end}");
        }
        assert_eq!(interim(&[&sent, &b"HTTP/1.1 200 OK\r\n"[..]].concat()), Some((line.to_owned(), sent.len())));
        assert_eq!(interim(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn an_answer_is_complete_when_its_length_has_arrived() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

        for end in 0..text.len() {
            assert_eq!(whole(&text[..end]), None, "{end}");
        }
        assert_eq!(whole(text), Some(ClientAnswer { status: 200, body: b"{}".to_vec() }));
        for odd in [&b"\r\n\r\n"[..], b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 xyz\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}"] {
            assert_eq!(whole(odd), None);
        }
    }
}
