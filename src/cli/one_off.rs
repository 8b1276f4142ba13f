//! Options of `dyno run`.

use std::ffi::OsString;

use clap::Args;

use super::help::{LIFE, OUTPUT};
use super::{Offers, ProjectArgs, RunningArgs, VariableArgs, WaitArgs, WhichArgs};

/// Options of `dyno run`.
#[derive(Debug, Default, Args)]
#[command(
    override_usage = "dyno run [OPTIONS] COMMAND [WORD…]",
    mut_arg("app", |app| app.requires("detach")),
    mut_arg("name", |name| name.requires("detach")),
    mut_arg("pid", |pid| pid.requires("detach")),
    mut_arg("seconds", |wait| wait.requires("detach").help("With `--detach`: wait for its end [default: 60 seconds]").hide_short_help(true)),
    after_help = "Examples:\n  dyno run rails console           several words are passed on as they are\n  dyno run 'echo $DATABASE_URL'    one word is run by the shell\n  dyno run worker --once           a process type with more arguments\n  dyno run --detach rake jobs      inside the running app; see its log\n\nOptions after the command belong to the command."
)]
pub struct RunArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Source .profile.d/*.sh and .profile in bash first
    ///
    /// `--heroku` means the same here.
    #[arg(long, alias = "heroku", help_heading = LIFE)]
    pub profile: bool,
    /// Run it in the running app; its output goes to the log
    #[arg(long, conflicts_with_all = ["env", "prefer_shell", "profile"], help_heading = LIFE)]
    pub detach: bool,
    /// With `--detach`: whether to wait for its end.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// With `--detach`: which app.
    #[command(flatten)]
    pub which: WhichArgs,
    /// With `--detach`: print the dyno as JSON, and errors as JSON on stderr
    #[arg(long, requires = "detach", help_heading = OUTPUT, hide_short_help = true)]
    pub json: bool,
    /// Accepted for users of the platform's tool; all dynos have the same size.
    #[arg(short = 's', long, value_name = "SIZE", requires = "detach", hide = true)]
    pub size: Option<String>,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, add = Offers::CommandWords)]
    pub words: Vec<OsString>,
    /// When the first word is read as a process type.
    #[arg(skip)]
    pub type_word: TypeWord,
}

impl RunArgs {
    /// Which app `--detach` is about, and how the result is printed.
    #[must_use]
    pub fn running(&self) -> RunningArgs {
        let ProjectArgs { root, procfile, .. } = self.project.clone();
        RunningArgs { root, procfile, which: self.which.clone(), json: self.json }
    }
}

/// When the first word of `run` is read as a process type (S9.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TypeWord {
    /// Whenever it names one; the other words are appended.
    #[default]
    First,
    /// If it is the only word (foreman).
    Alone,
    /// Never (honcho).
    Never,
}
