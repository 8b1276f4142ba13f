//! What options and `.foreman` decide, resolved once.
//!
//! Each command that starts dynos turns its own options into [`Settings`]; nothing below this layer reads a command line.
//! What depends on the Procfile, such as the types that an option names, is looked up by the methods here.

mod file_option;
mod focus;
mod formation;
mod life;
mod look;
mod named_files;
mod order;
mod ports;
mod precedence;
mod router;
mod stop_signal;
mod variable_options;
mod watch;

use crate::app::ForemanFile;
use crate::cli::{CheckArgs, ExportArgs, LogArgs, PtyMode, ReleaseArgs, SmokeArgs, StartArgs, StdinMode};
use crate::model::Shell;

pub(crate) use file_option::file_option;
pub(crate) use focus::focused;
pub(crate) use formation::{NOTHING_TO_START, RequestedFormation, quantity_hint, without_repeats};
pub(crate) use life::{Life, known_types, restart_policy};
pub(crate) use look::Look;
pub(crate) use named_files::NamedFiles;
pub(crate) use order::RequestedOrder;
pub(crate) use ports::{BasePort, PortSettings, port_list};
pub(crate) use precedence::{ForemanRank, Given, SetBy, ranked};
pub(crate) use router::RouterSettings;
pub(crate) use variable_options::VariableOptions;
pub(crate) use watch::RequestedWatch;

/// Everything that options and `.foreman` decide about dynos that are started.
#[derive(Debug)]
pub(crate) struct Settings {
    /// How many dynos run.
    pub(crate) formation: RequestedFormation,
    /// Whether the release command runs first.
    pub(crate) runs_release: bool,
    /// How ports are chosen.
    pub(crate) ports: PortSettings,
    /// How config vars are read.
    pub(crate) variables: VariableOptions,
    /// When dynos start, restart and stop.
    pub(crate) life: Life,
    /// How the log looks and where it goes.
    pub(crate) look: Look,
    /// What the streams of dynos are connected to.
    pub(crate) streams: StreamSettings,
    /// The shell of every command. Bash first sources the profile of the app (S3.3).
    pub(crate) shell: Shell,
    /// The names of the app and of this start.
    pub(crate) names: NameSettings,
    /// What restarts when files change.
    pub(crate) watch: RequestedWatch,
    /// The router.
    pub(crate) router: RouterSettings,
}

/// The names of the app and of this start (S10.1, S10.3).
#[derive(Debug, Default)]
pub(crate) struct NameSettings {
    /// The name of the app. None: that of its directory.
    pub(crate) app: Option<String>,
    /// The value of `--name`: this start runs beside another one of the same app.
    pub(crate) copy: Option<String>,
}

impl NameSettings {
    /// The names that `.foreman` alone decides.
    pub(crate) fn of_file(file: &ForemanFile) -> Self {
        Self::new(None, None, file)
    }

    /// The names that options and `.foreman` decide.
    pub(crate) fn new(app: Option<&String>, copy: Option<&String>, file: &ForemanFile) -> Self {
        let of_file = file.app.as_ref().map(|setting| &setting.value);
        Self { app: app.or(of_file).cloned(), copy: copy.cloned() }
    }
}

/// What the streams of dynos are connected to (S6.1, S6.8).
#[derive(Debug, Default)]
pub(crate) struct StreamSettings {
    /// When they get a terminal.
    pub(crate) pty: PtyMode,
    /// Whether stdin of a dyno without a terminal is `/dev/null`.
    pub(crate) null_stdin: bool,
    /// The dyno that `--focus` names.
    pub(crate) focus: Option<String>,
    /// Whether the Procfile is read from stdin.
    pub(crate) procfile_is_stdin: bool,
}

