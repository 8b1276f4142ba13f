//! The lines that `dyno` itself writes to the log, as values. `notice_text` has the words, which depend on the log format.

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoName, ExitStatus, LeftRunning, ProcessType, SpawnFailure};

use super::{CanDie, FocusAdvice, MissingDyno, Prevented, PublicState, Quantity, UserSignal};

/// One of our own lines in the log. Some have no text in some formats and are not shown then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about, which also decides its place in the log.
    pub about: About,
    /// What it says.
    pub kind: NoticeKind,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// One dyno. Shown after everything that the dyno has written.
    Dyno(DynoName),
    /// The whole formation.
    Formation {
        /// The dyno whose event caused the notice. Shown after everything that this dyno has written.
        after: Option<DynoName>,
    },
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// Why there is a new release. Heroku format only.
    ReleaseDescribed {
        /// `Deploy 60a874b3`.
        description: String,
        /// Who made it.
        user: String,
    },
    /// The release command is about to run. Heroku format only.
    ReleaseRunning {
        /// The number of the release.
        version: u32,
        /// Who made it.
        user: String,
    },
    /// A one-off dyno was requested. Heroku format only.
    OneOffRequested {
        /// Command line as written, unexpanded.
        command_line: Arc<str>,
        /// Who requested it.
        user: String,
    },
    /// The formation may start on this release. Heroku format only.
    ReleaseCreated {
        /// The number of the release.
        version: u32,
        /// Who made it.
        user: String,
    },
    /// The release command failed (S8.2, S8.3).
    ReleaseFailed {
        /// The number of the release.
        version: u32,
        /// How its command ended.
        exit: ExitStatus,
        /// The number of the release on which the formation goes on. None: nothing was started.
        kept: Option<u32>,
    },
    /// A process of the release command cannot be killed, so the formation goes on with an earlier release.
    ReleaseStuck {
        /// The number of the release.
        version: u32,
        /// The number of the earlier release.
        kept: u32,
    },
    /// Files have changed, so that the dynos of this process type are replaced (S14.3).
    FilesChanged {
        /// The process type.
        process_type: ProcessType,
        /// The first file.
        first: String,
        /// How many others have changed.
        more: usize,
    },
    /// A later release is to replace the current one. Default format only.
    Deploying {
        /// Its number.
        version: u32,
        /// What made it, unless that is the difference: `Rollback to v1`.
        description: Option<String>,
        /// What has changed: `.env: + API_KEY`.
        difference: String,
    },
    /// The formation runs on an earlier release, and the files of the app say something else.
    RolledBack {
        /// The number of the earlier release.
        to: u32,
        /// The files that differ.
        files: Vec<&'static str>,
    },
    /// A run is about to start. Heroku format only.
    Starting {
        /// Command line as in the Procfile, unexpanded (S7.4).
        command_line: Arc<str>,
    },
    /// A run was started. Default format only.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// The public state of a dyno changed. Heroku format only.
    StateChanged {
        /// The old state.
        from: PublicState,
        /// The new state.
        to: PublicState,
    },
    /// A dyno that runs once, such as the release phase, has ended, with whatever status. Heroku format only.
    Completed {
        /// The old state.
        from: PublicState,
    },
    /// The dyno listens, but only this machine can reach it.
    LoopbackOnly {
        /// Where it listens.
        address: IpAddr,
    },
    /// The dyno did not listen in time and is treated as up (S6.2).
    NotListening {
        /// Its port.
        port: Option<u16>,
        /// How long `dyno` waited.
        after: Duration,
    },
    /// The dyno listens, but did not answer correctly in time, and is treated as up (S6.2).
    StillNotUp {
        /// `answers GET / with 500, not 200 to 399`.
        why: String,
        /// How long `dyno` waited.
        after: Duration,
    },
    /// The dyno did not listen on its own port in time, but it does on another one.
    ListensElsewhere {
        /// Where it listens.
        port: u16,
        /// Its own port.
        given: Option<u16>,
    },
    /// Where to reach the dyno.
    ListensAt {
        /// `http://127.0.0.1:5000`.
        url: String,
    },
    /// The dyno listens, but not on its own port.
    IgnoresPort {
        /// Where it listens.
        port: u16,
        /// Its own port.
        given: u16,
    },
    /// A process type has not been started yet, because others must be up before (S6.12).
    HeldBack {
        /// The process type.
        process_type: ProcessType,
        /// What it waits for.
        missing: Vec<MissingDyno>,
    },
    /// A process type starts at once, because the types that it should wait for have no dyno.
    NothingToWaitFor {
        /// The process type.
        process_type: ProcessType,
        /// The types that it should wait for.
        awaited: Vec<ProcessType>,
    },
    /// The dyno stays down, because what it waited for cannot happen any more.
    NotStarted(Prevented),
    /// A dyno needs the keyboard and does not have it.
    NeedsKeyboard {
        /// The dyno.
        dyno: DynoName,
        /// How its output shows that.
        sign: KeyboardSign,
        /// What to do about it.
        advice: FocusAdvice,
    },
    /// A run could not be started.
    SpawnFailed(SpawnFailure),
    /// The leader exited.
    Exited(ExitStatus),
    /// The leader exited, and a process that it left running listens on a port: a server that went to the background.
    ExitedListening {
        /// How the leader exited.
        exit: ExitStatus,
        /// The server, which is stopped too.
        process: LeftRunning,
    },
    /// The leader exited and left these processes running, which are stopped too (S6.10).
    LeftRunning(Vec<LeftRunning>),
    /// One of these dynos left a process behind, which is stopped at the end (S6.10).
    LeftBehind {
        /// The dynos that it may come from, such as `web.1`.
        dynos: Vec<String>,
        /// The process.
        process: LeftRunning,
    },
    /// Exit status 127 of a shell line. The line before it, from the shell, has the name of the program (S1.6).
    CommandNotFound,
    /// Exit status 126 of a shell line. The line before it, from the shell, says why.
    CommandNotExecutable,
    /// A crashed dyno is restarted after this pause; zero: at once. Default format only.
    Restarting {
        /// The pause.
        after: Duration,
    },
    /// The dyno crashed too often and is not restarted.
    GaveUp {
        /// Restarts in a row so far.
        restarts: u32,
    },
    /// R10: the dyno did not listen in time and is killed.
    BootTimeout {
        /// Its process type.
        process_type: ProcessType,
        /// The limit.
        after: Duration,
    },
    /// The HTTP response of the dyno was wrong for a new reason. It is probed again.
    WrongAnswer {
        /// `answers GET / with 500, not 200 to 399`.
        why: String,
    },
    /// Some dynos are not up yet.
    StillWaiting {
        /// How long `dyno` has waited for them.
        after: Duration,
        /// `web.1 does not listen on $PORT (5000)`.
        what: String,
    },
    /// The dyno listens, but did not answer correctly in time, and is killed.
    NotAnswering {
        /// `answers GET / with 500, not 200 to 399`.
        why: String,
        /// The limit.
        after: Duration,
    },
    /// R12: the dyno did not exit within the grace period and is killed.
    ExitTimeout {
        /// The grace period.
        after: Duration,
        /// The stop signal, usually SIGTERM.
        signal: i32,
    },
    /// The stop signal is sent to its processes. Heroku format only.
    StoppingProcesses {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
    },
    /// SIGKILL is sent to a run that did not get a stop signal before. Heroku format only.
    KillingProcess,
    /// SIGKILL is sent to the rest of a run that was being stopped. Heroku format only.
    KillingRemaining,
    /// A process survived SIGKILL.
    Unkillable {
        /// `pid (command)`.
        survivor: String,
    },
    /// One dyno stops all others (S6.3).
    StoppingOthers {
        /// The dyno.
        dyno: DynoName,
        /// What happened to it.
        cause: StopCause,
        /// No other dyno of the formation has exited before.
        is_first: bool,
        /// The user is at a terminal and can press Ctrl-C.
        keys: bool,
    },
    /// How to keep the others running the next time (S6.3, S6.4).
    StopAvoidable {
        /// The process type of the dyno that stopped them.
        process_type: ProcessType,
        /// The rule of `--can-die` that would have helped.
        rule: CanDie,
    },
    /// A command stops, restarts or removes one dyno.
    EndRequested {
        /// What was requested.
        request: EndRequest,
        /// Number of the stop signal that its processes get now. None: they are being stopped already, or there are none.
        signal: Option<i32>,
    },
    /// A command changed the formation.
    Scaled {
        /// The whole formation.
        formation: Vec<Quantity>,
        /// The user who started the app.
        user: String,
    },
    /// A command asked `dyno` to stop. Default format only.
    ShutdownRequested,
    /// A signal asked `dyno` to stop. Default format only.
    StopRequested(UserSignal),
    /// The stop signal is sent to all dynos. Default format only.
    Stopping {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
    },
    /// These dynos have not ended since they got the stop signal (S6.6). Default format only.
    WaitingForExit {
        /// What still runs, in start order.
        dynos: Vec<StillRunning>,
        /// Time until the last of them is killed, in whole seconds.
        kill_in: Duration,
        /// The user is at a terminal and can press Ctrl-C.
        keys: bool,
    },
    /// SIGKILL is sent to everything that is left. Default format only.
    Killing,
    /// The guardian does not respond.
    GuardianStuck,
}

