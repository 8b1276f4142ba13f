//! The header `X-Request-Id`.

use http::HeaderValue;
use http::header::GetAll;

/// The id that the client has sent, if there is exactly one that the platform would keep.
pub(super) fn kept_id(values: &GetAll<'_, HeaderValue>) -> Option<String> {
    let mut values = values.iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-".contains(&byte);
    let text = value.to_str().ok()?;
    ((20..=200).contains(&text.len()) && text.bytes().all(is_allowed)).then(|| text.to_owned())
}

/// A new id, in the form of the platform's: `8-4-4-4-12` hexadecimal digits.
pub(super) fn new_id(random: u128) -> String {
    let mut id = String::with_capacity(36);
    for at in 0..32 {
        if matches!(at, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        let digit = (random >> (124 - 4 * at)) & 0xf;
        id.extend(char::from_digit(u32::try_from(digit).unwrap_or_default(), 16));
    }
    id
}
