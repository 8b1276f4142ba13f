//! The lines of one head, and which body they announce (RFC 9112, sections 5 and 6).

use memchr::memchr;

use super::request_line::{check_request_line, is_token};
use crate::routing::Rejection;

/// How many empty lines may come before a request: some clients send one after a body (RFC 9112, section 2.2).
const MOST_EMPTY_LINES: u8 = 2;

/// How long a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// The longest line, without CR LF.
    pub(super) line: usize,
    /// The longest name of a header.
    pub(super) name: usize,
    /// The most bytes of a head, with all CR LF.
    pub(super) head: usize,
    /// The most headers.
    pub(super) headers: usize,
    pub(super) is_platform: bool,
}

/// What is known of a head.
#[derive(Debug, Clone, Default)]
pub(super) struct HeadSoFar {
    /// The bytes of its complete lines.
    bytes: usize,
    empty_lines: u8,
    /// Whether its version is HTTP/1.0. None: there was no request line yet.
    is_http10: Option<bool>,
    headers: usize,
    has_host: bool,
    length: Option<u64>,
    coding: Option<Coding>,
    closes: bool,
    keeps_alive: bool,
}

/// What `Transfer-Encoding` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// `chunked` alone.
    Chunked,
    /// Something before a last `chunked`.
    ThenChunked,
    /// Anything else.
    Malformed,
}

/// The body that a head announces. `is_last`: the client sends no other request on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length { length: u64, is_last: bool },
    Chunked { is_last: bool },
}

impl HeadLimits {
    /// The limits of the platform, or ours, because cookies of all ports on localhost add up (S16.6). The HTTP library must be
    /// allowed at least these.
    #[must_use]
    pub fn new(is_platform: bool) -> Self {
        if is_platform {
            Self { line: 8192, name: 1000, head: 256 * 1024, headers: 1000, is_platform }
        } else {
            Self { line: 65_536, name: 65_535, head: 65_536, headers: 1000, is_platform }
        }
    }

    /// The most bytes of a head.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        self.head
    }

    /// The most headers.
    #[must_use]
    pub fn headers(&self) -> usize {
        self.headers
    }

    fn long_head(&self) -> Rejection {
        if self.is_platform { Rejection::LongPlatformHead } else { Rejection::LongHead }
    }
}

impl HeadSoFar {
    /// Whether it has no line yet.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(super) fn has_request_line(&self) -> bool {
        self.is_http10.is_some()
    }

    /// How many bytes the next line may have, without CR LF, and what is wrong with a longer one.
    pub(super) fn most(&self, limits: &HeadLimits) -> (usize, Rejection) {
        let rest = limits.head.saturating_sub(self.bytes).saturating_sub(2);
        match (limits.line <= rest, limits.is_platform, self.has_request_line()) {
            (true, true, _) => (limits.line, Rejection::LongLine),
            (false, false, false) => (rest, Rejection::LongTarget),
            (true, false, _) | (false, _, _) => (limits.line.min(rest), limits.long_head()),
        }
    }

    /// Takes the next line, without CR LF. Returns the framing at the end of the head.
    pub(super) fn line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<Option<Framing>, Rejection> {
        self.bytes += line.len() + 2;
        if self.bytes > limits.head {
            return Err(limits.long_head());
        }
        if memchr(b'\r', line).is_some() {
            return Err(Rejection::BareCr);
        }
        let Some(is_http10) = self.is_http10 else {
            if line.is_empty() && self.empty_lines < MOST_EMPTY_LINES {
                self.empty_lines += 1;
                return Ok(None);
            }
            self.is_http10 = Some(check_request_line(line)?);
            return Ok(None);
        };
        if line.is_empty() {
            return self.framing(is_http10).map(Some);
        }
        self.headers += 1;
        if self.headers > limits.headers {
            return Err(limits.long_head());
        }
        let (name, value) = field(line)?;
        if name.len() > limits.name {
            return Err(if limits.is_platform { Rejection::LongLine } else { Rejection::LongHead });
        }
        self.header(name, value)?;
        Ok(None)
    }

    fn header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Rejection> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("host") => {
                if self.has_host {
                    return Err(Rejection::TwoHosts);
                }
                self.has_host = true;
            }
            10 if is("connection") => {
                for option in elements(value) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is("content-length") => {
                let length = number(value).ok_or(Rejection::ContentLength)?;
                // The platform merges equal ones.
                if self.length.is_some_and(|other| other != length) {
                    return Err(Rejection::ContentLength);
                }
                self.length = Some(length);
            }
            17 if is("transfer-encoding") => {
                if self.coding.is_some() {
                    return Err(Rejection::TransferEncoding);
                }
                self.coding = Some(coding(value));
            }
            _ => {}
        }
        Ok(())
    }

    /// The body that the complete head announces (RFC 9112, section 6.3).
    fn framing(&self, is_http10: bool) -> Result<Framing, Rejection> {
        let is_last = self.closes || (is_http10 && !self.keeps_alive);
        let Some(coding) = self.coding else {
            return Ok(Framing::Length { length: self.length.unwrap_or(0), is_last });
        };
        if self.length.is_some() {
            return Err(Rejection::TwoLengths);
        }
        match coding {
            _ if is_http10 => Err(Rejection::TransferEncoding),
            Coding::Malformed => Err(Rejection::TransferEncoding),
            Coding::ThenChunked => Err(Rejection::TransferCoding),
            Coding::Chunked => Ok(Framing::Chunked { is_last }),
        }
    }
}

/// The name and the value of a header or trailer (RFC 9112, section 5).
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    if line.first().is_some_and(|byte| is_blank(*byte)) {
        return Err(Rejection::FoldedHeader);
    }
    let colon = memchr(b':', line).ok_or(Rejection::HeaderName)?;
    let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
    if name.last().is_some_and(|byte| is_blank(*byte)) {
        return Err(Rejection::BlankBeforeColon);
    }
    if !is_token(name) {
        return Err(Rejection::HeaderName);
    }
    if !is_value(value) {
        return Err(Rejection::HeaderValue);
    }
    Ok((name, trim(value)))
}

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether this may be the value of a header. Bytes of 0x80 and more are `obs-text`.
pub(super) fn is_value(text: &[u8]) -> bool {
    let is_wrong = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    // Faster than a search that ends at the first one, because many bytes are checked at once.
    text.iter().fold(0, |wrong, byte| wrong | u8::from(is_wrong(*byte))) == 0
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = text
        && is_blank(*byte)
    {
        text = rest;
    }
    while let [rest @ .., byte] = text
        && is_blank(*byte)
    {
        text = rest;
    }
    text
}

fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// One number of decimal digits alone, without sign.
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn coding(value: &[u8]) -> Coding {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let last = elements(value).last().unwrap_or_default();
    let count = elements(value).count();
    match elements(value).filter(|coding| is_chunked(coding)).count() {
        1 if count == 1 => Coding::Chunked,
        1 if is_chunked(last) && elements(value).all(|coding| !coding.is_empty()) => Coding::ThenChunked,
        _ => Coding::Malformed,
    }
}
