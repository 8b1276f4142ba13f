//! The filters of a pipeline: they get no stop signal while other processes can write to them (S6.6).
//!
//! Pure. A filter such as `tee` ends by itself at end of file, and carries the last words of the program before it. A
//! server that only has its stdin kept open, as in `tail -f /dev/null | server`, looks the same. It is recognised because,
//! when no process can write to it any more, it listens on a port or stays without doing anything.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::stop_order::Programs;
use super::table::{Identity, Process, Table};

/// A filter that has done nothing for this long has finished its work, such as sorting, compressing or sending, and should
/// have ended.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// How often the filters are looked at: that takes a while if there are many processes.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The filters of a run, until they have ended. What they run is theirs to stop.
#[derive(Debug, Default)]
pub(super) struct Filters {
    all: Vec<Filter>,
    looked_at: Option<Instant>,
}

#[derive(Debug)]
struct Filter {
    process: Identity,
    /// It turned out not to be a filter, and has got the signal.
    is_released: bool,
    /// Since when no other process can write to it, and it does nothing.
    idle: Option<Idle>,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    activity: Activity,
}

/// Grows while a filter and its descendants work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Activity {
    /// CPU time in ticks, with that of children that have ended.
    pub(super) ticks: u64,
    /// Bytes that were read and written.
    pub(super) bytes: u64,
    /// Bytes in the pipe that were not read.
    pub(super) unread: usize,
}

/// What has become of the filters since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FilterChange {
    /// These get the signal now: they are not filters.
    pub(super) released: Vec<Process>,
    /// Some have ended.
    pub(super) has_ended: bool,
}

impl Filters {
    pub(super) fn of(processes: &[Process]) -> Self {
        let filter = |process: &Process| Filter { process: process.identity(), is_released: false, idle: None };
        Self { all: processes.iter().map(filter).collect(), looked_at: None }
    }

    /// From now on none is spared.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// The filters and everything below them.
    pub(super) fn family(&self, table: &Table) -> BTreeSet<Pid> {
        let filters = self.all.iter().map(|filter| filter.process.0).collect();
        &table.descendants(&filters) | &filters
    }

    /// Looks at the live processes of the run, unless it has just done so.
    pub(super) fn look(
        &mut self,
        table: &Table,
        processes: &[Process],
        programs: &mut dyn Programs,
        now: Instant,
    ) -> FilterChange {
        let mut change = FilterChange::default();
        if self.all.is_empty() || self.looked_at.is_some_and(|at| now.duration_since(at) < LOOK_INTERVAL) {
            return change;
        }
        self.looked_at = Some(now);
        let before = self.all.len();
        self.all.retain(|filter| programs.is_running(filter.process));
        change.has_ended = self.all.len() < before;
        for filter in self.all.iter_mut().filter(|filter| !filter.is_released) {
            let Some(process) = processes.iter().find(|process| process.identity() == filter.process) else { continue };
            if filter.is_something_else(process.pid, table, processes, programs, now) {
                filter.is_released = true;
                change.released.push(*process);
            }
        }
        change
    }
}

impl Filter {
    /// Whether it turns out not to be a filter: it is a server, or stays without doing anything.
    fn is_something_else(
        &mut self,
        pid: Pid,
        table: &Table,
        processes: &[Process],
        programs: &mut dyn Programs,
        now: Instant,
    ) -> bool {
        let before = self.idle.take();
        if can_be_written_to(pid, processes, programs) {
            return false;
        }
        let filter = BTreeSet::from([pid]);
        let family = &table.descendants(&filter) | &filter;
        let members = || table.processes.iter().filter(|process| family.contains(&process.pid) && !process.zombie);
        if members().any(|process| programs.listens(process.pid)) {
            return true;
        }
        let Some(activity) = sum(members(), programs) else { return false };
        let idle = before.filter(|idle| idle.activity == activity).unwrap_or(Idle { since: now, activity });
        now.duration_since(self.idle.insert(idle).since) >= IDLE_FOR
    }
}

/// Whether another process can write to the filter. Those that read from its pipe themselves are parts of the same filter.
fn can_be_written_to(filter: Pid, processes: &[Process], programs: &mut dyn Programs) -> bool {
    // It may have closed its stdin.
    let Some(pipe) = programs.reads_from(filter) else { return false };
    let mut is_writer =
        |pid: Pid| programs.reads_from(pid).as_ref() != Some(&pipe) && programs.may_have_open(pid, &pipe);
    processes.iter().any(|process| process.pid != filter && is_writer(process.pid))
}

