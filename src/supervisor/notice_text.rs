//! The words of a notice: foreman's by default, the platform's in the heroku format (S7.3, S7.4).
//!
//! A notice that exists in only one of the two has no text in the other. If the platform has no words for something that
//! the user needs to know, both use ours.

use std::fmt;
use std::time::Duration;

use crate::app::one_of;
use crate::model::{ExitStatus, LeftRunning, ProcessType};

use super::{CanDie, KeyboardSign, NoticeKind, StillRunning, StopCause};

/// Maximum number of dynos that one line names.
const MAX_NAMES: usize = 3;

/// Whose words notices use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoticeStyle {
    /// Foreman's: `exited with code 1`.
    #[default]
    Plain,
    /// The platform's: `Process exited with status 1`.
    Heroku,
}

impl NoticeKind {
    /// The text in this style. None: the notice is not shown.
    #[must_use]
    pub fn text(&self, style: NoticeStyle) -> Option<String> {
        match style {
            NoticeStyle::Plain => self.plain(),
            NoticeStyle::Heroku => self.heroku(),
        }
    }

    fn plain(&self) -> Option<String> {
        Some(match self {
            Self::Started { pid } => format!("started with pid {pid}"),
            Self::Exited(exit) => ended(*exit),
            Self::ExitedListening { exit, process } => format!("{}, {}", ended(*exit), left_listening(process)),
            Self::Restarting { after } if after.is_zero() => "restarting".to_owned(),
            Self::Restarting { after } => format!("restarting in {}s", after.as_secs_f64()),
            Self::StopRequested(signal) => format!("{signal} received, starting shutdown"),
            Self::Stopping { signal } => format!("sending {} to all processes", SignalName(*signal)),
            Self::Killing => "sending SIGKILL to all processes".to_owned(),
            Self::WaitingForExit { dynos, kill_in, keys } => {
                let keys = if *keys { ", or now with Ctrl-C" } else { "" };
                format!("waiting for {} to exit; SIGKILL in {}{keys}", names(dynos), seconds(*kill_in))
            }
            Self::ReleaseDescribed { .. }
            | Self::ReleaseRunning { .. }
            | Self::OneOffRequested { .. }
            | Self::ReleaseCreated { .. }
            | Self::Starting { .. }
            | Self::StateChanged { .. }
            | Self::Completed { .. }
            | Self::StoppingProcesses { .. }
            | Self::KillingProcess
            | Self::KillingRemaining => return None,
            Self::ReleaseFailed { .. }
            | Self::LoopbackOnly { .. }
            | Self::NotListening { .. }
            | Self::ListensElsewhere { .. }
            | Self::NeedsKeyboard { .. }
            | Self::SpawnFailed(_)
            | Self::CommandNotFound
            | Self::GaveUp { .. }
            | Self::BootTimeout { .. }
            | Self::WrongAnswer { .. }
            | Self::StillWaiting { .. }
            | Self::NotAnswering { .. }
            | Self::ExitTimeout { .. }
            | Self::Unkillable { .. }
            | Self::LeftRunning(_)
            | Self::LeftBehind { .. }
            | Self::StoppingOthers { .. }
            | Self::StopAvoidable { .. }
            | Self::GuardianWedged => return self.shared(),
        })
    }

