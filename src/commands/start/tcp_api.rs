//! The API over TCP, for `--api` (S17.3).

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::api::TcpAccess;
use crate::console::diagnostics::print_line;
use crate::error::{Error, Status};
use crate::project::reason;
use crate::runtime::identity::session;
use crate::runtime::{self, ApiStart};

/// A socket that listens, and the key of this start.
pub(super) struct TcpApi {
    listener: TcpListener,
    access: TcpAccess,
}

impl TcpApi {
    /// Listens on this port. Call it before ports are chosen for dynos, so that none of them gets this one.
    ///
    /// # Errors
    /// Status 69: the port cannot be used; 70: there are no random bytes.
    pub(super) fn listen(port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| refused(port, &error))?;
        listener.set_nonblocking(true).map_err(|error| refused(port, &error))?;
        Ok(Self { listener, access: TcpAccess { port, key: session()? } })
    }

    /// Adds it to a start, if there is one to add.
    ///
    /// # Errors
    /// Status 69: commands do not find the start, so none could print the key.
    pub(super) fn added(tcp: Option<Self>, api: Option<ApiStart>) -> Result<Option<ApiStart>, Error> {
        let Some(Self { listener, access }) = tcp else { return Ok(api) };
        let Some(mut api) = api else {
            let hint = "follow the hint above first, or leave out `--api`";
            let fact = "cannot serve the API over TCP, because `dyno env` would not find the app";
            return Err(Error::new(Status::Unavailable, fact, hint));
        };
        print_line(&format!(r#"API on {}; `eval "$(dyno env heroku)"` sets up the `heroku` CLI"#, access.url()));
        api.facts.tcp = Some(access);
        api.tcp = Some(listener);
        Ok(Some(api))
    }
}

fn refused(port: u16, error: &io::Error) -> Error {
    let hint = format!("stop that process, or choose another port: `--api {}`", port.saturating_add(1));
    if error.kind() == io::ErrorKind::PermissionDenied {
        let fact = format!("port {port} for the API needs the rights of root");
        return Error::new(Status::Unavailable, fact, "choose a port from 1024 on: `--api 5050`");
    }
    if error.kind() == io::ErrorKind::AddrInUse {
        let holder = runtime::port_holder(port);
        let by = holder.map_or_else(String::new, |holder| format!(" by `{}` (pid {})", holder.command, holder.pid));
        return Error::new(Status::Unavailable, format!("port {port} for the API is in use{by}"), hint);
    }
    Error::new(Status::Unavailable, format!("cannot use port {port} for the API: {}", reason(error)), hint)
}
