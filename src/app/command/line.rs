//! Builds the line for `/bin/sh -c` from a command line: unchanged, or with `exec` or a space before it (S1.6).
//!
//! With `exec` the server itself becomes the leader of the dyno, so the dyno's pid, signals and status are those of the
//! server. `exec` is only added to a single simple command that behaves the same with and without it. In case of doubt
//! it is not added, which is always correct. Nothing is expanded here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::scan::Scan;
use super::shell_words::{is_plain, is_shell_word};

/// A line for `/bin/sh -c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShellLine<'a> {
    /// The line, with `exec ` before it if that is safe, or a space if it begins like an option.
    pub(crate) line: Vec<u8>,
    /// The command that the shell becomes. None: it stays.
    pub(crate) command: Option<&'a [u8]>,
    /// Whether the shell stays the leader of the dyno's process group.
    pub(crate) leads: bool,
}

/// Puts `exec ` before a command line if it is a single simple command, and a space before a line that the shell would
/// read as options.
pub(crate) fn shell_line(command_line: &[u8]) -> ShellLine<'_> {
    let scan = Scan::of(command_line);
    if scan.begins_with_exec() {
        // A quoted `exec` is left to the shell.
        let command = command_line.strip_prefix(b"exec");
        return ShellLine { line: command_line.to_vec(), command, leads: false };
    }
    if !scan.accepts_exec() {
        return ShellLine { line: guard_leading_dash(command_line), command: None, leads: true };
    }
    ShellLine { line: [b"exec ", command_line].concat(), command: Some(command_line), leads: false }
}

/// The program of a line that is run as `exec PROGRAM …`, without its quotes. None: the line is another one, or only the shell
/// knows the program.
#[must_use]
pub fn program_word(command_line: &[u8]) -> Option<Vec<u8>> {
    let scan = Scan::of(command_line);
    let has_exec = scan.begins_with_exec();
    let is_plain = has_exec || scan.accepts_exec();
    let word = scan.words.into_iter().nth(usize::from(has_exec));
    word.filter(|word| is_plain && !word.expands).map(|word| word.literal)
}

/// The first word that is used as a command and that bash has, but `/bin/sh` may not have.
#[must_use]
pub fn bash_word(command_line: &[u8]) -> Option<&'static str> {
    let mut begins_command = true;
    for word in command_line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        if let Some(found) = BASH_WORDS.iter().find(|known| begins_command && known.as_bytes() == word) {
            return Some(found);
        }
        let introduces = ["!", "{", "if", "then", "else", "elif", "while", "until", "do"];
        begins_command = word.ends_with(b";")
            || word.ends_with(b"&")
            || word.ends_with(b"|")
            || word.ends_with(b"(")
            || introduces.iter().any(|known| known.as_bytes() == word);
    }
    None
}

/// Builtins and reserved words of bash that a plain `sh`, such as dash, does not know.
const BASH_WORDS: [&str; 9] = ["source", "[[", "declare", "let", "mapfile", "popd", "pushd", "readarray", "shopt"];

/// Puts a space before a line that begins like an option, so that `sh -c` does not read it as one.
fn guard_leading_dash(command_line: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    if command_line.starts_with(b"-") || command_line.starts_with(b"+") {
        line.push(b' ');
    }
    line.extend_from_slice(command_line);
    line
}

/// Joins words into a shell line that consists of exactly these words (S9.1).
#[must_use]
pub fn join_words(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    words.iter().map(|word| quote_word(word.as_ref())).collect::<Vec<_>>().join(&b' ')
}

/// A line as a user would type it: words are quoted only if they would mean something else otherwise.
#[must_use]
pub fn shown_words(words: &[OsString]) -> String {
    // Unlike `quote_word`, this leaves `web=2` and reserved words after a command as they are.
    let shown = |word: &OsString| {
        let word = word.as_bytes();
        let plain = !word.is_empty() && word.iter().copied().all(is_plain) && !word.starts_with(b"=");
        if plain { word.to_vec() } else { quote_word(word) }
    };
    String::from_utf8_lossy(&words.iter().map(shown).collect::<Vec<_>>().join(&b' ')).into_owned()
}

