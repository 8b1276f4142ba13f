//! A dyno's terminal as other terminals see it (S10.5): what its screen shows, which modes it has set, what the keys of a
//! person mean, and the frames between `dyno attach` and a start.
//!
//! Pure: bytes and times in, values out. Not here: the lines of the log (`logs`), and everything that opens a terminal.

mod detach_keys;
mod emulator;
mod frames;
mod keys;
mod modes;
mod newlines;
mod queries;
#[cfg(test)]
mod random;
mod record;
mod sequences;

pub use detach_keys::DetachKeys;
pub use frames::{AttachFrame, FrameDecoder, InvalidFrame, MAX_FRAME, TerminalFrame};
pub use keys::{KeyPart, KeyReader, KeyTable};
pub use modes::ScreenModes;
pub use newlines::{NewlineMeaning, Newlines};
pub use queries::{QueryReader, TerminalQuery};
pub use record::{ScreenRecord, ScreenText, bounded};
