//! One entry of a `.env` file.

use std::ops::Range;

use crate::model::Secret;

/// One entry of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvEntry {
    /// Its name: `[A-Za-z_0-9.-]+` (S2.2).
    pub key: String,
    /// Its value, after quotes, escapes and references have been processed.
    pub value: Secret,
    /// 1-based line on which it begins.
    pub line: usize,
    /// The range of its bytes in the file, from the start of its first line to the end of its last, without the line
    /// ending; in JSON, the range of its value. `check` compares how a strict reader reads these bytes (S2.8).
    pub span: Range<usize>,
    /// The range of the value as it is written, with its quotes, but without a comment after it.
    pub written: Range<usize>,
}

impl EnvEntry {
    /// Whether every shell passes the variable on. dash, which is `/bin/sh` on many systems, drops variables that it
    /// could not name itself, such as `A.B`, which S2.2 allows.
    #[must_use]
    pub fn passes_every_shell(&self) -> bool {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !self.key.starts_with(|first: char| first.is_ascii_digit()) && self.key.bytes().all(is_name_byte)
    }
}
