//! Options of `dyno run`.

use std::ffi::OsString;

use clap::Args;

use super::help::LIFE;
use super::{Offers, ProjectArgs, VariableArgs};

/// Options of `dyno run`.
#[derive(Debug, Default, Args)]
#[command(
    override_usage = "dyno run [OPTIONS] COMMAND [WORD…]",
    after_help = "Examples:\n  dyno run rails console           several words are passed on as they are\n  dyno run 'echo $DATABASE_URL'    one word is run by the shell\n  dyno run worker --once           a process type with more arguments\n\nOptions after the command belong to the command."
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
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, add = Offers::CommandWords)]
    pub words: Vec<OsString>,
    /// When the first word is read as a process type.
    #[arg(skip)]
    pub type_word: TypeWord,
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
