//! Requests that two servers could understand differently (RFC 9112, sections 2 to 7; S16.6).

use super::*;

/// A second request, which a wrong reading of the first one would let through.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A dyno that answers nothing, and what all its connections have received.
fn recorder() -> (u16, Arc<Mutex<Vec<u8>>>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    let port = dyno(move |mut socket| {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = socket.read(&mut bytes) {
            kept.lock().unwrap().extend_from_slice(&bytes[..count]);
        }
    });
    (port, received)
}

/// Sends these bytes and a second request. Returns the statuses of all answers.
fn statuses(router: &TestRouter, request: &str) -> Vec<String> {
    let mut client = router.connect();
    // The router may close the connection before it has read everything.
    let _ = client.write_all(format!("{request}{SMUGGLED}").as_bytes());
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let heads = answer.split("HTTP/1.1 ").skip(1);
    heads.filter(|head| head.contains("\r\n\r\n")).filter_map(|head| head.get(..3)).map(str::to_owned).collect()
}

/// Each with the section of RFC 9112, unless it says another RFC, and the status.
const HEADS: &[(&str, &str, &str)] = &[
    ("2.2 a line ends with LF", "400", "GET / HTTP/1.1\nHost: localhost\n\n"),
    ("2.2 one header ends with LF", "400", "GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"),
    ("2.2 a CR in a value", "400", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n"),
    ("2.2 a blank before the first header", "400", "GET / HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n"),
    ("2.2 more than two empty lines", "400", "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("2.3 HTTP/0.9", "400", "GET /\r\n"),
    ("2.3 HTTP/2", "505", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    ("2.3 the preface of HTTP/2", "505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("2.3 a small http", "400", "GET / http/1.1\r\nHost: localhost\r\n\r\n"),
    ("3 two blanks", "400", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3 a tab", "400", "GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3 a blank at the end", "400", "GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n"),
    ("3.1 no method", "400", " / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.1 no token", "400", "G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.2 no Host", "400", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    ("3.2 no Host in HTTP/1.0", "400", "GET / HTTP/1.0\r\n\r\n"),
    ("3.2 two Hosts", "400", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
    ("3.2 a Host with a path", "400", "GET / HTTP/1.1\r\nHost: localhost/x\r\nConnection: close\r\n\r\n"),
    ("3.2 a Host with a user", "400", "GET / HTTP/1.1\r\nHost: a@localhost\r\nConnection: close\r\n\r\n"),
    ("3.2 a fragment", "400", "GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.2 a quote in a path", "400", "GET /a?\"b\" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.2.1 no slash", "400", "GET a HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    (
        "3.2.2 another host in the target",
        "421",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ),
    (
        "3.2.2 a user in the target",
        "400",
        "GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ),
    ("3.2.2 no host in the target", "400", "GET http:///x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.2.2 another scheme", "400", "GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.2.3 CONNECT", "405", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("3.2.4 GET *", "400", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("5.1 a blank before the colon", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\n"),
    ("5.1 no colon", "400", "GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n"),
    ("5.1 no name", "400", "GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n"),
    ("5.2 a folded header", "400", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"),
    (
        "5.2 a folded Transfer-Encoding",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    ),
    ("5.5 of RFC 9110: a NUL", "400", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"),
    (
        "6.1 CL.TE",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 TE.CL",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 TE.TE",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 chunked in a longer word",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 a vertical tab",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 chunked is not the last",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 chunked twice",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 an unknown coding",
        "501",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 with HTTP/1.0",
        "400",
        "POST / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("6.2 a sign", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde"),
    ("6.2 a negative length", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"),
    ("6.2 hexadecimal", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\nabcde"),
    ("6.2 a list", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nabcde"),
    ("6.2 two numbers", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5 6\r\n\r\nabcde"),
    ("6.2 no number", "400", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n"),
    (
        "6.2 more than 64 bits",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n",
    ),
    (
        "6.3 two lengths",
        "400",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nabcde",
    ),
    (
        "10.1.1 of RFC 9110: an unknown Expect",
        "417",
        "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ),
    ("TLS", "400", "\x16\x03\x01\x02\0\x01"),
];

#[test]
fn s16_6_nothing_of_an_ambiguous_request_reaches_a_dyno() {
    let (port, received) = recorder();
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut wrong = Vec::new();
    for (count, (what, status, request)) in (1..).zip(HEADS) {
        let answers = statuses(&router, request);
        if answers.first().map(String::as_str) != Some(status) || answers.len() != 1 {
            wrong.push(format!("{what}: {answers:?} instead of {status}"));
        }
        // Also those that hyper refuses.
        let line = router.log_when(count).pop().unwrap();
        if !line.contains(&format!(" {status} ")) || router.log().len() != count {
            wrong.push(format!("{what}: the last line is {line}"));
        }
        let bytes = std::mem::take(&mut *received.lock().unwrap());
        if !bytes.is_empty() {
            wrong.push(format!("{what}: the dyno got {:?}", String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The body of a request in chunks (RFC 9112, section 7.1).
const BODIES: &[(&str, &str)] = &[
    ("7.1 a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("7.1 a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    ("7.1 a negative size", "-3\r\nabc\r\n0\r\n\r\n"),
    ("7.1 a blank before the size", " 3\r\nabc\r\n0\r\n\r\n"),
    ("7.1 no size", "\r\nabc\r\n0\r\n\r\n"),
    ("7.1 a size over 64 bits", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("7.1 more bytes than the size", "3\r\nabcd\r\n0\r\n\r\n"),
    ("7.1 no CR LF after the bytes", "3\r\nabc0\r\n\r\n"),
    ("2.2 a size that ends with LF", "3\nabc\r\n0\r\n\r\n"),
    ("2.2 bytes that end with LF", "3\r\nabc\n0\r\n\r\n"),
    ("7.1.1 a CR in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("7.1.1 an LF in an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
    ("7.1.1 an extension without semicolon", "3 a\r\nabc\r\n0\r\n\r\n"),
    ("7.1.2 a trailer that sets a length", "0\r\nContent-Length: 5\r\n\r\n"),
    ("7.1.2 a trailer that sets a coding", "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("7.1.2 a trailer that sets the host", "0\r\nHost: evil.example\r\n\r\n"),
    ("5.2 a folded trailer", "0\r\nX: a\r\n b\r\n\r\n"),
    ("5.1 a trailer without colon", "0\r\nX\r\n\r\n"),
];

#[test]
fn s16_6_bytes_after_a_malformed_body_are_not_a_request() {
    let (port, received) = recorder();
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut wrong = Vec::new();
    for (what, body) in BODIES {
        let head = "POST /first HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answers = statuses(&router, &format!("{head}{body}"));
        if answers != ["400"] {
            wrong.push(format!("{what}: {answers:?}"));
        }
    }
    assert_eq!(router.log_when(BODIES.len()).len(), BODIES.len());
    let bytes = String::from_utf8_lossy(&received.lock().unwrap()).into_owned();
    assert!(!bytes.contains("/smuggled"), "{bytes}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Requests that may look odd but have one meaning, each with what the dyno gets of its body.
const GOOD: &[(&str, &str, &str)] = &[
    ("2.2 an empty line first", "\r\nGET /first HTTP/1.1\r\nHost: localhost\r\n\r\n", ""),
    ("3.2.2 the same host in the target", "GET http://localhost/first HTTP/1.1\r\nHost: x\r\n\r\n", ""),
    ("5 no blank after the colon", "POST /first HTTP/1.1\r\nHost:localhost\r\nContent-Length:5\r\n\r\nabcde", "abcde"),
    (
        "6.3 equal lengths",
        "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        "abcde",
    ),
    ("6.3 a GET with a body", "GET /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /", "GET /"),
    (
        "6.1 in capitals",
        "POST /first HTTP/1.1\r\nHost: localhost\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "7.1 zeros before the size",
        "POST /first HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n003\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "7.1.1 an extension",
        "POST /first HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ),
];

#[test]
fn s16_6_the_next_request_begins_where_the_last_one_ends() {
    for (what, request, body) in GOOD {
        let (sender, heads) = mpsc::channel();
        let port = dyno(move |mut socket| {
            while has_next(&socket) {
                let head = read_until(&mut socket, "\r\n\r\n");
                let line = head.lines().next().unwrap_or_default().to_owned();
                let received = read_until(&mut socket, if line.contains("/first") { body } else { "" });
                sender.send((line, received)).unwrap();
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let mut client = router.connect();
        client.write_all(format!("{request}{SMUGGLED}").as_bytes()).unwrap();
        for _ in 0..2 {
            assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"), "{what}");
        }

        let method = if request.contains("POST ") { "POST" } else { "GET" };
        assert_eq!(heads.recv().unwrap(), (format!("{method} /first HTTP/1.1"), (*body).to_owned()), "{what}");
        assert_eq!(heads.recv().unwrap(), ("GET /smuggled HTTP/1.1".to_owned(), String::new()), "{what}");
    }
}
