//! Options of the commands about releases (S15.1, S15.2).

use clap::Args;

use super::{Offers, RunningArgs};

/// How many releases `dyno releases` shows, like the platform's tool.
const SHOWN: usize = 15;

/// Options of `dyno releases`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno releases          the last releases, newest first\n  dyno releases -n 50    all that are remembered\n\n`dyno rollback v1` runs one of them again."
)]
pub struct ReleasesArgs {
    /// How many to show
    #[arg(short = 'n', long = "num", value_name = "N", default_value_t = SHOWN, hide_default_value = true)]
    #[arg(help = format!("How many to show [default: {SHOWN}]"), value_parser = count)]
    pub number: usize,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno releases:info`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno releases:info            the release that runs\n  dyno releases:info v2         another one\n  dyno releases:info --values   with the values of its config vars"
)]
pub struct ReleasesInfoArgs {
    /// Which release [default: the one that runs]
    #[arg(value_name = "VERSION", value_parser = version, add = Offers::RunningReleases)]
    pub version: Option<u32>,
    /// Show the values of the config vars
    #[arg(long)]
    pub values: bool,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno rollback`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno rollback        back to the release before the one that runs\n  dyno rollback v1     back to this one; `dyno releases` lists them\n\nThe files of the app are not touched: `dyno reload` goes back to them."
)]
pub struct RollbackArgs {
    /// Which release [default: the one before the one that runs]
    #[arg(value_name = "VERSION", value_parser = version, add = Offers::RunningReleases)]
    pub version: Option<u32>,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// `v2` or `2`.
fn version(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let version = number.parse().ok().filter(|version| *version > 0 && !number.starts_with('+'));
    version.ok_or_else(|| "the number of a release, such as v2".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "a whole number from 1".to_owned())
}