    fn heroku(&self) -> Option<String> {
        Some(match self {
            Self::ReleaseDescribed { description, user } => format!("{description} by user {user}"),
            Self::ReleaseRunning { version, user } => format!("Running release v{version} commands by user {user}"),
            Self::OneOffRequested { command_line, user } => {
                format!("Starting process with command `{command_line}` by user {user}")
            }
            Self::ReleaseCreated { version, user } => format!("Release v{version} created by user {user}"),
            Self::Starting { command_line } => format!("Starting process with command `{command_line}`"),
            Self::StateChanged { from, to } => format!("State changed from {from} to {to}"),
            Self::Completed { from } => format!("State changed from {from} to complete"),
            Self::Exited(exit) => format!("Process exited with status {}", exit.shell_code()),
            Self::ExitedListening { exit, process } => {
                format!("Process exited with status {}, {}", exit.shell_code(), left_listening(process))
            }
            Self::StoppingProcesses { signal } => format!("Stopping all processes with {}", SignalName(*signal)),
            Self::KillingProcess => "Stopping process with SIGKILL".to_owned(),
            Self::KillingRemaining => "Stopping remaining processes with SIGKILL".to_owned(),
            // Each dyno has its own line about what happens to it.
            Self::Started { .. }
            | Self::Restarting { .. }
            | Self::StopRequested(_)
            | Self::Stopping { .. }
            | Self::WaitingForExit { .. }
            | Self::Killing => return None,
            Self::ReleaseFailed { .. }
            | Self::LoopbackOnly { .. }
            | Self::NotListening { .. }
            | Self::ListensElsewhere { .. }
            | Self::NeedsKeyboard { .. }
            | Self::SpawnFailed(_)
            | Self::CommandNotFound
            | Self::GaveUp { .. }
            | Self::BootTimeout { .. }
            | Self::WrongAnswer { .. }
            | Self::StillWaiting { .. }
            | Self::NotAnswering { .. }
            | Self::ExitTimeout { .. }
            | Self::Unkillable { .. }
            | Self::LeftRunning(_)
            | Self::LeftBehind { .. }
            | Self::StoppingOthers { .. }
            | Self::StopAvoidable { .. }
            | Self::GuardianWedged => return self.shared(),
        })
    }

    /// The text of notices that have the same one in both styles.
    fn shared(&self) -> Option<String> {
        Some(match self {
            Self::ReleaseFailed { version, exit } => {
                format!(
                    "release v{version} failed: its command exited with status {}; nothing was started",
                    exit.shell_code()
                )
            }
            Self::LoopbackOnly { address } => format!("listens on {address} only: on Heroku it must bind 0.0.0.0"),
            Self::NotListening { port, after } => {
                let port = port.map_or_else(|| "its port".to_owned(), |port| format!("port {port}"));
                format!("still not listening on {port} after {}; treated as up from now on", seconds(*after))
            }
            Self::ListensElsewhere { port, given } => {
                let given = given.map_or_else(String::new, |port| format!(" ({port})"));
                format!("listens on port {port}, not on $PORT{given}")
            }
            Self::NeedsKeyboard { dyno, sign } => {
                let what = match sign {
                    KeyboardSign::FullScreen => "draws a full screen",
                    KeyboardSign::DebuggerPrompt => "waits at a debugger prompt",
                };
                // `--focus web` is web.1.
                let index = if dyno.index == 1 { String::new() } else { format!(".{}", dyno.index) };
                format!("{dyno} {what}: run `dyno start --focus {}{index}` to use it", dyno.process_type)
            }
            Self::SpawnFailed(why) => why.to_string(),
            Self::CommandNotFound => "command not found, see the line above".to_owned(),
            Self::GaveUp { restarts: 0 } => "crashed, stays down".to_owned(),
            Self::GaveUp { restarts: 1 } => "crashed again after 1 restart, stays down".to_owned(),
            Self::GaveUp { restarts } => format!("crashed again after {restarts} restarts in a row, stays down"),
            // The platform's words in both, because users search for them.
            Self::BootTimeout { process_type, after } => format!(
                "Error R10 (Boot timeout) -> {} process failed to bind to $PORT within {} of launch",
                capitalised(process_type),
                seconds(*after)
            ),
            Self::WrongAnswer { why } => format!("{why}; trying again"),
            Self::StillWaiting { after, what } => format!("still waiting after {}: {what}", seconds(*after)),
            Self::NotAnswering { why, after } => format!("not up within {}: it {why}", seconds(*after)),
            Self::ExitTimeout { after, signal } => format!(
                "Error R12 (Exit timeout) -> At least one process failed to exit within {} of {}",
                seconds(*after),
                SignalName(*signal)
            ),
            Self::Unkillable { survivor } => format!("process {survivor} could not be killed"),
            Self::LeftRunning(processes) => {
                let them = if processes.len() == 1 { "it" } else { "them" };
                let processes: Vec<String> = processes.iter().map(LeftRunning::to_string).collect();
                format!("left {} running; stopped {them} too", processes.join(", "))
            }
            Self::LeftBehind { dynos, process } => {
                format!("left behind by {}: {process}, stopped at the end", one_of(dynos))
            }
            Self::StoppingOthers { dyno, cause, is_first, keys } => {
                let how = stop_cause(*cause, *is_first);
                let keys = if *keys { "; press Ctrl-C to kill them" } else { "" };
                format!("{dyno} {how}: stopping the others{keys}")
            }
            Self::StopAvoidable { process_type, rule } => {
                let (value, when) = match rule {
                    CanDie::Success => ("", " with 0"),
                    CanDie::Any => ("=any", ""),
                };
                format!(
                    "hint: `--can-die {process_type}{value}` keeps the others running when {process_type} exits{when}; \
                     `--restart` starts it again"
                )
            }
            Self::GuardianWedged => "the guardian process does not respond; ending without it".to_owned(),
            Self::ReleaseDescribed { .. }
            | Self::ReleaseRunning { .. }
            | Self::OneOffRequested { .. }
            | Self::ReleaseCreated { .. }
            | Self::Starting { .. }
            | Self::Started { .. }
            | Self::StateChanged { .. }
            | Self::Completed { .. }
            | Self::Exited(_)
            | Self::ExitedListening { .. }
            | Self::Restarting { .. }
            | Self::StoppingProcesses { .. }
            | Self::KillingProcess
            | Self::KillingRemaining
            | Self::StopRequested(_)
            | Self::Stopping { .. }
            | Self::WaitingForExit { .. }
            | Self::Killing => return None,
        })
    }
}

