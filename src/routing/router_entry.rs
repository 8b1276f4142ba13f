//! One finished request, as the log shows it (S16.5).

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use http::HeaderValue;

use super::{EntryLevel, HCode};
use crate::model::DynoName;

/// How many bytes a line has room for without asking for more memory.
const LINE_BYTES: usize = 384;

/// What the log says about a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterEntry {
    /// The error, if there was one.
    pub code: Option<HCode>,
    /// The method. Empty: not known.
    pub method: String,
    /// The target.
    pub path: String,
    /// The header `Host` as it was sent.
    pub host: Option<HeaderValue>,
    /// The header `X-Request-Id` for the dyno.
    pub request_id: Option<HeaderValue>,
    /// The header `X-Forwarded-For` for the dyno.
    pub fwd: Option<HeaderValue>,
    /// The dyno that got it.
    pub dyno: Option<DynoName>,
    /// How long it waited for a dyno and for the connection. None: no dyno was tried.
    pub connect: Option<Duration>,
    /// How long the dyno took until the end of the answer. None: there was no connection.
    pub service: Option<Duration>,
    /// The status that was sent or, if the client has gone, the one of the code.
    pub status: Option<u16>,
    /// The bytes of the answer's body, or of a tunnel to the client.
    pub bytes: Option<u64>,
}

impl RouterEntry {
    /// The line of the text format: `GET /items 200 web.1 12ms 4.1kB`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut line = self.request();
        if let Some(status) = self.status {
            let _ = write!(line, " {status}");
        }
        if let Some(dyno) = &self.dyno {
            let _ = write!(line, " {dyno}");
        }
        if self.connect.is_some() || self.service.is_some() {
            let taken = self.connect.unwrap_or_default().saturating_add(self.service.unwrap_or_default());
            let _ = write!(line, " {}", span(taken));
        }
        if let Some(bytes) = self.bytes {
            let _ = write!(line, " {}", size(bytes));
        }
        if let Some(code) = self.code {
            let _ = write!(line, " {code}");
        }
        line
    }

    /// The method and the target.
    pub(super) fn request(&self) -> String {
        format!("{} {}", known(&self.method), known(&self.path))
    }

    /// The line of the platform, without what comes before `at=`.
    #[must_use]
    pub fn platform(&self) -> String {
        let mut line = String::with_capacity(LINE_BYTES);
        if let Some(sock) = self.code.and_then(HCode::sock) {
            let _ = write!(line, "sock={sock} ");
        }
        let level = self.code.map_or(EntryLevel::Info, HCode::level);
        let _ = write!(line, "at={level}");
        if let Some(code) = self.code {
            let _ = write!(line, " code={} desc=\"{}\"", code.code(), code.description());
        }
        // Written one after another: formatting all of them at once takes three times as long.
        for (name, value) in [
            (" method=", clean(&self.method, true)),
            (" path=\"", clean(&self.path, true)),
            ("\" host=", clean(&sent(self.host.as_ref()), true)),
            (" request_id=", clean(&sent(self.request_id.as_ref()), true)),
            (" fwd=\"", clean(&sent(self.fwd.as_ref()), true)),
        ] {
            line.push_str(name);
            line.push_str(&value);
        }
        line.push_str("\" dyno=");
        if let Some(dyno) = &self.dyno {
            let _ = write!(line, "{dyno}");
        }
        let ms = |time: Option<Duration>| time.map(|time| time.as_millis().try_into().unwrap_or(u64::MAX));
        for (name, number, unit) in [
            (" connect=", ms(self.connect), "ms"),
            (" service=", ms(self.service), "ms"),
            (" status=", self.status.map(u64::from), ""),
            (" bytes=", self.bytes, ""),
        ] {
            line.push_str(name);
            if let Some(number) = number {
                let _ = write!(line, "{number}");
                line.push_str(unit);
            }
        }
        line.push_str(" protocol=http1.1 tls=false");
        line
    }
}

/// The text of a header. Empty: there was none.
fn sent(value: Option<&HeaderValue>) -> Cow<'_, str> {
    let Some(value) = value else { return Cow::Borrowed("") };
    value.to_str().map_or_else(|_| String::from_utf8_lossy(value.as_bytes()), Cow::Borrowed)
}

/// What a client has sent, or `-`.
fn known(text: &str) -> Cow<'_, str> {
    if text.is_empty() { Cow::Borrowed("-") } else { clean(text, false) }
}

