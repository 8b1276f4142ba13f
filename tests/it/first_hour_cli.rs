//! What a new user meets in the first hour: each case compares status, stdout and stderr in full.

use crate::harness::{App, Ended};

/// The rows of the table of a page, without its heading.
fn table(page: &str) -> Vec<(String, String)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.skip(1).map(|(status, when)| (status.to_owned(), when.to_owned())).collect()
}

#[test]
fn s11_1_docs_and_manual_list_the_statuses_of_the_one_table() {
    let statuses: Vec<(String, String)> =
        dynorun::error::exit_statuses().map(|(status, when)| (status, when.to_owned())).collect();

    assert_eq!(table(include_str!("../../docs/statuses.md")), statuses);
    let page = App::empty().dyno(["man"]).run();
    page.expect_end(Ended::Code(0));
    for (status, when) in statuses {
        let entry = format!(".TP\n\\fB{status}\\fR\n{when}\n").replace('-', "\\-");
        assert!(page.stdout().contains(&entry), "{entry}: {}", page.stdout());
    }
}
