//! The command line of honcho 2.0.
//!
//! Scripts rely on this: the common options may come before or after the task, long options may be shortened, `-c` changes
//! single quantities, and `run` never means a process type.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::app::list_items;
use crate::cli::{CheckArgs, Cli, CliCommand, FormationArgs, LogArgs, ProjectArgs, RunArgs, StartArgs, TypeWord};
use crate::model::Dialect;

#[derive(Debug, Parser)]
#[command(
    name = "honcho",
    about = "`dyno` under the name `honcho`: manages Procfile-based applications",
    args_override_self = true,
    infer_long_args = true,
    disable_version_flag = true
)]
pub(in crate::cli) struct Honcho {
    /// Print the version
    #[arg(short = 'v', long)]
    version: bool,
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    task: Option<HonchoTask>,
}

#[derive(Debug, Subcommand)]
enum HonchoTask {
    /// Start the application, or specific processes
    #[command(args_override_self = true, infer_long_args = true)]
    Start(Box<HonchoStart>),
    /// Run a command using the application's environment
    #[command(args_override_self = true, infer_long_args = true)]
    Run(HonchoRun),
    /// Validate a Procfile
    #[command(args_override_self = true, infer_long_args = true)]
    Check(Common),
    /// Print the version
    Version,
    /// Not available: `dyno export` writes files for other engines
    #[command(hide = true, disable_help_flag = true)]
    Export {
        /// The format, the directory and options, which are not read
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        words: Vec<OsString>,
    },
}

/// The options that may come before or after the task.
#[derive(Debug, Args)]
struct Common {
    /// Environment files, separated by commas [default: .env]
    #[arg(short = 'e', long)]
    env: Option<OsString>,
    /// Directory of Procfile and .env [default: .]
    #[arg(short = 'd', long, value_name = "DIR", alias = "root")]
    app_root: Option<PathBuf>,
    /// No colours
    #[arg(long, alias = "no-color")]
    no_colour: bool,
    /// Leave out time and name
    #[arg(long)]
    no_prefix: bool,
    /// Procfile to read [default: Procfile]
    #[arg(short = 'f', long, value_name = "FILE")]
    procfile: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct HonchoStart {
    #[command(flatten)]
    common: Common,
    /// Base port [default: 5000]
    #[arg(short = 'p', long)]
    port: Option<String>,
    /// The number of each process type to run, such as `web=2,worker=1`; others run once
    #[arg(short = 'c', long, value_name = "TYPE=N,…")]
    concurrency: Option<String>,
    /// Processes whose output is not shown
    #[arg(short = 'q', long, value_name = "TYPE,…")]
    quiet: Option<String>,
    /// Processes to start [default: all]
    processes: Vec<String>,
}

#[derive(Debug, Args)]
struct HonchoRun {
    #[command(flatten)]
    common: Common,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Reads the words of a command line; the first is the program.
pub(in crate::cli) fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let honcho = Honcho::try_parse_from(words)?;
    let before = &honcho.common;
    let command = match honcho.task {
        _ if honcho.version => CliCommand::Version,
        Some(HonchoTask::Version) => CliCommand::Version,
        Some(HonchoTask::Start(start)) => CliCommand::Start(Box::new(start.translate(before.no_prefix))),
        Some(HonchoTask::Run(run)) => CliCommand::Run(RunArgs {
            project: run.common.project(),
            words: run.words,
            type_word: TypeWord::Never,
            ..RunArgs::default()
        }),
        Some(HonchoTask::Check(common)) => {
            CliCommand::Check(CheckArgs { project: common.project(), ..CheckArgs::default() })
        }
        // The command itself refuses this dialect, whatever the format (S18.1).
        Some(HonchoTask::Export { .. }) => CliCommand::Export(Box::default()),
        None => {
            let message = "the following arguments are required: command\n";
            return Err(clap::Error::raw(clap::error::ErrorKind::MissingSubcommand, message));
        }
    };
    Ok(Cli { project: before.project(), dialect: Dialect::Honcho, command })
}

impl Common {
    fn project(&self) -> ProjectArgs {
        ProjectArgs {
            procfile: self.procfile.clone(),
            root: self.app_root.clone(),
            env: self.env.iter().map(PathBuf::from).collect(),
            no_color: self.no_colour,
        }
    }
}

impl HonchoStart {
    fn translate(self, no_prefix: bool) -> StartArgs {
        StartArgs {
            project: self.common.project(),
            formation: FormationArgs {
                types: self.processes,
                concurrency: self.concurrency,
                ..FormationArgs::default()
            },
            port: self.port,
            log: LogArgs { no_prefix: no_prefix || self.common.no_prefix, ..LogArgs::default() },
            quiet: self.quiet.iter().flat_map(|list| list_items(list)).map(str::to_owned).collect(),
            // honcho signals the whole group of each process (S6.6).
            stop_all: vec!["all".to_owned()],
            ..StartArgs::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        parse(&std::iter::once("honcho").chain(line.split_ascii_whitespace()).map(OsString::from).collect::<Vec<_>>())
    }

    fn start(line: &str) -> StartArgs {
        let CliCommand::Start(args) = read(line).expect("understood").command else { panic!("another command") };
        *args
    }

    #[test]
    fn common_options_may_precede_the_task_and_later_ones_win() {
        let cli = read("-e .env.x -d a --no-prefix start -d b").expect("understood");

        let CliCommand::Start(args) = &cli.command else { panic!("another command") };
        let project = cli.project(&args.project);
        assert_eq!((project.env, project.root), (vec![".env.x".into()], Some("b".into())));
        assert!(args.log.no_prefix);
    }

    #[test]
    fn dash_c_changes_quantities_and_processes_are_named_one_by_one() {
        let args = start("start -c web=2 -p 6000 -q web, web worker");

        assert_eq!(args.formation.concurrency.as_deref(), Some("web=2"));
        assert_eq!((args.port.as_deref(), args.quiet), (Some("6000"), vec!["web".to_owned()]));
        assert_eq!(args.formation.types, ["web", "worker"]);
    }

    #[test]
    fn a_long_option_may_be_shortened() {
        assert_eq!(start("start --conc web=2").formation.concurrency.as_deref(), Some("web=2"));
        assert!(read("start --no-col").is_ok_and(|cli| matches!(cli.command, CliCommand::Start(_))));
    }

    #[test]
    fn run_accepts_a_separator_and_options_of_the_command() {
        for line in ["run -- ls -e", "run ls -e"] {
            let CliCommand::Run(args) = read(line).expect("understood").command else { panic!("another command") };
            assert_eq!((args.words, args.type_word), (vec!["ls".into(), "-e".into()], TypeWord::Never), "{line}");
        }
    }

    #[test]
    fn the_version_has_three_spellings_and_no_task_is_an_error() {
        for line in ["version", "-v", "--version"] {
            assert!(matches!(read(line).map(|cli| cli.command), Ok(CliCommand::Version)), "{line}");
        }
        assert!(read("").is_err_and(|error| error.use_stderr()));
        assert!(read("help start").is_err_and(|error| !error.use_stderr()));
    }
}
