//! What of a command line is given to `/bin/sh -c`: as it is, or as `exec LINE` (S1.6).
//!
//! `exec` makes the server itself the dyno's leader: its pid, signals and status are the server's own. It is only
//! put before one simple command for which the shell does the same with and without it. In doubt the line stays
//! as it is; that is always right, only less tidy. Nothing is expanded here.

use super::source_text::is_blank;

/// What `/bin/sh -c` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellLine {
    /// The line, with `exec ` before it where that is safe.
    pub line: Vec<u8>,
    /// Whether the shell stays the leader of the dyno's process group.
    pub own_shell: bool,
}

/// Why words cannot be appended to a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The words would become part of the comment.
    #[error("the command ends in a comment, which would swallow the arguments")]
    Comment,
    /// A quote is open or the last character is a backslash.
    #[error("the command ends inside a quote or in a backslash")]
    Unfinished,
}

impl AppendError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Comment => "put the comment on a line of its own in the Procfile",
            Self::Unfinished => "mend the command in the Procfile",
        }
    }
}

/// Words the shell reads itself, and commands that are part of a shell we may meet as `/bin/sh` (dash, bash,
/// busybox, ksh): `exec` would look for a program of that name. Sorted.
const SHELL_WORDS: &[&str] = &[
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "alias",
    "autoload",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "float",
    "for",
    "function",
    "functions",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "integer",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "nameref",
    "namespace",
    "newgrp",
    "popd",
    "print",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "rename",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "whence",
    "while",
];

/// Puts `exec ` before a command line if it is one simple command.
#[must_use]
pub fn shell_line(command_line: &[u8]) -> ShellLine {
    let scan = Scan::of(command_line);
    if scan.is_exec() {
        return ShellLine { line: command_line.to_vec(), own_shell: false };
    }
    if !scan.may_be_executed() {
        return ShellLine { line: command_line.to_vec(), own_shell: true };
    }
    let mut line = b"exec ".to_vec();
    line.extend_from_slice(command_line);
    ShellLine { line, own_shell: false }
}

