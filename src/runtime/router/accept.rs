//! Accepts clients, as many as the system has room for, and carries each connection to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::super::client_socket::discard_rest;
use super::Router;
use super::answer::is_of_peer;
use super::client::{ArrivedClient, ClientConnection, ClientEnd, IDLE_FOR};
use super::client_io::ClientIo;
use super::shortage::open_files;
use super::tunnel::{PendingTunnel, write_all};
use crate::routing::{HeadLimits, RequestGuard};

/// The most connections of clients (S16.6).
const MOST_CLIENTS: usize = 4096;
/// How many files we need besides the connections, each of which is one to a client and one to a dyno.
const OTHER_FILES: u64 = 256;
/// The pause after the system has refused a connection, for example because too many files are open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// How long a client may take to read a refusal, and to close the connection after an answer.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// What hyper may buffer of a client at least, and of an answer that the client does not take. With what it may buffer of a
/// dyno, and two reads on each side, that is less than 1 MiB (S16.6).
const LEAST_BUFFER: usize = 192 << 10;
/// How much more than a head hyper may buffer, so that the guard refuses a longer one first, with the right error.
const BESIDES_HEAD: usize = 16 << 10;

/// A client that is counted. Dropping it makes room for another.
struct Seated {
    router: Rc<Router>,
    client: Rc<ClientConnection>,
}

/// How a connection has gone on.
enum Spoken {
    /// No request has come for a while, and nothing is left to do.
    Rests,
    /// The client has closed it, or hyper has.
    Closed,
    /// We have to end it.
    Ended(ClientEnd),
    /// It is a tunnel from now on. With it, what the client has sent after its request.
    Switched(PendingTunnel, Vec<u8>),
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.router.clients.remove(&self.client);
        // It has the client, so neither would ever be dropped.
        drop(self.client.tunnel.take());
        self.router.has_room.notify_waiters();
    }
}

impl Router {
    /// Accepts clients and never returns.
    pub(super) async fn accept(self: Rc<Self>, listener: TcpListener) {
        loop {
            let has_room = self.has_room.notified();
            // Asked each time, because the limit of a process that runs can change.
            let most = most_clients();
            if self.clients.len() >= most {
                self.note_full(most);
                has_room.await;
                continue;
            }
            if self.lacks_files(&listener) {
                let _ = timeout(AFTER_REFUSAL, has_room).await;
                continue;
            }
            match listener.accept().await {
                Ok((socket, address)) => {
                    self.note_file(&socket);
                    let arrival = ArrivedClient { socket, address, first: Vec::new(), front_door: None };
                    self.connections.borrow_mut().spawn_local(Rc::clone(&self).serve(arrival));
                    self.has_client.notify_one();
                    // Requests that have arrived are read before more clients are accepted.
                    yield_now().await;
                }
                Err(error) => {
                    // Otherwise the client has left.
                    if !is_of_peer(error.kind()) {
                        self.note_shortage(&error);
                    }
                    sleep(AFTER_REFUSAL).await;
                }
            }
        }
    }

    /// Takes over a connection that the front door has accepted.
    ///
    /// # Errors
    /// There are too many clients, or it is not a connection over TCP.
    pub(in crate::runtime) fn take_over(
        self: &Rc<Self>,
        socket: std::net::TcpStream,
        first: Vec<u8>,
    ) -> io::Result<()> {
        if self.clients.len() >= most_clients() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        socket.set_nonblocking(true)?;
        let (address, front_door) = (socket.peer_addr()?, Some(socket.local_addr()?.port()));
        let arrival = ArrivedClient { socket: TcpStream::from_std(socket)?, address, first, front_door };
        self.connections.borrow_mut().spawn_local(Rc::clone(self).serve(arrival));
        self.has_client.notify_one();
        Ok(())
    }

    /// Frees the memory of connections that are over and never returns.
    pub(super) async fn forget_ended(self: Rc<Self>) {
        loop {
            while poll_fn(|cx| self.connections.borrow_mut().poll_join_next(cx)).await.is_some() {}
            self.has_client.notified().await;
        }
    }

