//! The tool's own log lines, as values. What they say in which log format: `notice_text`.

use std::time::Duration;

use crate::app::{DynoName, ExitStatus, LeftRunning, ProcessType};

use super::{PublicState, SpawnFailure, UserSignal};

/// One line of our own in the log. In some formats it has no text and is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whom it is about, which is also where it stands in the log.
    pub about: About,
    /// What it says.
    pub kind: NoticeKind,
}

impl Notice {
    /// Whether it is about this dyno.
    pub(super) fn is_about(&self, dyno: &DynoName) -> bool {
        match &self.about {
            About::Dyno(about) => about == dyno,
            About::Formation { .. } => false,
        }
    }
}

/// Whom a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// One dyno; shown after all that it has written.
    Dyno(DynoName),
    /// The whole formation.
    Formation {
        /// Shown after all that this dyno has written, since it follows from that.
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
    /// The release command of a release is about to run. Heroku format only.
    ReleaseRunning {
        /// The number of the release.
        version: u32,
        /// Who made it.
        user: String,
    },
    /// A one-off dyno was asked for. Heroku format only.
    OneOffRequested {
        /// Command line as written, unexpanded.
        command_line: String,
        /// Who asked.
        user: String,
    },
    /// The formation may start on this release. Heroku format only.
    ReleaseCreated {
        /// The number of the release.
        version: u32,
        /// Who made it.
        user: String,
    },
    /// The release command failed; nothing was started (S8.2).
    ReleaseFailed {
        /// The number of the release.
        version: u32,
        /// How its command ended.
        exit: ExitStatus,
    },
    /// A run is about to start. Heroku format only.
    Starting {
        /// Command line as in the Procfile, unexpanded (S7.4).
        command_line: String,
    },
    /// A run was started. Default format only.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// What is visible of a dyno is another state. Heroku format only.
    StateChanged {
        /// The state before.
        from: PublicState,
        /// The state since then.
        to: PublicState,
    },
    /// A dyno that is to end by itself, such as the release phase, has ended, however. Heroku format only.
    Completed {
        /// The state before.
        from: PublicState,
    },
    /// It listens, but only this machine can reach it.
    LoopbackOnly,
    /// It did not listen for so long that it counts as up without (S6.2).
    NotListening {
        /// Its port.
        port: Option<u16>,
        /// How long it was looked at.
        after: Duration,
    },
    /// It did not listen on its port in time, but on another one.
    ListensElsewhere {
        /// Where it listens.
        port: u16,
        /// The port it was given.
        given: Option<u16>,
    },
    /// A run could not be started.
    SpawnFailed(SpawnFailure),
    /// The leader ended.
    Exited(ExitStatus),
    /// The leader ended, and a process that it left running listens on a port: a server that went into the background.
    ExitedListening {
        /// How the leader ended.
        exit: ExitStatus,
        /// The process, which is stopped too.
        process: LeftRunning,
    },
    /// The leader ended and left these processes running, which are stopped too (S6.10).
    LeftRunning(Vec<LeftRunning>),
    /// A process lives on that one of these dynos left behind; the end of the whole stops it (S6.10).
    LeftBehind {
        /// The dynos it may come from, as `web.1`.
        dynos: Vec<String>,
        /// The process.
        process: LeftRunning,
    },
    /// Exit 127 of a shell line: what it could not find stands in the line above (S1.6).
    CommandNotFound,
    /// A crashed dyno starts again after this delay (zero: at once). Default format only.
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
        /// Its process type.
        process_type: ProcessType,
        /// The limit.
        after: Duration,
    },
    /// It gave a wrong answer over HTTP, of a kind that it had not given before; it is asked again.
    WrongAnswer {
        /// `answers GET / with 500, not 200 to 399`.
        why: String,
    },
    /// Dynos are not up yet.
    StillWaiting {
        /// How long they have been waited for.
        after: Duration,
        /// `web.1 does not listen on $PORT (5000)`.
        what: String,
    },
    /// It listens, but did not give the right answer in time, and is killed.
    NotAnswering {
        /// `answers GET / with 500, not 200 to 399`.
        why: String,
        /// The limit.
        after: Duration,
    },
    /// R12: it did not end within the grace and is killed.
    ExitTimeout {
        /// The grace.
        after: Duration,
        /// The signal that told it to end, usually SIGTERM.
        signal: i32,
    },
    /// Its stop signal goes to all its processes. Heroku format only.
    StoppingProcesses {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
    },
    /// SIGKILL goes to a run that nobody had told to end. Heroku format only.
    KillingProcess,
    /// SIGKILL goes to what is left of a run. Heroku format only.
    KillingRemaining,
    /// A process stays although it was killed.
    Unkillable {
        /// `pid (command)`.
        survivor: String,
    },
    /// A signal asked for the end. Default format only.
    StopRequested(UserSignal),
    /// The stop signal goes to all. Default format only.
    Stopping {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
    },
    /// SIGKILL goes to all that is left. Default format only.
    Killing,
    /// The guardian does not answer.
    GuardianWedged,
}
