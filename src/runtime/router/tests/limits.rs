//! What a client must not send, and how long it may take (S16.4, S16.6).

use tokio::time::Instant;

use super::super::client::ClientConnection;
use super::*;

const GET: &str = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn s16_6_requests_before_a_malformed_one_are_answered_first() {
    let (go, orders) = mpsc::channel();
    let (came, coming) = mpsc::channel();
    let orders = Mutex::new(orders);
    let port = dyno(move |mut socket| {
        while has_next(&socket) {
            came.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
            orders.lock().unwrap().recv().unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    let bad = "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    client.write_all([GET, GET, bad].concat().as_bytes()).unwrap();
    for _ in 0..2 {
        assert!(coming.recv().unwrap().starts_with("GET /a "));
        go.send(()).unwrap();
    }
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap();

    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answers}");
    assert!(coming.try_recv().is_err());
    let lines = router.log_when(3);
    assert!(lines[2].starts_with("POST /b 400 "), "{lines:?}");
}

#[test]
fn s16_2_requests_that_no_dyno_may_get_are_answered_by_the_router() {
    let (sender, connections) = mpsc::channel();
    let port = dyno(move |_| sender.send(()).unwrap());
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut statuses = Vec::new();
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n",
        "GET /\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\nHost: localhost\n\n",
        "\x16\x03\x01\x02\x00\x01",
    ] {
        let mut client = router.connect();
        client.write_all(head.as_bytes()).unwrap();
        statuses.push(read_until(&mut client, "\r\n\r\n").get(9..12).unwrap().to_owned());
    }

    assert_eq!(statuses, ["400", "400", "421", "421", "421", "405", "417", "400", "400", "400", "400"]);
    assert!(connections.try_recv().is_err());
    assert_eq!(router.log_when(11).len(), 11);
}

#[test]
fn s16_6_an_answer_to_connect_says_which_methods_are_allowed() {
    let router = TestRouter::start();
    let mut client = router.connect();
    client.write_all(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();

    let head = read_until(&mut client, "\r\n\r\n");

    assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{head}");
    assert!(head.contains("\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"), "{head}");
}

#[test]
fn s16_6_the_router_answers_what_may_not_be_passed_on() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        while has_next(&socket) {
            sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
            socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    let mut answer = |method: &str, left: &str| {
        let head = format!("{method} HTTP/1.1\r\nHost: localhost\r\nCookie: a=secret\r\nMax-Forwards: {left}\r\n\r\n");
        client.write_all(head.as_bytes()).unwrap();
        read_until(&mut client, "\r\n\r\n")
    };

    for target in ["/a", "*", "http://localhost/a"] {
        let own = answer(&format!("OPTIONS {target}"), "0");
        assert!(own.starts_with("HTTP/1.1 200 OK\r\n") && own.contains("\r\ncontent-length: 0\r\n"), "{own}");
        assert!(own.contains("\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"), "{own}");
    }
    assert!(requests.try_recv().is_err());
    for method in ["OPTIONS", "TRACE"] {
        assert!(answer(&format!("{method} /a"), "3").starts_with("HTTP/1.1 204 "));
        assert!(requests.recv().unwrap().contains("\r\nmax-forwards: 2\r\n"));
    }
    assert!(answer("GET /a", "0").starts_with("HTTP/1.1 204 "));
    assert!(requests.recv().unwrap().contains("\r\nmax-forwards: 0\r\n"));
    // A page could read cookies in an answer that repeats the request.
    let refused = answer("TRACE /a", "0");
    assert!(refused.starts_with("HTTP/1.1 405 ") && refused.contains("\r\nallow: GET, "), "{refused}");
    assert!(requests.try_recv().is_err());
    let lines = router.log_when(7);
    assert_eq!(lines[0], "OPTIONS /a 200 0B");
}

#[test]
fn s16_6_a_head_that_does_not_come_is_answered_with_408() {
    let router = TestRouter::start();
    let mut client = router.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    router.until("the head has begun", |router| router.clients.any(ClientConnection::is_in_head));

    router.let_time_pass();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert_eq!(router.log_when(1), ["GET / 408 0B"]);
}

#[test]
fn s16_6_an_idle_connection_is_closed_without_an_answer() {
    let port = dyno(says("hi"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();
    read_until(&mut client, "\r\n\r\nhi");

    router.let_time_pass();

    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(router.ask(|router| router.clients.len()), 0);
}

#[test]
fn s16_6_an_idle_connection_to_a_dyno_is_closed_after_90_s() {
    let (sender, closed) = mpsc::channel();
    let say = says("hi");
    let port = dyno(move |socket| {
        say(socket);
        sender.send(()).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();
    read_until(&mut client, "\r\n\r\nhi");
    let began = router.ask(|_| tokio::time::Instant::now());

    router.let_time_pass();
    closed.recv().unwrap();

    let passed = router.ask(move |_| began.elapsed());
    assert!(passed >= Duration::from_secs(89), "{passed:?}");
}

#[test]
fn s16_4_a_dyno_that_is_silent_for_30_s_is_h12() {
    let (port, requests) = silent();
    let router = TestRouter::with_rules(|rules| rules.enforces_timeouts = true);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();
    requests.recv().unwrap();

    router.let_time_pass();

    assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    let line = router.log_when(1);
    assert!(line[0].starts_with("GET /a 503 web.1 30s "), "{line:?}");
    assert!(line[0].ends_with(" H12 Request timeout"), "{line:?}");
}

#[test]
fn s16_4_without_the_option_a_slow_request_is_only_announced() {
    let (port, requests) = silent();
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();
    requests.recv().unwrap();

    router.let_time_pass();

    assert_eq!(router.log_when(1), ["GET /a has had no answer for 30 s: Heroku would have ended it with H12"]);
    router.ask(|_| tokio::time::resume());
    client.set_nonblocking(true).unwrap();
    assert!(client.read(&mut [0]).is_err(), "the request goes on");
}

#[test]
fn s16_4_an_answer_that_is_silent_for_55_s_is_cut_with_h15() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhalf",
    ] {
        let port = dyno(move |mut socket| {
            read_until(&mut socket, "\r\n\r\n");
            socket.write_all(answer.as_bytes()).unwrap();
            let _ = socket.read(&mut [0]);
        });
        let router = TestRouter::with_rules(|rules| rules.enforces_timeouts = true);
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);
        let mut client = router.connect();
        client.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").unwrap();
        read_until(&mut client, "half");

        router.let_time_pass();

        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let line = router.log_when(1);
        assert!(line[0].starts_with("GET /a 503 web.1 55s "), "{line:?}");
        assert!(line[0].ends_with(" H15 Idle connection"), "{line:?}");
    }
}

#[test]
fn s16_4_an_upload_that_stops_for_55_s_is_cut_with_h28() {
    let (port, requests) = silent();
    let router = TestRouter::with_rules(|rules| rules.enforces_timeouts = true);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
    requests.recv().unwrap();

    router.let_time_pass();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();

    assert!(router.log_when(1)[0].ends_with(" H28 Client Connection Idle"), "{:?}", router.log());
}

#[test]
fn s12_2_no_limit_of_the_router_counts_the_time_while_dyno_is_suspended() {
    let (go, orders) = mpsc::channel();
    let (came, coming) = mpsc::channel();
    let orders = Mutex::new(orders);
    let port = dyno(move |mut socket| {
        while has_next(&socket) {
            came.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
            orders.lock().unwrap().recv().unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        }
    });
    let router = TestRouter::with_rules(|rules| rules.enforces_timeouts = true);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let (mut waiting, mut idle, mut slow) = (router.connect(), router.connect(), router.connect());
    waiting.write_all(GET.as_bytes()).unwrap();
    coming.recv().unwrap();
    slow.write_all(b"GET /slow HTTP/1.1\r\n").unwrap();
    router
        .until("all are known", |router| router.clients.len() == 3 && router.clients.any(ClientConnection::is_in_head));

    router.ask(|router| {
        let pause = Duration::from_secs(3600);
        router.postpone(pause);
        router.review(Instant::now() + pause);
    });

    slow.write_all(b"Host: localhost\r\n\r\n").unwrap();
    idle.write_all(GET.as_bytes()).unwrap();
    (0..3).for_each(|_| go.send(()).unwrap());
    for mut client in [waiting, idle, slow] {
        assert!(read_until(&mut client, "\r\n\r\nhi").starts_with("HTTP/1.1 200 OK\r\n"));
    }
}
