//! The keys that end `dyno attach`: `ctrl-\,ctrl-\`.

use std::fmt;
use std::str::FromStr;

/// The most keys in a row.
const MAX_KEYS: usize = 4;

/// Keys that are pressed one after the other to detach. The dyno never gets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

/// What some bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeysSeen {
    /// All keys, in order, then perhaps others.
    All,
    /// Nothing but the beginning of the keys.
    Begun,
    /// Something else.
    Other,
}

/// The bytes of a sequence from which on it is held back.
const MIN_BEGUN: usize = 3;

/// What a terminal may send for a key: its byte; a sequence of the kitty protocol; one of `modifyOtherKeys`.
fn forms(key: u8) -> [Vec<u8>; 3] {
    let code = char::from(key | 0x40).to_ascii_lowercase() as u32;
    [vec![key], format!("\x1b[{code};5u").into_bytes(), format!("\x1b[27;5;{code}~").into_bytes()]
}

impl Default for DetachKeys {
    /// Ctrl-\ twice.
    fn default() -> Self {
        Self(vec![0x1c, 0x1c])
    }
}

impl DetachKeys {
    /// Whether these bytes begin with the keys. Programs can switch a terminal to sequences for such keys, which count, too.
    pub(super) fn begin(&self, bytes: &[u8]) -> KeysSeen {
        let mut rest = bytes;
        for (at, key) in self.0.iter().enumerate() {
            let forms = forms(*key);
            if let Some(form) = forms.iter().find(|form| rest.starts_with(form)) {
                rest = rest.get(form.len()..).unwrap_or_default();
                continue;
            }
            let is_begun = forms.iter().any(|form| form.starts_with(rest));
            // The escape key and Alt-[ send the first bytes of a sequence: only after a first key are they held back.
            return if is_begun && (at > 0 || rest.len() >= MIN_BEGUN) { KeysSeen::Begun } else { KeysSeen::Other };
        }
        KeysSeen::All
    }
}

impl FromStr for DetachKeys {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        let keys = keys.filter(|keys| keys.len() <= MAX_KEYS);
        keys.map(Self)
            .ok_or("one to four keys such as `ctrl-p,ctrl-q`: ctrl-a to ctrl-z, ctrl-\\, ctrl-], ctrl-^ or ctrl-_")
    }
}

/// Keys without Ctrl are not accepted: they are part of what people type.
fn key(text: &str) -> Option<u8> {
    let name = text.trim().to_ascii_lowercase();
    match name.strip_prefix("ctrl-")?.as_bytes() {
        // Ctrl-[ is the escape key, with which arrow keys begin, too.
        [letter @ (b'a'..=b'z' | b'\\' | b']' | b'^' | b'_')] => Some(letter.to_ascii_uppercase() & 0x1f),
        _ => None,
    }
}

impl fmt::Display for DetachKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|key| format!("Ctrl-{}", char::from(key | 0x40)));
        f.write_str(&names.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_5_keys_are_named_as_they_are_pressed() {
        let keys: DetachKeys = "ctrl-p, Ctrl-]".parse().unwrap();

        assert_eq!(keys.begin(&[0x10, 0x1d]), KeysSeen::All);
        assert_eq!(keys.to_string(), "Ctrl-P Ctrl-]");
        assert_eq!(DetachKeys::default().to_string(), "Ctrl-\\ Ctrl-\\");
        assert_eq!("ctrl-\\,ctrl-\\".parse(), Ok(DetachKeys::default()));
    }

    #[test]
    fn s10_5_the_keys_count_in_every_form_that_a_terminal_sends() {
        let keys: DetachKeys = "ctrl-\\,ctrl-a".parse().unwrap();

        for bytes in ["\x1c\x01", "\x1b[92;5u\x1b[97;5u", "\x1b[27;5;92~\x1b[27;5;97~", "\x1b[92;5u\x01x"] {
            assert_eq!(keys.begin(bytes.as_bytes()), KeysSeen::All, "{bytes:?}");
        }
        for bytes in ["\x1c", "\x1b[92;5u", "\x1b[92;5u\x1b", "\x1b[2", "\x1b[27;5;92~\x1b[97"] {
            assert_eq!(keys.begin(bytes.as_bytes()), KeysSeen::Begun, "{bytes:?}");
        }
        for bytes in ["\x1b", "\x1b[", "\x1b[A", "\x1b[92;6u", "\x1b[92;5u\x1b[A", "\x01"] {
            assert_eq!(keys.begin(bytes.as_bytes()), KeysSeen::Other, "{bytes:?}");
        }
    }

    #[test]
    fn s10_5_a_key_without_ctrl_cannot_detach() {
        for text in ["", "p", "ctrl-", "ctrl-p,", "ctrl-[", "ctrl-1", "ctrl-é", "ctrl-a,ctrl-a,ctrl-a,ctrl-a,ctrl-a"] {
            assert!(text.parse::<DetachKeys>().is_err(), "{text}");
        }
    }
}
