//! Turns the output of dynos into log lines. Pure: bytes in, bytes out.
//!
//! Nothing here depends on the supervisor or reads a clock; `runtime` reads the streams and writes the result.
//! One [`Lines`] per run cuts its stream into lines and tracks what the program draws on its terminal. The caller wraps
//! each [`Chunk`] in a [`LogBlock`], and one [`Formatter`] per receiver (the terminal, a log file) renders the blocks.
//! Every stage handles whole blocks, never single lines: that is what makes it fast.

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
pub use incomplete::unfinished_bytes;
pub use lines::{Audience, Chunk, LineMode, Lines, PARTIAL_AFTER, PIECE_BYTES, Patience};
pub use open_line::OpenLine;
pub use palette::{Color, Palette};
pub use printable::printable;
pub use screen::ScreenSize;
pub use tail::{TAIL_BYTES, TAIL_LINES, Tail};
pub use text::name_width;
pub use workflow::defuse;
