//! Kills every descendant of this process, until the system reports that none is left.
//!
//! The guardian does this at the end of a run and when `dyno` is gone; `dyno` does it when the guardian is gone. It
//! works for any process tree because both are subreapers: a process that loses its parent becomes our child, and we
//! kill our children until there are none. Only below a child that we may not kill do we have to search.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Pid, getsid};

use super::proc_mount::check_process_table;
use super::proc_table;
use super::signal::signal_process;
use super::sys::{self, Child};
use super::table::{Identity, Process};

/// How long a killed process may take to vanish before it is reported as a survivor. A process in uninterruptible
/// sleep (state D) may have to wait for a disk or the network first.
pub(super) const UNKILLABLE_AFTER: Duration = Duration::from_secs(2);

/// The first rounds have no pause: a daemon that forks again and again must be killed faster than it forks.
const EAGER_ROUNDS: u32 = 64;

/// The sweep ends after this many rounds in a row that found only spared children.
const EMPTY_ROUNDS: u32 = 2;

/// A process that was killed but still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its process id.
    pub pid: i32,
    /// Its pid, its command name and, if the kernel says so, where it is waiting: `4711 (sh, in do_exit)`.
    pub description: String,
}

/// Descendants of `dyno` that do not come from a dyno, such as the `tee` of an entrypoint with `exec > >(tee log); exec dyno
/// start`. The sweep neither kills them nor waits for them.
#[derive(Debug, Default)]
pub(super) struct Spared {
    /// Those that are older than the guardian.
    older: Vec<Identity>,
    /// Our own session, in which all that they start stays unless it begins one of its own. Every dyno is started in a new one,
    /// and no process can enter an existing session.
    session: Option<Pid>,
}

impl Spared {
    /// All current descendants of this process, and what they will start in its session.
    pub(super) fn present() -> Self {
        let session = getsid(None).ok();
        if check_process_table().is_ok() {
            let older = proc_table::read_descendants().processes.iter().map(Process::identity).collect();
            return Self { older, session };
        }
        let mut older = Vec::new();
        // Without `/proc` the search is slow, and usually there is nothing to find.
        if sys::has_child(Child::Any) {
            proc_table::for_each_own_child(|child| older.push((child, 0)));
        }
        Self { older, session }
    }

    /// This process was reaped: from now on its pid can belong to a process of a dyno.
    pub(super) fn forget(&mut self, reaped: Pid) {
        self.older.retain(|(pid, _)| *pid != reaped);
    }

    fn contains(&self, pid: Pid) -> bool {
        let is_in_our_session = || self.session.is_some() && getsid(Some(pid)).ok() == self.session;
        let is_older = || {
            self.older.iter().any(|(spared, start)| {
                // 0: the process table could not be read, and what it says of this pid now may be about another process.
                *spared == pid
                    && (*start == 0 || proc_table::read_process(pid).is_some_and(|process| process.start == *start))
            })
        };
        is_in_our_session() || is_older()
    }
}

/// Kills and reaps all descendants of this process.
///
/// Returns the processes that still exist after 2 s. Empty: only spared processes are left.
#[must_use]
pub(super) fn sweep(spared: &Spared) -> Vec<Survivor> {
    let deadline = Instant::now() + UNKILLABLE_AFTER;
    let (mut round, mut empty_rounds) = (0_u32, 0);
    loop {
        let mut killed = false;
        let kill_child = |child| {
            if !spared.contains(child) {
                killed = true;
                // The pid cannot be reused: it is our own child, which is not reaped yet.
                if !sys::send(child, libc::SIGKILL) {
                    kill_below(child);
                }
            }
        };
        // While processes fork very fast, most of the listed children are zombies. Unless they are reaped between the
        // parts of the list, it grows faster than it is read.
        proc_table::for_each_own_child_in_parts(kill_child, || {
            let _ = reap_all();
        });
        if reap_all() == Err(Errno::ECHILD) {
            return Vec::new();
        }
        // With spared children, ECHILD never comes.
        empty_rounds = if killed { 0 } else { empty_rounds + 1 };
        if empty_rounds == EMPTY_ROUNDS {
            return Vec::new();
        }
        round = round.saturating_add(1);
        if Instant::now() >= deadline {
            return survivors(spared);
        }
        if round > EAGER_ROUNDS {
            let _ = nix::poll::poll(&mut [], 1_u8);
        } else {
            let _ = nix::sched::sched_yield();
        }
    }
}

/// Kills what we may kill below a child of ours that we may not kill: it runs as another user (`sudo`), but what it runs may
/// run as us.
fn kill_below(child: Pid) {
    if check_process_table().is_err() {
        return;
    }
    let mut parents = vec![(child, 0)];
    while let Some(parent) = parents.pop() {
        for process in proc_table::read_children(parent) {
            // If it ends, we adopt its children.
            signal_process(&process, libc::SIGKILL);
            parents.push(process.identity());
        }
    }
}

/// Reaps every child that has ended. ECHILD: there are no children at all.
fn reap_all() -> Result<(), Errno> {
    while sys::reap_any()?.is_some() {}
    Ok(())
}

fn survivors(spared: &Spared) -> Vec<Survivor> {
    let mut left = Vec::new();
    proc_table::for_each_own_child(|child| left.push(child));
    left.retain(|child| !spared.contains(*child));
    left.into_iter().map(|pid| Survivor { pid: pid.as_raw(), description: describe(pid) }).collect()
}

/// `4711 (sh, in do_exit)`: enough to find the process. Its arguments are left out because they may be secret.
pub(super) fn describe(pid: Pid) -> String {
    let read = |name: &str| {
        let mut text = String::new();
        let file = File::open(format!("/proc/{pid}/{name}"));
        file.and_then(|mut file| file.read_to_string(&mut text)).ok()?;
        let text = text.trim().to_owned();
        (!text.is_empty() && text != "0").then_some(text)
    };
    match (proc_table::name_of(pid), read("wchan")) {
        (Some(command), Some(place)) => format!("{pid} ({command}, in {place})"),
        (Some(command), None) => format!("{pid} ({command})"),
        (None, _) => format!("{pid}"),
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::getpid;

    use super::*;

    #[test]
    fn s6_10_the_pid_of_a_reaped_process_is_not_spared_any_more() {
        let mut spared = Spared { older: vec![(getpid(), 0)], session: None };
        assert!(spared.contains(getpid()));

        spared.forget(getpid());

        assert!(!spared.contains(getpid()));
    }
}
