//! What a server has to answer before it counts as up: `--http /path[=STATUS]`.
//!
//! Decides which answers are right. Asking is done by `runtime`.

use std::fmt;
use std::str::FromStr;

/// The statuses that are right where none is named: success, and a redirect, which is an answer as well.
const DEFAULT_STATUSES: (u16, u16) = (200, 399);

/// All that the status of an answer can be; those below are said before it.
const STATUSES: std::ops::RangeInclusive<u16> = 200..=999;

/// A path, and the statuses of a right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    path: String,
    first: u16,
    last: u16,
}

impl HttpCheck {
    /// The path with its query, as it stands in the request.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether an answer with this status is right.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }

    /// The right statuses in words.
    #[must_use]
    pub fn expected(&self) -> String {
        if self.first == self.last { self.first.to_string() } else { format!("{} to {}", self.first, self.last) }
    }
}

impl fmt::Display for HttpCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GET {}", self.path)
    }
}

impl FromStr for HttpCheck {
    type Err = String;

    /// `/path`, `/path=204` or `/path=200-299`. A query may hold `=`: only what looks like a status is one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let looks_like_statuses =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let (path, (first, last)) = match text.rsplit_once('=') {
            Some((path, statuses)) if looks_like_statuses(statuses) => (path, parse_statuses(statuses)?),
            Some(_) | None => (text, DEFAULT_STATUSES),
        };
        if !path.starts_with('/') {
            return Err("expected a path that begins with `/`".to_owned());
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("expected a path of visible ASCII characters; write others as `%20`".to_owned());
        }
        Ok(Self { path: path.to_owned(), first, last })
    }
}

fn parse_statuses(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| text.parse().ok().filter(|status| STATUSES.contains(status));
    let statuses = status(first).zip(status(last)).filter(|(first, last)| first <= last);
    statuses.ok_or_else(|| "expected a status such as `204`, or a range such as `200-299`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, u16, u16) {
        let check: HttpCheck = text.parse().expect(text);
        (check.path, check.first, check.last)
    }

    #[test]
    fn a_redirect_is_an_answer_where_no_status_is_named() {
        assert_eq!(read("/"), ("/".to_owned(), 200, 399));
        let check: HttpCheck = "/health".parse().expect("a check");

        assert_eq!(
            [199, 200, 302, 399, 400, 500].map(|status| check.accepts(status)),
            [false, true, true, true, false, false]
        );
    }

    #[test]
    fn a_status_or_a_range_may_follow_the_path() {
        assert_eq!(read("/health=204"), ("/health".to_owned(), 204, 204));
        assert_eq!(read("/health=200-299"), ("/health".to_owned(), 200, 299));
        assert_eq!(read("/search?q=x"), ("/search?q=x".to_owned(), 200, 399));
        assert_eq!(read("/search?q=200=200-399"), ("/search?q=200".to_owned(), 200, 399));
        assert_eq!(read("/search?q="), ("/search?q=".to_owned(), 200, 399));
    }

    #[test]
    fn what_would_break_the_request_or_can_never_be_answered_is_refused() {
        for text in ["", "health", "=200", "/a b", "/a\r\nX: y", "/ä", "/=103", "/=1000", "/=300-200", "/=-", "/=2-"] {
            assert!(text.parse::<HttpCheck>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_right_statuses_are_told() {
        let check = |text: &str| text.parse::<HttpCheck>().expect(text);

        assert_eq!(format!("{}: {}", check("/a"), check("/a").expected()), "GET /a: 200 to 399");
        assert_eq!(check("/a=204").expected(), "204");
    }
}
