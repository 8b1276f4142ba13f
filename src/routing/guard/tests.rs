//! The cases of RFC 9112, sections 2 to 7, in the order of the RFC.

use super::chunks::MOST_EXTENSION_BYTES;
use super::*;

/// What a guard says to all of these bytes at once: the number of complete heads, and why it stopped.
fn verdict(limits: HeadLimits, bytes: &[u8]) -> (u64, Option<Rejection>) {
    let mut guard = RequestGuard::new(limits);
    let refusal = guard.feed(bytes).refusal;
    (guard.heads(), refusal)
}

fn ours(text: &str) -> (u64, Option<Rejection>) {
    verdict(HeadLimits::new(false), text.as_bytes())
}

#[track_caller]
fn assert_refused(text: &str, rejection: Rejection) {
    assert_eq!(ours(text), (0, Some(rejection)), "{text:?}");
}

/// A complete head with these lines after the first.
fn with(headers: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

#[track_caller]
fn assert_head_refused(headers: &str, rejection: Rejection) {
    // The rest could be another request, which must not be seen.
    let text = with(headers) + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_refused(&text, rejection);
}

// RFC 9112, section 2.1.
#[test]
fn s16_6_requests_in_a_row_are_followed() {
    let get = "GET /a?b HTTP/1.1\r\nHost: a\r\nCookie: x=\u{e9}\r\n\r\n";
    let post = with("Content-Length: 5\r\n") + "GET /";
    let chunks = with("Transfer-Encoding: chunked\r\n") + "5\r\nGET /\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
    let old = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n";

    assert_eq!(ours(&[get, &post, &chunks, old, get, "GET"].concat()), (5, None));
}

// RFC 9112, section 2.2: a line ends with CR LF; a single LF, and a CR elsewhere, are where parsers differ.
#[test]
fn s16_6_a_line_must_end_with_cr_lf() {
    assert_refused("GET / HTTP/1.1\nHost: a\r\n\r\n", Rejection::BareLf);
    assert_refused("GET / HTTP/1.1\r\nHost: a\n\r\n", Rejection::BareLf);
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\n\n", Rejection::BareLf);
    assert_refused("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", Rejection::BareCr);
    assert_refused("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", Rejection::BareCr);
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Rejection::BareCr);
    assert_refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Rejection::BareLf);
}

// RFC 9112, section 2.2: a server should ignore an empty line before a request; no white space before the first header.
#[test]
fn s16_6_few_empty_lines_may_come_before_a_request() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ours(&format!("{get}\r\n\r\n{get}")), (2, None));
    assert_refused(&format!("\r\n\r\n\r\n{get}"), Rejection::RequestLine);
    assert_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Rejection::FoldedHeader);
}

// RFC 9112, sections 2.3 and 3.
#[test]
fn s16_6_the_first_line_is_method_target_and_version() {
    for line in [
        "",
        "GET",
        "GET / HTTP/1.1 ",
        "GET  / HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
        "GET / HTTP/1",
        "GET / HTTP/11",
        "GET / HTTP/1.10",
        "GET /\tHTTP/1.1 x",
    ] {
        let (heads, refusal) = ours(&format!("{line}\r\nHost: a\r\n\r\n\r\n"));
        assert_eq!((heads, refusal.map(Rejection::status)), (0, Some(400)), "{line:?}");
    }
    // HTTP/0.9.
    assert_refused("GET /\r\n", Rejection::NoVersion);
    assert_refused("GET /\tHTTP/1.1\r\n\r\n", Rejection::NoVersion);
    for version in ["0.9", "1.2", "2.0", "3.0", "9.9"] {
        assert_refused(&format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"), Rejection::Version);
    }
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Rejection::Version);
    assert_refused("\u{16}\u{3}\u{1}", Rejection::Tls);
}

