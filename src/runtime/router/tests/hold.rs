//! Requests that wait for a dyno, and stops that wait for requests (S16.3).

use std::cell::RefCell;
use std::collections::HashMap;

use super::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn s16_3_a_request_waits_for_a_dyno_that_starts() {
    let port = dyno(says("hi"));
    let router = TestRouter::start();
    for stage in [LifeStage::Starting, LifeStage::Booting, LifeStage::Backoff, LifeStage::Draining] {
        router.publish(vec![web(1, 1, 1, stage)]);
        let mut client = router.connect();
        client.write_all(GET).unwrap();
        router.until("the request waits", |router| router.exchanges.len() == 1);

        router.publish(vec![web(1, 2, port, LifeStage::Up)]);

        read_until(&mut client, "\r\n\r\nhi");
        router.until("the request is over", |router| router.exchanges.len() == 0);
    }
}

#[test]
fn s16_5_the_time_to_connect_holds_the_wait_for_a_dyno() {
    let router = TestRouter::with_rules(|rules| rules.writes_platform_lines = true);
    router.publish(vec![web(1, 1, 1, LifeStage::Starting)]);
    let mut client = router.connect();
    client.write_all(GET).unwrap();
    router.until("the request waits", |router| router.held.get() == 1);

    router.advance(Duration::from_secs(2));
    router.publish(vec![web(1, 2, dyno(says("hi")), LifeStage::Up)]);
    read_until(&mut client, "\r\n\r\nhi");

    let line = &router.log_when(1)[0];
    assert!(line.starts_with("at=info method=GET ") && ms_of(line, "connect") >= 2000, "{line}");
}

#[test]
fn s16_3_a_request_does_not_wait_longer_than_the_hold() {
    let router = TestRouter::with_rules(|rules| rules.hold = Duration::from_millis(1));
    router.publish(vec![web(1, 1, 1, LifeStage::Starting)]);

    let mut client = router.connect();
    client.write_all(GET).unwrap();

    assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(router.log_when(1)[0].ends_with("H20 App boot timeout"), "{:?}", router.log());
}

#[test]
fn s16_3_a_client_that_leaves_while_it_waits_reaches_no_dyno() {
    let (sender, connections) = mpsc::channel();
    let port = dyno(move |_| sender.send(()).unwrap());
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Starting)]);
    let mut client = router.connect();
    client.write_all(GET).unwrap();
    router.until("the request waits", |router| router.exchanges.len() == 1);

    drop(client);
    let lines = router.log_when(1);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert_eq!(lines, ["GET /a 499 H27 Client Request Interrupted"]);
    assert!(connections.try_recv().is_err());
}

#[test]
fn s16_3_a_request_that_is_lost_late_waits_for_the_next_run() {
    let (go, orders) = mpsc::channel::<()>();
    let (came, coming) = mpsc::channel();
    let orders = Mutex::new(orders);
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        came.send(()).unwrap();
        orders.lock().unwrap().recv().unwrap();
    });
    let next = dyno(says("hi"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET).unwrap();
    coming.recv().unwrap();
    router.publish(vec![web(1, 1, port, LifeStage::Backoff)]);
    router.advance(2 * router.ask(|router| router.rules.hold));

    go.send(()).unwrap();
    router.until("the request waits or is over", |router| router.has_waiting() || router.exchanges.len() == 0);
    router.publish(vec![web(1, 2, next, LifeStage::Up)]);

    read_until(&mut client, "\r\n\r\nhi");
}

