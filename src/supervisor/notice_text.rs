//! The words of a notice: foreman's by default, the platform's in the heroku format (S7.3, S7.4).
//!
//! A notice that exists in only one of the two has no text in the other. If the platform has no words for something that
//! the user needs to know, both use ours.

use std::fmt;
use std::time::Duration;

use crate::app::one_of;
use crate::model::{DynoName, ExitStatus, LeftRunning, ProcessType};

use super::order_report::missing_text;
use super::{
    CanDie, EndRequest, FocusAdvice, KeyboardSign, MissingDyno, NoticeKind, Quantity, StillRunning, StopCause,
};

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
        let Texts { plain, heroku } = self.texts();
        match style {
            NoticeStyle::Plain => plain,
            NoticeStyle::Heroku => heroku,
        }
    }

    fn texts(&self) -> Texts {
        match self {
            Self::Started { pid } => Texts::plain(format!("started with pid {pid}")),
            Self::Exited(exit) => Texts::of_each(ended(*exit), process_exited(*exit)),
            Self::ExitedListening { exit, process } => {
                let left = left_listening(process);
                Texts::of_each(format!("{}, {left}", ended(*exit)), format!("{}, {left}", process_exited(*exit)))
            }
            Self::Restarting { after } if after.is_zero() => Texts::plain("restarting"),
            Self::Restarting { after } => Texts::plain(format!("restarting in {}s", after.as_secs_f64())),
            Self::EndRequested { request, signal } => end_requested(*request, *signal),
            Self::Scaled { formation, user } => Texts::of_each(
                format!("scaled to {}", quantities(formation, '=')),
                format!("Scaled to {} by user {user}", quantities(formation, '@')),
            ),
            Self::FilesChanged { process_type, first, more } => Texts::both(files_changed(process_type, first, *more)),
            Self::ShutdownRequested => Texts::plain("stop requested, starting shutdown"),
            Self::StopRequested(signal) => Texts::plain(format!("{signal} received, starting shutdown")),
            Self::Stopping { signal } => Texts::plain(format!("sending {} to all processes", SignalName(*signal))),
            Self::Killing => Texts::plain("sending SIGKILL to all processes"),
            Self::WaitingForExit { dynos, kill_in, keys } => Texts::plain(waiting_for_exit(dynos, *kill_in, *keys)),
            Self::ReleaseDescribed { description, user } => Texts::heroku(format!("{description} by user {user}")),
            Self::ReleaseRunning { version, user } => {
                Texts::heroku(format!("Running release v{version} commands by user {user}"))
            }
            Self::OneOffRequested { command_line, user } => {
                Texts::heroku(format!("Starting process with command `{command_line}` by user {user}"))
            }
            Self::ReleaseCreated { version, user } => {
                Texts::heroku(format!("Release v{version} created by user {user}"))
            }
            Self::Starting { command_line } => Texts::heroku(format!("Starting process with command `{command_line}`")),
            Self::StateChanged { from, to } => Texts::heroku(format!("State changed from {from} to {to}")),
            Self::Completed { from } => Texts::heroku(format!("State changed from {from} to complete")),
            Self::StoppingProcesses { signal } => {
                Texts::heroku(format!("Stopping all processes with {}", SignalName(*signal)))
            }
            Self::KillingProcess => Texts::heroku("Stopping process with SIGKILL"),
            Self::KillingRemaining => Texts::heroku("Stopping remaining processes with SIGKILL"),
            Self::ReleaseFailed { version, exit, kept } => Texts::both(release_failed(*version, *exit, *kept)),
            Self::ReleaseStuck { version, kept } => Texts::both(release_stuck(*version, *kept)),
            Self::Deploying { version, description, difference } => {
                Texts::plain(release_line(*version, description.as_deref(), difference))
            }
            Self::RolledBack { to, files } => Texts::both(rolled_back(*to, files)),
            Self::LoopbackOnly { address } => {
                Texts::both(format!("listens on {address} only: on Heroku it must bind 0.0.0.0"))
            }
            Self::NotListening { port, after } => {
                let port = port.map_or_else(|| "its port".to_owned(), |port| format!("port {port}"));
                let after = seconds(*after);
                Texts::both(format!("still not listening on {port} after {after}; treated as up from now on"))
            }
            Self::ListensElsewhere { port, given } => {
                let given = given.map_or_else(String::new, |port| format!(" ({port})"));
                Texts::both(format!("listens on port {port}, not on $PORT{given}"))
            }
            Self::IgnoresPort { port, given } => Texts::both(ignores_port(*port, *given)),
            Self::ListensAt { url } => Texts::both(format!("listening on {url}")),
            Self::HeldBack { process_type, missing } => Texts::both(held_back(process_type, missing)),
            Self::NothingToWaitFor { process_type, awaited } => Texts::both(nothing_to_wait_for(process_type, awaited)),
            Self::NotStarted(prevented) => Texts::both(format!("not started: {prevented}")),
            Self::NeedsKeyboard { dyno, sign, advice } => Texts::both(needs_keyboard(dyno, *sign, *advice)),
            Self::SpawnFailed(why) => Texts::both(why.to_string()),
            Self::CommandNotFound => Texts::both("command not found, see the line above"),
            Self::CommandNotExecutable => Texts::both("command cannot be executed, see the line above"),
            Self::GaveUp { restarts } => Texts::both(gave_up(*restarts)),
            // The platform's words in both, because users search for them.
            Self::BootTimeout { process_type, after } => Texts::both(format!(
                "Error R10 (Boot timeout) -> {} process failed to bind to $PORT within {} of launch",
                capitalised(process_type),
                seconds(*after)
            )),
            Self::StillNotUp { why, after } => {
                Texts::both(format!("still not up after {}: it {why}; treated as up from now on", seconds(*after)))
            }
            Self::WrongAnswer { why } => Texts::both(format!("{why}; trying again")),
            Self::StillWaiting { after, what } => {
                Texts::both(format!("still waiting after {}: {what}", seconds(*after)))
            }
            Self::NotAnswering { why, after } => Texts::both(format!("not up within {}: it {why}", seconds(*after))),
            Self::ExitTimeout { after, signal } => Texts::both(format!(
                "Error R12 (Exit timeout) -> At least one process failed to exit within {} of {}",
                seconds(*after),
                SignalName(*signal)
            )),
            Self::Unkillable { survivor } => Texts::both(format!("process {survivor} could not be killed")),
            Self::LeftRunning(processes) => Texts::both(left_running(processes)),
            Self::LeftBehind { dynos, process } => {
                Texts::both(format!("left behind by {}: {process}, stopped at the end", one_of(dynos)))
            }
            Self::StoppingOthers { dyno, cause, is_first, keys } => {
                let how = stop_cause(*cause, *is_first);
                let keys = if *keys { "; press Ctrl-C to kill them" } else { "" };
                Texts::both(format!("{dyno} {how}: stopping the others{keys}"))
            }
            Self::StopAvoidable { process_type, rule } => Texts::both(stop_avoidable(process_type, *rule)),
            Self::GuardianStuck => {
                Texts::both("`dyno`'s helper process (the guardian) does not respond; ending without it")
            }
        }
    }
}