    async fn serve(self: Rc<Self>, arrival: ArrivedClient) {
        // The end of an answer must not wait for an acknowledgement.
        let _ = arrival.socket.set_nodelay(true);
        let guard = RequestGuard::new(self.head_limits());
        let client = Rc::new(ClientConnection::new(arrival, Rc::clone(&self.scratch), guard));
        self.clients.add(&client);
        self.deadline.arm(tokio::time::Instant::now() + IDLE_FOR);
        let seated = Seated { router: Rc::clone(&self), client: Rc::clone(&client) };
        let end = self.carry(&client).await;
        // A tunnel that has not begun is over.
        drop(client.tunnel.take());
        if let Some(end) = end {
            // Boxed, so that a tunnel needs no memory for it.
            Box::pin(self.end(&client, end)).await;
        } else if client.has_unread.get() {
            let _ = Box::pin(timeout(LEAVES_WITHIN, discard_rest(&client.socket))).await;
        }
        drop(seated);
    }

    /// Carries a connection until the client closes it. Returns why we have to.
    async fn carry(self: &Rc<Self>, client: &Rc<ClientConnection>) -> Option<ClientEnd> {
        loop {
            // While nothing comes, hyper and its buffers are not needed.
            tokio::select! {
                biased;
                () = client.arrives() => {}
                end = client.ended() => return Some(end),
            }
            // Boxed, so that a tunnel does not keep its memory.
            match Box::pin(self.speak(client)).await {
                Spoken::Rests => {}
                Spoken::Closed => return None,
                Spoken::Ended(end) => return Some(end),
                Spoken::Switched(tunnel, first) => {
                    return tokio::select! {
                        () = tunnel.run(client, first) => None,
                        end = client.ended() => Some(end),
                    };
                }
            }
        }
    }

    /// Answers requests for as long as they come.
    async fn speak(self: &Rc<Self>, client: &Rc<ClientConnection>) -> Spoken {
        let service = service_fn(|request| {
            client.begin();
            let (router, client) = (Rc::clone(self), Rc::clone(client));
            async move { Ok::<_, Infallible>(router.answer(request, &client).await) }
        });
        let limits = self.head_limits();
        let mut connection = http1::Builder::new()
            .max_headers(limits.headers())
            .max_buf_size(LEAST_BUFFER.max(limits.head_bytes() + BESIDES_HEAD))
            .serve_connection(ClientIo::new(Rc::clone(client)), service);
        let finished = loop {
            // hyper is also done with a request that it does not read to its end. That all of the answer is written first, only
            // a shutdown ensures, and for a tunnel this loop.
            let finished = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
                Poll::Ready(Ok(())) if client.has_unwritten() => Poll::Pending,
                finished @ (Poll::Ready(_) | Poll::Pending) => finished,
            });
            tokio::select! {
                biased;
                finished = finished => break finished,
                end = client.ended() => match end {
                    ClientEnd::Resting if client.rest() => return Spoken::Rests,
                    // A request has come after all.
                    ClientEnd::Resting => {}
                    ClientEnd::Refused(_) | ClientEnd::SlowHead | ClientEnd::Idle | ClientEnd::Cut => {
                        return Spoken::Ended(end);
                    }
                },
            }
        };
        if let Err(error) = &finished
            && error.is_parse()
        {
            // hyper has answered it.
            self.note_unserved(client, 400, 0);
        }
        // With another error, the client has gone.
        let (Ok(()), Some(tunnel)) = (finished, client.tunnel.take()) else { return Spoken::Closed };
        let parts = connection.into_parts();
        // A copy, so that the buffer of hyper is free.
        let first = [&parts.read_buf[..], &client.take_first()].concat();
        Spoken::Switched(tunnel, first)
    }

    fn head_limits(&self) -> HeadLimits {
        HeadLimits::new(self.rules.is_platform)
    }

    /// Ends a connection.
    async fn end(&self, client: &ClientConnection, end: ClientEnd) {
        let answer = match end {
            // It would look like a part of the answer before.
            ClientEnd::Refused(_) | ClientEnd::SlowHead if client.has_unwritten() => return,
            ClientEnd::Refused(_) if client.is_answering.get() && client.body_fault().is_some() => return,
            ClientEnd::Refused(rejection) => self.rejected(client, rejection),
            ClientEnd::SlowHead => {
                self.note_unserved(client, 408, 0);
                b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec()
            }
            ClientEnd::Idle | ClientEnd::Resting | ClientEnd::Cut => return,
        };
        let leave = async {
            let _ = client.end_interim().await;
            let _ = write_all(&client.socket, &answer).await;
            discard_rest(&client.socket).await;
        };
        let _ = timeout(LEAVES_WITHIN, leave).await;
    }
}

/// How many clients there may be.
pub(in crate::runtime) fn most_clients() -> usize {
    usize::try_from(open_files().saturating_sub(OTHER_FILES) / 2).unwrap_or(usize::MAX).clamp(1, MOST_CLIENTS)
}