#[test]
fn s16_3_a_stop_waits_until_the_requests_of_the_dyno_are_answered() {
    let (go, orders) = mpsc::channel();
    let (came, coming) = mpsc::channel();
    let orders = Mutex::new(orders);
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        came.send(()).unwrap();
        orders.lock().unwrap().recv().unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold").unwrap();
    });
    let next = dyno(says("new"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut first = router.connect();
    first.write_all(GET).unwrap();
    coming.recv().unwrap();

    router.publish(vec![web(1, 1, port, LifeStage::Draining)]);
    let drained = router.drains(1);
    let mut second = router.connect();
    second.write_all(GET).unwrap();
    router.until("both wait", |router| router.exchanges.len() == 2);
    assert!(drained.try_recv().is_err());
    go.send(()).unwrap();
    read_until(&mut first, "\r\n\r\nold");
    drained.recv().unwrap();

    router.publish(vec![web(1, 2, next, LifeStage::Up)]);
    read_until(&mut second, "\r\n\r\nnew");
}

#[test]
fn s16_3_a_stop_does_not_wait_for_event_streams_and_tunnels() {
    let port = dyno(|mut socket| {
        let head = read_until(&mut socket, "\r\n\r\n");
        socket
            .write_all(if head.contains("\r\nupgrade: x\r\n") {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\ndata"
            } else {
                b"HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\n\r\ndata"
            })
            .unwrap();
        // Until the router closes the connection.
        has_next(&socket);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut stream = router.connect();
    stream.write_all(GET).unwrap();
    read_until(&mut stream, "data");
    let mut tunnel = router.connect();
    tunnel.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").unwrap();
    read_until(&mut tunnel, "data");

    router.publish(vec![web(1, 1, port, LifeStage::Draining)]);

    router.drains(1).recv().unwrap();
}

#[test]
fn s16_3_a_dyno_that_refuses_is_left_out_for_a_while() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        while has_next(&socket) {
            sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, closed_port(), LifeStage::Up), web(2, 2, port, LifeStage::Up)]);

    let mut client = router.connect();
    for _ in 0..50 {
        client.write_all(GET).unwrap();
        assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    }

    assert_eq!(requests.try_iter().count(), 50);
    assert!(router.log_when(50).iter().all(|line| line.starts_with("GET /a 200 web.2 ")), "{:?}", router.log());
}

#[test]
fn s16_3_a_dyno_that_has_just_crashed_does_not_fail_requests() {
    let port = dyno(says("hi"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, closed_port(), LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET).unwrap();
    router.until("the dyno has refused", |router| router.quarantine.borrow().until(1, router.now()).is_some());

    router.publish(vec![web(1, 1, 1, LifeStage::Backoff)]);
    router.publish(vec![web(1, 2, port, LifeStage::Up)]);

    read_until(&mut client, "\r\n\r\nhi");
}

/// `web.1`, which is up but has not been seen listening.
fn silent(port: u16) -> Row {
    let row = web(1, 1, port, LifeStage::Up);
    Row { life: DynoLife { expected_port: None, listens: false, ..row.life }, ..row }
}

/// The paths of the requests that have dialled a dyno.
fn dialling(router: &Router) -> Vec<String> {
    let paths = RefCell::new(Vec::new());
    router.exchanges.each(|exchange| {
        let entry = exchange.entry.borrow();
        paths.borrow_mut().extend(entry.dyno.is_some().then(|| entry.path.clone()));
    });
    paths.into_inner()
}

#[test]
fn s16_3_one_request_dials_a_dyno_that_boots_and_the_others_wait_for_it() {
    let booting = QuietPort::new();
    let router = TestRouter::start();
    router.publish(vec![silent(booting.port)]);
    let mut clients: HashMap<String, TcpStream> =
        (0..20).map(|number| (format!("/{number}"), router.connect())).collect();
    for (path, client) in &mut clients {
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    }
    router.until("all requests wait", |router| router.held.get() == 20);
    let first = router.ask(|router| dialling(router));
    assert_eq!(first.len(), 1, "{first:?}");

    // The one that dials leaves, and another takes its turn.
    drop(clients.remove(&first[0]).unwrap());
    router.until("another request dials", move |router| matches!(&dialling(router)[..], [one] if *one != first[0]));
    serve(booting.listen(128), says("hi"));

    for client in clients.values_mut() {
        read_until(client, "\r\n\r\nhi");
    }
}

#[test]
fn s16_3_all_that_wait_for_a_dyno_that_never_listens_get_h21() {
    let booting = QuietPort::new();
    let router = TestRouter::with_rules(|rules| rules.hold = Duration::from_millis(300));
    router.publish(vec![silent(booting.port)]);
    let mut clients: Vec<TcpStream> = (0..3).map(|_| router.connect()).collect();
    for client in &mut clients {
        client.write_all(GET).unwrap();
    }

    for client in &mut clients {
        assert!(read_until(client, "\r\n\r\n").starts_with("HTTP/1.1 503 "));
    }
    let lines = router.log_when(3);
    let is_named =
        |line: &String| line.starts_with("GET /a 503 web.1 ") && line.ends_with(" H21 Backend connection refused");
    assert!(lines.iter().all(is_named), "{lines:?}");
}

#[test]
fn s12_2_a_request_waits_longer_if_dyno_was_suspended() {
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, 1, LifeStage::Starting)]);
    let mut client = router.connect();
    client.write_all(GET).unwrap();
    router.until("the request waits", |router| router.held.get() == 1);

    let pause = 10 * router.ask(|router| router.rules.hold);
    router.ask(move |router| router.postpone(pause));
    router.advance(pause);
    router.publish(vec![web(1, 2, dyno(says("hi")), LifeStage::Up)]);

    read_until(&mut client, "\r\n\r\nhi");
}
