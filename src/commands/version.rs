//! `dyno version`, and what `foreman version` and `honcho version` print.

use crate::console::stdout;
use crate::error::Error;
use crate::model::Dialect;
use crate::supervisor::Outcome;

/// The version of foreman whose command line `dyno` accepts.
const FOREMAN: &str = "0.90.0";
/// The version of honcho whose command line `dyno` accepts.
const HONCHO: &str = "honcho 2.0.0";

/// Scripts check the version of the tool that they called; stderr shows people that `dyno` answered.
pub(super) fn run(dialect: Dialect) -> Result<Outcome, Error> {
    let own = concat!("dyno ", env!("CARGO_PKG_VERSION"));
    let (line, name) = match dialect {
        Dialect::Dyno | Dialect::HerokuLocal => return stdout::write(&format!("{own}\n")),
        Dialect::Foreman => (FOREMAN, "foreman"),
        Dialect::Honcho => (HONCHO, "honcho"),
    };
    crate::console::diagnostics::print_line(&format!("{own}, called as `{name}`"));
    stdout::write(&format!("{line}\n"))
}
