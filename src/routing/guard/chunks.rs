//! A body in chunks (RFC 9112, section 7.1).

use super::head::{field, is_blank, is_value};
use crate::routing::Rejection;

/// The longest line with the size of a chunk, and the most bytes of all extensions of a body. The HTTP library has a limit of
/// 16 KiB.
pub(super) const MOST_EXTENSION_BYTES: usize = 8192;
/// The most bytes of the trailers of a body. The HTTP library has a limit of 16 KiB.
const MOST_TRAILER_BYTES: usize = 8192;
/// The most trailers. The HTTP library has a limit of 100.
const MOST_TRAILERS: usize = 64;

/// The most digits of a size.
const MOST_DIGITS: usize = 16;

/// Trailers that would change what the head has said (RFC 9110, section 6.5.1).
const FORBIDDEN: [&str; 4] = ["content-length", "host", "trailer", "transfer-encoding"];

/// How far a body in chunks has come.
#[derive(Debug, Clone)]
pub(super) struct Chunked {
    pub(super) part: ChunkPart,
    extension_bytes: usize,
    trailers: usize,
    trailer_bytes: usize,
    is_complete: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkPart {
    /// The line with the size of a chunk.
    Size,
    /// The bytes of a chunk.
    Data { rest: u64 },
    /// CR LF after them.
    DataEnd,
    /// The trailers, and the empty line after them.
    Trailers,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { part: ChunkPart::Size, extension_bytes: 0, trailers: 0, trailer_bytes: 0, is_complete: false }
    }
}

impl Chunked {
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How many bytes the next line may have, without CR LF, and what is wrong with a longer one.
    pub(super) fn most(&self) -> (usize, Rejection) {
        match self.part {
            ChunkPart::Size => {
                (MOST_DIGITS + MOST_EXTENSION_BYTES.saturating_sub(self.extension_bytes), Rejection::Chunk)
            }
            ChunkPart::Data { .. } | ChunkPart::DataEnd => (0, Rejection::Chunk),
            ChunkPart::Trailers => (MOST_TRAILER_BYTES.saturating_sub(self.trailer_bytes), Rejection::Trailer),
        }
    }

    /// The bytes of a chunk may all have been seen.
    pub(super) fn end_data(&mut self) {
        if self.part == (ChunkPart::Data { rest: 0 }) {
            self.part = ChunkPart::DataEnd;
        }
    }

    /// Takes the next line, without CR LF.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Rejection> {
        match self.part {
            ChunkPart::Size => {
                let (size, extension) = size(line).ok_or(Rejection::Chunk)?;
                self.extension_bytes += extension;
                if self.extension_bytes > MOST_EXTENSION_BYTES {
                    return Err(Rejection::Chunk);
                }
                self.part = if size == 0 { ChunkPart::Trailers } else { ChunkPart::Data { rest: size } };
            }
            ChunkPart::Data { .. } | ChunkPart::DataEnd => self.part = ChunkPart::Size,
            ChunkPart::Trailers if line.is_empty() => self.is_complete = true,
            ChunkPart::Trailers => self.trailer(line)?,
        }
        Ok(())
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), Rejection> {
        self.trailers += 1;
        self.trailer_bytes += line.len() + 2;
        let (name, _) = field(line).map_err(|_| Rejection::Trailer)?;
        let is_forbidden = FORBIDDEN.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if is_forbidden || self.trailers > MOST_TRAILERS {
            return Err(Rejection::Trailer);
        }
        Ok(())
    }
}

/// The size of a chunk, and how many bytes its extension has.
fn size(line: &[u8]) -> Option<(u64, usize)> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, extension) = line.split_at_checked(digits)?;
    if digits == 0 || digits > MOST_DIGITS {
        return None;
    }
    // A blank is allowed before the `;`, not in place of an extension.
    let first = extension.iter().find(|byte| !is_blank(**byte));
    let is_extension = extension.is_empty() || first == Some(&b';');
    if !is_extension || !is_value(extension) {
        return None;
    }
    Some((u64::from_str_radix(std::str::from_utf8(number).ok()?, 16).ok()?, extension.len()))
}
