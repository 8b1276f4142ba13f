//! What dynos say. Pure: bytes in, bytes out.
//!
//! Nothing here knows the supervisor or reads a clock; `runtime` reads the streams and writes the result.

mod block;
mod lines;

pub use block::{LogBlock, Source};
pub use lines::{Chunk, LineMode, Lines, PARTIAL_AFTER, PIECE_BYTES};
