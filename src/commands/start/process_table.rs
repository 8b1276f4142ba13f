//! Whether `/proc` can be read, and what does not work without it.

use crate::error::{Complaint, Error, Status};
use crate::guardian::check_process_table;

/// The warning if `/proc` does not list our processes, as in some containers.
///
/// # Errors
/// In a smoke test: the kernel still reports what listens, but not which dyno it belongs to, nor what a dyno has left
/// running.
pub(super) fn check(is_smoke: bool) -> Result<Option<Complaint>, Error> {
    let Err(why) = check_process_table() else { return Ok(None) };
    let hint = "mount it: `mount -t proc proc /proc`";
    if is_smoke {
        let fact = format!("{why}: a smoke test cannot see which processes belong to a dyno");
        return Err(Error::new(Status::Internal, fact, hint));
    }
    let fact = format!(
        "{why}: a process that leaves its dyno's process group is stopped only at the end, by SIGKILL, \
         and `dyno` cannot see which process listens on a port"
    );
    Ok(Some(Complaint::new(fact, hint)))
}
