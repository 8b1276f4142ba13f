//! Decides which HTTP answers mean that a server is up: `--http /PATH[=STATUS]` and `--http-status STATUS` (S19.4).
//!
//! For invalid values it also guesses what the user meant, for the hint. `runtime` sends the request.

use std::fmt;

/// The statuses that are accepted by default: success and redirects.
const DEFAULT_STATUSES: (u16, u16) = (200, 399);

/// The statuses that a final answer can have. Lower ones, such as `103 Early Hints`, precede the answer.
const STATUSES: std::ops::RangeInclusive<u16> = 200..=999;

/// A path to request, and the statuses that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    path: String,
    first: u16,
    last: u16,
}

/// Why the options are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpCheckError {
    /// The text after `=` is not a status.
    #[error("`--http {path}={text}`: `{text}` is not a status")]
    BadStatusAfterPath {
        /// The text before `=`.
        path: String,
        /// The text after it.
        text: String,
    },
    /// The value of `--http-status` is not a status.
    #[error("`--http-status {text}`: `{text}` is not a status")]
    BadStatus {
        /// The value.
        text: String,
    },
    /// Both options give a status.
    #[error("`--http {target}` and `--http-status` both specify a status")]
    TwoStatuses {
        /// The value of `--http`.
        target: String,
    },
    /// The path does not begin with `/`, or contains a character that cannot be sent.
    #[error("`--http {target}`: expected {expected}")]
    BadPath {
        /// The value of `--http`.
        target: String,
        /// The rule that the path breaks.
        expected: &'static str,
        /// The value that the user probably meant.
        meant: String,
    },
}

impl HttpCheckError {
    /// What to type instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::BadStatusAfterPath { path, text } => match meant_statuses(text) {
                Some(meant) => format!("write `--http {path}={meant}`"),
                None if mistake_in(&format!("{path}={text}")).is_some() => {
                    format!("write a number or a range, such as `--http {path}=200-299`")
                }
                None => format!(
                    "write a number or a range, such as `--http {path}=200-299`; \
                     if `={text}` belongs to the path, add `--http-status 200-399`"
                ),
            },
            Self::BadStatus { text } => match meant_statuses(text) {
                Some(meant) => format!("write `--http-status {meant}`"),
                None => "write a number from 200 to 999, or a range such as `200-299`".to_owned(),
            },
            Self::TwoStatuses { .. } => "leave one of them out".to_owned(),
            Self::BadPath { meant, .. } => format!("write `--http {meant}`"),
        }
    }
}

impl HttpCheck {
    /// Parses both options. `target`: `/PATH[=STATUS]`; if the path contains a `?`, a `=` belongs to the query.
    /// `status`: the value of `--http-status`.
    ///
    /// # Errors
    /// [`HttpCheckError`], whose hint suggests what the user probably meant.
    pub fn new(target: &str, status: Option<&str>) -> Result<Self, HttpCheckError> {
        let after_path = if target.contains('?') { None } else { target.rsplit_once('=') };
        let (path, text) = match (after_path, status) {
            (Some((_, text)), Some(_)) if parse_statuses(text).is_some() => {
                return Err(HttpCheckError::TwoStatuses { target: target.to_owned() });
            }
            (Some((path, text)), None) => (path, Some(text)),
            (_, Some(_)) | (None, None) => (target, None),
        };
        if let Some(expected) = mistake_in(path) {
            let meant = meant_target(target, status.is_some());
            return Err(HttpCheckError::BadPath { target: target.to_owned(), expected, meant });
        }
        let (first, last) = match (text, status) {
            (Some(text), _) => parse_statuses(text)
                .ok_or_else(|| HttpCheckError::BadStatusAfterPath { path: path.to_owned(), text: text.to_owned() })?,
            (None, Some(text)) => {
                parse_statuses(text).ok_or_else(|| HttpCheckError::BadStatus { text: text.to_owned() })?
            }
            (None, None) => DEFAULT_STATUSES,
        };
        Ok(Self { path: path.to_owned(), first, last })
    }

    /// A check of this path that accepts the usual statuses. None: the path cannot be requested.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let (first, last) = DEFAULT_STATUSES;
        mistake_in(path).is_none().then(|| Self { path: path.to_owned(), first, last })
    }

    /// The path with its query, as it is sent in the request.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The lowest and the highest status that is accepted.
    #[must_use]
    pub fn statuses(&self) -> (u16, u16) {
        (self.first, self.last)
    }

    /// Whether an answer with this status is accepted.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }

    /// The accepted statuses in words.
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

/// The rule that a path breaks. None: it can be requested.
fn mistake_in(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("a path that begins with `/`");
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("a path of visible ASCII characters");
    }
    path.contains('#').then_some("a path without a fragment")
}

