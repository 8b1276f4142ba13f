//! What the front door answers itself. Each connection ends with that.

use http::StatusCode;

use super::super::router::date;
use crate::routing::{FrontDoorPage, Rejection};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// An answer.
pub(super) struct FrontAnswer {
    status: u16,
    reason: &'static str,
    content_type: &'static str,
    /// A header with its line end, or nothing.
    allow: String,
    body: String,
    has_body: bool,
}

impl FrontAnswer {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
        Self { status, reason, content_type, allow: String::new(), body, has_body: true }
    }

    /// The list of apps.
    pub(super) fn list(page: &FrontDoorPage, wants_json: bool) -> Self {
        if wants_json {
            let json = serde_json::to_string(page).unwrap_or_default();
            return Self::new(page.status(), JSON, json + "\n");
        }
        Self::new(page.status(), HTML, page.html())
    }

    /// The request is refused.
    pub(super) fn rejected(rejection: Rejection) -> Self {
        let allow = rejection.allow().map(|methods| format!("allow: {methods}\r\n")).unwrap_or_default();
        let answer = Self::new(rejection.status(), TEXT, format!("{rejection}\n"));
        Self { reason: rejection.reason(), allow, ..answer }
    }

    /// The app cannot take the connection.
    pub(super) fn unavailable(why: &str) -> Self {
        Self::new(503, TEXT, format!("{why}\n"))
    }

    /// The head did not come in time.
    pub(super) fn slow_head() -> Self {
        Self::new(408, TEXT, String::new())
    }

    /// The same for a request whose answer has no body.
    pub(super) fn without_body(self) -> Self {
        Self { has_body: false, ..self }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { status, reason, content_type, allow, body, has_body } = self;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n{allow}cache-control: no-store\r\n\
             content-length: {length}\r\nconnection: close\r\ndate: {}\r\n\r\n",
            date()
        );
        [head.as_bytes(), if *has_body { body.as_bytes() } else { b"" }].concat()
    }
}
