//! What the front door reads of the first request of a connection (S16.7). Everything else is the router's of the app.

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use super::request_rules::host;
use super::{HostName, Rejection, wants_json};

/// The headers that decide.
const READ: [HeaderName; 2] = [header::HOST, header::ACCEPT];

/// The first request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRequest {
    /// The host that it names.
    pub host: HostName,
    /// Whether the client wants JSON instead of a page.
    pub wants_json: bool,
    /// Whether the answer has no body.
    pub is_head: bool,
}

impl FirstRequest {
    /// Reads the head at the beginning of `bytes`, which a [`RequestGuard`](super::RequestGuard) has accepted.
    ///
    /// # Errors
    /// It names no host, or more than one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        // Some clients send an empty line before a request.
        let first = lines.find(|line| !line.is_empty()).ok_or(Rejection::RequestLine)?;
        let mut words = first.split(|byte| *byte == b' ');
        let method = Method::from_bytes(words.next().unwrap_or_default()).map_err(|_| Rejection::Method)?;
        let target = Uri::try_from(words.next().unwrap_or_default()).map_err(|_| Rejection::Target)?;
        let (mut head, ()) = Request::new(()).into_parts();
        (head.method, head.uri) = (method, target);
        for line in lines.take_while(|line| !line.is_empty()) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = line.split_at(colon);
            let read = READ.iter().find(|read| read.as_str().as_bytes().eq_ignore_ascii_case(name));
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if let (Some(name), Ok(value)) = (read, HeaderValue::from_bytes(value)) {
                head.headers.append(name, value);
            }
        }
        let host = host(&mut head)?;
        Ok(Self { host, wants_json: wants_json(&head.headers), is_head: head.method == Method::HEAD })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::HostKind;

    fn kind(head: &str) -> Result<HostKind, Rejection> {
        FirstRequest::parse(head.as_bytes()).map(|first| first.host.kind().clone())
    }

    #[test]
    fn s16_7_the_front_door_reads_the_host_of_the_first_request() {
        let below = |label: &str| Ok(HostKind::BelowLocalhost(label.to_owned()));
        let cases = [
            ("GET / HTTP/1.1\r\nHost: shop.localhost:4900\r\n\r\n", below("shop")),
            ("\r\nGET / HTTP/1.1\r\nA: b\r\nhost:shop.localhost\r\n\r\nHost: other\r\n\r\n", below("shop")),
            ("GET http://shop.localhost/ HTTP/1.1\r\nHost: other.localhost\r\n\r\n", below("shop")),
            ("OPTIONS * HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", below("shop")),
            ("GET / HTTP/1.0\r\n\r\n", Err(Rejection::NoHost)),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Err(Rejection::TwoHosts)),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Err(Rejection::Host)),
            ("CONNECT shop.localhost:80 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", Err(Rejection::Connect)),
        ];
        for (head, expected) in cases {
            assert_eq!(kind(head), expected, "{head:?}");
        }
    }

    #[test]
    fn s16_7_a_client_that_accepts_json_by_name_gets_the_list_as_json() {
        let json = "HEAD / HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n";
        let first = FirstRequest::parse(json.as_bytes()).unwrap();
        assert!(first.wants_json && first.is_head);

        let page = FirstRequest::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n").unwrap();
        assert!(!page.wants_json && !page.is_head);
    }
}
