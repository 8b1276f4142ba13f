//! The host that a request names: what `Host` may contain (RFC 9110, section 7.2; S16.2).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Rejection;

/// The part of a `Host` header before the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    kind: HostKind,
}

/// A host as a name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKind {
    /// An IP address.
    Address(IpAddr),
    /// `localhost` itself.
    Localhost,
    /// A name below `localhost`: its last label before that, in lower case, such as `shop` of `a.shop.localhost`.
    BelowLocalhost(String),
    /// Any other name, in lower case and without a dot at the end.
    Other(String),
}

impl HostName {
    /// Reads the value of a `Host` header, or the authority of a target.
    ///
    /// # Errors
    /// [`Rejection::Host`] if it is empty or not `NAME[:PORT]`.
    pub fn parse(value: &[u8]) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(value).map_err(|_| Rejection::Host)?;
        let (host, port) = split_port(text).ok_or(Rejection::Host)?;
        let is_port =
            port.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok());
        let kind = kind(host).filter(|_| is_port).ok_or(Rejection::Host)?;
        Ok(Self { kind })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &HostKind {
        &self.kind
    }
}

/// The host and the port. An address of IPv6 keeps its brackets.
fn split_port(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('[') {
        let (host, rest) = text.split_at(text.find(']')? + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, port)),
            None => rest.is_empty().then_some((host, "")),
        };
    }
    Some(text.split_once(':').unwrap_or((text, "")))
}

fn kind(host: &str) -> Option<HostKind> {
    if let Some(inner) = host.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(HostKind::Address(IpAddr::V6(address)));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return Some(HostKind::Address(IpAddr::V4(address)));
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.eq_ignore_ascii_case("localhost") {
        return Some(HostKind::Localhost);
    }
    if !name.split('.').all(is_label) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(match name.strip_suffix(".localhost") {
        Some(below) => HostKind::BelowLocalhost(below.rsplit('.').next().unwrap_or(below).to_owned()),
        None => HostKind::Other(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<HostKind> {
        HostName::parse(value.as_bytes()).ok().map(|name| name.kind().clone())
    }

    #[test]
    fn s16_2_a_host_is_a_name_or_an_address_with_or_without_a_port() {
        let address = |text: &str| Some(HostKind::Address(text.parse().unwrap()));
        let below = |label: &str| Some(HostKind::BelowLocalhost(label.to_owned()));
        let other = |name: &str| Some(HostKind::Other(name.to_owned()));

        for value in ["localhost", "LOCALHOST:5000", "localhost.", "localhost:"] {
            assert_eq!(parsed(value), Some(HostKind::Localhost), "{value}");
        }
        assert_eq!(parsed("127.0.0.1:5000"), address("127.0.0.1"));
        assert_eq!(parsed("127.0.0.1."), address("127.0.0.1"));
        assert_eq!(parsed("[::1]:5000"), address("::1"));
        assert_eq!(parsed("[2001:db8::5]"), address("2001:db8::5"));
        assert_eq!(parsed("Shop.localhost:5000"), below("shop"));
        assert_eq!(parsed("a.b.shop-api.localhost"), below("shop-api"));
        assert_eq!(parsed("localhost.evil.example"), other("localhost.evil.example"));
        assert_eq!(parsed("evillocalhost"), other("evillocalhost"));
        // Resolvers may read these as addresses, but a check by name must not.
        assert_eq!(parsed("2130706433"), other("2130706433"));
        assert_eq!(parsed("0x7f.1"), other("0x7f.1"));
    }

    // RFC 9112, section 3.2: a server must answer 400 to an invalid `Host`.
    #[test]
    fn s16_2_anything_else_is_not_a_host() {
        for value in [
            "",
            ":5000",
            ".",
            "a..localhost",
            ".localhost",
            "a/b c",
            "a/b",
            "user@localhost",
            "localhost:80:80",
            "localhost:x",
            "localhost:+80",
            "localhost:65536",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]80",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "[v1.x]",
            "a,b",
            "localhost, localhost",
            "a%00b",
            "gr\u{f6}\u{df}e.localhost",
            "a\tb",
        ] {
            assert_eq!(parsed(value), None, "{value}");
        }
        assert_eq!(HostName::parse(b"\xff"), Err(Rejection::Host));
    }
}
