//! Parses the command line; the name of the binary decides whose options apply (S13.2).

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use super::drop_in::{foreman, honcho};
use super::help::{self, Extent};
use super::quick;
use super::refusal::{GivenLine, Misread, RefusedLine, StrayWord};
use super::topic::{self, Topic};
use super::{Cli, CliCommand, ProjectArgs};
use crate::app::{did_you_mean, nearest};
use crate::error::Complaint;
use crate::model::Dialect;

/// Options before the command that have a value in the next word.
const OPTIONS_WITH_VALUE: [&str; 6] = ["-f", "-d", "-e", "--procfile", "--root", "--env"];

/// What the platform's tool also accepts after `config` and a blank.
const CONFIG_COMMANDS: [&str; 6] = ["get", "set", "unset", "add", "remove", "edit"];

/// Reads a command line. `words`: the name of the program first.
///
/// # Errors
/// [`RefusedLine`] if the line requests the help or the version, or cannot be understood.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, RefusedLine> {
    let words: Vec<OsString> = words.into_iter().collect();
    let dialect = Dialect::of_program(words.first().map_or(OsStr::new(""), OsString::as_os_str));
    match dialect {
        Dialect::Foreman => foreman::parse(&words).map_err(|error| {
            let line = GivenLine { words: &words, command: &foreman::Foreman::command(), program: "foreman" };
            refused(error, dialect, &line)
        }),
        Dialect::Honcho => honcho::parse(&words).map_err(|error| {
            let line = GivenLine { words: &words, command: &honcho::Honcho::command(), program: "honcho" };
            refused(error, dialect, &line)
        }),
        Dialect::Dyno | Dialect::HerokuLocal => {
            let words = with_colons(words);
            quick::parse(&words).map_or_else(|| parse_own(words), Ok).map(with_local_dialect)
        }
    }
}

/// Reads a command line of `dyno`. Shows the help if there are no words, like foreman and the platform's tool. Another
/// word for help after `dyno help` is ignored.
fn parse_own(mut words: Vec<OsString>) -> Result<Cli, RefusedLine> {
    if words.len() <= 1 {
        words = vec!["dyno".into(), "--help".into()];
    }
    let extent = Extent::wanted(&words);
    let is_help = extent == Extent::Whole;
    if is_help {
        let mut at = 0;
        words.retain(|word| {
            at += 1;
            at <= 2 || !["-h", "--help", "help"].iter().any(|known| word == known)
        });
    }
    if is_help && let Some(topic) = words.get(2).and_then(|word| Topic::named(word.to_str()?)) {
        return page(topic, words.get(3));
    }
    let mut command = help::command(extent);
    if is_help || words.get(1).is_some_and(|word| word == "-h" || word == "--help") {
        command = help::with_described_help(command);
    }
    if is_help {
        command = topic::with_topics(command);
    }
    let matches = command.try_get_matches_from_mut(&words);
    let mut cli = matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        let line = GivenLine { words: &words, command: &command, program: "dyno" };
        if error.use_stderr() { misread(&error, &line, is_help) } else { RefusedLine::Shown(error) }
    })?;
    // clap does not tell `--` without a word after it from a line without `--`. It means an empty command (S19.1).
    if let CliCommand::Smoke(args) = &mut cli.command
        && args.command.is_empty()
        && words.last().is_some_and(|word| word == "--")
    {
        args.command.push(OsString::new());
    }
    Ok(cli)
}

/// `dyno help TOPIC`, which accepts no other word.
fn page(topic: Topic, extra: Option<&OsString>) -> Result<Cli, RefusedLine> {
    if let Some(word) = extra {
        let fact = format!("unexpected argument `{}`", word.display());
        let hint = "`dyno help TOPIC` prints one page";
        return Err(RefusedLine::Misread(Box::new(Misread {
            dialect: Dialect::Dyno,
            complaint: Complaint::new(fact, hint),
            stray: None,
        })));
    }
    let project = ProjectArgs::default();
    Ok(Cli { project, dialect: Dialect::Dyno, command: CliCommand::Topic(topic) })
}