/// Parses `204` or `200-299`.
fn parse_statuses(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let is_number = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status = |text: &str| text.parse().ok().filter(|status| is_number(text) && STATUSES.contains(status));
    status(first).zip(status(last)).filter(|(first, last)| first <= last)
}

/// Guesses the statuses that were meant: `400-499` for `4xx`, `200-299` for `200..299` or `299-200`.
fn meant_statuses(text: &str) -> Option<String> {
    const SEPARATORS: [&str; 6] = ["...", "..", "–", ":", ",", "-"];
    let (first, last) = SEPARATORS.iter().find_map(|mark| text.split_once(mark)).unwrap_or((text, text));
    let (first, last) = (bounds(first.trim())?, bounds(last.trim())?);
    let (low, high) = (first.0.min(last.0), first.1.max(last.1));
    let are_valid = STATUSES.contains(&low) && STATUSES.contains(&high);
    are_valid.then(|| if low == high { low.to_string() } else { format!("{low}-{high}") })
}

/// The lowest and the highest number that match a text such as `4xx`.
fn bounds(text: &str) -> Option<(u16, u16)> {
    let with = |digit: &str| (text.len() == 3).then(|| text.replace(['x', 'X', '*'], digit))?.parse().ok();
    with("0").zip(with("9"))
}

/// Guesses what a value whose path cannot be requested means: `health`, `http://localhost:3000/health`, `204`. `has_status`:
/// whether `--http-status` is given, too.
fn meant_target(target: &str, has_status: bool) -> String {
    // `web=/health`: other options name a process type first.
    let target = match target.split_once('=') {
        Some((name, rest)) if rest.starts_with('/') && !name.contains(['/', '?', '#']) => rest,
        Some(_) | None => target,
    };
    if has_status || target.contains('?') {
        return meant_path(target);
    }
    if parse_statuses(target).is_some() {
        return format!("/={target}");
    }
    match target.rsplit_once('=').map(|(path, text)| (path, meant_statuses(text))) {
        Some((path, Some(statuses))) => format!("{}={statuses}", meant_path(path)),
        // The `=` belongs to the path.
        Some((_, None)) if meant_path(target).contains('=') => {
            format!("{} --http-status 200-399", meant_path(target))
        }
        Some((_, None)) | None => meant_path(target),
    }
}

/// Guesses the path that was meant: the one of a URL, visible, without a fragment.
fn meant_path(text: &str) -> String {
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    if text.starts_with('/') {
        return percent_encoded(text);
    }
    let after_scheme = text.split_once("://").map(|(_, rest)| rest);
    let (host, path) = after_scheme.unwrap_or(text).split_once('/').unwrap_or((after_scheme.unwrap_or(text), ""));
    let names_host = after_scheme.is_some() || host.contains(':');
    format!("/{}", percent_encoded(if names_host { path } else { text }))
}

fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| {
        if byte.is_ascii_graphic() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str, status: Option<&str>) -> (String, u16, u16) {
        let check = HttpCheck::new(target, status).expect(target);
        (check.path, check.first, check.last)
    }

    /// The error and its hint.
    fn refused(target: &str, status: Option<&str>) -> (String, String) {
        let error = HttpCheck::new(target, status).expect_err(target);
        (error.to_string(), error.hint())
    }

    #[test]
    fn a_redirect_is_accepted_by_default() {
        let check = HttpCheck::new("/health", None).expect("a check");

        assert_eq!(
            [199, 200, 302, 399, 400, 500].map(|status| check.accepts(status)),
            [false, true, true, true, false, false]
        );
    }

    #[test]
    fn s19_4_a_status_or_a_range_may_follow_a_path_without_a_query() {
        assert_eq!(read("/", None), ("/".to_owned(), 200, 399));
        assert_eq!(read("/health=204", None), ("/health".to_owned(), 204, 204));
        assert_eq!(read("/health=200-299", None), ("/health".to_owned(), 200, 299));
        assert_eq!(read("/a=b=200", None), ("/a=b".to_owned(), 200, 200));
    }

    #[test]
    fn s19_4_an_equals_sign_in_a_query_never_begins_a_status() {
        for target in ["/ready?min=200", "/search?q=x", "/search?q=", "/a?b=200-299", "/a=204?b"] {
            assert_eq!(read(target, None), (target.to_owned(), 200, 399));
            assert_eq!(read(target, Some("204")), (target.to_owned(), 204, 204));
        }
    }

    #[test]
    fn s19_4_with_http_status_the_path_may_contain_an_equals_sign() {
        assert_eq!(read("/a=b", Some("200-299")), ("/a=b".to_owned(), 200, 299));
        let both = ("`--http /a=204` and `--http-status` both specify a status", "leave one of them out");
        assert_eq!(refused("/a=204", Some("200")), (both.0.to_owned(), both.1.to_owned()));
    }

    #[test]
    fn s19_4_an_error_suggests_the_statuses_that_were_meant() {
        for (text, meant) in [
            ("4xx", "400-499"),
            ("2XX", "200-299"),
            ("20x", "200-209"),
            ("4xx-5xx", "400-599"),
            ("200..299", "200-299"),
            ("200,204", "200-204"),
            ("299-200", "200-299"),
            (" 204", "204"),
        ] {
            let fact = format!("`--http /health={text}`: `{text}` is not a status");
            assert_eq!(refused(&format!("/health={text}"), None), (fact, format!("write `--http /health={meant}`")));
            let fact = format!("`--http-status {text}`: `{text}` is not a status");
            assert_eq!(refused("/health", Some(text)), (fact, format!("write `--http-status {meant}`")));
        }
    }

    #[test]
    fn s19_4_an_impossible_status_is_refused() {
        for text in ["", "ok", "103", "1xx", "1000", "-", "2-", "200-", "+200", "20", "0200", "200-0299", "é"] {
            let hint = "write a number from 200 to 999, or a range such as `200-299`";
            assert_eq!(refused("/", Some(text)).1, hint, "{text:?}");
            let after_path = refused(&format!("/={text}"), None);
            assert!(
                after_path.1.starts_with("write a number or a range, such as `--http /=200-299`"),
                "{after_path:?}"
            );
        }
    }

    #[test]
    fn s19_4_an_error_suggests_the_path_that_was_meant() {
        for (target, meant) in [
            ("health", "/health"),
            ("", "/"),
            ("health=204", "/health=204"),
            ("204", "/=204"),
            ("http://localhost:3000/health", "/health"),
            ("http://localhost", "/"),
            ("localhost:3000/up?a=b", "/up?a=b"),
            (":3000", "/"),
            ("/a b", "/a%20b"),
            ("/ä=204", "/%C3%A4=204"),
            ("/a\r\nX: y", "/a%0D%0AX:%20y"),
            ("/a#b", "/a"),
            ("/a b#c", "/a%20b"),
            ("/a b=2xx", "/a%20b=200-299"),
            ("/a#b=204", "/a=204"),
            ("api/v1=4xx", "/api/v1=400-499"),
            ("api=v1", "/api=v1 --http-status 200-399"),
            ("http://localhost/a=b", "/a=b --http-status 200-399"),
            ("web=/x", "/x"),
            ("web=/x=4xx", "/x=400-499"),
            ("web=/x?a=b", "/x?a=b"),
        ] {
            assert_eq!(refused(target, None).1, format!("write `--http {meant}`"), "{target:?}");
        }
        assert_eq!(refused("204", Some("200")).1, "write `--http /204`");
        assert_eq!(refused("web=/x=y", Some("200")).1, "write `--http /x=y`");
    }

    #[test]
    fn s19_4_whatever_a_hint_says_is_accepted() {
        let parts = ["", "/", "web", "/a", "//b", "http://h/c", "h:1", "a b", "#c", "?d", "4xx", "204", "9-2", "é"];
        for (first, second) in parts.into_iter().flat_map(|first| parts.map(|second| (first, second))) {
            for target in [first.to_owned(), format!("{first}{second}"), format!("{first}={second}")] {
                for status in [None, Some("204"), Some("2xx"), Some("ok")] {
                    let Err(error) = HttpCheck::new(&target, status) else { continue };
                    for options in error.hint().split('`').filter_map(|part| part.strip_prefix("--http")) {
                        assert!(are_accepted(options, &target, status), "{target:?} {status:?}: {}", error.hint());
                    }
                }
            }
        }
    }

    /// Whether these options can be typed instead. `options`: ` /PATH` or `-status STATUS`, or one after the other.
    fn are_accepted(options: &str, target: &str, status: Option<&str>) -> bool {
        match (options.strip_prefix("-status "), options.trim_start().split_once(" --http-status ")) {
            (Some(typed), _) => HttpCheck::new("/", Some(typed)).is_ok() && HttpCheck::new(target, Some(typed)).is_ok(),
            (None, Some((path, typed))) => HttpCheck::new(path, Some(typed)).is_ok(),
            // A bad status is the next error.
            (None, None) => HttpCheck::new(options.trim_start(), status.map(|_| "200")).is_ok(),
        }
    }

    #[test]
    fn the_accepted_statuses_are_described() {
        let check = |target: &str| HttpCheck::new(target, None).expect(target);

        assert_eq!(format!("{}: {}", check("/a"), check("/a").expected()), "GET /a: 200 to 399");
        assert_eq!(check("/a=204").expected(), "204");
    }
}
