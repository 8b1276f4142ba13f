//! Connections that end at an awkward moment.

use nix::sys::socket::{setsockopt, sockopt};
use tokio::time::Instant;

use super::super::client::ClientConnection;
use super::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello";
/// More than the sockets of a narrow client hold, and less than hyper does.
const LARGE: usize = 300_000;

/// A client that takes next to nothing until it reads.
fn narrow_client(router: &TestRouter) -> TcpStream {
    let client = router.connect();
    let narrow = |client: &ClientConnection| setsockopt(&client.socket, sockopt::SndBuf, &1).is_ok();
    router.until("the client is accepted", move |router| router.clients.any(narrow));
    client
}

/// Sends a request and returns when its answer is complete, but waits for the client.
fn unread_answer(router: &TestRouter) -> TcpStream {
    let mut client = narrow_client(router);
    client.write_all(GET).unwrap();
    router.until("the answer waits for the client", |router| {
        router.exchanges.len() == 0 && router.clients.any(ClientConnection::has_unwritten)
    });
    client
}

/// Answers with many bytes.
fn large(mut socket: TcpStream) {
    read_until(&mut socket, "\r\n\r\n");
    socket.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").as_bytes()).unwrap();
    socket.write_all("x".repeat(LARGE).as_bytes()).unwrap();
    has_next(&socket);
}

#[test]
fn s16_5_a_tunnel_whose_client_leaves_before_it_is_open_is_over() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        // A head that is longer would be refused.
        let long = "x".repeat(180_000);
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n";
        socket.write_all(format!("{head}long: {long}\r\n\r\n").as_bytes()).unwrap();
        has_next(&socket);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = narrow_client(&router);
    client.write_all(UPGRADE).unwrap();
    router.until("the tunnel waits for the client", |router| {
        router.clients.any(|client| client.tunnel.borrow().is_some() && client.has_unwritten())
    });

    drop(client);

    router.until("nothing is left", |router| router.exchanges.len() == 0 && router.clients.len() == 0);
    assert_eq!(router.log_when(1).len(), 1);
}

#[test]
fn s16_6_an_early_answer_reaches_a_slow_client_whole() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\nhalf");
        socket.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").as_bytes()).unwrap();
        socket.write_all("x".repeat(LARGE).as_bytes()).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = narrow_client(&router);
    client.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
    router.until("the answer is complete", |router| router.exchanges.len() == 0);

    let mut answer = String::new();
    let _ = client.read_to_string(&mut answer);

    assert_eq!(answer.split_once("\r\n\r\n").map(|(_, body)| body.len()), Some(LARGE));
}

#[test]
fn s16_6_a_slow_head_is_not_answered_in_the_middle_of_another_answer() {
    let port = dyno(large);
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = unread_answer(&router);
    client.write_all(b"GET /b HTTP/1.1\r\nHo").unwrap();
    router.until("the next head has begun", |router| router.clients.any(ClientConnection::is_in_head));

    router.let_time_pass();
    router.until("the client is cut", |router| router.clients.len() == 0);
    let mut answer = String::new();
    let _ = client.read_to_string(&mut answer);

    assert!(!answer.contains("408"), "{}", answer.len());
}

#[test]
fn s16_6_a_client_that_reads_no_more_does_not_keep_its_place() {
    let port = dyno(large);
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let _client = unread_answer(&router);

    router.let_time_pass();

    router.until("the client is cut", |router| router.clients.len() == 0);
}

