//! Options of `dyno run`.

use std::ffi::OsString;

use clap::Args;

use super::help::LIFE;
use super::{Offers, ProjectArgs, VariableArgs};

/// Options of `dyno run`.
#[derive(Debug, Default, Args)]
#[command(
    override_usage = "dyno run [OPTIONS] COMMAND [WORD…]",
    after_help = "Examples:\n  dyno run rails console           several words: each is kept as it is\n  dyno run 'echo $DATABASE_URL'    one word: a line for the shell\n  dyno run worker --once           a process type, with more arguments\n\nOptions after the command belong to the command."
)]
pub struct RunArgs {
    /// Which files make the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Variables beside those of the files.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Source .profile.d/*.sh and .profile by bash first
    ///
    /// A part of what `--heroku` means for `dyno start`; here that option means the same as this one.
    #[arg(long, alias = "heroku", help_heading = LIFE)]
    pub profile: bool,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, add = Offers::CommandWords)]
    pub words: Vec<OsString>,
    /// When a word is a process type.
    #[arg(skip)]
    pub type_word: TypeWord,
}

/// When the first word means a process type (S9.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TypeWord {
    /// If it is the name of one; what follows is appended.
    #[default]
    First,
    /// If it is the only word (foreman).
    Alone,
    /// Never (honcho).
    Never,
}
