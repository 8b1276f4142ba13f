//! Connects the supervisor to the system: turns signals, reports and deadlines into events, and effects into calls.
//!
//! Decides nothing; [`crate::supervisor::Supervisor`] does. One loop waits for signals, the guardian's reports, the log
//! hub and the next deadline. It turns each of them into an event and performs the effects that the supervisor returns.
//! Besides the guardian, this is the only code that touches the system while dynos run. Called by `commands`.

mod api_client;
mod api_config;
mod api_reload;
mod api_rollback;
mod api_server;
mod api_service;
mod app_files;
mod attach;
mod calls;
mod changes;
mod client_run;
mod client_socket;
mod client_stream;
mod delivery;
mod direct_output;
mod effects;
mod ending;
mod file_reading;
mod file_watcher;
mod focus;
mod focused;
mod front_door;
mod guardian_link;
mod guardian_orders;
mod hand_over;
mod http_probe;
pub(crate) mod identity;
mod last_runs;
mod launch;
mod listen_watch;
mod listening;
mod log_archive;
mod log_body;
mod log_client;
mod log_files;
mod log_hub;
mod log_sessions;
mod log_stream;
mod lost_output;
mod mounted_files;
mod outlet;
mod output;
mod output_orders;
mod outputs;
mod own_files;
mod patience;
mod port_reserver;
mod ports;
mod preflight;
mod readiness;
mod reload_watch;
mod restart_watch;
mod router;
mod run_input;
mod run_loop;
mod runtime_directory;
#[cfg(test)]
mod scratch;
mod signals;
mod socket_diagnostics;
mod start_gate;
mod start_registry;
mod state_directory;
mod streams;
mod tails;
mod terminal_sizes;
mod unused_directory;
mod usage;
mod watched_places;
mod watched_tree;

use std::rc::Rc;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::{LocalSet, spawn_local};

use crate::api::AppFacts;
use crate::error::Error;
use crate::guardian::Guardian;
use crate::logs::{Formatter, Source};
use crate::model::{DynoSpec, EnvChange};
use crate::project::WatchedFile;
use crate::smoke::{SmokePhase, SmokeRules};
use crate::supervisor::{NoticeStyle, Plan, Policy};

pub use api_client::{ANSWERS_WITHIN, ClientAnswer, ClientRequest, NoAnswer};
pub use attach::attach_client::{AttachConnection, AttachedSignals, ClientEvent, UserTerminal};
pub use client_run::tls::TlsIdentity;
pub use direct_output::{write_diagnostics, write_result};
pub use ending::Ending;
pub use file_reading::{FileReading, ReadFiles};
pub use front_door::{FrontDoorName, FrontDoorStart, ListsApps, run_front_door};
pub use launch::{DetachedLaunch, FailedLaunch, StoppedLaunch};
pub use listening::ListeningSockets;
pub use log_client::{LogEvent, LogReader, LogState, await_logs};
pub use log_files::{LogFileError, LogFiles};
pub use port_reserver::{PortLocks, PortReserver, UnitTaken};
pub use ports::{
    BindMode, PortHolder, first_ephemeral_port, is_port_free, listen_at, listens_on, port_holder, ports_of_dyno,
};
pub use reload_watch::OnChange;
pub use restart_watch::SourcesWatch;
use restart_watch::WatchedTypes;
pub use router::RouterStart;
pub use runtime_directory::{RuntimeDirectory, RuntimeDirectoryError};
pub use signals::{block_all, die_by, number as signal_number, unblock_all, unblock_for_start};
pub use start_registry::{LivingStarts, NotRegistered, RegisteredStart};
pub use state_directory::{LockedState, StateDirectory};
pub use tails::Tails;
pub use terminal_sizes::own_terminal_size;

use api_server::ApiServer;
use calls::{ApiCaller, Calls};
use log_archive::LogArchive;
use log_stream::LogStream;
use run_loop::Runtime;

/// Says which sources are hidden: their lines go to log files and reports, but are not shown.
pub type Quiet = Box<dyn Fn(&Source) -> bool + Send>;

/// Returns what to do about a dyno whose command could not be executed (126, 127), if more is known than the shell has said.
pub type FailureHint = fn(&DynoSpec) -> Option<String>;

/// Everything that [`run`] needs besides the guardian.
pub struct Start {
    /// The release command and the dynos to run.
    pub plan: Plan,
    /// The rules for restarts, timeouts and the end.
    pub policy: Policy,
    /// Whether notices are in our own words or in those of the platform.
    pub notices: NoticeStyle,
    /// Formats the lines that are shown.
    pub formatter: Formatter,
    /// Which sources are hidden.
    pub quiet: Quiet,
    /// The files of `--log-dir`.
    pub files: Option<LogFiles>,
    /// Whether a dyno whose port is in use must not be added (S5.3).
    pub strict_ports: bool,
    /// Whether dynos without a terminal read `/dev/null` instead of a pipe that never ends.
    pub null_stdin: bool,
    /// Width of the prefix: a dyno's terminal has that many columns fewer than ours.
    pub prefix_columns: u16,
    /// Its socket and what clients may see. None: commands do not find this run.
    pub api: Option<ApiStart>,
    /// The router. None: there will not be one.
    pub router: Option<RouterStart>,
    /// Set for a detached start. Its log is not shown.
    pub launch: Option<DetachedLaunch>,
    /// Set for a smoke test. Its log goes to stderr, because stdout belongs to the command.
    pub smoke: Option<SmokeStart>,
    /// Called after a dyno has ended with 126 or 127.
    pub hint_after_failure: FailureHint,
}

