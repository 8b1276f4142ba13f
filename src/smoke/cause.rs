//! Why a smoke test ends: the cause, its text, and the resulting status (S11).

use std::fmt;
use std::time::Duration;

use crate::error::Status;
use crate::model::{DynoName, ExitStatus, RunId, RunReport, SpawnFailure};
use crate::supervisor::{Event, NOT_STARTED, Outcome, Prevented, SignalName, UserSignal, VANISHED, WhyNotUp, seconds};

use super::SmokePhase;

/// The statuses of a shell that cannot find or execute a program (S11).
const NOT_FOUND: u8 = Status::NotFound.code();
const NOT_EXECUTABLE: u8 = Status::NotExecutable.code();

/// The largest number of dynos that one reason names.
const MOST_NAMED: usize = 5;

/// Why a smoke test ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// All dynos came up and stayed up, and there is no command. `ended`: the dynos that exited as allowed.
    Settled { after: Duration, ended: Vec<DynoName> },
    /// The command ended.
    Command(RunEnd),
    /// A dyno ended that should not have ended, or the release command failed.
    DynoEnded { dyno: DynoName, how: RunEnd, phase: SmokePhase },
    /// Some dynos were not up in time.
    NotUp { after: Duration, dynos: Vec<NotUp> },
    /// A dyno was not started, because another one did not do what it waited for.
    Prevented { dyno: DynoName, why: Prevented },
    /// A signal stopped the smoke test.
    Signal { signal: UserSignal, phase: SmokePhase },
    /// The log can no longer be written.
    OutputLost,
    /// A process cannot be killed.
    Lost,
}

/// How a dyno or the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunEnd {
    Exit(ExitStatus),
    NotStarted(SpawnFailure),
    /// No process of it is left, but its exit was never reported.
    Vanished,
}

/// A dyno that was not up in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotUp {
    pub(super) dyno: DynoName,
    /// None: it waits for others before it starts.
    pub(super) run: Option<RunId>,
    pub(super) why: DynoObstacle,
}

/// Why a dyno was not up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DynoObstacle {
    /// It was still starting.
    NotUp(WhyNotUp),
    /// It is a command that must exit first.
    StillRuns,
    ListensElsewhere {
        port: u16,
        given: u16,
    },
}

impl fmt::Display for DynoObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUp(why) => write!(f, "{why}"),
            Self::StillRuns => f.write_str("has not exited"),
            Self::ListensElsewhere { port, given } => write!(f, "listens on port {port}, not on $PORT ({given})"),
        }
    }
}

impl RunEnd {
    /// The end that an event reports. None: it reports something else.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Run(_, RunReport::Exited { exit, .. }) => Some(Self::Exit(*exit)),
            Event::Run(_, RunReport::SpawnFailed(why)) => Some(Self::NotStarted(why.clone())),
            Event::Run(_, RunReport::Gone) => Some(Self::Vanished),
            Event::Boot
            | Event::Run(_, RunReport::Spawned { .. } | RunReport::LeftBehind { .. } | RunReport::Unkillable { .. })
            | Event::Ready { .. }
            | Event::NotAnswering { .. }
            | Event::NotReady { .. }
            | Event::Listens { .. }
            | Event::ListensElsewhere { .. }
            | Event::NeedsKeyboard { .. }
            | Event::Drained { .. }
            | Event::Routed { .. }
            | Event::Signal(_)
            | Event::Key { .. }
            | Event::Resumed { .. }
            | Event::OutputLost(_)
            | Event::Request { .. }
            | Event::Tick => None,
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::Exit(exit) => exit.shell_code(),
            Self::NotStarted(_) => NOT_STARTED.shell_code(),
            Self::Vanished => VANISHED.shell_code(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Exit(ExitStatus::Code(code)) => format!("exited with code {code}"),
            Self::Exit(ExitStatus::Signal(signal)) => {
                format!("was terminated by {}", SignalName(i32::from(*signal)))
            }
            Self::NotStarted(why) => format!("could not be started: {why}"),
            Self::Vanished => "vanished".to_owned(),
        }
    }

    /// Explains the special statuses of the shell that runs the command.
    fn explanation(&self) -> &'static str {
        match self {
            Self::Exit(ExitStatus::Code(NOT_FOUND)) => ", the shell's status for a program that was not found",
            Self::Exit(ExitStatus::Code(NOT_EXECUTABLE)) => {
                ", the shell's status for a program that cannot be executed"
            }
            Self::Exit(ExitStatus::Code(_) | ExitStatus::Signal(_)) | Self::NotStarted(_) | Self::Vanished => "",
        }
    }

    /// The exit code, or 128+n for a signal.
    pub(super) fn code(&self) -> Option<u8> {
        match self {
            Self::Exit(exit) => Some(exit.shell_code()),
            Self::NotStarted(_) | Self::Vanished => None,
        }
    }
}

