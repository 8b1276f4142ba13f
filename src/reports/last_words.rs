//! The last lines of the dyno that is to blame, repeated where the reader looks first: at the end.

use crate::app::DynoName;
use crate::logs::{defuse, printable};

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// Colours are wanted; no other control character ever passes.
    pub colors: bool,
    /// It is GitHub's runner, which obeys commands in what it reads.
    pub github: bool,
}

/// A heading and the lines, each behind the name of the dyno so that nobody takes them for new ones. Empty where the
/// dyno wrote nothing.
#[must_use]
pub fn render(dyno: &DynoName, last_lines: &[Vec<u8>], reader: Reader) -> String {
    if last_lines.is_empty() {
        return String::new();
    }
    let lines = lines(dyno, last_lines, reader.colors);
    if reader.github { defuse(&lines, true).into_owned() } else { lines }
}

/// As [`render`], for a file.
pub(super) fn lines(dyno: &DynoName, last_lines: &[Vec<u8>], colors: bool) -> String {
    if last_lines.is_empty() {
        return String::new();
    }
    let mut text = match last_lines.len() {
        1 => format!("last line of {dyno}:\n"),
        count => format!("last {count} lines of {dyno}:\n"),
    };
    for line in last_lines {
        text.extend([&dyno.to_string(), " | ", &printable(line, colors), "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::app::ProcessType;

    use super::*;

    const FILE: Reader = Reader { colors: false, github: false };

    fn web() -> DynoName {
        DynoName::new(ProcessType::new("web").unwrap(), 1)
    }

    fn rendered(lines: &[&str], reader: Reader) -> String {
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        render(&web(), &lines, reader)
    }

    // Issue 5, reports: the last lines of the culprit are repeated at the end.
    #[test]
    fn each_line_names_its_dyno_under_a_heading_that_counts_them() {
        assert_eq!(
            rendered(&["boom", "", "at x"], FILE),
            "last 3 lines of web.1:\nweb.1 | boom\nweb.1 | \nweb.1 | at x\n"
        );
        assert_eq!(rendered(&["boom"], FILE), "last line of web.1:\nweb.1 | boom\n");
        assert_eq!(rendered(&[], FILE), "");
    }

    #[test]
    fn no_control_character_passes_and_colours_only_where_they_are_wanted() {
        let line = ["\x1b[31mred\x1b[2J\rend"];

        assert_eq!(rendered(&line, FILE), "last line of web.1:\nweb.1 | red\\rend\n");
        let colored = rendered(&line, Reader { colors: true, ..FILE });
        assert_eq!(colored, "last line of web.1:\nweb.1 | \x1b[31mred\\rend\x1b[0m\n");
    }

    #[test]
    fn github_is_given_no_command_by_a_dyno() {
        let lines = ["::add-mask::a", "##[group]b", "a\r::error::c"];

        assert_eq!(
            rendered(&lines, Reader { github: true, ..FILE }),
            "last 3 lines of web.1:\nweb.1 | ::add-mask::a\nweb.1 | ## [group]b\nweb.1 | a\\r::error::c\n"
        );
    }
}
