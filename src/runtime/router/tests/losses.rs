//! Dynos that do not answer as they should (S16.3, S16.5).

use nix::sys::socket::{setsockopt, sockopt};

use super::*;

fn get(router: &TestRouter) -> String {
    router.exchange("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn post(router: &TestRouter) -> String {
    router.exchange("POST /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

/// A dyno that answers each connection with these bytes and closes it. Also counts the requests.
fn answers(bytes: &'static [u8]) -> (u16, mpsc::Receiver<String>) {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
        socket.write_all(bytes).unwrap();
    });
    (port, requests)
}

#[test]
fn s16_3_a_get_that_a_kept_connection_loses_is_sent_once_more() {
    let connections = std::sync::atomic::AtomicU32::new(0);
    let port = dyno(move |mut socket| {
        let is_first = connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        read_until(&mut socket, "\r\n\r\n");
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        if is_first {
            // The next request arrives, and the connection is closed without an answer.
            read_until(&mut socket, "\r\n\r\n");
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert!(get(&router).ends_with("\r\n\r\nhi"));
    assert!(get(&router).ends_with("\r\n\r\nhi"));

    assert_eq!(router.log_when(2).len(), 2);
}

#[test]
fn s16_3_a_request_that_two_dynos_have_lost_fails() {
    let (port, requests) = answers(b"");
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert!(get(&router).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));

    assert_eq!(requests.try_iter().count(), 2);
    let line = router.log_when(1);
    assert!(line[0].starts_with("GET /a 503 web.1 ") && line[0].ends_with(" H13 Connection closed without response"));
}

#[test]
fn s16_3_a_post_reaches_a_dyno_at_most_once() {
    let (port, requests) = answers(b"");
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert!(post(&router).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));

    assert_eq!(requests.try_iter().count(), 1);
    assert!(router.log_when(1)[0].ends_with(" H13 Connection closed without response"), "{:?}", router.log());
}

#[test]
fn s16_3_a_post_that_a_kept_connection_loses_is_not_sent_again() {
    let (sender, posts) = mpsc::channel();
    let port = dyno(move |mut socket| {
        let mut is_kept = false;
        while has_next(&socket) {
            if read_until(&mut socket, "\r\n\r\n").starts_with("POST ") {
                sender.send(is_kept).unwrap();
                return;
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
            is_kept = true;
        }
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    // After a second, a POST would get a connection of its own.
    let mut is_kept = false;
    while !is_kept {
        assert!(get(&router).ends_with("\r\n\r\nhi"));
        router.until("the connection is kept", |router| router.pool.len() > 0);
        assert!(post(&router).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        is_kept = posts.recv().unwrap();
        assert!(posts.try_recv().is_err());
    }

    let lines = router.log();
    assert!(lines.last().unwrap().ends_with(" H13 Connection closed without response"), "{lines:?}");
}

#[test]
fn s16_3_a_post_gets_a_new_connection_if_the_kept_one_may_be_closed() {
    let (port, connections) = counted("hi");
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    for (ask, new) in [(get as fn(&TestRouter) -> String, 1), (get, 0), (post, 1)] {
        assert!(ask(&router).ends_with("\r\n\r\nhi"));
        assert_eq!(connections.try_iter().count(), new);
        router.until("the connection is kept", |router| router.pool.len() > 0);
        router.advance(Duration::from_secs(1));
    }
}

#[test]
fn s16_3_a_reset_before_the_answer_is_h18_and_only_a_get_is_sent_again() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
        // Its end is a reset.
        setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
    });
    let router = TestRouter::with_rules(|rules| rules.writes_platform_lines = true);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    for (ask, times) in [(get as fn(&TestRouter) -> String, 2), (post, 1)] {
        assert!(ask(&router).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert_eq!(requests.try_iter().count(), times);
    }

    for line in router.log_when(2) {
        let start = "sock=backend at=error code=H18 desc=\"Server Request Interrupted\" method=";
        assert!(line.starts_with(start) && field(&line, "status") == "503", "{line}");
    }
}

#[test]
fn s16_5_the_platforms_line_says_how_far_a_request_has_come() {
    let cookie = format!("HTTP/1.1 200 OK\r\nset-cookie: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(9000));
    for (bytes, start, status) in [
        ("", "at=error code=H13 desc=\"Connection closed without response\" ", "503"),
        ("SSH-2.0-OpenSSH\r\n", "at=error code=H17 desc=\"Poorly formatted HTTP response\" ", "503"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf",
            "sock=backend at=error code=H18 desc=\"Server Request Interrupted\" ",
            "200",
        ),
        (cookie.leak(), "at=error code=H25 desc=\"HTTP restriction: oversized cookie\" ", "502"),
    ] {
        let (port, _requests) = answers(bytes.as_bytes());
        let router = TestRouter::with_rules(|rules| (rules.is_platform, rules.writes_platform_lines) = (true, true));
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        assert!(post(&router).starts_with(&format!("HTTP/1.1 {status} ")));

        let line = &router.log_when(1)[0];
        assert!(line.starts_with(start), "{line}");
        assert_eq!([field(line, "dyno"), field(line, "status")], ["web.1", status], "{line}");
        assert!(["connect", "service"].iter().all(|name| field(line, name).ends_with("ms")), "{line}");
    }
}

#[test]
fn s16_5_an_answer_that_is_not_http_is_h17() {
    let (port, requests) = answers(b"SSH-2.0-OpenSSH\r\n");
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert!(get(&router).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));

    assert_eq!(requests.try_iter().count(), 1);
    assert!(router.log_when(1)[0].ends_with(" H17 Poorly formatted HTTP response"), "{:?}", router.log());
}

#[test]
fn s16_5_an_answer_that_stops_is_cut_off_and_h18() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    for bytes in [&b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf"[..], chunked] {
        let (port, requests) = answers(bytes);
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let answer = get(&router);

        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("half"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        assert_eq!(requests.try_iter().count(), 1);
        let line = router.log_when(1);
        assert!(line[0].starts_with("GET /a 200 web.1 "), "{line:?}");
        assert!(line[0].ends_with(" 4B H18 Server Request Interrupted"), "{line:?}");
    }
}

#[test]
fn s16_5_an_endless_head_is_h25() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        let line = format!("x: {}\r\n", "a".repeat(10_000));
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n");
        while socket.write_all(line.as_bytes()).is_ok() {}
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert!(get(&router).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));

    assert!(router.log_when(1)[0].ends_with(" H25 HTTP restriction: oversized header"), "{:?}", router.log());
}

#[test]
fn s16_5_a_refused_connection_is_h21() {
    for writes_platform_lines in [false, true] {
        let router = TestRouter::with_rules(|rules| rules.writes_platform_lines = writes_platform_lines);
        router.publish(vec![web(1, 1, closed_port(), LifeStage::Up)]);

        assert!(get(&router).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));

        let line = &router.log_when(1)[0];
        if writes_platform_lines {
            assert!(line.starts_with("at=error code=H21 desc=\"Backend connection refused\" method=GET "), "{line}");
            assert_eq!([field(line, "dyno"), field(line, "service")], ["web.1", ""], "{line}");
            assert!(field(line, "connect").ends_with("ms"), "{line}");
        } else {
            assert!(line.ends_with(" H21 Backend connection refused"), "{line}");
        }
    }
}

#[test]
fn s16_5_without_dynos_the_answer_is_h10_or_h14() {
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, 1, LifeStage::Crashed)]);
    get(&router);
    router.publish(Vec::new());
    get(&router);

    assert_eq!(router.log_when(2), ["GET /a 503 H10 App crashed", "GET /a 503 H14 No web processes running"]);
}

