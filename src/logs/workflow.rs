//! Keeps what dynos write from being obeyed by GitHub's runner, which reads the log of a job for commands.
//!
//! It reads stdout and stderr line by line, where a bare CR ends a line too, and knows two kinds of commands:
//! `::name key=value::text` at the start of a line, blanks before it not counted, and `##[name]text` anywhere in it. It
//! compares by the rules of a language, to which some characters count for nothing; so all but ASCII counts for nothing
//! here. Control characters have to be gone before (`printable`), and then the mark is broken up by a blank. The runner's
//! own `::stop-commands::` would not do: the command of a smoke may annotate its failures while the dynos write.

use std::borrow::Cow;

use memchr::memmem;

/// Whether lines have to be looked at one by one.
pub(super) fn may_hold_command(lines: &[u8]) -> bool {
    !lines.is_ascii() || ["##[", "::"].iter().any(|mark| memmem::find(lines, mark.as_bytes()).is_some())
}

/// A printable line as text that is no command. `prefixed`: something stands before it.
#[must_use]
pub fn defuse(line: &str, prefixed: bool) -> Cow<'_, str> {
    let mut breaks: Vec<usize> = marks(line.as_bytes()).map(|mark| mark.bracket).collect();
    if !prefixed && let Some(at) = second_colon(line) {
        breaks.insert(0, at);
    }
    if breaks.is_empty() {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len() + breaks.len());
    let mut rest = line;
    let mut taken = 0;
    for at in breaks {
        let (before, behind) = rest.split_at_checked(at - taken).unwrap_or((rest, ""));
        text.extend([before, " "]);
        (rest, taken) = (behind, at);
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The same for JSON from `start` on: the mark can stand in strings only, where an escape means the same.
pub(super) fn defuse_json(json: &mut Vec<u8>, start: usize) {
    let fresh = json.get(start..).unwrap_or_default();
    let hashes: Vec<usize> = marks(fresh).map(|mark| mark.hash).collect();
    for at in hashes.into_iter().rev() {
        json.splice(start + at..=start + at, *b"\\u0023");
    }
}

/// Where a `##[` ends.
struct Mark {
    /// Its second `#`.
    hash: usize,
    bracket: usize,
}

fn marks(text: &[u8]) -> impl Iterator<Item = Mark> {
    let mut before = [(0, 0); 2];
    let ascii = text.iter().enumerate().filter(|(_, byte)| byte.is_ascii());
    ascii.filter_map(move |(at, &byte)| {
        let [first, second] = before;
        before = [second, (at, byte)];
        ((first.1, second.1, byte) == (b'#', b'#', b'[')).then_some(Mark { hash: second.0, bracket: at })
    })
}

/// Where the second of two colons is that a line begins with.
fn second_colon(line: &str) -> Option<usize> {
    let mut letters = line.char_indices().filter(|(_, letter)| letter.is_ascii());
    letters.find(|(_, letter)| !letter.is_whitespace()).filter(|(_, letter)| *letter == ':')?;
    letters.next().filter(|(_, letter)| *letter == ':').map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_mark_is_broken_up_where_the_runner_would_see_it() {
        assert_eq!(defuse("a ##[error]b ###[group]", true), "a ## [error]b ### [group]");
        assert_eq!(defuse("::error::a", true), "::error::a");
        assert_eq!(defuse("\u{a0}\t ::error::a", false), "\u{a0}\t : :error::a");
        assert_eq!(defuse("a ::error::a #[x] ## [", false), "a ::error::a #[x] ## [");
        assert_eq!(defuse(": :a", false), ": :a");
        assert_eq!(defuse(" ::stop-commands::##[x]", false), " : :stop-commands::## [x]");
    }

    // A soft hyphen and a zero-width joiner count for nothing in a comparison by the rules of a language.
    #[test]
    fn a_mark_with_letters_in_it_that_count_for_nothing_is_one() {
        assert_eq!(defuse("#\u{ad}#\u{200d}[x]", true), "#\u{ad}#\u{200d} [x]");
        assert_eq!(defuse("\u{feff}:\u{ad}:error::a", false), "\u{feff}:\u{ad} :error::a");
        assert!(may_hold_command("#\u{ad}#[x]".as_bytes()));
    }

    #[test]
    fn in_json_the_value_stays_the_same() {
        let mut json = "##[old]{\"message\":\"##[a]###[b] ::c::#\u{ad}#\u{ad}[\"}".as_bytes().to_vec();

        defuse_json(&mut json, 7);

        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, "##[old]{\"message\":\"#\\u0023[a]##\\u0023[b] ::c::#\u{ad}\\u0023\u{ad}[\"}");
        let value: Value = serde_json::from_str(&json[7..]).unwrap();
        assert_eq!(value["message"], "##[a]###[b] ::c::#\u{ad}#\u{ad}[");
    }

    /// Whether the runner takes a line for a command, whatever counts for nothing to it.
    fn is_command(line: &str) -> bool {
        let ascii: String = line.trim_start().chars().filter(char::is_ascii).collect();
        ascii.trim_start().starts_with("::") || ascii.contains("##[")
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_line_is_a_command_and_only_blanks_are_added(line in "([:#\\[\\] ]|##\\[|::|\u{ad}|error|\\PC){0,20}") {
            let shown = defuse(&line, false);

            prop_assert!(!is_command(&shown), "{:?}", shown);
            prop_assert_eq!(shown.replace(' ', ""), line.replace(' ', ""));
            let prefixed = "web.1 | ".to_owned() + &defuse(&line, true);
            prop_assert!(!is_command(&prefixed), "{:?}", prefixed);
            prop_assert!(may_hold_command(line.as_bytes()) || shown == line);
        }
    }
}
