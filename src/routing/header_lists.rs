//! Headers that are lists, and those that end at the router (RFC 9110, sections 5.6.1 and 7.6.1).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers that end at each connection, whether `Connection` names them or not.
static HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Headers that `Connection` must not remove: the meaning of the message, and of who sent it, depends on them.
static KEPT: [HeaderName; 4] = [header::CONTENT_LENGTH, header::HOST, header::TRAILER, header::VIA];

/// The elements of a header that is a list, on all its lines, without those that are not text.
pub(super) fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

/// Whether a list has this element, in whatever case.
pub(super) fn has_element(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    elements(headers, name).any(|other| other.eq_ignore_ascii_case(element))
}

/// Removes the headers that end here.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named = elements(headers, &header::CONNECTION).filter_map(|name| name.parse::<HeaderName>().ok());
        let named: Vec<HeaderName> = named.filter(|name| !KEPT.contains(name)).collect();
        for name in named {
            headers.remove(name);
        }
    }
    // Each removal would be a look-up; most messages have none of them.
    if headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
    }
}

/// Adds an element at the end of a list, and makes it one line.
pub(super) fn append_element(headers: &mut HeaderMap, name: &HeaderName, element: HeaderValue) {
    if !headers.contains_key(name) {
        headers.insert(name, element);
        return;
    }
    let mut bytes = Vec::new();
    for value in headers.get_all(name).iter().filter(|value| !value.as_bytes().is_empty()) {
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b", ");
    }
    bytes.extend_from_slice(element.as_bytes());
    headers.insert(name, HeaderValue::try_from(bytes).unwrap_or(element));
}

/// Makes equal lines of `Content-Length` one. False: they differ, or one is not a number.
pub(super) fn merge_content_length(headers: &mut HeaderMap) -> bool {
    let (mut length, mut lines): (Option<u64>, usize) = (None, 0);
    for value in headers.get_all(header::CONTENT_LENGTH) {
        let digits = value.to_str().unwrap_or_default();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse() {
            Ok(number) if is_number && length.is_none_or(|other| other == number) => length = Some(number),
            _ => return false,
        }
        lines += 1;
    }
    if let Some(length) = length.filter(|_| lines > 1) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    true
}
