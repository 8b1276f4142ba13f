//! Where a strict reader of `.env` differs from ours (S2.8).
//!
//! The second reader is `dotenvy`. It gets each entry's own text, and never a reference in it: that would be expanded
//! from the environment of this process. What it says of an error is never shown, since that holds the value.

use std::fmt;

use crate::app::{EnvEntry, EnvFile, EnvScope, Environment, is_env_key};

/// How it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// It stops with an error, and reads nothing after this entry either.
    Refuses,
    /// It gives the variable another value, or another variable.
    ReadsAnotherValue,
}

/// What to write so that every reader agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    /// `K: v` is no assignment elsewhere.
    equals_sign: bool,
    rest: Rest,
}

/// What to write besides the equals sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    AnotherName,
    Utf8,
    SingleQuotes,
    /// A `'` cannot stand in single quotes, nor can a backslash before the closing one.
    DoubleQuotes,
    /// In single quotes a reference is none.
    DoubleQuotesForReferences,
    NoDefault,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = match self.rest {
            Rest::Nothing => return f.write_str("write `=` in place of the colon, and every reader agrees"),
            Rest::AnotherName => "rename the variable: A-Z a-z 0-9 _ and no digit first",
            Rest::Utf8 => "save the file as UTF-8",
            Rest::SingleQuotes => "put the value in single quotes, and every reader agrees",
            Rest::DoubleQuotes => {
                "put the value in double quotes, with a backslash before each `\"`, `\\` and `$` in it"
            }
            Rest::DoubleQuotesForReferences => {
                "put the value in double quotes, with a backslash before each `\"`, `\\` and `$` in it, except that of \
                 `${NAME}`"
            }
            Rest::NoDefault => "give the default on a line above: elsewhere only `${NAME}` is read",
        };
        if self.equals_sign {
            f.write_str("write `=` in place of the colon, and ")?;
        }
        f.write_str(rest)
    }
}

/// What to do about a difference. `file`: the whole text the entry stands in.
pub(super) fn advice(file: &[u8], entry: &EnvEntry) -> Advice {
    let text = file.get(entry.span.clone()).unwrap_or_default();
    let (separator, value) = separator_and_value(text);
    let equals_sign = separator == Some(b':');
    let with_equals_sign = [entry.key.as_bytes(), b"=", value].concat();
    let rest = if !is_strict_name(entry.key.as_bytes()) {
        Rest::AnotherName
    } else if equals_sign && difference_of(&with_equals_sign, entry).is_none() {
        Rest::Nothing
    } else if std::str::from_utf8(text).is_err() {
        Rest::Utf8
    } else {
        quotes_for(value, entry)
    };
    Advice { equals_sign, rest }
}

/// How a value is to be quoted, given its text and what we read from it.
fn quotes_for(value: &[u8], entry: &EnvEntry) -> Rest {
    let verbatim = matches!(quote(value), Some(b'\'' | b'`'));
    let mut references = memchr::memmem::find_iter(value, b"${").filter_map(|at| {
        let name = value.get(at + 2..)?;
        let (name, _) = name.split_at_checked(memchr::memchr(b'}', name)?)?;
        Some(name)
    });
    let mut has_reference = false;
    let has_default = !verbatim
        && references.any(|name| {
            has_reference |= is_env_key(name);
            memchr::memmem::find(name, b":-").is_some_and(|at| name.get(..at).is_some_and(is_env_key))
        });
    if has_default {
        Rest::NoDefault
    } else if has_reference {
        Rest::DoubleQuotesForReferences
    } else if entry.value.reveal().contains(&b'\'') || entry.value.reveal().ends_with(b"\\") {
        Rest::DoubleQuotes
    } else {
        Rest::SingleQuotes
    }
}

