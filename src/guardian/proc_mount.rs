//! Whether `/proc` shows the processes of this pid namespace (Linux).

use std::fs;
use std::sync::OnceLock;

use nix::unistd::getpid;

/// Why `/proc` cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoProcessTable {
    /// It is not mounted.
    #[error("`/proc` is not mounted")]
    NotMounted,
    /// It lists the processes of another pid namespace, with other pids.
    #[error("`/proc` belongs to another pid namespace")]
    OtherNamespace,
}

/// Checks that `/proc` lists the processes of this pid namespace. Otherwise no pid from it may be signalled.
///
/// # Errors
/// It is not mounted, or it belongs to another namespace.
pub fn check_process_table() -> Result<(), NoProcessTable> {
    let Ok(own) = fs::read_link("/proc/self") else { return Err(NoProcessTable::NotMounted) };
    let is_own = own.to_str() == Some(getpid().to_string().as_str()) && has_one_pid();
    if is_own { Ok(()) } else { Err(NoProcessTable::OtherNamespace) }
}

/// Whether we have only one pid, as `/proc` sees us. In the `/proc` of an outer namespace we have one for each namespace, and
/// the first of them can be the same number as ours. Looked up once: a process never changes its namespace.
fn has_one_pid() -> bool {
    static ONE: OnceLock<bool> = OnceLock::new();
    *ONE.get_or_init(|| fs::read_to_string("/proc/self/status").map_or(true, |status| pids(&status) <= 1))
}

/// How many pids a process has, from its `/proc/PID/status`. 0: the system does not say.
fn pids(status: &str) -> usize {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    pids.map_or(0, |pids| pids.split_whitespace().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_10_a_process_has_one_pid_for_each_namespace() {
        assert_eq!(pids("Name:\tdyno\nNgid:\t0\nNSpid:\t1006\t1006\nNSsid:\t1\t1\n"), 2);
        assert_eq!(pids("Name:\tdyno\nNSpid:\t71\n"), 1);
        assert_eq!(pids("Name:\tdyno\n"), 0);
        assert_eq!(check_process_table(), Ok(()));
    }
}
