//! What a smoke was: its phases, its dynos, its status and the reason of that.
//!
//! A value to be written down in several forms (for people, programs and CI services); nothing is decided from it.
//! All times count from the start of the run; nothing else in it differs between two runs of the same app.

use std::fmt;
use std::time::Duration;

use crate::app::DynoName;

use super::Outcome;

/// All that there is to tell about a smoke that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeReport {
    /// How `dyno` ends.
    pub outcome: Outcome,
    /// Why it ends so: one line, lowercase, without a full stop, time, process id or value of the environment.
    pub reason: String,
    /// All five, in their order, whether they were reached or not.
    pub phases: Vec<PhaseReport>,
    /// The release phase if there is one, then the formation in start order. The command is not among them.
    pub dynos: Vec<DynoReport>,
    /// What was run once everybody was up; None: nothing was asked for.
    pub command: Option<CommandReport>,
    /// Whose fault it is. None: it passed, or no single dyno is to blame, or the command is.
    pub culprit: Option<DynoName>,
    /// What to type if that was meant to happen, in one line.
    pub hint: Option<String>,
}

/// What happens one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SmokePhase {
    /// The release command runs.
    Release,
    /// The formation starts; those that are waited for have to listen, and to answer where that is asked for.
    Boot,
    /// All are up and have to stay so.
    Settle,
    /// The command runs.
    Command,
    /// All are stopped.
    Stop,
}

impl SmokePhase {
    /// All of them, in their order.
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

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseReport {
    /// Which one.
    pub phase: SmokePhase,
    /// What became of it.
    pub result: PhaseResult,
}

/// What became of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseResult {
    /// There is nothing to do in it: no release command, or no command to run.
    NotNeeded,
    /// Something failed before, or the end was asked for.
    NotReached,
    /// All of it went well.
    Passed(Span),
    /// It did not.
    Failed {
        /// When, up to the moment of the failure.
        span: Span,
        /// The reason, in the form of [`SmokeReport::reason`].
        why: String,
    },
}

/// A piece of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// When it began, from the start of the run.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
}

/// One dyno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynoReport {
    /// Its name.
    pub dyno: DynoName,
    /// From the order to start it to the success of its exec. None: that was not reached.
    pub boot: Option<Duration>,
    /// From there until it was up; zero where nobody waits for it to listen. None: it never was.
    pub ready: Option<Duration>,
    /// What became of it.
    pub result: DynoResult,
}

/// What became of a dyno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DynoResult {
    /// It was never started: something failed before.
    NotStarted,
    /// It was told to stop before it was up: something else failed, or the end was asked for.
    StoppedBeforeUp,
    /// It was up until it was told to stop, or ended as it may: the release command with 0, or a type of `--allow-exit`.
    Passed,
    /// It failed. The reason, in the form of [`SmokeReport::reason`].
    Failed(String),
}

/// The command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandReport {
    /// Its words as they were given.
    pub words: Vec<String>,
    /// Its own status, 128+n for a signal. None: it was not started, or told to stop before it ended by itself.
    pub status: Option<u8>,
}
