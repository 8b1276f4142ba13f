//! The examples in README.md and `docs/` do what the pages say: each command is run in an example app. A new example
//! must be added to one of the tables here.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use dynorun::cli::RefusedLine;
use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::attach::DETACH;
use crate::detached::no_files_left;
use crate::harness::{App, Call, Ended};
use crate::smoke;

pub(crate) const README: &str = include_str!("../../README.md");

/// Every page that users read.
pub(crate) const PAGES: [(&str, &str); 17] = [
    ("README.md", README),
    ("procfile", include_str!("../../docs/procfile.md")),
    ("environment", include_str!("../../docs/environment.md")),
    ("ports", include_str!("../../docs/ports.md")),
    ("keyboard", include_str!("../../docs/keyboard.md")),
    ("signals", include_str!("../../docs/signals.md")),
    ("statuses", include_str!("../../docs/statuses.md")),
    ("ci", include_str!("../../docs/ci.md")),
    ("migrating", include_str!("../../docs/migrating.md")),
    ("heroku", include_str!("../../docs/heroku.md")),
    ("completion", include_str!("../../docs/completion.md")),
    ("output", include_str!("../../docs/output.md")),
    ("export", include_str!("../../docs/export.md")),
    ("agents", include_str!("../../docs/agents.md")),
    ("packages", include_str!("../../docs/packages.md")),
    ("promises", include_str!("../../docs/promises.md")),
    ("semantics", include_str!("../../docs/semantics.md")),
];

/// The port and name of each dyno that a command starts. Ports of `-p auto` differ.
const STARTS: [(&str, &[&str]); 24] = [
    ("dyno start", ALL),
    ("dyno s", ALL),
    ("dyno local", ALL),
    ("dyno start web worker=2", &["5000 web.1", "5100 worker.1", "5101 worker.2"]),
    ("dyno start -f sub/Procfile", &["5000 web.1"]),
    ("dyno start -m all=1,worker=2", &["5000 web.1", "5100 worker.1", "5101 worker.2", "5200 css.1", "5300 setup.1"]),
    ("dyno start -m web=1,css=1", &["5000 web.1", "5200 css.1"]),
    ("dyno start -m all=1,web=2", &["5000 web.1", "5001 web.2", "5100 worker.1", "5200 css.1", "5300 setup.1"]),
    ("dyno start -c worker=2", &["5000 web.1", "5100 worker.1", "5101 worker.2", "5200 css.1", "5300 setup.1"]),
    ("dyno start -x css", &["5000 web.1", "5100 worker.1", "5300 setup.1"]),
    ("dyno start -e .env,.env.local", ALL),
    ("dyno start -p auto", &["web.1", "worker.1", "css.1", "setup.1"]),
    ("dyno start --can-die setup", ALL),
    ("dyno start --restart", ALL),
    ("dyno start -t 30", ALL),
    ("dyno start --heroku", AFTER_ROUTER),
    ("dyno start --log-dir log", ALL),
    ("dyno start --reload", ALL),
    ("dyno start --watch web=src,config", ALL),
    ("dyno start --api 5050", ALL),
    ("dyno start --router", AFTER_ROUTER),
    ("dyno start --focus web", ALL),
    ("dyno start --focus release", ALL),
    // In an app with two workers.
    ("dyno start --focus worker.2", &["5000 web.1", "5100 worker.1", "5101 worker.2", "5200 css.1", "5300 setup.1"]),
];

const AFTER_ROUTER: &[&str] = &["5100 web.1", "5200 worker.1", "5300 css.1", "5400 setup.1"];
const ALL: &[&str] = &["5000 web.1", "5100 worker.1", "5200 css.1", "5300 setup.1"];

/// What other commands print. The output of `help`, `man` and the like is compared in `comfort`.
const PRINTS: [(&str, &str); 8] = [
    // No client sends a request.
    ("dyno mcp", ""),
    ("dyno run ls", "Procfile\nbin\nnever\nstarted\nsub\n"),
    ("dyno run rails console", "rails console of postgres://localhost/shop\n"),
    ("dyno run release", "migrated\n"),
    (
        "dyno release",
        "TIME release.1 | started with pid PID\nTIME release.1 | migrated\nTIME release.1 | exited with code 0\n",
    ),
    ("dyno check", "valid procfile detected (release, web, worker, css, setup)\n"),
    ("dyno config", "DATABASE_URL=postgres://localhost/shop\n"),
    ("dyno config --explain DATABASE_URL", "DATABASE_URL comes from .env:1\n"),
];

