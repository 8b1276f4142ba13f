//! Options of `dyno env`.

use clap::{Args, ValueEnum};

use super::RunningArgs;
use super::help::OUTPUT;

/// Options of `dyno env`.
#[derive(Debug, Args)]
#[command(
    mut_arg("json", |json| json.hide(true)),
    after_help = "Examples:\n  dyno env heroku                         print the variables\n  eval \"$(dyno env heroku)\"               set them; then type `heroku ps`\n  dyno env heroku --shell fish | source   set them in fish\n\nStart the app with `--api` first. `dyno config` shows its config vars."
)]
pub struct EnvArgs {
    /// The client to set up: `heroku`, the official Heroku CLI
    #[arg(value_name = "CLIENT", value_enum, hide_possible_values = true)]
    pub client: ApiClientName,
    /// The shell that will run the printed lines
    #[arg(long, value_name = "SHELL", value_enum, default_value_t = EnvShell::Sh, help_heading = OUTPUT)]
    pub shell: EnvShell,
    /// Which app.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// A client of the Platform API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApiClientName {
    /// The official CLI.
    Heroku,
}

/// A shell, by the way it sets variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvShell {
    /// sh, bash, zsh and others
    #[value(aliases = ["bash", "zsh", "dash", "ksh"])]
    Sh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
}
