//! Words that the shell itself interprets: reserved words, builtins and assignments.

/// Reserved words and builtins of the shells that may be `/bin/sh`: dash, bash, busybox, ksh. With `exec` before
/// such a word, the shell would look for a program of that name instead.
const SHELL_WORDS: &str = "
    . : [ [[ ]] alias autoload bg bind break builtin caller case cd chdir command compgen complete compopt continue
    coproc declare dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi float for
    function functions getopts hash help history if in integer jobs kill let local logout mapfile nameref namespace
    newgrp popd print printf pushd pwd read readarray readonly rename return select set shift shopt source suspend
    test then time times trap true type typeset ulimit umask unalias unset until wait whence while
";

/// Whether the shell interprets this word itself instead of looking for a program of that name.
pub(crate) fn is_shell_word(word: &[u8]) -> bool {
    // `%1` is a job.
    word.starts_with(b"%") || SHELL_WORDS.split_ascii_whitespace().any(|known| known.as_bytes() == word)
}

/// Whether this byte means nothing to a shell, except that a `=` may make its word an assignment.
pub(crate) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:,@%+=".contains(&byte)
}

/// Whether a word is `NAME=…` or `NAME+=…`. A name that begins with a digit is accepted, although the shell refuses it:
/// a line with such a name is left to the shell.
pub(crate) fn is_assignment(word: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', word) else { return false };
    let name = word.get(..equals).unwrap_or_default();
    let name = name.strip_suffix(b"+").unwrap_or(name);
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