/// Commands that print something and end with 0. Other tests compare the text.
const ANSWERS: [&str; 18] = [
    "dyno --help",
    "dyno start --help",
    "dyno completions --help",
    "dyno completions bash",
    "dyno man",
    "dyno help",
    "dyno help start",
    "dyno help ci",
    "dyno help environment",
    "dyno help keyboard",
    "dyno help ports",
    "dyno help semantics",
    "dyno help signals",
    "dyno help statuses",
    "dyno check --json",
    "dyno version",
    "dyno --version",
    "dyno config --explain PORT",
];

/// Commands that a page only names, without a word that they need: status 2.
const LACK_A_WORD: [&str; 6] =
    ["dyno attach", "dyno export", "dyno run", "dyno config --explain", "dyno wait --exit", "dyno smoke --"];

/// Commands that `front_door_ends`, `export` and `check_for` run, with another port or directory.
const RUN_ELSEWHERE: [&str; 4] = [
    "dyno check --for heroku",
    "dyno export systemd /etc/systemd/system -u deploy",
    "dyno router --detach",
    "dyno router --stop",
];

/// Starts of an app with a server: `worker` waits for it, or the command does.
const STARTS_A_SERVER: [&str; 2] = ["dyno start --after worker=web", "dyno start --detach"];

/// Commands for a running app, in an order in which all of them can do their work, and a part of what each prints.
const RUNNING: [(&str, &str); 25] = [
    ("dyno env heroku", "export HEROKU_HOST='http://127.0.0.1:"),
    ("dyno wait", ""),
    ("dyno wait web", ""),
    ("dyno ps", "\nworker.1  up "),
    ("dyno ls", "\napp   up     http://127.0.0.1:"),
    ("dyno why web.1", "web.1 is up, for "),
    ("dyno logs web --since 5m --grep error", "web.1    | no error\n"),
    // There is no router.
    ("dyno logs router", ""),
    ("dyno attach web.1", "no error"),
    ("dyno screen web.1", "no error\n"),
    ("dyno restart web.1", "restarting: web.1\n"),
    ("dyno restart web", "restarting: web.1\n"),
    ("dyno restart", "restarting: web.1, worker.1\n"),
    ("dyno run --detach rake jobs", "run."),
    ("dyno config:get DATABASE_URL", "postgres://localhost/shop\n"),
    ("dyno config:set LEVEL=debug", "Setting LEVEL and restarting web, worker... done, v2\n"),
    (
        "dyno config:set LEVEL=debug 'GREETING=hello world'",
        "Setting LEVEL, GREETING and restarting web, worker... done, v3\n",
    ),
    ("dyno config:unset LEVEL", "Unsetting LEVEL and restarting web, worker... done, v4\n"),
    ("dyno reload", "nothing to apply: the app stays on release v4\n"),
    ("dyno releases", "\nv4 "),
    ("dyno rollback", "release v5: "),
    ("dyno logs -t", "worker.1 | running jobs\n"),
    ("dyno scale web=3 worker+1", "web=3 worker=2\n"),
    ("dyno stop worker", "stopping: worker.1, worker.2\n"),
    ("dyno stop", "stopping: web.1, web.2, web.3"),
];

/// Every command line that a test here runs.
fn run_here() -> impl Iterator<Item = &'static str> {
    let pairs = PRINTS.iter().chain(&RUNNING).map(|(line, _)| *line);
    let starts = STARTS.iter().map(|(line, _)| *line).chain(STARTS_A_SERVER);
    pairs.chain(starts).chain(ANSWERS).chain(LACK_A_WORD).chain(SMOKES).chain(RUN_ELSEWHERE)
}

/// Words to fill in, with an example for each.
const TO_FILL_IN: [(&str, &str); 5] =
    [("COMMAND", "start"), ("TOPIC", "ports"), ("SHELL", "bash"), ("WORD", "ls"), ("CMD", "ls")];

/// The code blocks of a page in this language.
pub(crate) fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
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

/// The command lines of a page, also those in backticks in comments, with words to fill in replaced. Left out are those
/// with a part that only the reader can fill in: `…` or `[`.
fn commands(page: &str) -> BTreeSet<String> {
    let in_blocks = blocks(page, "sh").into_iter().flat_map(str::lines).map(str::to_owned);
    let comments = blocks(page, "sh").into_iter().flat_map(str::lines).filter_map(|line| line.split_once(" #"));
    let comments: String = comments.map(|(_, comment)| comment).collect();
    let outside = page.split("```").step_by(2).collect::<String>() + &comments;
    let in_text =
        outside.split('`').skip(1).step_by(2).map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines = in_blocks.chain(in_text).filter(|line| line.starts_with("dyno ") && !line.contains(['…', '[']));
    let filled_in = |line: String| {
        let (line, _) = line.split_once(" #").unwrap_or((&line, ""));
        let example = |word: &&str| TO_FILL_IN.iter().find(|(name, _)| name == word).map(|(_, example)| *example);
        line.trim_end().split(' ').map(|word| example(&word).unwrap_or(word)).collect::<Vec<_>>().join(" ")
    };
    lines.map(filled_in).collect()
}

