//! Writes one JSON object per line, whatever the bytes are (S7.3).
//!
//! Keys, in this order: `time` (RFC 3339, UTC), `source` (`app` for output, `dyno` for a notice about a dyno, `system`
//! for one about the formation), `dyno` (absent for `system`), `message`, `message_base64` (the original bytes, only if
//! they were not UTF-8), `continued` (only if true). Control characters are escaped, including DEL and U+0080..=U+009F,
//! so that the objects cannot affect a terminal. Called by `format`.

use std::io::Write;
use std::str;

use super::stamp::Stamp;
use super::{LogBlock, Source};

/// Extra room per line, in bytes: the closing brace and a few escaped characters.
const SPARE_BYTES: usize = 16;

/// Writes the beginning that all objects of a block share, up to the message.
pub(super) fn begin_object(block: &LogBlock, stamp: &mut Stamp, prefix: &mut Vec<u8>) {
    prefix.clear();
    prefix.extend_from_slice(b"{\"time\":\"");
    stamp.date_and_time(block.time, prefix);
    let _ = match &block.source {
        Source::App(dyno) => write!(prefix, "Z\",\"source\":\"app\",\"dyno\":\"{dyno}\""),
        Source::Notice(dyno) => write!(prefix, "Z\",\"source\":\"dyno\",\"dyno\":\"{dyno}\""),
        Source::System => write!(prefix, "Z\",\"source\":\"system\""),
        Source::Router => write!(prefix, "Z\",\"source\":\"{}\"", Source::ROUTER),
    };
    prefix.extend_from_slice(b",\"message\":");
}

/// Writes one object for each line.
pub(super) fn render(block: &LogBlock, prefix: &[u8], out: &mut Vec<u8>) {
    let all_text = str::from_utf8(&block.bytes).is_ok();
    let mut continued = block.continued;
    for line in block.lines() {
        out.reserve(prefix.len() + line.len() + SPARE_BYTES);
        out.extend_from_slice(prefix);
        out.push(b'"');
        if all_text {
            write_escaped(line, out);
        } else {
            write_lossy(line, out);
        }
        out.push(b'"');
        if !all_text && str::from_utf8(line).is_err() {
            out.extend_from_slice(b",\"message_base64\":\"");
            write_base64(line, out);
            out.push(b'"');
        }
        if continued {
            out.extend_from_slice(b",\"continued\":true");
            continued = false;
        }
        out.extend_from_slice(b"}\n");
    }
}

fn write_lossy(line: &[u8], out: &mut Vec<u8>) {
    for part in line.utf8_chunks() {
        write_escaped(part.valid().as_bytes(), out);
        if !part.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Writes the inside of a JSON string. `text` is UTF-8.
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = match tail {
            [0xc2, control @ 0x80..=0x9f, after @ ..] => {
                write_code(*control, out);
                after
            }
            [byte, after @ ..] => {
                write_escape(*byte, out);
                after
            }
            [] => tail,
        };
    }
    out.extend_from_slice(rest);
}

/// Bytes that may need an escape. 0xc2 may begin U+0080..=U+009F.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f | 0xc2)
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\r' => out.extend_from_slice(b"\\r"),
        0xc2 => out.push(byte),
        control => write_code(control, out),
    }
}

fn write_code(control: u8, out: &mut Vec<u8>) {
    let _ = write!(out, "\\u{control:04x}");
}

/// Base64 with padding (RFC 4648, section 4).
fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4_usize {
            let character = if at <= group.len() { base64_character(bits >> (18 - 6 * at)) } else { b'=' };
            out.push(character);
        }
    }
}

fn base64_character(bits: u32) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'=')
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use serde_json::Value;

    use crate::model::{DynoName, ProcessType};

    use super::*;

    fn web() -> DynoName {
        DynoName::new(ProcessType::new("web").unwrap(), 1)
    }

    fn rendered(source: Source, bytes: &[u8], continued: bool) -> String {
        let time = Timestamp::from_microsecond(1_757_991_324_741_657).unwrap();
        let block = LogBlock { source, time, bytes: bytes.to_vec(), continued };
        let mut prefix = Vec::new();
        let mut out = Vec::new();
        begin_object(&block, &mut Stamp::new(TimeZone::UTC), &mut prefix);
        render(&block, &prefix, &mut out);
        String::from_utf8(out).unwrap()
    }

    // S7.3
    #[test]
    fn a_line_is_an_object_with_time_source_dyno_and_message() {
        assert_eq!(
            rendered(Source::App(web()), b"one\n\n", false),
            "{\"time\":\"2025-09-16T02:55:24.741657Z\",\"source\":\"app\",\"dyno\":\"web.1\",\"message\":\"one\"}\n\
             {\"time\":\"2025-09-16T02:55:24.741657Z\",\"source\":\"app\",\"dyno\":\"web.1\",\"message\":\"\"}\n"
        );
        assert_eq!(
            rendered(Source::Notice(web()), b"exited\n", false),
            "{\"time\":\"2025-09-16T02:55:24.741657Z\",\"source\":\"dyno\",\"dyno\":\"web.1\",\"message\":\"exited\"}\n"
        );
        assert_eq!(
            rendered(Source::System, b"bye\n", false),
            "{\"time\":\"2025-09-16T02:55:24.741657Z\",\"source\":\"system\",\"message\":\"bye\"}\n"
        );
    }

    #[test]
    fn only_the_rest_of_a_line_is_marked_as_continued() {
        let lines = rendered(Source::App(web()), b"rest\nnext\n", true);

        assert!(lines.contains("\"rest\",\"continued\":true}"));
        assert!(lines.contains("\"next\"}"));
    }

    #[test]
    fn control_characters_are_escaped() {
        let line = rendered(Source::System, b"\"\\\t\r\x00\x1b[0m\x7f \xc2\x9b \xc2\xb5 /\n", false);

        assert!(line.contains(r#""message":"\"\\\t\r\u0000\u001b[0m\u007f \u009b µ /"}"#), "{line}");
    }

    // S7.3: `message_base64` only if the bytes were not UTF-8.
    #[test]
    fn bytes_that_are_not_utf8_are_added_in_base64() {
        let lines = rendered(Source::System, b"a\xff\nok\n", false);

        assert!(lines.contains("\"message\":\"a\u{fffd}\",\"message_base64\":\"Yf8=\"}"));
        assert!(lines.contains("\"message\":\"ok\"}"));
    }

    // RFC 4648, section 10.
    #[test]
    fn base64_is_padded() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            let mut out = Vec::new();
            write_base64(text.as_bytes(), &mut out);
            assert_eq!(out, encoded.as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(3_000), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_give_one_valid_object_per_line(
            mut bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 1..60),
                "\\PC{1,30}".prop_map(String::into_bytes),
                any::<String>().prop_map(String::into_bytes),
            ],
            continued: bool,
        ) {
            bytes.push(b'\n');

            let out = rendered(Source::App(web()), &bytes, continued);

            let lines: Vec<_> = bytes[..bytes.len() - 1].split(|byte| *byte == b'\n').collect();
            prop_assert_eq!(out.lines().count(), lines.len());
            prop_assert!(!out.chars().any(|char| char.is_control() && char != '\n'));
            for (at, (object, line)) in out.lines().zip(lines).enumerate() {
                let object: Value = serde_json::from_str(object).expect("valid JSON");
                prop_assert_eq!(&object["message"], &Value::from(String::from_utf8_lossy(line)));
                prop_assert_eq!(object.get("message_base64").is_some(), str::from_utf8(line).is_err());
                prop_assert_eq!(object.get("continued").is_some(), continued && at == 0);
            }
        }
    }
}
