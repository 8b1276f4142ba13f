//! Which run each process belongs to (S6.10).
//!
//! Pure: the table and the evidence are read by `proc_table`. A process belongs to the run of its parent, and keeps it for
//! life. Only a process whose parent ended before any look saw the two together needs evidence: it was given to us by the
//! system and shows no more than that it comes from one of our runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::table::{Identity, Process, Table};
use crate::app::RunId;

/// How long a process may be without an environment before that is taken as an answer: it has none in the middle of an
/// exec, which takes a while on a busy machine.
const EXEC_TAKES: Duration = Duration::from_millis(200);

/// What is known of a run that something may be left of.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunFacts<'a> {
    pub(super) id: RunId,
    /// Its first process, dead or alive; also the number of its group and session.
    pub(super) leader: Pid,
    pub(super) leader_lives: bool,
    /// `web.1`.
    pub(super) dyno: &'a str,
    /// Its pipes or its terminal, by the names that [`Evidence::open_files`] uses.
    pub(super) streams: &'a [String],
    pub(super) port: Option<u16>,
    /// Clock ticks from boot to just before its start.
    pub(super) started: u64,
}

/// Asks the system what an orphan shows about its origin. Each question costs more than the one before.
pub(super) trait Evidence {
    /// What its environment says.
    fn marks(&mut self, pid: Pid) -> Marks;
    /// The names of the files that it has open.
    fn open_files(&mut self, pid: Pid) -> Vec<String>;
    /// The TCP ports that it listens on.
    fn ports(&mut self, pid: Pid) -> Vec<u16>;
}

/// What the environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Marks {
    /// It names this start of `dyno`, by `DYNO_SESSION`, and this dyno.
    Dyno(String),
    /// Nothing: it was overwritten, cleared, or cannot be read.
    #[default]
    Absent,
    /// It is empty, as in the middle of an exec.
    Blank,
}

/// Whose a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    Run(RunId),
    /// It comes from one of these runs, which lived when it started; nothing says from which.
    OneOf(Vec<Candidate>),
    /// It had no environment when it was first seen, then.
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

/// Remembers the run of every process that was seen.
#[derive(Debug, Default)]
pub(super) struct Finder {
    known: BTreeMap<Pid, Known>,
    zombies: Vec<Identity>,
    /// Whether nothing happened during the last look that could have hidden a process from it.
    is_settled: bool,
}

impl Finder {
    /// Takes a new look at the system. `evidence` is asked once for each orphan that nothing else explains.
    pub(super) fn update(&mut self, table: &Table, runs: &[RunFacts<'_>], now: Instant, evidence: &mut dyn Evidence) {
        let before = std::mem::take(&mut self.known);
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
                        let is_new = now.duration_since(blank_since) < EXEC_TAKES;
                        match (by_evidence(process, runs, evidence), by_time(process, runs)) {
                            (Verdict::Run(run), _) => Owner::Run(run),
                            (Verdict::Blank, Owner::OneOf(_)) if is_new => Owner::Undecided { since: blank_since },
                            (Verdict::Blank | Verdict::Nothing, owner) => owner,
                        }
                    }
                }
            };
            let (start, group, session) = (process.start, process.group, process.session);
            self.known.insert(process.pid, Known { start, group, session, owner });
        }
        let zombies: Vec<Identity> =
            table.processes.iter().filter(|process| process.zombie).map(Process::identity).collect();
        // A process that ended during the look may have had children that were missed.
        self.is_settled = table.is_complete && zombies.iter().all(|zombie| self.zombies.contains(zombie));
        self.zombies = zombies;
    }

    /// Whether nothing happened during the last look that could have hidden a process from it.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whose a process of the last table is.
    pub(super) fn owner(&self, process: &Process) -> Option<&Owner> {
        self.known.get(&process.pid).map(|known| &known.owner)
    }

    /// Whether the last look saw a process with this pid.
    pub(super) fn knows(&self, pid: Pid) -> bool {
        self.known.contains_key(&pid)
    }

    /// Whether a process may still turn out to belong to any of the runs.
    pub(super) fn is_undecided(&self) -> bool {
        self.known.values().any(|known| matches!(known.owner, Owner::Undecided { .. }))
    }
}

/// What the evidence of an orphan says.
enum Verdict {
    Run(RunId),
    /// It has no environment now.
    Blank,
    Nothing,
}

/// The run whose leader, session or group this process shares.
fn by_kinship<'a>(
    process: &Process,
    runs: &[RunFacts<'_>],
    mut known: impl Iterator<Item = &'a Known>,
) -> Option<Owner> {
    // The number of a session or group is not given away while a process is in it, so a dead leader's still holds. One
    // that the process has made itself says nothing: it is its own number, which another process may have had before.
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

fn by_evidence(process: &Process, runs: &[RunFacts<'_>], evidence: &mut dyn Evidence) -> Verdict {
    if process.zombie {
        return Verdict::Nothing;
    }
    let marks = evidence.marks(process.pid);
    let by_marks = |run: &&RunFacts<'_>| matches!(&marks, Marks::Dyno(dyno) if dyno == run.dyno);
    if let Some(run) = runs.iter().find(by_marks) {
        return Verdict::Run(run.id);
    }
    let files = evidence.open_files(process.pid);
    let by_streams = |run: &&RunFacts<'_>| run.streams.iter().any(|stream| files.contains(stream));
    if let Some(run) = runs.iter().find(by_streams) {
        return Verdict::Run(run.id);
    }
    let ports = evidence.ports(process.pid);
    let by_port = |run: &&RunFacts<'_>| run.port.is_some_and(|port| ports.contains(&port));
    match (runs.iter().find(by_port), marks) {
        (Some(run), _) => Verdict::Run(run.id),
        (None, Marks::Blank) => Verdict::Blank,
        (None, Marks::Dyno(_) | Marks::Absent) => Verdict::Nothing,
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
