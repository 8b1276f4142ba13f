//! More bytes or more clients than the router has room for (S16.6).

use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};

use super::super::client::ClientConnection;
use super::*;

const GET: &str = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// One gigabyte.
const ENDLESS: usize = 1_000_000_000;
/// What the sockets of two connections and the router hold at most, with small buffers in the dyno.
const HELD: usize = 16_000_000;

/// A dyno that sends `first` and then the same bytes again and again, up to 1 GB. Counts what it could write.
fn floods(first: &'static str, again: &'static str) -> (u16, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let port = dyno(move |mut socket| {
        setsockopt(&socket, sockopt::SndBuf, &1).unwrap();
        read_until(&mut socket, "\r\n\r\n");
        socket.write_all(first.as_bytes()).unwrap();
        let piece = again.repeat(1 + 10_000 / again.len());
        while count.load(Ordering::Relaxed) < ENDLESS && socket.write_all(piece.as_bytes()).is_ok() {
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    (port, written)
}

#[test]
fn s16_6_of_a_head_without_end_only_a_part_is_read() {
    for (first, again, code) in [
        ("HTTP/1.1 200 OK\r\n", "x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", "502 H25"),
        ("HTTP/1.1 200 OK\r\nx: ", "y", "502 H25"),
        ("HTTP/1.1 200 ", "y", "502 H25"),
        ("", "y", "503 H17"),
        ("", "\r\n", "502 H25"),
    ] {
        let (port, written) = floods(first, again);
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let answer = router.exchange(GET);

        let (status, code) = code.split_once(' ').unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{first:?} {again:?}: {answer}");
        assert!(router.log_when(1)[0].contains(&format!(" {code} ")), "{first:?} {again:?}: {:?}", router.log());
        let written = written.load(Ordering::Relaxed);
        assert!(written < HELD, "{first:?} {again:?}: {written}");
    }
}

#[test]
fn s16_6_a_client_that_reads_slowly_holds_up_the_dyno() {
    let (port, written) = floods("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n", "x");
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    let narrow = |client: &ClientConnection| setsockopt(&client.socket, sockopt::SndBuf, &1).is_ok();
    router.until("the client is accepted", move |router| router.clients.any(narrow));
    client.write_all(GET.as_bytes()).unwrap();
    read_until(&mut client, "\r\n\r\n");
    let stuck = || {
        let mut before = 0;
        router.until_stuck(|| {
            let now = written.load(Ordering::Relaxed);
            std::mem::replace(&mut before, now).abs_diff(now)
        });
        before
    };

    let at_first = stuck();
    for _ in 0..10 {
        client.read_exact(&mut [0]).unwrap();
    }

    assert!(at_first > 0 && stuck() < HELD, "{at_first}, {}", stuck());
    drop(client);
    assert!(router.log_when(1)[0].ends_with(" H27 Client Request Interrupted"), "{:?}", router.log());
}

/// How many clients of this many there are files for, here and in the router.
fn as_many_as(count: u64) -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let needed = 2 * count + 1000;
    if soft < needed {
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(needed), hard).unwrap();
    }
    count.min(hard.saturating_sub(1000) / 2)
}

#[test]
fn s16_6_a_thousand_slow_heads_do_not_stop_other_requests_and_are_cut() {
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, dyno(says("hi")), LifeStage::Up)]);
    let count = usize::try_from(as_many_as(1000)).unwrap();
    let mut slow: Vec<TcpStream> = (0..count).map(|_| router.connect()).collect();
    for client in &mut slow {
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-a: ").unwrap();
    }
    router.until("all are known", move |router| {
        let begun = std::cell::Cell::new(0);
        router.clients.each(|client| begun.set(begun.get() + usize::from(client.is_in_head())));
        begun.get() == count
    });

    assert!(router.exchange(GET).ends_with("\r\n\r\nhi"));
    // A byte now and then does not give them more time.
    for client in &mut slow {
        client.write_all(b"b").unwrap();
    }
    router.let_time_pass();

    for client in &mut slow {
        assert!(read_until(client, "\r\n\r\n").starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    }
    drop(slow);
    router.until("none is left", |router| router.clients.len() == 0);
}

#[test]
fn s16_6_an_answer_of_900_kb_that_no_one_reads_frees_its_dyno() {
    const LENGTH: usize = 900_000;
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
        socket.write_all([head.as_bytes(), &vec![b'x'; LENGTH]].concat().as_slice()).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();

    assert!(router.log_when(1)[0].starts_with("GET /a 200 web.1 "), "{:?}", router.log());
    router.drains(1).recv().unwrap();

    read_until(&mut client, "\r\n\r\n");
    let mut body = Vec::new();
    client.read_to_end(&mut body).unwrap();
    assert_eq!(body.len(), LENGTH);
}
