//! What a command line ends in: whether words after it would be arguments of its last command.
//!
//! `scan` finds words, operators and parentheses; this module knows what a shell does with a word after them.

/// An end of a line after which no arguments can be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The end of a loop or another compound command: `done`.
    Compound(&'static str),
    /// An operator. The next word begins a command.
    Operator(char),
}

/// Words that end a compound command.
const CLOSERS: [&str; 4] = ["done", "esac", "fi", "}"];
/// Words after which another command begins.
const OPENERS: [&str; 9] = ["!", "do", "elif", "else", "if", "then", "until", "while", "{"];

/// Between two words of a line.
#[derive(Debug, Clone, Copy, Default)]
struct WordState {
    /// Whether the next word is an argument of the command before it.
    in_command: bool,
    /// Whether the next word is the file of a redirection.
    redirects: bool,
    end: Option<End>,
}

/// Follows a line to its end.
#[derive(Debug, Default)]
pub(super) struct LineFollower {
    state: WordState,
    /// The states outside of the open parentheses.
    outside: Vec<WordState>,
}

impl LineFollower {
    /// What the line ends in, unless words after it are arguments.
    pub(super) fn end(&self) -> Option<End> {
        self.state.end
    }

    /// After a word. `raw`: as it is written, with its quotes. `next`: the byte after it.
    pub(super) fn word(&mut self, raw: &[u8], next: Option<u8>) {
        // The number in `2>log` belongs to the redirection.
        if raw.iter().all(u8::is_ascii_digit) && matches!(next, Some(b'<' | b'>')) {
            return;
        }
        if self.state.redirects {
            self.state.redirects = false;
        } else if !self.state.in_command {
            let is = |word: &&&str| word.as_bytes() == raw;
            let closer = CLOSERS.iter().find(is);
            self.state = WordState {
                in_command: closer.is_none() && !OPENERS.iter().any(|opener| is(&opener)),
                redirects: false,
                end: closer.map(|closer| End::Compound(closer)),
            };
        }
    }

    /// After one character of an operator other than a parenthesis.
    pub(super) fn operator(&mut self, byte: u8) {
        match byte {
            b'<' | b'>' => self.state.redirects = true,
            // The second character of `>&` or `>|`.
            _ if self.state.redirects => {}
            b'\n' => self.state = WordState::default(),
            _ => self.state = WordState { end: Some(End::Operator(char::from(byte))), ..WordState::default() },
        }
    }

    /// After a `(`.
    pub(super) fn open(&mut self) {
        self.outside.push(std::mem::take(&mut self.state));
    }

    /// After the `)` of a substitution: what is in it was a part of a word.
    pub(super) fn close_substitution(&mut self) {
        self.state = self.outside.pop().unwrap_or_default();
    }

    /// After another `)`.
    pub(super) fn close(&mut self) {
        let outside = self.outside.pop();
        self.state = match outside {
            // The `<(…)` of bash is a word.
            Some(outside) if outside.redirects => WordState { redirects: false, ..outside },
            Some(outside) if !outside.in_command => WordState { end: Some(End::Compound(")")), ..outside },
            // A function, or a pattern of `case`: a command begins.
            Some(_) | None => WordState::default(),
        };
    }
}
