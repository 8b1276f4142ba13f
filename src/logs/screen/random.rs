//! Compares the model with a naive terminal that keeps every cell, and feeds it arbitrary bytes.

use proptest::prelude::*;

use super::*;

const ROWS: usize = 5;
const COLUMNS: usize = 12;

fn size() -> ScreenSize {
    ScreenSize { rows: u16::try_from(ROWS).unwrap(), columns: u16::try_from(COLUMNS).unwrap() }
}

/// One thing that a program does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Text(char),
    LineEnd,
    Return,
    Backspace,
    Tab,
    Up(usize),
    Down(usize),
    Right(usize),
    Left(usize),
    Column(usize),
    To(usize, usize),
    EraseRow(usize),
    EraseScreen(usize),
    Save,
    Restore,
    Reset,
}

fn bytes_of(step: Step) -> String {
    match step {
        Step::Text(character) => character.to_string(),
        Step::LineEnd => "\n".to_owned(),
        Step::Return => "\r".to_owned(),
        Step::Backspace => "\x08".to_owned(),
        Step::Tab => "\t".to_owned(),
        Step::Up(count) => format!("\x1b[{count}A"),
        Step::Down(count) => format!("\x1b[{count}B"),
        Step::Right(count) => format!("\x1b[{count}C"),
        Step::Left(count) => format!("\x1b[{count}D"),
        Step::Column(column) => format!("\x1b[{}G", column + 1),
        Step::To(row, column) => format!("\x1b[{};{}H", row + 1, column + 1),
        Step::EraseRow(what) => format!("\x1b[{what}K"),
        Step::EraseScreen(what) => format!("\x1b[{what}J"),
        Step::Save => "\x1b7".to_owned(),
        Step::Restore => "\x1b8".to_owned(),
        Step::Reset => "\x1bc".to_owned(),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => prop::sample::select(vec!['a', 'b', 'c', ' ', '漢']).prop_map(Step::Text),
        6 => Just(Step::LineEnd),
        2 => Just(Step::Return),
        1 => Just(Step::Backspace),
        1 => Just(Step::Tab),
        2 => (1..4_usize).prop_map(Step::Up),
        1 => (1..4_usize).prop_map(Step::Down),
        1 => (1..6_usize).prop_map(Step::Right),
        1 => (1..6_usize).prop_map(Step::Left),
        1 => (0..COLUMNS + 2).prop_map(Step::Column),
        1 => (0..ROWS + 2, 0..COLUMNS).prop_map(|(row, column)| Step::To(row, column)),
        2 => (0..3_usize).prop_map(Step::EraseRow),
        1 => (0..3_usize).prop_map(Step::EraseScreen),
        1 => prop_oneof![3 => Just(Step::Save), 3 => Just(Step::Restore), 1 => Just(Step::Reset)],
    ];
    prop::collection::vec(step, 0..80)
}

/// A terminal without colours: a grid of characters, `\0` for the right half of a wide one.
struct Naive {
    cells: Vec<[char; COLUMNS]>,
    row: usize,
    column: usize,
    saved: (usize, usize),
}

impl Naive {
    fn new() -> Self {
        Self { cells: vec![[' '; COLUMNS]; ROWS], row: 0, column: 0, saved: (0, 0) }
    }

    fn line_end(&mut self) {
        self.column = 0;
        self.down();
    }

    fn down(&mut self) {
        if self.row + 1 < ROWS {
            self.row += 1;
        } else {
            self.cells.remove(0);
            self.cells.push([' '; COLUMNS]);
        }
    }

    fn text(&mut self, character: char) {
        let width = if character.is_ascii() { 1 } else { 2 };
        if self.column + width > COLUMNS {
            self.line_end();
        }
        self.set(self.column, character);
        if width == 2 {
            self.set(self.column + 1, '\0');
        }
        self.column += width;
    }

    /// Blanks the other half of a wide character that is overwritten.
    fn set(&mut self, column: usize, character: char) {
        let cells = &mut self.cells[self.row];
        if cells[column] == '\0' && character != '\0' {
            cells[column - 1] = ' ';
        }
        if column + 1 < COLUMNS && cells[column + 1] == '\0' {
            cells[column + 1] = ' ';
        }
        cells[column] = character;
    }

    fn erase(&mut self, from: usize, to: usize) {
        (from..to).for_each(|column| self.set(column, ' '));
    }

    fn step(&mut self, step: Step) {
        let seen = self.column.min(COLUMNS - 1);
        match step {
            Step::Text(character) => self.text(character),
            Step::LineEnd => self.line_end(),
            Step::Return => self.column = 0,
            Step::Backspace => self.column = seen.saturating_sub(1),
            Step::Tab => self.column = ((self.column / 8 + 1) * 8).min(COLUMNS - 1),
            Step::Up(count) => self.row = self.row.saturating_sub(count),
            Step::Down(count) => self.row = (self.row + count).min(ROWS - 1),
            Step::Right(count) => self.column = (seen + count).min(COLUMNS - 1),
            Step::Left(count) => self.column = seen.saturating_sub(count),
            Step::Column(column) => self.column = column.min(COLUMNS - 1),
            Step::To(row, column) => (self.row, self.column) = (row.min(ROWS - 1), column.min(COLUMNS - 1)),
            Step::EraseRow(0) => self.erase(self.column, COLUMNS),
            Step::EraseRow(1) => self.erase(0, seen + 1),
            Step::EraseRow(_) => self.erase(0, COLUMNS),
            Step::EraseScreen(0) => {
                self.erase(self.column, COLUMNS);
                self.cells[self.row + 1..].fill([' '; COLUMNS]);
            }
            Step::EraseScreen(1) => {
                self.erase(0, seen + 1);
                self.cells[..self.row].fill([' '; COLUMNS]);
            }
            Step::EraseScreen(_) => self.cells.fill([' '; COLUMNS]),
            Step::Save => self.saved = (self.row, self.column),
            Step::Restore => (self.row, self.column) = self.saved,
            Step::Reset => {
                let saved = self.saved;
                *self = Self { saved, ..Self::new() };
            }
        }
    }