/// What clients of the API need.
pub struct ApiStart {
    /// The socket, which commands find while this value exists.
    pub registered: RegisteredStart,
    /// The socket for clients over TCP.
    pub tcp: Option<std::net::TcpListener>,
    /// The key and certificate for attached one-off dynos. None: such dynos are refused.
    pub tls: Option<TlsIdentity>,
    /// The facts about the app.
    pub facts: AppFacts,
    /// Reads the files of the app again. None: they are read only once.
    pub reload: Option<Reload>,
    /// The files that `reload` reads, as the start has found them.
    pub(crate) files: Vec<WatchedFile>,
    /// What a change of these files does. None: they are not watched.
    pub on_change: Option<OnChange>,
    /// How the files that restart process types are watched. None: never.
    pub sources_watch: Option<SourcesWatch>,
}

impl ApiStart {
    /// A start with only its unix socket, which never reads its files again.
    #[must_use]
    pub fn new(registered: RegisteredStart, facts: AppFacts) -> Self {
        Self {
            registered,
            tcp: None,
            tls: None,
            facts,
            reload: None,
            files: Vec::new(),
            on_change: None,
            sources_watch: None,
        }
    }
}

/// What a start does with the files of the app while it runs.
#[derive(Clone)]
pub struct Reload {
    /// Reads them. It may wait for one of them.
    pub read: Arc<ReadsFiles>,
    /// Changes config vars in the `.env` in use (S15.3).
    pub change: Arc<ChangesConfig>,
}

type ReadsFiles = dyn Fn(&FileReading) -> ReadFiles + Send + Sync;
type ChangesConfig = dyn Fn(&[EnvChange]) -> Result<(), Error> + Send + Sync;

/// What only a smoke test needs.
pub struct SmokeStart {
    /// How long all dynos must stay up, and the words of the command.
    pub rules: SmokeRules,
    /// Keeps the last lines of each dyno.
    pub tails: Tails,
    /// Writes a mark into the log when a phase begins.
    pub phase_mark: Option<PhaseMark>,
}

/// Returns the text to write into the log when a phase begins. It consists of whole lines.
pub type PhaseMark = Box<dyn FnMut(SmokePhase) -> String>;

/// Runs a formation to its end.
///
/// # Errors
/// The system refused something that `dyno` itself needs: a thread, a socket or the event queue.
pub fn run(start: Start, guardian: Guardian) -> std::io::Result<Ending> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    // A task of its own: the future of the set itself would look at everything that it waits for whenever any task does
    // something, such as the router with each request.
    let ending = LocalSet::new().block_on(&tokio, async { spawn_local(run_to_end(start, guardian)).await });
    ending.map_err(std::io::Error::other)?
}

async fn run_to_end(mut start: Start, guardian: Guardian) -> std::io::Result<Ending> {
    let (caller, calls) = Calls::new();
    let archive = (start.api.is_some() || start.launch.is_some()).then(LogArchive::new);
    let launch = start.launch.take().zip(archive.clone());
    let api = start.api.take().zip(archive.clone());
    let api = match api {
        Some((api, archive)) => {
            let watched = start.plan.blueprint.release().watch.types.clone();
            Some(serve(api, watched, caller.clone(), archive).await?)
        }
        None => None,
    };
    let stream = match (&start.smoke, &launch) {
        (Some(_), _) => LogStream::Stderr,
        (None, Some(_)) => LogStream::Nowhere,
        (None, None) => LogStream::Stdout,
    };
    let launching = match launch {
        Some((launch, archive)) => Some((launch.begin(caller)?, archive)),
        None => None,
    };
    let mut runtime = Runtime::new(start, stream, guardian, calls, archive)?;
    let finished = runtime.until_finished().await;
    let last = runtime.supervisor.snapshot();
    let mut ending = runtime.end(finished).await;
    if let Some((launching, archive)) = launching {
        ending.stopped_launch = launching.finish(&archive).await;
    }
    if let Some(server) = api {
        server.finish().await;
        server.leave_summary(&last, &ending);
    }
    Ok(ending)
}

/// Answers the clients of the API, and watches files, until the run ends. `watched`: the process types that the first
/// release restarts.
async fn serve(
    mut api: ApiStart,
    watched: WatchedTypes,
    calls: ApiCaller,
    archive: LogArchive,
) -> std::io::Result<Rc<ApiServer>> {
    let listener = UnixListener::from_std(api.registered.listener()?)?;
    let tcp = api.tcp.take().map(TcpListener::from_std).transpose()?;
    let (on_change, sources) = (api.on_change, api.sources_watch.take());
    let server = ApiServer::new(api, calls, archive);
    spawn_local(Rc::clone(&server).serve(listener, tcp));
    if let Some(on_change) = on_change {
        let watch = server.begin_to_watch(on_change).await;
        spawn_local(Rc::clone(&server).watch_files(watch));
    }
    if let Some(sources) = sources {
        let read = server.files.borrow().paths();
        let sources = sources.begin(watched, read).await;
        spawn_local(Rc::clone(&server).watch_sources(sources));
    }
    Ok(server)
}
