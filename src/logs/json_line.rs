//! Reads a line of the log format `json` back, without loss (S7.3, S10.4).

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::{LogBlock, Source};
use crate::model::{DynoName, ProcessType};

#[derive(Deserialize)]
struct Object<'a> {
    time: &'a str,
    source: &'a str,
    dyno: Option<&'a str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    message_base64: Option<&'a str>,
    #[serde(default)]
    continued: bool,
}

/// The line as a block. None: it is not such a line.
#[must_use]
pub fn line_of_json(text: &[u8]) -> Option<LogBlock> {
    let object: Object<'_> = serde_json::from_slice(text).ok()?;
    let dyno = object.dyno.map(dyno_name);
    let source = match (object.source, dyno) {
        ("app", Some(dyno)) => Source::App(dyno?),
        ("dyno", Some(dyno)) => Source::Notice(dyno?),
        ("system", None) => Source::System,
        (Source::ROUTER, None) => Source::Router,
        _ => return None,
    };
    let mut bytes = match object.message_base64 {
        Some(text) => bytes_of_base64(text)?,
        None => object.message.into_owned().into_bytes(),
    };
    bytes.push(b'\n');
    Some(LogBlock { source, time: object.time.parse::<Timestamp>().ok()?, bytes, continued: object.continued })
}

fn dyno_name(text: &str) -> Option<DynoName> {
    let (process_type, index) = text.rsplit_once('.')?;
    Some(DynoName::new(ProcessType::new(process_type).ok()?, index.parse().ok()?))
}

/// The bytes that base64 with padding means.
fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        let bits = group.iter().try_fold(0_u32, |bits, byte| Some(bits << 6 | digit(*byte)?))?;
        let [_, group @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(group.get(..3_usize.checked_sub(padding)?)?);
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => 0,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{LogEncoder, LogEncoding};

    #[test]
    fn text_that_is_not_a_line_of_the_log_is_refused() {
        let time = "\"time\":\"2026-11-23T05:00:00.000000Z\"";
        for text in [
            String::new(),
            "{}".to_owned(),
            format!("{{{time},\"source\":\"app\",\"message\":\"\"}}"),
            format!("{{{time},\"source\":\"app\",\"dyno\":\"web\",\"message\":\"\"}}"),
            format!("{{{time},\"source\":\"system\",\"message\":\"\",\"message_base64\":\"?\"}}"),
        ] {
            assert_eq!(line_of_json(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn s10_4_a_line_survives_the_way_to_a_client(
            mut bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..40), any::<String>().prop_map(String::into_bytes)],
            kind in 0..4_usize,
            microsecond in 0_i64..4_000_000_000_000_000,
            continued: bool,
        ) {
            bytes.retain(|byte| *byte != b'\n');
            bytes.push(b'\n');
            let dyno = DynoName::new(ProcessType::new("web").unwrap(), 3);
            let source = [Source::App(dyno.clone()), Source::Notice(dyno), Source::System, Source::Router][kind].clone();
            let time = Timestamp::from_microsecond(microsecond).unwrap();
            let block = LogBlock { source, time, bytes, continued };
            let mut out = Vec::new();

            LogEncoder::new(LogEncoding::JsonLines).encode(&block, 1, &mut out);

            prop_assert_eq!(line_of_json(&out), Some(block));
        }
    }
}
