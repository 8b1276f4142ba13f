//! The runs the guardian has started: whom to signal, and when nothing is left of one.
//!
//! A run is more than its leader: the leader's group, and every process that left the group (setsid, a daemon) but
//! still descends from the leader or carries the markers of the session and the dyno in its environment.
//! Decides nothing about restarts or the end; that is the supervisor's.

use std::fs;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::descendants::{self, Marks, Stat};
use super::protocol::Sending;
use super::sweep::{UNKILLABLE_AFTER, describe};
use crate::app::RunId;

/// How long a child of ours may be without an environment before it counts as a stranger's: in the middle of an exec it
/// has none, and on a busy machine that takes its time.
const EXEC_TAKES: Duration = Duration::from_millis(200);

/// One run.
#[derive(Debug)]
struct Run {
    id: RunId,
    /// The leader's pid, which is also the number of its group and session.
    leader: Pid,
    leader_lives: bool,
    /// The words of the shell that is to run its line. It may have been replaced since: `cd app && exec ./server`.
    own_shell: Option<Vec<u8>>,
    /// `DYNO=web.1`.
    marker: Vec<u8>,
    /// The stop signal, once it was ordered; each process gets it once.
    stop: Option<i32>,
    stopped: Vec<Pid>,
    killed_at: Option<Instant>,
    unkillable_reported: bool,
}

/// Something the table has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Gone(RunId),
    Unkillable(RunId, String),
}

/// Which runs to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those whose leader is gone: a child has just ended, it may have been the last of one.
    LeaderGone,
    /// All that are ending.
    Ending,
}

/// All runs of which something may be left.
#[derive(Debug, Default)]
pub(super) struct Runs {
    all: Vec<Run>,
    /// `DYNO_SESSION=…`, taken from the first spawn.
    session: Vec<u8>,
    /// Children of ours that had no environment when they were looked at, and since when.
    blank: Vec<(Pid, Instant)>,
}

/// What there is of a run besides its leader.
#[derive(Debug, Default)]
struct Found {
    /// In its group.
    members: Vec<Pid>,
    /// Outside of it.
    strays: Vec<Pid>,
    /// Whether there is a process that may turn out to be another one.
    undecided: bool,
}

impl Runs {
    /// `own_shell`: the words that a shell of ours runs its line by, each ended by NUL.
    pub(super) fn add(&mut self, id: RunId, leader: Pid, own_shell: Option<Vec<u8>>, marker: Vec<u8>, session: &[u8]) {
        if self.session.is_empty() {
            self.session = session.to_vec();
        }
        self.all.push(Run {
            id,
            leader,
            leader_lives: true,
            own_shell,
            marker,
            stop: None,
            stopped: Vec::new(),
            killed_at: None,
            unkillable_reported: false,
        });
    }

    /// A child was reaped: the run whose leader it was, if any.
    pub(super) fn reaped(&mut self, pid: Pid) -> Option<RunId> {
        let run = self.all.iter_mut().find(|run| run.leader_lives && run.leader == pid)?;
        run.leader_lives = false;
        Some(run.id)
    }

    /// Whether something can change without a child's end: a group whose members are not our children empties.
    pub(super) fn need_watching(&self) -> bool {
        self.all.iter().any(Run::is_ending)
    }

    /// Sends a signal to all that is left of a run. A run that is gone is not signalled.
    pub(super) fn signal(&mut self, id: RunId, sending: Sending) {
        let Some(position) = self.all.iter().position(|run| run.id == id) else { return };
        let Found { members, strays, .. } = self.processes_of(position);
        let Some(run) = self.all.get_mut(position) else { return };
        match sending {
            Sending::Stop(signal) => {
                if run.stop.is_none() {
                    run.stop = Some(signal);
                    // They get it with the group, also those that leave it then.
                    run.stopped = members;
                    run.signal_group(signal);
                    run.signal_group(libc::SIGCONT);
                }
                run.stop_strays(&strays);
            }
            Sending::Kill => {
                run.killed_at.get_or_insert_with(Instant::now);
                run.kill_all(&strays);
            }
            Sending::All(signal) => {
                run.signal_group(signal);
                send_to_each(&strays, signal);
            }
            Sending::SpareShell(signal) => {
                if run.own_shell.is_some() && run.own_shell == words_of(run.leader) {
                    send_to_each(&members, signal);
                } else {
                    run.signal_group(signal);
                }
                send_to_each(&strays, signal);
            }
        }
    }