/// Why one dyno is stopped on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndRequest {
    /// It is to stay down.
    Stop,
    /// It is replaced.
    Restart,
    /// The formation has fewer dynos of its type.
    ScaleDown,
    /// It is replaced, because a release has changed its command or its environment.
    Changed {
        /// The number of the release.
        version: u32,
    },
    /// A release does not have its process type.
    Removed {
        /// The number of the release.
        version: u32,
    },
}

/// How the output of a dyno shows that it needs the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyboardSign {
    /// It draws a full screen (S7.6).
    FullScreen,
    /// It waits at the prompt of a debugger (S6.8).
    DebuggerPrompt,
    /// It waits for someone to type into its terminal (S10.5).
    WaitsForInput,
}

/// What happened to the dyno that stops all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// It exited by itself.
    Exited(ExitStatus),
    /// It could not be started.
    NotStarted,
    /// It was not up in time and was killed.
    NotUp,
}

/// Something that has not ended since it got the stop signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StillRunning {
    /// The leader of this dyno.
    Dyno(DynoName),
    /// Processes that the leader of this dyno left behind.
    ProcessesOf(DynoName),
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyno(dyno) => write!(f, "{dyno}"),
            Self::ProcessesOf(dyno) => write!(f, "processes of {dyno}"),
        }
    }
}
