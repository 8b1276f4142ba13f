//! Decides who may use the API over TCP (S17.3): clients on this machine that know the key, but never a web page.
//!
//! Looks at the head of a request, before its body is read. Pure: the caller makes the key and reads the head. Does
//! not apply to the unix socket, which only the user can open.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use super::log_session::LOG_PATH;

/// The names under which the API answers. Any other is refused, so that a web page cannot use a domain that resolves to
/// 127.0.0.1 (DNS rebinding).
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

/// The port of the API, and the key to it.
#[derive(Clone, PartialEq, Eq)]
pub struct TcpAccess {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// What a client has to send.
    pub key: String,
    /// The file with the certificate of the addresses to which clients of attached one-off dynos connect. None: there are no
    /// such dynos.
    pub certificate: Option<String>,
}

/// The address and the key of the API, as a start sends them to `dyno env`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpAccessResource {
    /// Its address: `http://127.0.0.1:5050`.
    pub url: String,
    /// The key.
    pub key: String,
    /// The file with the certificate.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// The parts of a request's head that decide whether it is answered.
#[derive(Debug, Clone, Default)]
pub struct ClientHead<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// The target as it was sent: `/apps/shop`.
    pub target: &'a str,
    /// The values of all `Host` headers.
    pub hosts: Vec<&'a [u8]>,
    /// Whether a body is announced.
    pub has_body: bool,
    /// Whether there is a header that only browsers send.
    pub is_from_page: bool,
    /// The header `Authorization`.
    pub authorization: Option<&'a [u8]>,
}

impl std::fmt::Debug for TcpAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpAccess").field("port", &self.port).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TcpAccessResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpAccessResource").field("url", &self.url).finish_non_exhaustive()
    }
}

impl TcpAccess {
    /// The address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{}", HOSTS[0], self.port)
    }

    /// The answer for `dyno env`, with the key.
    #[must_use]
    pub fn resource(&self) -> TcpAccessResource {
        TcpAccessResource { url: self.url(), key: self.key.clone(), certificate: self.certificate.clone() }
    }

    /// Decides whether a request is answered.
    ///
    /// # Errors
    /// 400 if the target or `Host` is malformed, 401 without the key, 403 for a web page or another server name.
    pub fn check(&self, head: &ClientHead<'_>) -> Result<(), ApiError> {
        if !head.target.starts_with('/') {
            return Err(ApiError::bad_request("the target of a request must begin with `/`"));
        }
        let [host] = head.hosts.as_slice() else {
            return Err(ApiError::bad_request("the request must have exactly one `Host` header"));
        };
        let names = HOSTS.map(|name| format!("{name}:{}", self.port));
        // Clients leave out the usual port of HTTP.
        let short = HOSTS.iter().filter(|_| self.port == 80).copied();
        if !names.iter().map(String::as_str).chain(short).any(|name| host.eq_ignore_ascii_case(name.as_bytes())) {
            let message = format!("the API answers only at `{}` and `{}`", names[0], names[1]);
            return Err(ApiError::forbidden(message));
        }
        if head.is_from_page {
            return Err(ApiError::forbidden("requests from web pages are refused"));
        }
        let reads_log = is_log(head.target) && head.method == "GET" && !head.has_body;
        if reads_log || head.authorization.is_some_and(|sent| self.is_key(sent)) {
            return Ok(());
        }
        // The `heroku` CLI shows the message but not the hint.
        Err(ApiError::unauthorized(
            r#"the API key is missing or wrong; type `eval "$(dyno env heroku)"` again: each start has a new key"#,
        ))
    }

    /// Whether a value of `Authorization` has the key, either as `Bearer` or as the password of `Basic`.
    fn is_key(&self, sent: &[u8]) -> bool {
        let Ok(sent) = std::str::from_utf8(sent) else { return false };
        let Some((scheme, rest)) = sent.split_once(' ') else { return false };
        if scheme.eq_ignore_ascii_case("bearer") {
            return same(rest.trim().as_bytes(), &self.key);
        }
        let decoded = BASE64_STANDARD.decode(rest.trim()).unwrap_or_default();
        // The platform ignores the name of the user, which cannot contain a `:`.
        let password = decoded.iter().position(|byte| *byte == b':').and_then(|colon| decoded.get(colon + 1..));
        scheme.eq_ignore_ascii_case("basic") && password.is_some_and(|password| same(password, &self.key))
    }
}

