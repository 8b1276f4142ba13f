//! Decides which processes get the stop signal when (S6.6).
//!
//! Pure. A program such as Celery, gunicorn, puma or postgres stops its own workers, and loses their work if they get
//! the signal directly. A shell does not pass the signal on, so the shell and the programs that it runs get it
//! together. A filter in a pipeline, such as `tee`, must outlive the program before it, or the program's last output is
//! lost ([`filters`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use nix::unistd::Pid;

use super::filters::{self, Activity, FilterChange, Filters};
use super::table::{Identity, Process, ScanResult, Table};

/// Maximum number of scans for each stage of a stop. Another one follows only if the last may have missed processes.
const STOP_SCANS: u32 = 3;

/// Facts that the table does not contain: the program and the pipes of a process.
pub(super) trait Programs {
    /// Whether this process is a shell.
    fn is_shell(&mut self, pid: Pid) -> bool;
    /// Whether it has started within the last second.
    fn is_new(&mut self, process: &Process) -> bool;
    /// Whether this process has not ended. A scan can miss it: if its parent ends during the scan, it appears neither
    /// among the children of its parent nor among ours.
    fn is_running(&mut self, process: Identity) -> bool;
    /// The name of the pipe that is its stdin.
    fn reads_from(&mut self, pid: Pid) -> Option<String>;
    /// The names of the pipes that are its stdout and stderr.
    fn writes_to(&mut self, pid: Pid) -> Vec<String>;
    /// Whether it has a pipe open, or that cannot be known.
    fn may_have_open(&mut self, pid: Pid, pipe: &str) -> bool;
    /// Whether it listens on a TCP port.
    fn listens(&mut self, pid: Pid) -> bool;
    /// How much it has done so far. None: unknown.
    fn activity(&mut self, pid: Pid) -> Option<Activity>;
}

/// A stop in progress.
#[derive(Debug)]
pub(super) struct Stop {
    signal: i32,
    stage: StopStage,
    /// Each process gets the signal once. True: it was a new shell then. If it has become a program since, it was forked to
    /// run that, may have lost the signal in the fork, and gets it again. An older shell runs a program to clean up.
    signalled: BTreeMap<Identity, bool>,
    /// Filters that get no signal until the grace period is nearly over, unless they turn out not to be filters.
    filters: Filters,
    /// The filters and what they run, until the filters have ended.
    spared: BTreeSet<Identity>,
}

/// The programs and the shells between that have been signalled.
#[derive(Debug)]
struct StoppedFirst {
    programs: Vec<Identity>,
    shells: Vec<Identity>,
}

/// How far a stop has got.
#[derive(Debug)]
enum StopStage {
    /// No process has been signalled yet. The first signals can wait for this many more scans, until one has surely
    /// found every process: if a program were missed, its workers would be taken for programs without a parent.
    Ordered(u32),
    /// The rest follows when the programs have ended.
    First(StoppedFirst),
    /// The programs have ended, but shells still run. What these have started cleans up, and is left alone until they have
    /// ended. Everything else gets the signal, in at most this many more scans.
    Shells(StoppedFirst, u32),
    /// Everything that the next scan finds gets the signal.
    Rest,
    /// What earlier scans may have missed gets the signal too, for this many more scans.
    Missed(u32),
}

impl Stop {
    /// `everything`: all processes of the run get the signal at once.
    pub(super) fn new(signal: i32, everything: bool) -> Self {
        let stage = if everything { StopStage::Rest } else { StopStage::Ordered(STOP_SCANS) };
        Self { signal, stage, signalled: BTreeMap::new(), filters: Filters::default(), spared: BTreeSet::new() }
    }

    pub(super) fn signal(&self) -> i32 {
        self.signal
    }

    /// From the next scan on, all processes of the run get the signal, filters too.
    pub(super) fn include_everything(&mut self) {
        self.stage = StopStage::Rest;
        self.filters.clear();
        self.spared.clear();
    }

    /// Records that this process gets the signal. Returns false if it has had it. `may_lose_it`: it is a shell that may just
    /// have been forked to run a program. `is_shell`: it is a shell other than the leader.
    pub(super) fn claim(&mut self, process: Identity, is_shell: bool, may_lose_it: bool) -> bool {
        let mut is_first_try = false;
        let may_have_lost_it = self.signalled.entry(process).or_insert_with(|| {
            is_first_try = true;
            may_lose_it
        });
        let is_second_try = *may_have_lost_it && !is_shell;
        *may_have_lost_it &= is_shell;
        is_first_try || is_second_try
    }