fn all_commands() -> BTreeSet<String> {
    // The rules name no commands to type, and their backticks are not in pairs.
    PAGES.iter().filter(|(name, _)| *name != "semantics").flat_map(|(_, page)| commands(page)).collect()
}

/// The app in which the examples run. Each dyno writes its port to a file and waits.
fn app() -> App {
    let web = "web: echo $PORT >$STARTED/$DYNO; read -r _ <$NEVER\n";
    let others = ["worker", "css", "setup"].map(|name| web.replacen("web", name, 1)).concat();
    let app = App::new(&format!("release: echo migrated\n{web}{others}"));
    let app = app.file("sub/Procfile", web).file("started/.keep", "").fifo("never");
    let app = app.file(".env", "DATABASE_URL=postgres://localhost/shop\n");
    let app = app.file(".env.local", "DATABASE_URL=postgres://localhost/mine\n");
    app.script("bin/rails", "echo \"rails $1 of $DATABASE_URL\"\n").script("bin/npm", "echo \"npm $1: $BASE_URL\"\n")
}

/// `dyno` with the words of a line.
fn call(app: &App, line: &str) -> Call {
    let args: Vec<String> = words(line).into_iter().skip(1).map(|word| word.into_string().unwrap()).collect();
    let path = format!("{}:{}", app.path("bin").display(), std::env::var("PATH").unwrap());
    let call = app.dyno([]).args(&args.iter().map(String::as_str).collect::<Vec<_>>()).env("PATH", path);
    call.env("STARTED", app.path("started")).env("NEVER", app.path("never"))
}

#[test]
fn every_command_in_the_docs_is_accepted() {
    for line in all_commands() {
        if let Err(refusal) = dynorun::cli::parse(words(&line)) {
            let lacks_a_word = LACK_A_WORD.contains(&line.as_str());
            assert!(matches!(refusal, RefusedLine::Shown(_)) || lacks_a_word, "{line}: {refusal:?}");
        }
    }
}

#[test]
fn every_command_in_the_docs_is_run() {
    let in_docs = all_commands();
    let shown = shown_output();

    let untested: Vec<&String> =
        in_docs.iter().filter(|line| !run_here().any(|known| known == *line) && !shown.contains_key(*line)).collect();
    assert_eq!(untested, [""; 0], "add each of them to a table");
    let gone: Vec<&str> = run_here().filter(|line| !in_docs.contains(*line)).collect();
    assert_eq!(gone, [""; 0], "no longer in the docs");
}

#[test]
fn the_examples_of_start_start_the_dynos_that_the_docs_say() {
    for (line, expected) in STARTS {
        let mut app = app();
        if line.ends_with("worker.2") {
            app = app.file(".foreman", "concurrency: worker=2\n");
        }
        let started = || -> BTreeSet<String> {
            let files = fs::read_dir(app.path("started")).unwrap().map(|entry| entry.unwrap().path());
            let files = files.filter(|path| !path.ends_with(".keep"));
            let line = |path: std::path::PathBuf| {
                let port = fs::read_to_string(&path).unwrap();
                let port = if line.ends_with("auto") { "" } else { port.trim_end() };
                format!("{port} {}", path.file_name().unwrap().to_str().unwrap()).trim_start().to_owned()
            };
            files.map(line).collect()
        };
        let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();

        // Another program may use port 5000.
        let dyno = call(&app, line).args(&["--fixed-ports"]).spawn();
        dyno.until(&format!("`{line}` starts {expected:?}, not {:?}", started()), || started() == expected);
        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        finished.expect_end(Ended::Signal(Signal::SIGTERM));
        assert_eq!(started(), expected, "{line}");
        let stderr = finished.stderr();
        let notice = [("auto", "ports: "), ("5050", "API at ")].iter().find(|(end, _)| line.ends_with(end));
        assert!(stderr.is_empty() || notice.is_some_and(|(_, text)| stderr.starts_with(text)), "{line}: {stderr}");
    }
}

#[test]
fn the_other_examples_print_what_the_docs_say() {
    for (line, stdout) in PRINTS {
        call(&app(), line).run().expect(Ended::Code(0), stdout, "");
    }
}

