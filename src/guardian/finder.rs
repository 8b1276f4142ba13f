//! Decides which run each process belongs to (S6.10).
//!
//! Pure: `proc_table` reads the table and the evidence. A process belongs to the run of its parent, and keeps that run
//! for life. Evidence is needed only for an orphan, a process whose parent ended before any scan saw both: all we know
//! is that it descends from one of our runs, because the system made it our child.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::table::{Identity, Process, Table};
use crate::model::RunId;

/// After this time an empty environment is accepted as final. Until then the process may be at the end of an exec.
const EMPTY_IS_FINAL_AFTER: Duration = Duration::from_millis(200);

/// The same if the process has no arguments either, as in the middle of an exec, which can take long on a busy machine.
const EXEC_ENDS_WITHIN: Duration = Duration::from_secs(2);

/// After this time without a scan, processes that have ended since the last one prove nothing: the ids of their groups
/// and sessions may have been reused.
const IDS_ARE_RELIABLE_FOR: Duration = Duration::from_secs(1);

/// What is known about a run that may still have processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunFacts<'a> {
    pub(super) id: RunId,
    /// Its first process, dead or alive. Its pid is also the id of the group and of the session.
    pub(super) leader: Pid,
    pub(super) leader_lives: bool,
    /// `web.1`.
    pub(super) dyno: &'a str,
    /// Its pipes or its terminal, named as in [`Evidence::open_files`].
    pub(super) streams: &'a [String],
    pub(super) port: Option<u16>,
    /// Clock ticks from boot to just before its start.
    pub(super) started: u64,
}

/// Reads from the system which run an orphan may come from. The methods are in order of cost, cheapest first.
pub(super) trait Evidence {
    /// The marks in its environment.
    fn marks(&mut self, pid: Pid) -> Marks;
    /// The names of its open files.
    fn open_files(&mut self, pid: Pid) -> Vec<String>;
    /// The TCP ports that it listens on.
    fn ports(&mut self, pid: Pid) -> Vec<u16>;
}

/// The marks of `dyno` in the environment of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Marks {
    /// `DYNO_SESSION` is the one of this start of `dyno`, and `DYNO` names this dyno.
    Dyno(String),
    /// No marks: the environment was overwritten or cleared, or cannot be read.
    #[default]
    Absent,
    /// The environment is empty. The process may be at the end of an exec.
    Blank,
    /// The environment and the arguments are empty: the process is in the middle of an exec.
    Executing,
}

/// The run that a process belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    Run(RunId),
    /// It comes from one of these runs, which were alive when it started. The evidence does not say which.
    OneOf(Vec<Candidate>),
    /// Its environment was still empty. `since`: when it was first seen.
    Undecided {
        since: Instant,
    },
}

/// A run that a process may belong to, and its dyno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) run: RunId,
    pub(super) dyno: String,
}

#[derive(Debug)]
struct Known {
    start: u64,
    group: Pid,
    session: Pid,
    owner: Owner,
}

/// Remembers the run of every process in the last table.
#[derive(Debug, Default)]
pub(super) struct Finder {
    known: BTreeMap<Pid, Known>,
    zombies: Vec<Identity>,
    updated: Option<Instant>,
    /// Whether the last scan is certain to have seen every process.
    is_settled: bool,
}