#[test]
fn s16_5_a_client_that_disconnects_is_h27_and_the_dyno_sees_it() {
    let (sender, ended) = mpsc::channel();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        sender.send(()).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap_or_default(), 0);
        sender.send(()).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    ended.recv().unwrap();

    drop(client);

    ended.recv().unwrap();
    let line = router.log_when(1);
    assert!(line[0].starts_with("GET /slow 499 web.1 "), "{line:?}");
    assert!(line[0].ends_with(" H27 Client Request Interrupted"), "{line:?}");
}

#[test]
fn s16_5_a_client_that_leaves_in_an_upload_is_h27() {
    let (sender, ended) = mpsc::channel();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\nhalf");
        sender.send(()).unwrap();
        // It closes the connection when it sees the end.
        assert_eq!(socket.read(&mut [0]).unwrap_or_default(), 0);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    for method in ["POST", "PUT"] {
        let mut client = router.connect();
        client
            .write_all(format!("{method} /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf").as_bytes())
            .unwrap();
        ended.recv().unwrap();
        drop(client);
    }

    for (line, method) in router.log_when(2).iter().zip(["POST", "PUT"]) {
        assert!(line.starts_with(&format!("{method} /a 499 web.1 ")), "{line}");
        assert!(line.ends_with(" H27 Client Request Interrupted"), "{line}");
    }
}

#[test]
fn s16_5_a_broken_upload_is_not_a_fault_of_the_dyno() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\n3\r\nabc\r\n")).unwrap();
        let _ = socket.read(&mut [0]);
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(b"PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").unwrap();
    requests.recv().unwrap();

    client.write_all(b"zz\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert_eq!(router.log_when(1).len(), 1);
    assert!(router.log()[0].starts_with("PUT /a 400 web.1 "), "{:?}", router.log());
}
