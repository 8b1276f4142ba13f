//! Where a strict reader of `.env` differs from ours (S2.8).
//!
//! The second reader is `dotenvy`. It gets each entry's own text, and never one it would expand from the environment of
//! this process; what it says of an error is never shown, since that holds the value.

use crate::app::EnvEntry;

/// How it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// It stops with an error, and reads nothing after this entry either.
    Refuses,
    /// It gives the variable another value, or another variable.
    ReadsAnotherValue,
}

/// Compares one entry. `file`: the whole text it stands in.
pub(super) fn difference(file: &[u8], entry: &EnvEntry) -> Option<Difference> {
    let text = file.get(entry.span.clone())?;
    if memchr::memchr(b'$', text).is_some() && !is_verbatim(text) {
        return has_bare_reference(text).then_some(Difference::ReadsAnotherValue);
    }
    let mut entries = dotenvy::from_read_iter(text);
    match (entries.next(), entries.next()) {
        (Some(Err(_)), _) | (_, Some(Err(_))) => Some(Difference::Refuses),
        (Some(Ok((key, value))), None) if key == entry.key && value.as_bytes() == entry.value.reveal() => None,
        (Some(Ok(_)) | None, _) => Some(Difference::ReadsAnotherValue),
    }
}

/// `KEY='…'`: no reader expands anything in it.
fn is_verbatim(text: &[u8]) -> bool {
    let value = memchr::memchr2(b'=', b':', text).and_then(|at| text.get(at + 1..)).unwrap_or_default();
    value.trim_ascii_start().first() == Some(&b'\'')
}

/// A `$NAME` without braces, which we keep and a strict reader expands. `\$` is a dollar to both.
fn has_bare_reference(text: &[u8]) -> bool {
    memchr::memchr_iter(b'$', text).any(|at| {
        let escaped = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'\\');
        let begins = text.get(at + 1).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
        begins && !escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{EnvFile, EnvScope, Environment};

    fn differences(text: &str) -> Vec<Option<Difference>> {
        let inherited = Environment::default();
        let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };
        let file = EnvFile::parse(text.as_bytes(), &scope).expect("a readable file");
        file.entries().iter().map(|entry| difference(text.as_bytes(), entry)).collect()
    }

    #[test]
    fn s2_8_what_both_read_alike_is_not_mentioned() {
        assert_eq!(differences("A=1\nexport B='x y'\nC=\"a\\nb\"\nD=\nE='$F'\n"), [None; 5]);
    }

    #[test]
    fn s2_8_unquoted_blanks_are_refused_and_a_bare_reference_is_read_otherwise() {
        assert_eq!(differences("NAME=OpenID Connect\n"), [Some(Difference::Refuses)]);
        assert_eq!(differences("A=pa$sword\nB=${HOME}\nC=1$\n"), [Some(Difference::ReadsAnotherValue), None, None]);
    }
}
