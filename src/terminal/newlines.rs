//! `\n` for terminals that do not begin a new line with it (S10.5).
//!
//! The terminal of a dyno passes `\n` unchanged, as the log wants it. A terminal in raw mode, and a screen that is drawn,
//! need `\r\n` instead. What is `\r\n` already stays so.

use memchr::memchr_iter;

use super::ScreenModes;

/// What a program means by `\n` without `\r`, by the modes that it has set on its terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewlineMeaning {
    /// A new line, as usual.
    #[default]
    NewLine,
    /// The same, but on the alternate screen the cursor goes down in its column. Programs that draw there without echo have
    /// switched the translation off, which is off on the terminal of a dyno anyway.
    DownOnAlternate,
    /// The cursor goes down in its column: all translation is switched off.
    Down,
}

impl NewlineMeaning {
    /// What it most likely meant earlier, when the program had perhaps not begun yet.
    pub(super) fn of_earlier_bytes(self) -> Self {
        if self == Self::Down { Self::DownOnAlternate } else { self }
    }
}

/// Where in the output it is, as far as that matters for `\n`.
#[derive(Debug, Clone, Default)]
pub struct Newlines {
    modes: ScreenModes,
    is_after_return: bool,
}

impl Newlines {
    /// After output that has left these modes. `is_after_return`: its last byte is `\r`.
    #[must_use]
    pub fn after(modes: ScreenModes, is_after_return: bool) -> Self {
        Self { modes, is_after_return }
    }

    pub(super) fn into_parts(self) -> (ScreenModes, bool) {
        (self.modes, self.is_after_return)
    }

    /// Appends these bytes, translated.
    pub fn translate(&mut self, bytes: &[u8], meaning: NewlineMeaning, out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_alternate = self.modes.is_alternate();
            let read = self.modes.feed_to_switch(rest).unwrap_or(rest.len());
            let (now, after) = rest.split_at_checked(read).unwrap_or((rest, &[]));
            append_translated(now, meaning, is_alternate, &mut self.is_after_return, out);
            rest = after;
        }
    }
}

/// Appends bytes that are all for the same screen, translated. `is_after_return`: whether the last byte is `\r`.
pub(super) fn append_translated(
    bytes: &[u8],
    meaning: NewlineMeaning,
    is_alternate: bool,
    is_after_return: &mut bool,
    out: &mut Vec<u8>,
) {
    let is_new_line = match meaning {
        NewlineMeaning::NewLine => true,
        NewlineMeaning::DownOnAlternate => !is_alternate,
        NewlineMeaning::Down => false,
    };
    let mut from = 0;
    for at in memchr_iter(b'\n', bytes).filter(|_| is_new_line) {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        if !before.map_or(*is_after_return, |before| *before == b'\r') {
            out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
            out.push(b'\r');
            from = at;
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    if let Some(last) = bytes.last() {
        *is_after_return = *last == b'\r';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(bytes: &[u8], meaning: NewlineMeaning) -> String {
        let mut whole = Vec::new();
        Newlines::default().translate(bytes, meaning, &mut whole);
        for cut in 0..=bytes.len() {
            let (mut newlines, mut parts) = (Newlines::default(), Vec::new());
            newlines.translate(&bytes[..cut], meaning, &mut parts);
            newlines.translate(&bytes[cut..], meaning, &mut parts);
            assert_eq!(parts, whole, "{cut}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn s10_5_a_newline_begins_a_line_unless_the_program_means_something_else() {
        let bytes = b"\na\nb\r\n\nc\r\x1b[?1049hd\ne\r\n\x1b[?1049l\nf";

        assert_eq!(
            translated(bytes, NewlineMeaning::NewLine),
            "\r\na\r\nb\r\n\r\nc\r\x1b[?1049hd\r\ne\r\n\x1b[?1049l\r\nf"
        );
        assert_eq!(
            translated(bytes, NewlineMeaning::DownOnAlternate),
            "\r\na\r\nb\r\n\r\nc\r\x1b[?1049hd\ne\r\n\x1b[?1049l\r\nf"
        );
        assert_eq!(translated(bytes, NewlineMeaning::Down).as_bytes(), bytes);
    }
}
