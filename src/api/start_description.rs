//! The description that each start leaves in the runtime directory, by which commands find it (S10.1).

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One start of an app. It is valid only while the start itself holds the lock on its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartDescription {
    /// The process id of `dyno`.
    pub pid: i32,
    /// The mark on all of its processes, `DYNO_SESSION`. It also names the files of this start.
    pub session: String,
    /// What was started.
    pub kind: StartKind,
    /// The name of the app.
    pub app: String,
    /// The value of `--name`, which tells this start from others of the same app.
    #[serde(default)]
    pub name: Option<String>,
    /// The root of the app: a real path, as [`path_text`](Self::path_text) returns it.
    pub root: String,
    /// The directory in which the command was typed: also a real path.
    pub directory: String,
    /// The Procfile: also a real path.
    pub procfile: String,
    /// The process types it runs.
    pub types: Vec<String>,
    /// When it was started: milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// The address of the app: that of its router, or of its web dyno.
    pub url: Option<String>,
    /// The port of `web.1`, if `url` is that of a router.
    #[serde(default)]
    pub web_port: Option<u16>,
    /// The files that were read: Procfile, config vars, `.foreman`. Paths as text, like the others.
    #[serde(default)]
    pub files: Vec<String>,
    /// The directory of the log files: also a real path.
    #[serde(default)]
    pub log_directory: Option<String>,
}

/// What was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartKind {
    /// A start that prevents others from starting the same process types.
    Start,
    /// A start that runs beside others: inside a dyno, or under the name of another tool.
    Beside,
    /// A smoke test.
    Smoke,
}

impl StartKind {
    /// Whether each of its process types runs once per app (S10.1).
    #[must_use]
    pub fn is_exclusive(self) -> bool {
        match self {
            Self::Start => true,
            Self::Beside | Self::Smoke => false,
        }
    }
}

impl StartDescription {
    /// A path as text in which every byte is kept: `%` and the bytes that are not printable text are written as `%XX`.
    #[must_use]
    pub fn path_text(path: &Path) -> String {
        let mut text = String::new();
        for chunk in path.as_os_str().as_bytes().utf8_chunks() {
            for character in chunk.valid().chars() {
                if character == '%' || character.is_control() {
                    let mut bytes = [0; 4];
                    escape(&mut text, character.encode_utf8(&mut bytes).as_bytes());
                } else {
                    text.push(character);
                }
            }
            escape(&mut text, chunk.invalid());
        }
        text
    }

    /// The path from which [`StartDescription::path_text`] made this text.
    #[must_use]
    pub fn path(text: &str) -> PathBuf {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let byte = code.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
        }
        PathBuf::from(OsString::from_vec(bytes))
    }

    /// The process type that both of these starts would run, if that is not allowed.
    #[must_use]
    pub fn collision<'a>(&'a self, other: &Self) -> Option<&'a str> {
        let is_same_app = self.root == other.root && self.procfile == other.procfile && self.name == other.name;
        if !is_same_app || !self.kind.is_exclusive() || !other.kind.is_exclusive() {
            return None;
        }
        self.types.iter().find(|name| other.types.contains(name)).map(String::as_str)
    }
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn s10_1_a_path_becomes_text_without_loss() {
        let text = |bytes: &[u8]| StartDescription::path_text(Path::new(OsStr::from_bytes(bytes)));

        assert_eq!(text("/srv/Größe 1".as_bytes()), "/srv/Größe 1");
        assert_eq!(text(b"/a%b\n\xff/c"), "/a%25b%0A%FF/c");
        for bytes in ["/srv/Größe 1".as_bytes(), b"/a%b\n\xff/c%"] {
            assert_eq!(StartDescription::path(&text(bytes)).as_os_str().as_bytes(), bytes);
        }
    }

    #[test]
    fn s10_1_only_two_exclusive_starts_of_one_type_collide() {
        let start = |kind, procfile: &str, types: &[&str]| StartDescription {
            pid: 1,
            session: "s".to_owned(),
            kind,
            app: "shop".to_owned(),
            name: None,
            root: "/srv/shop".to_owned(),
            directory: "/srv/shop".to_owned(),
            procfile: procfile.to_owned(),
            types: types.iter().map(|&name| name.to_owned()).collect(),
            started_at_ms: 0,
            url: None,
            web_port: None,
            files: Vec::new(),
            log_directory: None,
        };
        let running = start(StartKind::Start, "/srv/shop/Procfile", &["web", "worker"]);

        for (other, expected) in [
            (start(StartKind::Start, "/srv/shop/Procfile", &["clock", "worker"]), Some("worker")),
            (start(StartKind::Start, "/srv/shop/Procfile", &["clock"]), None),
            (start(StartKind::Start, "/srv/shop/Procfile.dev", &["web"]), None),
            (start(StartKind::Smoke, "/srv/shop/Procfile", &["web"]), None),
            (start(StartKind::Beside, "/srv/shop/Procfile", &["web"]), None),
        ] {
            assert_eq!(running.collision(&other), expected, "{other:?}");
        }
        let copy = StartDescription { name: Some("copy".to_owned()), ..running.clone() };
        assert_eq!(running.collision(&copy), None);
        assert_eq!(copy.collision(&copy), Some("web"));
    }
}
