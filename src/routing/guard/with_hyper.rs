//! The HTTP library finds the same requests and bodies in what a guard lets pass.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;

use super::random::{piece, reference, request};
use super::*;

/// A client that has sent all its bytes and closed its side. It takes all answers.
struct Sent(Vec<u8>);

impl Read for Sent {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut out: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let count = out.remaining().min(self.0.len());
        out.put_slice(&self.0[..count]);
        self.0.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Sent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The bodies of the requests that the HTTP library reads whole from these bytes.
fn bodies(stream: &[u8]) -> Vec<Vec<u8>> {
    let bodies: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let service = service_fn(|request: Request<Incoming>| {
        let bodies = Rc::clone(&bodies);
        async move {
            if let Ok(body) = request.into_body().collect().await {
                bodies.borrow_mut().push(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let limits = HeadLimits::new(false);
    let mut server = http1::Builder::new();
    server.max_headers(limits.headers()).max_buf_size(2 * limits.head_bytes()).half_close(true);
    let mut connection = pin!(server.serve_connection(Sent(stream.to_vec()), service));
    let mut context = Context::from_waker(Waker::noop());
    // Nothing that it waits for comes from outside.
    for _ in 0..10_000 {
        if connection.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    bodies.take()
}

/// The bodies that a simple reading finds in what a guard lets pass of these bytes. None: the guard refuses some.
fn expected(stream: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut guard = RequestGuard::new(HeadLimits::new(false));
    guard.feed(stream).refusal.is_none().then(|| reference(stream).into_iter().map(|(_, body)| body).collect())
}

proptest! {
    #[test]
    fn s16_6_hyper_finds_the_same_bodies_in_well_formed_requests(requests in vec(request(), 1..6)) {
        let stream = requests.concat();
        prop_assert_eq!(Some(bodies(&stream)), expected(&stream));
    }

    #[test]
    fn s16_6_hyper_finds_the_same_bodies_in_whatever_passes(pieces in vec(prop_oneof![piece(), request()], 0..14)) {
        let stream = pieces.concat();
        if let Some(expected) = expected(&stream) {
            prop_assert_eq!(bodies(&stream), expected);
        }
    }
}

#[test]
fn s16_6_hyper_finds_the_same_bodies_at_the_edges() {
    let post = |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}");
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    for stream in [
        post("Content-Length: 3\r\nContent-Length: 03\r\n", "abc"),
        post("Content-Length:\t3 \r\n", "abc"),
        post("Transfer-Encoding: \tCHUNKED\t\r\n", "1\r\nx\r\n0\r\n\r\n"),
        chunked("0000000000000001\r\nx\r\n0\r\n\r\n"),
        chunked("A ;a=\"b;c\"\r\n0123456789\r\n000;x\r\nX-Sum: 1\r\n\r\n"),
        chunked(&format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(8191))),
        chunked(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(64))),
        chunked(&format!("0\r\nX: {}\r\n\r\n", "y".repeat(8180))),
        post(&"X: y\r\n".repeat(999), ""),
        post(&format!("Cookie: {}\r\n", "c".repeat(65_490)), ""),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(65_490)),
        format!("\r\n\r\n{}\r\n\r\n{}", post("", ""), post("Content-Length: 1\r\n", "x")),
        "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /\u{e9}\"{}?\u{e9}`|^\\ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        post("X:\r\nY:: :\r\nx_y-z.1!#$%&'*+^`|~: a\t b \u{e9} \r\n", ""),
    ] {
        let stream = stream + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlast";
        let bodies = bodies(stream.as_bytes());
        assert_eq!(Some(&bodies), expected(stream.as_bytes()).as_ref(), "{stream:.200}");
        assert_eq!(bodies.last().map(Vec::as_slice), Some(&b"last"[..]), "{stream:.200}");
    }
}
