//! Pins the threads that a line passes through to one or two CPUs, in the same way for both sides of a comparison.
//!
//! On two CPUs the kernel places them in one of two ways: either a writer and the one that reads from it share a CPU, or
//! they fight for the same pipe from different CPUs. The second way is half as fast, lasts for up to a second, and may
//! begin in any run, so that without this a comparison measures how often it began.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::processes;

/// The thread of `dyno` that writes the log.
const WRITER: &str = "log-hub";

/// The current thread.
const HERE: Pid = Pid::from_raw(0);

/// The calling thread goes back to its CPUs when this is dropped.
pub(crate) struct Placement {
    before: CpuSet,
}

impl Placement {
    /// Places the caller on one CPU, with all programs and threads that it starts meanwhile.
    pub(crate) fn on_one_cpu() -> Self {
        let before = sched_getaffinity(HERE).unwrap();
        place(HERE, two_cpus(&before).0);
        Self { before }
    }

    /// Places the dynos with the thread that reads them, and the thread that writes the log with the caller, which reads
    /// it. Programs and threads that the caller starts meanwhile share its CPU; those that exist already do not.
    pub(crate) fn of(both: [i32; 2]) -> Self {
        let before = sched_getaffinity(HERE).unwrap();
        let (first, second) = two_cpus(&before);
        for pid in both {
            for (thread, name) in processes::threads(pid) {
                place(Pid::from_raw(thread), if name == WRITER { second } else { first });
            }
            for child in processes::children(pid) {
                place(Pid::from_raw(child), first);
            }
        }
        place(HERE, second);
        Self { before }
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        sched_setaffinity(HERE, &self.before).unwrap();
    }
}

fn place(thread: Pid, cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu).unwrap();
    sched_setaffinity(thread, &only).unwrap();
}

/// Two of these CPUs; the same one twice if there is no other.
fn two_cpus(allowed: &CpuSet) -> (usize, usize) {
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap());
    let first = cpus.next().expect("there is a CPU to run on");
    (first, cpus.next().unwrap_or(first))
}
