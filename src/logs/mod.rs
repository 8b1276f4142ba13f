//! Turns the output of dynos into log lines. Pure: bytes in, bytes out.
//!
//! Nothing here depends on the supervisor or reads a clock; `runtime` reads the streams and writes the result.
//! One [`Lines`] per run cuts its stream into lines and tracks what the program draws on its terminal. The caller wraps
//! each [`Chunk`] in a [`LogBlock`], and one [`Formatter`] per receiver (the terminal, a log file) renders the blocks.
//! Every stage handles whole blocks, never single lines: that is what makes it fast.

mod alternate_screen;
mod block;
mod chunk;
mod encoder;
mod escapes;
mod follower;
mod format;
mod heroku;
mod history;
mod incomplete;
mod json;
mod json_line;
mod lines;
mod log_filter;
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
pub use chunk::{Audience, Chunk, FlushPatience, PARTIAL_AFTER, PIECE_BYTES};
pub use encoder::{LogEncoder, LogEncoding};
pub use follower::{FollowTurn, Follower, LogQuery, Moment};
pub use format::{Formatter, LogFormat, Passing, TextOptions, View};
pub use history::{HISTORY_BYTES, HISTORY_LINES, History};
pub use incomplete::unfinished_bytes;
pub use json_line::line_of_json;
pub use lines::{LineMode, Lines, UnfinishedLine};
pub use log_filter::{LogFilter, Speaker};
pub use open_line::OpenLine;
pub use palette::{Color, Palette};
pub use printable::printable;
pub use screen::ScreenSize;
pub use tail::{TAIL_BYTES, TAIL_LINES, Tail};
pub use text::name_width;
pub use workflow::defuse;
