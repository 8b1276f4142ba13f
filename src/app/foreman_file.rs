//! Parses `.foreman`, which sets defaults for `start`, one `key: value` per line (S4.5).
//!
//! It supports only the YAML that such files use: comments, quotes, and comma-separated lists with blanks. `commands`
//! decides that options win. The formation is kept as text, because its meaning depends on the Procfile (`formation`).

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use crate::app::env::line::holds_assignment;
use crate::app::ports::{RouterPort, parse_port};
use crate::app::text::nearest::{did_you_mean, nearest, some_of};
use crate::app::text::problem::{Problem, Problems, Severity};
use crate::app::text::source::{
    SourceLine, SourceText, begins_with_name_and_colon, is_blank, list_items, part, shortened, trim, trim_end,
    trim_start,
};

/// Longest `timeout`, in seconds: one day. A longer one is a mistake.
const MAX_TIMEOUT_SECONDS: u64 = 24 * 60 * 60;

/// Keys of foreman that mean nothing here.
const OTHER_KEYS_OF_FOREMAN: [&str; 5] = ["format", "log", "run", "template", "user"];

/// What a `.foreman` file sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForemanFile {
    /// Like `--app`.
    pub app: Option<Setting<String>>,
    /// Like `--after`: the items of the list.
    pub after: Option<Setting<Vec<String>>>,
    /// Like `--watch`.
    pub watch: Option<Setting<String>>,
    /// Like `-p`.
    pub port: Option<Setting<u16>>,
    /// Like `-m`: types that are not named get 0.
    pub formation: Option<Setting<String>>,
    /// Like `-c`: types that are not named keep 1. This was the name of `formation` before foreman 0.60.
    pub concurrency: Option<Setting<String>>,
    /// Like `-f`.
    pub procfile: Option<Setting<String>>,
    /// Like `-e`: the files in order; later ones win.
    pub env: Option<Setting<Vec<String>>>,
    /// Like `-d`.
    pub root: Option<Setting<String>>,
    /// Like `-t`: whole seconds, up to one day.
    pub timeout: Option<Setting<Duration>>,
    /// `false` is like `--no-timestamps`.
    pub timestamp: Option<Setting<bool>>,
    /// Like `--color`: `always` or `never`.
    pub color: Option<Setting<bool>>,
    /// Like `--router`; `false` means no router.
    pub router: Option<Setting<Option<RouterPort>>>,
    /// The problems of the file. An invalid port, timeout or quote is an error.
    pub problems: Vec<Problem>,
}

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// 1-based line.
    pub line: usize,
}

impl ForemanFile {
    /// The keys that `dyno` reads.
    pub const KEYS: [&str; 13] = [
        "port",
        "formation",
        "concurrency",
        "procfile",
        "env",
        "root",
        "timeout",
        "timestamp",
        "color",
        "app",
        "after",
        "watch",
        "router",
    ];

