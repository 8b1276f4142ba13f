//! The runs the guardian has started: whom to signal (S6.6), and when nothing is left of one (S6.7, S6.10).
//!
//! A run is more than its leader. One look at the process table serves all that waits for it: it says which processes
//! belong to which run, carries out the orders that have come in, and finds the runs that are gone.
//! Decides nothing about restarts or the end; that is the supervisor's.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd::{Pid, getpid};

use super::finder::{Finder, Owner, RunFacts};
use super::proc_table;
use super::protocol::Sending;
use super::spawn::{Execution, Failure, Progress};
use super::stop_order::{FirstToStop, first_to_stop};
use super::sweep::{UNKILLABLE_AFTER, describe};
use super::sys::{self, Child};
use super::table::{Identity, Process, Table};
use crate::app::{ExitStatus, LeftRunning, RunId};

/// Looks at which nothing of a run is found before it is gone, unless a process ended during them.
const EMPTY_LOOKS: u32 = 2;

/// The same where processes end all the time, which may have children that a look misses: other dynos must not delay the
/// restart of this one for ever.
const EMPTY_UNSETTLED_LOOKS: u32 = 25;

/// Looks in a row that may follow each other without a pause: a process that forks again and again is outrun, not waited
/// for.
const EAGER_LOOKS: u32 = 64;

/// Looks that pass the stop signal on to the rest of a run, while processes appear that the one before had missed.
const STOP_LOOKS: u32 = 3;

/// Most processes that are named when a leader leaves them behind.
const NAMED: usize = 3;

/// A run as it is started.
pub(super) struct NewRun {
    pub(super) id: RunId,
    pub(super) leader: Pid,
    pub(super) execution: Execution,
    /// Clock ticks from boot to just before its start.
    pub(super) started: u64,
    /// The words that a shell of ours runs its line by, each ended by NUL.
    pub(super) own_shell: Option<Vec<u8>>,
    /// `web.1`.
    pub(super) dyno: String,
    /// `DYNO_SESSION=…`.
    pub(super) session: Vec<u8>,
    pub(super) streams: Vec<String>,
    pub(super) port: Option<u16>,
}

/// One run.
#[derive(Debug)]
struct Run {
    id: RunId,
    /// The leader's pid, which is also the number of its group and session.
    leader: Pid,
    leader_lives: bool,
    /// Until its program runs.
    execution: Option<Execution>,
    /// How its leader ended, until that is reported.
    exit: Option<ExitStatus>,
    started: u64,
    /// The words of the shell that is to run its line. It may have been replaced since: `cd app && exec ./server`.
    own_shell: Option<Vec<u8>>,
    dyno: String,
    streams: Vec<String>,
    port: Option<u16>,
    stop: Option<Stop>,
    killed_at: Option<Instant>,
    unkillable_reported: bool,
    /// Looks in a row that found nothing of it, and how many of them nothing disturbed.
    empty_looks: u32,
    settled_looks: u32,
}

/// A stop that was ordered.
#[derive(Debug)]
struct Stop {
    signal: i32,
    stage: StopStage,
    /// Each process gets the signal once.
    signalled: BTreeSet<Identity>,
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

/// Something to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Spawned(RunId, Pid),
    SpawnFailed(RunId, Failure),
    /// The leader ended; if nothing had asked it to, with what it left running.
    Exited(RunId, ExitStatus, Vec<LeftRunning>),
    /// A process may come from this run, which is gone, or from the other dynos named.
    LeftBehind(RunId, Vec<String>, LeftRunning),
    Gone(RunId),
    Unkillable(RunId, String),
}

/// All runs of which something may be left.
#[derive(Debug, Default)]
pub(super) struct Runs {
    all: Vec<Run>,
    /// `DYNO_SESSION=…`, taken from the first spawn.
    session: Vec<u8>,
    finder: Finder,
    /// Signals that wait for the next look.
    orders: Vec<(RunId, Sending)>,
    /// A process that no look had seen has ended; others may have been its children.
    has_missed: bool,
    /// Processes without a run that were reported.
    named: BTreeSet<Identity>,
    eager_looks: u32,
}