/// A command line with further words, each quoted: nothing in them is expanded (S9.2).
///
/// # Errors
/// [`AppendError`] if the words would not be arguments of the command.
pub fn append_words(command_line: &[u8], words: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, AppendError> {
    let mut line = command_line.to_vec();
    if words.is_empty() {
        return Ok(line);
    }
    let scan = Scan::of(command_line);
    if scan.comment {
        return Err(AppendError::Comment);
    }
    if scan.unfinished {
        return Err(AppendError::Unfinished);
    }
    for word in words {
        line.push(b' ');
        line.extend_from_slice(&quote_word(word.as_ref()));
    }
    Ok(line)
}

/// Several words as one shell line that has exactly these words (S9.1).
#[must_use]
pub fn join_words(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    words.iter().map(|word| quote_word(word.as_ref())).collect::<Vec<_>>().join(&b' ')
}

/// A word as the shell must read it to get the same bytes; quoted only where needed.
#[must_use]
pub fn quote_word(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,@%+".contains(byte);
    if !word.is_empty() && word.iter().all(plain) && !is_shell_word(word) {
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

/// A word as far as it is known before the shell expands it.
#[derive(Debug, Default)]
struct Word {
    /// Its bytes without the quotes.
    literal: Vec<u8>,
    /// Whether it holds `$`, a glob or a tilde alone: only the shell knows what it becomes.
    expands: bool,
}

/// What surrounds the byte that is looked at; nothing means the line itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    DoubleQuotes,
    Parentheses,
}

/// One pass over a command line.
#[derive(Debug)]
struct Scan<'a> {
    line: &'a [u8],
    at: usize,
    /// Explicit, not recursive: a line of megabytes of `"$("$(` must not end the stack.
    inside: Vec<Inside>,
    /// The first words; more are not kept.
    words: Vec<Word>,
    word: Option<Word>,
    /// Whether something was found that one simple command does not have.
    compound: bool,
    comment: bool,
    unfinished: bool,
}

impl<'a> Scan<'a> {
    /// Words that are kept: `exec` and the one after it.
    const KEPT_WORDS: usize = 2;

    fn of(line: &'a [u8]) -> Self {
        let mut scan = Self {
            line,
            at: 0,
            inside: Vec::new(),
            words: Vec::new(),
            word: None,
            compound: false,
            comment: false,
            unfinished: false,
        };
        while let Some(byte) = scan.next() {
            match scan.inside.last() {
                Some(Inside::DoubleQuotes) => scan.in_double_quotes(byte),
                Some(Inside::Parentheses) | None => scan.unquoted(byte),
            }
        }
        scan.end_word();
        scan.unfinished |= !scan.inside.is_empty();
        scan
    }

    /// Whether `exec` may be put before it.
    fn may_be_executed(&self) -> bool {
        let Some(first) = self.words.first() else { return false };
        let named = !first.expands && !first.literal.is_empty() && !first.literal.starts_with(b"-");
        self.is_simple() && named && !is_shell_word(&first.literal) && !is_assignment(&first.literal)
    }

    /// Whether the user wrote `exec` himself, without options.
    fn is_exec(&self) -> bool {
        let mut words = self.words.iter();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
        self.is_simple() && !first.expands && first.literal == b"exec" && !second.literal.starts_with(b"-")
    }

    fn is_simple(&self) -> bool {
        !self.compound && !self.unfinished && !self.line.contains(&0)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn literal(&mut self, byte: u8) {
        let kept = self.words.len() < Self::KEPT_WORDS;
        let word = self.word();
        if kept {
            word.literal.push(byte);
        }
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && self.words.len() < Self::KEPT_WORDS
        {
            self.words.push(word);
        }
    }

    fn unquoted(&mut self, byte: u8) {
        match byte {
            _ if is_blank(byte) => self.end_word(),
            b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => self.operator(byte),
            b'#' if self.word.is_none() => {
                self.comment = true;
                let rest = self.line.get(self.at..).unwrap_or_default();
                self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            b'\'' => self.single_quotes(),
            b'"' => {
                self.word();
                self.inside.push(Inside::DoubleQuotes);
            }
            b'\\' => match self.next() {
                Some(escaped) => {
                    self.compound |= escaped == b'\n';
                    self.literal(escaped);
                }
                None => self.unfinished = true,
            },
            b'$' => self.dollar(),
            b'{' | b'}' | b'!' | b'`' => {
                self.compound = true;
                self.literal(byte);
            }
            b'*' | b'?' | b'[' => {
                // `[` alone is a command, and one with a glob in its name is left to the shell anyway.
                self.word().expands = true;
                self.literal(byte);
            }
            // `~/bin/x` has a slash whatever the home is, so it is no builtin; `~x` may become anything.
            b'~' if self.word.is_none() && self.peek() != Some(b'/') => {
                self.word().expands = true;
                self.literal(byte);
            }
            _ => self.literal(byte),
        }
    }

    fn operator(&mut self, byte: u8) {
        self.compound = true;
        self.end_word();
        if byte == b'(' {
            self.inside.push(Inside::Parentheses);
        } else if byte == b')' && self.inside.last() == Some(&Inside::Parentheses) {
            self.inside.pop();
            // `$(a)#b` goes on as one word: what follows is no comment.
            self.word();
        }
    }

    fn single_quotes(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\'', rest) else {
            self.unfinished = true;
            self.at = self.line.len();
            return;
        };
        let quoted = rest.get(..length).unwrap_or_default();
        self.compound |= quoted.contains(&b'\n');
        self.word();
        for byte in quoted {
            self.literal(*byte);
        }
        self.at += length + 1;
    }

    fn in_double_quotes(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.inside.pop();
            }
            b'\\' => {
                let escaped = self.next();
                self.compound |= escaped == Some(b'\n');
                if !matches!(escaped, Some(b'$' | b'`' | b'"' | b'\\')) {
                    self.literal(byte);
                }
                if let Some(escaped) = escaped {
                    self.literal(escaped);
                }
            }
            b'$' => self.dollar(),
            b'`' | b'\n' => {
                self.compound = true;
                self.literal(byte);
            }
            _ => self.literal(byte),
        }
    }

    /// After a `$`: a variable is fine, a command substitution is not.
    fn dollar(&mut self) {
        self.word().expands = true;
        let quoted = self.inside.last() == Some(&Inside::DoubleQuotes);
        match self.peek() {
            Some(b'(') => {
                self.at += 1;
                self.compound = true;
                self.inside.push(Inside::Parentheses);
                self.end_word();
            }
            Some(b'{') => match self.braces(quoted) {
                Some(length) => self.at += length,
                None => self.compound = true,
            },
            // `$'…'` and `$"…"` are read in one way by bash and in another by dash.
            Some(b'\'' | b'"') if !quoted => self.compound = true,
            _ => {}
        }
    }

    /// Length of `{NAME:-word}` with both braces, if nothing in it is quoted in ways shells differ on or nested.
    fn braces(&self, in_double_quotes: bool) -> Option<usize> {
        let rest = self.line.get(self.at + 1..).unwrap_or_default();
        let mut quoted = false;
        for (length, byte) in rest.iter().enumerate() {
            match byte {
                b'}' if quoted => return None,
                b'}' => return Some(length + 2),
                b'"' if !in_double_quotes => quoted = !quoted,
                b'"' | b'\'' | b'`' | b'\\' | b'\n' | b'(' | b')' | b'{' | b';' | b'&' | b'|' | b'<' | b'>' | b'!' => {
                    return None;
                }
                _ => {}
            }
        }
        None
    }
}