/// Quotes a word for the shell, only if necessary.
#[must_use]
pub fn quote_word(word: &[u8]) -> Vec<u8> {
    if !word.is_empty() && word.iter().all(|byte| is_plain(*byte) && *byte != b'=') && !is_shell_word(word) {
        return word.to_vec();
    }
    let mut quoted = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            _ => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gets_exec(line: &str) -> bool {
        let result = shell_line(line.as_bytes());
        assert_eq!(result.line.starts_with(b"exec "), !result.leads, "{line}");
        !result.leads
    }

    #[test]
    fn s1_6_a_line_that_begins_like_an_option_gets_a_leading_space() {
        for line in ["-e echo x", "--foo; echo x", "-", "+x; y", "-x $A"] {
            assert_eq!(shell_line(line.as_bytes()).line, format!(" {line}").into_bytes(), "{line}");
        }
    }

    #[test]
    fn a_simple_command_gets_exec() {
        for line in [
            "npm start",
            "bundle exec puma -b \"ssl://0.0.0.0:$PORT?key=server.key&cert=server.crt\"",
            "gunicorn app:app --bind 0.0.0.0:${PORT:-5000} --workers $WEB_CONCURRENCY",
            "mongrel --port ${PORT:=\"3000\"} --name 'a;b|c'",
            "node server.js # the server; it's fine",
            "env QUEUE=* rake resque:work",
            "sh -c \"a & b\"",
            "python -c 'print(1)'",
            "~/bin/server",
            "./a=b",
            "grep \\; file",
            "\"./my server\" --x",
        ] {
            assert!(gets_exec(line), "{line}");
        }
    }

    #[test]
    fn other_command_lines_are_left_to_the_shell() {
        for line in [
            "cd app && npm start",
            "a; b",
            "a & b",
            "a | b",
            "a > log",
            "a < in",
            "(a)",
            "{ a; }",
            "! a",
            "a `b`",
            "a $(b)",
            "a \"$(b)\"",
            "a \"`b`\"",
            "a {x,y}",
            "a\nb",
            "a 'x\ny'",
            "PORT=3000 rails s",
            "X+=1 a",
            "$CMD x",
            "\"$HOME/bin/x\"",
            "./bin/*",
            "~deploy",
            "-a b",
            "\"\" b",
            "a 'b",
            "a \"b",
            "a \\",
            "a $'b'",
            "a $\"b\"",
            "a ${X:-$(b)}",
            "a ${X:-`b`}",
            "a ${!X}",
            "a ${X",
            "a \"${X:-\"b\"}\"",
            "# nothing",
            "",
            "%1",
        ] {
            assert!(!gets_exec(line), "{line}");
        }
    }

    #[test]
    fn reserved_words_and_builtins_are_left_to_the_shell_even_if_quoted() {
        for word in ["if", "while", "time", "cd", ".", "source", "export", "test", "[", "[[", "echo", ":", "eval"] {
            assert!(!gets_exec(&format!("{word} x")), "{word}");
            assert!(!gets_exec(&format!("'{word}' x")), "{word}");
        }
        assert!(!gets_exec("\\cd x"));
    }

    #[test]
    fn exec_is_not_added_twice() {
        let result = shell_line(b"exec node server.js");

        assert_eq!(
            result,
            ShellLine { line: b"exec node server.js".to_vec(), command: Some(b" node server.js"), leads: false }
        );
        assert!(shell_line(b"exec -a name node").leads);
        assert!(shell_line(b"exec").leads);
        assert!(shell_line(b"exec a && b").leads);
    }

    #[test]
    fn a_word_of_bash_is_found_where_a_command_begins() {
        for (line, word) in [
            ("source env.sh && ./web", "source"),
            ("cd app; [[ -f x ]] && ./web", "[["),
            ("if [[ -f x ]]; then ./web; fi", "[["),
        ] {
            assert_eq!(bash_word(line.as_bytes()), Some(word), "{line}");
        }
        for line in ["./web --source source", "cat <<< source", "echo [[ x ]]", ""] {
            assert_eq!(bash_word(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_passed_on_in_full(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let result = shell_line(&line);

            prop_assert!(result.line.ends_with(&line));
            prop_assert!(result.leads || result.line.starts_with(b"exec "));
        }

        #[test]
        fn any_line_with_a_newline_is_left_to_the_shell(line in "[a-c $\"'`\\\\(){}#;&|<>~*!=\n-]{0,60}") {
            let result = shell_line(line.as_bytes());

            prop_assert!(result.leads || !line.contains('\n'));
        }

        #[test]
        fn a_quoted_word_reads_back_as_the_same_word(word in proptest::collection::vec(1_u8.., 0..40)) {
            let line = [b"command ".as_slice(), &quote_word(&word)].concat();

            let scan = Scan::of(&line);

            prop_assert_eq!(scan.words.len(), 2);
            prop_assert_eq!(&scan.words[1].literal, &word);
            prop_assert!(!scan.words[1].expands && !scan.comment && !scan.is_unfinished());
        }
    }
}
