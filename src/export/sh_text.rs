//! What `sh` reads: the file with the values of config vars, and scripts.
//!
//! Single quotes keep every byte as it is, so any value without NUL can be written.

use super::{ExportFailure, ExportedApp, ExportedVariable};
use crate::app::quote_word;
use crate::model::DynoName;

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
        let refuse = |reason| Err(ExportFailure::Variable { format, key: key.clone(), reason });
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

/// The name of the file with the values of the config vars.
pub(super) fn env_file(app: &ExportedApp) -> String {
    format!("{}.env", app.name)
}

/// The name of what runs a dyno, such as `shop-web-1`.
pub(super) fn service(app: &ExportedApp, dyno: &DynoName) -> String {
    format!("{}-{}", app.name, dyno.to_string().replace('.', "-"))
}

/// The name of what runs the release command.
pub(super) fn release_service(app: &ExportedApp) -> String {
    format!("{}-release", app.name)
}

/// What to do about values that were left out.
pub(super) fn missing_values(app: &ExportedApp) -> Option<String> {
    let names: Vec<&str> = app.config_vars.iter().map(|variable| variable.key.as_str()).collect();
    app.options.without_values.then(|| {
        let (file, names) = (env_file(app), names.join(", "));
        format!("the config vars are missing: write them into {file}, as lines such as `export A='b'`: {names}")
    })
}

/// The name of a signal for `kill`, or its number.
pub(super) fn signal_name(number: i32) -> String {
    match number {
        1 => "HUP".to_owned(),
        2 => "INT".to_owned(),
        3 => "QUIT".to_owned(),
        6 => "ABRT".to_owned(),
        9 => "KILL".to_owned(),
        10 => "USR1".to_owned(),
        12 => "USR2".to_owned(),
        14 => "ALRM".to_owned(),
        15 => "TERM".to_owned(),
        28 => "WINCH".to_owned(),
        other => other.to_string(),
    }
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
