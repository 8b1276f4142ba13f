//! One entry of a Procfile: a process type and its command line.

use std::borrow::Cow;
use std::ops::Range;

use crate::model::ProcessType;

/// One process type of a Procfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcfileEntry {
    /// Its name.
    pub process_type: ProcessType,
    /// Its command line without surrounding blanks, as the bytes that the shell gets (S1.1).
    pub command: Vec<u8>,
    /// 1-based line of the command; if the name occurs several times, that of the last one (S1.5).
    pub line: usize,
    /// The bytes of that line in the file, without its line ending.
    pub span: Range<usize>,
}

impl ProcfileEntry {
    /// The command line as text, for messages and `DynoSpec::command_line`.
    #[must_use]
    pub fn command_line(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.command)
    }
}
