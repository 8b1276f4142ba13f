//! What programs ask their terminal: whether it works, where the cursor is, what it is. Some programs, such as `irb`, wait
//! for the answer without a limit.
//!
//! Only what every terminal answers. A program that asks for more takes silence for a no.

use memchr::memchr;

const ESC: u8 = 0x1b;

/// The questions, and what they mean.
const QUERIES: [(&[u8], TerminalQuery); 5] = [
    (b"\x1b[5n", TerminalQuery::Status),
    (b"\x1b[6n", TerminalQuery::Cursor { mark: "" }),
    (b"\x1b[?6n", TerminalQuery::Cursor { mark: "?" }),
    (b"\x1b[c", TerminalQuery::Kind),
    (b"\x1b[0c", TerminalQuery::Kind),
];

/// A question to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalQuery {
    /// Whether it works.
    Status,
    /// Where the cursor is.
    Cursor {
        /// What the answer begins with.
        mark: &'static str,
    },
    /// What it is.
    Kind,
}

impl TerminalQuery {
    /// The answer of a terminal. `cursor`: its row and column, from 0.
    #[must_use]
    pub fn answer(self, cursor: (u16, u16)) -> String {
        match self {
            Self::Status => "\x1b[0n".to_owned(),
            Self::Cursor { mark } => format!("\x1b[{mark}{};{}R", u32::from(cursor.0) + 1, u32::from(cursor.1) + 1),
            // A VT220 with colours, as most emulators say.
            Self::Kind => "\x1b[?62;22c".to_owned(),
        }
    }
}

/// Finds the questions in what a program writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryReader {
    /// A question that has begun at the end of the bytes so far.
    begun: Vec<u8>,
}

/// What some bytes are.
enum QueryMatch {
    Query(usize, TerminalQuery),
    /// The beginning of a question, of which the rest has not arrived.
    Begun,
    Other,
}

impl QueryReader {
    /// The next question in these bytes, and how many of them come before its end. None: there is none, and all bytes were
    /// read.
    pub fn next(&mut self, bytes: &[u8]) -> Option<(usize, TerminalQuery)> {
        if !self.begun.is_empty() {
            let begun = self.begun.len();
            let mut joined = std::mem::take(&mut self.begun);
            joined.extend(bytes.iter().take(longest()));
            match seen(&joined) {
                QueryMatch::Query(length, query) => return Some((length.saturating_sub(begun), query)),
                QueryMatch::Begun => {
                    self.begun = joined;
                    return None;
                }
                QueryMatch::Other => {}
            }
        }
        let mut at = 0;
        while let Some(found) = memchr(ESC, bytes.get(at..).unwrap_or_default()) {
            at += found;
            let sequence = bytes.get(at..).unwrap_or_default();
            match seen(sequence) {
                QueryMatch::Query(length, query) => return Some((at + length, query)),
                QueryMatch::Begun => {
                    self.begun = sequence.to_vec();
                    return None;
                }
                QueryMatch::Other => at += 1,
            }
        }
        None
    }

    /// Forgets what has begun.
    pub fn clear(&mut self) {
        self.begun.clear();
    }
}

fn seen(bytes: &[u8]) -> QueryMatch {
    match QUERIES.iter().find(|(text, _)| bytes.starts_with(text)) {
        Some((text, query)) => QueryMatch::Query(text.len(), *query),
        None if QUERIES.iter().any(|(text, _)| text.starts_with(bytes)) => QueryMatch::Begun,
        None => QueryMatch::Other,
    }
}

fn longest() -> usize {
    QUERIES.iter().map(|(text, _)| text.len()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The questions in these parts, each with its place in all bytes.
    fn found(parts: &[&[u8]]) -> Vec<(usize, String)> {
        let (mut reader, mut found, mut before) = (QueryReader::default(), Vec::new(), 0);
        for part in parts {
            let mut at = 0;
            while let Some((read, query)) = reader.next(&part[at..]) {
                at += read;
                found.push((before + at, query.answer((2, 11))));
            }
            before += part.len();
        }
        found
    }

    #[test]
    fn s10_5_questions_are_found_however_the_bytes_are_split() {
        let written = b"a\x1b[6nb\x1b[\x1b[?6n\x1b[5n\x1b[31m\x1b[0c\x1b[c\x1b[6";
        let expected =
            [(5, "\x1b[3;12R"), (13, "\x1b[?3;12R"), (17, "\x1b[0n"), (26, "\x1b[?62;22c"), (29, "\x1b[?62;22c")]
                .map(|(at, answer)| (at, answer.to_owned()));

        assert_eq!(found(&[written]), expected);
        assert_eq!(found(&written.iter().map(std::slice::from_ref).collect::<Vec<_>>()), expected);
        for at in 0..written.len() {
            let (first, second) = written.split_at(at);
            assert_eq!(found(&[first, second]), expected, "split at {at}");
        }
    }

    #[test]
    fn s10_5_answers_and_other_sequences_are_left_alone() {
        assert_eq!(found(&[b"\x1b[3;12R\x1b[0n\x1b[?62;22c\x1b[>c\x1b[6m\x1b]6n\x1b\x1b[1c"]), []);
    }
}