fn refused(error: clap::Error, dialect: Dialect, line: &GivenLine<'_>) -> RefusedLine {
    if !error.use_stderr() {
        return RefusedLine::Shown(error);
    }
    RefusedLine::Misread(Box::new(Misread { dialect, complaint: line.complaint(&error), stray: None }))
}

/// A command line of `dyno` that cannot be understood. Similar names are found with our own measure, as for process types:
/// clap's ignores short words and suggests hidden commands.
fn misread(error: &clap::Error, line: &GivenLine<'_>, is_help: bool) -> RefusedLine {
    let mut complaint = line.complaint(error);
    let mut stray = None;
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(_) | None => None,
    };
    if let Some(typed) = text(ContextKind::InvalidSubcommand) {
        let is_shown = |known: &&clap::Command| !known.is_hide_set() || help::ONLY_IN_WHOLE.contains(&known.get_name());
        let visible = line.command.get_subcommands().filter(is_shown).map(clap::Command::get_name);
        let topics = if is_help { Topic::names() } else { Vec::new() };
        let near = nearest(typed, visible.chain(topics.iter().map(String::as_str)));
        let before = if is_help { "dyno help" } else { "dyno" };
        let near: Vec<String> = near.into_iter().map(|name| format!("{before} {name}")).collect();
        if let Some(hint) = did_you_mean(&near) {
            complaint.hint = hint;
        }
        if is_help && let Some(page) = line.words.get(2).filter(|word| *word != typed) {
            complaint.fact = format!("unexpected argument `{typed}`");
            complaint.hint = format!("`dyno help {}` prints one page", page.display());
        } else if is_help {
            complaint.fact = format!("there is no command or topic `{typed}`");
            if near.is_empty() {
                "`dyno help` lists the commands and topics".clone_into(&mut complaint.hint);
            }
        } else {
            stray = stray_word(line.words, typed, Some(near));
        }
    } else if error.kind() == ErrorKind::UnknownArgument
        && let Some(typed) = text(ContextKind::InvalidArg).filter(|typed| !typed.starts_with('-'))
    {
        stray = stray_word(line.words, typed, None);
    }
    let is_power_shell = text(ContextKind::InvalidValue).is_some_and(|value| ["powershell", "pwsh"].contains(&value));
    if is_power_shell && text(ContextKind::InvalidArg) == Some("<SHELL>") {
        "PowerShell is not supported: pressing Tab would run any `$(…)` on the line".clone_into(&mut complaint.hint);
    }
    RefusedLine::Misread(Box::new(Misread { dialect: Dialect::Dyno, complaint, stray }))
}

/// The unexpected word `typed`, with the words around it.
fn stray_word(words: &[OsString], typed: &str, near_commands: Option<Vec<String>>) -> Option<StrayWord> {
    let mut is_value = false;
    let at = words.iter().enumerate().skip(1).find_map(|(at, word)| {
        let found = !is_value && word == typed;
        is_value = OPTIONS_WITH_VALUE.iter().any(|option| word == option);
        found.then_some(at)
    })?;
    // The options before the command name the files. Any command in its place makes the line valid.
    let before = words.get(..at)?.iter().cloned();
    let line: Vec<OsString> =
        if near_commands.is_some() { before.chain(["check".into()]).collect() } else { before.collect() };
    let project = help::command(Extent::Whole)
        .try_get_matches_from(line)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map(|cli| cli.project)
        .unwrap_or_default();
    Some(StrayWord { words: words.to_vec(), at, project, near_commands })
}

