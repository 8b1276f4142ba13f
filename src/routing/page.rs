//! The pages of the router itself, for a person and for a program (S16.5).

mod app_list;
mod error_page;
mod html;

pub use app_list::{FrontDoorApp, FrontDoorPage};
pub use error_page::{ErrorPage, PageDyno, PageFacts};

use http::HeaderMap;
use http::header::ACCEPT;

use super::header_lists::elements;

/// Whether the client wants JSON instead of a page: it accepts JSON by name, and HTML not at all or later in its list.
#[must_use]
pub fn wants_json(headers: &HeaderMap) -> bool {
    let is = |element: &str, kinds: [&str; 2]| {
        let kind = element.split(';').next().unwrap_or_default().trim();
        kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))
    };
    let known = elements(headers, &ACCEPT).find_map(|element| {
        let is_json = is(element, ["application/json", "application/problem+json"]);
        (is_json || is(element, ["text/html", "application/xhtml+xml"])).then_some(is_json)
    });
    known.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn s16_5_a_client_that_accepts_json_by_name_gets_json() {
        let wants = |accept: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            wants_json(&headers)
        };
        for accept in [&["application/json"][..], &["Application/JSON;q=0.9, */*"], &["*/*", "application/json"]] {
            assert!(wants(accept), "{accept:?}");
        }
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for accept in [&[][..], &["*/*"], &[browser], &["text/html, application/json"], &["application/jsonp"]] {
            assert!(!wants(accept), "{accept:?}");
        }
    }
}
