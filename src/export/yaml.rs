//! YAML as every engine reads it: what is not a plain word is in double quotes, with the escapes of JSON.

use std::fmt::Write as _;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    /// A text.
    Text(String),
    /// A number, `true`, or a reference such as `*app`: written as it is.
    Plain(String),
    /// Values in order.
    List(Vec<Yaml>),
    /// Texts in order, each on a line of its own.
    Rows(Vec<String>),
    /// Keys with values, in order.
    Map(YamlMap),
}

/// Keys with values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct YamlMap {
    anchor: Option<&'static str>,
    entries: Vec<YamlEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum YamlEntry {
    Comment(String),
    Gap,
    Pair(String, Yaml),
}

/// The key that takes over the entries of another map.
const MERGE: &str = "<<";

/// Words that are not texts, in any case.
const RESERVED: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

impl YamlMap {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A map that others may take over under this name.
    pub(super) fn anchored(name: &'static str) -> Self {
        Self { anchor: Some(name), entries: Vec::new() }
    }

    /// One more entry.
    pub(super) fn with(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.entries.push(YamlEntry::Pair(key.to_owned(), value.into()));
        self
    }

    /// One more entry, unless there is no value.
    pub(super) fn with_some(self, key: &str, value: Option<impl Into<Yaml>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// All entries of the map with this anchor.
    pub(super) fn merged(self, anchor: &str) -> Self {
        self.with(MERGE, Yaml::Plain(format!("*{anchor}")))
    }

    /// A line before the next entry.
    pub(super) fn comment(mut self, text: &str) -> Self {
        self.entries.push(YamlEntry::Comment(text.to_owned()));
        self
    }

    /// An empty line before the next entry, unless that is the first.
    pub(super) fn gap(mut self) -> Self {
        if !self.entries.is_empty() {
            self.entries.push(YamlEntry::Gap);
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The document.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, indent: usize) {
        for entry in &self.entries {
            let margin = " ".repeat(indent);
            match entry {
                YamlEntry::Gap => text.push('\n'),
                YamlEntry::Comment(comment) => {
                    let _ = writeln!(text, "{margin}# {comment}");
                }
                YamlEntry::Pair(key, value) => {
                    text.push_str(&margin);
                    text.push_str(&if key == MERGE { key.clone() } else { scalar(key) });
                    text.push(':');
                    value.write(text, indent + 2);
                }
            }
        }
    }
}

impl Yaml {
    /// Writes what follows the colon of a key. `indent`: of the lines below it.
    fn write(&self, text: &mut String, indent: usize) {
        match self {
            Self::Text(value) => {
                let _ = writeln!(text, " {}", scalar(value));
            }
            Self::Plain(value) => {
                let _ = writeln!(text, " {value}");
            }
            Self::Map(map) => {
                text.push_str(&map.anchor.map_or_else(String::new, |name| format!(" &{name}")));
                text.push_str(if map.is_empty() { " {}\n" } else { "\n" });
                map.write(text, indent);
            }
            Self::Rows(rows) => {
                text.push('\n');
                for row in rows {
                    Self::from(row.as_str()).write_item(text, indent);
                }
            }
            Self::List(items) if items.iter().all(Self::is_scalar) => {
                let items: Vec<String> = items.iter().map(Self::in_line).collect();
                let _ = writeln!(text, " [{}]", items.join(", "));
            }
            Self::List(items) => {
                text.push('\n');
                for item in items {
                    item.write_item(text, indent);
                }
            }
        }
    }

    fn write_item(&self, text: &mut String, indent: usize) {
        let dash = format!("{}- ", " ".repeat(indent));
        match self {
            Self::Map(map) => {
                let start = text.len();
                map.write(text, indent + 2);
                // The first entry is on the line of the dash.
                text.replace_range(start..start + dash.len(), &dash);
            }
            Self::Text(value) => {
                let _ = writeln!(text, "{dash}{}", scalar(value));
            }
            Self::Plain(_) | Self::List(_) | Self::Rows(_) => {
                let _ = writeln!(text, "{dash}{}", self.in_line());
            }
        }
    }

    fn is_scalar(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Plain(_))
    }

    /// The value within a line, with each text in quotes.
    fn in_line(&self) -> String {
        match self {
            Self::Text(value) => quoted(value),
            Self::Plain(value) => value.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::in_line).collect::<Vec<_>>().join(", ")),
            Self::Rows(rows) => Self::from(rows.clone()).in_line(),
            Self::Map(map) => {
                let pairs = map.entries.iter().filter_map(|entry| match entry {
                    YamlEntry::Pair(key, value) => Some(format!("{}: {}", scalar(key), value.in_line())),
                    YamlEntry::Comment(_) | YamlEntry::Gap => None,
                });
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Yaml {
    fn from(number: u64) -> Self {
        Self::Plain(number.to_string())
    }
}

impl From<u16> for Yaml {
    fn from(number: u16) -> Self {
        Self::Plain(number.to_string())
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Plain(value.to_string())
    }
}

impl From<YamlMap> for Yaml {
    fn from(map: YamlMap) -> Self {
        Self::Map(map)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Yaml {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/');
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(is_part)
        && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A text in double quotes. JSON lets more characters stay as they are than YAML does.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_3_a_text_that_yaml_would_read_as_something_else_is_quoted() {
        let words = ["web", "a.b-c/d_e", "True1"];
        assert_eq!(words.map(scalar), words);
        let quoted = ["no", "Yes", "ON", "1", "1e3", "", "a b", "a:", "-", "~", ".inf", "é", "a#b"];
        assert_eq!(quoted.map(scalar), quoted.map(|text| format!("\"{text}\"")));
        assert_eq!(scalar("a\"\\\n\t\u{1}\u{7f}\u{85}\u{2028}'"), "\"a\\\"\\\\\\n\\t\\u0001\\u007f\\u0085\\u2028'\"");
    }

    #[test]
    fn lists_of_texts_are_on_one_line_and_maps_are_not() {
        let item = YamlMap::new().with("name", "A").with("value", "1");
        let map = YamlMap::anchored("x").with("args", vec!["sh", "-c"]).with("env", vec![item.clone(), item]);
        let document = YamlMap::new().with("a", map).comment("Next").with("b", YamlMap::new().merged("x"));
        let text = "a: &x\n  args: [\"sh\", \"-c\"]\n  env:\n    - name: A\n      value: \"1\"\n    - name: A\n      \
                    value: \"1\"\n# Next\nb:\n  <<: *x\n";
        assert_eq!(document.with("c", YamlMap::new()).text(), format!("{text}c: {{}}\n"));
    }
}
