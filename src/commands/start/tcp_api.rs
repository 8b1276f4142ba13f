//! The API over TCP, for `--api` (S17.3).

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::api::TcpAccess;
use crate::console::diagnostics::{print_line, warn};
use crate::error::{Complaint, Error, Status};
use crate::project::reason;
use crate::runtime::identity::random_hex;
use crate::runtime::{self, ApiStart, TlsIdentity};

/// A socket that listens, or why it does not, and the key of this start.
pub(super) struct TcpApi {
    listener: io::Result<TcpListener>,
    access: TcpAccess,
}

impl TcpApi {
    /// Listens on this port. Called before ports are chosen for dynos, so that no dyno gets it.
    ///
    /// # Errors
    /// Status 70: there are no random bytes.
    pub(super) fn listen(port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        Ok(Self { listener, access: TcpAccess { port, key: random_hex()?, certificate: None } })
    }

    /// Adds the socket and the key to the start. Does nothing without `--api`.
    ///
    /// # Errors
    /// Status 69: the port cannot be used, or the start is not registered, so `dyno env` could not get the key.
    pub(super) fn added(tcp: Option<Self>, api: Option<ApiStart>) -> Result<Option<ApiStart>, Error> {
        let Some(Self { listener, mut access }) = tcp else { return Ok(api) };
        // Checked only now: if the app is already running, the start has to report that, not the port.
        let listener = listener.map_err(|error| refused(access.port, &error))?;
        let Some(mut api) = api else {
            let hint = "follow the hint above first, or leave out `--api`";
            let fact = "cannot serve the API over TCP, because `dyno env heroku` could not find this start";
            return Err(Error::new(Status::Unavailable, fact, hint));
        };
        print_line(&format!(r#"API at {}; type `eval "$(dyno env heroku)"` to use the `heroku` CLI"#, access.url()));
        // Without one, everything but attached one-off dynos works.
        if let Some(tls) = TlsIdentity::new() {
            match published(&api, &tls) {
                Ok(path) => {
                    access.certificate = Some(path);
                    api.tls = Some(tls);
                }
                Err(why) => {
                    let fact = format!("`heroku run` is not available, only `heroku run:detached`: {why}");
                    warn(&Complaint::new(fact, "set `XDG_RUNTIME_DIR` to another directory that you own"));
                }
            }
        }
        api.facts.tcp = Some(access);
        api.tcp = Some(listener);
        Ok(Some(api))
    }
}

/// Writes the certificate and returns its path, or why no client could trust it.
fn published(api: &ApiStart, tls: &TlsIdentity) -> Result<String, String> {
    let path = api.registered.publish(tls.certificate());
    let path = path.map_err(|error| format!("the certificate cannot be written: {}", reason(&error)))?;
    path.to_str().map(str::to_owned).ok_or_else(|| format!("the path `{}` is not UTF-8", path.display()))
}

fn refused(port: u16, error: &io::Error) -> Error {
    let other = format!("choose another port: `--api {}`", if port < u16::MAX { port + 1 } else { 5050 });
    if error.kind() == io::ErrorKind::PermissionDenied {
        let fact = format!("only root can use port {port} for the API");
        return Error::new(Status::Unavailable, fact, "use a port above 1023: `--api 5050`");
    }
    if error.kind() == io::ErrorKind::AddrInUse {
        let fact = format!("port {port} for the API is in use");
        return match runtime::port_holder(port) {
            Some(holder) => {
                let fact = format!("{fact} by `{}` (pid {})", holder.command, holder.pid);
                Error::new(Status::Unavailable, fact, format!("stop that process, or {other}"))
            }
            None => Error::new(Status::Unavailable, fact, other),
        };
    }
    Error::new(Status::Unavailable, format!("cannot use port {port} for the API: {}", reason(error)), other)
}