fn is_shell_word(word: &[u8]) -> bool {
    SHELL_WORDS.binary_search_by(|known| known.as_bytes().cmp(word)).is_ok() || word.starts_with(b"%")
}

/// `NAME=…` or `NAME+=…`.
fn is_assignment(word: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', word) else { return false };
    let name = word.get(..equals).unwrap_or_default();
    let name = name.strip_suffix(b"+").unwrap_or(name);
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_executed(line: &str) -> bool {
        let given = shell_line(line.as_bytes());
        assert_eq!(given.line.starts_with(b"exec "), !given.own_shell, "{line}");
        !given.own_shell
    }

    #[test]
    fn one_simple_command_is_executed() {
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
            assert!(is_executed(line), "{line}");
        }
    }

    #[test]
    fn anything_else_stays_with_the_shell() {
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
            assert!(!is_executed(line), "{line}");
        }
    }

    #[test]
    fn reserved_words_and_builtins_stay_with_the_shell_even_quoted() {
        for word in ["if", "while", "time", "cd", ".", "source", "export", "test", "[", "[[", "echo", ":", "eval"] {
            assert!(!is_executed(&format!("{word} x")), "{word}");
            assert!(!is_executed(&format!("'{word}' x")), "{word}");
        }
        assert!(!is_executed("\\cd x"));
    }

    #[test]
    fn the_list_of_shell_words_is_sorted_for_the_search() {
        assert!(SHELL_WORDS.is_sorted());
    }

    #[test]
    fn a_command_that_begins_with_exec_is_not_given_a_second_one() {
        let given = shell_line(b"exec node server.js");

        assert_eq!(given, ShellLine { line: b"exec node server.js".to_vec(), own_shell: false });
        assert!(shell_line(b"exec -a name node").own_shell);
        assert!(shell_line(b"exec").own_shell);
        assert!(shell_line(b"exec a && b").own_shell);
    }

    #[test]
    fn words_are_appended_quoted() {
        let line = append_words(b"rake work", &["42", "a b", "it's", "$X"]);

        assert_eq!(line, Ok(br"rake work 42 'a b' 'it'\''s' '$X'".to_vec()));
    }

    #[test]
    fn words_are_not_appended_to_a_comment_or_an_open_quote() {
        assert_eq!(append_words(b"rake work # now", &["42"]), Err(AppendError::Comment));
        assert_eq!(append_words(b"rake 'work", &["42"]), Err(AppendError::Unfinished));
        assert_eq!(append_words(b"rake work \\", &["42"]), Err(AppendError::Unfinished));
        assert!(append_words(b"rake a#b \"$(x '#' # y\n)\"${#X}", &["42"]).is_err());
        assert!(append_words(b"rake a#b ${#X} '# c' \"$(x '#')\"#d", &["42"]).is_ok());
        assert!(append_words(b"rake work # now", &[] as &[&str]).is_ok());
    }

    proptest! {
        #[test]
        fn any_line_is_passed_on_whole(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let given = shell_line(&line);

            prop_assert!(given.line.ends_with(&line));
            prop_assert!(given.own_shell || given.line.starts_with(b"exec "));
        }

        #[test]
        fn any_line_of_shell_characters_is_read_to_its_end(line in "[a-c $\"'`\\\\(){}#;&|<>~*!=\n-]{0,60}") {
            let given = shell_line(line.as_bytes());

            prop_assert!(given.own_shell || !line.contains('\n'));
        }

        #[test]
        fn a_quoted_word_is_read_back_as_the_same_word(word in proptest::collection::vec(1_u8.., 0..40)) {
            let line = [b"command ".as_slice(), &quote_word(&word)].concat();

            let scan = Scan::of(&line);

            prop_assert_eq!(scan.words.len(), 2);
            prop_assert_eq!(&scan.words[1].literal, &word);
            prop_assert!(!scan.words[1].expands && !scan.comment && !scan.unfinished);
        }
    }
}
