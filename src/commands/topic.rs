//! `dyno help TOPIC`: prints a page of `docs/`, wrapped to the terminal.
//!
//! Understands only the Markdown that these pages use: headings, paragraphs, lists, tables, fenced code and links.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use console::{Alignment, Style, Term, measure_text_width, pad_str};

use crate::cli::Topic;
use crate::console::{color, stdout};
use crate::error::Error;
use crate::supervisor::Outcome;

/// Lines longer than this are hard to read, however wide the terminal is.
const MAX_COLUMNS: usize = 80;

/// Blanks between the columns of a table.
const COLUMN_GAP: usize = 2;

/// Code blocks are indented, because their fences are not printed.
const CODE_INDENT: &str = "    ";

/// If less than this is left for the last column of a table, its rows are written as lists.
const MIN_LAST_COLUMN: usize = 20;

/// Prints the page.
///
/// # Errors
/// Status 74: it could not be written.
pub(super) fn run(topic: Topic) -> Result<Outcome, Error> {
    let columns = Term::stdout().size_checked().map_or(MAX_COLUMNS, |(_, columns)| usize::from(columns));
    let variable = |name: &str| std::env::var(name).ok();
    let is_colored = color::is_wanted(clap::ColorChoice::Auto, variable, io::stdout().is_terminal());
    let heading = if is_colored { Style::new().bold().force_styling(true) } else { Style::new().force_styling(false) };
    stdout::write(&page(markdown(topic), columns.min(MAX_COLUMNS), &heading))
}

fn markdown(topic: Topic) -> &'static str {
    match topic {
        Topic::Procfile => include_str!("../../docs/procfile.md"),
        Topic::Environment => include_str!("../../docs/environment.md"),
        Topic::Ports => include_str!("../../docs/ports.md"),
        Topic::Keyboard => include_str!("../../docs/keyboard.md"),
        Topic::Signals => include_str!("../../docs/signals.md"),
        Topic::Statuses => include_str!("../../docs/statuses.md"),
        Topic::Ci => include_str!("../../docs/ci.md"),
        Topic::Migrating => include_str!("../../docs/migrating.md"),
        Topic::Semantics => include_str!("../../docs/semantics.md"),
    }
}

/// A block that is collected until a line ends it.
#[derive(Default)]
struct Block {
    text: String,
    /// Before the first line: `- ` or `2. ` in a list, the other cells in a table.
    mark: String,
}

impl Block {
    /// Whether the next line can be a list item: a paragraph continues up to an empty line, even if one of its lines
    /// begins with `10. `.
    fn list_can_follow(&self) -> bool {
        self.text.is_empty() || !self.mark.is_empty()
    }
}

/// The page as text. Code keeps its lines, however long: a wrapped command could not be copied.
fn page(markdown: &str, columns: usize, heading: &Style) -> String {
    let mut out = String::new();
    let mut block = Block::default();
    let mut table: Vec<Vec<String>> = Vec::new();
    let mut code: Option<&str> = None;
    for line in markdown.lines() {
        if let Some(cells) = cells(line).filter(|_| code.is_none()) {
            table.push(cells);
            continue;
        }
        write_table(&mut out, &std::mem::take(&mut table), columns);
        if let Some(language) = line.strip_prefix("```") {
            flush(&mut out, &mut block, columns);
            code = if code.is_none() { Some(language) } else { None };
        } else if let Some(language) = code {
            write_code(&mut out, line, language, columns);
        } else if let Some(title) = line.strip_prefix('#') {
            flush(&mut out, &mut block, columns);
            let title = title.trim_start_matches('#').trim();
            let _ = writeln!(out, "{}", heading.apply_to(title));
        } else if line.is_empty() {
            flush(&mut out, &mut block, columns);
            out.push('\n');
        } else if let Some((mark, text)) = list_item(line).filter(|_| block.list_can_follow()) {
            flush(&mut out, &mut block, columns);
            block = Block { text: text.to_owned(), mark: mark.to_owned() };
        } else {
            block.text.push(' ');
            block.text.push_str(line.trim_start());
        }
    }
    write_table(&mut out, &table, columns);
    flush(&mut out, &mut block, columns);
    out
}

