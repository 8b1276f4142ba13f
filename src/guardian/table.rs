//! The processes below this one, as one look at the system saw them. Pure: plain values, made up in tests.
//!
//! `proc_table` reads a table, `finder` says which run each process belongs to, `stop_order` which of them get the stop
//! signal first. Another system only needs its own reader.

use nix::unistd::Pid;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// Clock ticks from boot to its start: tells it from a later process with the same pid.
    pub(super) start: u64,
    pub(super) parent: Pid,
    pub(super) group: Pid,
    pub(super) session: Pid,
    /// It has ended, and its parent has not read its status yet.
    pub(super) zombie: bool,
}

/// What tells a process from every other one, earlier and later ones included.
pub(super) type Identity = (Pid, u64);

impl Process {
    pub(super) fn identity(&self) -> Identity {
        (self.pid, self.start)
    }
}

/// All processes below this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Every process comes after its parent.
    pub(super) processes: Vec<Process>,
    /// False: a process vanished while the table was read, so its children may be missing.
    pub(super) is_complete: bool,
}

impl Table {
    pub(super) fn children_of(&self, parent: Pid) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.parent == parent)
    }
}
