//! The dyno names in the default format, `10:00:00 web.1    | text` (S7.1).
//!
//! Decides which name comes before a line and how wide it is. Time and colour are up to `format`, which calls this.

use std::io::Write;

use crate::model::DynoName;

use super::{LogBlock, Source};

/// The name before lines about the whole formation, as in foreman.
const SYSTEM: &str = "system";

/// Marks the rest of a line, if there is no prefix.
pub(super) const CONTINUED: &[u8] = b"> ";

/// Width to which the names of these dynos are padded: that of the longest, at least 6 (the width of `system` and `router`).
#[must_use]
pub fn name_width<'d>(dynos: impl IntoIterator<Item = &'d DynoName>) -> usize {
    let width = |dyno: &DynoName| dyno.process_type.as_str().len() + 1 + digits(dyno.index);
    dynos.into_iter().map(width).fold(SYSTEM.len(), usize::max)
}

fn digits(index: u32) -> usize {
    index.checked_ilog10().map_or(1, |power| power as usize + 1)
}

/// Writes the name, padded to `width`. A longer name is not cut.
pub(super) fn write_name(source: &Source, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    match source {
        Source::App(dyno) | Source::Notice(dyno) => {
            let _ = write!(out, "{dyno}");
        }
        Source::System => out.extend_from_slice(SYSTEM.as_bytes()),
        Source::Router => out.extend_from_slice(Source::ROUTER.as_bytes()),
    }
    if out.len() < start + width {
        out.resize(start + width, b' ');
    }
}

/// Writes the lines unchanged, but marks the first one if it is the rest of a line.
pub(super) fn without_prefix(block: &LogBlock, out: &mut Vec<u8>) {
    if block.continued {
        out.extend_from_slice(CONTINUED);
    }
    out.extend_from_slice(&block.bytes);
    if !block.bytes.ends_with(b"\n") {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use crate::model::ProcessType;

    use super::*;

    fn width_of(names: &[(&str, u32)]) -> usize {
        let dynos: Vec<_> =
            names.iter().map(|(name, index)| DynoName::new(ProcessType::new(name).unwrap(), *index)).collect();
        name_width(&dynos)
    }

    // S7.1: padded to the longest name of the formation, at least 6.
    #[test]
    fn names_are_as_wide_as_the_longest_and_at_least_six() {
        assert_eq!(width_of(&[]), 6);
        assert_eq!(width_of(&[("a", 1)]), 6);
        assert_eq!(width_of(&[("web", 1), ("worker", 1)]), 8);
        assert_eq!(width_of(&[("web", 9), ("web", 10), ("web", 1000)]), 8);
    }

    #[test]
    fn a_name_is_padded_and_never_cut() {
        let mut out = Vec::new();

        write_name(&Source::App(DynoName::new(ProcessType::new("web").unwrap(), 1)), 8, &mut out);
        write_name(&Source::App(DynoName::new(ProcessType::new("scheduler").unwrap(), 1)), 8, &mut out);

        assert_eq!(out, b"web.1   scheduler.1");
        out.clear();
        write_name(&Source::Router, 8, &mut out);
        assert_eq!(out, b"router  ");
    }
}