impl Runs {
    pub(super) fn add(&mut self, new: NewRun) {
        if self.session.is_empty() {
            self.session = new.session;
        }
        self.all.push(Run {
            id: new.id,
            leader: new.leader,
            leader_lives: true,
            execution: Some(new.execution),
            exit: None,
            started: new.started,
            own_shell: new.own_shell,
            dyno: new.dyno,
            streams: new.streams,
            port: new.port,
            stop: None,
            killed_at: None,
            unkillable_reported: false,
            empty_looks: 0,
            settled_looks: 0,
        });
    }

    /// Descriptors that become readable when an exec is over.
    pub(super) fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.all.iter().filter_map(|run| run.execution.as_ref())
    }

    /// Takes the outcome of every exec that is over. One that failed was never a run.
    pub(super) fn take_executed(&mut self, findings: &mut Vec<Finding>) {
        self.all.retain_mut(|run| match run.execution.as_ref().map(Execution::progress) {
            Some(Progress::Executed) => {
                run.execution = None;
                findings.push(Finding::Spawned(run.id, run.leader));
                true
            }
            Some(Progress::Failed(failure)) => {
                findings.push(Finding::SpawnFailed(run.id, failure));
                false
            }
            Some(Progress::Executing) | None => true,
        });
    }

    /// A child was reaped. Call [`Runs::take_executed`] first: the exec of a child that has ended is over.
    pub(super) fn reaped(&mut self, pid: Pid, exit: ExitStatus) {
        match self.all.iter_mut().find(|run| run.leader_lives && run.leader == pid) {
            Some(run) => {
                run.leader_lives = false;
                run.exit = Some(exit);
            }
            None => self.has_missed |= !self.finder.knows(pid),
        }
    }

    /// Orders a signal for all that is left of a run. The next look carries it out; a run that is gone gets nothing.
    pub(super) fn order(&mut self, id: RunId, sending: Sending) {
        self.orders.push((id, sending));
    }

    /// Whether a look is due now, for an order or for an exit.
    pub(super) fn need_look(&self) -> bool {
        !self.orders.is_empty() || self.all.iter().any(|run| run.exit.is_some())
    }

    /// Whether something can change without a child's end: a group whose members are not our children empties.
    pub(super) fn need_watching(&self) -> bool {
        self.all.iter().any(Run::is_ending)
    }

    /// Whether the next look should follow at once.
    pub(super) fn is_eager(&self) -> bool {
        (1..EAGER_LOOKS).contains(&self.eager_looks)
    }

    /// Looks at the processes below us: reports exits, signals who is due, finds the runs that are gone.
    pub(super) fn look(&mut self, findings: &mut Vec<Finding>) {
        let is_readable = proc_table::check_process_table().is_ok();
        let table = if is_readable { proc_table::read_descendants() } else { Table::default() };
        self.find(&table);
        let is_settled = self.finder.is_settled() && !std::mem::take(&mut self.has_missed);
        let (mut is_urgent, mut position) = (false, 0);
        let orders = std::mem::take(&mut self.orders);
        let mut gone = Vec::new();
        while let Some(run) = self.all.get_mut(position) {
            let id = run.id;
            let processes = living_processes(&table, &self.finder, id);
            let rest: Vec<Process> = processes.iter().filter(|it| it.pid != run.leader).copied().collect();
            if let Some(exit) = run.exit.take() {
                let left = if run.is_asked_to_end() { Vec::new() } else { left_processes(&rest, run.port) };
                findings.push(Finding::Exited(run.id, exit, left));
            }
            for (_, sending) in orders.iter().filter(|(ordered, _)| *ordered == id) {
                run.take(*sending, &processes);
            }
            if is_readable {
                run.pass_stop_on(&table, &processes, is_settled);
            } else {
                run.stop_group();
            }
            if run.killed_at.is_some() {
                run.signal(libc::SIGKILL, &processes);
                is_urgent |= !rest.is_empty();
            }
            let is_empty = if is_readable {
                rest.is_empty() && !self.finder.is_undecided()
            } else {
                !sys::has_child(Child::InGroup(run.leader))
            };
            if !run.leader_lives && run.is_empty_again(is_empty, is_settled || !is_readable) {
                gone.push(run.id);
                self.all.remove(position);
                continue;
            }
            is_urgent |= !run.leader_lives && is_empty;
            findings.extend(run.unkillable(&rest));
            position += 1;
        }
        for run in gone {
            self.name_left_behind(run, &table, findings);
            findings.push(Finding::Gone(run));
        }
        self.eager_looks = if is_urgent { self.eager_looks.saturating_add(1) } else { 0 };
    }

    fn find(&mut self, table: &Table) {
        let facts: Vec<RunFacts<'_>> = self.all.iter().map(Run::facts).collect();
        let session = &self.session;
        let mut evidence = |process: &Process| proc_table::evidence_of(process.pid, session);
        self.finder.update(table, &facts, Instant::now(), &mut evidence);
        self.named.retain(|(pid, _)| self.finder.knows(*pid));
    }

    /// Reports processes that may come from a run which is gone: a restart spares them, the last sweep does not.
    fn name_left_behind(&mut self, run: RunId, table: &Table, findings: &mut Vec<Finding>) {
        let own = getpid();
        let mut left = 0;
        for process in table.processes.iter().filter(|process| process.parent == own && !process.zombie) {
            let Some(Owner::OneOf(candidates)) = self.finder.owner(process) else { continue };
            let is_one = candidates.iter().any(|candidate| candidate.run == run);
            if is_one && left < NAMED && self.named.insert(process.identity()) {
                left += 1;
                let dynos = candidates.iter().map(|candidate| candidate.dyno.clone()).collect();
                findings.push(Finding::LeftBehind(run, dynos, left_process(process, None)));
            }
        }
    }
}

