//! What the router changes in the head of a request and of an answer (S16.2; RFC 9110, section 7).

mod answer;
mod client_address;
mod request_id;
#[cfg(test)]
mod tests;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri, Version, request};

pub use self::client_address::ClientAddress;
use self::request_id::{is_usable_id, new_id};
use super::header_lists::{append_element, elements, has_element, merge_content_length, remove_hop_by_hop};
use super::{HostName, Rejection, RouterRules};

/// How often a request may pass through the router. An app that asks a second app, or itself once, is not a loop.
const MOST_PASSES: usize = 5;

/// How many headers a request gets.
const ADDED_HEADERS: usize = 6;

static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// What depends on the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRules {
    /// The port that clients connect to.
    port: u16,
    is_platform: bool,
}

/// What a request asks of the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The host that it names.
    pub host: HostName,
    /// Whether it asks for a tunnel, with the header `Upgrade` that is left.
    pub wants_upgrade: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// Whether the router has to answer it, because it may not be passed on any more. It is an `OPTIONS` then.
    pub ends_here: bool,
}

impl RequestRules {
    /// The rules for the port of an app.
    #[must_use]
    pub fn new(rules: &RouterRules) -> Self {
        Self { port: rules.port, is_platform: rules.is_platform }
    }

    /// The same rules on another port, such as that of the front door.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    /// Changes the head of a request into the one for the dyno. `random`: for its id, if the client has not sent a usable one.
    ///
    /// # Errors
    /// [`Rejection`] if no dyno may get it.
    pub fn prepare(
        &self,
        head: &mut request::Parts,
        client: &ClientAddress,
        unix_ms: u64,
        random: u128,
    ) -> Result<Prepared, Rejection> {
        let host = host(head)?;
        let is_http10 = head.version < Version::HTTP_11;
        let expects_continue = expects_continue(&head.headers, is_http10)?;
        if elements(&head.headers, &header::VIA).filter(|hop| self.is_us(hop)).count() >= MOST_PASSES {
            return Err(Rejection::Loop);
        }
        let ends_here = !spend_forward(head);
        if ends_here && head.method == Method::TRACE {
            return Err(Rejection::Trace);
        }
        let is_chunked = head.headers.contains_key(header::TRANSFER_ENCODING);
        if is_chunked && head.headers.contains_key(header::CONTENT_LENGTH) {
            return Err(Rejection::TwoLengths);
        }
        if !merge_content_length(&mut head.headers) {
            return Err(Rejection::ContentLength);
        }
        let upgrade = if is_http10 { None } else { wanted_upgrade(&head.headers) };
        let takes_trailers = has_element(&head.headers, &header::TE, "trailers");
        remove_hop_by_hop(&mut head.headers);
        head.headers.remove(header::EXPECT);
        head.headers.remove(&HTTP2_SETTINGS);
        if is_chunked {
            // The HTTP library drops the body of a GET without this.
            head.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if takes_trailers {
            head.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        let connection = match (&upgrade, takes_trailers) {
            (Some(_), true) => Some("upgrade, te"),
            (Some(_), false) => Some("upgrade"),
            (None, true) => Some("te"),
            (None, false) => None,
        };
        if let Some(options) = connection {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static(options));
        }
        let wants_upgrade = upgrade.is_some();
        if let Some(upgrade) = upgrade {
            head.headers.insert(header::UPGRADE, upgrade);
        }
        head.version = Version::HTTP_11;
        self.add_headers(&mut head.headers, client, unix_ms, random);
        Ok(Prepared { host, wants_upgrade, expects_continue, ends_here })
    }

    /// Adds what the platform's router adds.
    fn add_headers(&self, headers: &mut HeaderMap, client: &ClientAddress, unix_ms: u64, random: u128) {
        headers.reserve(ADDED_HEADERS);
        let mut ids = headers.get_all(&X_REQUEST_ID).iter();
        let is_kept = matches!((ids.next(), ids.next()), (Some(id), None) if is_usable_id(id));
        if !is_kept && let Ok(id) = HeaderValue::from_bytes(&new_id(random)) {
            headers.insert(&X_REQUEST_ID, id);
        }
        append_element(headers, &X_FORWARDED_FOR, client.header());
        headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        headers.insert(&X_FORWARDED_PORT, HeaderValue::from(self.port));
        headers.insert(&X_REQUEST_START, HeaderValue::from(unix_ms));
        append_element(headers, &header::VIA, HeaderValue::from_static(self.via()));
    }

    fn via(&self) -> &'static str {
        if self.is_platform { "1.1 heroku-router" } else { "1.1 dyno-router" }
    }

