//! Kills every descendant of this process, until the system says that none is left.
//!
//! The guardian does this at the end of a run and when `dyno` is gone; `dyno` does it when the guardian is gone. It works
//! for any tree because both are subreapers: a process that loses its parent becomes our child, and we kill our children
//! until there are none. Nothing is allocated before the verdict.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::proc_table;
use super::sys::{self, Child};
use super::table::{Identity, Process};

/// How long a killed process may take to vanish before it is called a survivor. A process inside the kernel
/// (state D) may need the disk or network first.
pub(super) const UNKILLABLE_AFTER: Duration = Duration::from_secs(2);

/// Rounds without a pause at the beginning: a daemon that forks again and again is outrun, not waited for.
const EAGER_ROUNDS: u32 = 64;

/// Rounds in a row that find only children which are spared before the sweep is over.
const EMPTY_ROUNDS: u32 = 2;

/// A process that was killed and is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its process id.
    pub pid: i32,
    /// Its command name and, where the kernel tells, what it waits for: `4711 (sh, in do_exit)`.
    pub description: String,
}

/// Descendants of `dyno` that are older than its guardian, and so not of a dyno: `exec > >(tee log); exec dyno start` in an
/// entrypoint makes `tee` one. They are neither killed nor waited for.
#[derive(Debug, Default)]
pub(super) struct Spared(Vec<Identity>);

impl Spared {
    /// All that descend from this process now.
    pub(super) fn present() -> Self {
        if proc_table::check_process_table().is_ok() {
            return Self(proc_table::read_descendants().processes.iter().map(Process::identity).collect());
        }
        let mut children = Vec::new();
        // Without `/proc` the search takes long, and mostly there is nothing to find.
        if sys::has_child(Child::Any) {
            proc_table::for_each_own_child(|child| children.push((child, 0)));
        }
        Self(children)
    }

    fn holds(&self, pid: Pid) -> bool {
        self.0.iter().any(|(spared, start)| {
            *spared == pid && proc_table::read_process(pid).is_some_and(|process| process.start == *start)
        })
    }
}

/// Kills and reaps all descendants of this process.
///
/// Returns those still there after 2 s; empty means that nothing is left but what is spared.
#[must_use]
pub(super) fn sweep(spared: &Spared) -> Vec<Survivor> {
    let deadline = Instant::now() + UNKILLABLE_AFTER;
    let (mut round, mut empty_rounds) = (0_u32, 0);
    loop {
        let mut killed = false;
        let kill_child = |child| {
            if !spared.holds(child) {
                killed = true;
                // Our own unreaped child: its pid cannot belong to anybody else.
                sys::send(child, libc::SIGKILL);
            }
        };
        // Under a flood of processes the list is mostly of dead ones, and would grow faster than it is read.
        proc_table::for_each_own_child_in_parts(kill_child, || {
            let _ = reap_all();
        });
        if reap_all() == Err(Errno::ECHILD) {
            return Vec::new();
        }
        // Spared children keep the system from saying that there is none.
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

/// Takes the status of every child that has ended. ECHILD: there is no child at all.
fn reap_all() -> Result<(), Errno> {
    while sys::reap_any()?.is_some() {}
    Ok(())
}

fn survivors(spared: &Spared) -> Vec<Survivor> {
    let mut left = Vec::new();
    proc_table::for_each_own_child(|child| left.push(child));
    left.retain(|child| !spared.holds(*child));
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
    match (proc_table::name_of(pid), read("wchan")) {
        (Some(command), Some(place)) => format!("{pid} ({command}, in {place})"),
        (Some(command), None) => format!("{pid} ({command})"),
        (None, _) => format!("{pid}"),
    }
}
