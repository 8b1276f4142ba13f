//! The head of an answer.

use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode, Version, response};

use super::RequestRules;
use crate::routing::header_lists::{append_element, elements, has_element, merge_content_length, remove_hop_by_hop};
use crate::routing::{AnswerFault, HCode};

/// The longest header that the platform passes on.
const LONGEST_HEADER: usize = 512 * 1024;
/// The longest `Set-Cookie` that the platform passes on.
const LONGEST_COOKIE: usize = 8192;

impl RequestRules {
    /// Changes the head of a dyno's answer into the one for the client. `wants_upgrade`: whether the request asked for a tunnel.
    ///
    /// # Errors
    /// The code that the client gets instead of this answer.
    pub fn prepare_answer(&self, head: &mut response::Parts, wants_upgrade: bool) -> Result<(), HCode> {
        let is_switch = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if is_switch && !wants_upgrade {
            return Err(HCode::H17);
        }
        if self.is_platform {
            check_limits(head).map_err(HCode::H25)?;
        }
        if head.headers.contains_key(header::TRANSFER_ENCODING) {
            if !is_only_chunked(&head.headers) {
                return Err(HCode::H17);
            }
            head.headers.remove(header::CONTENT_LENGTH);
        } else if !merge_content_length(&mut head.headers) {
            return Err(HCode::H25(AnswerFault::ContentLength));
        }
        let is_offer = head.status == StatusCode::UPGRADE_REQUIRED;
        let is_named = has_element(&head.headers, &header::CONNECTION, "upgrade");
        let upgrade = head.headers.get(header::UPGRADE).filter(|_| is_switch || (is_offer && is_named)).cloned();
        remove_hop_by_hop(&mut head.headers);
        if let Some(upgrade) = upgrade {
            head.headers.insert(header::UPGRADE, upgrade);
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
        if self.is_platform && !head.headers.contains_key(header::SERVER) {
            head.headers.insert(header::SERVER, HeaderValue::from_static("Heroku"));
        }
        append_element(&mut head.headers, &header::VIA, HeaderValue::from_static(self.via()));
        head.version = Version::HTTP_11;
        Ok(())
    }
}

/// The client would get any other coding without its name.
fn is_only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = elements(headers, &header::TRANSFER_ENCODING);
    codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) && codings.next().is_none()
}

fn check_limits(head: &response::Parts) -> Result<(), AnswerFault> {
    for (name, value) in &head.headers {
        if name == header::SET_COOKIE && value.len() > LONGEST_COOKIE {
            return Err(AnswerFault::Cookie);
        }
        if name.as_str().len() + value.len() + 2 > LONGEST_HEADER {
            return Err(AnswerFault::Header);
        }
    }
    Ok(())
}
