//! The screens in the README are what the quickstart and `dyno ls` really show.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::app::with_all_blocks;
use crate::checkouts::with_worktree;
use crate::docs_examples::{README, blocks};
use crate::harness::{App, Call, Ended, until, with_fixed_times_and_pids};

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");

/// An app whose directory has a `sleep` that waits for a line, not for two seconds.
fn with_pauses() -> App {
    // A pause that opens the pipe before the line for the last one is closed gets end of file, and opens it again.
    let pause = ": >\"$GO.$DYNO.$$\"\nuntil read -r _ <\"$GO.$DYNO\"; do :; done\n";
    App::empty().script("bin/sleep", pause).fifo("go.web.1").fifo("go.worker.1")
}

/// `dyno` in the directory of the quickstart.
fn dyno(app: &App, args: &[&str]) -> Call {
    let path = format!("{}:{}", app.path("bin").display(), std::env::var("PATH").unwrap());
    app.dyno([]).args(args).directory(Path::new(QUICKSTART)).env("PATH", path).env("GO", app.path("go"))
}

#[test]
fn the_first_screen_in_the_readme_is_real_output() {
    let app = with_pauses();
    let dyno = dyno(&app, &["start", "--fixed-ports"]).spawn();
    for (dyno_name, shown) in [("web.1", "request 1\n"), ("worker.1", "job 1 done\n")] {
        app.release(&format!("go.{dyno_name}"));
        dyno.until_shown(shown);
        // A signal to a child that has not run `exec` yet would be lost.
        let prefix = format!("go.{dyno_name}.");
        let pauses =
            || fs::read_dir(app.path("")).unwrap().filter_map(|file| file.ok()?.file_name().into_string().ok());
        dyno.until("the next pause has begun", || pauses().filter(|name| name.starts_with(&prefix)).count() == 2);
    }
    dyno.signal(Signal::SIGINT);
    let finished = dyno.finish();

    finished.expect_end(Ended::Signal(Signal::SIGINT));
    let screen = blocks(README, "text")[0].replace("^C\n", "");
    let screen = with_fixed_times_and_pids(screen.split_inclusive('\n'));
    // Lines of different dynos have no fixed order.
    let by_dyno = |text: &str| {
        ["web.1 ", "worker.1 ", "system "].map(|name| {
            let prefix = format!("TIME {name}");
            text.lines().filter(|line| line.starts_with(&prefix)).map(str::to_owned).collect::<Vec<_>>()
        })
    };
    assert_eq!(by_dyno(&finished.stdout()), by_dyno(&screen));
    assert_eq!(finished.stdout().lines().count(), screen.lines().count());
}

/// The text without the parts that vary: times, process ids, and in the rows of `ps` age, CPU time and memory.
fn without_variable_parts(text: &str) -> String {
    let row = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [dyno, "up", _, _, port, _, _, restarts, command] => format!("{dyno} up {port} {restarts} {command}\n"),
        words if words.first() == Some(&"DYNO") => words.join(" ") + "\n",
        _ => format!("{line}\n"),
    };
    let rows: Vec<String> = text.lines().map(row).collect();
    with_fixed_times_and_pids(rows.iter().map(String::as_str))
}

#[test]
fn the_commands_in_the_readme_show_real_output() {
    let app = with_pauses();
    let start = dyno(&app, &["start", "--fixed-ports"]).spawn();
    start.until("both dynos are up", || {
        ["My PORT is", "waiting for jobs"].iter().all(|text| start.stdout.text().contains(text))
    });

    let mut commands = 0;
    for part in blocks(README, "text")[1].split("$ dyno ").skip(1) {
        let (words, shown) = part.split_once('\n').unwrap();
        let args: Vec<&str> = words.split(' ').collect();
        let output = match shown.strip_suffix("^C\n") {
            None => dyno(&app, &args).run().stdout,
            Some(lines) => {
                let client = dyno(&app, &args).spawn();
                client.until("all lines are shown", || client.stdout.text().lines().count() >= lines.lines().count());
                client.signal(Signal::SIGINT);
                client.finish().stdout
            }
        };
        let shown = shown.replace("^C\n", "");
        let seen = String::from_utf8(output).unwrap();
        assert_eq!(without_variable_parts(&seen), without_variable_parts(&shown), "dyno {words}");
        commands += 1;
    }

    assert_eq!(commands, 4);
    start.finish().expect_end(Ended::Code(0));
}

/// Whether each row has a cell exactly below each heading, and a blank before it.
fn is_table(text: &str) -> bool {
    let is_start = |line: &str, at: usize| {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        before == ' ' && line[at..].starts_with(|first: char| first != ' ')
    };
    let header = text.lines().next().unwrap();
    let starts: Vec<usize> = (0..header.len()).filter(|at| is_start(header, *at)).collect();
    text.lines().all(|line| starts.iter().all(|at| is_start(line, *at)))
}

#[test]
fn s10_2_the_list_of_apps_in_the_readme_is_real_output() {
    let _blocks = with_all_blocks();
    let app = App::new("web: exec sleep 1000\n").file(".git/HEAD", "ref: refs/heads/main\n");
    let app = with_worktree(app, "fix-1", "web: exec sleep 1000\n");
    let app = app.file(".git/worktrees/fix-1/HEAD", "ref: refs/heads/fix-1\n");
    let starts =
        [app.dyno(["start", "--fixed-ports"]).spawn(), app.dyno(["start"]).directory(&app.path("../fix-1")).spawn()];
    until("both apps are up", || app.dyno(["ls"]).run().stdout().matches("  up  ").count() == 2);

    let seen = app.dyno(["ls"]).run().stdout();

    let screen = blocks(README, "text")[2];
    let (command, shown) = screen.split_once('\n').unwrap();
    assert_eq!(command, "$ dyno ls");
    assert!(is_table(shown) && is_table(&seen), "{shown}{seen}");
    let parent = app.root().parent().unwrap().display().to_string();
    // The port of a worktree and the ages vary.
    let row = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [name, state, url, root, branch, _, "ago"] => {
            let (host, port) = url.rsplit_once(':').unwrap();
            let port = port.parse().unwrap_or(0);
            let port =
                if (10_100..20_000).contains(&port) && port % 100 == 0 { "BLOCK".into() } else { port.to_string() };
            format!("{name} {state} {host}:{port} {root} {branch} AGE ago")
        }
        words => words.join(" "),
    };
    let rows = |text: &str| text.lines().map(row).collect::<Vec<_>>();
    assert_eq!(rows(&seen.replace(&parent, "/home/me")), rows(&shown.replace("shop", "app")));
    for start in starts {
        start.signal(Signal::SIGTERM);
        start.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    }
}
