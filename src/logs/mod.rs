//! What dynos say. Pure: bytes in, bytes out.
//!
//! Nothing here knows the supervisor or reads a clock; `runtime` reads the streams and writes the result.
//! One [`Lines`] per run cuts its stream and follows what a program draws on its terminal, the caller makes a
//! [`LogBlock`] of each [`Chunk`], and one [`Formatter`] per receiver (the terminal, a log file, a `logs` session) renders
//! the blocks. Whole blocks, never single lines, go through all of it: that is what makes it fast.

mod alternate_screen;
mod block;
mod escapes;
mod format;
mod heroku;
mod incomplete;
mod json;
mod lines;
mod open_line;
mod palette;
mod printable;
mod screen;
mod splitter;
mod stamp;
mod style;
mod tail;
mod text;
mod workflow;

pub use alternate_screen::AlternateScreen;
pub use block::{LogBlock, Source};
pub use format::{Formatter, LogFormat, Passing, TextOptions, View};
pub use incomplete::bytes_at_end as unfinished_bytes;
pub use lines::{Audience, Chunk, LineMode, Lines, PARTIAL_AFTER, PIECE_BYTES, Patience};
pub use open_line::OpenLine;
pub use palette::{Color, Palette};
pub use printable::printable;
pub use screen::ScreenSize;
pub use tail::{TAIL_BYTES, TAIL_LINES, Tail};
pub use text::name_width;
pub use workflow::defuse;
