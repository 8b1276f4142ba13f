//! Heads at the limits, and odd ones that have one meaning (S16.2, S16.6).

use std::sync::OnceLock;

use super::*;

/// The status of the answer to this head.
fn status(router: &TestRouter, head: &str) -> String {
    let mut client = router.connect();
    // The router may refuse it before it has read everything.
    let _ = client.write_all(head.as_bytes());
    read_until(&mut client, "\r\n\r\n").get(9..12).unwrap().to_owned()
}

/// A head with this many bytes.
fn head(bytes: usize) -> String {
    let line = "GET /a HTTP/1.1\r\nHost: localhost\r\nX: ";
    format!("{line}{}\r\n\r\n", "x".repeat(bytes - line.len() - 4))
}

/// A head with a first line of this many bytes, without its end.
fn long_line(bytes: usize) -> String {
    format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(bytes - "GET / HTTP/1.1".len()))
}

fn many(headers: usize) -> String {
    let others = "X: y\r\n".repeat(headers - 1);
    format!("GET /a HTTP/1.1\r\nHost: localhost\r\n{others}\r\n")
}

#[test]
fn s16_6_a_head_at_a_limit_passes_and_a_longer_one_does_not() {
    let port = dyno(says("hi"));
    for (is_platform, cases) in [
        (
            false,
            [
                (head(65_536), "200"),
                (head(65_537), "431"),
                (long_line(65_000), "200"),
                (long_line(65_536), "414"),
                (many(1000), "200"),
                (many(1001), "431"),
            ],
        ),
        (
            true,
            [
                (long_line(8192), "200"),
                (long_line(8193), "400"),
                (head(8192 + 38), "200"),
                (head(8192 + 39), "400"),
                (many(1000), "200"),
                (many(1001), "400"),
            ],
        ),
    ] {
        let router = TestRouter::with_rules(|rules| rules.is_platform = is_platform);
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);
        for (at, (head, expected)) in cases.iter().enumerate() {
            assert_eq!(status(&router, head), *expected, "{is_platform} {at}");
        }
    }
}

// RFC 9112, section 3.2.4.
#[test]
fn s16_6_options_for_the_whole_server_reaches_a_dyno_as_it_is() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\n")).unwrap();
        socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert_eq!(status(&router, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"), "204");

    assert!(requests.recv().unwrap().starts_with("OPTIONS * HTTP/1.1\r\n"));
    assert!(router.log_when(1)[0].starts_with("OPTIONS * 204 web.1 "), "{:?}", router.log());
}

#[test]
fn s16_2_an_app_that_sends_its_requests_to_itself_gets_508() {
    static ROUTER: OnceLock<u16> = OnceLock::new();
    let port = dyno(|mut socket| {
        let head = read_until(&mut socket, "\r\n\r\n");
        let mut again = TcpStream::connect((Ipv4Addr::LOCALHOST, *ROUTER.get().unwrap())).unwrap();
        again.write_all(head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        again.read_to_end(&mut answer).unwrap();
        socket.write_all(&answer).unwrap();
    });
    let router = TestRouter::start();
    ROUTER.set(router.port).unwrap();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert_eq!(status(&router, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"), "508");

    let lines = router.log_when(6);
    assert_eq!(lines.iter().filter(|line| line.starts_with("GET /a 508 ")).count(), 6, "{lines:?}");
}

#[test]
fn s16_3_a_dyno_that_listens_on_ipv6_only_is_reached() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    serve(listener, says("hi"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    assert_eq!(status(&router, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"), "200");
}

#[test]
fn s16_5_an_answer_that_ends_an_upload_early_reaches_the_client() {
    let refuses = |after: &'static str| {
        dyno(move |mut socket| {
            read_until(&mut socket, after);
            let head = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
            socket.write_all(format!("{head}no").as_bytes()).unwrap();
        })
    };
    for (framing, begin) in
        [("Content-Length: 20000000\r\n\r\n", "half"), ("Transfer-Encoding: chunked\r\n\r\n", "4\r\nhalf\r\n")]
    {
        let port = refuses(begin);
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);
        let mut client = router.connect();
        client.write_all(format!("POST /a HTTP/1.1\r\nHost: localhost\r\n{framing}{begin}").as_bytes()).unwrap();

        let answer = read_until(&mut client, "\r\n\r\nno");

        assert!(answer.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{answer}");
        let line = router.log_when(1);
        assert!(line[0].starts_with("POST /a 413 web.1 ") && line[0].ends_with(" 2B"), "{line:?}");
    }
}