impl Settings {
    /// The settings of `dyno start`. `color`: the choice of the options.
    pub(crate) fn of_start(args: &StartArgs, color: clap::ColorChoice, file: &ForemanFile) -> Self {
        Self {
            formation: RequestedFormation::new(&args.formation, file),
            runs_release: !args.no_release,
            ports: PortSettings {
                base: args.port.clone(),
                step: args.port_step,
                strict: args.strict_ports,
                fixed: args.fixed_ports,
                only_files: false,
            },
            variables: (&args.variables).into(),
            life: Life {
                restart: life::restart(args),
                boot_timeout: args.boot_timeout.map(|seconds| seconds.0).or(life::default_boot_timeout(args.heroku)),
                ready: args.ready.clone(),
                detached: args.detach.is_some(),
                http: args.http.clone(),
                http_status: args.http_status.clone(),
                may_exit: life::may_exit(&args.can_die, &args.allow_exit),
                stop_signals: args.stop_signal.clone(),
                stop_all: args.stop_all.clone(),
                after: RequestedOrder::new(&args.order, file),
                ..Life::new(args.heroku, args.timeout, file)
            },
            look: Look::new(&args.log, &args.quiet, args.heroku).or_file(&args.log, color, file),
            streams: StreamSettings {
                pty: if args.detach.is_some() { args.pty.or_terminal() } else { args.pty },
                null_stdin: args.stdin == StdinMode::Null,
                focus: args.focus.clone(),
                procfile_is_stdin: args.project.procfile.as_deref().is_some_and(|path| path.as_os_str() == "-"),
            },
            shell: shell(args.heroku || args.profile),
            names: NameSettings::new(args.app.as_ref(), args.name.as_ref(), file),
            watch: RequestedWatch::new(&args.watch, file),
            router: RouterSettings::new(&args.router, args.heroku, file),
        }
    }

    /// The settings of a start without options, as the files alone decide it.
    pub(crate) fn of_files(file: &ForemanFile) -> Self {
        let ports = PortSettings { only_files: true, ..PortSettings::default() };
        Self { ports, ..Self::of_start(&StartArgs::default(), clap::ColorChoice::Auto, file) }
    }

    /// The settings of a start with the options that `dyno check` has, too.
    pub(crate) fn of_check(args: &CheckArgs, file: &ForemanFile) -> Self {
        let of_files = Self::of_files(file);
        Self { life: Life { after: RequestedOrder::new(&args.order, file), ..of_files.life }, ..of_files }
    }

    /// The settings of a start that `dyno export` describes: without a router, a terminal or a log of our own.
    pub(crate) fn of_export(args: &ExportArgs, file: &ForemanFile) -> Self {
        Self {
            formation: RequestedFormation::new(&args.formation_args(), file),
            runs_release: !args.no_release,
            ports: PortSettings { base: args.port.clone(), step: args.port_step, ..PortSettings::default() },
            variables: (&args.variables).into(),
            life: Life {
                boot_timeout: None,
                ready: args.ready.clone(),
                http: args.http.clone(),
                http_status: args.http_status.clone(),
                may_exit: life::may_exit(&args.can_die, &args.allow_exit),
                stop_signals: args.stop_signal.clone(),
                stop_all: args.stop_all.clone(),
                after: RequestedOrder::new(&args.order, file),
                ..Life::new(args.heroku, args.timeout, file)
            },
            look: Look::new(&LogArgs::default(), &[], false),
            streams: StreamSettings::default(),
            shell: shell(args.heroku || args.profile),
            names: NameSettings::new(args.app.as_ref(), None, file),
            watch: RequestedWatch::default(),
            router: RouterSettings::of_none(args.heroku),
        }
    }

    /// The settings of `dyno release`, which starts no formation.
    pub(crate) fn of_release(args: &ReleaseArgs, color: clap::ColorChoice, file: &ForemanFile) -> Self {
        Self {
            formation: RequestedFormation::default(),
            runs_release: true,
            ports: PortSettings::default(),
            variables: (&args.variables).into(),
            life: Life::new(args.heroku, args.timeout, file),
            look: Look::new(&args.log, &[], args.heroku).or_file(&args.log, color, file),
            streams: StreamSettings { pty: args.pty, ..StreamSettings::default() },
            shell: shell(args.heroku || args.profile),
            names: NameSettings::of_file(file),
            watch: RequestedWatch::default(),
            router: RouterSettings::of_none(args.heroku),
        }
    }