/// `dyno local` behaves like `heroku local`, which never runs the release command.
fn with_local_dialect(mut cli: Cli) -> Cli {
    match &mut cli.command {
        CliCommand::Local(args) => {
            cli.dialect = Dialect::HerokuLocal;
            args.no_release = true;
        }
        CliCommand::LocalRun(_) => cli.dialect = Dialect::HerokuLocal,
        CliCommand::Start(_)
        | CliCommand::Run(_)
        | CliCommand::Logs(_)
        | CliCommand::Ps(_)
        | CliCommand::Ls(_)
        | CliCommand::Router(_)
        | CliCommand::Attach(_)
        | CliCommand::Screen(_)
        | CliCommand::Scale(_)
        | CliCommand::Restart(_)
        | CliCommand::Reload(_)
        | CliCommand::Releases(_)
        | CliCommand::ReleasesInfo(_)
        | CliCommand::Rollback(_)
        | CliCommand::Stop(_)
        | CliCommand::Wait(_)
        | CliCommand::Env(_)
        | CliCommand::Mcp(_)
        | CliCommand::Why(_)
        | CliCommand::Release(_)
        | CliCommand::Smoke(_)
        | CliCommand::Check(_)
        | CliCommand::Export(_)
        | CliCommand::Config(_)
        | CliCommand::ConfigGet(_)
        | CliCommand::ConfigSet(_)
        | CliCommand::ConfigUnset(_)
        | CliCommand::Completions(_)
        | CliCommand::Man(_)
        | CliCommand::Version
        | CliCommand::Topic(_) => {}
    }
    cli
}

