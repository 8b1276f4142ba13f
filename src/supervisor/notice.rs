//! The tool's own log lines, as values. `Display` is the text of the default log format.

use std::fmt;
use std::time::Duration;

use crate::app::{DynoName, ExitStatus, RunId};

use super::{SpawnFailure, UserSignal};

/// One line of our own in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The run it is about; it is shown after all that run had written. None: about the whole formation.
    pub about: Option<(DynoName, RunId)>,
    /// What it says.
    pub kind: NoticeKind,
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// A run is about to start; the command line as written. Shown in the heroku format only.
    Starting {
        /// Command line as in the Procfile, unexpanded.
        command_line: String,
    },
    /// A run was started.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// A run is up: it listens on its port, or its exec succeeded. Shown in the heroku format only.
    Up,
    /// A run could not be started.
    SpawnFailed(SpawnFailure),
    /// The leader ended.
    Exited(ExitStatus),
    /// Exit 127 of a shell line: what it could not find stands in the line above (S1.6).
    CommandNotFound,
    /// A crashed dyno starts again after this delay (zero: at once).
    Restarting {
        /// The delay.
        after: Duration,
    },
    /// It crashed too often and stays down.
    GaveUp {
        /// Restarts in a row so far.
        restarts: u32,
    },
    /// R10: it did not listen in time and is killed.
    BootTimeout {
        /// The limit.
        after: Duration,
    },
    /// R12: it did not end within the grace and is killed.
    ExitTimeout {
        /// The grace.
        after: Duration,
    },
    /// A process stays although it was killed.
    Unkillable {
        /// `pid (command)`.
        survivor: String,
    },
    /// The release command failed; nothing was started.
    ReleaseFailed(ExitStatus),
    /// A signal asked for the end.
    StopRequested(UserSignal),
    /// The stop signal goes to all.
    Stopping {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
    },
    /// SIGKILL goes to all that is left.
    Killing,
    /// The guardian does not answer.
    GuardianWedged,
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting { command_line } => write!(f, "starting `{command_line}`"),
            Self::Started { pid } => write!(f, "started with pid {pid}"),
            Self::Up => f.write_str("up"),
            Self::SpawnFailed(why) => write!(f, "{why}"),
            Self::Exited(ExitStatus::Code(code)) => write!(f, "exited with code {code}"),
            Self::Exited(ExitStatus::Signal(signal)) => write!(f, "terminated by {}", SignalName(i32::from(*signal))),
            Self::CommandNotFound => f.write_str("command not found, see the line above"),
            Self::Restarting { after } if after.is_zero() => f.write_str("restarting"),
            Self::Restarting { after } => write!(f, "restarting in {}s", after.as_secs_f64()),
            Self::GaveUp { restarts: 0 } => f.write_str("crashed, stays down"),
            Self::GaveUp { restarts } => write!(f, "crashed again after {}, stays down", times(*restarts)),
            // The platform's words, to be found by those who search for them.
            Self::BootTimeout { after } => write!(
                f,
                "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within {} seconds of launch",
                after.as_secs_f64()
            ),
            Self::ExitTimeout { after } => write!(
                f,
                "Error R12 (Exit timeout) -> At least one process failed to exit within {} seconds of SIGTERM",
                after.as_secs_f64()
            ),
            Self::Unkillable { survivor } => write!(f, "process {survivor} could not be killed"),
            Self::ReleaseFailed(exit) => {
                write!(f, "release command failed with status {}, nothing was started", exit.shell_code())
            }
            Self::StopRequested(signal) => write!(f, "{signal} received, starting shutdown"),
            Self::Stopping { signal } => write!(f, "sending {} to all processes", SignalName(*signal)),
            Self::Killing => f.write_str("sending SIGKILL to all processes"),
            Self::GuardianWedged => f.write_str("the process guardian does not answer, ending without it"),
        }
    }
}

fn times(restarts: u32) -> String {
    if restarts == 1 { "1 restart".to_owned() } else { format!("{restarts} restarts in a row") }
}

/// The name of a signal; `signal N` where it has no name, or not the same one on every system.
struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            6 => "SIGABRT",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            number if cfg!(target_os = "linux") => match number {
                7 => "SIGBUS",
                10 => "SIGUSR1",
                12 => "SIGUSR2",
                24 => "SIGXCPU",
                25 => "SIGXFSZ",
                28 => "SIGWINCH",
                31 => "SIGSYS",
                other => return write!(f, "signal {other}"),
            },
            other => return write!(f, "signal {other}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_the_default_format_are_foremans() {
        let second = Duration::from_secs(1);
        for (kind, text) in [
            (NoticeKind::Started { pid: 42 }, "started with pid 42"),
            (NoticeKind::Exited(ExitStatus::Code(1)), "exited with code 1"),
            (NoticeKind::Exited(ExitStatus::Signal(15)), "terminated by SIGTERM"),
            (NoticeKind::Exited(ExitStatus::Signal(40)), "terminated by signal 40"),
            (NoticeKind::CommandNotFound, "command not found, see the line above"),
            (NoticeKind::StopRequested(UserSignal::Int), "SIGINT received, starting shutdown"),
            (NoticeKind::Stopping { signal: 15 }, "sending SIGTERM to all processes"),
            (NoticeKind::Stopping { signal: 2 }, "sending SIGINT to all processes"),
            (NoticeKind::Killing, "sending SIGKILL to all processes"),
            (NoticeKind::Restarting { after: Duration::ZERO }, "restarting"),
            (NoticeKind::Restarting { after: 2 * second }, "restarting in 2s"),
            (NoticeKind::Restarting { after: second / 2 }, "restarting in 0.5s"),
            (NoticeKind::GaveUp { restarts: 3 }, "crashed again after 3 restarts in a row, stays down"),
            (NoticeKind::GaveUp { restarts: 0 }, "crashed, stays down"),
        ] {
            assert_eq!(kind.to_string(), text);
        }
    }

    #[test]
    fn s6_the_platforms_errors_keep_the_platforms_words() {
        assert_eq!(
            NoticeKind::BootTimeout { after: Duration::from_secs(60) }.to_string(),
            "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch"
        );
        assert_eq!(
            NoticeKind::ExitTimeout { after: Duration::from_secs(30) }.to_string(),
            "Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM"
        );
    }
}
