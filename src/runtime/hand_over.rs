//! The side of a start when the front door hands a connection over (S16.7): after an HTTP exchange on the unix socket comes the
//! descriptor of the connection, with what was read of it. The router of the start then serves it like one that it has
//! accepted itself.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use hyper::Response;
use hyper::header::{HeaderMap, UPGRADE};
use tokio::io::Interest;
use tokio::time::timeout;

use super::api_server::{ClientSession, Connection};
use super::api_service::text;
use super::attach::terminal_requests::switched;
use super::calls::{ApiCall, ApiCaller, ask};
use super::client_socket::ClientSocket;
use super::log_body::ApiBody;
use super::router::Router;
use super::run_loop::Runtime;
use crate::api::ApiError;
use crate::guardian::receive_header;
use crate::supervisor::Event;

/// The protocol after the HTTP exchange: how many bytes were read, with the descriptor; these bytes; then the start sends
/// [`TAKEN`] or [`REFUSED`].
pub(super) const HAND_OVER_PROTOCOL: &str = "dyno-connection";
/// The start serves the connection from now on.
pub(super) const TAKEN: u8 = b'+';
/// The start has too many connections.
pub(super) const REFUSED: u8 = b'-';
/// The bytes of a length.
pub(super) const LENGTH_BYTES: usize = 4;
/// The most bytes that the front door reads of a connection.
pub(super) const MOST_FIRST_BYTES: usize = 256 << 10;
/// How long the front door may take to send all this.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

/// Answers a request after which a connection is received.
pub(super) fn hand_over(headers: &HeaderMap, connection: &Connection) -> Result<Response<ApiBody>, ApiError> {
    if connection.socket.needs_key() {
        return Err(ApiError::not_found("connections cannot be handed over on a TCP connection"));
    }
    if text(headers, UPGRADE.as_str()) != Some(HAND_OVER_PROTOCOL) {
        let hint = format!("send the header `Upgrade: {HAND_OVER_PROTOCOL}`; `dyno router` does");
        return Err(ApiError::invalid_params("this path is not for plain HTTP").with_hint(hint));
    }
    connection.session.replace(Some(ClientSession::HandOver));
    Ok(switched(HAND_OVER_PROTOCOL))
}

/// Receives one connection and passes it on to the run loop.
pub(super) async fn receive_connection(socket: &ClientSocket, calls: &ApiCaller) {
    let Ok(Ok((connection, first))) = timeout(ARRIVES_WITHIN, receive(socket)).await else { return };
    let taken = ask(calls, |answer| ApiCall::TakeOver { socket: connection, first, answer }).await;
    // Without an answer, everything has ended. There is room for one byte.
    if let Some(taken) = taken {
        let _ = socket.try_write(&[if taken { TAKEN } else { REFUSED }]);
    }
}

async fn receive(socket: &ClientSocket) -> io::Result<(TcpStream, Vec<u8>)> {
    let ClientSocket::Unix(unix) = socket else { return Err(ErrorKind::Unsupported.into()) };
    let (mut length, mut fds) = ([0; LENGTH_BYTES], Vec::<OwnedFd>::new());
    let count = unix.async_io(Interest::READABLE, || Ok(receive_header(unix.as_fd(), &mut length, &mut fds)?)).await?;
    let length = u32::from_le_bytes(length) as usize;
    let connection = fds.pop().filter(|_| count == LENGTH_BYTES && length <= MOST_FIRST_BYTES);
    let connection = TcpStream::from(connection.ok_or(ErrorKind::InvalidData)?);
    let mut first = vec![0; length];
    let mut filled = 0;
    while filled < length {
        socket.readable().await?;
        match socket.try_read(first.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok((connection, first))
}

impl Runtime {
    /// Serves a connection that the front door has accepted. The router begins with the first one. False: it cannot be served.
    pub(super) fn take_over(&mut self, socket: TcpStream, first: Vec<u8>) -> bool {
        let Some(router) = self.router() else { return false };
        router.take_over(socket, first).is_ok()
    }

    fn router(&mut self) -> Option<Rc<Router>> {
        if let Some(router) = &self.router {
            return Some(Rc::clone(router));
        }
        let later = self.router_later.take()?;
        let drain = later.drain();
        let router = later.begin(self.hub.clone()).ok()?;
        router.publish(self.supervisor.snapshot());
        self.events.push_back(Event::Routed { drain });
        self.router = Some(Rc::clone(&router));
        Some(router)
    }
}
