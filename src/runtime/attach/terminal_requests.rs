//! Answers requests about the terminal of a dyno (S10.5). Only on the unix socket: what is typed there may be a password.

use std::rc::Rc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use hyper::{Response, StatusCode};

use super::attach_session::AttachSession;
use super::attached_terminal::AttachedTerminal;
use super::dyno_terminal::{AttachWish, DynoTerminal, Occupied};
use super::terminal_calls::NoTerminal;
use crate::api::{ApiAnswer, ApiError, AttachRequest, ScreenResource};
use crate::model::DynoName;
use crate::runtime::api_server::{ApiServer, ClientSession, Connection, MAX_WAITING};
use crate::runtime::api_service::text;
use crate::runtime::calls::ApiCall;
use crate::runtime::log_body::ApiBody;
use crate::supervisor::Refusal;

/// The protocol after the HTTP exchange.
pub(in crate::runtime) const TERMINAL_PROTOCOL: &str = "dyno-terminal";

impl ApiServer {
    /// The last screenful of a dyno.
    pub(in crate::runtime) async fn see_screen(
        &self,
        dyno: &DynoName,
        connection: &Connection,
    ) -> Result<ApiAnswer, ApiError> {
        let terminal = self.terminal(dyno, connection).await?;
        Ok(ApiAnswer::ok(&ScreenResource::new(dyno, terminal.text())))
    }

    /// Attaches a client: its connection carries frames after this answer.
    pub(in crate::runtime) async fn attach(
        &self,
        dyno: DynoName,
        request: AttachRequest,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<Response<ApiBody>, ApiError> {
        let terminal = self.terminal(&dyno, connection).await?;
        if text(headers, UPGRADE.as_str()) != Some(TERMINAL_PROTOCOL) {
            let hint = format!("send the header `Upgrade: {TERMINAL_PROTOCOL}`; `dyno attach {dyno}` does");
            return Err(ApiError::invalid_params("this path is not for plain HTTP").with_hint(hint));
        }
        if self.count_waiting() >= MAX_WAITING {
            return Err(ApiError::unavailable(format!("{MAX_WAITING} clients are waiting already")));
        }
        let (pid, size) = (connection.socket.peer_pid(), request.size());
        let wish = AttachWish { pid, types: !request.read_only, takes: request.take, size };
        let attached =
            AttachedTerminal::attach(&terminal, wish, self.calls.clone()).map_err(|by| occupied(&dyno, by))?;
        // What comes first is drawn for its terminal.
        attached.fit().await;
        let session = AttachSession::new(dyno, attached, Rc::clone(&self.taken));
        connection.session.replace(Some(ClientSession::Attach(Box::new(session))));
        Ok(switched(TERMINAL_PROTOCOL))
    }

    async fn terminal(&self, dyno: &DynoName, connection: &Connection) -> Result<Rc<DynoTerminal>, ApiError> {
        if connection.socket.needs_key() {
            let message = "the terminal of a dyno is not available over TCP";
            return Err(ApiError::not_found(message).with_hint(format!("`dyno attach {dyno}` reaches it")));
        }
        let terminal = self.ask(|answer| ApiCall::Terminal(dyno.clone(), answer)).await?;
        terminal.map_err(|why| match why {
            NoTerminal::Unknown(known) => {
                ApiError::of_refusal(&Refusal::UnknownDyno { name: dyno.clone(), known }, false)
            }
            NoTerminal::Pipe => ApiError::conflict(format!("{dyno} has no terminal: its output is a pipe"))
                .with_hint("start the app with `--pty always`"),
            NoTerminal::OfClient => {
                ApiError::conflict(format!("{dyno} is attached to the program that started it, such as `heroku run`"))
                    .with_hint("its output is shown only there")
            }
        })
    }
}

/// The answer after which the connection carries another protocol.
pub(in crate::runtime) fn switched(protocol: &'static str) -> Response<ApiBody> {
    let mut response = Response::new(ApiBody::Whole(Full::new(Bytes::new())));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    response
}

fn occupied(dyno: &DynoName, by: Occupied) -> ApiError {
    let by = by.pid.map_or_else(|| "another client".to_owned(), |pid| format!("`dyno attach` (pid {pid})"));
    let hint = "add `--take` to take the keyboard from it, or `--read-only` to watch";
    ApiError::conflict(format!("{by} already types into {dyno}")).with_hint(hint)
}
