//! The first phase of a detached start: its caller waits until all dynos are up (S10.6).
//!
//! It uses the run loop like a request to the API: it waits for a snapshot in which all dynos are up, then closes the
//! descriptors of the caller and lets it return. If that fails, or the caller dies first, everything is stopped. Not
//! here: when dynos are up (`api::WaitCondition`), and how the two processes were split (`guardian::detach`).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::calls::{ApiCall, ApiCaller, ask, wait};
use super::direct_output::write_diagnostics;
use super::listening::ListeningSockets;
use super::log_archive::LogArchive;
use super::ports::ports_of_dyno;
use crate::api::{SILENT_FOR, WaitAnswer, WaitCondition, WaitResult, WaitUntil};
use crate::error::Status;
use crate::guardian::{BorrowedStreams, CallerEnd, CallerLink, END_OF_NEWS};
use crate::supervisor::Command;

/// How many of its last lines are shown if a dyno has failed.
const SHOWN_LINES: usize = 20;

/// What `dyno why` says if the caller died before the dynos were up.
const CALLER_KILLED: &str = "`dyno start --detach` was killed before the app was up";
/// What it says if the caller died later.
const CALLER_FAILED: &str = "`dyno start --detach` was killed or could not print the address";

/// A start whose caller returns once all dynos are up.
pub struct DetachedLaunch {
    /// The connection to the caller.
    pub link: CallerLink,
    /// How long the caller waits, in seconds.
    pub seconds: u64,
    /// The address of the app, which the caller prints. Empty: the app has none.
    pub url: String,
}

/// Why a detached start is not up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedLaunch {
    /// The reason.
    pub message: String,
    /// The exit status.
    pub status: u8,
    /// The dyno that has failed. None: no single dyno is the reason.
    pub dyno: Option<String>,
    /// Its last lines.
    pub last_lines: Vec<String>,
}

/// Why a detached start was stopped before its caller has returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoppedLaunch {
    /// Not all dynos were up.
    Failed(FailedLaunch),
    /// The caller is gone.
    Abandoned(&'static str),
}

/// The launch while the run loop runs.
pub(super) struct Launching(JoinHandle<Option<StoppedLaunch>>);

impl DetachedLaunch {
    /// Begins to wait for the dynos.
    ///
    /// # Errors
    /// Too many files are open, or `/dev/null` is missing.
    pub(super) fn begin(self, calls: ApiCaller) -> io::Result<Launching> {
        let (socket, caller_end, streams) = self.link.watched()?;
        socket.set_nonblocking(true)?;
        let task = LaunchTask { caller: UnixStream::from_std(socket)?, caller_end, calls, seconds: self.seconds };
        Ok(Launching(tokio::task::spawn_local(task.run(streams, self.url))))
    }
}

impl Launching {
    /// Why it was stopped. Call it when the run loop has ended and the archive is complete.
    pub(super) async fn finish(self, archive: &LogArchive) -> Option<StoppedLaunch> {
        let mut stopped = self.0.await.ok().flatten()?;
        if let StoppedLaunch::Failed(FailedLaunch { dyno: Some(dyno), last_lines, .. }) = &mut stopped {
            *last_lines = archive.last_lines(dyno, SHOWN_LINES);
        }
        Some(stopped)
    }
}

struct LaunchTask {
    caller: UnixStream,
    caller_end: CallerEnd,
    calls: ApiCaller,
    seconds: u64,
}

impl LaunchTask {
    async fn run(mut self, streams: BorrowedStreams, url: String) -> Option<StoppedLaunch> {
        let answer = tokio::select! {
            answer = answer(&self.calls, self.seconds) => answer?,
            () = gone(&mut self.caller) => {
                stop_everything(&self.calls).await;
                return Some(StoppedLaunch::Abandoned(CALLER_KILLED));
            }
        };
        if answer.result == WaitResult::Up {
            let is_over = self.let_caller_return(streams, &ListeningSockets::default().answering_url(url)).await;
            return (!is_over).then_some(StoppedLaunch::Abandoned(CALLER_FAILED));
        }
        let found = answer.pid.and_then(|pid| ports_of_dyno(pid).first().copied());
        let failed = FailedLaunch {
            message: answer.failure(WaitUntil::Up, self.seconds, found),
            status: answer.failed_status().unwrap_or(Status::NotUp.code()),
            dyno: answer.dyno,
            last_lines: Vec::new(),
        };
        stop_everything(&self.calls).await;
        Some(StoppedLaunch::Failed(failed))
    }

    /// Gives back what belongs to the caller and tells it that all dynos are up. The start goes on alone only if the
    /// caller then returns. If it does not, everything is stopped, and the result is false.
    async fn let_caller_return(mut self, streams: BorrowedStreams, url: &str) -> bool {
        // The run has ended meanwhile. Its status explains more.
        if self.calls.is_closed() {
            return true;
        }
        let news = [url.as_bytes(), &[END_OF_NEWS]].concat();
        let returns = async {
            streams.give_back().map_err(io::Error::from)?;
            self.caller.write_all(&news).await?;
            gone(&mut self.caller).await;
            io::Result::Ok(self.caller_end.is_return())
        };
        let has_returned = tokio::select! {
            returned = returns => returned.unwrap_or(false),
            () = self.calls.closed() => return true,
        };
        if !has_returned {
            stop_everything(&self.calls).await;
        }
        has_returned
    }
}

async fn stop_everything(calls: &ApiCaller) {
    // If there is no answer, everything has ended already.
    let _ = ask(calls, |answer| ApiCall::Command(Command::Shutdown { after: None }, answer)).await;
}

/// Waits for all dynos. If that takes long, a line says which ones are missing. None: everything has ended.
async fn answer(calls: &ApiCaller, seconds: u64) -> Option<WaitAnswer> {
    let limit = Duration::from_secs(seconds);
    let silent = limit.min(SILENT_FOR);
    let mut answer = wait(calls, WaitCondition::all_up(), silent).await?;
    if answer.result == WaitResult::Late && limit > silent {
        write_diagnostics(format!("waiting for {}\n", answer.missing(WaitUntil::Up)).as_bytes());
        answer = wait(calls, WaitCondition::all_up(), limit.saturating_sub(silent)).await?;
    }
    Some(answer)
}

/// Waits until the caller is gone. It never writes to the socket.
async fn gone(caller: &mut UnixStream) {
    while caller.read_u8().await.is_ok() {}
}
