//! `dyno help` lists topics and prints their pages (S13.3), and the examples in README.md and `docs/` work.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use dynorun::cli::Refusal;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{App, Ended};

const README: &str = include_str!("../../README.md");
const ENVIRONMENT: &str = include_str!("../../docs/environment.md");

/// Every page with commands to type.
const PAGES: [(&str, &str); 10] = [
    ("README.md", README),
    ("procfile", include_str!("../../docs/procfile.md")),
    ("environment", ENVIRONMENT),
    ("ports", include_str!("../../docs/ports.md")),
    ("keyboard", include_str!("../../docs/keyboard.md")),
    ("signals", include_str!("../../docs/signals.md")),
    ("statuses", include_str!("../../docs/statuses.md")),
    ("ci", include_str!("../../docs/ci.md")),
    ("migrating", include_str!("../../docs/migrating.md")),
    ("heroku", include_str!("../../docs/heroku.md")),
];

const TOPICS: &str = "\
Topics (`dyno help TOPIC` prints a page):
  procfile     How a Procfile is read
  environment  Config vars, `.env` files and what each dyno gets
  ports        Which port each dyno gets
  keyboard     Debuggers, consoles and full-screen programs
  signals      Ctrl-C, stopping and restarting
  statuses     Exit statuses and what causes them
  ci           Smoke tests in CI
  migrating    Coming from foreman, heroku local, honcho, overmind or hivemind

Examples:
";

const STATUSES: &str = "\
Exit statuses

status         when
-------------  -----------------------------------------------------------------
0              success; in `start`, the first dyno to exit did so with 0
n, 128+n       code or signal of the first dyno to exit, or of a failed release
               command
by the signal  stopped by INT, TERM, HUP or QUIT: shells show 130, 143, 129 or
               131
2              the command line is wrong
69             no port is free, or a port is in use and `--strict-ports` was
               given
70             `dyno`'s helper process (the guardian) was killed, or a process
               could not be killed (it is named)
74             the output could not be written, or its reader read nothing for
               two seconds after the end
75             `smoke`: not up in time, or the release command took too long
78             Procfile, `.env` or `.foreman` is missing or invalid, or there is
               no bash for the profile
126            a command could not be executed: that of `run`, or of the first
               dyno to exit
127            a command was not found: that of `run`, or of the first dyno to
               exit
141            the reader of stdout closed it

- `dyno run` ends with the status, or by the signal, of the command itself.
- `dyno smoke` ends with the status of its command. If a dyno or the release
  command fails first, it ends with that status, and with 1 instead of 0.
- `dyno check` ends with 0 or 78.
- Under the name `foreman`, errors of `dyno` itself end with 1. Under the name
  `honcho` they do so too, except that a wrong command line is 2, and that 126
  and 127 of `run` stay.

If Ctrl-C stopped the run, `dyno` ends by SIGINT after the clean-up, so that a
script that called it stops as well. If the signal cannot end it, as in a
container where it is PID 1, the status is 128 + n.

The rules in full: S11 in docs/semantics.md.
";

#[test]
fn s13_3_help_lists_the_topics_and_the_help_option_does_not() {
    let help = App::empty().dyno(["help"]).run();

    help.expect_end(Ended::Code(0));
    assert!(help.stdout().contains(TOPICS), "{}", help.stdout());
    // `--help` must fit a screen.
    let screen = App::empty().dyno(["--help"]).run();
    assert!(!screen.stdout().contains("Topics"), "{}", screen.stdout());
}

#[test]
fn s13_3_help_prints_the_page_of_a_topic() {
    App::empty().dyno(["help", "statuses"]).run().expect(Ended::Code(0), STATUSES, "");
}

#[test]
fn s13_3_a_mistyped_topic_suggests_the_nearest() {
    let error = "error: there is no command or topic `enviroment`\n\nhint: did you mean `dyno help environment`?\n";
    App::empty().dyno(["help", "enviroment"]).run().expect(Ended::Code(2), "", error);

    let error = "error: unexpected argument `web`\n\nhint: `dyno help TOPIC` prints one page\n";
    App::empty().dyno(["help", "ports", "web"]).run().expect(Ended::Code(2), "", error);
}

/// The code blocks of a page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The words of a line as the shell reads them.
fn words(line: &str) -> Vec<OsString> {
    let split = Command::new("/bin/sh").args(["-c", &format!("set -f; printf '%s\\0' {line}")]).output().unwrap();
    assert!(split.status.success(), "{line}");
    let words = split.stdout.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// Whether code is not a whole command line: it only names a command, or has a part to fill in, such as `TYPE` or `…`.
fn is_not_complete(code: &str) -> bool {
    let is_upper = |word: &str| word.len() > 1 && word.chars().all(|char| char.is_ascii_uppercase());
    code.split_whitespace().nth(2).is_none()
        || code.contains('…')
        || code.contains('\n')
        || code.split_whitespace().any(is_upper)
}

#[test]
fn every_command_in_the_docs_is_accepted() {
    let mut count = 0;
    for (page, text) in PAGES {
        let in_blocks = blocks(text, "sh").into_iter().flat_map(str::lines);
        let in_text = text.split('`').skip(1).step_by(2).filter(|code| !is_not_complete(code));
        for line in in_blocks.chain(in_text).filter(|line| line.starts_with("dyno ")) {
            count += 1;
            if let Err(refusal) = dynorun::cli::parse(words(line)) {
                assert!(matches!(refusal, Refusal::Shown(_)), "{page}: {line}: {refusal:?}");
            }
        }
    }
    assert!(count > 40, "{count}");
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

#[test]
fn the_first_screen_in_the_readme_is_real_output() {
    let app = App::empty();
    let dyno = app.dyno(["start", "-d", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart")]).spawn();
    dyno.until_shown("GET /items/1 200\n");
    dyno.until_shown("job 1 done\n");
    dyno.signal(Signal::SIGINT);
    let finished = dyno.finish();

    finished.expect_end(Ended::Signal(Signal::SIGINT));
    let without_numbers = |line: &str| line.chars().filter(|char| !char.is_ascii_digit()).collect::<String>();
    let shown: Vec<String> = finished.stdout().lines().map(without_numbers).collect();
    for line in blocks(README, "text")[0].lines().filter(|line| *line != "^C") {
        let (_, rest) = line.split_once(' ').unwrap();
        let line = without_numbers(&format!("TIME {rest}")).replace("with pid ", "with pid PID");
        assert!(shown.contains(&line), "{line}: {shown:#?}");
    }
}
