//! The answers of the router itself: to requests that it refuses, and in the place of a dyno that has not answered.

use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Bytes;

use super::Router;
use super::answer_body::AnswerBody;
use super::client::ClientConnection;
use super::exchange::OpenExchange;
use crate::routing::{HCode, Rejection, RouterEntry};

impl Router {
    /// Answers a request that no dyno has answered.
    pub(super) fn refuse(&self, open: &OpenExchange, code: HCode, _accepts_json: bool) -> Response<AnswerBody> {
        let page = format!("{code}\n");
        {
            let mut entry = open.entry.borrow_mut();
            entry.bytes = entry.dyno.is_some().then_some(page.len() as u64);
        }
        open.finish(Some(code));
        page_answer(code.status(), "text/plain; charset=utf-8", page)
    }

    /// Answers a request that no dyno may get.
    pub(super) fn reject(&self, open: &OpenExchange, rejection: Rejection) -> Response<AnswerBody> {
        let page = format!("{rejection}\n");
        {
            let mut entry = open.entry.borrow_mut();
            entry.status = Some(rejection.status());
            entry.bytes = Some(page.len() as u64);
        }
        open.finish(None);
        page_answer(rejection.status(), "text/plain; charset=utf-8", page)
    }

    /// The answer to bytes that hyper never gets, and the line about them.
    pub(super) fn rejected(&self, client: &ClientConnection, rejection: Rejection) -> Vec<u8> {
        let page = format!("{rejection}\n");
        let (method, path) = client.refused_request();
        let (status, bytes) = (Some(rejection.status()), Some(page.len() as u64));
        let fwd = client.address.ip().to_canonical().to_string();
        // A request whose body is malformed has its own line.
        if client.body_fault().is_none() {
            self.write(&RouterEntry { method, path, fwd, status, bytes, ..RouterEntry::default() });
        }
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            rejection.status(),
            rejection.reason(),
            page.len()
        );
        [head, page].concat().into_bytes()
    }
}

fn page_answer(status: u16, content_type: &'static str, page: String) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::Page(Some(Bytes::from(page))));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
