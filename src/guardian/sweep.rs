//! Kills every descendant of this process, until the system says there is none.
//!
//! Used by the guardian at the end of a run and when `dyno` is gone, and by `dyno` when the guardian is gone. Works
//! for any tree because both processes are subreapers: what loses its parent becomes our child, and we kill our
//! children until there are none. Nothing is allocated before the verdict.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::descendants;

/// How long a killed process may take to vanish before it is called a survivor. A process inside the kernel
/// (state D) may need the disk or network first.
pub(super) const UNKILLABLE_AFTER: Duration = Duration::from_secs(2);

/// Rounds without a pause at the beginning: a daemon that forks again and again is outrun, not waited for.
const EAGER_ROUNDS: u32 = 64;

/// A process that was killed and is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its process id.
    pub pid: i32,
    /// Its command name and, where the kernel tells, what it waits for: `4711 (sh, in do_exit)`.
    pub description: String,
}

/// Kills and reaps all descendants of this process.
///
/// Returns those still there after 2 s; empty means that the system reported no child left (ECHILD).
#[must_use]
pub fn sweep() -> Vec<Survivor> {
    let deadline = Instant::now() + UNKILLABLE_AFTER;
    let mut round = 0_u32;
    loop {
        let kill_child = |child| {
            // Our own unreaped child: its pid cannot belong to anybody else.
            let _ = kill(child, Signal::SIGKILL);
        };
        // Under a flood of processes the list is mostly of dead ones, and would grow faster than it is read.
        descendants::for_each_own_child_in_parts(kill_child, || {
            let _ = reap_all();
        });
        if reap_all() == Err(Errno::ECHILD) {
            return Vec::new();
        }
        round = round.saturating_add(1);
        if Instant::now() >= deadline {
            return survivors();
        }
        if round > EAGER_ROUNDS {
            let _ = nix::poll::poll(&mut [], 1_u8);
        } else {
            let _ = nix::sched::sched_yield();
        }
    }
}

/// Takes the status of every child that has ended. ECHILD: there is no child at all.
fn reap_all() -> Result<(), Errno> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn survivors() -> Vec<Survivor> {
    let mut left = Vec::new();
    descendants::for_each_own_child(|child| left.push(child));
    left.into_iter().map(|pid| Survivor { pid: pid.as_raw(), description: describe(pid) }).collect()
}

/// `4711 (sh, in do_exit)`: enough to find it, nothing of its arguments.
pub(super) fn describe(pid: Pid) -> String {
    let read = |name: &str| {
        let mut text = String::new();
        let file = File::open(format!("/proc/{pid}/{name}"));
        file.and_then(|mut file| file.read_to_string(&mut text)).ok()?;
        let text = text.trim().to_owned();
        (!text.is_empty() && text != "0").then_some(text)
    };
    match (read("comm"), read("wchan")) {
        (Some(command), Some(place)) => format!("{pid} ({command}, in {place})"),
        (Some(command), None) => format!("{pid} ({command})"),
        (None, _) => format!("{pid}"),
    }
}
