//! From the words of the command line to its types, by the name the binary was called with (S13.2).

use std::ffi::{OsStr, OsString};

use clap::FromArgMatches;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::drop_in::{foreman, honcho};
use super::help::{self, Extent};
use super::topic::{self, Topic};
use super::{Cli, Command, Dialect, ProjectArgs};
use crate::app::nearest;

/// A command line that asks for help or the version, or cannot be understood.
#[derive(Debug)]
pub struct Refusal {
    /// What to print, and where.
    pub error: clap::Error,
    /// The exit status (S11).
    pub status: u8,
}

/// Reads a command line. `words`: the name of the program first.
///
/// # Errors
/// [`Refusal`] if there is nothing to carry out.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Refusal> {
    let words: Vec<OsString> = words.into_iter().collect();
    let dialect = Dialect::of_program(words.first().map_or(OsStr::new(""), OsString::as_os_str));
    let parsed = match dialect {
        Dialect::Foreman => foreman::parse(&words).map_err(without_escape),
        Dialect::Honcho => honcho::parse(&words).map_err(without_escape),
        Dialect::Dyno | Dialect::HerokuLocal => own(words).map(with_habits),
    };
    parsed.map_err(|error| {
        let status = if error.use_stderr() { dialect.usage_status() } else { 0 };
        Refusal { error, status }
    })
}

/// No word at all asks for help, as it does of foreman and of the platform's tool.
fn own(mut words: Vec<OsString>) -> Result<Cli, clap::Error> {
    if words.len() <= 1 {
        words = vec!["dyno".into(), "--help".into()];
    }
    let extent = Extent::wanted(&words);
    let is_help = extent == Extent::Whole;
    if is_help && let Some(topic) = words.get(2).and_then(|word| Topic::named(word.to_str()?)) {
        return page(topic, words.get(3));
    }
    let mut command = help::command(extent);
    if is_help {
        command = topic::listed(command);
    }
    let matches = command.try_get_matches_from_mut(with_colons(words)).map_err(|error| {
        // Its own message lists hidden subcommands, too.
        let is_bare = error.kind() == ErrorKind::MissingSubcommand;
        if is_bare {
            command.error(error.kind(), "a subcommand is missing")
        } else {
            with_tips(error, &command, is_help)
        }
    })?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// `dyno help TOPIC`, which takes no other word.
fn page(topic: Topic, extra: Option<&OsString>) -> Result<Cli, clap::Error> {
    if let Some(word) = extra {
        let text = format!("unexpected argument '{}': `dyno help TOPIC` prints one page", word.display());
        return Err(help::command(Extent::Screen).error(ErrorKind::UnknownArgument, text));
    }
    let project = ProjectArgs::default();
    Ok(Cli { project, dialect: Dialect::Dyno, command: Command::Topic(topic) })
}

/// Names the subcommand that was meant by our own measure, as of process types: clap's leaves out short words and names
/// what is hidden. And leaves out the advice to put `--` before an option, which would make a process type or a command
/// of a typing error.
fn with_tips(mut error: clap::Error, command: &clap::Command, is_help: bool) -> clap::Error {
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) {
        if typed == "config:get" {
            let tip = StyledStr::from("`dyno config --explain KEY` shows where a value comes from");
            error.remove(ContextKind::SuggestedSubcommand);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            return error;
        }
        let topics = if is_help { Topic::names() } else { Vec::new() };
        let visible = command.get_subcommands().filter(|known| !known.is_hide_set()).map(clap::Command::get_name);
        let names = visible.chain(topics.iter().map(String::as_str));
        let near: Vec<String> = nearest(typed, names).into_iter().map(str::to_owned).collect();
        error.remove(ContextKind::SuggestedSubcommand);
        if let Some(topic) = near.first().filter(|name| topics.contains(name)) {
            let tip = StyledStr::from(format!("a similar topic exists: `dyno help {topic}`"));
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            return error;
        }
        if !near.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
        }
    }
    let is = |kind, text: &str| matches!(error.get(kind), Some(ContextValue::String(given)) if given == text);
    let is_power_shell = ["powershell", "pwsh"].iter().any(|name| is(ContextKind::InvalidValue, name));
    if is_power_shell && is(ContextKind::InvalidArg, "<SHELL>") {
        let tip = StyledStr::from("PowerShell is not supported: its script would run a `$(…)` on the line at Tab");
        error.remove(ContextKind::SuggestedValue);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    without_escape(error)
}

