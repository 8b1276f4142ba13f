//! One run: the orders it was given, which of its processes they concern (S6.6), and whether anything is left of it.
//!
//! Which processes belong to it is decided by `finder`; `runs` takes the looks.

use std::collections::BTreeSet;
use std::time::Instant;

use nix::unistd::Pid;

use super::finder::RunFacts;
use super::proc_table::{self, ProcPrograms};
use super::protocol::Sending;
use super::signal::signal_process;
use super::spawn::{Execution, Progress};
use super::stop_order::{FirstToStop, first_to_stop};
use super::sweep::{UNKILLABLE_AFTER, describe};
use super::sys::{self, Child};
use super::table::{Identity, Process, Table};
use crate::app::{ExitStatus, RunId};

/// Looks at which nothing of a run is found before it is gone, unless a process ended during them.
const EMPTY_LOOKS: u32 = 2;

/// The same where processes end all the time, which may have children that a look misses: other dynos must not delay the
/// restart of this one for ever.
const EMPTY_UNSETTLED_LOOKS: u32 = 25;

/// Looks that pass the stop signal on to the rest of a run, while processes appear that the one before had missed.
const STOP_LOOKS: u32 = 3;

/// A run as it was started.
#[derive(Debug)]
pub(super) struct NewRun {
    pub(super) id: RunId,
    pub(super) leader: Pid,
    /// Until its program runs.
    pub(super) execution: Option<Execution>,
    /// Clock ticks from boot to just before its start.
    pub(super) started: u64,
    /// The words that a shell of ours runs its line by, each ended by NUL.
    ///
    /// It may have been replaced since: `cd app && exec ./server`.
    pub(super) own_shell: Option<Vec<u8>>,
    /// `web.1`.
    pub(super) dyno: String,
    /// The pipes or the terminal that are its streams.
    pub(super) streams: Vec<String>,
    pub(super) port: Option<u16>,
}

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    start: NewRun,
    leader_lives: bool,
    /// How its leader ended, until that is reported.
    exit: Option<ExitStatus>,
    stop: Option<Stop>,
    killed_at: Option<Instant>,
    unkillable_reported: bool,
    /// Looks in a row that found nothing of it, and how many of them nothing disturbed.
    empty_looks: u32,
    settled_looks: u32,
}

/// What one look saw.
pub(super) struct Look<'a> {
    pub(super) table: &'a Table,
    /// Whether the table could be read at all.
    pub(super) is_readable: bool,
    /// Whether nothing happened during it that could have hidden a process from it.
    pub(super) is_settled: bool,
}

/// A stop that was ordered.
#[derive(Debug)]
struct Stop {
    signal: i32,
    stage: StopStage,
    /// Each process gets the signal once.
    signalled: BTreeSet<Identity>,
    /// Filters behind a program, until the grace is nearly over.
    spared: Vec<Identity>,
}

/// Who is getting the stop signal.
#[derive(Debug)]
enum StopStage {
    /// The order has not been carried out yet.
    Ordered,
    /// These programs have it; the rest follows when they have ended.
    First(Vec<Identity>),
    /// Everything, for this many more looks.
    Rest(u32),
}

impl Run {
    pub(super) fn new(start: NewRun) -> Self {
        Self {
            start,
            leader_lives: true,
            exit: None,
            stop: None,
            killed_at: None,
            unkillable_reported: false,
            empty_looks: 0,
            settled_looks: 0,
        }
    }

    pub(super) fn id(&self) -> RunId {
        self.start.id
    }

    pub(super) fn dyno(&self) -> &str {
        &self.start.dyno
    }

    pub(super) fn leader(&self) -> Pid {
        self.start.leader
    }

