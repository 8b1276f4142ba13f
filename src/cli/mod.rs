//! The command line as types. No behaviour: `commands` gives it its meaning.

mod start;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use start::{PtyMode, Seconds, StartArgs, StdinMode};

/// The Heroku runtime on your machine.
#[derive(Debug, Parser)]
#[command(
    name = "dyno",
    version,
    about = "The Heroku runtime on your machine: runs a Procfile app, leaves no orphan, loses no line",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    after_help = "Examples:\n  dyno start                       run everything in ./Procfile\n  dyno start -f Procfile.dev       run another Procfile\n  dyno start -m all=1,worker=2     choose the formation\n  dyno start web                   run one process type"
)]
pub struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The project options before the subcommand, under those after it.
    #[must_use]
    pub fn project(&self, after: &ProjectArgs) -> ProjectArgs {
        let before = &self.project;
        ProjectArgs {
            procfile: after.procfile.clone().or_else(|| before.procfile.clone()),
            root: after.root.clone().or_else(|| before.root.clone()),
            env: if after.env.is_empty() { before.env.clone() } else { after.env.clone() },
        }
    }
}

/// Which files make the app (S1.7, S2.1).
#[derive(Debug, Clone, Default, Args)]
pub struct ProjectArgs {
    /// Procfile to read; `-` reads it from stdin
    #[arg(short = 'f', long, value_name = "FILE")]
    pub procfile: Option<PathBuf>,
    /// Directory of the app [default: that of the Procfile]
    #[arg(short = 'd', long, value_name = "DIR", visible_alias = "app-root")]
    pub root: Option<PathBuf>,
    /// Files of config vars, later ones win [default: .env]
    #[arg(short = 'e', long, value_name = "FILE,…", value_delimiter = ',')]
    pub env: Vec<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the app: every dyno of the formation, until one ends or Ctrl-C
    #[command(visible_alias = "s")]
    Start(Box<StartArgs>),
}