/// Compares in constant time, so that the duration does not show where the texts differ.
fn same(sent: &[u8], expected: &str) -> bool {
    sent.ct_eq(expected.as_bytes()).into()
}

/// Whether a request reads the log of a session. The address itself is the secret: the `heroku` CLI sends no key there.
fn is_log(target: &str) -> bool {
    let [first, second] = LOG_PATH;
    target.strip_prefix(&format!("/{first}/{second}/")).is_some_and(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn access() -> TcpAccess {
        TcpAccess { port: 5050, key: KEY.to_owned(), certificate: None }
    }

    fn head<'a>(target: &'a str, host: &'a str, authorization: &'a str) -> ClientHead<'a> {
        let authorization = (!authorization.is_empty()).then_some(authorization.as_bytes());
        let hosts = vec![host.as_bytes()];
        ClientHead { method: "GET", target, hosts, has_body: false, is_from_page: false, authorization }
    }

    fn status(head: &ClientHead<'_>) -> u16 {
        access().check(head).map_or_else(|error| error.status, |()| 200)
    }

    #[test]
    fn s17_3_a_client_that_knows_the_key_is_let_in() {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("me@example.com:{KEY}")));
        let without_user = format!("basic {}", BASE64_STANDARD.encode(format!(":{KEY}")));
        for sent in [&format!("Bearer {KEY}"), &format!("bearer  {KEY} "), &basic, &without_user] {
            for host in ["127.0.0.1:5050", "localhost:5050", "LOCALHOST:5050"] {
                assert_eq!(status(&head("/apps", host, sent)), 200, "{sent} {host}");
            }
        }
        // The usual port of HTTP is left out.
        let usual = TcpAccess { port: 80, ..access() };
        let key = format!("Bearer {KEY}");
        assert!(["localhost", "127.0.0.1:80"].iter().all(|host| usual.check(&head("/apps", host, &key)).is_ok()));
    }

    #[test]
    fn s17_3_a_missing_or_wrong_key_is_answered_with_401() {
        let longer = format!("Bearer {KEY}0");
        let password = format!("Basic {}", BASE64_STANDARD.encode(KEY));
        for sent in ["", "Bearer", "Bearer ", "Bearer undefined", &longer, &longer[..30], KEY, "Basic !", &password] {
            assert_eq!(status(&head("/apps", "127.0.0.1:5050", sent)), 401, "{sent}");
        }
        let bytes = ClientHead { authorization: Some(b"Bearer \xff"), ..head("/apps", "127.0.0.1:5050", "") };
        assert_eq!(status(&bytes), 401);
    }

    #[test]
    fn s17_3_web_pages_and_other_names_are_refused_even_with_the_key() {
        let key = format!("Bearer {KEY}");
        let names =
            ["evil.example", "evil.example:5050", "127.0.0.1", "127.0.0.1:80", "localhost:5050.", "[::1]:5050", ""];
        for name in names {
            for target in ["/apps", "/dyno/log/t"] {
                assert_eq!(status(&head(target, name, &key)), 403, "{name} {target}");
            }
        }
        let page = ClientHead { is_from_page: true, ..head("/apps", "127.0.0.1:5050", &key) };
        assert_eq!(status(&page), 403);
    }

    #[test]
    fn s17_3_an_ambiguous_target_or_host_is_refused() {
        let key = format!("Bearer {KEY}");
        for target in ["http://127.0.0.1:5050/apps", "*", "evil.example:80", ""] {
            assert_eq!(status(&head(target, "127.0.0.1:5050", &key)), 400, "{target}");
        }
        for hosts in [vec![], vec![&b"127.0.0.1:5050"[..], b"evil.example"]] {
            assert_eq!(status(&ClientHead { hosts, ..head("/apps", "", &key) }), 400);
        }
    }

    #[test]
    fn s17_3_the_log_of_a_session_is_read_without_the_key() {
        let log = head("/dyno/log/0123", "127.0.0.1:5050", "");
        assert_eq!(status(&log), 200);
        assert_eq!(status(&ClientHead { method: "POST", ..log.clone() }), 401);
        assert_eq!(status(&ClientHead { has_body: true, ..log }), 401);
        for target in ["/dyno/log/", "/dyno/log", "/dyno/logs/x", "/dyno/why"] {
            assert_eq!(status(&head(target, "127.0.0.1:5050", "")), 401, "{target}");
        }
    }

    #[test]
    fn s17_3_debug_output_does_not_contain_the_key() {
        assert!(!format!("{:?} {:?}", access(), access().resource()).contains(KEY));
    }
}