fn is_strict_name(key: &[u8]) -> bool {
    let begins = key.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
    begins && key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// Compares one entry. `file`: the whole text it stands in.
pub(super) fn difference(file: &[u8], entry: &EnvEntry) -> Option<Difference> {
    difference_of(file.get(entry.span.clone())?, entry)
}

fn difference_of(text: &[u8], entry: &EnvEntry) -> Option<Difference> {
    let (_, value) = separator_and_value(text);
    if memchr::memchr(b'$', text).is_none() || quote(value) == Some(b'\'') {
        return compare(text, entry);
    }
    // Read by both with a word in place of each `$…`; what becomes of the `$…` themselves is known by rule.
    let judged = Judged::of(text, quote(value) == Some(b'"'));
    if judged.difference.is_some() {
        return judged.difference;
    }
    let inherited = Environment::default();
    let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };
    let plain = EnvFile::parse(&judged.text, &scope).ok()?;
    plain.get(&entry.key).and_then(|plain| compare(&judged.text, plain))
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

/// What stands between key and value, and the value without blanks before it.
fn separator_and_value(text: &[u8]) -> (Option<u8>, &[u8]) {
    let at = memchr::memchr2(b'=', b':', text);
    let separator = at.and_then(|at| text.get(at).copied());
    (separator, at.and_then(|at| text.get(at + 1..)).unwrap_or_default().trim_ascii_start())
}

/// The quote that a value begins with.
fn quote(value: &[u8]) -> Option<u8> {
    value.first().copied().filter(|byte| matches!(byte, b'\'' | b'"' | b'`'))
}

/// A text without its `$…`, and how those are read otherwise.
struct Judged {
    text: Vec<u8>,
    difference: Option<Difference>,
}

/// What stands for each `$…`: plain to both readers.
const WORD: u8 = b'x';

impl Judged {
    /// Both expand `${NAME}`, and `\$` in double quotes is a dollar to both. We keep any other `$`; the strict reader
    /// takes it and the letters after it for a reference, and a double quote that follows at once for text.
    fn of(text: &[u8], double: bool) -> Self {
        let mut judged = Self { text: Vec::with_capacity(text.len()), difference: None };
        let mut rest = text;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after.first()) {
                (b'\\', Some(b'$')) => {
                    rest = after.get(1..).unwrap_or_default();
                    judged.put(if double { None } else { Some(Difference::ReadsAnotherValue) });
                }
                (b'\\', Some(escaped)) => {
                    judged.text.extend_from_slice(&[b'\\', *escaped]);
                    rest = after.get(1..).unwrap_or_default();
                }
                (b'$', Some(b'{')) => {
                    let name = after.get(1..).unwrap_or_default();
                    let Some(end) = memchr::memchr(b'}', name) else {
                        judged.put(Some(Difference::Refuses));
                        continue;
                    };
                    let (name, closed) = name.split_at_checked(end).unwrap_or_default();
                    rest = closed.get(1..).unwrap_or_default();
                    judged.put(if is_env_key(name) { None } else { Some(Difference::ReadsAnotherValue) });
                }
                (b'$', _) => {
                    let letters = after.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                    rest = after.get(letters..).unwrap_or_default();
                    let swallows = double && rest.first() == Some(&b'"');
                    let difference = if swallows { Difference::Refuses } else { Difference::ReadsAnotherValue };
                    judged.put(Some(difference));
                }
                _ => judged.text.push(*byte),
            }
        }
        judged
    }

    /// The first difference is what is told: one is enough to mend the line.
    fn put(&mut self, difference: Option<Difference>) {
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
    fn s2_8_what_both_read_alike_is_not_mentioned() {
        assert_eq!(
            differences("A=1\nexport B='x y'\nC=\"a\\nb\"\nD=\nE='$F'\nG=${A}\nH=\"\\$x\"\nI=1 # c\n"),
            [None; 8]
        );
    }

    #[test]
    fn s2_8_what_it_refuses() {
        for text in ["A=two words\n", "A: b\n", "A-B=1\n", "A=it's\n", "A=\"x$y\"\n", "A=`x y`\n", "1A=x\n"] {
            assert_eq!(differences(text), [REFUSES], "{text}");
        }
    }

    #[test]
    fn s2_8_what_it_reads_otherwise() {
        for text in ["A=pa$sword\n", "A=1$\n", "A=${B:-c}\n", "A=`x`\n", "A=\"a $b c\"\n", "A=a\\$b\n", "A='x'y\n"] {
            let found = differences(text);
            assert!(found.iter().all(|difference| *difference == OTHER), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_reference_does_not_hide_what_else_is_refused() {
        assert_eq!(differences("A=two ${WORDS}\n"), [REFUSES]);
    }

    #[test]
    fn s2_8_what_to_do_about_it_depends_on_the_cause() {
        let quotes = "put the value in double quotes, with a backslash before each `\"`, `\\` and `$` in it";
        for (text, hint) in [
            ("A-B=1\n", "rename the variable: A-Z a-z 0-9 _ and no digit first"),
            ("1A='x'\n", "rename the variable: A-Z a-z 0-9 _ and no digit first"),
            ("A: b\n", "write `=` in place of the colon, and every reader agrees"),
            (
                "A: b c\n",
                "write `=` in place of the colon, and put the value in single quotes, and every reader agrees",
            ),
            ("A=two words\n", "put the value in single quotes, and every reader agrees"),
            ("A=`x y`\n", "put the value in single quotes, and every reader agrees"),
            ("A=pa$sword\n", "put the value in single quotes, and every reader agrees"),
            ("A=it's\n", quotes),
            ("A=two ${B}\n", &format!("{quotes}, except that of `${{NAME}}`")),
            ("A=${B:-c}\n", "give the default on a line above: elsewhere only `${NAME}` is read"),
        ] {
            let entry = entries(text).remove(0);
            assert!(difference(text.as_bytes(), &entry).is_some(), "{text}");
            assert_eq!(advice(text.as_bytes(), &entry).to_string(), hint, "{text}");
        }
    }

    /// The entry as the advice says; None where it is about another line.
    fn followed(text: &str, entry: &EnvEntry, advice: Advice) -> Option<String> {
        let value = std::str::from_utf8(entry.value.reveal()).unwrap();
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
        match advice.rest {
            Rest::Nothing => Some(text.replacen(':', "=", 1)),
            Rest::SingleQuotes => Some(format!("KEY='{value}'\n")),
            Rest::DoubleQuotes => Some(format!("KEY=\"{}\"\n", escaped(value))),
            Rest::AnotherName | Rest::Utf8 | Rest::DoubleQuotesForReferences | Rest::NoDefault => None,
        }
    }

    proptest! {
        #[test]
        fn every_reader_agrees_once_the_advice_is_followed(text in "KEY(=|: )[\"'`]?[a-c .\\\\'\"$#é]{0,6}(\\$\\{B?)?[0-2 ]{0,2}[\"'`]?\n") {
            for entry in entries(&text).iter().filter(|entry| difference(text.as_bytes(), entry).is_some()) {
                let Some(mended) = followed(&text, entry, advice(text.as_bytes(), entry)) else { continue };
                let read = entries(&mended);
                prop_assert_eq!(read.iter().map(|read| &read.value).collect::<Vec<_>>(), [&entry.value], "{:?} {:?}", text, mended);
                prop_assert_eq!(difference(mended.as_bytes(), &read[0]), None, "{:?} {:?}", text, mended);
            }
        }

        /// The rule says of references what the reader really does where they name nothing. So names begin with a digit:
        /// no shell hands down such a variable, and the reader takes what it finds in the environment of the tests.
        #[test]
        fn the_rule_agrees_with_the_reader(value in "[\"'`]?[a-c .\\\\]{0,3}([$]([{]?([0-9][A-Z]?)?(:-d)?[}]?)|\\\\[$])?[0-2 ]{0,2}[\"'`]?") {
            let text = format!("KEY={value}\n");
            for entry in entries(&text) {
                let run = compare(text.trim_end_matches('\n').as_bytes(), &entry);
                let found = difference(text.as_bytes(), &entry);
                // A bare `$` may also undo a quote or a blank, so of two differences the rule may name the other one.
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
