//! Where the client of an attached one-off dyno is met (S17.3): a port of its own, which is open until a client has shown the
//! secret in the address, at most for [`ATTACHES_WITHIN`].

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::client_presence::ClientPresence;
use super::tls::{ClientTls, TlsIdentity};
use crate::api::ApiError;
use crate::runtime::identity;

/// How long a client may take to connect. It does so right after it has the address.
pub(in crate::runtime) const ATTACHES_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may take to show the secret.
const SHOWS_WITHIN: Duration = Duration::from_secs(5);

/// The most connections that have not shown the secret. One more replaces the oldest.
const MAX_STRANGERS: usize = 32;

/// The pause after the system has refused a connection, for example because too many files are open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// A client that has shown the secret.
pub(in crate::runtime) struct MetClient {
    pub(in crate::runtime) tls: ClientTls,
    pub(in crate::runtime) presence: ClientPresence,
}

/// The place for one client.
pub(in crate::runtime) struct Rendezvous {
    listener: TcpListener,
    identity: Rc<TlsIdentity>,
    secret: String,
    /// Its address for the client.
    pub(in crate::runtime) url: String,
}

impl Rendezvous {
    /// # Errors
    /// 503: the system refused the port, or has no random bytes.
    pub(in crate::runtime) async fn open(identity: Rc<TlsIdentity>) -> Result<Self, ApiError> {
        let refused = |error: io::Error| {
            let reason = crate::project::reason(&error);
            ApiError::unavailable(format!("cannot open a port for the client of a one-off dyno: {reason}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(refused)?;
        let port = listener.local_addr().map_err(refused)?.port();
        let secret = identity::random_hex()
            .map_err(|_| ApiError::unavailable("cannot get random bytes for the client of a one-off dyno"))?;
        let url = format!("rendezvous://127.0.0.1:{port}/{secret}");
        Ok(Self { listener, identity, secret, url })
    }

    /// The client that has shown the secret. None: none has come in time. The port is closed in both cases.
    pub(in crate::runtime) async fn client(self) -> Option<MetClient> {
        timeout(ATTACHES_WITHIN, self.accept()).await.ok()
    }

    async fn accept(self) -> MetClient {
        let mut strangers = JoinSet::new();
        let mut oldest_first = VecDeque::<AbortHandle>::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        oldest_first.retain(|stranger| !stranger.is_finished());
                        if oldest_first.len() >= MAX_STRANGERS {
                            let _ = oldest_first.pop_front().map(|stranger| stranger.abort());
                        }
                        let shown = shown(Rc::clone(&self.identity), stream, self.secret.clone());
                        oldest_first.push_back(strangers.spawn_local(shown));
                        // Let earlier connections be read before another one is accepted.
                        yield_now().await;
                    }
                    Err(_) => sleep(AFTER_REFUSAL).await,
                },
                Some(shown) = strangers.join_next() => if let Ok(Some(client)) = shown {
                    return client;
                },
            }
        }
    }
}

/// The connection, if it shows the secret.
async fn shown(identity: Rc<TlsIdentity>, stream: TcpStream, secret: String) -> Option<MetClient> {
    let read = async {
        // Each key is a packet.
        let _ = stream.set_nodelay(true);
        let presence = ClientPresence::of(&stream).ok()?;
        let mut tls = identity.accept(stream).await.ok()?;
        let mut sent = vec![0; secret.len()];
        tls.read_exact(&mut sent).await.ok()?;
        let is_right: bool = sent.as_slice().ct_eq(secret.as_bytes()).into();
        is_right.then_some(MetClient { tls, presence })
    };
    timeout(SHOWS_WITHIN, read).await.ok().flatten()
}
