//! Whether a dyno has sent the whole of an answer, as far as a glance at its bytes tells.
//!
//! hyper decides what an answer is. This only saves a system call for each of the many answers that come in one piece.

use memchr::memchr_iter;

/// How much of an answer has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AnswerExtent {
    /// Its head is not complete.
    #[default]
    Head,
    /// This many bytes of its body are still to come.
    Rest(u64),
    /// Its head does not say how long it is.
    Unknown,
}

impl AnswerExtent {
    /// Takes the next bytes. Whether more may follow.
    pub(super) fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let mut body = bytes;
        if *self == Self::Head {
            let Some(head) = SeenHead::of(bytes) else { return true };
            *self = head.content_length.map_or(Self::Unknown, Self::Rest);
            body = bytes.get(head.bytes..).unwrap_or_default();
        }
        match self {
            Self::Head => true,
            Self::Rest(rest) => {
                *rest = rest.saturating_sub(body.len() as u64);
                *rest > 0
            }
            Self::Unknown => !body.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

/// What a glance at a complete head shows.
struct SeenHead {
    /// How many bytes it has.
    bytes: usize,
    content_length: Option<u64>,
}

impl SeenHead {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (mut begin, mut content_length) = (0, None);
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes.get(begin..end).unwrap_or_default();
            begin = end + 1;
            if line == b"\r" {
                return Some(Self { bytes: begin, content_length });
            }
            if let Some((name, value)) = line.split_at_checked(15)
                && name.eq_ignore_ascii_case(b"content-length:")
            {
                content_length = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse().ok());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each piece, whether more may follow.
    fn seen(pieces: &[&str]) -> Vec<bool> {
        let mut extent = AnswerExtent::default();
        pieces.iter().map(|piece| extent.goes_on(piece.as_bytes())).collect()
    }

    #[test]
    fn s16_6_an_answer_with_a_length_ends_with_its_last_byte() {
        let head = "HTTP/1.1 200 OK\r\nServer: a\r\ncontent-LENGTH: 5\r\n\r\n";
        assert_eq!(seen(&[&format!("{head}hello")]), [false]);
        assert_eq!(seen(&[head, "hel", "lo"]), [true, true, false]);
        assert_eq!(seen(&[&format!("{head}hell"), "o"]), [true, false]);
        assert_eq!(seen(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]), [false]);
    }

    #[test]
    fn s16_6_an_answer_without_a_length_goes_on_until_its_last_chunk() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(seen(&[head, "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n\r\n"]), [true, true, false]);
        assert_eq!(seen(&["HTTP/1.0 200 OK\r\n\r\n", "hello"]), [true, true]);
        // The length came in a piece that was not looked at again.
        assert_eq!(seen(&["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", "X: y\r\n\r\nz"]), [true, true]);
    }
}
