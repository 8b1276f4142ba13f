//! Results on stdout. Never panics: a closed pipe ends the command quietly (S11).

use std::io;

use serde::Serialize;

use crate::error::{Error, Status};
use crate::runtime;
use crate::supervisor::Outcome;

/// Writes a result. Returns 0, or 141 if the reader has gone away.
///
/// # Errors
/// Status 74: it could not be written.
pub(crate) fn write(text: &str) -> Result<Outcome, Error> {
    write_bytes(text.as_bytes())
}

/// Like [`write()`], for bytes that need not be UTF-8.
pub(crate) fn write_bytes(bytes: &[u8]) -> Result<Outcome, Error> {
    outcome(runtime::write_result(bytes))
}

/// Writes a result as one line of JSON.
///
/// # Errors
/// Status 74: it could not be written.
pub(crate) fn write_json(result: &impl Serialize) -> Result<Outcome, Error> {
    let text = serde_json::to_string(result)
        .map_err(|error| Error::new(Status::Internal, format!("cannot write the result as JSON: {error}"), ""))?;
    write(&(text + "\n"))
}

/// How `dyno` ends after a result was written.
///
/// # Errors
/// Status 74: it could not be written.
pub(crate) fn outcome(written: io::Result<()>) -> Result<Outcome, Error> {
    match written {
        Ok(()) => Ok(Outcome::Code(0)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Code(Status::OutputClosed.code())),
        Err(error) => {
            let fact = format!("the output could not be written: {}", crate::project::reason(&error));
            Err(Error::new(Status::Output, fact, ""))
        }
    }
}
