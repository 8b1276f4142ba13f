//! A file that an export writes.

use super::{CommentStyle, Marker};

/// A file, relative to the directory of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// Its path, with `/` between names.
    pub path: String,
    /// Its permissions, such as 0o644.
    pub mode: u32,
    /// Its bytes, with the marker line (S18.1).
    pub text: Vec<u8>,
}

/// The result of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// The files, in the order in which they are written.
    pub files: Vec<ExportFile>,
    /// What the engine cannot keep, one sentence for each, without a full stop. The files contain them as comments.
    pub notes: Vec<String>,
}

impl ExportFile {
    /// The permissions of a file that its owner alone may read.
    pub const SECRET: u32 = 0o600;

    /// A file that everyone may read. `text` has no marker line yet.
    #[must_use]
    pub fn new(path: impl Into<String>, marker: &Marker, style: CommentStyle, text: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), mode: 0o644, text: marker.mark(style, &text.into()) }
    }

    /// A file that its owner alone may read, because it has the values of config vars (S18.3).
    #[must_use]
    pub fn secret(self) -> Self {
        Self { mode: Self::SECRET, ..self }
    }

    /// A file that is executed.
    #[must_use]
    pub fn executable(self) -> Self {
        Self { mode: 0o755, ..self }
    }
}
