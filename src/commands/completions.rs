//! `dyno completions`: the script that a shell reads, and the answer when that script asks because the user has pressed
//! Tab.
//!
//! `CompleteEnv` of `clap_complete` generates the scripts, recognises when a script asks, and completes options and
//! subcommands; the values of the app are looked up here. Its own adapters do not handle words that bash has split or
//! that are quoted, so each [`CompletionShell`] is our adapter around its script.
//!
//! Completion runs while the user types: it never reports problems of the app's files, starts nothing and does not read
//! stdin.

mod app_values;
mod programs;
mod typed_line;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, Command, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Shells, Zsh};

use self::app_values::AppValues;
use self::typed_line::TypedLine;
use crate::app::is_plain;
use crate::cli::{CompletionShell, Offers, Topic, whole_command};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::model::Dialect;
use crate::project::quick_lookup::{AT_TAB, look_up_within};
use crate::supervisor::Outcome;

/// Names the shell whose script asks. clap would use `COMPLETE`, which may exist in the user's environment.
const VARIABLE: &str = "_DYNO_COMPLETE";

/// Corrections to the scripts of `clap_complete`: the text to replace, and its replacement.
const CORRECTIONS: [(CompletionShell, &str, &str); 2] = [
    // After `web=` bash passes an empty word and so hides the `=`.
    (
        CompletionShell::Bash,
        r#"words[COMP_CWORD]="$2""#,
        r#"[[ ${words[COMP_CWORD]} == [=:]* ]] || words[COMP_CWORD]="$2""#,
    ),
    // No blank after `worker=`: a value follows.
    (
        CompletionShell::Zsh,
        "[[ -n $other ]] && _describe -V 'values' other",
        r#"local -a open=("${(@M)other:#*=(|:*)}")
        other=("${(@)other:#*=(|:*)}")
        [[ -n $open ]] && _describe -V 'values' open -S ''
        [[ -n $other ]] && _describe -V 'values' other"#,
    ),
];

const SHELLS: Shells<'static> =
    Shells(&[&CompletionShell::Bash, &CompletionShell::Zsh, &CompletionShell::Fish, &CompletionShell::Elvish]);

/// Prints the script of a shell.
pub(super) fn script(shell: CompletionShell) -> Result<Outcome, Error> {
    let mut script = Vec::new();
    // The script calls the `dyno` on the PATH, because a package may replace or move this file.
    shell
        .write_registration(VARIABLE, "dyno", "dyno", "dyno", &mut script)
        .map_err(|error| Error::new(Status::Internal, format!("cannot create the script: {error}"), ""))?;
    stdout::write(&String::from_utf8_lossy(&script))
}

/// Answers the script of a shell. `words`: the command line of this process. Returns false if no script asked.
pub fn answer_shell(words: impl IntoIterator<Item = OsString>) -> bool {
    let words: Vec<OsString> = words.into_iter().collect();
    // The variable alone is not a request: it may have been exported by mistake.
    let [program, dashes, ..] = words.as_slice() else { return false };
    if Dialect::of_program(program) != Dialect::Dyno || dashes != "--" {
        return false;
    }
    // A shell that we do not support gets no answer.
    CompleteEnv::with_factory(whole_command)
        .var(VARIABLE)
        .bin("dyno")
        .completer("dyno")
        .shells(SHELLS)
        .try_complete(words, None)
        .unwrap_or(true)
}

impl CompletionShell {
    /// The generator of its script.
    fn scripts(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Elvish => &Elvish,
        }
    }
}

impl EnvCompleter for CompletionShell {
    fn name(&self) -> &'static str {
        self.scripts().name()
    }

    fn is(&self, name: &str) -> bool {
        self.scripts().is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut script = Vec::new();
        self.scripts().write_registration(variable, name, program, completer, &mut script)?;
        let script = String::from_utf8_lossy(&script).into_owned();
        let corrections = CORRECTIONS.iter().filter(|(of, _, _)| of == self);
        out.write_all(corrections.fold(script, |script, (_, from, to)| script.replace(from, to)).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        _: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        silence_panics();
        let (shell, command) = (*self, std::mem::take(command));
        let answer = look_up_within(AT_TAB, move || answer(shell, command, words));
        out.write_all(&answer.unwrap_or_default())
    }
}

/// A panic must not write over the line that the user types.
#[expect(
    clippy::disallowed_methods,
    reason = "after the hook, a release build would abort, and the shell would report that"
)]
fn silence_panics() {
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
}

