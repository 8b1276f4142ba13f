//! Which process gets the stop signal in which scan (S6.6).

use std::time::Duration;

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

    fn is_new(&mut self, process: &Process) -> bool {
        process.start > 0
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
    [first.programs, first.shells, first.filters].map(|all| all.iter().map(|process| process.pid.as_raw()).collect())
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
    due_at(Instant::now(), stop, found, is_settled, known)
}

fn due_at(
    now: Instant,
    stop: &mut Stop,
    found: &[Process],
    is_settled: bool,
    known: &mut KnownProcesses<'_>,
) -> Vec<i32> {
    let table = Table { processes: found.to_vec(), is_complete: is_settled };
    let scan = ScanResult { table: &table, is_readable: true, is_settled };
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
    let later = Instant::now() + Duration::from_secs(1);
    assert_eq!(due_at(later, &mut stop, &[orphan], true, &mut KnownProcesses(&[], &pipe, &[])), [14]);
}

#[test]
fn s6_6_a_program_that_a_scan_missed_has_not_ended() {
    // The shells 10 and 11 run the program 12, which has the worker 13. The shells end during a scan.
    let [shell, inner, program, worker] = [process(10, 1), process(11, 10), process(12, 11), process(13, 12)];
    let mut stop = Stop::new(15, false);
    let before =
        due(&mut stop, &[shell, inner, program, worker], true, &mut KnownProcesses(&[10, 11], &[], &[10, 11, 12]));
    assert_eq!(before, [10, 11, 12]);

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
fn s6_6_what_a_signalled_shell_starts_to_clean_up_is_left_alone() {
    // The shell 10 runs the script 11, which runs the program 12, which has the worker 13. The program 14 cleans up.
    let [shell, script, program, worker] = [process(10, 1), process(11, 10), process(12, 11), process(13, 12)];
    let [adopted, clean_up] = [Process { parent: Pid::from_raw(1), ..worker }, process(14, 11)];
    let mut stop = Stop::new(15, false);
    let mut known = KnownProcesses(&[10, 11], &[], &[10, 11, 12, 13]);
    assert_eq!(due(&mut stop, &[shell, script, program, worker], true, &mut known), [10, 11, 12]);

    // The program has ended after the scan. The worker that it has left is not a clean-up.
    let mut known = KnownProcesses(&[11], &[], &[11, 13, 14]);
    assert_eq!(due(&mut stop, &[script, program, worker, clean_up], true, &mut known), [13]);
    // The scan missed another one.
    let missed = process(15, 1);
    assert_eq!(due(&mut stop, &[script, adopted, clean_up], false, &mut known), [0; 0]);
    assert_eq!(due(&mut stop, &[script, adopted, missed, clean_up], true, &mut known), [15]);
    assert_eq!(due(&mut stop, &[script, clean_up], true, &mut known), [0; 0]);

    // Once the script has ended, nothing waits for it.
    let left = Process { parent: Pid::from_raw(1), ..clean_up };
    assert_eq!(due(&mut stop, &[left], true, &mut KnownProcesses(&[], &[], &[14])), [14]);
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
fn s6_6_what_an_older_shell_becomes_to_clean_up_gets_no_second_signal() {
    // The shell 10 runs the script 11, which executes another program when it gets the signal.
    let [shell, script] = [process(10, 1), Process { start: 0, ..process(11, 10) }];
    let mut stop = Stop::new(15, false);
    let sent = due(&mut stop, &[shell, script], true, &mut KnownProcesses(&[10, 11], &[], &[10, 11]));
    assert_eq!(sent, [10, 11]);

    let clean_up = Process { parent: Pid::from_raw(1), ..script };
    assert_eq!(due(&mut stop, &[clean_up], true, &mut KnownProcesses(&[], &[], &[11])), [0; 0]);
}

#[test]
fn s6_6_the_first_signals_do_not_wait_for_long() {
    let mut stop = Stop::new(15, false);
    let mut known = KnownProcesses(&[10], &[], &[10]);

    let sent = [0; 4].map(|_| due(&mut stop, &[process(10, 1)], false, &mut known));

    assert_eq!(sent, [vec![], vec![], vec![], vec![10]]);
}
