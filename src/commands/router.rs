//! `dyno router`: the front door, one port for all apps of this user (S16.7).

use core::net::Ipv4Addr;
use std::sync::Arc;

use crate::app::url_of_port;
use crate::cli::FrontDoorArgs;
use crate::client::routed_apps;
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::guardian::{CallerLink, Detached, Limits, detach, fork_failure, reset_signal};
use crate::project::reason;
use crate::runtime::{self, FrontDoorName, FrontDoorStart};
use crate::supervisor::Outcome;

use super::start::router::ListenFailure;
use super::start::{detached, router as sockets};

/// `dyno router`.
pub(super) fn run(args: &FrontDoorArgs) -> Result<Outcome, Error> {
    if args.stop {
        runtime::unblock_all();
        return stop(args.port);
    }
    if !args.detach {
        runtime::unblock_all();
        return serve(args.port, None);
    }
    match detach().map_err(|errno| internal("start a process in the background", fork_failure(errno)))? {
        Detached::Caller(caller) => detached::wait(caller),
        Detached::Start(link) => {
            runtime::unblock_all();
            // So that the directory can be removed.
            let _ = std::env::set_current_dir("/");
            serve(args.port, Some(link))
        }
    }
}

/// Serves until a signal ends this process: nothing has to be put away then. `link`: a caller waits until it listens.
fn serve(port: u16, link: Option<CallerLink>) -> Result<Outcome, Error> {
    // A shell ignores it for commands in the background, but it ends us like any `dyno`.
    reset_signal(libc::SIGINT);
    // As many connections as the system allows. Without it there are fewer.
    let _ = Limits::raise();
    let listeners = sockets::listen(port, &[]).map_err(|failure| refused(&failure))?;
    let at = (Ipv4Addr::LOCALHOST, port).into();
    let _name = FrontDoorName::take(port).map_err(|error| refused(&ListenFailure { at, error }))?;
    let url = url_of_port(port).replace("127.0.0.1", "localhost");
    if let Some(link) = link {
        let goes_on = link.let_caller_return(&url).map_err(|errno| internal("let the caller return", errno.desc()))?;
        if !goes_on {
            return Ok(Outcome::Code(Status::Internal.code()));
        }
    } else {
        let shown = stdout::write(&format!("{url}\n"))?;
        if shown != Outcome::Code(0) {
            return Ok(shown);
        }
    }
    let start = FrontDoorStart { listeners, list: Arc::new(move || routed_apps(port)) };
    match runtime::run_front_door(start) {
        Ok(never) => match never {},
        Err(error) => Err(internal("begin to listen", reason(&error))),
    }
}

fn stop(port: u16) -> Result<Outcome, Error> {
    match FrontDoorName::stop(port) {
        Ok(Some(_)) => Ok(Outcome::Code(0)),
        Ok(None) => {
            let fact = format!("no `dyno router` is running on port {port}");
            Err(Error::new(Status::Unavailable, fact, format!("`dyno router --detach --port {port}` starts one")))
        }
        Err(error) => Err(internal("stop `dyno router`", reason(&error))),
    }
}

/// Why it cannot listen.
fn refused(failure: &ListenFailure) -> Error {
    let port = failure.at.port();
    if let Some(pid) = FrontDoorName::holder(port) {
        let fact = format!("`dyno router` is already running on port {port} (pid {pid})");
        let hint = format!("it serves all of your apps; `dyno router --stop --port {port}` stops it");
        return Error::new(Status::Unavailable, fact, hint);
    }
    sockets::refused(failure, &format!("--port {}", if port == 4900 { 4901 } else { 4900 }))
}

fn internal(what: &str, why: &str) -> Error {
    Error::new(Status::Internal, format!("cannot {what}: {why}"), "")
}
