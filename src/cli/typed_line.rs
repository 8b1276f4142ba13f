//! Splits a line that is being typed into words, as far as a shell would without expanding anything.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The words; the last one ends at the cursor and is empty behind a blank. A quote may still be open.
pub(super) fn words(line: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut quote = None;
    let mut begun = false;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"') => (quote, begun) = (Some(byte), true),
            (None | Some(b'"'), b'\\') => {
                begun = true;
                word.extend(bytes.next());
            }
            (None, b' ' | b'\t' | b'\n') => {
                if begun {
                    words.push(OsString::from_vec(std::mem::take(&mut word)));
                }
                begun = false;
            }
            (Some(_) | None, _) => {
                begun = true;
                word.push(byte);
            }
        }
    }
    words.push(OsString::from_vec(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_ends_at_the_cursor() {
        assert_eq!(words(b"dyno start we"), ["dyno", "start", "we"]);
        assert_eq!(words(b"dyno  start "), ["dyno", "start", ""]);
        assert_eq!(words(b""), [""]);
    }

    #[test]
    fn quotes_and_backslashes_keep_a_word_together() {
        assert_eq!(words(b"dyno -d 'My App' \"a b\" c\\ d ''"), ["dyno", "-d", "My App", "a b", "c d", ""]);
        assert_eq!(words(b"dyno -d 'My Ap"), ["dyno", "-d", "My Ap"]);
        assert_eq!(words(b"dyno -d My\\"), ["dyno", "-d", "My"]);
    }
}
