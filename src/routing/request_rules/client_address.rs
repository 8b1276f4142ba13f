//! The address of a client, as a dyno sees it in `X-Forwarded-For`.

use core::net::IpAddr;

use http::HeaderValue;

/// Made once for each connection, because each of its requests has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress(HeaderValue);

impl ClientAddress {
    /// An IPv4 address within IPv6 is shown as what it is.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let text = address.to_canonical().to_string();
        Self(HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    /// As the value of a header. A copy costs nothing.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}
