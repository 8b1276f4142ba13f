//! Finds where a strict reader of `.env` differs from ours (S2.8).
//!
//! The second reader is `dotenvy`. It gets the text of each entry, with a word in place of each reference, because it
//! would expand references from the environment of this process. Its error messages are never shown, because they
//! contain the value.

use crate::app::{EnvEntry, EnvFile, EnvScope, is_env_key};
use crate::model::Environment;

/// How the strict reader differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    /// It stops with an error and does not read the entries that follow.
    Refuses,
    /// It gives the variable another value, or another variable.
    ReadsAnotherValue,
}

/// The hint for any difference.
pub(crate) const HINT: &str = "quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference";

/// Compares one entry. `file`: the whole text of its file.
pub(crate) fn difference(file: &[u8], entry: &EnvEntry) -> Option<Difference> {
    let text = file.get(entry.span.clone())?;
    if memchr::memchr(b'$', text).is_none() || quote(text) == Some(b'\'') {
        return compare(text, entry);
    }
    // Both read the text with a word in place of each `$…`; `WithoutReferences` has rules for the `$…` itself.
    let without = WithoutReferences::of(text, quote(text) == Some(b'"'));
    if without.difference.is_some() {
        return without.difference;
    }
    let inherited = Environment::default();
    let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };
    let plain = EnvFile::parse(&without.text, &scope).ok()?;
    plain.get(&entry.key).and_then(|plain| compare(&without.text, plain))
}

/// Runs the second reader on a text without references.
fn compare(text: &[u8], entry: &EnvEntry) -> Option<Difference> {
    let mut entries = dotenvy::from_read_iter(text);
    match (entries.next(), entries.next()) {
        (Some(Err(_)), _) | (_, Some(Err(_))) => Some(Difference::Refuses),
        (Some(Ok((key, value))), None) if key == entry.key && value.as_bytes() == entry.value.reveal() => None,
        (Some(Ok(_)) | None, _) => Some(Difference::ReadsAnotherValue),
    }
}

/// The quote that the value of an entry begins with.
fn quote(text: &[u8]) -> Option<u8> {
    let separator = memchr::memchr2(b'=', b':', text)?;
    let first = text.get(separator + 1..)?.trim_ascii_start().first().copied();
    first.filter(|byte| matches!(byte, b'\'' | b'"'))
}

/// A text without its `$…`, and how the strict reader treats those.
struct WithoutReferences {
    text: Vec<u8>,
    difference: Option<Difference>,
}

/// Takes the place of each `$…`: a plain word for both readers.
const WORD: u8 = b'x';

