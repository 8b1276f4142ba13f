//! Dynos whose answers are not as they should be (RFC 9112, sections 2 to 7; S16.5).

use super::*;

const GET: &str = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Each with the section of RFC 9112, the status and the code.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("2.1 another protocol", "503", "H17", "SSH-2.0-OpenSSH_9.2\r\n"),
    ("2.1 bytes", "503", "H17", "\x01\x02\x03\x04\r\n\r\n"),
    ("2.1 the body alone, as HTTP/0.9 has it", "503", "H17", "<html></html>\r\n\r\n"),
    ("2.3 HTTP/2", "503", "H17", "HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nhi"),
    ("4 no number", "503", "H17", "HTTP/1.1 OK\r\ncontent-length: 2\r\n\r\nhi"),
    ("4 two digits", "503", "H17", "HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nhi"),
    ("5.1 no colon", "503", "H17", "HTTP/1.1 200 OK\r\nx\r\n\r\nhi"),
    ("5.2 a folded header", "503", "H17", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\nhi"),
    ("5.5 of RFC 9110: a NUL", "503", "H17", "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\nhi"),
    ("6.1 another coding", "503", "H17", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("6.3 two lengths", "502", "H25", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi!"),
    ("6.3 a word for a length", "502", "H25", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhi"),
    (
        "15.2.2 of RFC 9110: an unwanted tunnel",
        "503",
        "H17",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ),
    ("nothing", "503", "H13", ""),
    ("half a head", "503", "H18", "HTTP/1.1 200 OK\r\ncontent-le"),
];

#[test]
fn s16_5_an_answer_that_is_not_http_never_reaches_the_client() {
    let mut wrong = Vec::new();
    for (what, status, code, bytes) in REFUSED {
        let port = dyno(move |mut socket| {
            read_until(&mut socket, "\r\n\r\n");
            socket.write_all(bytes.as_bytes()).unwrap();
        });
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let answer = router.exchange(GET);

        let line = router.log_when(1).pop().unwrap();
        let is_page = answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains("<html");
        if !is_page || !line.contains(&format!(" {code} ")) {
            wrong.push(format!("{what}: {line}\n{}", answer.lines().next().unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each with the head and the body that the client gets.
const PASSED: &[(&str, &str, &str, &str)] = &[
    (
        "6.3 both lengths",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n",
        "2\r\nhi\r\n0\r\n\r\n",
    ),
    (
        "6.3 equal lengths",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi",
        "content-length: 2\r\n",
        "hi",
    ),
    (
        "6.3 the end of the connection",
        "HTTP/1.1 200 OK\r\n\r\nhi",
        "transfer-encoding: chunked\r\n",
        "2\r\nhi\r\n0\r\n\r\n",
    ),
    ("2.3 HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", "content-length: 2\r\n", "hi"),
];

#[test]
fn s16_5_an_answer_with_one_meaning_passes_with_one_length() {
    for (what, bytes, length, body) in PASSED {
        let port = dyno(move |mut socket| {
            read_until(&mut socket, "\r\n\r\n");
            socket.write_all(bytes.as_bytes()).unwrap();
        });
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let answer = router.exchange(GET);

        let (head, received) = answer.split_once("\r\n\r\n").unwrap();
        let lengths = head.matches("content-length").count() + head.matches("transfer-encoding").count();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && format!("{head}\r\n").contains(length), "{what}: {head}");
        assert_eq!((lengths, received), (1, *body), "{what}");
    }
}

// RFC 9112, section 6.3, rule 1; RFC 9110, section 6.4.1.
#[test]
fn s16_5_bytes_after_an_answer_are_not_the_next_answer() {
    for (request, answer) in [
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"),
        ("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
    ] {
        let port = dyno(move |mut socket| {
            while has_next(&socket) {
                let head = read_until(&mut socket, "\r\n\r\n");
                let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
                let answer = if head.contains(" /first ") { format!("{answer}{evil}") } else { says_text("good") };
                if socket.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let mut client = router.connect();
        let ask = |client: &mut TcpStream, request: &str| {
            client.write_all(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        };
        ask(&mut client, &format!("{request} /first"));
        let first = read_until(&mut client, "\r\n\r\n");
        router.until("the first request is over", |router| router.exchanges.len() == 0);
        ask(&mut client, "GET /second");

        let rest = read_until(&mut client, "good");
        assert!(!first.contains("evil") && !rest.contains("evil"), "{request} {answer}: {rest}");
    }
}

#[test]
fn s16_6_an_answer_can_have_1_000_headers() {
    for (count, status) in [(1000, "200 OK"), (1001, "502 Bad Gateway")] {
        let cookies = "set-cookie: a=b\r\n".repeat(count - 1);
        let port = dyno(move |mut socket| {
            read_until(&mut socket, "\r\n\r\n");
            let _ = socket.write_all(format!("HTTP/1.1 200 OK\r\n{cookies}content-length: 2\r\n\r\nhi").as_bytes());
        });
        let router = TestRouter::start();
        router.publish(vec![web(1, 1, port, LifeStage::Up)]);

        let answer = router.exchange(GET);

        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{count}: {answer}");
        assert_eq!(answer.matches("set-cookie: ").count(), if status == "200 OK" { count - 1 } else { 0 });
    }
}

fn says_text(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
}

#[test]
fn s16_5_what_the_platform_finds_too_long_is_h25_there_only() {
    for (fits, head, fault) in [
        (true, format!("HTTP/1.1 200 {}\r\n", "x".repeat(8179)), ""),
        (false, format!("HTTP/1.1 200 {}\r\n", "x".repeat(8180)), "oversized status line"),
        (true, format!("HTTP/1.1 200 OK\r\nset-cookie: {}\r\n", "x".repeat(8192)), ""),
        (false, format!("HTTP/1.1 200 OK\r\nset-cookie: {}\r\n", "x".repeat(8193)), "oversized cookie"),
    ] {
        let port = dyno(move |mut socket| {
            read_until(&mut socket, "\r\n\r\n");
            socket.write_all(format!("{head}content-length: 2\r\n\r\nhi").as_bytes()).unwrap();
        });
        for is_platform in [true, false] {
            let router = TestRouter::with_rules(|rules| rules.is_platform = is_platform);
            router.publish(vec![web(1, 1, port, LifeStage::Up)]);

            let answer = router.exchange(GET);

            let line = router.log_when(1).pop().unwrap();
            if fits || !is_platform {
                assert!(answer.ends_with("\r\n\r\nhi"), "{fault}: {line}");
            } else {
                assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{fault}: {answer}");
                assert!(line.ends_with(&format!(" H25 HTTP restriction: {fault}")), "{line}");
            }
        }
    }
}