    /// The processes that get the signal now. `processes`: all live processes of the run that the scan found.
    pub(super) fn due(
        &mut self,
        scan: &ScanResult<'_>,
        leader: Pid,
        processes: &[Process],
        programs: &mut dyn Programs,
        now: Instant,
    ) -> Vec<Process> {
        let scans_left = if scan.is_settled { 0 } else { STOP_SCANS };
        let (mut due, stage) = match std::mem::replace(&mut self.stage, StopStage::Rest) {
            StopStage::Ordered(scans) if scans > 0 && !scan.is_settled => (Vec::new(), StopStage::Ordered(scans - 1)),
            StopStage::Ordered(_) => {
                let FirstToStop { programs, shells, filters } = first_to_stop(scan.table, leader, programs);
                self.filters = Filters::of(&filters);
                if programs.is_empty() {
                    (processes.to_vec(), StopStage::Missed(scans_left))
                } else {
                    let identities = |of: &[Process]| of.iter().map(Process::identity).collect();
                    let stage =
                        StopStage::First(StoppedFirst { programs: identities(&programs), shells: identities(&shells) });
                    // Parents first: a shell whose program ends before it gets the signal would go on to its next command.
                    let is_first = |process: &&Process| programs.contains(process) || shells.contains(process);
                    (scan.table.processes.iter().filter(is_first).copied().collect(), stage)
                }
            }
            StopStage::First(first) if first.programs.iter().any(|program| programs.is_running(*program)) => {
                (Vec::new(), StopStage::First(first))
            }
            StopStage::First(first) => self.after_programs(first, STOP_SCANS, scan, processes, programs),
            StopStage::Shells(first, scans) => self.after_programs(first, scans, scan, processes, programs),
            StopStage::Rest => (processes.to_vec(), StopStage::Missed(scans_left)),
            StopStage::Missed(0) => (Vec::new(), StopStage::Missed(0)),
            StopStage::Missed(scans) => {
                (self.not_started_to_clean_up(scan.table, processes), StopStage::Missed(scans_left.min(scans - 1)))
            }
        };
        self.stage = stage;
        let FilterChange { released, has_ended } = self.filters.look(scan.table, processes, programs, now);
        let spared = self.filters.family(scan.table);
        let family = processes.iter().filter(|process| spared.contains(&process.pid));
        self.spared.extend(family.map(Process::identity));
        if has_ended {
            // What it has left running gets the signal, too.
            let left = processes.iter().filter(|process| !spared.contains(&process.pid));
            due.extend(left.filter(|process| self.spared.remove(&process.identity())));
        }
        due.retain(|process| !self.spared.contains(&process.identity()));
        due.extend(released);
        due.retain(|process| {
            let is_shell = process.pid != leader && programs.is_shell(process.pid);
            self.claim(process.identity(), is_shell, is_shell && programs.is_new(process))
        });
        due
    }

    /// The processes that get the signal when the first programs have ended, and the next stage.
    fn after_programs(
        &self,
        mut first: StoppedFirst,
        scans: u32,
        scan: &ScanResult<'_>,
        processes: &[Process],
        programs: &mut dyn Programs,
    ) -> (Vec<Process>, StopStage) {
        first.shells.retain(|shell| programs.is_running(*shell));
        if first.shells.is_empty() {
            return (processes.to_vec(), StopStage::Missed(if scan.is_settled { 0 } else { STOP_SCANS }));
        }
        if scans == 0 {
            return (Vec::new(), StopStage::Shells(first, 0));
        }
        let has = |all: &[Identity], process: &Process| all.contains(&process.identity());
        // What a shell has started, and not a program that it ran.
        let mut of_shells = BTreeSet::new();
        for process in &scan.table.processes {
            let comes_from_shell = of_shells.contains(&process.parent) && !has(&first.programs, process);
            if comes_from_shell || has(&first.shells, process) {
                of_shells.insert(process.pid);
            }
        }
        // Those that have had the signal may have lost it.
        let is_due = |process: &&Process| self.has_had_it(process) || !of_shells.contains(&process.pid);
        let due = processes.iter().filter(is_due).copied().collect();
        // The first of these scans may have been before the last program ended.
        let is_last = scan.is_settled && scans < STOP_SCANS;
        (due, StopStage::Shells(first, if is_last { 0 } else { scans - 1 }))
    }

    fn has_had_it(&self, process: &Process) -> bool {
        self.signalled.contains_key(&process.identity())
    }

    /// The processes that do not descend from a signalled process. A program that a signalled process starts usually
    /// cleans up, and must not be interrupted.
    fn not_started_to_clean_up(&self, table: &Table, processes: &[Process]) -> Vec<Process> {
        let signalled = table.processes.iter().filter(|process| self.has_had_it(process));
        let below = table.descendants(&signalled.map(|process| process.pid).collect());
        processes.iter().filter(|process| !below.contains(&process.pid)).copied().collect()
    }
}

/// The processes that get the stop signal first. The rest of the run follows when `programs` have ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct FirstToStop {
    /// The leader. If it is a shell, also the programs that it runs, directly or through other shells.
    programs: Vec<Process>,
    /// The shells between the leader and those programs.
    shells: Vec<Process>,
    /// Processes that read the output of another one of these.
    filters: Vec<Process>,
}

/// Empty if the leader has ended.
fn first_to_stop(table: &Table, leader: Pid, programs: &mut dyn Programs) -> FirstToStop {
    let mut first = FirstToStop::default();
    let Some(leader) = table.processes.iter().find(|process| process.pid == leader && !process.zombie) else {
        return first;
    };
    first.programs.push(*leader);
    let mut open = Vec::new();
    if programs.is_shell(leader.pid) {
        open.push(leader.pid);
    }
    while let Some(shell) = open.pop() {
        for child in table.children_of(shell).filter(|child| !child.zombie) {
            if programs.is_shell(child.pid) {
                first.shells.push(*child);
                open.push(child.pid);
            } else {
                first.programs.push(*child);
            }
        }
    }
    let filters = filters::find(&[&first.programs[..], &first.shells].concat(), leader.pid, programs);
    first.programs.retain(|process| !filters.contains(process));
    first.shells.retain(|process| !filters.contains(process));
    first.filters = filters;
    first
}

#[cfg(test)]
mod tests;
