//! What `sh` reads: the file with the values of config vars, and scripts.
//!
//! Single quotes keep every byte as it is, so any value without NUL can be written.

use super::{ExportFailure, ExportedVariable};
use crate::app::quote_word;

/// Names that `sh` sets itself, or that change how it reads the rest of a script.
const OF_SHELL: [&str; 8] = ["IFS", "LINENO", "OLDPWD", "OPTARG", "OPTIND", "PWD", "SHLVL", "_"];

/// Names that cannot be assigned if `sh` is bash.
const READ_ONLY: [&str; 6] = ["BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"];

/// A script that grows line by line. Values may have any byte.
#[derive(Debug, Default)]
pub(super) struct ShText(Vec<u8>);

impl ShText {
    /// A script for `/bin/sh`.
    pub(super) fn executable() -> Self {
        Self(b"#!/bin/sh\n".to_vec())
    }

    /// Adds lines. A newline follows.
    pub(super) fn line(&mut self, line: impl AsRef<[u8]>) -> &mut Self {
        self.0.extend_from_slice(line.as_ref());
        self.0.push(b'\n');
        self
    }

    /// Adds a comment, which is one line.
    pub(super) fn comment(&mut self, text: &str) -> &mut Self {
        self.line(format!("# {text}"))
    }

    /// Adds a command of these words, which are quoted, after a text that is not.
    pub(super) fn command<W: AsRef<[u8]>>(&mut self, before: &str, words: &[W], after: &str) -> &mut Self {
        self.0.extend_from_slice(before.as_bytes());
        self.0.extend_from_slice(&crate::app::join_words(words));
        self.line(after)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A line `export K='v'` for each variable.
///
/// # Errors
/// `sh` cannot have a variable of such a name.
pub(super) fn exports(format: &'static str, variables: &[ExportedVariable]) -> Result<Vec<u8>, ExportFailure> {
    let mut text = Vec::new();
    for ExportedVariable { key, value } in variables {
        let refuse = |reason| Err(ExportFailure::VariableName { format, key: key.clone(), reason });
        if key.contains(['.', '-']) || key.starts_with(|first: char| first.is_ascii_digit()) {
            return refuse("its name may only have A-Z a-z 0-9 _, and may not begin with a digit");
        }
        if OF_SHELL.contains(&key.as_str()) {
            return refuse("the shell that starts the dynos sets it itself");
        }
        let is_read_only = READ_ONLY.contains(&key.as_str());
        // `command` keeps bash from ending the script.
        let (before, after): (&[u8], &[u8]) =
            if is_read_only { (b"command export ", b" 2>/dev/null || :") } else { (b"export ", b"") };
        text.extend([before, key.as_bytes(), b"=", &quote_word(value.reveal()), after, b"\n"].concat());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn exported(key: &str, value: &[u8]) -> Result<String, String> {
        let variable = ExportedVariable { key: key.to_owned(), value: Secret::new(value) };
        let text = exports("runit", &[variable]).map_err(|failure| failure.to_string())?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn s18_3_values_are_in_single_quotes() {
        assert_eq!(exported("A", b"it's $X \"\n").unwrap(), "export A='it'\\''s $X \"\n'\n");
        assert_eq!(exported("PORT", b"5000").unwrap(), "export PORT=5000\n");
        assert_eq!(exported("UID", b"7").unwrap(), "command export UID=7 2>/dev/null || :\n");
    }

    #[test]
    fn s18_3_a_name_that_sh_cannot_have_is_an_error() {
        let name = "its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
        assert_eq!(exported("a.b", b"").unwrap_err(), format!("runit cannot have the config var `a.b`: {name}"));
        let own = "the shell that starts the dynos sets it itself";
        assert_eq!(exported("IFS", b"").unwrap_err(), format!("runit cannot have the config var `IFS`: {own}"));
    }
}