    /// Parses a `.foreman` file. An invalid value is left out and becomes an error in `problems`. The other values are
    /// kept, so that nothing that depends on them is reported as missing.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let checked = SourceText::new(bytes).map_err(|problem| vec![problem]);
        let checked = checked.and_then(|text| text.check_line_endings(begins_with_name_and_colon).map(|()| text));
        let text = match checked {
            Ok(text) => text,
            Err(problems) => return Self { problems, ..Self::default() },
        };
        let mut file = Self::default();
        let mut problems = Problems::default();
        let mut lines_of_keys: HashMap<String, usize> = HashMap::new();
        for line in text.lines() {
            let body = trim(line.text);
            if body.is_empty() || body.starts_with(b"#") || body == b"---" || body == b"..." {
                continue;
            }
            let read = key_and_value(&line).and_then(|(key, value)| {
                file.set(key, &value, line.number)?;
                Ok(key)
            });
            match read {
                // A value that is not used has a problem of its own.
                Ok(key) => {
                    if let Some(earlier) = lines_of_keys.insert(key.to_owned(), line.number) {
                        problems.push(set_twice(key, earlier, line.number));
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        file.problems = problems.into_list();
        file
    }

    fn set(&mut self, key: &str, value: &str, line: usize) -> Result<(), Problem> {
        if Self::KEYS.contains(&key) && matches!(value, "" | "~" | "null") {
            let message = format!("`{key}` has no value and is ignored");
            return Err(Problem::new(Severity::Defect, line, message, "write one, or remove the line").about(key));
        }
        let text = || Some(Setting { value: value.to_owned(), line });
        let list = || Some(Setting { value: list_items(value).map(str::to_owned).collect(), line });
        match key {
            "port" => self.port = Some(Setting { value: read_port(value, line)?, line }),
            "app" => self.app = text(),
            "formation" => self.formation = text(),
            "concurrency" => self.concurrency = text(),
            "procfile" => self.procfile = text(),
            "root" => self.root = text(),
            "timeout" => self.timeout = Some(Setting { value: read_timeout(value, line)?, line }),
            "timestamp" => self.timestamp = Some(Setting { value: read_switch(key, value, line)?, line }),
            "color" => self.color = Some(Setting { value: read_switch(key, value, line)?, line }),
            "env" => self.env = list(),
            "after" => self.after = list(),
            "watch" => self.watch = text(),
            "router" => self.router = Some(Setting { value: read_router(value, line)?, line }),
            other if OTHER_KEYS_OF_FOREMAN.contains(&other) => {}
            other => return Err(unknown_key(other, line)),
        }
        Ok(())
    }
}

/// Splits a line into its key and its value, without the quotes or a comment.
fn key_and_value<'a>(line: &SourceLine<'a>) -> Result<(&'a str, String), Problem> {
    let not_a_pair = || {
        let body = trim(line.text);
        let label = if holds_assignment(body) { "this line".to_owned() } else { format!("`{}`", shortened(body)) };
        let message = format!("{label} is not `key: value`");
        Problem::new(Severity::Defect, line.number, message, "write a line such as `port: 5000`")
    };
    let colon = memchr::memchr(b':', line.text).ok_or_else(not_a_pair)?;
    let value = part(line.text, colon + 1..line.text.len());
    let separated = value.first().is_none_or(|byte| is_blank(*byte));
    let key = std::str::from_utf8(part(line.text, 0..colon)).map_err(|_| not_a_pair())?.trim_end();
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !separated || !is_key {
        return Err(not_a_pair());
    }
    let unreadable = |what: &str, hint: &str| {
        Problem::new(Severity::Error, line.number, format!("the value of `{key}` {what}"), hint).about(key)
    };
    let value = std::str::from_utf8(value).map_err(|_| unreadable("is not UTF-8", "save the file as UTF-8"))?;
    let value = read_scalar(value.trim()).map_err(|(what, hint)| unreadable(what, hint))?;
    Ok((key, value))
}

/// The text of a plain or quoted YAML value. The error is the end of a sentence that begins with
/// `the value of KEY`, and a hint.
fn read_scalar(text: &str) -> Result<String, (&'static str, &'static str)> {
    let Some(first) = text.chars().next() else { return Ok(String::new()) };
    match first {
        '\'' | '"' => {
            let rest = text.get(1..).unwrap_or_default();
            let (value, after) = unquote(rest, first).ok_or(("has no closing quote", "close the quote"))?;
            if after.trim().is_empty() || after.trim().starts_with('#') {
                return Ok(value);
            }
            Err(("continues after its closing quote", "put the whole value in quotes"))
        }
        '[' | '{' | '|' | '>' | '&' | '*' | '!' => {
            Err(("uses YAML syntax that is not supported", "write `a, b` for a list"))
        }
        _ => {
            let text = text.as_bytes();
            let comment = memchr::memchr_iter(b'#', text)
                .find(|at| at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| is_blank(*byte)));
            let value = trim_end(trim_start(part(text, 0..comment.unwrap_or(text.len()))));
            Ok(String::from_utf8_lossy(value).into_owned())
        }
    }
}

/// The text before the closing quote, and the text after it. Inside `'…'` a quote is doubled, inside `"…"` it is
/// escaped.
fn unquote(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && quote == '"' {
            value.push(characters.next()?);
        } else if character != quote {
            value.push(character);
        } else if quote == '\'' && characters.as_str().starts_with('\'') {
            value.extend(characters.next());
        } else {
            return Some((value, characters.as_str()));
        }
    }
    None
}

fn read_port(text: &str, line: usize) -> Result<u16, Problem> {
    parse_port(text.as_bytes()).ok_or_else(|| {
        let message = format!("`{}` is not a port number from 1 to 65535", shortened(text.as_bytes()));
        Problem::new(Severity::Error, line, message, "write a line such as `port: 5000`").about("port")
    })
}

fn read_timeout(text: &str, line: usize) -> Result<Duration, Problem> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= MAX_TIMEOUT_SECONDS);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let message = format!("`{}` is not a valid value for `timeout`", shortened(text.as_bytes()));
        let hint = format!("write a whole number of seconds from 0 to {MAX_TIMEOUT_SECONDS}, as in `timeout: 5`");
        Problem::new(Severity::Error, line, message, hint).about("timeout")
    })
}

/// A boolean in one of the spellings of YAML.
fn read_switch(key: &str, text: &str, line: usize) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => {
            let message = format!("`{}` is not a valid value for `{key}`", shortened(text.as_bytes()));
            let hint = format!("write `{key}: true` or `{key}: false`");
            Err(Problem::new(Severity::Error, line, message, hint).about(key))
        }
    }
}

/// `true`, `false` or a port.
fn read_router(text: &str, line: usize) -> Result<Option<RouterPort>, Problem> {
    if let Some(port) = parse_port(text.as_bytes()) {
        return Ok(Some(RouterPort::At(port)));
    }
    read_switch("router", text, line).map(|is_on| is_on.then_some(RouterPort::Base)).map_err(|problem| Problem {
        hint: "write `router: true`, `router: false`, or a port, such as `router: 8080`".into(),
        ..problem
    })
}

fn unknown_key(key: &str, line: usize) -> Problem {
    let shown = shortened(key.as_bytes());
    let hint = did_you_mean(&nearest(key, ForemanFile::KEYS))
        .unwrap_or_else(|| format!("the keys are {}", some_of(&ForemanFile::KEYS)));
    Problem::new(Severity::Defect, line, format!("`{shown}` has no effect"), hint).about(shown)
}

fn set_twice(key: &str, earlier: usize, line: usize) -> Problem {
    let message = format!("`{key}` is set on line {earlier} and again here; this value is used");
    Problem::new(Severity::Defect, line, message, "remove one of the lines").about(key)
}
