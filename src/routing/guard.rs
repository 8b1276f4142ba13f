//! Refuses requests that the two sides of the router could understand differently (S16.6; RFC 9112).
//!
//! A [`RequestGuard`] sees every byte that a client sends before the HTTP library does. It follows heads and bodies, of
//! pipelined requests too, and stops at the first byte of a line that is not exactly as the RFC has it. Where the RFC lets a
//! server choose between an answer 400 and a repair, it chooses 400. A body costs nearly nothing: its bytes are skipped by
//! count.

mod chunks;
mod head;
#[cfg(test)]
mod random;
mod request_line;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod with_hyper;

use memchr::{memchr, memchr2};

use self::chunks::{ChunkPart, Chunked};
use self::head::{Framing, HeadSoFar};
use super::Rejection;

pub use self::head::HeadLimits;

/// How much of a first line is kept for the log.
const KEPT_BYTES: usize = 2048;

/// The first byte of every TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

/// Follows the requests of one connection.
#[derive(Debug, Clone)]
pub struct RequestGuard {
    limits: HeadLimits,
    part: GuardedPart,
    /// The beginning of a line whose end has not been received.
    line: Vec<u8>,
    /// The beginning of the first line of the last head.
    first_line: Vec<u8>,
    /// How many heads were complete.
    heads: u64,
}

/// What a guard decided about some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarded {
    /// How many of them, from the first on, may be passed on. The rest must be dropped.
    pub good: usize,
    /// Why the connection ends after those.
    pub refusal: Option<Rejection>,
}

/// Which part of a request comes next.
#[derive(Debug, Clone)]
enum GuardedPart {
    Head(HeadSoFar),
    /// The rest of a body of known length.
    Length {
        rest: u64,
        is_last: bool,
    },
    Chunked {
        chunked: Chunked,
        is_last: bool,
    },
    /// The last request said that no other follows.
    Ended,
    /// The connection has become a tunnel.
    Tunnel,
    Refused(Rejection),
}

impl RequestGuard {
    /// A guard for a new connection.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        let part = GuardedPart::Head(HeadSoFar::default());
        Self { limits, part, line: Vec::new(), first_line: Vec::new(), heads: 0 }
    }

    /// Looks at the next bytes of the client.
    pub fn feed(&mut self, bytes: &[u8]) -> Guarded {
        let mut good = 0;
        while let Some(rest) = bytes.get(good..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Ok(0) => break,
                Ok(count) => good += count,
                Err(rejection) => {
                    self.part = GuardedPart::Refused(rejection);
                    self.line = Vec::new();
                    return Guarded { good, refusal: Some(rejection) };
                }
            }
        }
        Guarded { good, refusal: None }
    }

    /// The connection has become a tunnel: everything passes.
    pub fn open_tunnel(&mut self) {
        self.part = GuardedPart::Tunnel;
        (self.line, self.first_line) = (Vec::new(), Vec::new());
    }

    /// Whether the last request was received whole, and nothing of another.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        match &self.part {
            GuardedPart::Head(head) => head.is_empty() && self.line.is_empty(),
            GuardedPart::Ended => true,
            GuardedPart::Length { .. }
            | GuardedPart::Chunked { .. }
            | GuardedPart::Tunnel
            | GuardedPart::Refused(_) => false,
        }
    }

    /// Whether a head has begun that is not complete.
    #[must_use]
    pub fn is_in_head(&self) -> bool {
        // Empty lines before the first line of a request do not belong to it.
        let is_line = !self.line.is_empty() && self.line != b"\r";
        matches!(&self.part, GuardedPart::Head(head) if head.has_request_line() || is_line)
    }

    /// Whether a body has begun that is not complete: the client has to send more.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        matches!(self.part, GuardedPart::Length { .. } | GuardedPart::Chunked { .. })
    }

    /// How many heads were received whole.
    #[must_use]
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// The method and the target of the head that was received last, as far as they are known, for the log line of a refused
    /// request. They may contain any character.
    #[must_use]
    pub fn method_and_target(&self) -> (String, String) {
        let line = String::from_utf8_lossy(&self.first_line);
        let mut words = line.split(' ').map(str::to_owned);
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// Looks at the beginning of `bytes`, which are not empty. Returns how many are good; 0: none of them will be needed.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Rejection> {
        match &mut self.part {
            GuardedPart::Tunnel => Ok(bytes.len()),
            GuardedPart::Ended => Ok(0),
            GuardedPart::Refused(rejection) => Err(*rejection),
            GuardedPart::Length { rest, is_last } => {
                let count = skip(rest, bytes);
                if *rest == 0 {
                    self.part = after_message(*is_last);
                }
                Ok(count)
            }
            GuardedPart::Chunked { chunked, is_last } => {
                let count = match &mut chunked.part {
                    ChunkPart::Data { rest } => skip(rest, bytes),
                    ChunkPart::Size | ChunkPart::DataEnd | ChunkPart::Trailers => {
                        let (most, malformed) = chunked.most();
                        // So that each refusal shows whether it is about a head or a body.
                        let taken = take_line(&mut self.line, bytes, most, malformed).map_err(|_| malformed)?;
                        if taken.is_whole {
                            chunked.line(whole(&self.line, bytes, taken))?;
                            self.line.clear();
                        }
                        taken.count
                    }
                };
                chunked.end_data();
                if chunked.is_complete() {
                    self.part = after_message(*is_last);
                }
                Ok(count)
            }
            GuardedPart::Head(head) => {
                if head.is_empty() && self.line.is_empty() && bytes.first() == Some(&TLS_HANDSHAKE) {
                    return Err(Rejection::Tls);
                }
                let (most, too_long) = head.most(&self.limits);
                if !head.has_request_line() {
                    if self.line.is_empty() {
                        self.first_line.clear();
                    }
                    let line = memchr2(b'\r', b'\n', bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes);
                    let room = KEPT_BYTES.saturating_sub(self.first_line.len()).min(line.len());
                    self.first_line.extend_from_slice(line.get(..room).unwrap_or_default());
                }
                let taken = take_line(&mut self.line, bytes, most, too_long)?;
                if taken.is_whole {
                    let framing = head.line(whole(&self.line, bytes, taken), &self.limits)?;
                    self.line.clear();
                    if let Some(framing) = framing {
                        self.heads += 1;
                        self.part = after_head(framing);
                    }
                }
                Ok(taken.count)
            }
        }
    }
}