/// The text of a notice in each style. None: the notice is not shown in that style.
struct Texts {
    plain: Option<String>,
    heroku: Option<String>,
}

impl Texts {
    fn plain(text: impl Into<String>) -> Self {
        Self { plain: Some(text.into()), heroku: None }
    }

    fn heroku(text: impl Into<String>) -> Self {
        Self { plain: None, heroku: Some(text.into()) }
    }

    fn both(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::of_each(text.clone(), text)
    }

    fn of_each(plain: String, heroku: String) -> Self {
        Self { plain: Some(plain), heroku: Some(heroku) }
    }
}

fn process_exited(exit: ExitStatus) -> String {
    format!("Process exited with status {}", exit.shell_code())
}

fn needs_keyboard(dyno: &DynoName, sign: KeyboardSign, advice: FocusAdvice) -> String {
    let what = match sign {
        KeyboardSign::FullScreen => "draws a full screen",
        KeyboardSign::DebuggerPrompt => "waits at a debugger prompt",
        KeyboardSign::WaitsForInput => "is waiting for input",
    };
    // `--focus web` is web.1.
    let index = if dyno.index == 1 { String::new() } else { format!(".{}", dyno.index) };
    let option = format!("--focus {}{index}", dyno.process_type);
    match advice {
        FocusAdvice::Attach => format!("{dyno} {what}: type `dyno attach {dyno}`"),
        FocusAdvice::Option => format!("{dyno} {what}: add `{option}` to use it"),
        FocusAdvice::Command => format!("{dyno} {what}: run `dyno start {option}` to use it"),
        FocusAdvice::None => format!("{dyno} {what}, and no key reaches it"),
    }
}

fn ignores_port(port: u16, given: u16) -> String {
    format!("listens on port {port}, but its PORT is {given}")
}

fn held_back(process_type: &ProcessType, missing: &[MissingDyno]) -> String {
    format!("{process_type} is waiting for {}", missing_text(missing))
}

fn nothing_to_wait_for(process_type: &ProcessType, awaited: &[ProcessType]) -> String {
    let awaited: Vec<&str> = awaited.iter().map(ProcessType::as_str).collect();
    let have = if awaited.len() == 1 { "has" } else { "have" };
    format!("{process_type} does not wait for {}, which {have} quantity 0", awaited.join(" and "))
}

fn gave_up(restarts: u32) -> String {
    match restarts {
        0 => "crashed: not restarted".to_owned(),
        1 => "crashed again after 1 restart: not restarted".to_owned(),
        _ => format!("crashed again after {restarts} restarts in a row: not restarted"),
    }
}