#[test]
fn s16_6_a_request_on_a_connection_that_gets_too_old_is_answered() {
    let port = dyno(says("hi"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    router.until("the client is accepted", |router| router.clients.len() == 1);

    let mut writing = client.try_clone().unwrap();
    router.ask(move |router| {
        writing.write_all(GET).unwrap();
        router.review(Instant::now() + Duration::from_secs(61));
    });

    read_until(&mut client, "\r\n\r\nhi");
}

#[test]
fn s16_6_an_upload_that_goes_on_after_its_answer_is_not_a_slow_head() {
    let (sender, received) = mpsc::channel();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\nhalf");
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        read_until(&mut socket, "more");
        sender.send(()).unwrap();
        has_next(&socket);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
    read_until(&mut client, "\r\n\r\nhi");
    client.write_all(b"more").unwrap();
    received.recv().unwrap();

    router.let_time_pass();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();

    assert_eq!(rest, "");
}

#[test]
fn s16_6_an_empty_line_does_not_begin_a_head() {
    let port = dyno(says("hi"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(&[GET, b"\r\n"].concat()).unwrap();
    read_until(&mut client, "\r\n\r\nhi");
    client.write_all(b"\r\n").unwrap();

    router.let_time_pass();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();

    assert_eq!(rest, "");
}

#[test]
fn s16_5_requests_that_the_end_of_the_run_cuts_off_have_their_lines() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        let head = read_until(&mut socket, "\r\n\r\n");
        if head.starts_with("GET /stream ") {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nhello").unwrap();
        } else if head.starts_with("GET /ws ") {
            socket.write_all(SWITCH).unwrap();
        }
        sender.send(()).unwrap();
        has_next(&socket);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut clients = Vec::new();
    for request in [GET, b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n", UPGRADE] {
        let mut client = router.connect();
        client.write_all(request).unwrap();
        requests.recv().unwrap();
        if request != GET {
            read_until(&mut client, "hello");
        }
        clients.push(client);
    }

    router.finish();

    let mut lines = router.log();
    lines.sort();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("GET /a 503 web.1 ") && lines[0].ends_with(" H13 Connection closed without response"));
    assert!(lines[1].starts_with("GET /stream 200 web.1 ") && lines[1].ends_with(" H18 Server Request Interrupted"));
    assert!(lines[2].starts_with("GET /ws 101 web.1 ") && lines[2].ends_with(" 5B"), "{lines:?}");
    for mut client in clients {
        let closed = client.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        assert!(matches!(closed, Ok(_) | Err(std::io::ErrorKind::ConnectionReset)), "{closed:?}");
    }
}

#[test]
fn s16_5_a_client_that_leaves_after_a_malformed_request_is_noticed() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        sender.send(()).unwrap();
        has_next(&socket);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(&[GET, b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"].concat()).unwrap();
    requests.recv().unwrap();

    drop(client);

    router.until("the request is over", |router| router.exchanges.len() == 0);
    let line = router.log_when(1);
    assert!(
        line[0].starts_with("GET /a 499 web.1 ") && line[0].ends_with(" H27 Client Request Interrupted"),
        "{line:?}"
    );
}

#[test]
fn s16_3_an_upload_whose_client_has_left_reaches_no_dyno() {
    let (sender, connections) = mpsc::channel();
    let port = dyno(move |_| sender.send(()).unwrap());
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Starting)]);
    let mut client = router.connect();
    client.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n").unwrap();
    client.write_all("x".repeat(50_000).as_bytes()).unwrap();
    router.until("the request waits", |router| router.exchanges.len() == 1);

    drop(client);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert_eq!(router.log_when(1), ["POST /a 499 H27 Client Request Interrupted"]);
    assert!(connections.try_recv().is_err());
}

// A client that closes only its half has left, too, as with nginx.
#[test]
fn s16_5_a_client_that_has_left_gets_no_answer() {
    let router = TestRouter::with_rules(|rules| rules.enforces_timeouts = true);
    router.publish(vec![web(1, 1, 1, LifeStage::Starting)]);
    let mut client = router.connect();
    client.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n").unwrap();
    client.write_all("x".repeat(50_000).as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    router.until("the request waits", |router| router.exchanges.len() == 1);
    router.publish(vec![web(1, 1, dyno(says("hi")), LifeStage::Up)]);
    let mut answer = Vec::new();
    // The system resets it, because the upload was not read.
    let _ = client.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    assert_eq!(router.log_when(1), ["POST /a 499 H27 Client Request Interrupted"]);

    let (port, requests) = silent();
    router.publish(vec![web(1, 2, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
    requests.recv().unwrap();
    router.let_time_pass();
    let _ = client.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    assert!(router.log_when(2)[1].ends_with(" H28 Client Connection Idle"), "{:?}", router.log());
}

#[test]
fn s16_5_a_client_that_leaves_unseen_is_noticed_after_30_s() {
    let upload =
        format!("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n{}", "x".repeat(900_000));
    for request in [[GET, GET].concat(), upload.into_bytes()] {
        // It reads a head, and then nothing.
        let (port, requests) = stuck();
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);
        let mut client = router.connect();
        client.set_nonblocking(true).unwrap();
        let mut sent = 0;
        router.until_stuck(|| {
            let count = request.get(sent..).map_or(0, |rest| client.write(rest).unwrap_or_default());
            sent += count;
            count
        });
        requests.recv().unwrap();

        drop(client);
        router.ask(|router| router.review(Instant::now() + Duration::from_secs(30)));

        router.until("the request is over", |router| router.exchanges.len() == 0 && router.clients.len() == 0);
        let lines = router.log_when(1);
        assert!(lines[0].ends_with(" H27 Client Request Interrupted"), "{lines:?}");
    }
}

#[test]
fn s16_6_a_tunnel_whose_client_has_closed_does_not_stay_for_ever() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        socket.write_all(SWITCH).unwrap();
        // It does not notice the end.
        loop {
            thread::park();
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(UPGRADE).unwrap();
    read_until(&mut client, "hello");

    drop(client);
    router.let_time_pass();

    router.until("the tunnel is over", |router| router.exchanges.len() == 0 && router.clients.len() == 0);
}

#[test]
fn s16_5_what_a_dyno_has_sent_before_its_end_reaches_a_slow_client() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n").unwrap();
        socket.write_all("x".repeat(LARGE).as_bytes()).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = narrow_client(&router);
    client.write_all(GET).unwrap();
    router.until("the answer waits for the client", |router| {
        router.clients.any(ClientConnection::has_unwritten) || router.clients.len() == 0
    });

    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();

    assert_eq!(answer.split_once("\r\n\r\n").map(|(_, body)| body.len()), Some(LARGE));
    assert!(router.log_when(1)[0].ends_with(" H18 Server Request Interrupted"), "{:?}", router.log());
}
