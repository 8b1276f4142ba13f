//! The filters of a pipeline: they get no stop signal while other processes can write to them (S6.6).
//!
//! Pure. A filter such as `tee` ends by itself at end of file, and carries the last words of the program before it. A
//! server that only has its stdin kept open, as in `tail -f /dev/null | server`, looks the same. It is recognised because
//! it goes on when no process can write to it any more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::stop_order::Programs;
use super::table::{Identity, Process, Table};

/// How long a filter may go on after end of file: it may still have to write what it has sorted or compressed.
const GOES_ON_FOR: Duration = Duration::from_secs(1);

/// The filters that have not got the stop signal.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<Filter>);

#[derive(Debug)]
struct Filter {
    process: Identity,
    /// Since when no other process can write to it.
    alone_since: Option<Instant>,
}

/// What has become of the filters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FilterChange {
    /// Some have ended.
    pub(super) has_ended: bool,
    /// These are not filters after all: they get the signal now.
    pub(super) released: Vec<Process>,
}

impl Filters {
    pub(super) fn of(processes: &[Process]) -> Self {
        Self(processes.iter().map(|process| Filter { process: process.identity(), alone_since: None }).collect())
    }

    /// From now on none is spared.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The filters and everything below them, which is theirs to stop.
    pub(super) fn family(&self, table: &Table) -> BTreeSet<Pid> {
        let filters = self.0.iter().map(|filter| filter.process.0).collect();
        &table.descendants(&filters) | &filters
    }

    /// Looks at the live processes of the run.
    pub(super) fn look(&mut self, processes: &[Process], programs: &mut dyn Programs, now: Instant) -> FilterChange {
        let before = self.0.len();
        self.0.retain(|filter| programs.is_running(filter.process));
        let has_ended = self.0.len() < before;
        let mut released = Vec::new();
        self.0.retain_mut(|filter| {
            let Some(process) = processes.iter().find(|process| process.identity() == filter.process) else {
                return true;
            };
            if can_anyone_write_to(process.pid, processes, programs) {
                filter.alone_since = None;
                return true;
            }
            let is_over = now.duration_since(*filter.alone_since.get_or_insert(now)) >= GOES_ON_FOR;
            if is_over {
                released.push(*process);
            }
            !is_over
        });
        FilterChange { has_ended, released }
    }
}

/// Whether another process has the pipe open from which this one reads. Those that read from it themselves do not count:
/// they are parts of the same filter.
fn can_anyone_write_to(filter: Pid, processes: &[Process], programs: &mut dyn Programs) -> bool {
    let Some(pipe) = programs.reads_from(filter) else { return false };
    let mut is_writer = |pid: Pid| programs.reads_from(pid).as_ref() != Some(&pipe) && programs.has_open(pid, &pipe);
    processes.iter().any(|process| process.pid != filter && is_writer(process.pid))
}

/// The processes among these that read what another one of them writes. The leader does not count.
pub(super) fn find(candidates: &[Process], leader: Pid, programs: &mut dyn Programs) -> Vec<Process> {
    if candidates.len() < 3 {
        // A pipeline needs a shell and at least two children.
        return Vec::new();
    }
    let mut written = Vec::new();
    for process in candidates.iter().filter(|process| process.pid != leader) {
        written.extend(programs.writes_to(process.pid).into_iter().map(|pipe| (process.pid, pipe)));
    }
    let mut is_filter = |process: &&Process| {
        let source = programs.reads_from(process.pid);
        let reads = |(writer, pipe): &(Pid, String)| *writer != process.pid && Some(pipe) == source.as_ref();
        process.pid != leader && written.iter().any(reads)
    };
    candidates.iter().filter(&mut is_filter).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32) -> Process {
        let (pid, parent) = (Pid::from_raw(pid), Pid::from_raw(10));
        Process { pid, start: 1, parent, group: parent, session: parent, zombie: false }
    }

    /// All processes have the pipe open. The filters read from it.
    struct OnePipe<'a> {
        filters: &'a [i32],
    }

    impl Programs for OnePipe<'_> {
        fn is_shell(&mut self, _: Pid) -> bool {
            false
        }

        fn is_running(&mut self, (pid, _): Identity) -> bool {
            self.filters.contains(&pid.as_raw())
        }

        fn reads_from(&mut self, pid: Pid) -> Option<String> {
            self.filters.contains(&pid.as_raw()).then(|| "pipe:[1]".to_owned())
        }

        fn writes_to(&mut self, _: Pid) -> Vec<String> {
            Vec::new()
        }

        fn has_open(&mut self, _: Pid, _: &str) -> bool {
            true
        }
    }

    #[test]
    fn s6_6_a_filter_is_spared_while_a_process_can_write_to_it() {
        let [filter, part_of_it, writer] = [process(11), process(12), process(13)];
        let (mut filters, mut programs) = (Filters::of(&[filter]), OnePipe { filters: &[11, 12] });
        let begin = Instant::now();
        let nothing = FilterChange::default();
        let late = begin + 10 * GOES_ON_FOR;

        assert_eq!(filters.look(&[filter, part_of_it, writer], &mut programs, begin), nothing);
        assert_eq!(filters.look(&[filter, part_of_it, writer], &mut programs, late), nothing);
        assert_eq!(filters.look(&[filter, part_of_it], &mut programs, late), nothing);
        assert_eq!(filters.look(&[filter, writer], &mut programs, late + GOES_ON_FOR), nothing);
        assert_eq!(filters.look(&[filter], &mut programs, late + 2 * GOES_ON_FOR), nothing);
        let released = FilterChange { has_ended: false, released: vec![filter] };
        assert_eq!(filters.look(&[filter], &mut programs, late + 3 * GOES_ON_FOR), released);
        assert_eq!(filters.look(&[filter], &mut programs, late + 4 * GOES_ON_FOR), nothing);
    }

    #[test]
    fn s6_6_a_filter_that_has_ended_is_none_any_more() {
        let filter = process(11);
        let mut filters = Filters::of(&[filter]);

        let ended = filters.look(&[], &mut OnePipe { filters: &[] }, Instant::now());

        assert_eq!(ended, FilterChange { has_ended: true, released: Vec::new() });
        assert!(filters.family(&Table::default()).is_empty());
    }
}
