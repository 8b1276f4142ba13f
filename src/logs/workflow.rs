//! Keeps GitHub's runner, which looks for commands in the log of a job, from obeying the output of dynos (S19.6).
//!
//! The runner reads stdout and stderr line by line (a bare CR ends a line, too) and recognises two kinds of commands:
//! `::name key=value::text` at the start of a line, leading blanks ignored, and `##[name]text` anywhere in a line. Its
//! string comparison is culture-sensitive and ignores some characters, so everything but ASCII is ignored here. The
//! caller removes control characters first (`printable`); then a space is inserted into each command. The runner's own
//! `::stop-commands::` does not help: the command of a smoke test may annotate its failures while the dynos write.

use std::borrow::Cow;

use memchr::memmem;

/// Whether some line may contain a command. False means that all lines are safe.
pub(super) fn may_hold_command(lines: &[u8]) -> bool {
    !lines.is_ascii() || ["##[", "::"].iter().any(|mark| memmem::find(lines, mark.as_bytes()).is_some())
}

/// Breaks up the commands in a printable line. `prefixed`: the line gets a prefix, so it cannot begin with `::`.
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
    let mut done = 0;
    for at in breaks {
        let (before, after) = rest.split_at_checked(at - done).unwrap_or((rest, ""));
        text.extend([before, " "]);
        (rest, done) = (after, at);
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The same for JSON from `start` on. `##[` can occur only inside strings, where an escaped `#` has the same meaning.
pub(super) fn defuse_json(json: &mut Vec<u8>, start: usize) {
    let fresh = json.get(start..).unwrap_or_default();
    let hashes: Vec<usize> = marks(fresh).map(|mark| mark.hash).collect();
    for at in hashes.into_iter().rev() {
        json.splice(start + at..=start + at, *b"\\u0023");
    }
}

/// Positions within one `##[`.
struct Mark {
    /// Its second `#`.
    hash: usize,
    /// Its `[`.
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

/// Position of the second colon, if the line begins with `::`.
fn second_colon(line: &str) -> Option<usize> {
    let mut characters = line.char_indices().filter(|(_, character)| character.is_ascii());
    characters.find(|(_, character)| !character.is_whitespace()).filter(|(_, character)| *character == ':')?;
    characters.next().filter(|(_, character)| *character == ':').map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_command_is_broken_up_where_the_runner_would_see_it() {
        assert_eq!(defuse("a ##[error]b ###[group]", true), "a ## [error]b ### [group]");
        assert_eq!(defuse("::error::a", true), "::error::a");
        assert_eq!(defuse("\u{a0}\t ::error::a", false), "\u{a0}\t : :error::a");
        assert_eq!(defuse("a ::error::a #[x] ## [", false), "a ::error::a #[x] ## [");
        assert_eq!(defuse(": :a", false), ": :a");
        assert_eq!(defuse(" ::stop-commands::##[x]", false), " : :stop-commands::## [x]");
    }

    // A culture-sensitive comparison ignores characters such as a soft hyphen or a zero-width joiner.
    #[test]
    fn a_command_with_ignored_characters_inside_is_broken_up() {
        assert_eq!(defuse("#\u{ad}#\u{200d}[x]", true), "#\u{ad}#\u{200d} [x]");
        assert_eq!(defuse("\u{feff}:\u{ad}:error::a", false), "\u{feff}:\u{ad} :error::a");
        assert!(may_hold_command("#\u{ad}#[x]".as_bytes()));
    }

    #[test]
    fn in_json_the_value_is_unchanged() {
        let mut json = "##[old]{\"message\":\"##[a]###[b] ::c::#\u{ad}#\u{ad}[\"}".as_bytes().to_vec();

        defuse_json(&mut json, 7);

        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, "##[old]{\"message\":\"#\\u0023[a]##\\u0023[b] ::c::#\u{ad}\\u0023\u{ad}[\"}");
        let value: Value = serde_json::from_str(&json[7..]).unwrap();
        assert_eq!(value["message"], "##[a]###[b] ::c::#\u{ad}#\u{ad}[");
    }

    /// Whether the runner could mistake a line for a command, whichever characters it ignores.
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
