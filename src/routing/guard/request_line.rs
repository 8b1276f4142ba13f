//! The first line of a request (RFC 9112, section 3).

use http::Uri;
use memchr::memchr;

use crate::routing::Rejection;

/// The longest method, which is the platform's limit.
const LONGEST_METHOD: usize = 127;

/// Checks the line; whether its version is HTTP/1.0.
pub(super) fn check_request_line(line: &[u8]) -> Result<bool, Rejection> {
    let (method, rest) = split_blank(line).ok_or(Rejection::RequestLine)?;
    if method.is_empty() || rest.is_empty() {
        return Err(Rejection::RequestLine);
    }
    if method.len() > LONGEST_METHOD || !is_token(method) {
        return Err(Rejection::Method);
    }
    let (target, version) = split_blank(rest).ok_or(Rejection::NoVersion)?;
    let is_http10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Rejection::Version);
        }
        _ => return Err(Rejection::RequestLine),
    };
    if method == b"CONNECT" {
        return Err(Rejection::Connect);
    }
    check_target(method, target)?;
    Ok(is_http10)
}

fn split_blank(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr(b' ', line)?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

/// The origin form, the absolute form of `http`, or `*` for `OPTIONS` (RFC 9112, section 3.2).
fn check_target(method: &[u8], target: &[u8]) -> Result<(), Rejection> {
    let is_absolute = target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"http://"));
    let has_form = target.starts_with(b"/") || is_absolute || (target == b"*" && method == b"OPTIONS");
    if !has_form {
        return Err(Rejection::Target);
    }
    let in_query = memchr(b'?', target).unwrap_or(target.len());
    let is_wrong = |(at, byte): &(usize, &u8)| !is_in_target(**byte, *at > in_query);
    if let Some((_, byte)) = target.iter().enumerate().find(is_wrong) {
        return Err(Rejection::TargetCharacter(*byte));
    }
    // The HTTP library takes the bytes of UTF-8, which some programs send as they are.
    if let Err(error) = std::str::from_utf8(target) {
        return Err(Rejection::TargetCharacter(target.get(error.valid_up_to()).copied().unwrap_or_default()));
    }
    // Such as one without a host, which the HTTP library would answer without a word in the log.
    if is_absolute && Uri::try_from(target).is_err() {
        return Err(Rejection::Target);
    }
    Ok(())
}

/// Whether the HTTP library keeps this byte in a target. It would refuse others without a reason, and cut a fragment.
fn is_in_target(byte: u8, in_query: bool) -> bool {
    match byte {
        0..=b' ' | 0x7f | b'#' | b'<' | b'>' => false,
        b'"' => !in_query,
        b'`' => in_query,
        _ => true,
    }
}

/// Which bytes may be in a token (RFC 9110, section 5.6.2).
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let is_symbol = matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        table[byte as usize] = byte.is_ascii_alphanumeric() || is_symbol;
        byte += 1;
    }
    table
};

/// Whether this is a token, such as a method or the name of a header.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| TOKEN.get(usize::from(*byte)) == Some(&true))
}
