//! The answers of the router itself: to requests that it refuses, and in the place of a dyno that has not answered.

use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Bytes;

use super::Router;
use super::answer_body::AnswerBody;
use super::client::ClientConnection;
use super::exchange::OpenExchange;
use crate::routing::{ALLOWED_METHODS, ErrorPage, HCode, PageFacts, Rejection, RouteTarget, RouterEntry};

/// How many lines of a dyno a page shows.
const LINES: usize = 20;
const HTML: &str = "text/html; charset=utf-8";

impl Router {
    /// Answers a request that no dyno has answered.
    pub(super) fn refuse(
        &self,
        open: &OpenExchange,
        code: HCode,
        target: &RouteTarget,
        wants_json: bool,
    ) -> Response<AnswerBody> {
        let snapshot = self.snapshot.borrow();
        let process_type = self.type_of(target);
        let row = PageFacts::row(&snapshot, process_type, open.entry.borrow().dyno.as_ref());
        let lines = match (&self.archive, row) {
            (Some(archive), Some(row)) => archive.last_lines(&row.dyno.to_string(), LINES),
            (None, _) | (_, None) => Vec::new(),
        };
        let port = open.front_door().unwrap_or(self.rules.port);
        let facts = PageFacts { process_type, row, lines: &lines, rules: &self.rules, snapshot: &snapshot, port };
        let (content_type, page) = rendered(&ErrorPage::of_code(code, &facts), wants_json);
        {
            let mut entry = open.entry.borrow_mut();
            entry.bytes = entry.dyno.is_some().then_some(page.len() as u64);
        }
        open.finish(Some(code));
        answer(code.status(), content_type, page)
    }

    /// Answers a request that no dyno may get.
    pub(super) fn reject(&self, open: &OpenExchange, rejection: Rejection, wants_json: bool) -> Response<AnswerBody> {
        let host = open.entry.borrow().host.clone();
        let host = String::from_utf8_lossy(host.as_ref().map(HeaderValue::as_bytes).unwrap_or_default());
        let page = ErrorPage::of_rejection(rejection, &host, &self.rules);
        let (content_type, page) = rendered(&page, wants_json);
        {
            let mut entry = open.entry.borrow_mut();
            entry.status = Some(rejection.status());
            entry.bytes = Some(page.len() as u64);
        }
        open.finish(None);
        let mut answer = answer(rejection.status(), content_type, page);
        if let Some(methods) = rejection.allow() {
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        answer
    }

    /// Answers an `OPTIONS` that must not be passed on.
    pub(super) fn options(open: &OpenExchange) -> Response<AnswerBody> {
        {
            let mut entry = open.entry.borrow_mut();
            entry.status = Some(StatusCode::OK.as_u16());
            entry.bytes = Some(0);
        }
        open.finish(None);
        let mut answer = Response::new(AnswerBody::Page(None));
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOWED_METHODS));
        answer
    }

    /// The answer to bytes that hyper never gets, and the line about them.
    pub(super) fn rejected(&self, client: &ClientConnection, rejection: Rejection) -> Vec<u8> {
        let page = ErrorPage::of_rejection(rejection, "", &self.rules).html();
        // A request whose body is malformed has its own line.
        if client.body_fault().is_none() {
            self.note_unserved(client, rejection.status(), page.len());
        }
        let (status, reason, length) = (rejection.status(), rejection.reason(), page.len());
        let allow = rejection.allow().map(|methods| format!("allow: {methods}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {HTML}\r\n{allow}content-length: {length}\r\n\
             connection: close\r\ndate: {}\r\n\r\n",
            date()
        );
        [head, page].concat().into_bytes()
    }

    /// Writes the line of a request that hyper never gets, or refuses. `bytes`: those of the answer's body.
    pub(super) fn note_unserved(&self, client: &ClientConnection, status: u16, bytes: usize) {
        let (method, path) = client.refused_request();
        let (status, bytes) = (Some(status), Some(bytes as u64));
        let fwd = Some(client.address.header());
        self.write(&RouterEntry { method, path, fwd, status, bytes, ..RouterEntry::default() });
    }
}

/// The time of an answer that does not come from hyper, which adds it (RFC 9110, section 6.6.1).
pub(in crate::runtime) fn date() -> String {
    jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn rendered(page: &ErrorPage, wants_json: bool) -> (&'static str, String) {
    match serde_json::to_string_pretty(page) {
        Ok(json) if wants_json => ("application/json", json + "\n"),
        Ok(_) | Err(_) => (HTML, page.html()),
    }
}

fn answer(status: u16, content_type: &'static str, page: String) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::Page(Some(Bytes::from(page))));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
