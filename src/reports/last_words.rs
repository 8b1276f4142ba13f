//! The last lines of the dyno that caused the failure, repeated at the end of the log, where people look first.

use std::fmt;

use crate::logs::{defuse, printable};

/// What the reader of the log can handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// It shows colours. All other control characters are always removed or escaped.
    pub colors: bool,
    /// It is GitHub's runner, which executes commands that it finds in the log.
    pub github: bool,
}

/// A heading and the lines. Each line starts with the name of the dyno, so that it is not mistaken for new output.
/// Empty if the dyno wrote nothing.
#[must_use]
pub fn render(dyno: impl fmt::Display, last_lines: &[Vec<u8>], reader: Reader) -> String {
    if last_lines.is_empty() {
        return String::new();
    }
    let lines = lines(dyno, last_lines, reader.colors);
    if reader.github { defuse(&lines, true).into_owned() } else { lines }
}

/// Like [`render`], for a file.
pub(super) fn lines(dyno: impl fmt::Display, last_lines: &[Vec<u8>], colors: bool) -> String {
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
    use crate::model::{DynoName, ProcessType};

    use super::*;

    const FILE: Reader = Reader { colors: false, github: false };

    fn web() -> DynoName {
        DynoName::new(ProcessType::new("web").unwrap(), 1)
    }

    fn rendered(lines: &[&str], reader: Reader) -> String {
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        render(web(), &lines, reader)
    }

    #[test]
    fn each_line_names_its_dyno_below_a_heading_with_the_count() {
        assert_eq!(
            rendered(&["boom", "", "at x"], FILE),
            "last 3 lines of web.1:\nweb.1 | boom\nweb.1 | \nweb.1 | at x\n"
        );
        assert_eq!(rendered(&["boom"], FILE), "last line of web.1:\nweb.1 | boom\n");
        assert_eq!(rendered(&[], FILE), "");
    }

    #[test]
    fn control_characters_never_pass_and_colours_only_on_request() {
        let line = ["\x1b[31mred\x1b[2J\rend"];

        assert_eq!(rendered(&line, FILE), "last line of web.1:\nweb.1 | red\\rend\n");
        let colored = rendered(&line, Reader { colors: true, ..FILE });
        assert_eq!(colored, "last line of web.1:\nweb.1 | \x1b[31mred\\rend\x1b[0m\n");
    }

    #[test]
    fn a_dyno_cannot_give_github_a_command() {
        let lines = ["::add-mask::a", "##[group]b", "a\r::error::c"];

        assert_eq!(
            rendered(&lines, Reader { github: true, ..FILE }),
            "last 3 lines of web.1:\nweb.1 | ::add-mask::a\nweb.1 | ## [group]b\nweb.1 | a\\r::error::c\n"
        );
    }
}
