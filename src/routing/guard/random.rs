//! Property tests: the verdict does not depend on how the bytes arrive, and a second, simpler reading finds the same
//! requests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

/// What a guard found out about a whole stream.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    refusal: Option<Rejection>,
    heads: u64,
    /// Where the requests end that are complete.
    ends: Vec<usize>,
}

/// Feeds pieces of these lengths, and then the rest byte by byte.
fn found(limits: HeadLimits, stream: &[u8], pieces: &[usize]) -> Found {
    let mut guard = RequestGuard::new(limits);
    let mut found = Found { refusal: None, heads: 0, ends: Vec::new() };
    let mut at = 0;
    let mut pieces = pieces.iter();
    while at < stream.len() {
        let length = pieces.next().map_or(1, |piece| (*piece).max(1)).min(stream.len() - at);
        let guarded = guard.feed(&stream[at..at + length]);
        assert!(guarded.good <= length);
        found.heads = guard.heads();
        found.refusal = guarded.refusal;
        if guarded.good < length {
            break;
        }
        at += length;
        if length == 1 && guard.is_between_requests() {
            found.ends.push(at);
        }
    }
    found
}

/// Lines and pieces of lines that requests, good and bad, consist of.
pub(super) fn piece() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\n",
        "Host: a\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "content-length:7\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "X: y\r\n",
        " folded\r\n",
        "\r\n",
        "\r",
        "\n",
        "5\r\n",
        "hello",
        "hello\r\n",
        "0\r\n\r\n",
        "0\r\n",
        "A;b=c\r\n0123456789\r\n",
        "5;\r\n",
        "GET /",
        " ",
        ":",
        "\u{0}",
        "\u{16}",
    ];
    prop_oneof![8 => select(parts.map(|part| part.as_bytes().to_vec()).to_vec()), 1 => vec(any::<u8>(), 0..4)]
}

/// A request that is well-formed, and where it ends.
pub(super) fn request() -> impl Strategy<Value = Vec<u8>> {
    let headers =
        ["X: y\r\n", "Accept: */*\r\n", "Cookie: a=b; c=d\r\n", "Connection: keep-alive\r\n", "TE: trailers\r\n"];
    let body = prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..40)
            .prop_map(|body| [format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body].concat()),
        (vec(vec(any::<u8>(), 1..20), 0..4), select(vec!["", ";x", " ; y=\"z\""]), select(vec!["", "X-Sum: 1\r\n"]))
            .prop_map(|(chunks, extension, trailers)| {
                let mut text = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
                for chunk in chunks {
                    text.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                    text.extend(chunk);
                    text.extend(b"\r\n");
                }
                text.extend(format!("0\r\n{trailers}\r\n").into_bytes());
                text
            }),
    ];
    (select(vec!["GET", "POST", "DELETE"]), subsequence(headers.to_vec(), 0..=headers.len()), body).prop_map(
        |(method, headers, body)| {
            let end: &[u8] = if body.is_empty() { b"\r\n" } else { &body };
            [format!("{method} /a?b HTTP/1.1\r\nHost: a\r\n{}", headers.concat()).as_bytes(), end].concat()
        },
    )
}

/// A request that was read whole: where it ends, and its body.
type Whole = (usize, Vec<u8>);

/// A simple reading of requests that a guard has let pass. It reads whole messages with the means of the
/// standard library, and knows only what RFC 9112, section 6.3, says about accepted requests.
pub(super) fn reference(stream: &[u8]) -> Vec<Whole> {
    let mut ends = Vec::new();
    let mut at = 0;
    loop {
        while stream[at..].starts_with(b"\r\n") {
            at += 2;
        }
        let Some(head) = find(&stream[at..], b"\r\n\r\n") else { return ends };
        let text = String::from_utf8_lossy(&stream[at..at + head]).to_lowercase();
        let header = |name: &str| {
            let mut values = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
            values.find(|(known, _)| *known == name).map(|(_, value)| value.trim().to_owned())
        };
        let mut end = at + head + 4;
        let mut body = Vec::new();
        if let Some(length) = header("content-length") {
            let begin = end;
            end += length.parse::<usize>().expect("a number");
            body.extend(stream.get(begin..end).unwrap_or_default());
        } else if header("transfer-encoding").is_some() {
            loop {
                let Some(line) = find(stream.get(end..).unwrap_or_default(), b"\r\n") else { return ends };
                let size = String::from_utf8_lossy(&stream[end..end + line]).into_owned();
                let digits = size.split(';').next().expect("a size").trim();
                let size = usize::from_str_radix(digits, 16).expect("a size");
                end += line + 2;
                if size == 0 {
                    break;
                }
                body.extend(stream.get(end..end + size).unwrap_or_default());
                end += size + 2;
            }
            loop {
                let Some(line) = find(stream.get(end..).unwrap_or_default(), b"\r\n") else { return ends };
                end += line + 2;
                if line == 0 {
                    break;
                }
            }
        }
        if end > stream.len() {
            return ends;
        }
        ends.push((end, body));
        at = end;
        let is_http10 = text.split("\r\n").next().is_some_and(|line| line.ends_with("http/1.0"));
        let connection = text.split("\r\n").filter_map(|line| line.strip_prefix("connection:")).collect::<Vec<_>>();
        let says = |option: &str| connection.iter().any(|value| value.trim() == option);
        if says("close") || (is_http10 && !says("keep-alive")) {
            return ends;
        }
    }
}

fn ends(stream: &[u8]) -> Vec<usize> {
    reference(stream).into_iter().map(|(end, _)| end).collect()
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

proptest! {
    #[test]
    fn s16_6_the_verdict_does_not_depend_on_how_the_bytes_arrive(
        pieces in vec(piece(), 0..14),
        lengths in vec(1..40_usize, 0..20),
        is_platform in any::<bool>(),
    ) {
        let stream = pieces.concat();
        let limits = HeadLimits { line: 60, head: 200, headers: 5, name: 20, ..HeadLimits::new(is_platform) };
        let whole = found(limits, &stream, &[stream.len()]);
        let single = found(limits, &stream, &[]);
        let split = found(limits, &stream, &lengths);

        prop_assert_eq!((&split.refusal, split.heads), (&whole.refusal, whole.heads));
        prop_assert_eq!((&single.refusal, single.heads), (&whole.refusal, whole.heads));
    }

    #[test]
    fn s16_6_what_passes_is_framed_like_in_a_simple_reading(pieces in vec(prop_oneof![piece(), request()], 0..14)) {
        let stream = pieces.concat();
        let found = found(HeadLimits::new(false), &stream, &[]);

        if found.refusal.is_none() {
            prop_assert_eq!(found.ends, ends(&stream));
        }
    }

    #[test]
    fn s16_6_well_formed_requests_pass_and_end_where_they_were_made_to(
        requests in vec(request(), 1..6),
        lengths in vec(1..200_usize, 0..20),
    ) {
        let stream = requests.concat();
        let mut ends = Vec::new();
        for request in &requests {
            ends.push(ends.last().unwrap_or(&0) + request.len());
        }
        let single = found(HeadLimits::new(true), &stream, &[]);

        prop_assert_eq!(single.refusal, None);
        prop_assert_eq!(&single.ends, &ends);
        prop_assert_eq!(super::random::ends(&stream), ends);
        prop_assert_eq!(found(HeadLimits::new(true), &stream, &lengths).heads, requests.len() as u64);
    }
}