    /// The settings of `dyno smoke`: free ports, no terminal, and the same look everywhere, whatever `.foreman` says.
    pub(crate) fn of_smoke(args: &SmokeArgs, color: clap::ColorChoice, file: &ForemanFile) -> Self {
        Self {
            // With `--start` there is no Procfile, from whose types the formation of the file chooses.
            formation: match args.start {
                Some(_) => RequestedFormation::default(),
                None => RequestedFormation::new(&args.formation, file),
            },
            runs_release: !args.no_release,
            ports: PortSettings { base: Some("auto".to_owned()), ..PortSettings::default() },
            variables: (&args.variables).into(),
            life: Life {
                boot_timeout: Some(args.boot_timeout()),
                ready: args.ready.clone(),
                http: args.http.clone(),
                http_status: args.http_status.clone(),
                may_exit: life::may_exit(&args.can_die, &args.allow_exit),
                stop_signals: args.stop_signal.clone(),
                stop_all: args.stop_all.clone(),
                after: RequestedOrder::new(&args.order, file),
                ..Life::new(args.heroku, args.grace, file)
            },
            look: Look { color, ..Look::new(&args.log, &args.quiet, args.heroku) },
            streams: StreamSettings {
                pty: PtyMode::Never,
                null_stdin: args.stdin == StdinMode::Null,
                ..StreamSettings::default()
            },
            shell: shell(args.heroku || args.profile),
            names: NameSettings::of_file(file),
            watch: RequestedWatch::default(),
            router: RouterSettings::of_none(args.heroku),
        }
    }
}

fn shell(reads_profile: bool) -> Shell {
    if reads_profile { Shell::Bash } else { Shell::Sh }
}

#[cfg(test)]
mod tests {
    use clap::{ColorChoice, Parser};

    use super::*;
    use crate::cli::{Cli, CliCommand};

    /// The settings of a command line, as text.
    fn settings(words: &[&[&str]]) -> String {
        let words = [&["dyno"], words.concat().as_slice()].concat();
        let cli = Cli::try_parse_from(words).expect("understood");
        let (color, file) = (cli.color(), ForemanFile::default());
        let settings = if let CliCommand::Start(args) = &cli.command {
            // The others have no router.
            Settings { router: RouterSettings::of_none(args.heroku), ..Settings::of_start(args, color, &file) }
        } else if let CliCommand::Release(args) = &cli.command {
            Settings::of_release(args, color, &file)
        } else if let CliCommand::Smoke(args) = &cli.command {
            Settings::of_smoke(args, color, &file)
        } else {
            panic!("the command starts nothing")
        };
        format!("{settings:#?}")
    }

    const SHARED: [&str; 12] = [
        "--set",
        "A=1",
        "--prefer-shell",
        "--heroku",
        "--profile",
        "--color",
        "always",
        "--log-format",
        "text",
        "--no-timestamps",
        "--no-prefix",
        "--log-dir=log",
    ];

    #[test]
    fn the_options_of_release_work_as_in_start() {
        for options in [&[][..], &SHARED, &["-t", "3", "--pty", "never"]] {
            assert_eq!(settings(&[&["release"], options]), settings(&[&["start"], options]));
        }
    }

    #[test]
    fn each_option_of_smoke_means_what_it_means_for_a_start() {
        let own = [
            "-l",
            "web",
            "-c",
            "web=2",
            "-x",
            "css",
            "--no-release",
            "--ready",
            "web",
            "--http",
            "/up?a=b",
            "--http-status",
            "204",
            "--stop-signal",
            "web=INT",
            "--stdin",
            "null",
            "-q",
            "web",
            "--allow-exit",
            "worker=any",
            "--after",
            "worker=web",
            "worker",
        ];
        let fixed = ["-p", "auto", "--pty", "never", "--boot-timeout", "60"];

        for options in [&[][..], &SHARED, &own, &["-m", "all=1"]] {
            assert_eq!(settings(&[&["smoke"], options]), settings(&[&["start"], &fixed, options]));
        }
    }

    #[test]
    fn no_color_is_the_same_as_color_never() {
        let cli = |option| Cli::try_parse_from(["dyno", "start", option]).expect("understood").color();

        assert_eq!((cli("--no-color"), cli("--color=always")), (ColorChoice::Never, ColorChoice::Always));
    }
}
