//! The keys that end `dyno attach`: `ctrl-\,ctrl-\`.

use std::fmt;
use std::ops::RangeInclusive;
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

/// How many bytes of a sequence must have arrived before it is held back.
const MIN_BEGUN: usize = 3;

/// The longest sequence that a key sends. A longer one is something else.
const MAX_SEQUENCE: usize = 64;

/// The bit of Ctrl among the modifiers.
const CTRL: u32 = 4;

/// The bits of caps lock and num lock.
const LOCKS: u32 = 64 | 128;

/// The numbers of keys such as Shift and Ctrl, and of those that lock. Programs can ask for them, too.
const MODIFIER_KEYS: [RangeInclusive<u32>; 2] = [57_358..=57_360, 57_441..=57_454];

/// What a terminal says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyEvent {
    /// The character of the key. 0: another key.
    code: u32,
    /// The bits of the modifiers.
    modifiers: u32,
    /// Whether it is let go. Programs can ask for that.
    is_release: bool,
}

/// What some bytes begin with.
enum FirstOfKeys {
    /// This, with this many bytes.
    Event(KeyEvent, usize),
    /// Nothing but the beginning of a sequence.
    Cut,
    /// Something else.
    Text,
}

impl KeyEvent {
    /// Whether this key is pressed with Ctrl, and with no other modifier than those that lock. `key`: its byte.
    fn presses(self, key: u8) -> bool {
        !self.is_release && self.modifiers & !LOCKS == CTRL && self.code == code_of(key)
    }

    /// Whether it is only a part of pressing other keys.
    fn is_aside(self) -> bool {
        self.is_release || MODIFIER_KEYS.iter().any(|keys| keys.contains(&self.code))
    }
}

/// The character of the key that sends this byte with Ctrl.
fn code_of(byte: u8) -> u32 {
    u32::from((byte | 0x40).to_ascii_lowercase())
}

/// Reads one key in any form in which a terminal sends it: its byte; a sequence of the kitty protocol, `CSI code:… ;
/// modifiers:event ; … u`; one of `modifyOtherKeys`, `CSI 27 ; modifiers ; code ~`.
fn first_of(bytes: &[u8]) -> FirstOfKeys {
    let Some(sequence) = bytes.strip_prefix(b"\x1b[") else {
        return match bytes {
            [] | [0x1b] => FirstOfKeys::Cut,
            [byte @ ..0x20, ..] if *byte != 0x1b => {
                FirstOfKeys::Event(KeyEvent { code: code_of(*byte), modifiers: CTRL, is_release: false }, 1)
            }
            _ => FirstOfKeys::Text,
        };
    };
    let Some(end) = sequence.iter().take(MAX_SEQUENCE).position(|byte| !b"0123456789:;".contains(byte)) else {
        return if sequence.len() < MAX_SEQUENCE { FirstOfKeys::Cut } else { FirstOfKeys::Text };
    };
    let parameters = std::str::from_utf8(sequence.get(..end).unwrap_or_default()).unwrap_or_default();
    let number = |field: usize, part: usize| -> Option<u32> {
        parameters.split(';').nth(field)?.split(':').nth(part)?.parse().ok()
    };
    let code = match sequence.get(end) {
        Some(b'u') => number(0, 0),
        Some(b'~') if number(0, 0) == Some(27) => number(2, 0),
        _ => None,
    };
    let event = KeyEvent {
        code: code.unwrap_or_default(),
        modifiers: number(1, 0).unwrap_or_default().saturating_sub(1),
        is_release: number(1, 1) == Some(3),
    };
    FirstOfKeys::Event(event, 2 + end + 1)
}

impl Default for DetachKeys {
    /// Ctrl-\ twice.
    fn default() -> Self {
        Self(vec![0x1c, 0x1c])
    }
}

impl DetachKeys {
    /// Whether these bytes begin with the keys. That a key is let go, or that Ctrl is pressed again, changes nothing in between.
    pub(super) fn begin(&self, bytes: &[u8]) -> KeysSeen {
        let (mut rest, mut pressed) = (bytes, 0);
        while let Some(key) = self.0.get(pressed) {
            match first_of(rest) {
                FirstOfKeys::Event(event, length) if event.presses(*key) => {
                    pressed += 1;
                    rest = rest.get(length..).unwrap_or_default();
                }
                FirstOfKeys::Event(event, length) if pressed > 0 && event.is_aside() => {
                    rest = rest.get(length..).unwrap_or_default();
                }
                // The escape key and Alt-[ send the first bytes of a sequence: only after a first key are they held back.
                FirstOfKeys::Cut if pressed > 0 || rest.len() >= MIN_BEGUN => return KeysSeen::Begun,
                FirstOfKeys::Event(..) | FirstOfKeys::Cut | FirstOfKeys::Text => return KeysSeen::Other,
            }
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
    fn s10_5_detach_keys_are_recognised_in_every_form_of_terminals() {
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
    fn s10_5_locks_do_not_matter_and_keys_that_are_let_go_do_not_count() {
        let keys = DetachKeys::default();

        for bytes in [
            "\x1b[92;133u\x1b[92;69u",
            "\x1b[92;197:1u\x1b[92;5:2u",
            // Each key is let go; then Ctrl is let go and pressed again, too.
            "\x1b[92;5u\x1b[92;5:3u\x1b[92;5u\x1b[92;5:3u",
            "\x1b[92;5u\x1b[92;133:3u\x1b[57442;129:3u\x1b[57442;133u\x1b[92;133u",
            "\x1b[92;5u\x1b[1;1:3A\x1b[92:124;5u",
        ] {
            assert_eq!(keys.begin(bytes.as_bytes()), KeysSeen::All, "{bytes:?}");
        }
        for bytes in ["\x1b[92;5u\x1b[92;5:3u", "\x1b[92;5u\x1b[92;5:", "\x1b[92;133u\x1b[57442;1:3u\x1b"] {
            assert_eq!(keys.begin(bytes.as_bytes()), KeysSeen::Begun, "{bytes:?}");
        }
        for bytes in [
            "\x1b[92;5:3u\x1b[92;5u\x1b[92;5u",
            "\x1b[57442;5u\x1b[92;5u\x1b[92;5u",
            "\x1b[92;5u\x1b[1;1A\x1b[92;5u",
            "\x1b[92;13u\x1b[92;13u",
            "\x1b[92u\x1b[92u",
            "\x1b[28~\x1b[28~",
        ] {
            assert_eq!(keys.begin(bytes.as_bytes()), KeysSeen::Other, "{bytes:?}");
        }
        let endless = format!("\x1b[{}", "9".repeat(100));
        assert_eq!(keys.begin(endless.as_bytes()), KeysSeen::Other);
    }

    #[test]
    fn s10_5_a_key_without_ctrl_cannot_detach() {
        for text in ["", "p", "ctrl-", "ctrl-p,", "ctrl-[", "ctrl-1", "ctrl-é", "ctrl-a,ctrl-a,ctrl-a,ctrl-a,ctrl-a"] {
            assert!(text.parse::<DetachKeys>().is_err(), "{text}");
        }
    }
}
