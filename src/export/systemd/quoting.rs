//! How systemd reads text in units and in environment files.

use std::fmt::Write as _;

use super::super::ExportFailure;
use super::NAME;

/// Why a path or a value is refused.
const NOT_UTF8: &str = "it is not UTF-8";
const NOT_UTF8_VALUE: &str = "its value is not UTF-8";

/// A word of `ExecStart=`, in double quotes.
pub(super) fn word(bytes: &[u8]) -> String {
    quoted(bytes, true)
}

/// A value of `Environment=` with its key, in double quotes. There `$` has no special meaning.
pub(super) fn assignment(key: &str, value: &[u8]) -> String {
    quoted(&[key.as_bytes(), b"=", value].concat(), false)
}

/// Double quotes with the escapes of C; `%` is doubled, and `$` too where variables are expanded.
fn quoted(bytes: &[u8], expands_variables: bool) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                '%' => text.push_str("%%"),
                '$' if expands_variables => text.push_str("$$"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                c if c.is_ascii_control() => {
                    let _ = write!(text, "\\x{:02x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

/// A path as the rest of a line, as in `WorkingDirectory=`: without quotes, but `%` is special.
pub(super) fn path(path: &std::path::Path) -> Result<String, ExportFailure> {
    let refuse = |reason| ExportFailure::Path { format: NAME, path: path.display().to_string(), reason };
    let text = path.to_str().ok_or_else(|| refuse(NOT_UTF8))?;
    if text.chars().any(char::is_control) || text.trim() != text || text.ends_with('\\') {
        return Err(refuse(
            "control characters, blanks at its ends and a backslash as its last character cannot be written",
        ));
    }
    Ok(text.replace('%', "%%"))
}

/// A line of an `EnvironmentFile=`: in double quotes a backslash is special before `"`, `\`, `$` and a backtick.
pub(super) fn env_line(key: &str, value: &[u8]) -> Result<String, ExportFailure> {
    if key.contains(['.', '-']) || key.starts_with(|first: char| first.is_ascii_digit()) {
        let reason = "its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
        return Err(ExportFailure::VariableName { format: NAME, key: key.to_owned(), reason });
    }
    let refuse = |_| ExportFailure::Variable { format: NAME, key: key.to_owned(), reason: NOT_UTF8_VALUE };
    let value = std::str::from_utf8(value).map_err(refuse)?;
    let mut text = format!("{key}=\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push_str("\"\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_3_what_is_special_in_a_unit_is_escaped() {
        assert_eq!(word(b"a \"b\" \\ 100% $X\n\x01\xff\xc3\xa9"), "\"a \\\"b\\\" \\\\ 100%% $$X\\n\\x01\\xff\u{e9}\"");
        assert_eq!(assignment("K", b"$1 %h"), "\"K=$1 %%h\"");
        assert_eq!(env_line("K", b"a\"b\\c$d`e\nf ").unwrap(), "K=\"a\\\"b\\\\c\\$d\\`e\nf \"\n");
    }

    #[test]
    fn s18_3_what_cannot_be_written_is_an_error_with_the_name() {
        let refused = |key: &str, value: &[u8]| env_line(key, value).expect_err("refused").to_string();

        assert_eq!(refused("K", b"\xff"), "systemd cannot have the config var `K`: its value is not UTF-8");
        let name = "its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
        assert_eq!(refused("a.b", b""), format!("systemd cannot have the config var `a.b`: {name}"));
        for refused in ["/a\nUser=b", "/a ", "/a\\"] {
            assert!(path(std::path::Path::new(refused)).is_err(), "{refused}");
        }
        assert_eq!(path(std::path::Path::new("/a b/100%")).unwrap(), "/a b/100%%");
    }
}
