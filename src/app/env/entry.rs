//! One entry of a `.env` file, and how to write it back as a line.

use std::ops::Range;

use crate::app::command::shell_words::is_plain;
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
}

impl EnvEntry {
    /// Whether every shell passes the variable on. dash, which is `/bin/sh` on many systems, drops variables that it
    /// could not name itself, such as `A.B`, which S2.2 allows.
    #[must_use]
    pub fn passes_every_shell(&self) -> bool {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !self.key.starts_with(|first: char| first.is_ascii_digit()) && self.key.bytes().all(is_name_byte)
    }

    /// The entry as a line of a `.env` file, with its newline. Parsing the line gives the same key and value, as long
    /// as the value has no NUL byte.
    #[must_use]
    pub fn write_entry(&self) -> Vec<u8> {
        let mut line = format!("{}=", self.key).into_bytes();
        let value = self.value.reveal();
        if value.iter().copied().all(is_plain) {
            line.extend_from_slice(value);
        } else if !value.iter().any(|byte| matches!(byte, b'\'' | b'\r' | b'\n')) {
            line.push(b'\'');
            line.extend_from_slice(value);
            line.push(b'\'');
        } else {
            write_double_quoted(value, &mut line);
        }
        line.push(b'\n');
        line
    }
}

fn write_double_quoted(value: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in value {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'"' | b'\\' | b'$' => line.extend_from_slice(&[b'\\', *byte]),
            _ => line.push(*byte),
        }
    }
    line.push(b'"');
}
