//! The line that says which export wrote a file, and with which bytes, so that a file that a person has changed is found (S18.1).

use super::ExportFormat;

/// The words that every marker has before the name of the format.
const BEGIN: &str = "Written by `dyno export ";

/// The words between the name of the app and the checksum.
const CHECKSUM: &str = ". Edit it, and the next export refuses to replace it; checksum ";

/// A hyphen after another in XML, where two in a row would end a comment. No name has these characters.
const XML_HYPHEN: &str = "&#45;";

/// The name of the member that is the marker in JSON.
pub(super) const MARKER_KEY: &str = "//";

/// The longest distance of the marker from the beginning of a file.
const WITHIN: usize = 1024;

/// How a file format writes a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentStyle {
    /// `# text`. After the first line if that begins with `#!`.
    Hash,
    /// `# text`, always after the first line: the engine reads that line alone.
    HashBelow,
    /// `; text`.
    Semicolon,
    /// `<!-- text -->`, after the declaration.
    Xml,
    /// A member of the outermost object, because JSON has no comments.
    Json,
}

/// Which app and format a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The format.
    pub format: ExportFormat,
    /// The name of the app.
    pub app: String,
}

impl Marker {
    /// The marker of an export.
    #[must_use]
    pub fn new(format: ExportFormat, app: &str) -> Self {
        Self { format, app: app.to_owned() }
    }

    /// A text with the marker.
    pub(super) fn mark(&self, style: CommentStyle, text: &[u8]) -> Vec<u8> {
        let words = format!("{BEGIN}{}` for {}{CHECKSUM}{:08x}", self.format, self.app, crc32fast::hash(text));
        let (line, at) = match style {
            CommentStyle::Hash => (format!("# {words}\n"), end_of_line(text, b"#!")),
            CommentStyle::HashBelow => (format!("# {words}\n"), end_of_line(text, b"")),
            CommentStyle::Semicolon => (format!("; {words}\n"), 0),
            CommentStyle::Xml => {
                let words = words.replace("--", &format!("-{XML_HYPHEN}"));
                (format!("<!-- {words} -->\n"), end_of_line(text, b"<?xml"))
            }
            CommentStyle::Json => {
                (format!("  \"{MARKER_KEY}\": {},\n", serde_json::Value::from(words)), end_of_line(text, b"{\n"))
            }
        };
        let (before, after) = text.split_at_checked(at).unwrap_or((b"", text));
        [before, line.as_bytes(), after].concat()
    }

    /// The marker of a file, and whether its bytes are still those that were written. None: no export wrote it.
    #[must_use]
    pub fn find(text: &[u8]) -> Option<(Self, bool)> {
        let begin = text.get(..text.len().min(WITHIN))?;
        let found = memchr::memmem::find(begin, BEGIN.as_bytes())?;
        let start = memchr::memrchr(b'\n', begin.get(..found)?).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', text.get(found..)?).map_or(text.len(), |newline| found + newline + 1);
        let words = std::str::from_utf8(text.get(found..end)?).ok()?.replace(XML_HYPHEN, "-");
        let (format, rest) = words.strip_prefix(BEGIN)?.split_once("` for ")?;
        let (app, rest) = rest.split_once(CHECKSUM)?;
        let checksum = u32::from_str_radix(rest.get(..8)?, 16).ok()?;
        let others = [text.get(..start)?, text.get(end..)?].concat();
        let marker = Self { format: ExportFormat::of_name(format)?, app: app.to_owned() };
        Some((marker, crc32fast::hash(&others) == checksum))
    }
}

/// The end of the first line, if the text begins with these bytes.
fn end_of_line(text: &[u8], prefix: &[u8]) -> usize {
    let line = text.starts_with(prefix).then(|| memchr::memchr(b'\n', text)).flatten();
    line.map_or(0, |newline| newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(style: CommentStyle, text: &str) -> String {
        let marker = Marker::new(ExportFormat::Systemd, "shop---x");
        String::from_utf8(marker.mark(style, text.as_bytes())).expect("text")
    }

    #[test]
    fn s18_1_a_marker_is_found_and_tells_a_changed_file_from_its_own() {
        let cases = [
            (CommentStyle::Hash, "a=b\n"),
            (CommentStyle::Hash, "#!/bin/sh\nexec x\n"),
            (CommentStyle::Hash, ""),
            (CommentStyle::HashBelow, "3\n"),
            (CommentStyle::Semicolon, "[a]\nb=c\n"),
            (CommentStyle::Xml, "<?xml version=\"1.0\"?>\n<a/>\n"),
            (CommentStyle::Json, "{\n  \"a\": 1\n}\n"),
        ];
        for (style, text) in cases {
            let written = marked(style, text);
            let (marker, is_own) = Marker::find(written.as_bytes()).expect(&written);
            assert_eq!((marker.app.as_str(), is_own), ("shop---x", true), "{written}");
            let comment = written.split_once("<!--").and_then(|(_, rest)| rest.split_once("-->"));
            assert!(comment.is_none_or(|(comment, _)| !comment.contains("--")), "{written}");
            let edited = format!("{written}\n");
            assert_eq!(Marker::find(edited.as_bytes()).map(|(_, is_own)| is_own), Some(false), "{edited}");
        }
        assert_eq!(Marker::find(b"# Written by hand\n"), None);
    }

    #[test]
    fn s18_1_the_marker_comes_after_what_must_be_first() {
        assert!(
            marked(CommentStyle::Hash, "#!/bin/sh\nx\n")
                .starts_with("#!/bin/sh\n# Written by `dyno export systemd` for shop")
        );
        assert!(marked(CommentStyle::Xml, "<?xml?>\n<a/>\n").starts_with("<?xml?>\n<!-- Written by"));
        let json = marked(CommentStyle::Json, "{\n  \"a\": 1\n}\n");
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value.get("a"), Some(&serde_json::Value::from(1)));
    }
}
