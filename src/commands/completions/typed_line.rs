//! The command line that is being typed, as the shell script passes it.
//!
//! Decides what the words are: bash and zsh pass them with their quotes, and bash splits them at `=` and `:`. `app_values`
//! and clap find the candidates.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{ArgMatches, FromArgMatches};

use crate::cli::{
    CompletionShell, FormationArgs, ProjectArgs, RunningArgs, VariableArgs, WhichArgs, whole_command, with_colons,
};

/// A line up to the cursor, as far as it is understood.
#[derive(Debug)]
pub(super) struct TypedLine {
    /// The words before the cursor; the first is the program.
    before: Vec<OsString>,
    /// The word at the cursor, as far as it is typed.
    current: String,
    /// The start of `current` that bash keeps, so that candidates must not repeat it.
    kept: String,
    matches: ArgMatches,
}

impl TypedLine {
    /// `index`: that of the word at the cursor; None means the last one. Returns None if there is no such word.
    pub(super) fn new(shell: CompletionShell, mut words: Vec<OsString>, index: Option<usize>) -> Option<Self> {
        let index = index.or_else(|| words.len().checked_sub(1))?;
        if index == 0 || index > words.len() {
            return None;
        }
        words.truncate(index + 1);
        words.resize(index + 1, OsString::new());
        let (words, last_part) = match shell {
            CompletionShell::Bash => joined(words),
            CompletionShell::Zsh | CompletionShell::Fish | CompletionShell::Elvish => (words, None),
        };
        let mut words: Vec<OsString> = match shell {
            CompletionShell::Bash | CompletionShell::Zsh => words.iter().map(|word| unquoted(word)).collect(),
            // fish has unquoted all words except the last.
            CompletionShell::Fish => {
                let (last, others) = words.split_last()?;
                others.iter().cloned().chain([unquoted(last)]).collect()
            }
            CompletionShell::Elvish => words,
        };
        let current = words.pop()?.to_string_lossy().into_owned();
        let kept = last_part.and_then(|part| current.strip_suffix(part.as_str())).unwrap_or_default().to_owned();
        let before = with_colons(words);
        let matches = whole_command().ignore_errors(true).try_get_matches_from(&before).unwrap_or_default();
        Some(Self { before, current, kept, matches })
    }

    /// The word at the cursor, as far as it is typed.
    pub(super) fn current(&self) -> &str {
        &self.current
    }

    /// All words up to the cursor.
    pub(super) fn words(&self) -> Vec<OsString> {
        self.before.iter().cloned().chain([OsString::from(&self.current)]).collect()
    }

    /// The part of a candidate that bash inserts. None if the candidate does not start with what bash keeps.
    pub(super) fn without_kept<'a>(&self, candidate: &'a str) -> Option<&'a str> {
        candidate.strip_prefix(self.kept.as_str())
    }

    /// The words before the cursor that belong to another command: of `run`, from its first word on; of `smoke`, after `--`.
    /// None if the cursor is not among them.
    pub(super) fn inner_command(&self) -> Option<Vec<OsString>> {
        let (name, matches) = self.matches.subcommand()?;
        match name {
            "run" | "local:run" => {
                let words: Vec<OsString> = matches.get_raw("words")?.map(OsStr::to_owned).collect();
                (!words.is_empty()).then_some(words)
            }
            "smoke" => {
                let dashes = self.before.iter().position(|word| word == "--")?;
                Some(self.before.iter().skip(dashes + 1).cloned().collect())
            }
            _ => None,
        }
    }

    /// Whether the word at the cursor is the one after `dyno help`.
    pub(super) fn asks_for_help(&self) -> bool {
        self.before.len() == 2 && self.before.last().is_some_and(|word| word == "help")
    }

    /// Whether the first word of the inner command can be a process type.
    pub(super) fn runs_process_types(&self) -> bool {
        self.matches.subcommand_name().is_some_and(|name| name != "smoke")
    }

    /// The options that select the files of the app.
    pub(super) fn project(&self) -> ProjectArgs {
        let of = |matches: &ArgMatches| match matches.try_contains_id("env") {
            Ok(_) => args::<ProjectArgs>(matches, "env"),
            // The commands for a running app have only some of these options.
            Err(_) => args::<RunningArgs>(matches, "procfile").project(),
        };
        let after = self.matches.subcommand().map(|(_, matches)| of(matches)).unwrap_or_default();
        after.over(&of(&self.matches))
    }

    /// The options that say which of the apps that run is meant.
    pub(super) fn which(&self) -> WhichArgs {
        self.matches.subcommand().map(|(_, matches)| args(matches, "pid")).unwrap_or_default()
    }

    /// The variables that the line sets.
    pub(super) fn variables(&self) -> VariableArgs {
        self.matches.subcommand().map(|(_, matches)| args(matches, "set")).unwrap_or_default()
    }

    /// The formation options of the line.
    pub(super) fn formation(&self) -> FormationArgs {
        self.matches.subcommand().map(|(_, matches)| args(matches, "formation")).unwrap_or_default()
    }
}