impl Cause {
    /// How `dyno` ends because of this. None: the supervisor decides.
    pub(super) fn own_outcome(&self) -> Option<Outcome> {
        match self {
            Self::Settled { .. } => Some(Outcome::Code(0)),
            Self::Command(how) => Some(Outcome::Code(how.status())),
            // An early exit with 0 is a failure, too.
            Self::DynoEnded { how, .. } => Some(Outcome::Code(how.status().max(Status::Failed.code()))),
            Self::NotUp { .. } => Some(Outcome::Code(Status::NotUp.code())),
            Self::Prevented { why, .. } => {
                let status = why.exit().map_or(0, ExitStatus::shell_code);
                Some(Outcome::Code(status.max(Status::Failed.code())))
            }
            Self::Signal { .. } | Self::OutputLost | Self::Lost => None,
        }
    }

    /// The reason in one line.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Settled { after, ended } => {
                let stayed =
                    if after.is_zero() { String::new() } else { format!(" and stayed up for {}", seconds(*after)) };
                let names = join_first(ended.iter().map(DynoName::to_string), ", ");
                let others = if names.is_empty() { names } else { format!(" ({names} exited, as allowed)") };
                format!("all dynos came up{stayed}{others}")
            }
            Self::Command(how) => format!("the command {}{}", how.describe(), how.explanation()),
            Self::DynoEnded { dyno, how, phase: SmokePhase::Release }
            | Self::DynoEnded { dyno, how: how @ RunEnd::NotStarted(_), .. } => format!("{dyno} {}", how.describe()),
            Self::DynoEnded { dyno, how, phase } => format!("{dyno} {} {}", how.describe(), during(*phase)),
            Self::NotUp { after, dynos } => {
                format!("not up within {}: {}", seconds(*after), describe_all(dynos))
            }
            Self::Prevented { dyno, why } => format!("{dyno} was not started: {why}"),
            Self::Signal { signal, phase } => format!("stopped by {signal} {}", during(*phase)),
            Self::OutputLost => "the log could not be written".to_owned(),
            Self::Lost => "a process could not be killed".to_owned(),
        }
    }

    /// Why this dyno failed, or None if it did not cause the end.
    pub(super) fn failure_of(&self, dyno: &DynoName) -> Option<String> {
        match self {
            Self::DynoEnded { dyno: ended, how, phase } if ended == dyno => Some(match (how, phase) {
                (_, SmokePhase::Release) | (RunEnd::NotStarted(_), _) => how.describe(),
                (
                    RunEnd::Exit(_) | RunEnd::Vanished,
                    SmokePhase::Boot | SmokePhase::Settle | SmokePhase::Command | SmokePhase::Stop,
                ) => format!("{} {}", how.describe(), during(*phase)),
            }),
            Self::NotUp { after, dynos } => {
                let not_up = dynos.iter().find(|not_up| not_up.dyno == *dyno)?;
                Some(format!("not up within {}: it {}", seconds(*after), not_up.why))
            }
            Self::Prevented { dyno: prevented, why } if prevented == dyno => Some(format!("was not started: {why}")),
            Self::Prevented { why, .. } if why.by == *dyno => Some(why.to_string()),
            Self::DynoEnded { .. }
            | Self::Prevented { .. }
            | Self::Settled { .. }
            | Self::Command(_)
            | Self::Signal { .. }
            | Self::OutputLost
            | Self::Lost => None,
        }
    }

    /// What to type if the exit was intended. `listens`: whether a dyno must listen.
    pub(super) fn hint(&self, listens: impl Fn(&DynoName) -> bool) -> Option<String> {
        match self {
            // A type that must listen is not meant to exit.
            Self::DynoEnded {
                dyno,
                how: RunEnd::Exit(ExitStatus::Code(0)),
                phase: SmokePhase::Boot | SmokePhase::Settle | SmokePhase::Command,
            } if !listens(dyno) => Some(format!("if `{0}` is meant to exit, add `--can-die {0}`", dyno.process_type)),
            Self::DynoEnded { .. }
            | Self::NotUp { .. }
            | Self::Prevented { .. }
            | Self::Settled { .. }
            | Self::Command(_)
            | Self::Signal { .. }
            | Self::OutputLost
            | Self::Lost => None,
        }
    }

    /// The first dyno that failed.
    pub(super) fn culprit(&self) -> Option<&DynoName> {
        match self {
            Self::DynoEnded { dyno, .. } => Some(dyno),
            Self::NotUp { dynos, .. } => dynos.first().map(|not_up| &not_up.dyno),
            Self::Prevented { why, .. } => Some(&why.by),
            Self::Settled { .. } | Self::Command(_) | Self::Signal { .. } | Self::OutputLost | Self::Lost => None,
        }
    }

    /// Whether the phase that ended with this was a success.
    pub(super) fn is_success(&self) -> bool {
        match self {
            Self::Settled { .. } => true,
            Self::Command(how) => how.status() == 0,
            Self::DynoEnded { .. }
            | Self::NotUp { .. }
            | Self::Prevented { .. }
            | Self::Signal { .. }
            | Self::OutputLost
            | Self::Lost => false,
        }
    }
}

