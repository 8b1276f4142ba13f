//! How much of what is sent waits in the router if no one takes it: at most 1 MiB for each connection (S16.6).

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use nix::sys::socket::{setsockopt, sockopt};

use crate::app::free_base;
use crate::checkouts::end;
use crate::harness::{App, Running};
use crate::process_table;

/// How many connections are filled at the same time.
const CONNECTIONS: usize = 3;
const MOST_KIB_EACH: u64 = 1024;
/// No one sends more than this: interim answers that no one takes are left out, so there is always room for more.
const MOST_SENT: usize = 8 << 20;
/// Everyone has sent more than this when all is full.
const LEAST_SENT: usize = 256 << 10;
const TUNNELS: u64 = 32;
/// A fourth of the head of the request.
const MOST_KIB_OF_A_TUNNEL: u64 = 15;
/// Nothing more is taken if nothing was in so many attempts in a row.
const ATTEMPTS: usize = 100;

/// One end of a connection, which only writes.
struct Flood {
    socket: TcpStream,
    /// What is sent first, and then again and again.
    first: Vec<u8>,
    again: Vec<u8>,
    /// How many bytes were taken.
    sent: usize,
}

impl Flood {
    fn new(socket: TcpStream, first: Vec<u8>, again: Vec<u8>) -> Self {
        // What waits in the sockets of the test is of no interest.
        setsockopt(&socket, sockopt::SndBuf, &4096).unwrap();
        setsockopt(&socket, sockopt::RcvBuf, &4096).unwrap();
        socket.set_nonblocking(true).unwrap();
        // Each small piece would wait for the acknowledgement of the one before.
        socket.set_nodelay(true).unwrap();
        Self { socket, first, again, sent: 0 }
    }

    /// Writes until nothing more is taken. Whether something was.
    fn pump(&mut self) -> bool {
        let before = self.sent;
        while self.sent < MOST_SENT {
            let bytes = match self.first.get(self.sent..) {
                Some(rest) if !rest.is_empty() => rest,
                _ => &self.again[(self.sent - self.first.len()) % self.again.len()..],
            };
            match self.socket.write(bytes) {
                Ok(count) => self.sent += count,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "after {} bytes", self.sent);
                    break;
                }
            }
        }
        self.sent > before
    }
}

/// An app with a router on this port, whose dyno is the test.
fn routed() -> (App, Running, u16, TcpListener) {
    let (app, port) = (App::new("web: exec sleep 1000\n"), free_base());
    let running = app.dyno(["start", "--router", "-p", &port.to_string()]).spawn();
    running.until_shown("web.1  | started with pid ");
    let listener = TcpListener::bind(("127.0.0.1", port + 100)).unwrap();
    running.until("the router listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (app, running, port, listener)
}

/// Fills connections from both sides: no one reads more than a head. `answer`: what each dyno sends first, and then.
fn kib_each(answer: (&str, &str)) -> u64 {
    let (_app, running, port, listener) = routed();
    let upload = format!("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 1_u64 << 40);
    let mut floods = Vec::new();
    let mut before = 0;
    for number in 0..=CONNECTIONS {
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut client = Flood::new(client, upload.clone().into_bytes(), vec![b'x'; 65536]);
        client.pump();
        let (mut dyno, _) = listener.accept().unwrap();
        read_head(&mut dyno);
        let mut dyno = Flood::new(dyno, answer.0.into(), answer.1.into());
        dyno.pump();
        floods.extend([client, dyno]);
        if number == 0 {
            // What the first one needs, others need not: code, and the buffers that all share.
            fill(&running, &mut floods);
            before = process_table::memory_kib(running.main(), "RssAnon");
        }
    }

    fill(&running, &mut floods);

    let used = process_table::memory_kib(running.main(), "RssAnon") - before;
    end(running);
    used / CONNECTIONS as u64
}

/// Until nothing more is taken.
fn fill(running: &Running, floods: &mut [Flood]) {
    let mut stuck = 0;
    running.until("all is full", || {
        while floods.iter_mut().map(Flood::pump).filter(|has_moved| *has_moved).count() > 0 {
            stuck = 0;
        }
        stuck += 1;
        stuck >= ATTEMPTS && floods.iter().all(|flood| flood.sent > LEAST_SENT)
    });
}

fn read_head(socket: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(socket.read(&mut byte).unwrap(), 1);
        head.push(byte[0]);
    }
}

#[test]
fn s16_6_at_most_1_mib_waits_for_a_slow_client_and_a_slow_dyno() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 40);

    let each = kib_each((&head, &"x".repeat(65536)));

    assert!(each <= MOST_KIB_EACH, "{each} KiB each");
}

#[test]
fn s16_6_at_most_1_mib_waits_if_interim_answers_have_no_end() {
    let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(180_000));

    let each = kib_each(("", &hint));

    assert!(each <= MOST_KIB_EACH, "{each} KiB each");
}

#[test]
fn s16_6_a_tunnel_keeps_nothing_of_the_head_of_its_request() {
    let (_app, running, port, listener) = routed();
    let cookie = "x".repeat(60 << 10);
    // What the line of the log is about.
    let logged = "Host: localhost\r\nX-Request-Id: 01234567890123456789\r\nX-Forwarded-For: 1.2.3.4\r\n";
    let head = format!("GET / HTTP/1.1\r\n{logged}Connection: upgrade\r\nUpgrade: x\r\nCookie: {cookie}\r\n\r\n");
    let open = || {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(head.as_bytes()).unwrap();
        let (mut dyno, _) = listener.accept().unwrap();
        read_head(&mut dyno);
        dyno.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").unwrap();
        read_head(&mut client);
        (client, dyno)
    };
    let first = open();
    let before = process_table::memory_kib(running.main(), "RssAnon");

    let others: Vec<_> = (0..TUNNELS).map(|_| open()).collect();

    let each = process_table::memory_kib(running.main(), "RssAnon").saturating_sub(before) / TUNNELS;
    assert!(each <= MOST_KIB_OF_A_TUNNEL, "{each} KiB each");
    drop((first, others));
    end(running);
}
