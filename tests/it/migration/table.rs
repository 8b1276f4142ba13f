//! A table of `docs/migrating.md`, of which a test must test every row, in order.

use std::collections::VecDeque;

const MIGRATING: &str = include_str!("../../../docs/migrating.md");

/// The rows of one table that have not been tested yet.
pub(super) struct Table {
    rows: VecDeque<String>,
}

impl Table {
    /// The table under this heading. Rows are identified by their first cell.
    pub(super) fn under(heading: &str) -> Self {
        let (_, section) = MIGRATING.split_once(&format!("\n## {heading}\n")).unwrap();
        let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        let rows =
            rows.map_while(|line| line.strip_prefix("| ")).map(|row| row.split_once(" | ").unwrap().0.to_owned());
        Self { rows: rows.collect() }
    }

    /// Marks the next row as tested by the code that follows.
    #[track_caller]
    pub(super) fn row(&mut self, first_cell: &str) {
        assert_eq!(self.rows.pop_front().as_deref(), Some(first_cell));
    }

    pub(super) fn end(self) {
        assert!(self.rows.is_empty(), "rows without a test: {:?}", self.rows);
    }
}

#[test]
fn a_row_out_of_order_or_without_a_test_fails() {
    let table = Table::under("From hivemind");

    assert!(table.rows.len() > 5, "{:?}", table.rows);
    assert!(std::panic::catch_unwind(|| Table::under("From hivemind").row("`-T`")).is_err());
    assert!(std::panic::catch_unwind(|| Table::under("From hivemind").end()).is_err());
}
