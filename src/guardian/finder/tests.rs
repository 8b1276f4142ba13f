//! Artificial process tables: which run owns each process, and when a scan that raced with a fork is inconclusive.

use super::*;

const WEB: RunId = RunId(1);
const WORKER: RunId = RunId(2);

/// web.1 is process 10, worker.1 is process 20; both started at tick 100.
struct World {
    finder: Finder,
    web: Facts,
    worker: Facts,
    processes: Vec<Process>,
    is_complete: bool,
    evidence: BTreeMap<i32, FakeEvidence>,
    now: Instant,
}

/// The evidence about a process.
#[derive(Default)]
struct FakeEvidence {
    marks: Marks,
    streams: Vec<String>,
    ports: Vec<u16>,
}

impl Evidence for BTreeMap<i32, FakeEvidence> {
    fn marks(&mut self, pid: Pid) -> Marks {
        self.get(&pid.as_raw()).map(|fake| fake.marks.clone()).unwrap_or_default()
    }

    fn open_files(&mut self, pid: Pid) -> Vec<String> {
        self.get(&pid.as_raw()).map(|fake| fake.streams.clone()).unwrap_or_default()
    }

    fn ports(&mut self, pid: Pid) -> Vec<u16> {
        self.get(&pid.as_raw()).map(|fake| fake.ports.clone()).unwrap_or_default()
    }
}

struct Facts {
    leader_lives: bool,
    streams: Vec<String>,
}

impl World {
    fn new() -> Self {
        let facts = |stream: &str| Facts { leader_lives: true, streams: vec![stream.to_owned()] };
        let mut world = Self {
            finder: Finder::default(),
            web: facts("pipe:[10]"),
            worker: facts("pipe:[20]"),
            processes: vec![process(10, 1), process(20, 1)],
            is_complete: true,
            evidence: BTreeMap::new(),
            now: Instant::now(),
        };
        world.scan();
        world
    }

    fn scan(&mut self) {
        let facts = |id, leader, dyno, facts: &'_ Facts| RunFacts {
            id,
            leader: Pid::from_raw(leader),
            leader_lives: facts.leader_lives,
            dyno,
            streams: &[],
            port: u16::try_from(leader * 100).ok(),
            started: 100,
        };
        let web = RunFacts { streams: &self.web.streams, ..facts(WEB, 10, "web.1", &self.web) };
        let worker = RunFacts { streams: &self.worker.streams, ..facts(WORKER, 20, "worker.1", &self.worker) };
        let runs: Vec<_> = if self.web.streams.is_empty() { vec![worker] } else { vec![web, worker] };
        let table = Table { processes: self.processes.clone(), is_complete: self.is_complete };
        self.finder.update(&table, &runs, self.now, &mut self.evidence);
    }

    fn add(&mut self, process: Process) -> &mut Self {
        self.processes.push(process);
        self
    }

    /// Ends a process. Its children become ours.
    fn end(&mut self, pid: i32) -> &mut Self {
        self.processes.retain(|process| process.pid.as_raw() != pid);
        for process in self.processes.iter_mut().filter(|process| process.parent.as_raw() == pid) {
            process.parent = Pid::from_raw(1);
        }
        self
    }

    fn owner(&self, pid: i32) -> Owner {
        let process = self.processes.iter().find(|process| process.pid.as_raw() == pid).expect("a process");
        self.finder.owner(process).expect("it was seen").clone()
    }
}

/// A process that leads its own session and group.
fn process(pid: i32, parent: i32) -> Process {
    let pid = Pid::from_raw(pid);
    Process { pid, start: 100, parent: Pid::from_raw(parent), group: pid, session: pid, zombie: false }
}

fn one_of(candidates: &[(RunId, &str)]) -> Owner {
    let candidate = |(run, dyno): &(RunId, &str)| Candidate { run: *run, dyno: (*dyno).to_owned() };
    Owner::OneOf(candidates.iter().map(candidate).collect())
}

fn either() -> Owner {
    one_of(&[(WEB, "web.1"), (WORKER, "worker.1")])
}

#[test]
fn s6_10_a_process_belongs_to_the_run_of_its_parent() {
    let mut world = World::new();

    world.add(process(11, 10)).add(process(12, 11)).add(process(21, 20)).scan();

    assert_eq!((world.owner(11), world.owner(12)), (Owner::Run(WEB), Owner::Run(WEB)));
    assert_eq!(world.owner(21), Owner::Run(WORKER));
}

#[test]
fn s6_10_a_process_keeps_its_run_when_its_parent_ends() {
    let mut world = World::new();
    world.add(process(11, 10)).add(process(12, 11)).scan();

    world.end(10).end(11).scan();

    assert_eq!(world.owner(12), Owner::Run(WEB));
}

#[test]
fn s6_10_a_child_of_an_adopted_process_inherits_its_run() {
    let mut world = World::new();
    world.add(process(11, 10)).scan();
    world.end(10).scan();

    world.add(process(12, 11)).scan();

    assert_eq!(world.owner(12), Owner::Run(WEB));
}

#[test]
fn s6_10_an_orphan_is_recognised_by_the_group_of_a_dead_leader() {
    let mut world = World::new();
    world.web.leader_lives = false;
    let group = Pid::from_raw(10);

    world.end(10).add(Process { group, session: group, ..process(12, 1) }).scan();

    assert_eq!(world.owner(12), Owner::Run(WEB));
}

#[test]
fn s6_10_an_orphan_is_recognised_by_the_session_of_a_known_process() {
    let mut world = World::new();
    world.add(process(11, 10)).scan();
    let session = Pid::from_raw(11);

    world.end(11).add(Process { session, ..process(12, 1) }).scan();

    assert_eq!(world.owner(12), Owner::Run(WEB));
}

