//! Whether the system would take an environment (S2.9).

use nix::unistd::{SysconfVar, sysconf};

use crate::app::Environment;
use crate::error::{Error, Status};

/// Checks one environment before anything is started with it.
///
/// # Errors
/// Status 78, naming the variable.
pub(super) fn check(environment: &Environment) -> Result<(), Error> {
    let limit = sysconf(SysconfVar::ARG_MAX).ok().flatten().and_then(|limit| usize::try_from(limit).ok());
    environment
        .check_size(limit.unwrap_or(usize::MAX))
        .map_err(|error| Error::new(Status::Config, error.to_string(), error.hint()))
}