    fn rows(&self) -> Vec<String> {
        let text = |cells: &[char; COLUMNS]| {
            let text: String = cells.iter().filter(|character| **character != '\0').collect();
            text.trim_end().to_owned()
        };
        let mut rows: Vec<String> = self.cells.iter().map(text).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }
}

/// The rows of the screen from the first to the last that is not empty.
fn rows_of(screen: &mut Screen) -> Vec<String> {
    screen.reach_above();
    let text = |row: &ScreenRow| {
        let mut out = Vec::new();
        ScreenRow { wraps: false, ..row.clone() }.write_line(COLUMNS, &mut out);
        String::from_utf8(out).unwrap().trim_end().to_owned()
    };
    let mut rows: Vec<String> = screen.rows.iter().map(text).collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

/// Uses the screen as `lines` does. With `rests`, the rows become text whenever it is at rest.
fn run(bytes: &[u8], read: usize, rests: bool) -> (Screen, Vec<u8>) {
    let mut screen = Screen::new(size());
    let mut shown = Vec::new();
    for part in bytes.chunks(read) {
        let mut rest = part;
        while !rest.is_empty() {
            let count = screen.feed(rest);
            rest = &rest[count..];
            if rests && screen.is_at_rest() {
                screen.store_as_text();
            }
            assert!(screen.rows.len() <= ROWS);
            assert!(screen.rows.iter().all(|row| row.cells.len() <= COLUMNS && row.before.len() <= PIECE_BYTES));
        }
        shown.extend(screen.take_shown().into_iter().flat_map(|chunk| chunk.bytes));
    }
    screen.show(Show::All);
    shown.extend(screen.take_shown().into_iter().flat_map(|chunk| chunk.bytes));
    (screen, shown)
}

#[test]
fn rows_stay_apart_if_the_start_of_their_line_is_out_of_reach() {
    let continuation_erased = "漢a漢漢aa漢aa\x1b[1K\x1b[5;1Ha\n";
    let beginning_not_full = "\na\x1b[12G漢\x1b[2B\na\n\r";

    let rows = |bytes: &str| rows_of(&mut run(bytes.as_bytes(), 1, true).0);

    assert_eq!(rows(continuation_erased), ["", "", "", "a"]);
    assert_eq!(rows(beginning_not_full), ["漢", "", "", "a"]);
}

#[test]
fn a_line_end_leaves_the_first_cell_even_if_rows_above_became_text() {
    let erased_below = "a\x1b[1;1H\n\x1b[0Jb";

    assert_eq!(rows_of(&mut run(erased_below.as_bytes(), 1, true).0), ["a", "b"]);
}

#[test]
fn s7_6_a_line_that_moved_and_then_grew_is_shown_whole() {
    let moved_down = "b\n漢a\na\x1b[1J\x1b[2;1Hb\n\x1b[5;1H\n\x1b[1Aa\x1b[3Aa";

    let (_, shown) = run(moved_down.as_bytes(), 1, true);

    assert_eq!(String::from_utf8(shown).unwrap(), "b\n漢a\nba\na\n");
}

/// Fewer cases than elsewhere, because each takes longer.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.clamp(500, 200_000), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_rows_within_reach_equal_those_of_a_terminal(steps in steps(), read in 1_usize..40, rests: bool) {
        let mut naive = Naive::new();
        for step in &steps {
            naive.step(*step);
        }
        let bytes: String = steps.iter().copied().map(bytes_of).collect();

        let (mut screen, _) = run(bytes.as_bytes(), read, rests);

        prop_assert_eq!(rows_of(&mut screen), naive.rows(), "{:?}", bytes);
    }

    #[test]
    fn every_row_that_remains_was_shown(steps in steps(), read in 1_usize..40) {
        let bytes: String = steps.iter().copied().map(bytes_of).collect();

        let (mut screen, shown) = run(bytes.as_bytes(), read, true);

        let shown = String::from_utf8(shown).unwrap();
        let remaining = rows_of(&mut screen);
        let joined = shown.replace('\n', "");
        for row in remaining.iter().map(|row| row.trim()).filter(|row| !row.is_empty()) {
            prop_assert!(shown.contains(row) || joined.contains(row), "{:?} of {:?} in {:?}", row, bytes, shown);
        }
    }

    #[test]
    fn any_bytes_stay_within_limits_however_they_are_read(
        bytes in prop::collection::vec(
            prop_oneof![
                3 => prop::sample::select(&b"\x1b\x1b\x1b[[[?;0123456789ABCDEFGHJKLMPSTXhlmrsu78cDEM\n\r\x08\t\xc2\x9b\xe6\xbc\xa2ab "[..]),
                1 => any::<u8>(),
            ],
            0..400,
        ),
        read in 1_usize..40,
    ) {
        let (_, whole) = run(&bytes, bytes.len().max(1), false);
        let (_, parts) = run(&bytes, read, false);

        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn text_without_control_characters_is_shown_as_lines(
        lines in prop::collection::vec("[a-zé漢 ]{0,40}", 0..30),
        read in 1_usize..40,
    ) {
        let text: String = lines.iter().map(|line| line.clone() + "\n").collect();

        let (_, shown) = run(text.as_bytes(), read, true);

        let trimmed: String = lines.iter().map(|line| line.trim_end_matches(' ').to_owned() + "\n").collect();
        let shown: String = String::from_utf8(shown).unwrap().lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        prop_assert_eq!(shown, trimmed);
    }
}
