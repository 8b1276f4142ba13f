//! Recognises the prompt of a debugger: an unfinished line that ends in one of `PROMPTS` (S6.8).
//!
//! Only an unfinished line is looked at, when it is shown. Whole lines cost nothing.

use super::Lines;
use crate::logs::escapes::{Sequence, sequence};

/// Longest prompt, in bytes with colours.
const MAX_BYTES: usize = 256;

/// The two parts of a prompt, without the blanks around it. Anything can come before the first part. Between the two
/// there can be text only if the first part ends in `(`, and never a blank.
const PROMPTS: [(&str, &str); 14] = [
    // Python
    ("(Pdb", ")"),
    ("(Pdb++", ")"),
    ("ipdb", ">"),
    // Ruby
    ("(rdb", ")"),
    ("(rdbg", ")"),
    ("(byebug", ")"),
    ("irb(", ">"),
    ("irb:rdbg(", ">"),
    ("pry(", ")>"),
    // Node.js
    ("debug", ">"),
    // Elixir
    ("iex(", ")>"),
    // Go, C and others
    ("(dlv", ")"),
    ("(gdb", ")"),
    ("(lldb", ")"),
];

/// What an unfinished line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfinishedLine {
    /// It ends in the prompt of a debugger.
    DebuggerPrompt,
    /// It ends in other text.
    Text,
}

impl Lines {
    /// The unfinished line. None: there is none, or nothing on it can be seen.
    #[must_use]
    pub fn unfinished_line(&self) -> Option<UnfinishedLine> {
        let followed = self.terminal.as_ref().filter(|terminal| terminal.is_followed);
        let row = followed.map(|terminal| terminal.screen.cursor_row());
        let line = row.as_deref().unwrap_or_else(|| self.plain.partial());
        if is_prompt(line) {
            return Some(UnfinishedLine::DebuggerPrompt);
        }
        let end = line.get(line.len().saturating_sub(MAX_BYTES)..).unwrap_or_default();
        let is_seen = visible(end).iter().any(|byte| !byte.is_ascii_whitespace());
        is_seen.then_some(UnfinishedLine::Text)
    }
}

/// Whether the last word of the text ends in one of the prompts.
fn is_prompt(line: &[u8]) -> bool {
    let text = visible(line.get(line.len().saturating_sub(MAX_BYTES)..).unwrap_or_default());
    let text = String::from_utf8_lossy(&text);
    let Some(word) = text.split_whitespace().next_back() else { return false };
    PROMPTS.iter().any(|(begin, end)| {
        let inside = word.strip_suffix(end).and_then(|rest| rest.rsplit_once(begin)).map(|(_, inside)| inside);
        inside.is_some_and(|inside| begin.ends_with('(') || inside.is_empty())
    })
}

/// The text without escape sequences and control characters.
fn visible(line: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'\x1b' => match sequence(rest, &mut Vec::new()) {
                Sequence::Sgr(_, after) | Sequence::Hidden(after) => after,
                Sequence::Cut(_) => break,
            },
            0..=0x1f | 0x7f => after,
            _ => {
                text.push(*byte);
                after
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LineMode, ScreenSize};

    #[test]
    fn s6_8_the_prompts_of_common_debuggers_are_recognised() {
        for line in [
            "(Pdb) ",
            "(Pdb++) ",
            "ipdb> ",
            "(rdb) ",
            "(rdbg) ",
            "(byebug) ",
            "irb(main):001> ",
            "irb(#<App:0x01>):001:0> ",
            "irb:rdbg(main):002> ",
            "pry(main)> ",
            "[1] pry(main)> ",
            "debug> ",
            "iex(1)> ",
            "(dlv) ",
            "(gdb) ",
            "(lldb) ",
            "x = 1(Pdb) ",
            "\x1b[?2004h(Pdb) ",
            "\x1b[1mirb\x1b[0m(main):001> ",
            "\x07(Pdb)",
            "(Pdb) \x1b[",
        ] {
            assert!(is_prompt(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn s6_8_other_unfinished_lines_are_not_prompts() {
        for line in ["", " ", "Password: ", "Continue? (y) ", "(Pdb) n", "debug", "nodebug: x> ", "> ", ">>> ", "irb"] {
            assert!(!is_prompt(line.as_bytes()), "{line:?}");
        }
    }

    fn shows_prompt(mode: LineMode, text: &[u8]) -> bool {
        let mut lines = Lines::new(mode);
        let mut buffer = Vec::new();
        lines.begin(&mut buffer);
        let fresh_from = buffer.len();
        buffer.extend_from_slice(text);
        lines.split(buffer, fresh_from, &mut |_| ());
        lines.unfinished_line() == Some(UnfinishedLine::DebuggerPrompt)
    }

    #[test]
    fn s6_8_a_prompt_is_recognised_from_a_pipe_and_from_a_terminal() {
        let terminal = LineMode::Terminal { size: ScreenSize { rows: 24, columns: 80 }, keeps_all_bytes: false };
        for mode in [LineMode::AllBytes, terminal] {
            assert!(shows_prompt(mode, b"> app.py(1)<module>()\n(Pdb) "), "{mode:?}");
            assert!(shows_prompt(mode, b"\x1b[1G\x1b[0Kdebug> \x1b[8G"), "{mode:?}");
            assert!(!shows_prompt(mode, b"(Pdb) \n"), "{mode:?}");
            assert!(!shows_prompt(mode, b"(Pdb) n\nready "), "{mode:?}");
        }
    }

    #[test]
    fn s10_5_only_text_that_can_be_seen_is_an_unfinished_line() {
        let size = ScreenSize { rows: 24, columns: 80 };
        let after = |text: &[u8]| {
            let mut lines = Lines::new(LineMode::Terminal { size, keeps_all_bytes: false });
            lines.split(text.to_vec(), 0, &mut |_| ());
            lines.unfinished_line()
        };

        assert_eq!(after(b"Password: "), Some(UnfinishedLine::Text));
        assert_eq!(after(b"old\rName? "), Some(UnfinishedLine::Text));
        for text in [&b""[..], b"ready\r\n", b"ready\r\n  ", b"ready\n\x1b[?25l", b"50%\r\x1b[K"] {
            assert_eq!(after(text), None, "{text:?}");
        }
    }
}
