//! Who gets the stop signal first (S6.6).
//!
//! Pure. A program ends its own workers, and loses their work if they are hit: Celery, gunicorn, puma, postgres. A shell
//! does not pass the signal on, so the shell and the programs that it runs get it.

use nix::unistd::Pid;

use super::table::{Process, Table};

/// Those that get the stop signal first; the rest of the run follows when the programs have ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FirstToStop {
    /// The leader, be it a program or a shell, and the programs that it runs as a shell, directly or through other shells.
    pub(super) programs: Vec<Process>,
    /// The shells in between.
    pub(super) shells: Vec<Process>,
}

/// Empty if the leader has ended.
pub(super) fn first_to_stop(table: &Table, leader: Pid, is_shell: &mut dyn FnMut(Pid) -> bool) -> FirstToStop {
    let mut first = FirstToStop::default();
    let Some(leader) = table.processes.iter().find(|process| process.pid == leader && !process.zombie) else {
        return first;
    };
    first.programs.push(*leader);
    let mut open = Vec::new();
    if is_shell(leader.pid) {
        open.push(leader.pid);
    }
    while let Some(shell) = open.pop() {
        for child in table.children_of(shell).filter(|child| !child.zombie) {
            if is_shell(child.pid) {
                first.shells.push(*child);
                open.push(child.pid);
            } else {
                first.programs.push(*child);
            }
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        let pid = Pid::from_raw(pid);
        Process { pid, start: 1, parent: Pid::from_raw(parent), group: pid, session: pid, zombie: false }
    }

    /// The programs and the shells of the run that process 10 leads.
    fn stopped_first(processes: &[Process], shells: &[i32]) -> [Vec<i32>; 2] {
        let table = Table { processes: processes.to_vec(), is_complete: true };
        let mut is_shell = |pid: Pid| shells.contains(&pid.as_raw());
        let first = first_to_stop(&table, Pid::from_raw(10), &mut is_shell);
        [first.programs, first.shells].map(|all| all.iter().map(|process| process.pid.as_raw()).collect())
    }

    #[test]
    fn s6_6_a_program_that_leads_gets_the_signal_alone() {
        let celery = [process(10, 1), process(11, 10), process(12, 10)];

        assert_eq!(stopped_first(&celery, &[]), [vec![10], vec![]]);
    }

    #[test]
    fn s6_6_a_shell_that_leads_shares_the_signal_with_its_programs() {
        let pipeline = [process(10, 1), process(11, 10), process(12, 10)];

        assert_eq!(stopped_first(&pipeline, &[10]), [vec![10, 11, 12], vec![]]);
    }

    #[test]
    fn s6_6_the_workers_of_a_program_under_a_shell_are_spared() {
        let celery_behind_cd = [process(10, 1), process(11, 10), process(12, 11), process(13, 11)];

        assert_eq!(stopped_first(&celery_behind_cd, &[10]), [vec![10, 11], vec![]]);
    }

    #[test]
    fn s6_6_programs_are_found_through_shells() {
        let script_in_script = [process(10, 1), process(11, 10), process(12, 11), process(13, 12)];

        assert_eq!(stopped_first(&script_in_script, &[10, 11]), [vec![10, 12], vec![11]]);
    }

    #[test]
    fn s6_6_nothing_is_first_once_the_leader_has_ended() {
        let zombie = Process { zombie: true, ..process(10, 1) };

        assert_eq!(stopped_first(&[zombie, process(11, 1)], &[10]), [const { Vec::<i32>::new() }; 2]);
        assert_eq!(stopped_first(&[process(11, 1)], &[10]), [const { Vec::<i32>::new() }; 2]);
    }
}
