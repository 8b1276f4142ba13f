//! `dyno version`, and what `foreman version` and `honcho version` print.

use super::stdout;
use crate::cli::Dialect;
use crate::error::Error;
use crate::supervisor::Outcome;

/// The foreman whose command line we have.
const FOREMAN: &str = "0.90.0";
/// The honcho whose command line we have.
const HONCHO: &str = "honcho 2.0.0";

/// Scripts compare the number of the tool they called; people see on stderr what answered.
pub(super) fn run(dialect: Dialect) -> Result<Outcome, Error> {
    let own = concat!("dyno ", env!("CARGO_PKG_VERSION"));
    let (line, name) = match dialect {
        Dialect::Dyno | Dialect::HerokuLocal => return stdout::write(&format!("{own}\n")),
        Dialect::Foreman => (FOREMAN, "foreman"),
        Dialect::Honcho => (HONCHO, "honcho"),
    };
    super::diagnostics::tell(&format!("{own}, called as `{name}`"));
    stdout::write(&format!("{line}\n"))
}
