//! The result of a smoke test: its phases, its dynos, its status and the reason for it.
//!
//! A plain value that is written in several forms (for people, programs and CI services). Nothing is decided from it.
//! All times are measured from the start of the smoke test. Apart from them, a repeated smoke test gives the same report.

use std::fmt;
use std::time::Duration;

use crate::model::DynoName;
use crate::supervisor::Outcome;

/// The result of a smoke test that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeReport {
    /// How `dyno` ends.
    pub outcome: Outcome,
    /// Why: one line in lowercase, without a full stop, time, process id or value of an environment variable.
    pub reason: String,
    /// All five phases in order, whether or not they were reached.
    pub phases: Vec<PhaseReport>,
    /// The release phase if there is one, then the formation in start order. The command is not included.
    pub dynos: Vec<DynoReport>,
    /// The command that ran once all dynos were up. None: there was no command.
    pub command: Option<CommandReport>,
    /// The dyno that caused the failure. None if the smoke test passed, or if something else caused the failure.
    pub culprit: Option<DynoName>,
    /// One line with what to type if the exit that failed the smoke test was intended.
    pub hint: Option<String>,
}

impl SmokeReport {
    /// Replaces the result because of a failure that came after its own cause. `why`: in the form of
    /// [`SmokeReport::reason`].
    pub fn replace(&mut self, outcome: Outcome, why: &str) {
        self.outcome = outcome;
        why.clone_into(&mut self.reason);
        self.hint = None;
        self.fail_last_phase(why);
    }

    /// Lets the last phase that was reached fail, or the first one if none was. If it has failed already, its reason
    /// stays.
    pub(super) fn fail_last_phase(&mut self, why: &str) {
        let reached = self.phases.iter().rposition(|phase| phase.result.span().is_some());
        let first = || self.phases.iter().position(|phase| phase.result == PhaseResult::NotReached);
        let Some(last) = reached.or_else(first).and_then(|at| self.phases.get_mut(at)) else { return };
        if !matches!(last.result, PhaseResult::Failed { .. }) {
            let span = last.result.span().unwrap_or_default();
            last.result = PhaseResult::Failed { span, why: why.to_owned() };
        }
    }
}

/// The phases of a smoke test, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SmokePhase {
    /// The release command runs.
    Release,
    /// The formation starts; ready types must listen, and answer `--http` if it was given.
    Boot,
    /// All dynos are up and must stay up.
    Settle,
    /// The command runs.
    Command,
    /// All dynos are stopped.
    Stop,
}

impl SmokePhase {
    /// All phases, in order.
    pub const ALL: [Self; 5] = [Self::Release, Self::Boot, Self::Settle, Self::Command, Self::Stop];
}

impl fmt::Display for SmokePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Release => "release",
            Self::Boot => "boot",
            Self::Settle => "settle",
            Self::Command => "command",
            Self::Stop => "stop",
        })
    }
}

/// The result of one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseReport {
    /// The phase.
    pub phase: SmokePhase,
    /// How it ended.
    pub result: PhaseResult,
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseResult {
    /// There was nothing to do: no release command, or no command to run.
    NotNeeded,
    /// Something failed earlier, or a stop was requested.
    NotReached,
    /// It succeeded.
    Passed(Span),
    /// It failed.
    Failed {
        /// From its beginning to the failure.
        span: Span,
        /// The reason, in the same form as [`SmokeReport::reason`].
        why: String,
    },
}

impl PhaseResult {
    /// When the phase began and how long it took. None: it was not reached.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::NotNeeded | Self::NotReached => None,
            Self::Passed(span) | Self::Failed { span, .. } => Some(*span),
        }
    }
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// When it began, measured from the start of the smoke test.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
}

/// The result of one dyno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynoReport {
    /// Its name.
    pub dyno: DynoName,
    /// Time from the order to start it until its exec succeeded. None: that was not reached.
    pub boot: Option<Duration>,
    /// Time from there until it was up; zero if it need not listen. None: it never was up.
    pub ready: Option<Duration>,
    /// How it ended.
    pub result: DynoResult,
}

/// How a dyno ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DynoResult {
    /// It was never started, because something failed earlier.
    NotStarted,
    /// It was stopped before it was up, because something else failed or a stop was requested.
    StoppedBeforeUp,
    /// It was up until it was stopped, or it exited as allowed: the release command with 0, or a `--can-die` type.
    Passed,
    /// It failed. The reason has the same form as [`SmokeReport::reason`].
    Failed(String),
}

/// The result of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandReport {
    /// Its words, as given on the command line.
    pub words: Vec<String>,
    /// Its own status, 128+n for a signal. None: it was not started, or it was stopped before it exited by itself.
    pub status: Option<u8>,
}