impl Finder {
    /// Assigns the processes of a new table. `evidence` is read only for orphans that share no group or session with a
    /// run.
    pub(super) fn update(&mut self, table: &Table, runs: &[RunFacts<'_>], now: Instant, evidence: &mut dyn Evidence) {
        let mut before = std::mem::take(&mut self.known);
        if self.updated.is_some_and(|updated| now.duration_since(updated) > IDS_ARE_RELIABLE_FOR) {
            let present: BTreeSet<Identity> = table.processes.iter().map(Process::identity).collect();
            before.retain(|pid, known| present.contains(&(*pid, known.start)));
        }
        self.updated = Some(now);
        for process in &table.processes {
            let seen = before.get(&process.pid).filter(|known| known.start == process.start);
            let owner = match (seen.map(|known| &known.owner), self.known.get(&process.parent)) {
                (Some(owner @ (Owner::Run(_) | Owner::OneOf(_))), _) => owner.clone(),
                (Some(Owner::Undecided { .. }) | None, Some(parent)) => parent.owner.clone(),
                (Some(Owner::Undecided { .. }) | None, None) => {
                    let known = before.values().chain(self.known.values());
                    if let Some(owner) = by_kinship(process, runs, known) {
                        owner
                    } else {
                        let blank_since = match seen.map(|known| &known.owner) {
                            Some(Owner::Undecided { since }) => *since,
                            Some(Owner::Run(_) | Owner::OneOf(_)) | None => now,
                        };
                        let waited = now.duration_since(blank_since);
                        match (by_evidence(process, runs, evidence), by_time(process, runs)) {
                            (OrphanVerdict::Run(run), _) => Owner::Run(run),
                            (OrphanVerdict::MayFollow { within }, Owner::OneOf(_)) if waited < within => {
                                Owner::Undecided { since: blank_since }
                            }
                            (OrphanVerdict::MayFollow { .. } | OrphanVerdict::Nothing, owner) => owner,
                        }
                    }
                }
            };
            let (start, group, session) = (process.start, process.group, process.session);
            self.known.insert(process.pid, Known { start, group, session, owner });
        }
        let zombies: Vec<Identity> =
            table.processes.iter().filter(|process| process.zombie).map(Process::identity).collect();
        // A process that ended during the scan may have had children that the scan missed.
        self.is_settled = table.is_complete && zombies.iter().all(|zombie| self.zombies.contains(zombie));
        self.zombies = zombies;
    }

    /// Whether the last scan is certain to have seen every process.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// The owner of a process of the last table.
    pub(super) fn owner(&self, process: &Process) -> Option<&Owner> {
        self.known.get(&process.pid).map(|known| &known.owner)
    }

    /// Whether the last scan saw a process with this pid.
    pub(super) fn knows(&self, pid: Pid) -> bool {
        self.known.contains_key(&pid)
    }

    /// Whether a process that was first seen by then may still turn out to belong to any of the runs.
    pub(super) fn is_undecided(&self, seen_by: Instant) -> bool {
        self.known.values().any(|known| matches!(known.owner, Owner::Undecided { since } if since <= seen_by))
    }
}

/// What the evidence about an orphan proves.
enum OrphanVerdict {
    Run(RunId),
    /// Its environment is still empty, so that evidence may follow.
    MayFollow {
        within: Duration,
    },
    Nothing,
}

/// The run whose leader, session or group this process shares.
fn by_kinship<'a>(
    process: &Process,
    runs: &[RunFacts<'_>],
    mut known: impl Iterator<Item = &'a Known>,
) -> Option<Owner> {
    // The id of a session or group is not reused while a process is in it, so the id of a dead leader is still
    // reliable. A group or session that the process created itself proves nothing: its id is the pid of the process,
    // which another process may have had before.
    let shares = |theirs: Pid, own: Pid| theirs == own && own != process.pid;
    let related = |session: Pid, group: Pid| shares(session, process.session) || shares(group, process.group);
    let by_leader =
        |run: &&RunFacts<'_>| (run.leader_lives && run.leader == process.pid) || related(run.leader, run.leader);
    if let Some(run) = runs.iter().find(by_leader) {
        return Some(Owner::Run(run.id));
    }
    let is_related = |known: &&Known| related(known.session, known.group) && matches!(known.owner, Owner::Run(_));
    known.find(is_related).map(|known| known.owner.clone())
}

fn by_evidence(process: &Process, runs: &[RunFacts<'_>], evidence: &mut dyn Evidence) -> OrphanVerdict {
    if process.zombie {
        return OrphanVerdict::Nothing;
    }
    let marks = evidence.marks(process.pid);
    let by_marks = |run: &&RunFacts<'_>| matches!(&marks, Marks::Dyno(dyno) if dyno == run.dyno);
    if let Some(run) = runs.iter().find(by_marks) {
        return OrphanVerdict::Run(run.id);
    }
    let files = evidence.open_files(process.pid);
    let by_streams = |run: &&RunFacts<'_>| run.streams.iter().any(|stream| files.contains(stream));
    if let Some(run) = runs.iter().find(by_streams) {
        return OrphanVerdict::Run(run.id);
    }
    let ports = evidence.ports(process.pid);
    let by_port = |run: &&RunFacts<'_>| run.port.is_some_and(|port| ports.contains(&port));
    match (runs.iter().find(by_port), marks) {
        (Some(run), _) => OrphanVerdict::Run(run.id),
        (None, Marks::Blank) => OrphanVerdict::MayFollow { within: EMPTY_IS_FINAL_AFTER },
        (None, Marks::Executing) => OrphanVerdict::MayFollow { within: EXEC_ENDS_WITHIN },
        (None, Marks::Dyno(_) | Marks::Absent) => OrphanVerdict::Nothing,
    }
}

fn by_time(process: &Process, runs: &[RunFacts<'_>]) -> Owner {
    let alive = || runs.iter().filter(|run| run.started <= process.start);
    match (alive().next(), alive().nth(1)) {
        (Some(only), None) => Owner::Run(only.id),
        (Some(_) | None, _) => {
            Owner::OneOf(alive().map(|run| Candidate { run: run.id, dyno: run.dyno.to_owned() }).collect())
        }
    }
}

#[cfg(test)]
mod tests;
