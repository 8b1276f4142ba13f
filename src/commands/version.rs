//! `dyno version`, and what `foreman version` and `honcho version` print.

use crate::console::{diagnostics, stdout};
use crate::error::Error;
use crate::model::Dialect;
use crate::supervisor::Outcome;

/// The version of foreman whose command line `dyno` accepts.
const FOREMAN: &str = "0.90.0";
/// The version of honcho whose command line `dyno` accepts.
const HONCHO: &str = "honcho 2.0.0";

/// The commit that `packaging/build` has built. A build by cargo alone does not know which files it got.
const COMMIT: Option<&str> = option_env!("DYNO_COMMIT");

const LIBC: &str = match (cfg!(target_env = "musl"), cfg!(target_feature = "crt-static")) {
    (true, true) => "static musl",
    (true, false) => "musl",
    (false, true) => "static glibc",
    (false, false) => "glibc",
};

/// Scripts check the version of the tool that they called; stderr shows people that `dyno` answered.
pub(super) fn run(dialect: Dialect) -> Result<Outcome, Error> {
    let own = concat!("dyno ", env!("CARGO_PKG_VERSION"));
    let (line, name) = match dialect {
        Dialect::Dyno | Dialect::HerokuLocal => return stdout::write(&format!("{own}\n{}\n", built_for())),
        Dialect::Foreman => (FOREMAN, "foreman"),
        Dialect::Honcho => (HONCHO, "honcho"),
    };
    diagnostics::print_line(&format!("{own}, called as `{name}`"));
    diagnostics::print_line(&built_for());
    stdout::write(&format!("{line}\n"))
}

/// `built for x86_64-unknown-linux-musl (static musl) from commit 0123456789ab`.
fn built_for() -> String {
    let commit = COMMIT.filter(|commit| !commit.is_empty());
    let from = commit.map(|commit| format!(" from commit {commit}")).unwrap_or_default();
    format!("built for {} ({LIBC}){from}", env!("DYNO_TARGET"))
}