/// None: unknown.
fn sum<'p>(members: impl Iterator<Item = &'p Process>, programs: &mut dyn Programs) -> Option<Activity> {
    let mut sum = Activity::default();
    for process in members {
        let Activity { ticks, bytes, unread } = programs.activity(process.pid)?;
        sum = Activity { ticks: sum.ticks + ticks, bytes: sum.bytes + bytes, unread: sum.unread + unread };
    }
    Some(sum)
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

    /// The filter is process 11. Processes 12 and 13 may be part of it or write to it.
    #[derive(Default)]
    struct Pipeline {
        readers: Vec<i32>,
        writers: Vec<i32>,
        work: u64,
        servers: Vec<i32>,
    }

    impl Programs for Pipeline {
        fn is_shell(&mut self, _: Pid) -> bool {
            false
        }

        fn is_new(&mut self, _: &Process) -> bool {
            false
        }

        fn is_running(&mut self, (pid, _): Identity) -> bool {
            self.readers.contains(&pid.as_raw())
        }

        fn reads_from(&mut self, pid: Pid) -> Option<String> {
            self.readers.contains(&pid.as_raw()).then(|| "pipe:[1]".to_owned())
        }

        fn writes_to(&mut self, _: Pid) -> Vec<String> {
            Vec::new()
        }

        fn may_have_open(&mut self, pid: Pid, _: &str) -> bool {
            self.readers.contains(&pid.as_raw()) || self.writers.contains(&pid.as_raw())
        }

        fn listens(&mut self, pid: Pid) -> bool {
            self.servers.contains(&pid.as_raw())
        }

        fn activity(&mut self, _: Pid) -> Option<Activity> {
            Some(Activity { bytes: self.work, ..Activity::default() })
        }
    }

    /// What a look finds every two seconds.
    struct Looks {
        filters: Filters,
        pipeline: Pipeline,
        now: Instant,
    }

    impl Looks {
        fn next(&mut self) -> FilterChange {
            self.now += IDLE_FOR;
            let processes = [process(11), process(12), process(13)];
            let table = Table { processes: processes.to_vec(), is_complete: true };
            self.filters.look(&table, &processes, &mut self.pipeline, self.now)
        }
    }

    fn looks() -> Looks {
        let pipeline = Pipeline { readers: vec![11, 12], writers: vec![13], ..Pipeline::default() };
        Looks { filters: Filters::of(&[process(11)]), pipeline, now: Instant::now() }
    }

    #[test]
    fn s6_6_a_filter_is_spared_while_a_process_can_write_to_it() {
        let mut looks = looks();
        assert_eq!(
            [looks.next(), looks.next(), looks.next()],
            [const { FilterChange { released: Vec::new(), has_ended: false } }; 3]
        );

        looks.pipeline.writers.clear();

        assert_eq!(looks.next(), FilterChange::default());
        assert_eq!(looks.next(), FilterChange { released: vec![process(11)], has_ended: false });
        // It gets the signal once, and what it runs stays its own until it has ended.
        assert_eq!(looks.next(), FilterChange::default());
        assert!(looks.filters.family(&Table::default()).contains(&Pid::from_raw(11)));
    }

    #[test]
    fn s6_6_a_server_gets_the_signal_as_soon_as_no_process_can_write_to_it() {
        let mut looks = looks();
        looks.pipeline.servers = vec![11];
        assert_eq!(looks.next(), FilterChange::default());

        looks.pipeline.writers.clear();

        assert_eq!(looks.next().released, [process(11)]);
    }

    #[test]
    fn s6_6_a_filter_is_spared_while_it_works() {
        let mut looks = looks();
        looks.pipeline.writers.clear();

        for work in 0..5 {
            looks.pipeline.work = work;
            assert_eq!(looks.next(), FilterChange::default());
        }

        assert_eq!(looks.next().released, [process(11)]);
    }

    #[test]
    fn s6_6_a_filter_that_has_ended_is_forgotten() {
        let mut looks = looks();
        looks.pipeline.readers.clear();

        assert_eq!(looks.next(), FilterChange { released: Vec::new(), has_ended: true });
        assert!(looks.filters.family(&Table::default()).is_empty());
    }
}