    pub(super) fn facts(&self) -> RunFacts<'_> {
        RunFacts {
            id: self.start.id,
            leader: self.start.leader,
            leader_lives: self.leader_lives,
            dyno: &self.start.dyno,
            streams: &self.start.streams,
            port: self.start.port,
            started: self.start.started,
        }
    }

    /// Tells whether its program runs; None once that was reported.
    pub(super) fn execution(&self) -> Option<&Execution> {
        self.start.execution.as_ref()
    }

    /// What became of its exec, once.
    pub(super) fn take_executed(&mut self) -> Option<Progress> {
        let progress = self.execution()?.progress();
        if progress == Progress::Executing {
            return None;
        }
        self.start.execution = None;
        Some(progress)
    }

    /// A child was reaped; whether it was the leader.
    pub(super) fn reaped(&mut self, pid: Pid, exit: ExitStatus) -> bool {
        let is_leader = self.leader_lives && self.start.leader == pid;
        if is_leader {
            self.leader_lives = false;
            self.exit = Some(exit);
        }
        is_leader
    }

    /// Whether the end of its leader has not been reported.
    pub(super) fn has_exit(&self) -> bool {
        self.exit.is_some()
    }

    /// How its leader ended, once, and not before it is known whether it was executed at all.
    pub(super) fn take_exit(&mut self) -> Option<ExitStatus> {
        if self.start.execution.is_none() { self.exit.take() } else { None }
    }

    pub(super) fn is_asked_to_end(&self) -> bool {
        self.stop.is_some() || self.killed_at.is_some()
    }

    pub(super) fn is_ending(&self) -> bool {
        !self.leader_lives || self.is_asked_to_end()
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed_at.is_some()
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.start.port
    }

    /// Takes an order. What it means for processes that a later look finds is kept.
    pub(super) fn order(&mut self, sending: Sending, processes: &[Process]) {
        match sending {
            Sending::Stop { signal, everything } => {
                let stage = if everything { StopStage::Rest(STOP_LOOKS) } else { StopStage::Ordered };
                self.stop.get_or_insert(Stop { signal, stage, signalled: BTreeSet::new(), spared: Vec::new() });
            }
            Sending::StopRest => {
                if let Some(stop) = &mut self.stop {
                    stop.stage = StopStage::Rest(STOP_LOOKS);
                    stop.spared.clear();
                }
            }
            Sending::Kill => {
                self.killed_at.get_or_insert_with(Instant::now);
            }
            Sending::All(signal) => self.signal(signal, processes),
            Sending::SpareShell(signal) => {
                if self.start.own_shell.is_some() && self.start.own_shell == proc_table::words_of(self.start.leader) {
                    let others = processes.iter().filter(|process| process.pid != self.start.leader);
                    others.for_each(|process| signal_process(process, signal));
                } else {
                    self.signal(signal, processes);
                }
            }
        }
    }

    /// Sends the signals that are due. `processes`: all of this run that live.
    pub(super) fn carry_out(&mut self, look: &Look<'_>, processes: &[Process]) {
        if look.is_readable {
            self.pass_stop_on(look, processes);
        } else {
            self.stop_group();
        }
        if self.is_killed() {
            self.signal(libc::SIGKILL, processes);
        }
    }

    /// Sends the stop signal to whom it is due, followed by SIGCONT.
    fn pass_stop_on(&mut self, look: &Look<'_>, processes: &[Process]) {
        let leader = self.start.leader;
        let Some(stop) = &mut self.stop else { return };
        let is_alive = |first: &Identity| processes.iter().any(|process| process.identity() == *first);
        let once_more = if look.is_settled { 0 } else { STOP_LOOKS };
        let (due, stage) = match std::mem::replace(&mut stop.stage, StopStage::Rest(0)) {
            StopStage::Ordered => {
                let first = first_to_stop(look.table, leader, &mut ProcPrograms);
                let FirstToStop { mut programs, shells, filters } = first;
                stop.spared = filters.iter().map(Process::identity).collect();
                if programs.is_empty() {
                    (processes.to_vec(), StopStage::Rest(once_more))
                } else {
                    let stage = StopStage::First(programs.iter().map(Process::identity).collect());
                    programs.extend(shells);
                    (programs, stage)
                }
            }
            StopStage::First(first) if first.iter().any(is_alive) => (Vec::new(), StopStage::First(first)),
            StopStage::First(_) => (processes.to_vec(), StopStage::Rest(once_more)),
            StopStage::Rest(0) => (Vec::new(), StopStage::Rest(0)),
            StopStage::Rest(looks) => (processes.to_vec(), StopStage::Rest(once_more.min(looks - 1))),
        };
        stop.stage = stage;
        for process in due.into_iter().filter(|process| !stop.spared.contains(&process.identity())) {
            if stop.signalled.insert(process.identity()) {
                signal_process(&process, stop.signal);
                signal_process(&process, libc::SIGCONT);
            }
        }
    }

    /// The same where processes cannot be listed: everything in the leader's group gets the signal at once.
    fn stop_group(&mut self) {
        let Some(stop) = &mut self.stop else { return };
        if stop.signalled.insert((self.start.leader, 0)) {
            let signal = stop.signal;
            self.signal(signal, &[]);
            self.signal(libc::SIGCONT, &[]);
        }
    }

    /// Signals the whole group, and those of the processes that have left it.
    fn signal(&self, signal: i32, processes: &[Process]) {
        // While the leader is not reaped or a child of ours is in it, nobody else can have the number of the group.
        let is_group_ours = self.leader_lives || sys::has_child(Child::InGroup(self.start.leader));
        if is_group_ours && !sys::send_to_group(self.start.leader, signal) && self.leader_lives {
            // It was forked just now and has no group of its own yet.
            sys::send(self.start.leader, signal);
        }
        let missed = processes.iter().filter(|process| !is_group_ours || process.group != self.start.leader);
        missed.for_each(|process| signal_process(process, signal));
    }

    /// Whether this look found nothing of it. Without a table, a child of ours in its group is all that can be known.
    pub(super) fn is_empty(&self, look: &Look<'_>, processes: &[Process], is_undecided: bool) -> bool {
        if self.leader_lives {
            false
        } else if look.is_readable {
            processes.is_empty() && !is_undecided
        } else {
            !sys::has_child(Child::InGroup(self.start.leader))
        }
    }

    /// Counts a look; whether enough of them in a row have found nothing.
    pub(super) fn is_gone(&mut self, look: &Look<'_>, is_empty: bool) -> bool {
        if !is_empty {
            (self.empty_looks, self.settled_looks) = (0, 0);
            return false;
        }
        self.empty_looks += 1;
        self.settled_looks += u32::from(look.is_settled);
        self.settled_looks >= EMPTY_LOOKS || self.empty_looks >= EMPTY_UNSETTLED_LOOKS
    }

    /// A process that was killed long ago and is still there, once.
    pub(super) fn unkillable(&mut self, processes: &[Process]) -> Option<String> {
        if self.unkillable_reported || self.killed_at?.elapsed() < UNKILLABLE_AFTER {
            return None;
        }
        self.unkillable_reported = true;
        let others = processes.iter().find(|process| process.pid != self.start.leader);
        Some(describe(others.map_or(self.start.leader, |process| process.pid)))
    }
}
