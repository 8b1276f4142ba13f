//! The sequences in the output of a program that can set a mode of its terminal (`modes`).

pub(super) const ESC: u8 = 0x1b;

/// The longest sequence that can set a mode. A longer one is text for some other purpose.
pub(super) const MAX_SEQUENCE: usize = 64;

/// What a sequence is.
pub(super) enum SequenceEnd {
    /// Complete, with this length.
    Whole(usize),
    /// Its end is missing.
    Cut,
}

/// The sequence at the start of these bytes, which begin with ESC. One that cannot set a mode ends after its ESC.
pub(super) fn seen(bytes: &[u8]) -> SequenceEnd {
    match bytes.get(1) {
        None => SequenceEnd::Cut,
        Some(b'=' | b'>' | b'c') => SequenceEnd::Whole(2),
        Some(b'(' | b')') => match bytes.get(2) {
            Some(b'0'..=b'~') => SequenceEnd::Whole(3),
            // Letters with a longer name, which hardly any terminal knows.
            Some(_) => SequenceEnd::Whole(1),
            None => SequenceEnd::Cut,
        },
        Some(b'[') => {
            let parameters = bytes.get(2..).unwrap_or_default();
            let end = parameters.iter().take(MAX_SEQUENCE).position(|byte| !(0x20..0x40).contains(byte));
            match end {
                // Another byte than the last one of a sequence: what follows is text, or another sequence.
                Some(end) if parameters.get(end).is_some_and(|last| !(0x40..0x7f).contains(last)) => {
                    SequenceEnd::Whole(2 + end)
                }
                Some(end) => SequenceEnd::Whole(2 + end + 1),
                None if parameters.len() >= MAX_SEQUENCE => SequenceEnd::Whole(2),
                None => SequenceEnd::Cut,
            }
        }
        Some(_) => SequenceEnd::Whole(1),
    }
}

/// The numbers of a sequence. Those that are not numbers are left out.
pub(super) fn numbers(parameters: &[u8]) -> Vec<u16> {
    let text = parameters.split(|byte| *byte == b';');
    text.filter_map(|part| std::str::from_utf8(part).ok()?.parse().ok()).collect()
}