fn ended(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(signal) => format!("terminated by {}", SignalName(i32::from(signal))),
    }
}

/// The words after the name of the dyno.
fn stop_cause(cause: StopCause, is_first: bool) -> String {
    let first = if is_first { " first" } else { "" };
    match cause {
        StopCause::Exited(ExitStatus::Code(code)) => format!("exited{first} (code {code})"),
        StopCause::Exited(ExitStatus::Signal(signal)) => {
            format!("exited{first} ({})", SignalName(i32::from(signal)))
        }
        StopCause::NotStarted => "could not be started".to_owned(),
        StopCause::NotUp => "was not up in time".to_owned(),
    }
}

/// `web.1`, `web.1 and worker.1`, `web.1, web.2, web.3 and 4 more`.
fn names(dynos: &[StillRunning]) -> String {
    let mut names: Vec<String> = dynos.iter().take(MAX_NAMES).map(StillRunning::to_string).collect();
    let more = dynos.len().saturating_sub(MAX_NAMES);
    let last = if more > 0 { Some(format!("{more} more")) } else { names.pop() };
    match (names.join(", "), last) {
        (others, Some(last)) if others.is_empty() => last,
        (others, Some(last)) => format!("{others} and {last}"),
        (others, None) => others,
    }
}

fn left_listening(process: &LeftRunning) -> String {
    let LeftRunning { pid, name, port } = process;
    let port = port.map_or_else(String::new, |port| format!(" on port {port}"));
    format!(
        "and left a process listening{port} ({name}, pid {pid}), which was stopped: run the server in the foreground"
    )
}

pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if duration == Duration::from_secs(1) { "1 second".to_owned() } else { format!("{seconds} seconds") }
}

/// `Web`: the platform's sentence begins with it.
fn capitalised(process_type: &ProcessType) -> String {
    let (first, rest) = process_type.as_str().split_at(1);
    first.to_ascii_uppercase() + rest
}

/// The name of a signal, or `signal N` if it has no name or not the same one on every system.
pub(super) struct SignalName(pub(super) i32);

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
mod tests;