#[test]
fn the_examples_that_only_answer_print_something() {
    let app = app();
    for line in ANSWERS {
        let finished = call(&app, line).run();
        finished.expect_end(Ended::Code(0));
        assert!(!finished.stdout.is_empty() && finished.stderr.is_empty(), "{line}: {}", finished.stderr());
    }
}

#[test]
fn commands_that_lack_a_word_say_which_one() {
    for line in LACK_A_WORD {
        let finished = call(&app(), line).run();
        finished.expect_end(Ended::Code(2));
        assert!([" needs ", " is empty"].iter().any(|part| finished.stderr().contains(part)), "{line}");
    }
}

/// An app with a server. Only `web.1` listens, because another program may have the next port.
fn app_with_a_server() -> App {
    let web = "web: echo no error; test $DYNO != web.1 || exec ./listen 127.0.0.1; exec sleep 1000\n";
    let app = smoke::app(&format!("{web}worker: echo running jobs; exec sleep 1000\n"));
    app.file(".env", "DATABASE_URL=postgres://localhost/shop\n").script("bin/rake", "echo \"rake $1\"\n")
}

#[test]
fn the_examples_for_a_running_app_do_what_the_docs_say() {
    for line in STARTS_A_SERVER {
        let app = app_with_a_server();
        let port = free_port().to_string();
        let mut start =
            call(&app, line).args(&["-p", &port, "--api", &free_port().to_string(), "--pty", "always"]).spawn();
        if line.contains("--detach") {
            let up = start.returned();
            assert_eq!((up.ended, up.stdout()), (Ended::Code(0), format!("http://127.0.0.1:{port}\n")));
        } else {
            start.until_shown("| running jobs\n");
            let shown = start.stdout.text();
            assert!(shown.find("| Listening on ") < shown.find("| running jobs"), "{shown}");
        }
        for (line, part) in RUNNING {
            let client = if line.starts_with("dyno attach") {
                let client = call(&app, line).spawn_in_terminal();
                client.until_shown(part);
                client.terminal().type_keys(DETACH);
                client
            } else {
                call(&app, line).spawn()
            };
            let follows = line.ends_with(" -t");
            if follows {
                client.until_shown(part);
                client.signal(Signal::SIGINT);
            }
            let finished = client.finish();
            finished.expect_end(if follows { Ended::Signal(Signal::SIGINT) } else { Ended::Code(0) });
            assert!(finished.stdout().contains(part), "{line}: {}{}", finished.stdout(), finished.stderr());
        }
        start.until("nothing is left", || start.processes().is_empty());
        no_files_left(&app);
    }
}

/// Smoke tests, with the server of `examples/listen.rs` and a stand-in for `npm`.
const SMOKES: [&str; 6] = [
    "dyno smoke",
    "dyno smoke -- npm test",
    "dyno smoke --http /up",
    "dyno smoke --http /up -- npm test",
    "dyno smoke --http /health -- npm test",
    "dyno smoke --start 'npm start' --http / -- npm test",
];

#[test]
fn the_examples_of_smoke_pass() {
    for line in SMOKES {
        let npm = "case $1 in start) exec ./listen ;; *) echo \"npm $1: $BASE_URL\" ;; esac\n";
        let app = smoke::app("web: ./listen\n").script("bin/npm", npm);
        let args: Vec<String> = words(line).into_iter().skip(2).map(|word| word.into_string().unwrap()).collect();
        let path = format!("{}:{}", app.path("bin").display(), std::env::var("PATH").unwrap());
        let call = smoke::smoke(&app, &args.iter().map(String::as_str).collect::<Vec<_>>()).env("PATH", path);

        let finished = call.run();

        finished.expect_end(Ended::Code(0));
        let port = smoke::ports(&finished.stderr()).concat();
        let tested =
            if line.contains("npm test") { format!("npm test: http://127.0.0.1:{port}\n") } else { String::new() };
        assert_eq!(finished.stdout(), tested, "{line}");
    }
}

/// Commands alone in a block that a block with their output follows.
fn shown_output() -> std::collections::BTreeMap<String, String> {
    let pairs = PAGES.iter().flat_map(|(_, page)| page.split("```sh\n").skip(1)).filter_map(|rest| {
        let (command, rest) = rest.split_once("```\n\n```text\n")?;
        let (output, _) = rest.split_once("```")?;
        (command.lines().count() == 1).then(|| (command.trim_end().to_owned(), output.to_owned()))
    });
    pairs.filter(|(command, _)| command.starts_with("dyno ")).collect()
}

#[test]
fn the_output_below_a_command_is_what_the_command_prints() {
    let shown = shown_output();

    assert!(!shown.is_empty());
    for (line, output) in shown {
        call(&app(), &line).run().expect(Ended::Code(0), &output, "");
    }
}