fn left_running(processes: &[LeftRunning]) -> String {
    let them = if processes.len() == 1 { "it" } else { "them" };
    let processes: Vec<String> = processes.iter().map(LeftRunning::to_string).collect();
    format!("left {} running; stopped {them} too", processes.join(", "))
}

fn stop_avoidable(process_type: &ProcessType, rule: CanDie) -> String {
    let value = match rule {
        CanDie::Success => "",
        CanDie::Any => "=any",
    };
    // Fits a terminal of 80 columns: the line above it says what happened.
    format!("hint: `--can-die {process_type}{value}` or `--restart` keeps the others up")
}

/// `signal`: the one that is sent now, if any.
fn waiting_for_exit(dynos: &[StillRunning], kill_in: Duration, keys: bool) -> String {
    let keys = if keys { "; Ctrl-C kills now" } else { "" };
    format!("waiting for {} to exit; SIGKILL in {}{keys}", names(dynos), seconds(kill_in))
}

fn release_failed(version: u32, exit: ExitStatus, kept: Option<u32>) -> String {
    let kept = kept.map_or_else(|| "nothing was started".to_owned(), |kept| format!("the app stays on v{kept}"));
    // A command that exits with 0 fails only if it was asked to stop.
    let how =
        if exit.is_success() { "was stopped".to_owned() } else { format!("exited with status {}", exit.shell_code()) };
    format!("release v{version} failed: its command {how}; {kept}")
}

/// `web restarting: src/app.rb changed (+3 more)`
fn files_changed(process_type: &ProcessType, first: &str, more: usize) -> String {
    let others = if more == 0 { String::new() } else { format!(" (+{more} more)") };
    format!("{process_type} restarting: {first} changed{others}")
}

fn release_stuck(version: u32, kept: u32) -> String {
    format!("release v{version} failed: a process of a release command could not be killed; the app stays on v{kept}")
}

/// A release and what it changes: `release v3: Rollback to v1 (.env: ~ LEVEL)`. `description`: what made it, if that is not
/// the change itself.
#[must_use]
pub fn release_line(version: u32, description: Option<&str>, difference: &str) -> String {
    match description {
        Some(description) => format!("release v{version}: {description} ({difference})"),
        None => format!("release v{version}: {difference}"),
    }
}

/// Says which files still differ after a rollback. `files`: the files that differ from the release that runs now.
#[must_use]
pub fn rolled_back(to: u32, files: &[&str]) -> String {
    let name = |file: &&str| if *file == "Procfile" { "the Procfile".to_owned() } else { (*file).to_owned() };
    let names: Vec<String> = files.iter().map(name).collect();
    let names = match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        Some(_) | None => names.concat(),
    };
    format!("running the config of v{to}, which differs from {names}; `dyno reload` goes back to {names}")
}

fn end_requested(request: EndRequest, signal: Option<i32>) -> Texts {
    let what = match request {
        EndRequest::Stop => "stop requested".to_owned(),
        EndRequest::Restart => "restart requested".to_owned(),
        EndRequest::ScaleDown => "scaled down".to_owned(),
        EndRequest::Changed { version } => format!("replaced by release v{version}"),
        EndRequest::Removed { version } => format!("removed by release v{version}"),
    };
    let plain = match signal {
        Some(signal) => format!("{what}: sending {}", SignalName(signal)),
        None => what,
    };
    // As on the platform: only for a dyno that runs. The other lines of the platform say what happens then.
    match (request, signal) {
        (EndRequest::Restart | EndRequest::Changed { .. }, Some(_)) => Texts::of_each(plain, "Restarting".to_owned()),
        (EndRequest::Restart | EndRequest::Changed { .. }, None)
        | (EndRequest::Stop | EndRequest::ScaleDown | EndRequest::Removed { .. }, _) => Texts::plain(plain),
    }
}

/// `web=2 worker=1`.
fn quantities(formation: &[Quantity], between: char) -> String {
    let quantity = |entry: &Quantity| format!("{}{between}{}", entry.process_type, entry.quantity);
    formation.iter().map(quantity).collect::<Vec<_>>().join(" ")
}

/// `exited with code 1`, or `terminated by SIGTERM`.
#[must_use]
pub fn ended(exit: ExitStatus) -> String {
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

pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if duration == Duration::from_secs(1) { "1 second".to_owned() } else { format!("{seconds} seconds") }
}

/// `Web`: the platform's sentence begins with it.
fn capitalised(process_type: &ProcessType) -> String {
    let (first, rest) = process_type.as_str().split_at(1);
    first.to_ascii_uppercase() + rest
}

/// The name of a signal, or `signal N` if it has no name or not the same one on every system.
pub(crate) struct SignalName(pub(crate) i32);

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
