//! `dyno help` prints the pages of topics (S13.3), and what the page about the environment says is true.

use clap::ValueEnum;
use dynorun::cli::Topic;
use serde_json::{Value, json};

use crate::docs_examples::blocks;
use crate::harness::{App, Ended};
use crate::texts;

const ENVIRONMENT: &str = include_str!("../../docs/environment.md");

/// A page as it is printed in a terminal with this many columns.
fn in_terminal(topic: &str, columns: u16) -> String {
    let app = App::empty();
    let finished = app.dyno(["help", topic]).env("NO_COLOR", "1").spawn_in_terminal_of(24, columns).finish();
    finished.expect_end(Ended::Code(0));
    finished.stdout().replace("\r\n", "\n")
}

#[test]
fn s13_3_help_prints_the_page_of_a_topic_wrapped_to_the_terminal() {
    let names = Topic::value_variants().iter().map(|topic| topic.to_possible_value().unwrap().get_name().to_owned());
    let pages =
        names.flat_map(|name| [80, 60, 50].map(|columns| (format!("{name}-{columns}"), in_terminal(&name, columns))));
    let pages: Vec<(String, String)> = pages.collect();

    // Without a terminal a line has at most 80 columns.
    let piped = App::empty().dyno(["help", "statuses"]).run();
    let statuses = pages.iter().find(|(name, _)| name == "statuses-80").unwrap();
    piped.expect(Ended::Code(0), &statuses.1, "");
    texts::assert_folder("topics", pages);
}

#[test]
fn s13_3_a_mistyped_topic_suggests_the_nearest() {
    let error = "error: there is no command or topic `enviroment`\n\nhint: did you mean `dyno help environment` or `dyno help env`?\n";
    App::empty().dyno(["help", "enviroment"]).run().expect(Ended::Code(2), "", error);

    let error = "error: unexpected argument `web`\n\nhint: `dyno help TOPIC` prints one page\n";
    App::empty().dyno(["help", "ports", "web"]).run().expect(Ended::Code(2), "", error);
}

#[test]
fn the_env_example_of_the_docs_is_read_as_described() {
    let (_, section) = ENVIRONMENT.split_once("\n## How .env is read\n").unwrap();
    let app = App::new("web: true\n").file(".env", blocks(section, "text")[0]);

    let config = app.dyno(["config", "--json"]).env("NAME", "db").run();

    config.expect_end(Ended::Code(0));
    assert_eq!(config.stderr(), "");
    let read: Value = serde_json::from_slice(&config.stdout).unwrap();
    let expected = json!({
        "PLAIN": "hello world",
        "COLOR": "",
        "URL": "http://x/#top",
        "TOKEN": "abc",
        "QUOTED": "two\nlines",
        "RAW": "$5 # \"as it is\"",
        "PEM": "-----BEGIN KEY-----\nabc\n-----END KEY-----",
        "HOST": "db:80",
        "PASSWORD": "pa$$word",
    });
    assert_eq!(read, expected);
}

#[test]
fn the_table_of_env_readers_is_correct_for_dyno() {
    let (_, section) = ENVIRONMENT.split_once("\n## Other readers\n").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `A=")?.strip_suffix(" |")).map(str::to_owned);
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let line = cells[0].trim_end_matches('`');
        let app = App::new("web: true\n").file(".env", format!("A={line}\n"));

        let config = app.dyno(["config", "--json"]).env("B", "b").run();

        let read: Value = serde_json::from_slice(&config.stdout).unwrap();
        let expected = match *cells.last().unwrap() {
            "kept" => line,
            "two lines" => "a\nb",
            "replaced" => "b",
            text => text.trim_matches('`'),
        };
        assert_eq!(read["A"], expected, "{line}");
        count += 1;
    }
    assert_eq!(count, 6);
}