fn answer(shell: CompletionShell, command: Command, words: Vec<OsString>) -> Vec<u8> {
    let index = match shell {
        CompletionShell::Bash | CompletionShell::Zsh | CompletionShell::Elvish => env::var("_CLAP_COMPLETE_INDEX").ok(),
        // The script of fish passes only the words up to the cursor.
        CompletionShell::Fish => None,
    };
    let index = index.and_then(|index| index.parse().ok());
    let Some(line) = TypedLine::new(shell, words, index) else { return Vec::new() };
    let separator = env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
    written(shell, &separator, &line, &candidates(&line, command))
}

/// The candidates for the word at the cursor.
fn candidates(line: &TypedLine, command: Command) -> Vec<CompletionCandidate> {
    let values = Arc::new(AppValues::of(line));
    if let Some(words) = line.inner_command() {
        return values.command_words(words.len(), line.current());
    }
    let mut command =
        command.mut_subcommands(|command| command.mut_args(|arg| with_values(with_visible_names(arg), &values)));
    let mut words = line.words();
    // For a single dash the engine would list the short names, which explain little.
    if line.current() == "-" {
        words.pop();
        words.push("--".into());
    }
    let at = words.len().saturating_sub(1);
    let mut found = complete(&mut command, words, at, env::current_dir().ok().as_deref()).unwrap_or_default();
    // Options are offered after a dash, or if nothing else fits.
    let is_option = |candidate: &CompletionCandidate| candidate.get_value().as_encoded_bytes().starts_with(b"-");
    if line.current().is_empty() && !found.iter().all(is_option) {
        found.retain(|candidate| !is_option(candidate));
    }
    if line.asks_for_help() {
        found.extend(topics(line.current()));
    }
    found
}

/// Topics of `dyno help`. clap does not know them: it offers only subcommands.
fn topics(typed: &str) -> impl Iterator<Item = CompletionCandidate> {
    let values = Topic::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let found = values.filter(move |value| value.get_name().starts_with(typed));
    found.map(|value| CompletionCandidate::new(value.get_name()).help(value.get_help().cloned()))
}

/// The engine offers no values for an option under a hidden name, such as `--app-root`.
fn with_visible_names(arg: Arg) -> Arg {
    let names: Vec<String> = arg.get_aliases().unwrap_or_default().into_iter().map(str::to_owned).collect();
    if names.is_empty() { arg } else { arg.alias(None::<&str>).visible_aliases(names) }
}

fn with_values(arg: Arg, values: &Arc<AppValues>) -> Arg {
    let Some(offers) = arg.get::<Offers>().copied() else { return arg };
    let (values, is_positional) = (Arc::clone(values), arg.is_positional());
    arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
        values.offered(offers, is_positional, &typed.to_string_lossy())
    }))
}

/// The candidates in the form that the script reads. Names with control characters are left out: they would break the form
/// and reach the terminal.
fn written(shell: CompletionShell, separator: &str, line: &TypedLine, candidates: &[CompletionCandidate]) -> Vec<u8> {
    let mut lines = Vec::new();
    for candidate in candidates {
        let Some(value) = candidate.get_value().to_str().filter(|value| !value.contains(char::is_control)) else {
            continue;
        };
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        lines.push(match shell {
            CompletionShell::Bash => line.without_kept(value).map_or_else(String::new, escaped_for_bash),
            CompletionShell::Elvish => value.to_owned(),
            CompletionShell::Fish => with_help(value, '\t', help),
            CompletionShell::Zsh => {
                let (value, help) = (value.replace('\\', "\\\\"), help.replace('\\', "\\\\"));
                with_help(&value.replace(':', "\\:"), ':', &help)
            }
        });
    }
    lines.join(separator).into_bytes()
}

fn with_help(value: &str, separator: char, help: &str) -> String {
    if help.is_empty() { value.to_owned() } else { format!("{value}{separator}{help}") }
}

/// bash inserts the text unchanged.
fn escaped_for_bash(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for char in value.chars() {
        if u8::try_from(char).is_ok_and(|byte| byte.is_ascii() && !is_plain(byte) && byte != b'~') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_correction_still_fits_the_script() {
        for (shell, from, _) in CORRECTIONS {
            let mut script = Vec::new();
            shell.scripts().write_registration(VARIABLE, "dyno", "dyno", "dyno", &mut script).expect("a script");
            assert_eq!(String::from_utf8_lossy(&script).matches(from).count(), 1, "{shell:?}");
        }
    }

    #[test]
    fn bash_gets_file_names_with_their_blanks_and_quotes_escaped() {
        assert_eq!(escaped_for_bash("a b/it's $1"), "a\\ b/it\\'s\\ \\$1");
        assert_eq!(escaped_for_bash("all=1,web_é="), "all=1,web_é=");
    }
}
