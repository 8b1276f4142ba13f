//! The command line of foreman 0.90.
//!
//! Scripts rely on this: `-c` means colour, the last of a repeated option wins, subcommands may be shortened, and without
//! one the help is printed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};

use crate::app::one_of;
use crate::cli::{
    CheckArgs, Cli, CliCommand, ExportArgs, FormationArgs, LogArgs, ProjectArgs, RunArgs, Seconds, StartArgs, TypeWord,
    file_list,
};
use crate::export::ExportFormat;
use crate::model::Dialect;

/// The formats of foreman that `dyno` writes, and those that it does not.
const FORMATS: [ExportFormat; 4] =
    [ExportFormat::Systemd, ExportFormat::Supervisord, ExportFormat::Runit, ExportFormat::Launchd];
const OTHER_FORMATS: [&str; 4] = ["bluepill", "daemon", "inittab", "upstart"];

#[derive(Debug, Parser)]
#[command(
    name = "foreman",
    about = "`dyno` under the name `foreman`: runs a Procfile app",
    args_override_self = true,
    infer_subcommands = true,
    disable_version_flag = true
)]
pub(in crate::cli) struct Foreman {
    /// Print the version
    #[arg(short = 'v', long)]
    version: bool,
    #[command(flatten)]
    files: Files,
    #[command(subcommand)]
    task: Option<ForemanTask>,
}

#[derive(Debug, Subcommand)]
enum ForemanTask {
    /// Start the app, or one PROCESS
    #[command(args_override_self = true)]
    Start(Box<ForemanStart>),
    /// Run a command, or a process, with the app's environment
    #[command(args_override_self = true)]
    Run(ForemanRun),
    /// Write files that run the app: `export FORMAT LOCATION`
    #[command(args_override_self = true)]
    Export(Box<ForemanExport>),
    /// Check the Procfile
    #[command(args_override_self = true)]
    Check(Files),
    /// Print the version
    Version,
}