/// A comment that does not fit beside its command is written above it.
fn write_code(out: &mut String, line: &str, language: &str, columns: usize) {
    let is_too_long = CODE_INDENT.len() + measure_text_width(line) > columns;
    let lines = match line.split_once("  # ") {
        Some((command, comment)) if is_too_long && language == "sh" => {
            vec![format!("# {comment}"), command.trim_end().to_owned()]
        }
        Some(_) | None => vec![line.to_owned()],
    };
    for line in lines {
        let indent = if line.is_empty() { "" } else { CODE_INDENT };
        let _ = writeln!(out, "{indent}{line}");
    }
}

/// The cells of `| a | b |`.
fn cells(line: &str) -> Option<Vec<String>> {
    let cells = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    Some(cells.split('|').map(|cell| in_words(cell.trim())).collect())
}

/// Columns side by side; the last one is wrapped.
fn write_table(out: &mut String, rows: &[Vec<String>], columns: usize) {
    let mut widths: Vec<usize> = Vec::new();
    // The rule `|---|---|` is drawn as wide as the columns.
    for row in rows.iter().filter(|row| !is_rule(row)) {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    let Some((last, others)) = widths.split_last() else { return };
    let before: usize = others.iter().map(|width| width + COLUMN_GAP).sum();
    if before + (*last).min(MIN_LAST_COLUMN) > columns {
        return write_lists(out, rows, columns);
    }
    for row in rows {
        let Some((last, others)) = row.split_last() else { continue };
        let mut mark = String::new();
        for (width, cell) in widths.iter().zip(others) {
            let cell = if is_rule(row) { "-".repeat(*width) } else { cell.clone() };
            mark.push_str(&pad_str(&cell, width + COLUMN_GAP, Alignment::Left, None));
        }
        let rest = columns.saturating_sub(measure_text_width(&mark)).min(widths.last().copied().unwrap_or_default());
        let text = if is_rule(row) { "-".repeat(rest) } else { last.clone() };
        flush(out, &mut Block { text, mark }, columns);
    }
}

/// The rows of a table as lists of `heading: cell`.
fn write_lists(out: &mut String, rows: &[Vec<String>], columns: usize) {
    let Some((headings, rows)) = rows.split_first() else { return };
    for row in rows.iter().filter(|row| !is_rule(row)) {
        for (index, (heading, cell)) in headings.iter().zip(row).enumerate() {
            let mark = if index == 0 { "- " } else { "  " }.to_owned();
            flush(out, &mut Block { text: format!("{heading}: {cell}"), mark }, columns);
        }
    }
}

fn is_rule(row: &[String]) -> bool {
    row.iter().all(|cell| !cell.is_empty() && cell.bytes().all(|byte| byte == b'-'))
}

/// `- text` and `2. text`, split after the blank.
fn list_item(line: &str) -> Option<(&str, &str)> {
    let digits = line.len() - line.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let end = if digits > 0 { digits + 2 } else { 2 };
    let (mark, text) = line.split_at_checked(end)?;
    (mark == "- " || digits > 0 && mark.ends_with(". ")).then_some((mark, text))
}

/// Writes the paragraph or list item, in lines of at most `columns`.
fn flush(out: &mut String, block: &mut Block, columns: usize) {
    let Block { text, mark } = std::mem::take(block);
    let indent = " ".repeat(measure_text_width(&mark));
    let mut line = mark;
    let mut is_empty = true;
    for word in in_words(&text).split_whitespace() {
        if !is_empty && measure_text_width(&line) + 1 + measure_text_width(word) > columns {
            out.push_str(&line);
            out.push('\n');
            line.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    if !line.trim().is_empty() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// `[text](target)` and `**text**` as `text`: a terminal does not follow links.
fn in_words(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, label, after)) = first_link(rest) {
        out.push_str(before);
        out.push_str(label);
        rest = after;
    }
    (out + rest).replace("**", "")
}

/// The text before the first link, its label, and the text after it.
fn first_link(text: &str) -> Option<(&str, &str, &str)> {
    let (before_target, from_target) = text.split_once("](")?;
    let (before, label) = before_target.rsplit_once('[')?;
    let (_, after) = from_target.split_once(')')?;
    Some((before, label, after))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn plain(markdown: &str, columns: usize) -> String {
        page(markdown, columns, &Style::new().force_styling(false))
    }

    #[test]
    fn paragraphs_and_lists_are_wrapped() {
        let markdown = "# Title\n\nOne two three\nfour five.\n\n- six seven eight nine\n  ten\n2. eleven twelve\n";

        let wide = "Title\n\nOne two three\nfour five.\n\n- six seven eight\n  nine ten\n2. eleven twelve\n";
        let narrow = "Title\n\nOne two\nthree four\nfive.\n\n- six seven\n  eight nine\n  ten\n2. eleven\n   twelve\n";
        assert_eq!(plain(markdown, 17), wide);
        assert_eq!(plain(markdown, 12), narrow);
    }

    #[test]
    fn the_last_column_of_a_table_is_wrapped() {
        let markdown = "A.\n\n| a | b |\n|---|---|\n| [c](d.md) | e |\n| long | f g h i j k l m n o p q |\n\nB.\n";

        let expected =
            "A.\n\na     b\n----  --------------------\nc     e\nlong  f g h i j k l m n o\n      p q\n\nB.\n";
        assert_eq!(plain(markdown, 26), expected);
    }

    #[test]
    fn a_table_without_room_for_its_last_column_becomes_lists() {
        let markdown = "| a | b |\n|---|---|\n| one two | three four five six seven eight |\n| c | d |\n";

        let wide = "a        b\n-------  --------------------\none two  three four five six\n         seven eight\nc        d\n";
        let narrow = "- a: one two\n  b: three four five six\n  seven eight\n- a: c\n  b: d\n";
        assert_eq!(plain(markdown, 29), wide);
        assert_eq!(plain(markdown, 28), narrow);
    }

    #[test]
    fn code_keeps_its_lines() {
        let markdown = "```text\ndyno start   # all\n\n| # end |\n```\n";

        assert_eq!(plain(markdown, 8), "    dyno start   # all\n\n    | # end |\n");
    }

    #[test]
    fn a_comment_that_does_not_fit_is_written_above_its_command() {
        let markdown = "```sh\ndyno start   # all\ndyno check\n```\n";

        assert_eq!(plain(markdown, 22), "    dyno start   # all\n    dyno check\n");
        assert_eq!(plain(markdown, 21), "    # all\n    dyno start\n    dyno check\n");
    }

    #[test]
    fn a_number_inside_a_paragraph_does_not_begin_a_list() {
        assert_eq!(plain("Every\n10. of\n- a\n", 80), "Every 10. of - a\n");
        assert_eq!(plain("1. a\n2. b\n   c\n", 80), "1. a\n2. b c\n");
    }

    #[test]
    fn links_become_their_text_and_headings_bold() {
        assert_eq!(plain("1. **boot**: all\n", 80), "1. boot: all\n");
        assert_eq!(
            plain("See [`dyno help\nports`](ports.md), `a[0]` (b).\n", 80),
            "See `dyno help ports`, `a[0]` (b).\n"
        );
        assert_eq!(page("## A\n", 80, &Style::new().bold().force_styling(true)), "\u{1b}[1mA\u{1b}[0m\n");
    }

    #[test]
    fn every_page_fits_80_columns_and_except_for_code_also_50() {
        for topic in Topic::value_variants() {
            for columns in [MAX_COLUMNS, 50] {
                let page = plain(markdown(*topic), columns);
                for line in page.lines().filter(|line| columns == MAX_COLUMNS || !line.starts_with(CODE_INDENT)) {
                    assert!(measure_text_width(line) <= columns, "{topic:?}: {line}");
                    assert!(!line.contains("](") && !line.contains("**"), "{topic:?}: {line}");
                }
            }
        }
    }
}
