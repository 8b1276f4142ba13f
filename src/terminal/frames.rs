//! The frames between `dyno attach` and a start, after the HTTP exchange that began the connection: a kind, the length of
//! the rest as four bytes, the rest.
//!
//! Both sides check every length before they keep a byte. A frame that is not valid ends its connection.

use crate::model::PtySize;

/// The most bytes after the kind and the length.
pub const MAX_FRAME: usize = 256 << 10;

/// Bytes of the kind and the length.
const HEAD: usize = 5;

/// From a client to a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachFrame {
    /// These keys were pressed.
    Keys(Vec<u8>),
    /// The terminal of the client has this size.
    Size(PtySize),
}

/// From a start to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalFrame {
    /// Bytes for the terminal of the client, unchanged.
    Output(Vec<u8>),
    /// Bytes are missing, and the next ones draw the whole screen: the modes that were set before have no meaning any more.
    Redraw,
    /// A line for the person.
    Line(String),
    /// The next run has begun: the modes that the last one has set have no meaning any more. A line for the person.
    RunBegan(String),
    /// The run has ended, or there is none. The same about modes; a line for the person.
    RunEnded(String),
    /// The client has nothing left to be attached to: why.
    End(String),
}

/// Bytes that are not frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not a frame")]
pub struct InvalidFrame;

impl AttachFrame {
    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Keys(keys) => append(b'k', keys, out),
            Self::Size(PtySize { rows, cols }) => append(b's', &[rows.to_be_bytes(), cols.to_be_bytes()].concat(), out),
        }
    }

    fn decode(kind: u8, rest: Vec<u8>) -> Result<Self, InvalidFrame> {
        match (kind, rest.as_slice()) {
            (b'k', _) => Ok(Self::Keys(rest)),
            (b's', &[a, b, c, d]) => {
                Ok(Self::Size(PtySize { rows: u16::from_be_bytes([a, b]), cols: u16::from_be_bytes([c, d]) }))
            }
            _ => Err(InvalidFrame),
        }
    }
}

impl TerminalFrame {
    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Output(bytes) => append(b'o', bytes, out),
            Self::Redraw => append(b'd', &[], out),
            Self::Line(line) => append(b'l', line.as_bytes(), out),
            Self::RunBegan(line) => append(b'b', line.as_bytes(), out),
            Self::RunEnded(line) => append(b'r', line.as_bytes(), out),
            Self::End(why) => append(b'e', why.as_bytes(), out),
        }
    }

    fn decode(kind: u8, rest: Vec<u8>) -> Result<Self, InvalidFrame> {
        let text = |rest| String::from_utf8(rest).map_err(|_| InvalidFrame);
        match kind {
            b'o' => Ok(Self::Output(rest)),
            b'd' if rest.is_empty() => Ok(Self::Redraw),
            b'l' => text(rest).map(Self::Line),
            b'b' => text(rest).map(Self::RunBegan),
            b'r' => text(rest).map(Self::RunEnded),
            b'e' => text(rest).map(Self::End),
            _ => Err(InvalidFrame),
        }
    }
}

/// Longer output is split into several frames, so that each is valid. Keys and lines are short.
fn append(kind: u8, rest: &[u8], out: &mut Vec<u8>) {
    let mut parts = rest.chunks(MAX_FRAME);
    let mut next = Some(parts.next().unwrap_or_default());
    while let Some(part) = next {
        out.push(kind);
        out.extend(u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(part);
        next = parts.next();
    }
}

/// Bytes that have arrived and are not a whole frame yet.
#[derive(Debug, Default)]
pub struct FrameDecoder(Vec<u8>);

impl FrameDecoder {
    /// Adds bytes as they arrive.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next frame of a client.
    ///
    /// # Errors
    /// These bytes are not a frame. No later bytes are.
    pub fn attach_frame(&mut self) -> Result<Option<AttachFrame>, InvalidFrame> {
        self.next().and_then(|frame| frame.map(|(kind, rest)| AttachFrame::decode(kind, rest)).transpose())
    }

    /// The next frame of a start.
    ///
    /// # Errors
    /// These bytes are not a frame. No later bytes are.
    pub fn terminal_frame(&mut self) -> Result<Option<TerminalFrame>, InvalidFrame> {
        self.next().and_then(|frame| frame.map(|(kind, rest)| TerminalFrame::decode(kind, rest)).transpose())
    }

    fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, InvalidFrame> {
        let Some((&[kind, a, b, c, d], after)) = self.0.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| InvalidFrame)?;
        if length > MAX_FRAME {
            return Err(InvalidFrame);
        }
        let Some(rest) = after.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.0.drain(..HEAD + length);
        Ok(Some((kind, rest)))
    }
}