/// A text of the client without characters that could affect a terminal or end the line or the field: their bytes are
/// percent-encoded. `is_field`: quotes and blanks too.
fn clean(text: &str, is_field: bool) -> Cow<'_, str> {
    let is_plain = |character: char| {
        !character.is_control() && !(is_field && (character == '"' || character == ' ')) && !is_invisible(character)
    };
    let is_plain_ascii = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    if text.bytes().all(is_plain_ascii) || text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_plain(character) {
            cleaned.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(cleaned, "%{byte:02X}");
            }
        }
    }
    Cow::Owned(cleaned)
}

/// Characters that change the order or the place of others, or end a line.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `12ms`, `1.2s`, `75s`.
fn span(time: Duration) -> String {
    let ms = time.as_millis();
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..10_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        _ => format!("{}s", ms / 1000),
    }
}

/// `95B`, `4.1kB`, `12MB`. A kB has 1000 bytes.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1000 => return format!("{bytes}B"),
        1000..1_000_000 => (1000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let whole = bytes / unit;
    if whole < 10 { format!("{whole}.{}{name}", bytes % unit / (unit / 10)) } else { format!("{whole}{name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ProcessType;
    use crate::routing::AnswerFault;

    fn entry() -> RouterEntry {
        RouterEntry {
            method: "GET".into(),
            path: "/a?b".into(),
            host: Some(HeaderValue::from_static("x.example")),
            request_id: Some(HeaderValue::from_static("8c8f7b0e-0000-4000-8000-000000000001")),
            fwd: Some(HeaderValue::from_static("1.2.3.4")),
            dyno: Some(DynoName::new(ProcessType::new("web").unwrap(), 1)),
            connect: Some(Duration::ZERO),
            service: Some(Duration::from_micros(5900)),
            status: Some(200),
            bytes: Some(95),
            code: None,
        }
    }

    #[test]
    fn s16_5_the_platform_line_has_its_fields_in_order() {
        assert_eq!(
            entry().platform(),
            "at=info method=GET path=\"/a?b\" host=x.example request_id=8c8f7b0e-0000-4000-8000-000000000001 \
             fwd=\"1.2.3.4\" dyno=web.1 connect=0ms service=5ms status=200 bytes=95 protocol=http1.1 tls=false"
        );
    }

    #[test]
    fn s16_5_a_code_and_the_side_that_broke_come_first() {
        let cut = RouterEntry { code: Some(HCode::H18), bytes: Some(0), ..entry() };
        let start = "sock=backend at=error code=H18 desc=\"Server Request Interrupted\" method=GET path=";
        assert!(cut.platform().starts_with(start), "{}", cut.platform());
        let gone = RouterEntry { code: Some(HCode::H27), status: Some(499), ..entry() };
        let start = "sock=client at=warning code=H27 desc=\"Client Request Interrupted\" method=GET path=";
        assert!(gone.platform().starts_with(start), "{}", gone.platform());
        assert_eq!(gone.text(), "GET /a?b 499 web.1 5ms 95B H27 Client Request Interrupted");
    }

    #[test]
    fn s16_5_each_code_has_the_line_of_the_platform() {
        let unsent = "dyno= connect= service=";
        let refused = "dyno=web.1 connect=0ms service=";
        let sent = "dyno=web.1 connect=0ms service=5ms";
        let at = "at=error code=";
        for (code, start, desc, fields, status) in [
            (HCode::H10, at, "App crashed", unsent, 503),
            (HCode::H11, at, "Backlog too deep", unsent, 503),
            (HCode::H12, at, "Request timeout", sent, 503),
            (HCode::H13, at, "Connection closed without response", sent, 503),
            (HCode::H14, at, "No web processes running", unsent, 503),
            (HCode::H15, at, "Idle connection", sent, 503),
            (HCode::H17, at, "Poorly formatted HTTP response", sent, 503),
            (HCode::H18, "sock=backend at=error code=", "Server Request Interrupted", sent, 503),
            (HCode::H19, at, "Backend connection timeout", refused, 503),
            (HCode::H20, at, "App boot timeout", unsent, 503),
            (HCode::H21, at, "Backend connection refused", refused, 503),
            (HCode::H25(AnswerFault::Cookie), at, "HTTP restriction: oversized cookie", sent, 502),
            (HCode::H25(AnswerFault::Header), at, "HTTP restriction: oversized header", sent, 502),
            (HCode::H25(AnswerFault::StatusLine), at, "HTTP restriction: oversized status line", sent, 502),
            (HCode::H25(AnswerFault::ContentLength), at, "HTTP restriction: invalid content length", sent, 502),
            (HCode::H27, "sock=client at=warning code=", "Client Request Interrupted", sent, 499),
            (HCode::H28, "at=warning code=", "Client Connection Idle", sent, 499),
            (HCode::H99, at, "Platform error", unsent, 503),
        ] {
            let (known, all) = (entry(), RouterEntry { code: Some(code), status: Some(code.status()), ..entry() });
            let line = RouterEntry {
                dyno: known.dyno.filter(|_| fields != unsent),
                connect: known.connect.filter(|_| fields != unsent),
                service: known.service.filter(|_| fields == sent),
                bytes: None,
                ..all
            }
            .platform();
            let start = format!("{start}{} desc=\"{desc}\" method=GET path=\"/a?b\" host=x.example ", code.code());
            let end = format!(" fwd=\"1.2.3.4\" {fields} status={status} bytes= protocol=http1.1 tls=false");
            assert!(line.starts_with(&start) && line.ends_with(&end), "{line}");
        }
    }

    #[test]
    fn s16_5_what_is_not_known_is_an_empty_field() {
        let none = RouterEntry {
            code: Some(HCode::H14),
            dyno: None,
            connect: None,
            service: None,
            bytes: None,
            status: Some(503),
            ..entry()
        };
        let end = " fwd=\"1.2.3.4\" dyno= connect= service= status=503 bytes= protocol=http1.1 tls=false";
        assert!(none.platform().ends_with(end), "{}", none.platform());
        assert_eq!(none.text(), "GET /a?b 503 H14 No web processes running");
        assert_eq!(RouterEntry { status: Some(400), ..RouterEntry::default() }.text(), "- - 400");
    }

    #[test]
    fn s16_5_the_text_line_has_method_target_status_dyno_time_and_size() {
        let items = RouterEntry {
            path: "/items".into(),
            connect: Some(Duration::from_millis(2)),
            service: Some(Duration::from_millis(10)),
            bytes: Some(4_180),
            ..entry()
        };
        assert_eq!(items.text(), "GET /items 200 web.1 12ms 4.1kB");
        let tunnel = RouterEntry {
            path: "/ws".into(),
            service: Some(Duration::from_millis(531_114)),
            status: Some(101),
            bytes: Some(174),
            ..entry()
        };
        assert_eq!(tunnel.text(), "GET /ws 101 web.1 531s 174B");
        assert!(tunnel.platform().contains(" service=531114ms status=101 bytes=174 "));
    }

    #[test]
    fn s16_5_times_and_sizes_are_short() {
        let shown = |ms| span(Duration::from_millis(ms));
        assert_eq!(
            [shown(0), shown(999), shown(1_250), shown(9_999), shown(75_432)],
            ["0ms", "999ms", "1.2s", "9.9s", "75s"]
        );
        let sizes = [0, 999, 1_000, 9_999, 12_345, 999_999, 1_000_000, 104_857_600, 1_073_741_824].map(size);
        assert_eq!(sizes, ["0B", "999B", "1.0kB", "9.9kB", "12kB", "999kB", "1.0MB", "104MB", "1.0GB"]);
    }

    #[test]
    fn s16_5_what_a_client_sends_cannot_break_the_line() {
        let odd = RouterEntry {
            path: "/\"a b\u{1b}[2J\u{9b}\u{202e}\u{e9}\n".into(),
            host: Some(HeaderValue::from_static("a b")),
            ..entry()
        };
        assert!(odd.platform().contains(" path=\"/%22a%20b%1B[2J%C2%9B%E2%80%AE\u{e9}%0A\" host=a%20b "));
        assert!(odd.text().starts_with("GET /\"a b%1B[2J%C2%9B%E2%80%AE\u{e9}%0A 200 "));
    }

    proptest! {
        #[test]
        fn s16_5_a_line_is_one_line_with_the_same_fields_whatever_is_sent(
            method in any::<String>(),
            path in any::<String>(),
            host in "[ -~\t\u{80}-\u{10ffff}]{0,40}",
            fwd in "[ -~\t\u{80}-\u{10ffff}]{0,40}",
        ) {
            let [host, fwd] = [host, fwd].map(|value| Some(HeaderValue::try_from(value).unwrap()));
            let odd = RouterEntry { method, path, host, fwd, ..entry() };
            let (text, platform) = (odd.text(), odd.platform());
            prop_assert!(!text.chars().chain(platform.chars()).any(char::is_control));
            let names: Vec<&str> = platform.split(' ').filter_map(|field| Some(field.split_once('=')?.0)).collect();
            let expected = "at method path host request_id fwd dyno connect service status bytes protocol tls";
            prop_assert_eq!(names.join(" "), expected);
            prop_assert_eq!(platform.matches('"').count(), 4);
        }
    }
}
