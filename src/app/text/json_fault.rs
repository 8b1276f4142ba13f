//! What is wrong with a JSON text, in words for people.

use super::source::part;

/// A mistake in the JSON, as a fixed text that never quotes the file.
pub(crate) type JsonFault = &'static str;

/// The text of a string without its quotes and escapes. A NUL is refused, because a variable cannot contain one.
pub(crate) fn string(raw: &str) -> Result<String, JsonFault> {
    let text: String = serde_json::from_str(raw).map_err(|error| fault(&error, raw))?;
    if text.contains('\0') { Err("a string has a NUL character") } else { Ok(text) }
}

/// Translates an error of `serde_json`, which has no error codes, from its text. `raw`: the text that was parsed.
pub(crate) fn fault(error: &serde_json::Error, raw: &str) -> JsonFault {
    let message = error.to_string();
    match message.split(" at line ").next().unwrap_or_default() {
        "EOF while parsing a value" | "EOF while parsing an object" | "EOF while parsing a list" => {
            "it ends unexpectedly"
        }
        "EOF while parsing a string" => "a string is not closed",
        "expected `:`" => "expected a colon after the key",
        "expected `,` or `}`" => "expected a comma or a closing brace",
        "expected `,` or `]`" => "expected a comma or a closing bracket",
        "trailing comma" if part(line_of(error, raw), 0..error.column()).ends_with(b"]") => "expected a value",
        "key must be a string" | "trailing comma" => "expected a key in double quotes",
        "expected value" | "expected ident" => "expected a value",
        "invalid number" => "invalid number",
        "trailing characters" => "text follows the closing brace",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a string has a control character; write `\\n` for a newline"
        }
        "invalid escape" if !is_at_unicode_escape(error, raw) => "a string has an invalid escape",
        "invalid escape" | "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a string has a bad `\\u` escape"
        }
        _ => "it is not valid JSON",
    }
}

/// Whether the last backslash before the position of an error is followed by `u`.
fn is_at_unicode_escape(error: &serde_json::Error, raw: &str) -> bool {
    let line = line_of(error, raw);
    memchr::memrchr(b'\\', part(line, 0..error.column())).is_some_and(|at| line.get(at + 1) == Some(&b'u'))
}

/// The line with an error.
fn line_of<'t>(error: &serde_json::Error, raw: &'t str) -> &'t [u8] {
    raw.lines().nth(error.line().saturating_sub(1)).unwrap_or_default().as_bytes()
}
