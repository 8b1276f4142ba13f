//! What the keys of a person mean before the dyno gets them (S6.8, S10.5).
//!
//! Two tables: with `--focus` there is nothing to detach from, so each interrupt key is a part by itself and the supervisor
//! decides what it does. With `dyno attach` the interrupt key is like any other, and the detach keys end the connection.

use std::time::Duration;

use super::DetachKeys;
use super::detach_keys::KeysSeen;

/// How long the beginning of the detach keys is held back. After that it was meant for the dyno.
const HELD_FOR: Duration = Duration::from_millis(500);

/// Which keys are not simply for the dyno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyTable {
    /// The keyboard of `dyno start` belongs to the dyno. None: no key interrupts.
    Focus {
        /// The key that means SIGINT.
        interrupt: Option<u8>,
    },
    /// `dyno attach`.
    Attach(DetachKeys),
}

/// Some of the pressed keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// For the dyno.
    Text(Vec<u8>),
    /// The interrupt key.
    Interrupt,
    /// The detach keys. Keys after them are dropped.
    Detach,
}

/// Reads keys with one of the tables.
#[derive(Debug, Clone)]
pub struct KeyReader {
    table: KeyTable,
    /// The beginning of the detach keys.
    held: Vec<u8>,
    deadline: Option<Duration>,
}

impl KeyReader {
    /// Nothing was pressed yet.
    #[must_use]
    pub fn new(table: KeyTable) -> Self {
        Self { table, held: Vec::new(), deadline: None }
    }

    /// The keys in order, as far as it is known what they mean.
    pub fn press(&mut self, keys: &[u8], now: Duration) -> Vec<KeyPart> {
        match &self.table {
            KeyTable::Focus { interrupt } => by_interrupt(keys, *interrupt),
            KeyTable::Attach(detach) => {
                let mut rest = std::mem::take(&mut self.held);
                rest.extend_from_slice(keys);
                self.deadline = None;
                for at in 0..rest.len() {
                    let after = rest.get(at..).unwrap_or_default();
                    match detach.begin(after) {
                        KeysSeen::All => {
                            rest.truncate(at);
                            return text(rest).into_iter().chain([KeyPart::Detach]).collect();
                        }
                        KeysSeen::Begun => {
                            self.held = rest.split_off(at);
                            self.deadline = Some(now + HELD_FOR);
                            break;
                        }
                        KeysSeen::Other => {}
                    }
                }
                text(rest).into_iter().collect()
            }
        }
    }

    /// When to call [`expire`](Self::expire). None: nothing is held back.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The keys that were held back and are for the dyno after all.
    pub fn expire(&mut self, now: Duration) -> Option<KeyPart> {
        self.deadline.take_if(|deadline| *deadline <= now)?;
        text(std::mem::take(&mut self.held))
    }
}

fn text(keys: Vec<u8>) -> Option<KeyPart> {
    (!keys.is_empty()).then_some(KeyPart::Text(keys))
}

fn by_interrupt(keys: &[u8], interrupt: Option<u8>) -> Vec<KeyPart> {
    let is_interrupt = |byte: &u8| Some(*byte) == interrupt;
    let parts = keys.chunk_by(move |a, b| !is_interrupt(a) && !is_interrupt(b));
    let part = |part: &[u8]| match part {
        [byte] if is_interrupt(byte) => KeyPart::Interrupt,
        text => KeyPart::Text(text.to_vec()),
    };
    parts.map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn shown(parts: impl IntoIterator<Item = KeyPart>) -> String {
        let part = |part| match part {
            KeyPart::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            KeyPart::Interrupt => "<interrupt>".to_owned(),
            KeyPart::Detach => "<detach>".to_owned(),
        };
        parts.into_iter().map(part).collect::<Vec<_>>().join("|")
    }

    fn focus(keys: &[u8], interrupt: Option<u8>) -> String {
        shown(KeyReader::new(KeyTable::Focus { interrupt }).press(keys, START))
    }

    fn attach() -> KeyReader {
        KeyReader::new(KeyTable::Attach(DetachKeys::default()))
    }

    #[test]
    fn s6_8_each_interrupt_key_is_a_part_by_itself() {
        assert_eq!(focus(b"ab\x03\x03cd\x03", Some(3)), "ab|<interrupt>|<interrupt>|cd|<interrupt>");
        assert_eq!(focus(b"ab\x03", Some(24)), "ab\u{3}");
        assert_eq!(focus(b"\x18x", Some(24)), "<interrupt>|x");
        assert_eq!(focus(b"\x00\x03\x1c\x1c", None), "\u{0}\u{3}\u{1c}\u{1c}");
    }

    #[test]
    fn s10_5_the_detach_keys_detach_and_other_keys_pass() {
        assert_eq!(shown(attach().press(b"ab\x03\x1a\x04", START)), "ab\u{3}\u{1a}\u{4}");
        assert_eq!(shown(attach().press(b"ab\x1c\x1cignored", START)), "ab|<detach>");
        assert_eq!(shown(attach().press(b"\x1cx\x1c\x1c", START)), "\u{1c}x|<detach>");
    }

    #[test]
    fn s10_5_a_first_detach_key_waits_for_the_next_key_or_500_ms() {
        let mut keys = attach();
        assert_eq!(shown(keys.press(b"a\x1c", START)), "a");
        assert_eq!(keys.deadline(), Some(HELD_FOR));

        assert_eq!(keys.expire(HELD_FOR / 2), None);
        assert_eq!(shown(keys.expire(HELD_FOR)), "\u{1c}");
        assert_eq!(keys.deadline(), None);

        keys.press(b"\x1c", START);
        assert_eq!(shown(keys.press(b"\x1c", HELD_FOR)), "<detach>");
        keys.press(b"\x1c", START);
        assert_eq!(shown(keys.press(b"b", START)), "\u{1c}b");
        assert_eq!(keys.deadline(), None);
    }

    #[test]
    fn s10_5_keys_that_begin_like_the_detach_keys_are_not_lost() {
        let mut keys = KeyReader::new(KeyTable::Attach("ctrl-a,ctrl-a,ctrl-b".parse().unwrap()));

        let parts: Vec<_> = b"\x01\x01\x01".iter().flat_map(|key| keys.press(&[*key], START)).collect();

        assert_eq!(shown(parts), "\u{1}");
        assert_eq!(shown(keys.press(b"\x02", START)), "<detach>");
    }
}
