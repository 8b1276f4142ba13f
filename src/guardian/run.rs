//! One run: decides which of its processes get a signal when (S6.6), sends the signals, and decides when it is gone.
//!
//! Not here: `finder` decides which processes belong to the run, and `runs` scans the process table.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::finder::{Finder, RunFacts};
use super::proc_programs::ProcPrograms;
use super::proc_table;
use super::signal::signal_process;
use super::spawn::{ExecProgress, Execution};
use super::stop_order::Stop;
use super::sweep::{UNKILLABLE_AFTER, describe};
use super::sys::{self, Child};
use super::table::{Process, ScanResult};
use crate::model::{ExitStatus, RunId, RunOrder};

/// A run is gone after this many scans in a row that found none of its processes, if no process ended meanwhile.
const EMPTY_SCANS: u32 = 2;

/// The same while processes keep ending. A scan may miss their children, but other dynos must not delay the restart of
/// this one forever.
const EMPTY_UNSETTLED_SCANS: u32 = 25;

/// A process that first appears this long after the last known process of a run has ended does not come from that run.
const LAST_CHILD_APPEARS_WITHIN: Duration = Duration::from_millis(200);

/// An exit is reported at most this many scans late, while a scan may have missed processes that the leader has left
/// running.
const EXIT_SCANS: u32 = 3;

/// A run as it was started.
#[derive(Debug)]
pub(super) struct NewRun {
    pub(super) id: RunId,
    pub(super) leader: Pid,
    /// The pending exec. None once its outcome was reported.
    pub(super) execution: Option<Execution>,
    /// Clock ticks from boot to just before its start.
    pub(super) started: u64,
    /// The words of our own shell, each ended by NUL. None: the leader is not our own shell.
    ///
    /// The shell may replace itself later: `cd app && exec ./server`.
    pub(super) own_shell: Option<Vec<u8>>,
    /// `web.1`.
    pub(super) dyno: String,
    /// The names of its pipes or its terminal.
    pub(super) streams: Vec<String>,
    pub(super) port: Option<u16>,
}

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    start: NewRun,
    leader_lives: bool,
    /// How its leader exited, until that is reported.
    exit: Option<ExitStatus>,
    /// Scans since the exit that may have missed processes.
    exit_scans: u32,
    stop: Option<Stop>,
    killed_at: Option<Instant>,
    unkillable_reported: bool,
    /// When a scan first found none of its processes.
    empty_since: Option<Instant>,
    /// Scans in a row that found none of its processes, and how many of these were settled.
    empty_scans: u32,
    settled_scans: u32,
}