impl WithoutReferences {
    /// Both expand `${NAME}`, and `\$` in double quotes is a dollar to both. We keep any other `$`; the strict reader
    /// treats it and the letters after it as a reference, and a double quote right after them as text.
    fn of(text: &[u8], double: bool) -> Self {
        let mut without = Self { text: Vec::with_capacity(text.len()), difference: None };
        let mut rest = text;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after.first()) {
                (b'\\', Some(b'$')) => {
                    rest = after.get(1..).unwrap_or_default();
                    without.replace_reference(if double { None } else { Some(Difference::ReadsAnotherValue) });
                }
                (b'\\', Some(escaped)) => {
                    without.text.extend_from_slice(&[b'\\', *escaped]);
                    rest = after.get(1..).unwrap_or_default();
                }
                (b'$', Some(b'{')) => {
                    let name = after.get(1..).unwrap_or_default();
                    let Some(end) = memchr::memchr(b'}', name) else {
                        without.replace_reference(Some(Difference::Refuses));
                        continue;
                    };
                    let (name, closed) = name.split_at_checked(end).unwrap_or_default();
                    rest = closed.get(1..).unwrap_or_default();
                    without.replace_reference(if is_env_key(name) {
                        None
                    } else {
                        Some(Difference::ReadsAnotherValue)
                    });
                }
                (b'$', _) => {
                    let letters = after.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                    rest = after.get(letters..).unwrap_or_default();
                    let swallows = double && rest.first() == Some(&b'"');
                    let difference = if swallows { Difference::Refuses } else { Difference::ReadsAnotherValue };
                    without.replace_reference(Some(difference));
                }
                _ => without.text.push(*byte),
            }
        }
        without
    }

    /// Only the first difference is reported: one is enough to fix the line.
    fn replace_reference(&mut self, difference: Option<Difference>) {
        self.text.push(WORD);
        self.difference = self.difference.or(difference);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(text: &str) -> Vec<EnvEntry> {
        let inherited = Environment::default();
        let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };
        EnvFile::parse(text.as_bytes(), &scope).map_or_else(|_| Vec::new(), |file| file.entries().to_vec())
    }

    fn differences(text: &str) -> Vec<Option<Difference>> {
        entries(text).iter().map(|entry| difference(text.as_bytes(), entry)).collect()
    }

    const REFUSES: Option<Difference> = Some(Difference::Refuses);
    const OTHER: Option<Difference> = Some(Difference::ReadsAnotherValue);

    #[test]
    fn s2_8_entries_that_both_readers_read_alike_have_no_note() {
        assert_eq!(
            differences("A=1\nexport B='x y'\nC=\"a\\nb\"\nD=\nE='$F'\nG=${A}\nH=\"\\$x\"\nI=1 # c\n"),
            [None; 8]
        );
    }

    #[test]
    fn s2_8_an_entry_that_the_strict_reader_refuses_is_reported() {
        for text in ["A=two words\n", "A: b\n", "A-B=1\n", "A=it's\n", "A=\"x$y\"\n", "A=`x y`\n", "1A=x\n"] {
            assert_eq!(differences(text), [REFUSES], "{text}");
        }
    }

    #[test]
    fn s2_8_an_entry_that_the_strict_reader_reads_differently_is_reported() {
        for text in ["A=pa$sword\n", "A=1$\n", "A=${B:-c}\n", "A=`x`\n", "A=\"a $b c\"\n", "A=a\\$b\n", "A='x'y\n"] {
            let found = differences(text);
            assert!(found.iter().all(|difference| *difference == OTHER), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_reference_does_not_hide_another_difference() {
        assert_eq!(differences("A=two ${WORDS}\n"), [REFUSES]);
    }

    proptest! {
        // Each case reads a file twice.
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(50_000), ..ProptestConfig::default() })]
        #[test]
        fn every_reader_agrees_on_the_syntax_of_the_hint(literal in "([a-c .\\\\\"$#{}é]{0,6}[a-c .\"$#{}é])?", plain in "[a-c .'#é]{0,6}") {
            let text = format!("OTHER=1\nA='{literal}'\nB=\"{plain}${{OTHER}}{plain}\"\n");

            let read = entries(&text);
            prop_assert_eq!(read[1].value.reveal(), literal.as_bytes());
            let expanded = format!("{plain}1{plain}");
            prop_assert_eq!(read[2].value.reveal(), expanded.as_bytes());
            prop_assert_eq!(differences(&text), [None; 3]);
        }
    }

    proptest! {
        /// The rules predict what the reader does with references to unset variables. So names begin with a digit: no
        /// shell exports such a variable, and the reader would expand one from the environment of the tests.
        #[test]
        fn the_rules_agree_with_the_reader(value in "[\"'`]?[a-c .\\\\]{0,3}([$]([{]?([0-9][A-Z]?)?(:-d)?[}]?)|\\\\[$])?[0-2 ]{0,2}[\"'`]?") {
            let text = format!("KEY={value}\n");
            for entry in entries(&text) {
                let run = compare(text.trim_end_matches('\n').as_bytes(), &entry);
                let found = difference(text.as_bytes(), &entry);
                // A bare `$` can also swallow a quote or a blank. If there are two differences, the rules may report
                // the other.
                let alike = if text.contains('$') { found.is_some() == run.is_some() } else { found == run };
                prop_assert!(alike, "{:?}: {:?} and {:?}", text, found, run);
            }
        }

        #[test]
        fn any_text_is_compared_without_a_panic(text in "([A-B]{1,2}=)?[\"'`a-b$ \\\\{}#\r\n\u{e9}]{0,24}") {
            let _ = differences(&text);
        }
    }
}
