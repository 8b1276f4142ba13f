//! The runs that the guardian has started: which processes to signal, and when a run is gone (S6.7, S6.10).
//!
//! A run is more than its leader. Each scan of the process table does three things: it assigns processes to runs,
//! carries out the orders that have arrived, and finds the runs that are gone.
//! Not here: the supervisor decides about restarts and about the end.

use std::collections::BTreeSet;
use std::time::Instant;

use nix::unistd::{Pid, getpid};

use super::finder::Marks;
use super::finder::{Finder, Owner, RunFacts};
use super::proc_mount::check_process_table;
use super::proc_table::{self, ProcEvidence};
use super::run::{NewRun, Run};
use super::spawn::{ExecProgress, Execution};
use super::sys;
use super::table::{Identity, Process, ScanResult, Table};
use crate::model::{ExitStatus, LeftRunning, RunId, RunOrder, RunReport};

/// Maximum number of scans in a row without a pause: a process that forks again and again can only be stopped by
/// scanning faster than it forks.
const EAGER_SCANS: u32 = 64;

/// Maximum number of rounds of a pursuit in one scan: a few hundred milliseconds, so that other runs get their turn.
const PURSUIT_ROUNDS: u32 = 1000;

/// Maximum number of processes that a report names when they are left behind.
const MAX_NAMED: usize = 3;

/// A report, and the run that it is about.
pub(super) type ReportOfRun = (RunId, RunReport);

/// All runs that may still have processes.
#[derive(Debug, Default)]
pub(super) struct Runs {
    all: Vec<Run>,
    /// `DYNO_SESSION=…`, taken from the first spawn.
    session: Vec<u8>,
    finder: Finder,
    /// Orders for the next scan.
    orders: Vec<(RunId, RunOrder)>,
    /// A process that no scan had seen has ended. It may have had children.
    has_missed: bool,
    /// Processes without a run that have been reported.
    named: BTreeSet<Identity>,
    eager_scans: u32,
}

impl Runs {
    /// Adds a run. `session`: its `DYNO_SESSION=…`, the same for all runs.
    pub(super) fn add(&mut self, new: NewRun, session: &[u8]) {
        if self.session.is_empty() {
            self.session = session.to_vec();
        }
        self.all.push(Run::new(new));
    }