    /// Whether an element of `Via` is ours.
    fn is_us(&self, hop: &str) -> bool {
        hop.eq_ignore_ascii_case(self.via())
    }
}

/// Whether a request that no answer was received for may be sent once more: the same request twice has the effect of one
/// (RFC 9110, section 9.2.2; S16.3).
#[must_use]
pub fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

/// The host that a request is for. Makes an absolute target one without a host, and `Host` that of the target (RFC 9112,
/// section 3.2).
pub(super) fn host(head: &mut request::Parts) -> Result<HostName, Rejection> {
    if head.method == Method::CONNECT {
        return Err(Rejection::Connect);
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (None, _) => return Err(Rejection::NoHost),
        (Some(_), Some(_)) => return Err(Rejection::TwoHosts),
        (Some(host), None) => HostName::parse(host.as_bytes())?,
    };
    let Some(authority) = head.uri.authority() else {
        let is_asterisk = head.uri.path() == "*" && head.method == Method::OPTIONS;
        return if head.uri.path().starts_with('/') || is_asterisk { Ok(named) } else { Err(Rejection::Target) };
    };
    if head.uri.scheme_str() != Some("http") {
        return Err(Rejection::Target);
    }
    let meant = HostName::parse(authority.as_str().as_bytes())?;
    let value = HeaderValue::from_str(authority.as_str()).map_err(|_| Rejection::Host)?;
    let path = head.uri.path_and_query().cloned().map(Uri::from).ok_or(Rejection::Target)?;
    head.headers.insert(header::HOST, value);
    head.uri = path;
    Ok(meant)
}

/// Whether the client waits for `100 Continue`. HTTP/1.0 does not know it (RFC 9110, section 10.1.1).
fn expects_continue(headers: &HeaderMap, is_http10: bool) -> Result<bool, Rejection> {
    let mut values = headers.get_all(header::EXPECT).iter().peekable();
    if values.peek().is_none() {
        return Ok(false);
    }
    if values.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Rejection::Expect);
    }
    Ok(!is_http10)
}

/// Counts this router in `Max-Forwards`. False: the request must not be passed on. Other methods than these two do not know the
/// header, and what is not a number limits nothing (RFC 9110, section 7.6.2).
fn spend_forward(head: &mut request::Parts) -> bool {
    if ![Method::OPTIONS, Method::TRACE].contains(&head.method) {
        return true;
    }
    let number = |value: &HeaderValue| {
        let digits =
            value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.map(|digits| digits.parse().unwrap_or(u64::MAX))
    };
    let Some(left) = head.headers.get_all(header::MAX_FORWARDS).iter().filter_map(number).min() else { return true };
    let Some(rest) = left.checked_sub(1) else { return false };
    head.headers.insert(header::MAX_FORWARDS, HeaderValue::from(rest));
    true
}

/// The protocols that a client wants to change to, without HTTP/2, which ends here (RFC 9110, section 7.8).
fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    if !has_element(headers, &header::CONNECTION, "upgrade") {
        return None;
    }
    let is_http2 = |protocol: &&str| protocol.eq_ignore_ascii_case("h2c") || protocol.eq_ignore_ascii_case("h2");
    let protocols: Vec<&str> = elements(headers, &header::UPGRADE).filter(|protocol| !is_http2(protocol)).collect();
    HeaderValue::from_str(&protocols.join(", ")).ok().filter(|_| !protocols.is_empty())
}