/// The processes of a run, its leader included.
fn living_processes(table: &Table, finder: &Finder, run: RunId) -> Vec<Process> {
    let is_own = |process: &&Process| !process.zombie && finder.owner(process) == Some(&Owner::Run(run));
    table.processes.iter().filter(is_own).copied().collect()
}

/// What a leader has left running: the one that listens on a port if there is one, else the first of each family.
fn left_processes(rest: &[Process], port: Option<u16>) -> Vec<LeftRunning> {
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
    rest.iter().filter(|process| process.parent == own).take(NAMED).map(|process| left_process(process, None)).collect()
}

fn left_process(process: &Process, port: Option<u16>) -> LeftRunning {
    let name = proc_table::name_of(process.pid).unwrap_or_else(|| "a process".to_owned());
    LeftRunning { pid: process.pid.as_raw(), name, port }
}

impl Run {
    fn facts(&self) -> RunFacts<'_> {
        RunFacts {
            id: self.id,
            leader: self.leader,
            leader_lives: self.leader_lives,
            dyno: &self.dyno,
            streams: &self.streams,
            port: self.port,
            started: self.started,
        }
    }

    fn is_asked_to_end(&self) -> bool {
        self.stop.is_some() || self.killed_at.is_some()
    }

    fn is_ending(&self) -> bool {
        !self.leader_lives || self.is_asked_to_end()
    }

    /// Takes an order. What it means for processes that a later look finds is kept.
    fn take(&mut self, sending: Sending, processes: &[Process]) {
        match sending {
            Sending::Stop { signal, everything } => {
                let stage = if everything { StopStage::Rest(STOP_LOOKS) } else { StopStage::Ordered };
                self.stop.get_or_insert(Stop { signal, stage, signalled: BTreeSet::new() });
            }
            Sending::StopRest => {
                if let Some(stop) = &mut self.stop {
                    stop.stage = StopStage::Rest(STOP_LOOKS);
                }
            }
            Sending::Kill => {
                self.killed_at.get_or_insert_with(Instant::now);
            }
            Sending::All(signal) => self.signal(signal, processes),
            Sending::SpareShell(signal) => {
                if self.own_shell.is_some() && self.own_shell == proc_table::words_of(self.leader) {
                    let others = processes.iter().filter(|process| process.pid != self.leader);
                    others.for_each(|process| signal_process(process, signal));
                } else {
                    self.signal(signal, processes);
                }
            }
        }
    }

    /// Sends the stop signal to whom it is due, followed by SIGCONT.
    fn pass_stop_on(&mut self, table: &Table, processes: &[Process], is_settled: bool) {
        let leader = self.leader;
        let Some(stop) = &mut self.stop else { return };
        let is_alive = |first: &Identity| processes.iter().any(|process| process.identity() == *first);
        let once_more = if is_settled { 0 } else { STOP_LOOKS };
        let (due, stage) = match std::mem::replace(&mut stop.stage, StopStage::Rest(0)) {
            StopStage::Ordered => {
                let FirstToStop { mut programs, shells } = first_to_stop(table, leader, &mut proc_table::is_shell);
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
        for process in due {
            if stop.signalled.insert(process.identity()) {
                signal_process(&process, stop.signal);
                signal_process(&process, libc::SIGCONT);
            }
        }
    }

    /// The same where processes cannot be listed: everything in the leader's group gets the signal at once.
    fn stop_group(&mut self) {
        let Some(stop) = &mut self.stop else { return };
        if stop.signalled.insert((self.leader, 0)) {
            let signal = stop.signal;
            self.signal(signal, &[]);
            self.signal(libc::SIGCONT, &[]);
        }
    }

    /// Signals the whole group, and those of the processes that have left it.
    fn signal(&self, signal: i32, processes: &[Process]) {
        // While the leader is not reaped or a child of ours is in it, nobody else can have the number of the group.
        let is_group_ours = self.leader_lives || sys::has_child(Child::InGroup(self.leader));
        if is_group_ours && !sys::send_to_group(self.leader, signal) && self.leader_lives {
            // It was forked just now and has no group of its own yet.
            sys::send(self.leader, signal);
        }
        let missed = processes.iter().filter(|process| !is_group_ours || process.group != self.leader);
        missed.for_each(|process| signal_process(process, signal));
    }

    /// Whether enough looks in a row have found nothing.
    fn is_empty_again(&mut self, is_empty: bool, is_settled: bool) -> bool {
        if !is_empty {
            (self.empty_looks, self.settled_looks) = (0, 0);
            return false;
        }
        self.empty_looks += 1;
        self.settled_looks += u32::from(is_settled);
        self.settled_looks >= EMPTY_LOOKS || self.empty_looks >= EMPTY_UNSETTLED_LOOKS
    }

    /// Something that was killed long ago and is still there, once.
    fn unkillable(&mut self, rest: &[Process]) -> Option<Finding> {
        if self.unkillable_reported || self.killed_at?.elapsed() < UNKILLABLE_AFTER {
            return None;
        }
        self.unkillable_reported = true;
        let survivor = rest.first().map_or(self.leader, |process| process.pid);
        Some(Finding::Unkillable(self.id, describe(survivor)))
    }
}

/// Signals this process, and never a later one with its pid.
fn signal_process(process: &Process, signal: i32) {
    if process.parent == getpid() {
        // Our own child: only we can reap it, and have not since the look.
        sys::send(process.pid, signal);
        return;
    }
    let descriptor = sys::open_process(process.pid);
    let is_same = || proc_table::read_process(process.pid).is_some_and(|now| now.start == process.start);
    match descriptor {
        Ok(descriptor) if is_same() => sys::send_by_descriptor(descriptor.as_fd(), signal),
        Ok(_) | Err(Errno::ESRCH) => {}
        // A kernel or a sandbox that knows no such descriptors.
        Err(_) if is_same() => sys::send(process.pid, signal),
        Err(_) => {}
    }
}
