//! The header `X-Request-Id`.

use http::HeaderValue;

/// Whether the platform would keep the id that a client has sent.
pub(super) fn is_usable_id(value: &HeaderValue) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-".contains(byte);
    (20..=200).contains(&value.len()) && value.as_bytes().iter().all(is_allowed)
}

/// A new id, in the form of the platform's: `8-4-4-4-12` hexadecimal digits.
pub(super) fn new_id(random: u128) -> [u8; 36] {
    let mut id = [b'-'; 36];
    let places = id.iter_mut().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
    for ((_, place), shift) in places.zip((0..128).step_by(4).rev()) {
        let digit = u8::try_from((random >> shift) & 0xf).unwrap_or_default();
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    id
}
