//! Heads in, heads out.

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};

use super::*;
use crate::routing::{AnswerFault, HCode, HostKind};

const ID: u128 = 0x8c8f_7b0e_1234_5678_9abc_def0_1234_5678;
const NEW_ID: &str = "8c8f7b0e-1234-5678-9abc-def012345678";
const NOW: u64 = 1_757_991_324_741;

fn rules(is_platform: bool) -> RequestRules {
    RequestRules { port: 5000, is_platform }
}

fn client() -> ClientAddress {
    ClientAddress::new("127.0.0.1".parse().unwrap())
}

/// The head of a request with `Host: localhost:5000` unless the headers have another.
fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::builder().method(method).uri(target);
    if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        request = request.header("host", "localhost:5000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn prepared(headers: &[(&str, &str)]) -> (request::Parts, Prepared) {
    let mut head = request("GET", "/a?b", headers);
    let prepared = rules(false).prepare(&mut head, &client(), NOW, ID).expect("accepted");
    (head, prepared)
}

fn rejected(mut head: request::Parts) -> Option<Rejection> {
    rules(false).prepare(&mut head, &client(), NOW, ID).err()
}

/// All headers but those that every request gets.
fn rest(headers: &HeaderMap) -> Vec<(String, String)> {
    let added =
        ["x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-request-id", "x-request-start", "via", "host"];
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut rest: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .filter(|(name, _)| !added.contains(&name.as_str()))
        .collect();
    rest.sort();
    rest
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn s16_2_a_dyno_sees_the_headers_of_the_platform() {
    let (head, prepared) = prepared(&[("Accept", "*/*")]);

    let header =
        |name: &str| head.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(header("host"), ["localhost:5000"]);
    assert_eq!(header("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(header("x-forwarded-proto"), ["http"]);
    assert_eq!(header("x-forwarded-port"), ["5000"]);
    assert_eq!(header("x-request-id"), [NEW_ID]);
    assert_eq!(header("x-request-start"), ["1757991324741"]);
    assert_eq!(header("via"), ["1.1 dyno-router"]);
    assert_eq!(rest(&head.headers), pairs(&[("accept", "*/*")]));
    assert_eq!(*prepared.host.kind(), HostKind::Localhost);
    assert!(!prepared.wants_upgrade && !prepared.expects_continue);
    let mut platform = request("GET", "/", &[]);
    rules(true).prepare(&mut platform, &client(), NOW, ID).unwrap();
    assert_eq!(platform.headers["via"], "1.1 heroku-router");
}

#[test]
fn s16_2_a_list_of_addresses_grows_and_what_a_client_claims_is_replaced() {
    let (head, _) = prepared(&[
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-For", "8.8.8.8, 7.7.7.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Proto", "wss"),
        ("X-Forwarded-Port", "443"),
        ("X-Request-Start", "1"),
        ("X-Forwarded-Host", "kept.example"),
        ("Via", "1.1 other"),
    ]);

    let header =
        |name: &str| head.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(header("x-forwarded-for"), ["9.9.9.9, 8.8.8.8, 7.7.7.7, 127.0.0.1"]);
    assert_eq!(header("x-forwarded-proto"), ["http"]);
    assert_eq!(header("x-forwarded-port"), ["5000"]);
    assert_eq!(header("x-request-start"), ["1757991324741"]);
    assert_eq!(header("x-forwarded-host"), ["kept.example"]);
    assert_eq!(header("via"), ["1.1 other, 1.1 dyno-router"]);
    let mut mapped = request("GET", "/", &[]);
    rules(false).prepare(&mut mapped, &ClientAddress::new("::ffff:10.0.0.1".parse().unwrap()), NOW, ID).unwrap();
    assert_eq!(mapped.headers["x-forwarded-for"], "10.0.0.1");
}

#[test]
fn s16_2_a_usable_request_id_of_the_client_is_kept() {
    let id = |ids: &[&str]| {
        let headers: Vec<(&str, &str)> = ids.iter().map(|id| ("X-Request-Id", *id)).collect();
        let (head, _) = prepared(&headers);
        assert_eq!(head.headers.get_all("x-request-id").iter().count(), 1);
        head.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    for kept in ["aB3+/=-".repeat(3), "x".repeat(20), "x".repeat(200)] {
        assert_eq!(id(&[&kept]), kept);
    }
    for other in ["", &"x".repeat(19), &"x".repeat(201), &"x y".repeat(10), &"x_".repeat(10), &"x,".repeat(10)] {
        assert_eq!(id(&[other]), NEW_ID, "{other}");
    }
    assert_eq!(id(&[&"x".repeat(20), &"y".repeat(20)]), NEW_ID);
}

// RFC 9112, section 3.2; DNS rebinding.
#[test]
fn s16_2_a_request_needs_exactly_one_valid_host() {
    let without = Request::builder().uri("/").body(()).unwrap().into_parts().0;
    assert_eq!(rejected(without), Some(Rejection::NoHost));
    let two = [("Host", "localhost"), ("Host", "localhost")];
    assert_eq!(rejected(request("GET", "/", &two)), Some(Rejection::TwoHosts));
    for host in ["", "a/b c", "localhost:x", "a@b"] {
        assert_eq!(rejected(request("GET", "/", &[("Host", host)])), Some(Rejection::Host), "{host}");
    }
    // The same for a request that asks for a tunnel.
    let upgrade = [("Host", "a b"), ("Connection", "upgrade"), ("Upgrade", "websocket")];
    assert_eq!(rejected(request("GET", "/", &upgrade)), Some(Rejection::Host));
}

// RFC 9112, section 3.2.2: a proxy must ignore `Host` in favour of an absolute target.
#[test]
fn s16_2_the_host_of_an_absolute_target_replaces_the_header() {
    let mut head = request("GET", "http://evil.example:81/a?b", &[("Host", "localhost:5000")]);
    let prepared = rules(false).prepare(&mut head, &client(), NOW, ID).unwrap();

    assert_eq!(*prepared.host.kind(), HostKind::Other("evil.example".to_owned()));
    assert_eq!(head.headers.get_all("host").iter().collect::<Vec<_>>(), ["evil.example:81"]);
    assert_eq!(head.uri, "/a?b");
    for target in ["https://localhost/", "ftp://localhost/"] {
        assert_eq!(rejected(request("GET", target, &[])), Some(Rejection::Target), "{target}");
    }
    assert_eq!(rejected(request("GET", "http://user@localhost/", &[])), Some(Rejection::Host));
    let without = Request::builder().uri("http://localhost/").body(()).unwrap().into_parts().0;
    assert_eq!(rejected(without), Some(Rejection::NoHost));
}

// RFC 9112, sections 3.2.3 and 3.2.4.
#[test]
fn s16_6_connect_and_odd_targets_reach_no_dyno() {
    assert_eq!(rejected(request("CONNECT", "localhost:80", &[])), Some(Rejection::Connect));
    assert_eq!(rejected(request("GET", "localhost:80", &[])), Some(Rejection::Target));
    assert_eq!(rejected(request("GET", "*", &[])), Some(Rejection::Target));
    let mut options = request("OPTIONS", "*", &[]);
    rules(false).prepare(&mut options, &client(), NOW, ID).unwrap();
    assert_eq!(options.uri, "*");
}

// RFC 9110, section 7.6.2.
#[test]
fn s16_6_max_forwards_counts_for_options_and_trace_only() {
    let passed = |method: &str, values: &[&str]| {
        let headers: Vec<(&str, &str)> = values.iter().map(|value| ("Max-Forwards", *value)).collect();
        let mut head = request(method, "/", &headers);
        let prepared = rules(false).prepare(&mut head, &client(), NOW, ID)?;
        let left = head.headers.get_all("max-forwards").iter().map(|value| value.to_str().unwrap().to_owned());
        Ok((prepared.ends_here, left.collect::<Vec<_>>().join("|")))
    };
    for method in ["OPTIONS", "TRACE"] {
        for (values, left) in [
            (&["1"][..], "0"),
            (&["010"], "9"),
            (&["99999999999999999999999"], "18446744073709551614"),
            (&["7", "5"], "4"),
            (&["-1"], "-1"),
            (&["+0"], "+0"),
            (&[""], ""),
            (&[], ""),
        ] {
            assert_eq!(passed(method, values), Ok((false, left.to_owned())), "{method} {values:?}");
        }
    }
    for values in [&["0"][..], &["000"], &["5", "0"]] {
        assert_eq!(passed("OPTIONS", values).map(|(ends_here, _)| ends_here), Ok(true), "{values:?}");
        assert_eq!(passed("TRACE", values), Err(Rejection::Trace), "{values:?}");
    }
    assert_eq!(passed("GET", &["0"]), Ok((false, "0".to_owned())));
}

// RFC 9110, section 10.1.1.
#[test]
fn s16_1_expect_ends_at_the_router() {
    let (head, prepared) = prepared(&[("Expect", "100-Continue")]);
    assert!(prepared.expects_continue && !head.headers.contains_key("expect"));
    for expect in ["foo", "", "100-continue, foo", "100-continue;q=1"] {
        assert_eq!(rejected(request("POST", "/", &[("Expect", expect)])), Some(Rejection::Expect), "{expect}");
    }
    let mut old = request("POST", "/", &[("Expect", "100-continue")]);
    old.version = Version::HTTP_10;
    assert!(!rules(false).prepare(&mut old, &client(), NOW, ID).unwrap().expects_continue);
    assert!(!old.headers.contains_key("expect"));
    assert_eq!(old.version, Version::HTTP_11);
}

// RFC 9110, section 7.6.1.
#[test]
fn s16_2_headers_of_one_connection_are_removed() {
    let (head, _) = prepared(&[
        ("Connection", "X-A, keep-alive"),
        ("Connection", "close, X-B"),
        ("X-A", "1"),
        ("X-B", "2"),
        ("X-C", "3"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "gzip;q=0.5"),
        ("Upgrade", "websocket"),
        ("HTTP2-Settings", "x"),
    ]);
    assert_eq!(rest(&head.headers), pairs(&[("x-c", "3")]));
    // What the meaning of the message depends on cannot be removed.
    let (head, _) = prepared(&[("Connection", "host, content-length, via, x-forwarded-for"), ("Content-Length", "5")]);
    assert_eq!(rest(&head.headers), pairs(&[("content-length", "5")]));
    assert_eq!(
        (&head.headers["host"], &head.headers["x-forwarded-for"]),
        (&HeaderValue::from_static("localhost:5000"), &HeaderValue::from_static("127.0.0.1"))
    );
}

// RFC 9110, sections 6.5 and 10.1.4.
#[test]
fn s16_1_trailers_can_be_announced() {
    let (head, _) = prepared(&[("TE", "gzip, Trailers"), ("Connection", "TE"), ("Trailer", "X-Sum")]);
    assert_eq!(rest(&head.headers), pairs(&[("connection", "te"), ("te", "trailers"), ("trailer", "X-Sum")]));
}

// RFC 9110, section 7.8.
#[test]
fn s16_1_an_upgrade_passes_except_to_http2() {
    let (head, prepared_head) =
        prepared(&[("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("TE", "trailers")]);
    assert!(prepared_head.wants_upgrade);
    assert_eq!(
        rest(&head.headers),
        pairs(&[("connection", "upgrade, te"), ("te", "trailers"), ("upgrade", "websocket")])
    );
    assert_eq!(head.headers["x-forwarded-for"], "127.0.0.1");

    let http2 = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "x")];
    let (head, prepared_head) = prepared(&http2);
    assert!(!prepared_head.wants_upgrade);
    assert_eq!(rest(&head.headers), []);
    let (head, _) = prepared(&[("Connection", "upgrade"), ("Upgrade", "h2c, websocket")]);
    assert_eq!(head.headers["upgrade"], "websocket");
    // Only `Connection` makes it one.
    assert!(!prepared(&[("Upgrade", "websocket")]).1.wants_upgrade);
    // HTTP/1.0 does not have it.
    let mut old = request("GET", "/", &[("Connection", "upgrade"), ("Upgrade", "websocket")]);
    old.version = Version::HTTP_10;
    assert!(!rules(false).prepare(&mut old, &client(), NOW, ID).unwrap().wants_upgrade);
}

// RFC 9112, section 6.
#[test]
fn s16_6_a_body_stays_framed_as_it_came() {
    let (head, _) = prepared(&[("Content-Length", "5"), ("Content-Length", "05")]);
    assert_eq!(rest(&head.headers), pairs(&[("content-length", "5")]));
    let (head, _) = prepared(&[("Transfer-Encoding", "Chunked")]);
    assert_eq!(rest(&head.headers), pairs(&[("transfer-encoding", "chunked")]));
    for lengths in [["5", "6"], ["5", ""], ["+5", "5"], ["5,5", "5"]] {
        let headers = lengths.map(|length| ("Content-Length", length));
        assert_eq!(rejected(request("POST", "/", &headers)), Some(Rejection::ContentLength), "{lengths:?}");
    }
    let both = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")];
    assert_eq!(rejected(request("POST", "/", &both)), Some(Rejection::TwoLengths));
}

#[test]
fn s16_2_a_request_that_comes_back_again_and_again_is_a_loop() {
    let mut head = request("GET", "/", &[]);
    for _ in 0..MOST_PASSES {
        rules(false).prepare(&mut head, &client(), NOW, ID).expect("an app may ask a second app");
    }
    assert_eq!(rules(false).prepare(&mut head, &client(), NOW, ID), Err(Rejection::Loop));
    assert_eq!(Rejection::Loop.status(), 508);
    let others = vec![("Via", "1.1 vegur"); 20];
    assert_eq!(rejected(request("GET", "/", &others)), None);
}

#[test]
fn s16_3_only_idempotent_methods_are_sent_again() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        assert!(is_idempotent(&method.parse().unwrap()), "{method}");
    }
    for method in ["POST", "PATCH", "LOCK", "get", "CONNECT"] {
        assert!(!is_idempotent(&method.parse().unwrap()), "{method}");
    }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> http::response::Parts {
    let mut answer = Response::builder().status(status).version(Version::HTTP_10);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(()).unwrap().into_parts().0
}

fn answered(status: u16, headers: &[(&str, &str)], wants_upgrade: bool) -> Result<Vec<(String, String)>, HCode> {
    let mut head = answer(status, headers);
    rules(false).prepare_answer(&mut head, wants_upgrade)?;
    assert_eq!(head.version, Version::HTTP_11);
    assert_eq!(head.headers["via"].to_str().unwrap().rsplit(", ").next(), Some("1.1 dyno-router"));
    Ok(rest(&head.headers))
}

// RFC 9110, sections 7.6.1 and 7.6.3.
#[test]
fn s16_2_an_answer_loses_the_headers_of_one_connection() {
    let kept = [("server", "nginx"), ("set-cookie", "a"), ("set-cookie", "b"), ("trailer", "X-Sum")];
    let headers = [
        ("Connection", "close, X-A"),
        ("X-A", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Upgrade", "h2c"),
        ("Transfer-Encoding", "chunked"),
    ];
    assert_eq!(answered(200, &[&kept[..], &headers].concat(), false), Ok(pairs(&kept)));
    let mut head = answer(200, &[("Via", "1.1 app")]);
    rules(true).prepare_answer(&mut head, false).unwrap();
    assert_eq!(head.headers["via"], "1.1 app, 1.1 heroku-router");
    assert_eq!(head.headers["server"], "Heroku");
    let mut named = answer(200, &[("Server", "x")]);
    rules(true).prepare_answer(&mut named, false).unwrap();
    assert_eq!(named.headers["server"], "x");
}

// RFC 9110, sections 7.8, 15.2.2 and 15.5.22.
#[test]
fn s16_1_a_tunnel_opens_only_if_the_client_asked_for_one() {
    let headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", "x")];
    let expected = [("connection", "upgrade"), ("sec-websocket-accept", "x"), ("upgrade", "websocket")];
    assert_eq!(answered(101, &headers, true), Ok(pairs(&expected)));
    assert_eq!(answered(101, &headers, false), Err(HCode::H17));
    assert_eq!(answered(426, &headers, true), Ok(pairs(&expected)));
    assert_eq!(answered(426, &headers[1..], true), Ok(pairs(&expected[1..2])));
    assert_eq!(answered(403, &headers, true), Ok(pairs(&expected[1..2])));
}

// RFC 9112, section 6.3, rules 3 and 5.
#[test]
fn s16_5_an_answer_with_two_lengths_is_h25() {
    let fault = Err(HCode::H25(AnswerFault::ContentLength));
    assert_eq!(answered(200, &[("Content-Length", "5"), ("Content-Length", "6")], false), fault);
    assert_eq!(answered(200, &[("Content-Length", "5x")], false), fault);
    let same = [("Content-Length", "5"), ("Content-Length", "5")];
    assert_eq!(answered(200, &same, false), Ok(pairs(&[("content-length", "5")])));
    assert_eq!(answered(200, &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")], false), Ok(Vec::new()));
    // Its bytes would reach the client without the name of the coding.
    assert_eq!(answered(200, &[("Transfer-Encoding", "gzip, chunked")], false), Err(HCode::H17));
}

#[test]
fn s16_6_large_headers_of_an_answer_are_h25_on_the_platform_only() {
    let checked = |name: &'static str, length: usize, is_platform: bool| {
        let mut head = answer(200, &[]);
        let value = HeaderValue::from_bytes(&vec![b'x'; length]).unwrap();
        head.headers.append(HeaderName::from_static(name), value);
        rules(is_platform).prepare_answer(&mut head, false).err()
    };
    assert_eq!(checked("set-cookie", 8192, true), None);
    assert_eq!(checked("set-cookie", 8193, true), Some(HCode::H25(AnswerFault::Cookie)));
    assert_eq!(checked("set-cookie", 8193, false), None);
    assert_eq!(checked("x-big", 512 * 1024 - 7, true), None);
    assert_eq!(checked("x-big", 512 * 1024 - 6, true), Some(HCode::H25(AnswerFault::Header)));
    assert_eq!(checked("x-big", 512 * 1024, false), None);
    assert_eq!(StatusCode::from_u16(HCode::H25(AnswerFault::Header).status()).unwrap(), StatusCode::BAD_GATEWAY);
}