/// What was taken from the bytes in search of the end of a line.
#[derive(Debug, Clone, Copy)]
struct TakenLine {
    count: usize,
    /// Whether the line is complete. Otherwise its beginning is kept.
    is_whole: bool,
}

/// Takes bytes up to the end of a line. `most`: how many bytes the line may have, without CR LF.
fn take_line(kept: &mut Vec<u8>, bytes: &[u8], most: usize, too_long: Rejection) -> Result<TakenLine, Rejection> {
    let Some(end) = memchr(b'\n', bytes) else {
        // The last byte may be the CR.
        if kept.len() + bytes.len() > most + 1 {
            return Err(too_long);
        }
        kept.extend_from_slice(bytes);
        return Ok(TakenLine { count: bytes.len(), is_whole: false });
    };
    let line = bytes.get(..end).unwrap_or_default();
    let ends_with_cr = if line.is_empty() { kept.ends_with(b"\r") } else { line.ends_with(b"\r") };
    let length = (kept.len() + line.len()).saturating_sub(usize::from(ends_with_cr));
    if length > most {
        return Err(too_long);
    }
    if !ends_with_cr {
        return Err(Rejection::BareLf);
    }
    if !kept.is_empty() {
        kept.extend_from_slice(line);
    }
    Ok(TakenLine { count: end + 1, is_whole: true })
}

/// The line that was taken, without CR LF.
fn whole<'a>(kept: &'a [u8], bytes: &'a [u8], taken: TakenLine) -> &'a [u8] {
    let line = if kept.is_empty() { bytes.get(..taken.count - 1).unwrap_or_default() } else { kept };
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn skip(rest: &mut u64, bytes: &[u8]) -> usize {
    let count = usize::try_from(*rest).unwrap_or(usize::MAX).min(bytes.len());
    *rest -= count as u64;
    count
}

fn after_head(framing: Framing) -> GuardedPart {
    match framing {
        Framing::Length { length: 0, is_last } => after_message(is_last),
        Framing::Length { length, is_last } => GuardedPart::Length { rest: length, is_last },
        Framing::Chunked { is_last } => GuardedPart::Chunked { chunked: Chunked::default(), is_last },
    }
}

fn after_message(is_last: bool) -> GuardedPart {
    if is_last { GuardedPart::Ended } else { GuardedPart::Head(HeadSoFar::default()) }
}