/// Turns `local run CMD` into `local:run CMD`, `config set A=1` into `config:set A=1`, and the platform's
/// `run:detached CMD` into `run --detach CMD`.
#[must_use]
pub fn with_colons(mut words: Vec<OsString>) -> Vec<OsString> {
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word == text);
    let second = ["run", "start", "version"].into_iter().find(|second| is(1, "local") && is(2, second));
    if let Some(second) = second {
        words.splice(1..3, [OsString::from(format!("local:{second}"))]);
    }
    let mut is_value = false;
    let command = words.iter().enumerate().skip(1).find(|(_, word)| {
        let is_command = !is_value && !word.as_encoded_bytes().starts_with(b"-");
        is_value = OPTIONS_WITH_VALUE.iter().any(|option| word == option);
        is_command
    });
    match command {
        Some((at, word)) if word == "run:detached" => {
            words.splice(at..=at, ["run", "--detach"].map(OsString::from));
        }
        Some((at, word)) if word == "config" => {
            let next = words.get(at + 1).and_then(|next| next.to_str());
            if let Some(next) = next.filter(|next| CONFIG_COMMANDS.contains(next)) {
                let joined = OsString::from(format!("config:{next}"));
                words.splice(at..at + 2, [joined]);
            }
        }
        Some(_) | None => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        parse(line.split(' ').map(OsString::from)).expect("understood")
    }

    /// The exit status and, unless help is shown, the fact and the hint.
    fn refused(line: &str) -> (u8, String) {
        match parse(line.split(' ').map(OsString::from)).expect_err("refused") {
            RefusedLine::Shown(_) => (0, String::new()),
            RefusedLine::Misread(misread) => {
                let Complaint { fact, hint } = misread.complaint;
                (misread.dialect.usage_status(), format!("{fact} ({hint})"))
            }
        }
    }

    #[test]
    fn the_program_name_selects_the_options() {
        assert_eq!(parsed("/usr/local/bin/foreman start -c").dialect, Dialect::Foreman);
        assert_eq!(parsed("honcho start -c web=2").dialect, Dialect::Honcho);
        assert_eq!(parsed("dyno start -c web=2").dialect, Dialect::Dyno);
    }

    #[test]
    fn local_run_is_accepted_with_a_blank_or_a_colon() {
        assert!(matches!(parsed("dyno local run ls").command, CliCommand::LocalRun(_)));
        assert!(matches!(parsed("dyno local:run ls").command, CliCommand::LocalRun(_)));
        assert!(matches!(parsed("dyno local start").command, CliCommand::Local(_)));
        assert!(matches!(parsed("dyno local web").command, CliCommand::Local(_)));
    }

    #[test]
    fn run_detached_is_accepted_as_the_platform_writes_it() {
        for line in ["dyno run:detached rake jobs", "dyno -f Procfile run:detached rake jobs"] {
            let CliCommand::Run(args) = parsed(line).command else { panic!("another command") };
            assert!(args.detach && args.words == ["rake", "jobs"], "{line}");
        }
        let CliCommand::Run(args) = parsed("dyno run echo run:detached").command else { panic!("another command") };
        assert!(!args.detach && args.words == ["echo", "run:detached"]);
    }

    #[test]
    fn a_wrong_option_exits_with_2_but_with_1_under_the_name_foreman() {
        assert_eq!(refused("dyno start --nope").0, 2);
        assert_eq!(refused("foreman start --nope").0, 1);
        for line in ["honcho", "honcho bogus", "honcho start --nope", "honcho start -x"] {
            assert_eq!(refused(line).0, 2, "{line}");
        }
        assert_eq!(refused("foreman help").0, 0);
        assert_eq!(refused("dyno --version").0, 0);
    }

    #[test]
    fn a_mistyped_command_suggests_the_nearest() {
        for (typed, meant) in [
            ("strat", "dyno start"),
            ("completion", "dyno completions"),
            ("sart", "dyno start"),
            ("rn", "dyno run"),
            ("rnu", "dyno run"),
        ] {
            let expected = format!("unknown command `{typed}` (did you mean `{meant}`?)");
            assert_eq!(refused(&format!("dyno {typed}")), (2, expected));
        }
        assert_eq!(
            refused("dyno help strat"),
            (2, "there is no command or topic `strat` (did you mean `dyno help start`?)".to_owned())
        );
        for typed in ["xyzzy", "loca"] {
            let expected = format!("unknown command `{typed}` (`dyno --help` lists the commands)");
            assert_eq!(refused(&format!("dyno {typed}")), (2, expected));
        }
    }

    #[test]
    fn the_hint_for_an_unknown_option_says_where_the_options_are_listed() {
        for (line, option, help) in [
            ("dyno start -z", "-z", "dyno help start"),
            ("dyno local -z", "-z", "dyno help local"),
            ("dyno run --nope ls", "--nope", "dyno help run"),
            ("dyno check -z", "-z", "dyno help check"),
        ] {
            assert_eq!(refused(line), (2, format!("unknown option `{option}` (`{help}` lists its options)")));
        }
        let foreman = "unknown option `-x` (`foreman start --help` lists its options)".to_owned();
        assert_eq!(refused("foreman start -x"), (1, foreman));
    }

    #[test]
    fn a_mistake_is_reported_under_the_name_of_the_option_that_was_typed() {
        for (line, fact) in [
            ("dyno smoke --boot-timeout x", "`x` is not a valid value for `--boot-timeout`"),
            ("dyno smoke --timeout=x", "`x` is not a valid value for `--timeout`"),
            ("dyno start --app-root", "`--app-root` needs a value (write `--app-root DIR`)"),
            ("dyno --app-root=a --app-root=b start", "`--app-root` is given twice"),
            ("dyno start --no-timestamp=1", "`--no-timestamp` takes no value (write `--no-timestamp` alone)"),
            ("dyno run --heroku=1 ls", "`--heroku` takes no value"),
            ("dyno start --allow-exit", "`--allow-exit` needs a value"),
            ("foreman start --skip-color=1", "`--skip-color` takes no value"),
        ] {
            let (_, text) = refused(line);
            assert!(text.starts_with(fact), "{line}: {text}");
        }
    }

    #[test]
    fn help_of_help_is_help_and_v_is_the_version() {
        for line in ["dyno help --help", "dyno help -h", "dyno help help", "dyno -v", "dyno -V", "dyno"] {
            assert_eq!(refused(line), (0, String::new()), "{line}");
        }
    }
}