// RFC 9112, section 3.1, and RFC 9110, section 5.6.2; CONNECT: RFC 9112, section 3.2.3.
#[test]
fn s16_6_a_method_is_a_token_and_not_connect() {
    let line = |method: &str| format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
    for method in ["GET", "PROPFIND", "M-SEARCH", "get", "X_Y!", &"M".repeat(127)] {
        assert_eq!(ours(&line(method)), (1, None), "{method}");
    }
    for method in ["GE(T", "G\u{e9}T", "GET:", "{}", &"M".repeat(128)] {
        assert_refused(&line(method), Rejection::Method);
    }
    assert_refused("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Rejection::Connect);
    assert_refused(&line("CONNECT"), Rejection::Connect);
}

// RFC 9112, section 3.2.
#[test]
fn s16_6_a_target_is_a_path_a_url_or_an_asterisk() {
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    for target in ["/", "//", "/a%20b?c=d&e[]={}", "/\"q\"", "http://a/b", "HTTP://a", "/\u{e9}?\u{e9}", "/?`a`|"] {
        assert_eq!(ours(&line(target)), (1, None), "{target}");
    }
    assert_eq!(ours("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), (1, None));
    for target in ["*", "a", "a:80", "https://a/", "ftp://a/", "?a", "#a", "http:///x"] {
        assert_refused(&line(target), Rejection::Target);
    }
    for (target, character) in [
        ("/<", '<'),
        ("/?>", '>'),
        ("/`", '`'),
        ("/?\"", '"'),
        ("/a#b", '#'),
        ("/a\u{7f}", '\u{7f}'),
        ("/\u{1}", '\u{1}'),
    ] {
        assert_refused(&line(target), Rejection::TargetCharacter(character as u8));
    }
    let bytes = verdict(HeadLimits::new(false), b"GET /\xff HTTP/1.1\r\n\r\n");
    assert_eq!(bytes, (0, Some(Rejection::TargetCharacter(0xff))));
    let shown = |byte| Rejection::TargetCharacter(byte).to_string();
    assert_eq!(shown(b'"'), "`\"` is not allowed in a URL: write %22");
    assert_eq!(shown(0xff), "the byte 0xff is not allowed in a URL: write %FF");
}

// RFC 9112, section 3.2: 400 for more than one `Host`, even if both are equal.
#[test]
fn s16_2_two_hosts_are_refused() {
    assert_head_refused("Host: a\r\n", Rejection::TwoHosts);
    assert_head_refused("X: y\r\nhOST:b\r\n", Rejection::TwoHosts);
}

// RFC 9112, section 5.1: no white space before the colon. RFC 9110, section 5.1: a name is a token.
#[test]
fn s16_6_the_name_of_a_header_is_a_token_right_before_a_colon() {
    for header in ["X : y\r\n", "Content-Length : 5\r\n", "X\t: y\r\n"] {
        assert_head_refused(header, Rejection::BlankBeforeColon);
    }
    for header in ["X\r\n", ": y\r\n", "X Y: z\r\n", "X\u{0}: y\r\n", "X(: y\r\n", "\u{e9}: y\r\n", "X;: y\r\n"] {
        assert_head_refused(header, Rejection::HeaderName);
    }
    assert_eq!(ours(&with("X:\r\nY:: :\r\nx_y-z.1!: a\t b \r\n")), (1, None));
}

// RFC 9112, section 5.2: a server must refuse or replace `obs-fold`. RFC 9110, section 5.5: CR, LF and NUL are dangerous.
#[test]
fn s16_6_a_folded_header_and_control_characters_are_refused() {
    assert_head_refused("X: a\r\n b\r\n", Rejection::FoldedHeader);
    assert_head_refused("X: a\r\n\tb\r\n", Rejection::FoldedHeader);
    assert_head_refused("X: a\r\n \r\n", Rejection::FoldedHeader);
    assert_head_refused("Transfer-Encoding:\r\n chunked\r\n", Rejection::FoldedHeader);
    for value in ["\u{0}", "a\u{0}b", "\u{1b}[0m", "\u{7f}", "\u{b}chunked"] {
        assert_head_refused(&format!("X: {value}\r\n"), Rejection::HeaderValue);
    }
}

// RFC 9112, section 6.1: the last coding of a request must be `chunked`; 501 for a coding that is not understood; a
// Transfer-Encoding with HTTP/1.0 is a faulty framing.
#[test]
fn s16_6_chunked_is_the_only_transfer_encoding() {
    for value in ["chunked", "CHUNKED", " \tchunked\t "] {
        let chunked = with(&format!("Transfer-Encoding:{value}\r\n")) + "0\r\n\r\n";
        assert_eq!(ours(&(chunked.clone() + &chunked)), (2, None), "{value:?}");
    }
    for value in ["gzip, chunked", "identity, chunked", "x,chunked"] {
        assert_head_refused(&format!("Transfer-Encoding: {value}\r\n"), Rejection::TransferCoding);
    }
    for value in [
        "",
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, identity",
        "chunked, chunked",
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        "\"chunked\"",
        "chunked,",
        ",chunked",
        "chunked\u{a0}",
        "chun ked",
    ] {
        assert_head_refused(&format!("Transfer-Encoding: {value}\r\n"), Rejection::TransferEncoding);
    }
    for two in [
        "chunked\r\nTransfer-Encoding: chunked",
        "gzip\r\nTransfer-encoding: chunked",
        "chunked\r\ntransfer-encoding: x",
    ] {
        assert_head_refused(&format!("Transfer-Encoding: {two}\r\n"), Rejection::TransferEncoding);
    }
    let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_refused(old, Rejection::TransferEncoding);
}

// RFC 9112, section 6.3, rule 3: a server may refuse a message with both, which may be an attempt at smuggling.
#[test]
fn s16_6_content_length_with_transfer_encoding_is_refused() {
    assert_head_refused("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Rejection::TwoLengths);
    assert_head_refused("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Rejection::TwoLengths);
    assert_head_refused("Content-Length: 0\r\nTransfer-Encoding: gzip, chunked\r\n", Rejection::TwoLengths);
    assert_head_refused("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", Rejection::TwoLengths);
}

// RFC 9112, section 6.2, and section 6.3, rule 5.
#[test]
fn s16_6_a_content_length_is_one_number() {
    for value in ["", "+5", "-5", "0x5", "5 5", "5,5", "5, 6", "5;", "1e3", "\u{664}", "18446744073709551616", "5.0"] {
        assert_head_refused(&format!("Content-Length: {value}\r\n"), Rejection::ContentLength);
    }
    assert_head_refused("Content-Length: 5\r\nContent-Length: 6\r\n", Rejection::ContentLength);
    assert_head_refused("Content-Length: 5\r\nX: y\r\ncontent-length: 0\r\n", Rejection::ContentLength);
    // Equal ones are merged, like on the platform.
    let merged = with("Content-Length: 5\r\nContent-Length: 05\r\n") + "GET /";
    assert_eq!(ours(&(merged.clone() + &merged)), (2, None));
    assert_eq!(ours(&with("Content-Length: 18446744073709551615\r\n")), (1, None));
}

// RFC 9112, section 6.3, rule 7: without either header there is no body.
#[test]
fn s16_6_the_bytes_after_a_body_are_the_next_request() {
    let mut guard = RequestGuard::new(HeadLimits::new(false));
    assert!(guard.is_between_requests() && !guard.is_in_head());
    guard.feed(b"POST / HTTP/1.1\r\nHost");
    assert!(guard.is_in_head() && !guard.is_between_requests());
    guard.feed(b": a\r\nContent-Length: 3\r\n\r\n12");
    assert!(guard.is_in_body() && !guard.is_in_head() && guard.heads() == 1);
    guard.feed(b"3");
    assert!(guard.is_between_requests() && !guard.is_in_body());
    guard.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(guard.is_between_requests() && guard.heads() == 2);
}

// RFC 9112, section 7.1: chunk-size is 1*HEXDIG, and CR LF follows the data.
#[test]
fn s16_6_a_bad_chunk_is_refused() {
    let head = with("Transfer-Encoding: chunked\r\n");
    for body in [
        "\r\n",
        "g\r\n",
        "0x5\r\nabcde\r\n",
        "+5\r\nabcde\r\n",
        "-1\r\n",
        " 5\r\nabcde\r\n",
        "5 \r\nabcde\r\n",
        "5\t\r\nabcde\r\n",
        "5 5\r\nabcde\r\n",
        "5,\r\nabcde\r\n",
        "5\r\nabcdef\r\n",
        "5\r\nabcde0\r\n\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\nabcde\r\n",
        "5;a=\u{0}\r\nabcde\r\n",
        "5;a\rb\r\nabcde\r\n",
        "0;\u{7f}\r\n\r\n",
    ] {
        assert_eq!(ours(&(head.clone() + body)), (1, Some(Rejection::Chunk)), "{body:?}");
    }
    for body in ["5\nabcde\r\n", "5\r\nabcd\r\n0\r\n\r\n", "5\r\nabcde\n", "5;x\nabcde\r\n", "0\n\r\n"] {
        assert_eq!(ours(&(head.clone() + body)), (1, Some(Rejection::Chunk)), "{body:?}");
    }
    assert_eq!(ours(&(head + "0\r\n\n")), (1, Some(Rejection::Trailer)));
}

// RFC 9112, section 7.1.1: unknown extensions must be ignored, but their total length should be limited.
#[test]
fn s16_6_extensions_of_chunks_are_skipped_up_to_a_limit() {
    let head = with("Transfer-Encoding: chunked\r\n");
    for body in
        ["5;a=b\r\nabcde\r\n0\r\n\r\n", "005 ; a=\"b;c\"\r\nabcde\r\n0;x\r\n\r\n", "A;\r\n0123456789\r\n00\r\n\r\n"]
    {
        assert_eq!(ours(&(head.clone() + body + &head)), (2, None), "{body:?}");
    }
    let long = format!("1;{}\r\nx\r\n", "a".repeat(MOST_EXTENSION_BYTES - 1));
    assert_eq!(ours(&(head.clone() + &long)), (1, None));
    assert_eq!(ours(&(head.clone() + &long + "1;\r\nx\r\n")), (1, Some(Rejection::Chunk)));
    assert_eq!(ours(&(head + "1;" + &"a".repeat(2 * MOST_EXTENSION_BYTES))), (1, Some(Rejection::Chunk)));
}

// RFC 9112, section 7.1.2, and RFC 9110, section 6.5.1: trailers must not change the framing or the routing.
#[test]
fn s16_6_trailers_pass_if_they_do_not_change_the_framing() {
    let head = with("Transfer-Encoding: chunked\r\n");
    let body = |trailers: &str| format!("{head}1\r\nx\r\n0\r\n{trailers}\r\n{head}");
    assert_eq!(ours(&body("X-Sum: 1\r\nY: z\r\n")), (2, None));
    for trailers in [
        "Content-Length: 5\r\n",
        "transfer-encoding: chunked\r\n",
        "Host: b\r\n",
        "Trailer: x\r\n",
        "X: y\r\n z\r\n",
        "X : y\r\n",
        "GET / HTTP/1.1\r\n",
        "X: \u{0}\r\n",
        "X: a\rb\r\n",
        &"X: y\r\n".repeat(65),
        &format!("X: {0}\r\nY: {0}\r\n", "y".repeat(5000)),
    ] {
        assert_eq!(ours(&body(trailers)), (1, Some(Rejection::Trailer)), "{trailers:?}");
    }
}

// RFC 9112, section 9.6: a server must not process what comes after a request with `close`.
#[test]
fn s16_6_nothing_is_passed_on_after_the_last_request() {
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let mut guard = RequestGuard::new(HeadLimits::new(false));
        let bytes = format!("{head}\n\n garbage");
        assert_eq!(guard.feed(bytes.as_bytes()), Guarded { good: head.len(), refusal: None }, "{head}");
        assert_eq!(guard.feed(b"more"), Guarded { good: 0, refusal: None });
        assert_eq!(guard.heads(), 1);
    }
}

#[test]
fn s16_6_the_limits_of_the_platform_are_for_single_lines() {
    let platform = |text: &str| verdict(HeadLimits::new(true), text.as_bytes());
    let get = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length - 14));
    let header = |length: usize| with(&format!("X: {}\r\n", "y".repeat(length - 3)));
    let name = |length: usize| with(&format!("{}:\r\n", "n".repeat(length)));

    assert_eq!(platform(&get(8192)), (1, None));
    assert_eq!(platform(&get(8193)), (0, Some(Rejection::LongLine)));
    assert_eq!(platform(&header(8192)), (1, None));
    assert_eq!(platform(&header(8193)), (0, Some(Rejection::LongLine)));
    assert_eq!(platform(&name(1000)), (1, None));
    assert_eq!(platform(&name(1001)), (0, Some(Rejection::LongLine)));
    assert_eq!(platform(&with(&"X: y\r\n".repeat(999))), (1, None));
    assert_eq!(platform(&with(&"X: y\r\n".repeat(1000))), (0, Some(Rejection::LongPlatformHead)));
    let big = |lines| with(&format!("X: {}\r\n", "y".repeat(8000)).repeat(lines));
    assert_eq!([platform(&big(32)), platform(&big(33))], [(1, None), (0, Some(Rejection::LongPlatformHead))]);
    assert_eq!(Rejection::LongPlatformHead.status(), 400);
}

#[test]
fn s16_6_without_the_platform_a_head_has_64_kib() {
    let get = |length: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(length - 16));
    let whole = |length: usize| {
        let start = get(100) + "Host: a\r\nCookie: ";
        start.clone() + &"c".repeat(length - start.len() - 4) + "\r\n\r\n"
    };

    assert_eq!(ours(&whole(65_536)), (1, None));
    assert_eq!(ours(&whole(65_537)), (0, Some(Rejection::LongHead)));
    assert_eq!(ours(&get(65_536)), (0, None));
    assert_eq!(ours(&get(65_537)), (0, Some(Rejection::LongTarget)));
    assert_eq!(ours(&with(&"X: y\r\n".repeat(999))), (1, None));
    assert_eq!(ours(&with(&"X: y\r\n".repeat(1000))), (0, Some(Rejection::LongHead)));
    // A line without an end is refused before it is complete, and no more of it is kept.
    assert_eq!(ours(&"a".repeat(65_536)), (0, Some(Rejection::LongTarget)));
    assert_eq!((Rejection::LongHead.status(), Rejection::LongTarget.status()), (431, 414));
}

#[test]
fn s16_6_nothing_passes_after_a_refusal() {
    let mut guard = RequestGuard::new(HeadLimits::new(false));
    assert_eq!(guard.feed(b"GET /\r\n"), Guarded { good: 0, refusal: Some(Rejection::NoVersion) });
    let good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(guard.feed(good), Guarded { good: 0, refusal: Some(Rejection::NoVersion) });
    assert!(!guard.is_between_requests());
}

#[test]
fn s16_6_everything_passes_through_a_tunnel() {
    let mut guard = RequestGuard::new(HeadLimits::new(false));
    guard.feed(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    guard.open_tunnel();
    assert_eq!(guard.feed(b"\n\x16\0"), Guarded { good: 3, refusal: None });
}

#[test]
fn s16_5_the_first_line_of_a_refused_request_is_known() {
    let mut guard = RequestGuard::new(HeadLimits::new(false));
    guard.feed(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST /t");
    guard.feed(b"wo HTTP/1.1\r\nX");
    guard.feed(b"\n");
    assert_eq!(guard.method_and_target(), ("POST".to_owned(), "/two".to_owned()));
    guard = RequestGuard::new(HeadLimits::new(false));
    guard.feed(b"GET\nX");
    assert_eq!(guard.method_and_target(), ("GET".to_owned(), String::new()));
}