    /// The pending execs. Each becomes readable when its outcome is known.
    pub(super) fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.all.iter().filter_map(Run::execution)
    }

    /// Reports the outcome of every exec that has finished, and drops the runs whose exec failed.
    pub(super) fn take_executed(&mut self, findings: &mut Vec<ReportOfRun>) {
        self.all.retain_mut(|run| match run.take_executed() {
            Some(ExecProgress::Executed) => {
                findings.push((run.id(), RunReport::Spawned { pid: run.leader().as_raw() }));
                true
            }
            Some(ExecProgress::Failed(failure)) => {
                // It exits right away. Without this wait it could be counted as a process that a dyno left behind.
                sys::reap_when_ended(run.leader());
                findings.push((run.id(), RunReport::SpawnFailed(failure)));
                false
            }
            Some(ExecProgress::Executing) | None => true,
        });
    }

    /// Records that a child was reaped. Call [`Runs::take_executed`] before the next scan, because a failed exec is not
    /// an exit.
    pub(super) fn reaped(&mut self, pid: Pid, exit: ExitStatus) {
        if !self.all.iter_mut().any(|run| run.reaped(pid, exit)) {
            self.has_missed |= !self.finder.knows(pid);
        }
    }

    /// Orders a signal for a run. The next scan carries it out, unless the run is gone.
    pub(super) fn order(&mut self, id: RunId, order: RunOrder) {
        self.orders.push((id, order));
    }

    /// Whether a scan is due now, because of an order or an exit.
    pub(super) fn need_scan(&self) -> bool {
        !self.orders.is_empty() || self.all.iter().any(Run::has_exit)
    }

    /// Whether to scan regularly: a run that is ending may lose processes that are not our children, and we get no
    /// SIGCHLD for these.
    pub(super) fn need_watching(&self) -> bool {
        self.all.iter().any(Run::is_ending)
    }

    /// Whether the next scan should follow immediately.
    pub(super) fn is_eager(&self) -> bool {
        (1..EAGER_SCANS).contains(&self.eager_scans)
    }

    /// Kills new processes of killed runs in cheap rounds, without a full scan: a process that forks again and again
    /// can only be stopped by killing faster than it forks.
    fn pursue(&mut self) {
        let killed: Vec<String> =
            self.all.iter().filter(|run| run.is_killed()).map(|run| run.dyno().to_owned()).collect();
        if killed.is_empty() {
            return;
        }
        let are_all_killed = killed.len() == self.all.len();
        let mut hit = BTreeSet::new();
        for _ in 0..PURSUIT_ROUNDS {
            let before = hit.len();
            proc_table::for_each_own_child(|pid| {
                let is_leader = || self.all.iter().any(|run| run.leader() == pid);
                let is_marked = || match proc_table::marks_of(pid, &self.session) {
                    Marks::Dyno(dyno) => killed.contains(&dyno),
                    Marks::Absent | Marks::Blank | Marks::Executing => are_all_killed,
                };
                if !hit.contains(&pid) && !self.finder.knows(pid) && !is_leader() && is_marked() {
                    hit.insert(pid);
                    // The pid cannot be reused: it is our own child, and only we can reap it.
                    sys::send(pid, libc::SIGKILL);
                }
            });
            while let Ok(Some((pid, exit))) = sys::reap_any() {
                self.reaped(pid, exit);
            }
            if hit.len() == before {
                return;
            }
        }
    }

    /// Looks at our descendants: reports exits, carries out orders, and finds the runs that are gone.
    pub(super) fn scan(&mut self, findings: &mut Vec<ReportOfRun>) {
        let is_readable = check_process_table().is_ok();
        if is_readable {
            self.pursue();
        }
        let table = if is_readable { proc_table::read_descendants() } else { Table::default() };
        self.find(&table);
        let has_missed = std::mem::take(&mut self.has_missed);
        let is_settled = !is_readable || (self.finder.is_settled() && !has_missed);
        let scan = ScanResult { table: &table, is_readable, is_settled };
        let now = Instant::now();
        let is_certain = is_settled && !self.finder.is_undecided(now);
        let orders = std::mem::take(&mut self.orders);
        let (mut is_urgent, mut gone) = (false, Vec::new());
        for run in &mut self.all {
            let id = run.id();
            let processes = living_processes(&table, &self.finder, id);
            if run.has_exit() {
                let left = if run.is_asked_to_end() { Vec::new() } else { left_running(&processes, run.port()) };
                // One that has ended since the scan may have left another, as every daemon that forks twice does.
                let is_certain =
                    is_certain && processes.iter().all(|process| proc_table::is_running(process.identity()));
                if let Some(exit) = run.take_exit(is_certain) {
                    findings.push((id, RunReport::Exited { exit, left }));
                }
            }
            for (_, order) in orders.iter().filter(|(ordered, _)| *ordered == id) {
                run.order(*order, &processes);
            }
            run.carry_out(&scan, &processes);
            let is_empty = run.is_empty(&scan, &processes, &self.finder, now);
            if run.is_gone(&scan, is_empty) {
                gone.push(id);
                continue;
            }
            is_urgent |= is_empty || (run.is_killed() && processes.iter().any(|process| process.pid != run.leader()));
            findings.extend(run.unkillable(&processes).map(|survivor| (id, RunReport::Unkillable { survivor })));
        }
        self.all.retain(|run| !gone.contains(&run.id()));
        for run in gone {
            self.name_left_behind(run, &table, findings);
            findings.push((run, RunReport::Gone));
        }
        self.eager_scans = if is_urgent { self.eager_scans.saturating_add(1) } else { 0 };
    }

    fn find(&mut self, table: &Table) {
        let facts: Vec<RunFacts<'_>> = self.all.iter().map(Run::facts).collect();
        let mut evidence = ProcEvidence { session: &self.session };
        self.finder.update(table, &facts, Instant::now(), &mut evidence);
        self.named.retain(|(pid, _)| self.finder.knows(*pid));
    }

    /// Reports processes that may come from a run that is gone. A restart spares them; the final sweep kills them.
    fn name_left_behind(&mut self, run: RunId, table: &Table, findings: &mut Vec<ReportOfRun>) {
        let own = getpid();
        let mut left = 0;
        for process in table.processes.iter().filter(|process| process.parent == own && !process.zombie) {
            let Some(Owner::OneOf(candidates)) = self.finder.owner(process) else { continue };
            let is_one = candidates.iter().any(|candidate| candidate.run == run);
            if is_one && left < MAX_NAMED && self.named.insert(process.identity()) {
                left += 1;
                let dynos = candidates.iter().map(|candidate| candidate.dyno.clone()).collect();
                let process = left_process(process, None);
                findings.push((run, RunReport::LeftBehind { dynos, process }));
            }
        }
    }
}

/// The live processes of a run, including its leader.
fn living_processes(table: &Table, finder: &Finder, run: RunId) -> Vec<Process> {
    let is_own = |process: &&Process| !process.zombie && finder.owner(process) == Some(&Owner::Run(run));
    table.processes.iter().filter(is_own).copied().collect()
}

/// The processes to name when a leader has exited: one that listens on a port, preferably on the run's own port. If
/// none listens, the topmost ones, at most [`MAX_NAMED`]. `rest`: in the order of the table, parents first, so that a
/// server is named and not one of its workers, which share its socket.
fn left_running(rest: &[Process], port: Option<u16>) -> Vec<LeftRunning> {
    if rest.is_empty() {
        return Vec::new();
    }
    let listeners = proc_table::listeners();
    let mut listening = Vec::new();
    for process in rest {
        let ports = proc_table::listening_ports(process.pid, &listeners);
        listening.extend(ports.into_iter().map(|listened| (process, listened)));
    }
    let on_own_port = listening.iter().find(|(_, listened)| Some(*listened) == port);
    if let Some((process, listened)) = on_own_port.or(listening.first()) {
        return vec![left_process(process, Some(*listened))];
    }
    let own = getpid();
    rest.iter()
        .filter(|process| process.parent == own)
        .take(MAX_NAMED)
        .map(|process| left_process(process, None))
        .collect()
}

fn left_process(process: &Process, port: Option<u16>) -> LeftRunning {
    let name = proc_table::name_of(process.pid).unwrap_or_else(|| "a process".to_owned());
    LeftRunning { pid: process.pid.as_raw(), name, port }
}
