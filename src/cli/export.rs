//! Options of `dyno export` (S18).

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use super::help::{LIFE, PORTS_AND_VARIABLES, WHAT_RUNS};
use super::start::{Seconds, restarts};
use super::{FormationArgs, Offers, OrderArgs, ProjectArgs, VariableArgs};
use crate::export::ExportFormat;

/// Options of `dyno export`: those of `start` that decide what runs, and where the files go.
#[derive(Debug, Default, PartialEq, Args)]
#[command(
    mut_arg("procfile", |procfile| procfile.hide_short_help(true)),
    mut_arg("root", |root| root.hide_short_help(true)),
    mut_arg("env", |env| env.hide_short_help(true)),
    mut_arg("set", |set| set.hide_short_help(true)),
    after_help = "Examples:\n  dyno export systemd                        list the files\n  dyno export systemd /etc/systemd/system -u deploy\n  dyno export kubernetes k8s --image shop:42 --diff"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line, independent of the others")]
pub struct ExportArgs {
    /// What the files are for
    #[arg(value_parser = format())]
    pub format: ExportFormat,
    /// Directory of the files; without it, they are only listed
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,

    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Set the whole formation; other types get 0
    ///
    /// `all=1` sets the quantity of types that are not named.
    #[arg(short = 'm', long, value_name = "all=1,web=2", help_heading = WHAT_RUNS, hide_short_help = true, add = Offers::WholeFormation)]
    pub formation: Option<String>,
    /// Change single quantities; other types run once
    #[arg(short = 'c', long, value_name = "web=2", conflicts_with = "formation", help_heading = WHAT_RUNS, hide_short_help = true, add = Offers::Quantities)]
    pub concurrency: Option<String>,
    /// Leave process types out
    #[arg(short = 'x', long, value_name = "TYPE,…", value_delimiter = ',', help_heading = WHAT_RUNS, hide_short_help = true, add = Offers::ProcessTypes)]
    pub except: Vec<String>,
    /// Leave the release command out
    #[arg(long, help_heading = WHAT_RUNS, hide_short_help = true)]
    pub no_release: bool,
    /// Name of the app [default: that of its directory]
    #[arg(short = 'a', long, value_name = "NAME", help_heading = WHAT_RUNS, hide_short_help = true)]
    pub app: Option<String>,

    /// Base port [default: 5000]
    #[arg(short = 'p', long, value_name = "PORT", allow_negative_numbers = true, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub port: Option<String>,
    /// Ports between process types [default: 100]
    #[arg(long, value_name = "N", help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub port_step: Option<u16>,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,

    /// User that runs the app
    #[arg(short = 'u', long, value_name = "USER")]
    pub user: Option<String>,
    /// Write the log to files in this directory
    #[arg(short = 'l', long, alias = "log", value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true)]
    pub log_dir: Option<PathBuf>,
    /// Image of the app, for containers
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Host name of the app [default: APP.example.com]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub host: Option<String>,
    /// Units for `systemctl --user`
    #[arg(long, hide_short_help = true)]
    pub user_units: bool,

    /// Print the files instead of writing them
    #[arg(long, conflicts_with = "diff")]
    pub stdout: bool,
    /// Print what would change; status 1 if something would
    #[arg(long, requires = "directory")]
    pub diff: bool,
    /// Also replace files that were edited
    #[arg(long)]
    pub force: bool,
    /// Write only the names of config vars
    #[arg(long, hide_short_help = true)]
    pub no_values: bool,

    /// Types that must listen [default: web]
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub ready: Vec<String>,
    /// Path that they must answer [default STATUS: 200-399]
    #[arg(long, value_name = "/PATH[=STATUS]", help_heading = LIFE, hide_short_help = true)]
    pub http: Option<String>,
    /// Expected status, if it cannot follow the path
    #[arg(long, value_name = "STATUS", requires = "http", help_heading = LIFE, hide_short_help = true)]
    pub http_status: Option<String>,
    /// Which types start after others.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Types that may exit
    ///
    /// `TYPE`: with status 0; `TYPE=any`: with any status. They are then not started again. `--allow-exit` is the same
    /// option.
    #[arg(long, value_name = "TYPE[=any],…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::MayExit)]
    pub can_die: Vec<String>,
    /// Same as `--can-die`
    // Not an alias, so that messages use the name that was typed.
    #[arg(long, value_name = "TYPE[=any],…", value_delimiter = ',', hide = true, add = Offers::MayExit)]
    pub allow_exit: Vec<String>,
    /// Give up after N restarts in a row [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = restarts, help_heading = LIFE, hide_short_help = true)]
    pub max_restarts: Option<u32>,
    /// Longest pause between two restarts [default: 60]
    ///
    /// With 0 every restart is immediate.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = LIFE, hide_short_help = true)]
    pub max_delay: Option<Seconds>,
    /// Stop dynos of a type with a signal other than TERM
    #[arg(long, value_name = "TYPE=SIGNAL,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::StopSignals)]
    pub stop_signal: Vec<String>,
    /// Send the stop signal to all processes of these types at once; `all` means every type
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub stop_all: Vec<String>,
    /// Seconds from the stop signal until SIGKILL [default: 5]
    ///
    /// The default with --heroku is 30.
    #[arg(short = 't', long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = LIFE, hide_short_help = true)]
    pub timeout: Option<Seconds>,
    /// Behave like the platform
    ///
    /// 30 s grace period, profile, and the stop signal to all processes at once: each is also a separate option.
    #[arg(long, help_heading = LIFE, hide_short_help = true)]
    pub heroku: bool,
    /// Source .profile.d/*.sh and .profile in bash before each command
    #[arg(long, help_heading = LIFE, hide_short_help = true)]
    pub profile: bool,
    /// Whether foreman's `-t` names templates, which `dyno` does not have.
    #[arg(skip)]
    pub has_template: bool,
}

impl ExportArgs {
    /// Which dynos run.
    #[must_use]
    pub fn formation_args(&self) -> FormationArgs {
        FormationArgs {
            formation: self.formation.clone(),
            concurrency: self.concurrency.clone(),
            except: self.except.clone(),
            ..FormationArgs::default()
        }
    }
}

/// The names of all formats.
fn format() -> impl TypedValueParser<Value = ExportFormat> {
    PossibleValuesParser::new(ExportFormat::ALL.map(ExportFormat::name))
        .map(|name| ExportFormat::of_name(&name).unwrap_or(ExportFormat::Systemd))
}
