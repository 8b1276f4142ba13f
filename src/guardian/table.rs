//! The descendants of this process, as seen in one scan of the system. Pure: plain values, so tests can create them.
//!
//! `proc_table` reads a table, `finder` decides which run each process belongs to, and `stop_order` which processes get
//! the stop signal first. To support another system, only `proc_table` has to be replaced.

use std::collections::BTreeSet;

use nix::unistd::Pid;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// Clock ticks from boot to its start. Distinguishes it from a later process with the same pid.
    pub(super) start: u64,
    pub(super) parent: Pid,
    pub(super) group: Pid,
    pub(super) session: Pid,
    /// It has ended, but its parent has not reaped it yet.
    pub(super) zombie: bool,
}

/// Identifies a process, even if its pid is reused later: pid and start.
pub(super) type Identity = (Pid, u64);

impl Process {
    pub(super) fn identity(&self) -> Identity {
        (self.pid, self.start)
    }
}

/// All descendants of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Ordered so that every process comes after its parent.
    pub(super) processes: Vec<Process>,
    /// False: a process vanished while the table was read, so its children may be missing.
    pub(super) is_complete: bool,
}

impl Table {
    pub(super) fn children_of(&self, parent: Pid) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.parent == parent)
    }

    /// All processes below these.
    pub(super) fn descendants(&self, ancestors: &BTreeSet<Pid>) -> BTreeSet<Pid> {
        let mut below = BTreeSet::new();
        for process in &self.processes {
            if ancestors.contains(&process.parent) || below.contains(&process.parent) {
                below.insert(process.pid);
            }
        }
        below
    }
}

/// The result of one scan of the process table.
pub(super) struct ScanResult<'a> {
    pub(super) table: &'a Table,
    /// Whether the table could be read at all.
    pub(super) is_readable: bool,
    /// Whether it is certain to have seen every process.
    pub(super) is_settled: bool,
}
