//! Appends the words after a process type to its command, or says why they would not be its arguments (S9.2).

use super::construct::Construct;
use super::ending::End;
use super::line::join_words;
use super::scan::Scan;

/// Why words cannot be appended to a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The words would become part of the comment.
    #[error("the command ends in a comment, which would swallow the arguments")]
    Comment,
    /// The words would become part of a quoted text or of another construct.
    #[error("the command has an unclosed {0}, which would swallow the arguments")]
    Unclosed(Construct),
    /// The last character would escape the blank before the words.
    #[error("the command ends in a backslash, which would change the first argument")]
    Backslash,
    /// The shell accepts no arguments there.
    #[error("the command ends in `{0}`, which takes no arguments")]
    Compound(&'static str),
    /// The words would be another command.
    #[error("the command ends in `{0}`, so the arguments would be a command of their own")]
    Operator(char),
}

impl AppendError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Comment => "move the comment to its own line",
            Self::Unclosed(construct) => construct.hint(),
            Self::Backslash => "remove the backslash",
            Self::Compound(_) => "move the command to a script that uses its arguments, and run the script",
            Self::Operator(_) => "remove it",
        }
    }
}

/// Appends words to a command line, quoted so that nothing in them is expanded (S9.2).
///
/// # Errors
/// [`AppendError`] if the words would not be arguments of the command.
pub fn append_words(command_line: &[u8], words: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, AppendError> {
    append_text(command_line, &join_words(words))
}

/// Appends the rest of a line to a command line. The shell reads it as it is.
///
/// # Errors
/// Like [`append_words`].
pub fn append_text(command_line: &[u8], text: &[u8]) -> Result<Vec<u8>, AppendError> {
    if text.is_empty() {
        return Ok(command_line.to_vec());
    }
    let scan = Scan::of(command_line);
    if scan.comment {
        return Err(AppendError::Comment);
    }
    if let Some(construct) = scan.unclosed() {
        return Err(AppendError::Unclosed(construct));
    }
    if scan.ends_in_backslash {
        return Err(AppendError::Backslash);
    }
    // A pipe or a redirection fits after every command.
    let is_word = !text.first().is_some_and(|byte| b";&|<>".contains(byte));
    match scan.end().filter(|_| is_word) {
        Some(End::Compound(closer)) => Err(AppendError::Compound(closer)),
        Some(End::Operator(operator)) => Err(AppendError::Operator(operator)),
        None => Ok([command_line, b" ", text].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_appended_quoted() {
        let line = append_words(b"rake work", &["42", "a b", "it's", "$X"]);

        assert_eq!(line, Ok(br"rake work 42 'a b' 'it'\''s' '$X'".to_vec()));
    }

    #[test]
    fn words_are_not_appended_to_a_comment_or_inside_a_construct() {
        assert_eq!(append_words(b"rake work # now", &["42"]), Err(AppendError::Comment));
        assert_eq!(append_words(b"rake work \\", &["42"]), Err(AppendError::Backslash));
        for (line, construct) in [
            ("rake 'work", Construct::SingleQuotes),
            ("rake \"work", Construct::DoubleQuotes),
            ("rake `work", Construct::Backticks),
            ("rake \"`work\"", Construct::Backticks),
            ("rake $(work", Construct::Substitution),
            ("rake \"$(work \"`x`\"", Construct::DoubleQuotes),
            ("(rake work", Construct::Parentheses),
            ("rake ${WORK", Construct::Braces),
            ("rake ${WORK:-$(x)", Construct::Braces),
            ("rake \"${WORK:-'}", Construct::DoubleQuotes),
        ] {
            assert_eq!(append_words(line.as_bytes(), &["42"]), Err(AppendError::Unclosed(construct)), "{line}");
        }
        for line in ["rake `a 'b`", "rake \"`a \\` b`\"", "rake \"${A:-${B:-'x'}}\"", "rake ${A:-(} ${B//[`c`]/\\}}"] {
            assert!(append_words(line.as_bytes(), &["42"]).is_ok(), "{line}");
        }
        assert!(append_words(b"rake a#b \"$(x '#' # y\n)\"${#X}", &["42"]).is_err());
        assert!(append_words(b"rake a#b ${#X} '# c' \"$(x '#')\"#d", &["42"]).is_ok());
        assert!(append_words(b"rake work # now", &[] as &[&str]).is_ok());
    }

    #[test]
    fn words_are_not_appended_where_the_shell_takes_no_arguments() {
        for (line, closer) in [
            ("for x in a b; do echo $x; done", "done"),
            ("while read x; do echo $x; done < list", "done"),
            ("while read x; do echo $x; done 2>&1 >>log", "done"),
            ("for x in $(if a; then b; fi); do echo $x; done", "done"),
            ("if a; then b; else c; fi", "fi"),
            ("if a; then for x in b; do c; done; fi", "fi"),
            ("if a; then (b) fi", "fi"),
            ("case $A in a) b;; (c) d;; esac", "esac"),
            ("{ a; b; }", "}"),
            ("a() { b; }", "}"),
            ("cd x && (a; b)", ")"),
        ] {
            assert_eq!(append_words(line.as_bytes(), &["42"]), Err(AppendError::Compound(closer)), "{line}");
            assert_eq!(append_text(line.as_bytes(), b"| cat"), Ok(format!("{line} | cat").into_bytes()));
        }
        for (line, operator) in [("a;", ';'), ("a &", '&'), ("a | ", '|')] {
            assert_eq!(append_words(line.as_bytes(), &["42"]), Err(AppendError::Operator(operator)), "{line}");
        }
        for line in [
            "echo done",
            "echo 'a' fi",
            "for x in a; do b; done; exec c",
            "(a); b }",
            "echo $(a; b)",
            "echo \"$(a; { b; })\"",
            "a 2>&1",
            "a >log",
            "; 'done'",
            "; \\done",
            "a && done.sh",
            "if a; then b; fi && c",
            "diff <(a) <(b)",
            "A=1 fi",
        ] {
            assert!(append_words(line.as_bytes(), &["42"]).is_ok(), "{line}");
        }
    }
}
