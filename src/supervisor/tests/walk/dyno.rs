//! One dyno as the model sees it.

use super::model::Verdict;
use super::new_release::Program;
use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Release,
    Formation,
    OneOff,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read by one rule")]
#[derive(Debug, Clone)]
pub(super) struct Dyno {
    pub(super) name: DynoName,
    pub(super) kind: Kind,
    /// Its place in start order: that of its process type, and its index.
    pub(super) key: (usize, u32),
    pub(super) port: Option<u16>,
    /// What it runs in the release.
    pub(super) program: Program,
    /// False once it was removed.
    pub(super) present: bool,
    /// It should run.
    pub(super) wanted: bool,
    /// It is removed when its run is gone.
    pub(super) leaving: bool,
    /// One of its processes could not be killed.
    pub(super) lost: bool,
    pub(super) last_run: u64,
    pub(super) awaited: bool,
    /// Its visible state while it has no run.
    pub(super) without_run: PublicState,
    /// Its last visible state, and when that began.
    pub(super) state: PublicState,
    pub(super) since: jiff::Timestamp,
    /// Its state according to the log.
    pub(super) logged: PublicState,
    pub(super) last_exit: Option<ExitStatus>,
    pub(super) restarts: u32,
    /// Restarts in a row, and the last delay among them.
    pub(super) in_a_row: (u32, Duration),
    pub(super) must_spawn: bool,
    /// It stays down because of a dyno that it has waited for.
    pub(super) prevented: bool,
    pub(super) must_decide: Option<ExitStatus>,
    pub(super) restart_due: Option<Duration>,
    /// What the end of its last run meant. None from a spawn to the end of its run.
    pub(super) last_verdict: Option<Verdict>,
    /// It must not be started again.
    pub(super) retired: bool,
}

impl Dyno {
    pub(super) fn new(name: DynoName, kind: Kind, key: (usize, u32), port: Option<u16>) -> Self {
        Self {
            name,
            kind,
            key,
            port,
            program: Program::default(),
            present: true,
            wanted: false,
            leaving: false,
            lost: false,
            last_run: 0,
            awaited: false,
            without_run: PublicState::Down,
            state: PublicState::Down,
            since: jiff::Timestamp::UNIX_EPOCH,
            logged: PublicState::Down,
            last_exit: None,
            restarts: 0,
            in_a_row: (0, Duration::ZERO),
            must_spawn: false,
            prevented: false,
            must_decide: None,
            restart_due: None,
            last_verdict: None,
            retired: false,
        }
    }
}
