//! The table of results: medians, ratios and limits.

use std::fmt;

/// The value that must be met.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// The value is shown but not checked.
    None,
    AtMost(f64),
    AtLeast(f64),
}

struct Row {
    section: &'static str,
    cells: [String; 5],
    is_met: bool,
}

/// Rows in the order they were measured.
#[derive(Default)]
pub(crate) struct Table {
    section: &'static str,
    rows: Vec<Row>,
}

impl Table {
    /// Begins a section. Rows that follow belong to it.
    pub(crate) fn section(&mut self, name: &'static str) {
        self.section = name;
    }

    /// Adds a measurement of `dyno` alone. The limit applies to its median.
    pub(crate) fn alone(&mut self, what: &str, values: &[f64], unit: &str, limit: Limit) {
        let verdict = verdict(median(values), limit, unit);
        self.push([what.to_owned(), shown(values, unit), String::new(), String::new()], verdict);
    }

    /// Adds a measurement of a time below 20 ms. The limit applies to its minimum, because other work on the machine
    /// can only lengthen such a short time, and often by a lot.
    pub(crate) fn shortest(&mut self, what: &str, milliseconds: &[f64], limit: Limit) {
        let (verdict, is_met) = verdict(minimum(milliseconds), limit, "ms");
        let verdict = if verdict.is_empty() { verdict } else { format!("min {verdict}") };
        self.push([what.to_owned(), shown(milliseconds, "ms"), String::new(), String::new()], (verdict, is_met));
    }

    /// Adds a measurement of `dyno` and of another program, round by round. The limit applies to the median of their
    /// ratios, which is returned.
    pub(crate) fn against(&mut self, what: &str, [dyno, other]: [&[f64]; 2], unit: &str, limit: Limit) -> f64 {
        assert_eq!(dyno.len(), other.len(), "`{what}` was measured in pairs");
        let ratios: Vec<f64> = dyno.iter().zip(other).map(|(dyno, other)| dyno / other).collect();
        let ratio = median(&ratios);
        let cells = [what.to_owned(), shown(dyno, unit), shown(other, unit), shown(&ratios, "×")];
        self.push(cells, verdict(ratio, limit, "×"));
        ratio
    }

    /// Adds a measurement of times below 20 ms. The limit applies to the ratio of their minima.
    pub(crate) fn shortest_against(&mut self, what: &str, [dyno, other]: [&[f64]; 2], limit: Limit) {
        let ratio = minimum(dyno) / minimum(other);
        let cells = [what.to_owned(), shown(dyno, "ms"), shown(other, "ms"), format!("{} × of minima", number(ratio))];
        self.push(cells, verdict(ratio, limit, "×"));
    }

    /// Adds a line without a measurement.
    pub(crate) fn note(&mut self, what: &str) {
        self.push([what.to_owned(), String::new(), String::new(), String::new()], (String::new(), true));
    }

    fn push(&mut self, cells: [String; 4], (verdict, is_met): (String, bool)) {
        let [what, dyno, other, ratio] = cells;
        self.rows.push(Row { section: self.section, cells: [what, dyno, other, ratio, verdict], is_met });
    }

    pub(crate) fn all_met(&self) -> bool {
        self.rows.iter().all(|row| row.is_met)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["median (min–max)", "dyno", "other", "ratio, pair by pair", "limit"];
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
            let heads = heads.get(column).map_or(0, |head| head.chars().count());
            cells.map(|cell| cell.chars().count()).fold(heads, usize::max)
        };
        let line = |cells: [&str; 5]| {
            let cells = cells.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        writeln!(f, "\n{}", line(heads))?;
        let mut section = "";
        for row in &self.rows {
            if row.section != section {
                section = row.section;
                writeln!(f, "{section}")?;
            }
            writeln!(f, "{}", line(row.cells.each_ref().map(String::as_str)))?;
        }
        let missed = self.rows.iter().filter(|row| !row.is_met).count();
        if missed == 0 { write!(f, "all limits met") } else { write!(f, "limits missed: {missed}") }
    }
}

fn verdict(value: f64, limit: Limit, unit: &str) -> (String, bool) {
    let (sign, bound, is_met) = match limit {
        Limit::None => return (String::new(), true),
        Limit::AtMost(most) => ("≤", most, value <= most),
        Limit::AtLeast(least) => ("≥", least, value >= least),
    };
    let word = if is_met { "met" } else { "MISSED" };
    (format!("{sign} {} {unit}: {word}", number(bound)), is_met)
}

fn shown(values: &[f64], unit: &str) -> String {
    let least = minimum(values);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} {unit} ({}–{})", number(median(values)), number(least), number(most))
}

fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Three significant digits.
fn number(value: f64) -> String {
    if value >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The middle value; with an even number of values, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().expect("something was measured");
    f64::midpoint(at((sorted.len() - 1) / 2), at(sorted.len() / 2))
}