#[test]
fn s6_10_marks_win_over_streams_and_streams_win_over_ports() {
    let mut world = World::new();
    let marks = Marks::Dyno("worker.1".to_owned());
    let (streams, ports) = (vec!["pipe:[10]".to_owned()], vec![2000]);
    world.evidence.insert(30, FakeEvidence { marks, streams: streams.clone(), ports: vec![1000] });
    world.evidence.insert(31, FakeEvidence { marks: Marks::Absent, streams, ports: ports.clone() });
    world.evidence.insert(32, FakeEvidence { marks: Marks::Absent, streams: Vec::new(), ports });

    world.add(process(30, 1)).add(process(31, 1)).add(process(32, 1)).scan();

    assert_eq!(world.owner(30), Owner::Run(WORKER), "by its marks");
    assert_eq!(world.owner(31), Owner::Run(WEB), "by its pipe");
    assert_eq!(world.owner(32), Owner::Run(WORKER), "by its port");
}

#[test]
fn s6_10_an_orphan_without_evidence_belongs_to_the_only_live_run() {
    let mut world = World::new();
    world.web.streams.clear();

    world.add(process(30, 1)).scan();

    assert_eq!(world.owner(30), Owner::Run(WORKER));
}

#[test]
fn s6_10_an_orphan_without_evidence_has_no_run_if_several_were_alive() {
    let mut world = World::new();

    world.add(process(30, 1)).add(process(31, 30)).scan();

    assert_eq!((world.owner(30), world.owner(31)), (either(), either()));
}

#[test]
fn s6_10_a_process_older_than_every_run_belongs_to_none() {
    let mut world = World::new();

    world.add(Process { start: 99, ..process(30, 1) }).scan();

    assert_eq!(world.owner(30), one_of(&[]));
}

#[test]
fn s6_10_a_later_process_with_the_same_pid_does_not_inherit_the_run() {
    let mut world = World::new();
    world.add(process(11, 10)).scan();

    world.end(11).add(Process { start: 200, ..process(11, 1) }).scan();

    assert_eq!(world.owner(11), either());
}

#[test]
fn s6_10_a_process_in_the_middle_of_an_exec_is_checked_again() {
    let mut world = World::new();
    world.evidence.insert(30, FakeEvidence { marks: Marks::Blank, ..FakeEvidence::default() });
    world.add(process(30, 1)).scan();
    assert!(world.finder.is_undecided(world.now));

    let marks = Marks::Dyno("web.1".to_owned());
    world.evidence.insert(30, FakeEvidence { marks, ..FakeEvidence::default() });
    world.scan();

    assert_eq!(world.owner(30), Owner::Run(WEB));
    assert!(!world.finder.is_undecided(world.now));
}

#[test]
fn s6_10_an_environment_that_stays_empty_is_finally_accepted() {
    let mut world = World::new();
    world.evidence.insert(30, FakeEvidence { marks: Marks::Blank, ..FakeEvidence::default() });
    world.add(process(30, 1)).scan();

    world.now += EMPTY_IS_FINAL_AFTER;
    world.scan();

    assert_eq!(world.owner(30), either());
}

#[test]
fn s6_10_a_process_in_a_long_exec_is_checked_again() {
    let mut world = World::new();
    world.evidence.insert(30, FakeEvidence { marks: Marks::Executing, ..FakeEvidence::default() });
    world.add(process(30, 1)).scan();

    world.now += 2 * EMPTY_IS_FINAL_AFTER;
    world.scan();
    assert!(world.finder.is_undecided(world.now));

    let marks = Marks::Dyno("web.1".to_owned());
    world.evidence.insert(30, FakeEvidence { marks, ..FakeEvidence::default() });
    world.scan();
    assert_eq!(world.owner(30), Owner::Run(WEB));
}

#[test]
fn s6_10_an_exec_that_never_ends_is_finally_accepted() {
    let mut world = World::new();
    world.evidence.insert(30, FakeEvidence { marks: Marks::Executing, ..FakeEvidence::default() });
    world.add(process(30, 1)).scan();

    world.now += EXEC_ENDS_WITHIN;
    world.scan();

    assert_eq!(world.owner(30), either());
}

#[test]
fn s6_10_a_scan_is_inconclusive_if_a_process_vanished_meanwhile() {
    let mut world = World::new();
    assert!(world.finder.is_settled());

    world.is_complete = false;
    world.scan();

    assert!(!world.finder.is_settled());
}

#[test]
fn s6_10_a_new_zombie_makes_one_scan_inconclusive() {
    let mut world = World::new();

    world.add(Process { zombie: true, ..process(11, 10) }).scan();
    let first = world.finder.is_settled();
    world.scan();

    assert!(!first, "its children may have become ours after our list was read");
    assert!(world.finder.is_settled(), "an old zombie does not matter");
}

#[test]
fn s6_10_a_run_does_not_wait_for_a_process_that_appeared_later() {
    let mut world = World::new();
    world.evidence.entry(30).or_default().marks = Marks::Blank;
    world.web.leader_lives = false;
    world.end(10).scan();
    let ended = world.now;

    world.now += Duration::from_secs(1);
    world.add(process(30, 1)).scan();

    assert!(world.finder.is_undecided(world.now));
    assert!(!world.finder.is_undecided(ended));
}

#[test]
fn s6_10_a_group_that_ended_long_ago_proves_nothing() {
    for (seconds, owner) in [(0, Owner::Run(WEB)), (2, either())] {
        let mut world = World::new();
        let group = Pid::from_raw(11);
        world.add(process(11, 10)).scan();

        world.now += Duration::from_secs(seconds);
        world.end(11).add(Process { group, ..process(40, 1) }).scan();

        assert_eq!(world.owner(40), owner, "after {seconds} s");
    }
}
