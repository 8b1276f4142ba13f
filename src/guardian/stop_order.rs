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
    /// Each process gets the signal once. True: it was a shell then. If it has become a program since, it may have lost the
    /// signal, and gets it again.
    signalled: BTreeMap<Identity, bool>,
    /// Filters that get no signal until the grace period is nearly over, unless they turn out not to be filters.
    filters: Filters,
    /// The filters and what they run, until the filters have ended.
    spared: BTreeSet<Identity>,
}

/// How far a stop has got.
#[derive(Debug)]
enum StopStage {
    /// No process has been signalled yet. The first signals can wait for this many more scans, until one has surely
    /// found every process: if a program were missed, its workers would be taken for programs without a parent.
    Ordered(u32),
    /// These programs have been signalled. The rest follows when they have ended.
    First(Vec<Identity>),
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

    /// Records that this process gets the signal. Returns false if it has had it. `may_lose_it`: it is a shell other than the
    /// leader.
    pub(super) fn claim(&mut self, process: Identity, may_lose_it: bool) -> bool {
        let mut is_new = false;
        let may_have_lost_it = self.signalled.entry(process).or_insert_with(|| {
            is_new = true;
            may_lose_it
        });
        let is_second_try = *may_have_lost_it && !may_lose_it;
        *may_have_lost_it &= may_lose_it;
        is_new || is_second_try
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
                    let stage = StopStage::First(programs.iter().map(Process::identity).collect());
                    ([programs, shells].concat(), stage)
                }
            }
            StopStage::First(first) if first.iter().any(|program| programs.is_running(*program)) => {
                (Vec::new(), StopStage::First(first))
            }
            StopStage::First(_) | StopStage::Rest => (processes.to_vec(), StopStage::Missed(scans_left)),
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
            let may_lose_it = process.pid != leader && programs.is_shell(process.pid);
            self.claim(process.identity(), may_lose_it)
        });
        due
    }

    /// The processes that do not descend from a signalled process. A program that a signalled process starts usually
    /// cleans up, and must not be interrupted.
    fn not_started_to_clean_up(&self, table: &Table, processes: &[Process]) -> Vec<Process> {
        let has_had_it = |process: &&Process| self.signalled.contains_key(&process.identity());
        let signalled: BTreeSet<Pid> = table.processes.iter().filter(has_had_it).map(|process| process.pid).collect();
        let below = table.descendants(&signalled);
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
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        let pid = Pid::from_raw(pid);
        Process { pid, start: 1, parent: Pid::from_raw(parent), group: pid, session: pid, zombie: false }
    }

    /// The pids of the shells; the writer and reader of each pipe; and the pids of the processes that have not ended.
    struct KnownProcesses<'a>(&'a [i32], &'a [(i32, i32)], &'a [i32]);

    impl Programs for KnownProcesses<'_> {
        fn is_shell(&mut self, pid: Pid) -> bool {
            self.0.contains(&pid.as_raw())
        }

        fn is_running(&mut self, (pid, _): Identity) -> bool {
            self.2.contains(&pid.as_raw())
        }

        fn reads_from(&mut self, pid: Pid) -> Option<String> {
            self.1.iter().find(|(_, reader)| *reader == pid.as_raw()).map(|(writer, _)| format!("pipe:[{writer}]"))
        }

        fn writes_to(&mut self, pid: Pid) -> Vec<String> {
            let own = self.1.iter().filter(|(writer, _)| *writer == pid.as_raw());
            own.map(|(writer, _)| format!("pipe:[{writer}]")).collect()
        }

        fn may_have_open(&mut self, pid: Pid, pipe: &str) -> bool {
            self.writes_to(pid).iter().any(|written| written == pipe)
        }

        fn listens(&mut self, _: Pid) -> bool {
            false
        }

        fn activity(&mut self, _: Pid) -> Option<Activity> {
            Some(Activity::default())
        }
    }

    /// The programs, the shells and the filters of the run that process 10 leads.
    fn in_order(processes: &[Process], known: &mut KnownProcesses<'_>) -> [Vec<i32>; 3] {
        let table = Table { processes: processes.to_vec(), is_complete: true };
        let first = first_to_stop(&table, Pid::from_raw(10), known);
        [first.programs, first.shells, first.filters]
            .map(|all| all.iter().map(|process| process.pid.as_raw()).collect())
    }

    /// The programs and the shells of a run that has no filters.
    fn stopped_first(processes: &[Process], shells: &[i32]) -> [Vec<i32>; 2] {
        let [programs, shells, filters] = in_order(processes, &mut KnownProcesses(shells, &[], &[]));
        assert_eq!(filters, [0; 0]);
        [programs, shells]
    }

    #[test]
    fn s7_5_a_filter_outlives_the_program_whose_output_it_reads() {
        let pipeline = [process(10, 1), process(11, 10), process(12, 10), process(13, 10)];

        let order = in_order(&pipeline, &mut KnownProcesses(&[10, 11], &[(11, 12), (12, 13)], &[]));

        assert_eq!(order, [vec![10], vec![11], vec![12, 13]]);
    }

    #[test]
    fn s6_6_a_leader_that_is_a_program_gets_the_signal_alone() {
        let celery = [process(10, 1), process(11, 10), process(12, 10)];

        assert_eq!(stopped_first(&celery, &[]), [vec![10], vec![]]);
    }

    #[test]
    fn s6_6_a_shell_leader_and_its_programs_get_the_signal_together() {
        let pipeline = [process(10, 1), process(11, 10), process(12, 10)];

        assert_eq!(stopped_first(&pipeline, &[10]), [vec![10, 11, 12], vec![]]);
    }

    #[test]
    fn s6_6_the_workers_of_a_program_below_a_shell_are_spared() {
        let celery_after_cd = [process(10, 1), process(11, 10), process(12, 11), process(13, 11)];

        assert_eq!(stopped_first(&celery_after_cd, &[10]), [vec![10, 11], vec![]]);
    }

    #[test]
    fn s6_6_programs_below_nested_shells_are_found() {
        let nested_scripts = [process(10, 1), process(11, 10), process(12, 11), process(13, 12)];

        assert_eq!(stopped_first(&nested_scripts, &[10, 11]), [vec![10, 12], vec![11]]);
    }

    #[test]
    fn s6_6_no_process_is_first_once_the_leader_has_exited() {
        let zombie = Process { zombie: true, ..process(10, 1) };

        assert_eq!(stopped_first(&[zombie, process(11, 1)], &[10]), [const { Vec::<i32>::new() }; 2]);
        assert_eq!(stopped_first(&[process(11, 1)], &[10]), [const { Vec::<i32>::new() }; 2]);
    }

    /// The pids that get the signal after a scan that found these processes of the run that process 10 leads.
    fn due(stop: &mut Stop, found: &[Process], is_settled: bool, known: &mut KnownProcesses<'_>) -> Vec<i32> {
        let table = Table { processes: found.to_vec(), is_complete: is_settled };
        let scan = ScanResult { table: &table, is_readable: true, is_settled };
        // Later than at the last look at the filters.
        let now = stop.filters.next_look().unwrap_or_else(Instant::now);
        let due = stop.due(&scan, Pid::from_raw(10), found, known, now);
        due.iter().map(|process| process.pid.as_raw()).collect()
    }

    #[test]
    fn s6_6_what_a_filter_runs_gets_the_signal_when_that_has_ended() {
        // The shell 10 runs the pipeline 11 | 12. Process 12 has the worker 13, which has the worker 14.
        let [shell, writer, filter] = [process(10, 1), process(11, 10), process(12, 10)];
        let [worker, inner] = [process(13, 12), process(14, 13)];
        let mut stop = Stop::new(15, false);
        let pipe = [(11, 12)];
        let all = [shell, writer, filter, worker, inner];
        assert_eq!(due(&mut stop, &all, true, &mut KnownProcesses(&[10], &pipe, &[10, 11, 12])), [10, 11]);
        assert_eq!(due(&mut stop, &[filter, worker, inner], true, &mut KnownProcesses(&[], &pipe, &[12])), [0; 0]);

        // The worker has left this one behind.
        let orphan = Process { parent: Pid::from_raw(1), ..inner };
        assert_eq!(due(&mut stop, &[filter, orphan], true, &mut KnownProcesses(&[], &pipe, &[12])), [0; 0]);
        // The filter has ended.
        assert_eq!(due(&mut stop, &[orphan], true, &mut KnownProcesses(&[], &pipe, &[])), [14]);
    }

    #[test]
    fn s6_6_a_program_that_a_scan_missed_has_not_ended() {
        // The shells 10 and 11 run the program 12, which has the worker 13. The shells end during a scan.
        let [shell, inner, program, worker] = [process(10, 1), process(11, 10), process(12, 11), process(13, 12)];
        let mut stop = Stop::new(15, false);
        let before =
            due(&mut stop, &[shell, inner, program, worker], true, &mut KnownProcesses(&[10, 11], &[], &[10, 11, 12]));
        assert_eq!(before, [10, 12, 11]);

        assert_eq!(due(&mut stop, &[], false, &mut KnownProcesses(&[], &[], &[12])), [0; 0]);
        let adopted = Process { parent: Pid::from_raw(1), ..program };
        assert_eq!(due(&mut stop, &[adopted, worker], true, &mut KnownProcesses(&[], &[], &[12])), [0; 0]);
        assert_eq!(due(&mut stop, &[worker], true, &mut KnownProcesses(&[], &[], &[])), [13]);
    }

    #[test]
    fn s6_6_the_first_signals_wait_for_a_scan_that_missed_nothing() {
        // The shell 10 runs the program 11, which the first scans miss.
        let [shell, program, worker] = [process(10, 1), process(11, 10), process(12, 11)];
        let mut stop = Stop::new(15, false);
        let mut known = KnownProcesses(&[10], &[], &[10, 11]);

        assert_eq!(due(&mut stop, &[shell], false, &mut known), [0; 0]);
        assert_eq!(due(&mut stop, &[shell, program, worker], true, &mut known), [10, 11]);
    }

    #[test]
    fn s6_6_later_scans_signal_missed_processes_but_no_clean_up() {
        // The server 10 has started the script 12, which runs the program 13. The first scan missed the daemon 11.
        let (server, daemon) = (process(10, 1), process(11, 1));
        let clean_up = [process(12, 10), process(13, 12)];
        let mut stop = Stop::new(15, true);
        let mut known = KnownProcesses(&[], &[], &[]);
        assert_eq!(due(&mut stop, &[server], false, &mut known), [10]);

        let all = [&[server, daemon][..], &clean_up].concat();
        assert_eq!(due(&mut stop, &all, false, &mut known), [11]);
        stop.include_everything();
        assert_eq!(due(&mut stop, &all, true, &mut known), [12, 13]);
    }

    #[test]
    fn s6_6_a_program_whose_shell_may_have_lost_the_signal_gets_it() {
        // The shell 10 has just copied itself, to run the program 11.
        let [shell, copy] = [process(10, 1), process(11, 10)];
        let mut stop = Stop::new(15, false);
        let sent = due(&mut stop, &[shell, copy], true, &mut KnownProcesses(&[10, 11], &[], &[10]));
        assert_eq!(sent, [10, 11]);

        let orphan = Process { parent: Pid::from_raw(1), ..copy };
        assert_eq!(due(&mut stop, &[orphan], true, &mut KnownProcesses(&[], &[], &[])), [11]);
        stop.include_everything();
        assert_eq!(due(&mut stop, &[orphan], true, &mut KnownProcesses(&[], &[], &[])), [0; 0]);
        // It has had it, whatever it becomes.
        for shells in [&[11][..], &[]] {
            stop.include_everything();
            assert_eq!(due(&mut stop, &[orphan], true, &mut KnownProcesses(shells, &[], &[])), [0; 0]);
        }
    }

    #[test]
    fn s6_6_the_first_signals_do_not_wait_for_long() {
        let mut stop = Stop::new(15, false);
        let mut known = KnownProcesses(&[10], &[], &[10]);

        let sent = [0; 4].map(|_| due(&mut stop, &[process(10, 1)], false, &mut known));

        assert_eq!(sent, [vec![], vec![], vec![], vec![10]]);
    }
}
