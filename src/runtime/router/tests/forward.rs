//! Requests and answers pass through.

use super::super::client::ClientConnection;
use super::*;

#[test]
fn s16_1_a_request_reaches_the_dyno_and_its_answer_the_client() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\nab=c")).unwrap();
        socket.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\ndate: now\r\n\r\nok").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let host = format!("localhost:{}", router.port);
    let request = format!("POST /a?b HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab=c");
    let answer = router.exchange(&request);

    let head =
        "HTTP/1.1 201 Created\r\ncontent-length: 2\r\ndate: now\r\nvia: 1.1 dyno-router\r\nconnection: close\r\n";
    assert_eq!(answer, format!("{head}\r\nok"));
    let received = requests.recv().unwrap();
    let head = format!("POST /a?b HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4\r\nx-request-id: ");
    assert!(received.starts_with(&head), "{received}");
    assert!(received.contains(&format!("\r\nx-forwarded-port: {}\r\n", router.port)), "{received}");
    let line = router.log_when(1);
    assert!(line[0].starts_with("POST /a?b 201 web.1 ") && line[0].ends_with("ms 2B"), "{line:?}");
}

#[test]
fn s16_1_both_connections_are_kept_for_the_next_request() {
    let (port, connections) = counted("hi");
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    for _ in 0..3 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        read_until(&mut client, "\r\n\r\nhi");
    }

    assert_eq!(connections.try_iter().count(), 1);
    assert_eq!(router.log_when(3).len(), 3);
}

#[test]
fn s16_6_a_connection_that_a_dyno_will_soon_close_is_not_used() {
    let (sender, connections) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(()).unwrap();
        while has_next(&socket) {
            read_until(&mut socket, "\r\n\r\n");
            let head = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=1, max=9\r\ncontent-length: 2\r\n\r\n";
            socket.write_all(format!("{head}hi").as_bytes()).unwrap();
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    for _ in 0..3 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        read_until(&mut client, "\r\n\r\nhi");
    }

    assert_eq!(connections.try_iter().count(), 3);
}

#[test]
fn s16_1_pieces_of_an_answer_pass_at_once() {
    let (go, orders) = mpsc::channel();
    let orders = Mutex::new(orders);
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).unwrap();
        for _ in 0..3 {
            socket.write_all(b"9\r\ndata: x\n\n\r\n").unwrap();
            // The next one comes after the client has seen this one.
            orders.lock().unwrap().recv().unwrap();
        }
        socket.write_all(b"0\r\n\r\n").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    client.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let head = read_until(&mut client, "\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(read_until(&mut client, "\n\n\r\n"), "9\r\ndata: x\n\n\r\n");
        go.send(()).unwrap();
    }

    assert_eq!(read_until(&mut client, "0\r\n\r\n"), "0\r\n\r\n");
    assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
}

#[test]
fn s16_1_an_upload_and_its_trailers_pass_chunk_by_chunk() {
    let (sender, received) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
        sender.send(read_until(&mut socket, "3\r\nabc\r\n")).unwrap();
        sender.send(read_until(&mut socket, "0\r\nx-sum: 6\r\n\r\n")).unwrap();
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ntrailer: x-len\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-len: 2\r\n\r\n")
            .unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    let head = "PUT / HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: te\r\nTrailer: X-Sum\r\n";
    client.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    assert!(received.recv().unwrap().contains("\r\ntransfer-encoding: chunked\r\n"));
    client.write_all(b"3\r\nabc\r\n").unwrap();
    assert_eq!(received.recv().unwrap(), "3\r\nabc\r\n");
    client.write_all(b"0\r\nX-Sum: 6\r\n\r\n").unwrap();

    assert_eq!(received.recv().unwrap(), "0\r\nx-sum: 6\r\n\r\n");
    read_until(&mut client, "2\r\nok\r\n0\r\nx-len: 2\r\n\r\n");
}

#[test]
fn s16_1_early_hints_come_before_the_answer() {
    let (go, orders) = mpsc::channel();
    let orders = Mutex::new(orders);
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        socket.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nconnection: x\r\n\r\n").unwrap();
        orders.lock().unwrap().recv().unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();

    assert_eq!(read_until(&mut client, "\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    go.send(()).unwrap();
    assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn s16_1_the_router_itself_sends_100_continue() {
    let (sender, received) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
        read_until(&mut socket, "abc");
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_until(&mut client, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"abc").unwrap();

    assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(!received.recv().unwrap().contains("expect"));
}

#[test]
fn s16_1_a_client_of_http_1_0_gets_the_whole_answer_without_chunks() {
    let port = dyno(|mut socket| {
        let head = read_until(&mut socket, "\r\n\r\n");
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let answer = router.exchange("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert!(!answer.contains("chunked"), "{answer}");
}

#[test]
fn s16_1_a_client_may_read_slowly_and_gets_every_byte() {
    let body: Vec<u8> = (0..30_000_000_u32).map(|number| (number % 251) as u8).collect();
    let sent = body.clone();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", sent.len());
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(&sent).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    read_until(&mut client, "\r\n\r\n");
    router.until("the client holds up the answer", |router| router.clients.any(ClientConnection::has_unwritten));
    let mut received = vec![0; body.len()];
    client.read_exact(&mut received).unwrap();

    assert!(received == body);
}

// The bounds are more than six standard deviations wide: chance exceeds them once in a hundred million times.
#[test]
fn s16_1_each_request_goes_to_a_random_dyno() {
    let router = TestRouter::start();
    router.publish(vec![
        web(1, 1, dyno(says("0")), LifeStage::Up),
        web(2, 2, dyno(says("1")), LifeStage::Up),
        web(3, 3, dyno(says("2")), LifeStage::Up),
    ]);
    let mut client = router.connect();
    let mut next = || {
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        read_until(&mut client, "\r\n\r\n");
        let mut dyno = [0];
        client.read_exact(&mut dyno).unwrap();
        usize::from(dyno[0] - b'0')
    };

    let mut pairs = [[0; 3]; 3];
    let mut last = next();
    for _ in 0..3000 {
        let dyno = next();
        pairs[last][dyno] += 1;
        last = dyno;
    }

    let shares = pairs.map(|after| after.iter().sum::<u32>());
    assert!(shares.iter().all(|share| (840..=1160).contains(share)), "{shares:?}");
    // With an order of any kind, some never follow each other.
    assert!(pairs.as_flattened().iter().all(|count| (200..=466).contains(count)), "{pairs:?}");
}
