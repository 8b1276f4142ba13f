//! A table of text: columns as wide as their widest cell.

use std::fmt::Write as _;

/// The side to which the text of a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A table with these headings. Each row must have one cell for each heading.
pub(crate) fn table(columns: &[(&str, Side)], rows: impl Iterator<Item = Vec<String>>) -> String {
    let heading = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = [heading].into_iter().chain(rows).collect();
    let mut widths = vec![0; columns.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let mut shown = String::new();
        for ((cell, width), (_, side)) in line.iter().zip(&widths).zip(columns) {
            let _ = match side {
                Side::Right => write!(shown, "{cell:>width$}  "),
                Side::Left => write!(shown, "{cell:<width$}  "),
            };
        }
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text
}

/// The text for one cell. Control characters become spaces, because the name of a file must not move the cursor.
pub(crate) fn cell(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