fn without_escape(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let is_wanted = |tip: &&StyledStr| !tip.to_string().contains(" as a value, use ");
        let tips: Vec<StyledStr> = tips.iter().filter(is_wanted).cloned().collect();
        error.remove(ContextKind::Suggested);
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

/// `heroku local` never runs the release command.
fn with_habits(mut cli: Cli) -> Cli {
    match &mut cli.command {
        Command::Local(args) => {
            cli.dialect = Dialect::HerokuLocal;
            args.no_release = true;
        }
        Command::LocalRun(_) => cli.dialect = Dialect::HerokuLocal,
        Command::Start(_)
        | Command::Run(_)
        | Command::Release(_)
        | Command::Smoke(_)
        | Command::Check(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Version
        | Command::Topic(_) => {}
    }
    cli
}

/// `local run CMD` is `local:run CMD`: blanks and colons are both accepted.
#[must_use]
pub fn with_colons(mut words: Vec<OsString>) -> Vec<OsString> {
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word == text);
    let second = ["run", "start", "version"].into_iter().find(|second| is(1, "local") && is(2, second));
    if let Some(second) = second {
        words.splice(1..3, [OsString::from(format!("local:{second}"))]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        parse(line.split(' ').map(OsString::from)).expect("understood")
    }

    fn refused(line: &str) -> (u8, String) {
        let refusal = parse(line.split(' ').map(OsString::from)).expect_err("refused");
        (refusal.status, refusal.error.to_string())
    }

    #[test]
    fn the_name_of_the_program_decides_whose_options_are_read() {
        assert_eq!(parsed("/usr/local/bin/foreman start -c").dialect, Dialect::Foreman);
        assert_eq!(parsed("honcho start -c web=2").dialect, Dialect::Honcho);
        assert_eq!(parsed("dyno start -c web=2").dialect, Dialect::Dyno);
    }

    #[test]
    fn blanks_and_colons_are_both_accepted() {
        assert!(matches!(parsed("dyno local run ls").command, Command::LocalRun(_)));
        assert!(matches!(parsed("dyno local:run ls").command, Command::LocalRun(_)));
        assert!(matches!(parsed("dyno local start").command, Command::Local(_)));
        assert!(matches!(parsed("dyno local web").command, Command::Local(_)));
    }

    #[test]
    fn a_wrong_option_is_2_as_it_is_of_honcho_but_1_as_foreman_and_help_is_0() {
        assert_eq!(refused("dyno start --nope").0, 2);
        assert_eq!(refused("foreman start --nope").0, 1);
        for line in ["honcho", "honcho bogus", "honcho export", "honcho start --nope", "honcho start -x"] {
            assert_eq!(refused(line).0, 2, "{line}");
        }
        assert_eq!(refused("foreman help").0, 0);
        assert_eq!(refused("dyno --version").0, 0);
    }

    #[test]
    fn a_typing_error_finds_the_subcommand_that_was_meant() {
        let (status, text) = refused("dyno strat");

        assert!(status == 2 && text.contains("'start'"), "{text}");
        let (_, text) = refused("dyno completion");
        assert!(text.contains("'completions'"), "{text}");
        for (typed, meant) in [("strt", "start"), ("rn", "run"), ("rnu", "run"), ("help strat", "start")] {
            let (_, text) = refused(&format!("dyno {typed}"));
            assert!(text.contains(&format!("\n  tip: a similar subcommand exists: '{meant}'\n")), "{typed}: {text}");
        }
        for typed in ["xyzzy", "help xyzzy", "loca"] {
            let (_, text) = refused(&format!("dyno {typed}"));
            assert!(!text.contains("tip:"), "{typed}: {text}");
        }
    }

    #[test]
    fn no_tip_makes_an_argument_of_an_option_that_does_not_exist() {
        for line in [
            "dyno start -t -1",
            "dyno start -z",
            "dyno local -r",
            "dyno run --nope ls",
            "dyno check -x",
            "foreman start -x",
        ] {
            let (status, text) = refused(line);

            assert!(status > 0 && text.contains("unexpected argument") && !text.contains("tip:"), "{line}: {text}");
        }
    }
}