    /// Looks again at runs that are ending: signals what newly left its group, finds those that are gone.
    pub(super) fn look(&mut self, scope: Scope, findings: &mut Vec<Finding>) {
        let mut position = 0;
        while let Some(run) = self.all.get(position) {
            let due = match scope {
                Scope::LeaderGone => !run.leader_lives,
                Scope::Ending => run.is_ending(),
            };
            if !due {
                position += 1;
                continue;
            }
            // Before the search: who leaves the group in between is found outside it.
            let is_empty = !run.leader_lives && run.group_is_empty();
            let Found { strays, undecided, .. } = self.processes_of(position);
            let Some(run) = self.all.get_mut(position) else { return };
            if is_empty && strays.is_empty() && !undecided {
                findings.push(Finding::Gone(run.id));
                self.all.remove(position);
                continue;
            }
            if run.stop.is_some() {
                run.stop_strays(&strays);
            }
            if let Some(killed_at) = run.killed_at {
                run.kill_all(&strays);
                if killed_at.elapsed() >= UNKILLABLE_AFTER && !run.unkillable_reported {
                    run.unkillable_reported = true;
                    let survivor = strays.first().copied().unwrap_or(run.leader);
                    findings.push(Finding::Unkillable(run.id, describe(survivor)));
                }
            }
            position += 1;
        }
    }

    /// Processes of a run besides its leader.
    ///
    /// Below a living leader: whoever descends from it. Otherwise: our own children (they lost their parent) that
    /// are in its group or session or carry its markers, and whoever descends from those.
    fn processes_of(&mut self, position: usize) -> Found {
        let Some(run) = self.all.get(position) else { return Found::default() };
        let mut found = Found::default();
        if run.leader_lives {
            found.collect_below(run.leader, run.leader);
        }
        let mut orphans = Vec::new();
        descendants::for_each_own_child(|child| orphans.push(child));
        self.blank.retain(|(pid, _)| orphans.contains(pid));
        // A leader belongs to its own run alone; this also spares a look at each of many living dynos.
        orphans.retain(|orphan| !self.all.iter().any(|run| run.leader_lives && run.leader == *orphan));
        for orphan in orphans {
            let Some(stat) = Stat::read(orphan).filter(|stat| !stat.zombie) else { continue };
            let marks = if stat.group == run.leader || stat.session == run.leader {
                Marks::Present
            } else {
                descendants::marks_of(orphan, [&self.session, &run.marker])
            };
            if marks == Marks::Blank {
                found.undecided |= is_new(&mut self.blank, orphan);
            }
            if marks == Marks::Present {
                found.add(orphan, stat.group == run.leader);
                found.collect_below(orphan, run.leader);
            }
        }
        found
    }
}

impl Found {
    fn add(&mut self, pid: Pid, is_member: bool) {
        if is_member { self.members.push(pid) } else { self.strays.push(pid) }
    }

    /// Adds the descendants of `top`.
    fn collect_below(&mut self, top: Pid, group: Pid) {
        let mut open = descendants::children_of(top);
        while let Some(pid) = open.pop() {
            let Some(stat) = Stat::read(pid).filter(|stat| !stat.zombie) else { continue };
            self.add(pid, stat.group == group);
            open.extend(descendants::children_of(pid));
        }
    }
}

/// What a process was executed with.
fn words_of(pid: Pid) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

/// Whether this process is without an environment for the first time, or not for long.
fn is_new(blank: &mut Vec<(Pid, Instant)>, pid: Pid) -> bool {
    let known = blank.iter().find(|(known, _)| *known == pid).map(|(_, since)| *since);
    let since = known.unwrap_or_else(|| {
        let now = Instant::now();
        blank.push((pid, now));
        now
    });
    since.elapsed() < EXEC_TAKES
}

impl Run {
    fn is_ending(&self) -> bool {
        !self.leader_lives || self.stop.is_some() || self.killed_at.is_some()
    }

    fn signal_group(&self, signal: i32) {
        // While the leader is unreaped or a member lives the kernel keeps the group's number from anybody else.
        if let Ok(signal) = Signal::try_from(signal) {
            let _ = killpg(self.leader, signal);
        }
    }

    fn group_is_empty(&self) -> bool {
        killpg(self.leader, None) == Err(Errno::ESRCH)
    }

    fn stop_strays(&mut self, strays: &[Pid]) {
        let Some(signal) = self.stop else { return };
        for stray in strays {
            if !self.stopped.contains(stray) {
                self.stopped.push(*stray);
                send(*stray, signal);
                send(*stray, libc::SIGCONT);
            }
        }
    }

    fn kill_all(&self, strays: &[Pid]) {
        self.signal_group(libc::SIGKILL);
        send_to_each(strays, libc::SIGKILL);
    }
}

fn send_to_each(pids: &[Pid], signal: i32) {
    for pid in pids {
        send(*pid, signal);
    }
}

fn send(pid: Pid, signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        // ESRCH: it ended in between. EPERM: it changed its user; it is reported as unkillable if it stays.
        let _ = kill(pid, signal);
    }
}