impl NotUp {
    /// Whether it was not seen to listen on any port.
    pub(super) fn does_not_listen(&self) -> bool {
        match self.why {
            DynoObstacle::NotUp(WhyNotUp::NotListening { .. }) => true,
            DynoObstacle::NotUp(WhyNotUp::Waits(_) | WhyNotUp::NotStarted | WhyNotUp::NotAnswering { .. })
            | DynoObstacle::StillRuns
            | DynoObstacle::ListensElsewhere { .. } => false,
        }
    }

    /// Whether it listens on its own port.
    pub(super) fn listens_on_own_port(&self) -> bool {
        match self.why {
            DynoObstacle::NotUp(WhyNotUp::NotAnswering { .. }) => true,
            DynoObstacle::NotUp(WhyNotUp::Waits(_) | WhyNotUp::NotStarted | WhyNotUp::NotListening { .. })
            | DynoObstacle::StillRuns
            | DynoObstacle::ListensElsewhere { .. } => false,
        }
    }
}

/// `web.1 does not listen on $PORT (5000); api.1 has not started yet`.
pub(super) fn describe_all(dynos: &[NotUp]) -> String {
    join_first(dynos.iter().map(|not_up| format!("{} {}", not_up.dyno, not_up.why)), "; ")
}

/// Joins the first few items and counts the others, so that a sentence stays short.
fn join_first(each: impl ExactSizeIterator<Item = String>, between: &str) -> String {
    let others = each.len().saturating_sub(MOST_NAMED);
    let others = (others > 0).then(|| format!("and {others} more"));
    each.take(MOST_NAMED).chain(others).collect::<Vec<_>>().join(between)
}

fn during(phase: SmokePhase) -> &'static str {
    match phase {
        SmokePhase::Release => "during the release phase",
        SmokePhase::Boot => "while booting",
        SmokePhase::Settle => "while settling",
        SmokePhase::Command => "while the command ran",
        SmokePhase::Stop => "while stopping",
    }
}
