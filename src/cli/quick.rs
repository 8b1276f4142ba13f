//! Parses the commands whose speed matters with a parser for that command alone.
//!
//! To build the parser of every command takes longer than all the rest of `dyno ps`. Whatever is not understood here,
//! such as an error or a request for help, goes to the complete parser.

use std::ffi::OsString;

use clap::{Args, FromArgMatches};

use super::help;
use super::{
    Cli, LsArgs, ProjectArgs, PsArgs, RestartArgs, RunArgs, ScaleArgs, StartArgs, StopArgs, WaitForArgs, WhyArgs,
};

type AddArguments = fn(clap::Command) -> clap::Command;

/// The commands, their other spellings, and their arguments.
const COMMANDS: [(&str, &[&str], AddArguments); 10] = [
    ("start", &["s"], StartArgs::augment_args),
    ("local", &["local:start"], StartArgs::augment_args),
    ("run", &[], RunArgs::augment_args),
    ("ps", &[], PsArgs::augment_args),
    ("ls", &["apps"], LsArgs::augment_args),
    ("scale", &["ps:scale"], ScaleArgs::augment_args),
    ("restart", &["ps:restart"], RestartArgs::augment_args),
    ("stop", &["ps:stop"], StopArgs::augment_args),
    ("wait", &["ps:wait"], WaitForArgs::augment_args),
    ("why", &["ps:why"], WhyArgs::augment_args),
];

/// Parses a command line of `dyno`. None: the complete parser has to do it.
pub(super) fn parse(words: &[OsString]) -> Option<Cli> {
    let typed = words.get(1)?.to_str()?;
    let (name, _, arguments) = COMMANDS.iter().find(|(name, also, _)| *name == typed || also.contains(&typed))?;
    let command = arguments(clap::Command::new(*name)).disable_help_flag(true).arg(help::flag());
    let root = ProjectArgs::augment_args(clap::Command::new("dyno")).subcommand(command);
    let words = ["dyno".into(), (*name).into()].into_iter().chain(words.iter().skip(2).cloned());
    let matches = root.try_get_matches_from(words).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

#[cfg(test)]
mod tests {
    use super::super::help::Extent;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_line_means_the_same_to_the_complete_parser() {
        for line in [
            "dyno start",
            "dyno s web worker",
            "dyno start -f a/Procfile -e .env,.env.local web=2 -p 6000 -t 3 --no-color",
            "dyno local web",
            "dyno local:start",
            "dyno run -- ls -h",
            "dyno run ls -l",
            "dyno ps --json",
            "dyno scale web=2 worker+1 --wait",
            "dyno ps:scale web=2",
            "dyno restart web.1 --wait",
            "dyno ps:restart",
            "dyno stop web",
            "dyno stop -t 0 web",
            "dyno wait db:5433 --timeout 5 -- echo -n one",
            "dyno ps:why web.1",
            "dyno ps:stop worker.2",
        ] {
            let quick = parse(&words(line));
            let complete = help::command(Extent::Screen).try_get_matches_from(words(line)).expect(line);
            let complete = Cli::from_arg_matches(&complete).expect(line);
            assert_eq!(format!("{quick:?}"), format!("{:?}", Some(complete)), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_goes_to_the_complete_parser() {
        for line in
            ["dyno", "dyno start --nope", "dyno start -h", "dyno run -h", "dyno ps --version", "dyno -f x start"]
        {
            assert!(parse(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn every_other_spelling_is_known_to_the_complete_parser() {
        let complete = help::command(Extent::Screen);
        for (name, also, _) in COMMANDS {
            let command = complete.get_subcommands().find(|command| command.get_name() == name).expect(name);
            assert_eq!(command.get_all_aliases().collect::<Vec<_>>(), also, "{name}");
        }
    }
}