/// The options that all commands share.
#[derive(Debug, Clone, Args)]
struct Files {
    /// Procfile to read [default: Procfile]
    #[arg(short = 'f', long, value_name = "PROCFILE")]
    procfile: Option<PathBuf>,
    /// Directory of the app [default: where the Procfile is]
    #[arg(short = 'd', long, value_name = "ROOT")]
    root: Option<PathBuf>,
    /// Variable files, later ones win [default: .env]
    #[arg(short = 'e', long, value_name = "ENV", value_delimiter = ',', value_parser = file_list())]
    env: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line, independent of the others")]
struct ForemanStart {
    #[command(flatten)]
    files: Files,
    /// Process type, or a list such as `all=1,web=0`
    process: Option<String>,
    /// Force colours
    #[arg(short = 'c', long, alias = "colour", overrides_with = "no_color")]
    color: bool,
    /// No colours
    #[arg(long, aliases = ["no-colour", "skip-color"], overrides_with = "color")]
    no_color: bool,
    /// The whole formation, such as `web=1,worker=2`; other types run only with `all=`
    #[arg(short = 'm', long)]
    formation: Option<String>,
    /// Base port
    #[arg(short = 'p', long, allow_negative_numbers = true)]
    port: Option<String>,
    /// Seconds between SIGTERM and SIGKILL
    #[arg(short = 't', long, allow_negative_numbers = true)]
    timeout: Option<Seconds>,
    /// Show the time of day
    #[arg(long, overrides_with = "no_timestamp")]
    timestamp: bool,
    /// Leave out the time of day
    #[arg(long, alias = "skip-timestamp", overrides_with = "timestamp")]
    no_timestamp: bool,
}

#[derive(Debug, Args)]
struct ForemanRun {
    #[command(flatten)]
    files: Files,
    /// The command and its arguments, or one process type
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

#[derive(Debug, Args)]
struct ForemanExport {
    #[command(flatten)]
    files: Files,
    /// What the files are for
    #[arg(value_parser = exported_format)]
    format: ExportFormat,
    /// Directory of the files
    location: PathBuf,
    /// Name of the app
    #[arg(short = 'a', long, default_value = "app")]
    app: String,
    /// User that runs the app [default: the name of the app]
    #[arg(short = 'u', long)]
    user: Option<String>,
    /// Directory of the log files
    #[arg(short = 'l', long)]
    log: Option<PathBuf>,
    /// Directory of pid files, which no format here has
    #[arg(short = 'r', long, hide = true)]
    run: Option<PathBuf>,
    /// Base port
    #[arg(short = 'p', long, allow_negative_numbers = true)]
    port: Option<String>,
    /// The whole formation, such as `web=1,worker=2`
    #[arg(short = 'm', long)]
    formation: Option<String>,
    /// Single quantities, such as `web=2`
    #[arg(short = 'c', long)]
    concurrency: Option<String>,
    /// Directory of templates, which `dyno` does not have
    #[arg(short = 't', long, hide = true)]
    template: Option<PathBuf>,
    /// Seconds between SIGTERM and SIGKILL
    #[arg(long, allow_negative_numbers = true)]
    timeout: Option<Seconds>,
}

/// The format, or what to write instead of one that only foreman has.
fn exported_format(text: &str) -> Result<ExportFormat, String> {
    if let Some(format) = ExportFormat::of_name(text).filter(|format| FORMATS.contains(format)) {
        return Ok(format);
    }
    let names: Vec<String> = FORMATS.iter().map(|format| format!("`{format}`")).collect();
    let known = OTHER_FORMATS.contains(&text);
    let other = if known { format!("; `dyno` writes no files for {text}") } else { String::new() };
    Err(format!("{}{other}", one_of(&names)))
}

/// Reads the words of a command line; the first is the program.
pub(in crate::cli) fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let foreman = Foreman::try_parse_from(words)?;
    let command = match foreman.task {
        _ if foreman.version => CliCommand::Version,
        Some(ForemanTask::Version) => CliCommand::Version,
        Some(ForemanTask::Start(start)) => CliCommand::Start(Box::new(start.translate())),
        Some(ForemanTask::Run(run)) => CliCommand::Run(run.translate()),
        Some(ForemanTask::Export(export)) => CliCommand::Export(Box::new(export.translate())),
        Some(ForemanTask::Check(files)) => {
            CliCommand::Check(CheckArgs { project: files.translate(), ..CheckArgs::default() })
        }
        // Without a task foreman prints its help, which is not an error.
        None => return parse(&["foreman".into(), "--help".into()]),
    };
    Ok(Cli { project: foreman.files.translate(), dialect: Dialect::Foreman, command })
}

impl Files {
    fn translate(self) -> ProjectArgs {
        ProjectArgs { procfile: self.procfile, root: self.root, env: self.env, no_color: false }
    }
}

impl ForemanStart {
    fn translate(self) -> StartArgs {
        let color = match (self.color, self.no_color) {
            (true, _) => ColorChoice::Always,
            (false, true) => ColorChoice::Never,
            (false, false) => ColorChoice::Auto,
        };
        StartArgs {
            project: self.files.translate(),
            formation: FormationArgs {
                types: self.process.into_iter().collect(),
                formation: self.formation,
                ..FormationArgs::default()
            },
            port: self.port,
            timeout: self.timeout,
            log: LogArgs {
                color,
                no_timestamps: self.no_timestamp && !self.timestamp,
                timestamps: self.timestamp,
                ..LogArgs::default()
            },
            ..StartArgs::default()
        }
    }
}

impl ForemanExport {
    fn translate(self) -> ExportArgs {
        ExportArgs {
            format: self.format,
            directory: Some(self.location),
            project: self.files.translate(),
            user: Some(self.user.unwrap_or_else(|| self.app.clone())),
            app: Some(self.app),
            log_dir: self.log,
            port: self.port,
            formation: self.formation,
            concurrency: self.concurrency,
            timeout: self.timeout,
            has_template: self.template.is_some(),
            ..ExportArgs::default()
        }
    }
}

impl ForemanRun {
    fn translate(self) -> RunArgs {
        RunArgs { project: self.files.translate(), words: self.words, type_word: TypeWord::Alone, ..RunArgs::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        parse(&std::iter::once("foreman").chain(line.split_ascii_whitespace()).map(OsString::from).collect::<Vec<_>>())
    }

    fn start(line: &str) -> StartArgs {
        let CliCommand::Start(args) = read(line).expect("understood").command else { panic!("another command") };
        *args
    }

    #[test]
    fn the_line_of_rails_bin_dev_is_understood() {
        let args = start("start -f Procfile.dev --env /dev/null -m all=1,web=0");

        let project = ProjectArgs {
            procfile: Some("Procfile.dev".into()),
            env: vec!["/dev/null".into()],
            ..ProjectArgs::default()
        };
        let formation = FormationArgs { formation: Some("all=1,web=0".to_owned()), ..FormationArgs::default() };
        let expected = StartArgs { project, formation, ..StartArgs::default() };
        assert_eq!(args, expected);
    }

    #[test]
    fn start_accepts_a_formation_instead_of_a_process() {
        assert_eq!(start("start all=1,web=0").formation.types, ["all=1,web=0"]);
        assert_eq!(start("start web").formation.types, ["web"]);
        assert!(read("start web worker").is_err());
    }

    #[test]
    fn dash_c_is_colour_and_the_last_of_two_options_wins() {
        assert_eq!(start("start -c").log.color, ColorChoice::Always);
        assert_eq!(start("start --no-color").log.color, ColorChoice::Never);
        assert_eq!(start("start --color --no-color").log.color, ColorChoice::Never);
        assert_eq!(start("start --no-color -c").log.color, ColorChoice::Always);
        assert_eq!(start("start").log.color, ColorChoice::Auto);
        assert!(start("start --no-timestamp").log.no_timestamps && !start("start --timestamp").log.no_timestamps);
    }

    #[test]
    fn the_last_of_a_repeated_option_wins() {
        let args = start("start -m web=1 -m web=2 -p 1 -p=2 -t 3 -t4 -f a -f b");

        assert_eq!((args.formation.formation.as_deref(), args.port.as_deref()), (Some("web=2"), Some("2")));
        assert_eq!(args.timeout, Some(Seconds(Duration::from_secs(4))));
        assert_eq!(args.project.procfile, Some("b".into()));
    }

    #[test]
    fn a_task_may_be_shortened_while_it_is_unambiguous() {
        assert_eq!(start("s -p 1").port.as_deref(), Some("1"));
        assert!(matches!(read("ch").map(|cli| cli.command), Ok(CliCommand::Check(_))));
        assert!(matches!(read("v").map(|cli| cli.command), Ok(CliCommand::Version)));
    }

    #[test]
    fn options_after_the_command_of_run_belong_to_it() {
        let cli = read("run -e .env.x ls -e --color").expect("understood");

        let CliCommand::Run(args) = cli.command else { panic!("another command") };
        assert_eq!(args.words, ["ls", "-e", "--color"]);
        assert_eq!((args.type_word, args.project.env), (TypeWord::Alone, vec![".env.x".into()]));
    }

    #[test]
    fn s18_1_the_call_of_foreman_export_is_understood() {
        let line = "export systemd /etc/systemd/system -a shop -u deploy -l log -c web=2 -p 5000 --timeout 9";
        let CliCommand::Export(args) = read(line).expect("understood").command else { panic!("another command") };

        let expected = ExportArgs {
            directory: Some("/etc/systemd/system".into()),
            app: Some("shop".to_owned()),
            user: Some("deploy".to_owned()),
            log_dir: Some("log".into()),
            concurrency: Some("web=2".to_owned()),
            port: Some("5000".to_owned()),
            timeout: Some(Seconds(Duration::from_secs(9))),
            ..ExportArgs::default()
        };
        assert_eq!(*args, expected);
        let CliCommand::Export(args) = read("export systemd out").expect("understood").command else { panic!() };
        assert_eq!((args.app.as_deref(), args.user.as_deref()), (Some("app"), Some("app")));
        assert!(read("export upstart out").is_err());
    }

    #[test]
    fn the_version_has_three_spellings_and_no_task_prints_help() {
        for line in ["version", "-v", "--version"] {
            assert!(matches!(read(line).map(|cli| cli.command), Ok(CliCommand::Version)), "{line}");
        }
        for line in ["", "help", "help start", "--help"] {
            let error = read(line).expect_err("help");
            assert!(!error.use_stderr(), "{line}");
        }
    }
}