/// The values of a group of options, or the defaults if the command does not have it; `id` is one of the group.
fn args<T: FromArgMatches + Default>(matches: &ArgMatches, id: &str) -> T {
    if matches.try_contains_id(id).is_err() {
        return T::default();
    }
    T::from_arg_matches(matches).unwrap_or_default()
}

/// Joins the words that bash has split at `=` and `:`. Also returns the part that bash calls the current word.
fn joined(words: Vec<OsString>) -> (Vec<OsString>, Option<String>) {
    let is_break = |word: &OsStr| !word.is_empty() && word.as_bytes().iter().all(|byte| b"=:".contains(byte));
    let last = words.last().filter(|word| !is_break(word)).map(|word| unquoted(word).to_string_lossy().into_owned());
    let mut joined: Vec<OsString> = Vec::new();
    let mut open = false;
    for word in words {
        let breaks = is_break(&word);
        match joined.last_mut() {
            Some(previous) if breaks || open => previous.push(&word),
            Some(_) | None => joined.push(word),
        }
        open = breaks;
    }
    (joined, Some(last.unwrap_or_default()))
}

/// A word without its quotes and backslashes. A quote need not be closed.
fn unquoted(word: &OsStr) -> OsString {
    let mut plain = Vec::new();
    let mut quote = None;
    let mut bytes = word.as_bytes().iter().copied();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None | Some(b'"'), b'\\') => plain.extend(bytes.next()),
            (Some(_) | None, _) => plain.push(byte),
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(shell: CompletionShell, words: &[&str]) -> TypedLine {
        TypedLine::new(shell, words.iter().map(OsString::from).collect(), None).expect("a line")
    }

    #[test]
    fn quotes_and_backslashes_are_removed() {
        for (word, plain) in
            [("'My App'", "My App"), ("\"a b\"c", "a bc"), ("a\\ b", "a b"), ("'My Ap", "My Ap"), ("''", "")]
        {
            assert_eq!(unquoted(OsStr::new(word)), plain, "{word}");
        }
    }

    #[test]
    fn bash_words_are_joined_at_equals_signs_and_colons() {
        for (words, before, current, kept) in [
            (&["dyno", "start", "-m", "web", "=", "1,wo"][..], &["dyno", "start", "-m"][..], "web=1,wo", "web="),
            (
                &["dyno", "start", "--set", "URL", "=", "a", ":", "b", ""],
                &["dyno", "start", "--set", "URL=a:b"],
                "",
                "",
            ),
            (&["dyno", "start", "web", "="], &["dyno", "start"], "web=", "web="),
            (&["dyno", "start", "web", "=", "2", "wo"], &["dyno", "start", "web=2"], "wo", ""),
        ] {
            let line = line(CompletionShell::Bash, words);
            assert_eq!(
                (line.before.as_slice(), line.current(), line.kept.as_str()),
                (&before.iter().map(OsString::from).collect::<Vec<_>>()[..], current, kept)
            );
        }
    }

    #[test]
    fn words_after_the_command_of_run_and_smoke_belong_to_that_command() {
        let inner = |words: &[&str]| line(CompletionShell::Zsh, words).inner_command();

        assert_eq!(inner(&["dyno", "run", "-f", "x", ""]), None);
        assert_eq!(inner(&["dyno", "run", "-f", "x", "ls", "--pr"]), Some(vec!["ls".into()]));
        assert_eq!(inner(&["dyno", "smoke", "web", ""]), None);
        assert_eq!(inner(&["dyno", "smoke", "web", "--", "npm", "te"]), Some(vec!["npm".into()]));
    }

    #[test]
    fn an_incomplete_line_keeps_the_options_that_are_understood() {
        for words in [&["dyno", "start", "-f", "x", "--nope", ""][..], &["dyno", "-f", "x", "start", "-p", ""]] {
            assert_eq!(line(CompletionShell::Zsh, words).project().procfile, Some("x".into()), "{words:?}");
        }
    }

    #[test]
    fn an_index_beyond_the_last_word_is_rejected() {
        let new = |words: &[&str], index| {
            TypedLine::new(CompletionShell::Zsh, words.iter().map(OsString::from).collect(), index)
        };

        assert!(new(&[], None).is_none() && new(&["dyno"], None).is_none() && new(&["dyno"], Some(2)).is_none());
        assert_eq!(new(&["dyno"], Some(1)).expect("a new word").current(), "");
        assert_eq!(new(&["dyno", "st", "web"], Some(1)).expect("the second").current(), "st");
    }
}
