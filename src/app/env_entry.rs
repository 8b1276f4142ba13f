//! One variable as it stands in a `.env` file, and how it is written there.

use std::ops::Range;

use super::Secret;

/// One variable of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvEntry {
    /// Its name: `[A-Za-z_0-9.-]+` (S2.2).
    pub key: String,
    /// Its value, quotes, escapes and references read.
    pub value: Secret,
    /// 1-based line it begins on.
    pub line: usize,
    /// The bytes of its lines in the file, from the start of the first to before the last line end: what a strict
    /// reader is given (S2.8).
    pub span: Range<usize>,
}

impl EnvEntry {
    /// Whether every shell hands the variable on: dash, `/bin/sh` of many systems, drops any whose name is none in a
    /// shell, such as `A.B`, which S2.2 allows.
    #[must_use]
    pub fn passes_every_shell(&self) -> bool {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !self.key.starts_with(|first: char| first.is_ascii_digit()) && self.key.bytes().all(of_name)
    }

    /// The entry as a line of a `.env` file, with its newline. Read again, it is the same key and value; for any
    /// value without a NUL byte.
    #[must_use]
    pub fn write_entry(&self) -> Vec<u8> {
        let mut line = format!("{}=", self.key).into_bytes();
        let value = self.value.reveal();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,@%+=".contains(byte);
        if value.iter().all(plain) {
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
