//! What dynos say. Pure: bytes in, bytes out.
//!
//! Nothing here knows the supervisor or reads a clock; `runtime` reads the streams and writes the result.

mod block;

pub use block::{LogBlock, Source};