impl Run {
    pub(super) fn new(start: NewRun) -> Self {
        Self {
            start,
            leader_lives: true,
            exit: None,
            exit_scans: 0,
            stop: None,
            killed_at: None,
            unkillable_reported: false,
            empty_since: None,
            empty_scans: 0,
            settled_scans: 0,
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

    /// The pending exec. None once its outcome was reported.
    pub(super) fn execution(&self) -> Option<&Execution> {
        self.start.execution.as_ref()
    }

    /// The outcome of its exec. Returned only once.
    pub(super) fn take_executed(&mut self) -> Option<ExecProgress> {
        let progress = self.execution()?.progress();
        if progress == ExecProgress::Executing {
            return None;
        }
        self.start.execution = None;
        Some(progress)
    }

    /// Records that a child was reaped. Returns whether it was the leader.
    pub(super) fn reaped(&mut self, pid: Pid, exit: ExitStatus) -> bool {
        let is_leader = self.leader_lives && self.start.leader == pid;
        if is_leader {
            self.leader_lives = false;
            self.exit = Some(exit);
        }
        is_leader
    }

    /// Whether its leader has exited and that was not reported yet.
    pub(super) fn has_exit(&self) -> bool {
        self.exit.is_some()
    }

    /// How its leader exited. Returned only once, and only after the outcome of its exec is known. `is_certain`: whether
    /// the last scan has found every process that the leader has left running.
    pub(super) fn take_exit(&mut self, is_certain: bool) -> Option<ExitStatus> {
        if self.start.execution.is_some() || self.exit.is_none() {
            return None;
        }
        if !is_certain && !self.is_asked_to_end() && self.exit_scans < EXIT_SCANS {
            self.exit_scans += 1;
            return None;
        }
        self.exit.take()
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

    /// Accepts an order. Stops and kills also apply to processes that later scans find.
    pub(super) fn order(&mut self, order: RunOrder, processes: &[Process]) {
        match order {
            RunOrder::Stop { signal, everything } => {
                self.stop.get_or_insert_with(|| Stop::new(signal, everything));
            }
            RunOrder::StopRest => {
                if let Some(stop) = &mut self.stop {
                    stop.include_everything();
                }
            }
            RunOrder::Kill => {
                self.killed_at.get_or_insert_with(Instant::now);
            }
            RunOrder::Pause => self.signal(libc::SIGSTOP, processes),
            RunOrder::Continue => self.signal(libc::SIGCONT, processes),
            RunOrder::Resized => self.signal(libc::SIGWINCH, processes),
            RunOrder::FromTerminal { signal } => self.signal(signal, &[]),
            RunOrder::Usr1 => self.signal_sparing_shell(libc::SIGUSR1, processes),
            RunOrder::Usr2 => self.signal_sparing_shell(libc::SIGUSR2, processes),
        }
    }

    fn signal_sparing_shell(&mut self, signal: i32, processes: &[Process]) {
        if self.start.own_shell.is_some() && self.start.own_shell == proc_table::words_of(self.start.leader) {
            let others = processes.iter().filter(|process| process.pid != self.start.leader);
            others.for_each(|process| signal_process(process, signal));
        } else {
            self.signal(signal, processes);
        }
    }

    /// Sends the signals that are due. `processes`: all live processes of this run.
    pub(super) fn carry_out(&mut self, scan: &ScanResult<'_>, processes: &[Process]) {
        if scan.is_readable {
            self.send_stop(scan, processes);
        } else {
            self.stop_group();
        }
        if self.is_killed() {
            self.signal(libc::SIGKILL, processes);
        }
    }

    /// Sends the stop signal, followed by SIGCONT, to the processes that are due.
    fn send_stop(&mut self, scan: &ScanResult<'_>, processes: &[Process]) {
        let leader = self.start.leader;
        let Some(stop) = &mut self.stop else { return };
        let signal = stop.signal();
        for process in stop.due(scan, leader, processes, &mut ProcPrograms, Instant::now()) {
            signal_process(&process, signal);
            signal_process(&process, libc::SIGCONT);
        }
    }

    /// The same without a process table: everything in the leader's group gets the signal at once.
    fn stop_group(&mut self) {
        let Some(stop) = &mut self.stop else { return };
        if stop.claim((self.start.leader, 0), false, false) {
            let signal = stop.signal();
            self.signal(signal, &[]);
            self.signal(libc::SIGCONT, &[]);
        }
    }

    /// Signals the leader's whole group, and the processes that have left it.
    fn signal(&self, signal: i32, processes: &[Process]) {
        // The number of the group cannot be reused while the leader is not reaped or a child of ours is in the group.
        let is_group_ours = self.leader_lives || sys::has_child(Child::InGroup(self.start.leader));
        if is_group_ours && !sys::send_to_group(self.start.leader, signal) && self.leader_lives {
            // The leader was forked just now and is not in its own group yet.
            sys::send(self.start.leader, signal);
        }
        let missed = processes.iter().filter(|process| !is_group_ours || process.group != self.start.leader);
        missed.for_each(|process| signal_process(process, signal));
    }

    /// Whether this scan found no process of the run. Without a process table, only children of ours in its group are
    /// known.
    pub(super) fn is_empty(
        &mut self,
        scan: &ScanResult<'_>,
        processes: &[Process],
        finder: &Finder,
        now: Instant,
    ) -> bool {
        if self.leader_lives || self.has_exit() {
            return false;
        }
        if !scan.is_readable {
            return !sys::has_child(Child::InGroup(self.start.leader));
        }
        if !processes.is_empty() {
            self.empty_since = None;
            return false;
        }
        let since = *self.empty_since.get_or_insert(now);
        !finder.is_undecided(since + LAST_CHILD_APPEARS_WITHIN)
    }

    /// Counts a scan. Returns whether enough scans in a row have found no process.
    pub(super) fn is_gone(&mut self, scan: &ScanResult<'_>, is_empty: bool) -> bool {
        if !is_empty {
            (self.empty_scans, self.settled_scans) = (0, 0);
            return false;
        }
        self.empty_scans += 1;
        self.settled_scans += u32::from(scan.is_settled);
        self.settled_scans >= EMPTY_SCANS || self.empty_scans >= EMPTY_UNSETTLED_SCANS
    }

    /// A process that still exists long after it was killed. Returned only once.
    pub(super) fn unkillable(&mut self, processes: &[Process]) -> Option<String> {
        if self.unkillable_reported || self.killed_at?.elapsed() < UNKILLABLE_AFTER {
            return None;
        }
        let others = processes.iter().map(|process| process.pid).find(|pid| *pid != self.start.leader);
        let survivor = others.or(self.leader_lives.then_some(self.start.leader))?;
        self.unkillable_reported = true;
        Some(describe(survivor))
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    fn run() -> Run {
        Run::new(NewRun {
            id: RunId(1),
            leader: Pid::from_raw(10),
            execution: None,
            started: 100,
            own_shell: None,
            dyno: "web.1".to_owned(),
            streams: Vec::new(),
            port: None,
        })
    }

    fn child(pid: i32) -> Process {
        let pid = Pid::from_raw(pid);
        Process { pid, start: 1, parent: Pid::from_raw(10), group: pid, session: pid, zombie: false }
    }

    #[test]
    fn s6_7_a_run_whose_processes_have_ended_is_not_unkillable() {
        let mut run = run();
        run.killed_at = Instant::now().checked_sub(UNKILLABLE_AFTER);
        assert!(run.reaped(Pid::from_raw(10), ExitStatus::Code(0)));

        assert_eq!(run.unkillable(&[]), None);
        assert!(run.unkillable(&[child(11)]).is_some());
        assert_eq!(run.unkillable(&[child(11)]), None);
    }

    #[test]
    fn s6_10_an_exit_waits_for_a_scan_that_found_every_process() {
        let mut run = run();
        run.reaped(Pid::from_raw(10), ExitStatus::Code(0));

        assert_eq!(run.take_exit(false), None);
        assert_eq!(run.take_exit(true), Some(ExitStatus::Code(0)));
        assert_eq!(run.take_exit(true), None);
    }

    #[test]
    fn s6_10_an_exit_does_not_wait_for_long() {
        let mut run = run();
        run.reaped(Pid::from_raw(10), ExitStatus::Code(0));

        let reported = [0; 4].map(|_| run.take_exit(false).is_some());

        assert_eq!(reported, [false, false, false, true]);
    }

    #[test]
    fn a_run_is_not_gone_before_its_exit_is_reported() {
        let mut run = run();
        let table = Table::default();
        let scan = ScanResult { table: &table, is_readable: true, is_settled: true };
        run.reaped(Pid::from_raw(10), ExitStatus::Code(0));
        let is_empty = |run: &mut Run| run.is_empty(&scan, &[], &Finder::default(), Instant::now());

        assert!(!is_empty(&mut run));
        run.take_exit(true);
        assert!(is_empty(&mut run));
    }
}
