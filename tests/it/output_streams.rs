//! Dynos that change their streams, and readers that are slow: no output is lost, and no dyno affects another (S6.1,
//! S7.5).

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;

use crate::app::example;
use crate::harness::{App, Capture, Ended, Finished};
use crate::output_flow::all_dynos_wait;
use crate::process_table;

fn app_with_meddle(procfile: &str) -> App {
    let app = App::new(procfile);
    symlink(example("meddle"), app.path("meddle")).unwrap();
    app
}

#[test]
fn s7_5_output_in_an_enlarged_pipe_is_shown_before_the_exit_notice() {
    const LINES: usize = 80_000;
    let line = "0123456789".repeat(10);
    let app = app_with_meddle(&format!(
        "web: read -r _ <go; exec ./meddle wide {LINES}\nother: yes {line} | head -c 20000000; read -r _ <never\n"
    ))
    .fifo("go")
    .fifo("never");
    let (reader, writer) = std::io::pipe().unwrap();
    let dyno = app
        .dyno(["start", "--no-timestamps", "--pty", "never", "--can-die", "web", "-t", "1"])
        .stdout_to(writer)
        .spawn();
    let processes_of =
        |name: &str| dyno.of_dynos().into_iter().filter(|process| process.dyno.as_deref() == Some(name)).collect();
    // When other.1 has used up the budget, `dyno` stops reading, so the output of web.1 stays in its pipe.
    dyno.until("the budget is spent", || {
        let other: Vec<process_table::Process> = processes_of("other.1");
        other.iter().any(|process| process_table::waits_to_write(process.pid))
    });
    app.release("go");
    dyno.until("web.1 is gone", || processes_of("web.1").is_empty());

    let shown = Capture::of(reader);
    dyno.until("the exit notice is shown", || shown.text().contains("web.1   | exited with code 0\n"));

    let text = shown.text();
    let (before, _) = text.split_once("web.1   | exited with code 0\n").unwrap();
    let lines = before.lines().filter_map(|line| line.strip_prefix("web.1   | line "));
    let expected = (1..=LINES).map(|number| format!("{number:06}"));
    assert!(lines.clone().eq(expected), "{} lines", lines.count());
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s6_1_a_flag_that_a_dyno_sets_on_its_stdin_affects_no_other_dyno() {
    let app = app_with_meddle("one: ./meddle deaf; read -r _ <never\ntwo: read -r _ <go; cat; echo ended\n")
        .fifo("go")
        .fifo("never");
    let dyno = app.dyno(["start", "--pty", "never", "-t", "1"]).spawn();
    dyno.until_shown("one.1  | deaf\n");

    app.release("go");

    dyno.until("cat waits", || dyno.of_dynos().iter().any(|process| process.command == "cat" && process.state == 'S'));
    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();
    assert!(!finished.stdout().contains("| ended"), "{}", finished.stdout());
}

#[test]
fn s7_5_output_waits_for_the_reader_of_a_non_blocking_stdout() {
    let app = App::new("web: seq -f 'line %06.0f' 1 300000\n");
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let dyno = app.dyno(["start", "--no-prefix"]).stdout_to(writer).spawn();
    dyno.until("the dyno waits", || all_dynos_wait(&dyno));

    let mut shown = String::new();
    reader.read_to_string(&mut shown).unwrap();

    dyno.finish().expect_end(Ended::Code(0));
    let lines = shown.lines().filter(|line| line.starts_with("line "));
    assert!(lines.eq((1..=300_000).map(|number| format!("line {number:06}"))), "{} lines", shown.lines().count());
}

#[test]
fn s7_5_a_reader_that_is_always_slow_gets_everything() {
    let slow = "while dd bs=4096 count=1 of=piece 2>/dev/null && [ -s piece ]; do cat piece >>out; sleep 0.1; done\n";
    let app = App::new("web: seq -f 'line %06.0f' 1 10000\n").script("slow", slow);
    let line = "{ \"$0\" \"$@\"; echo $? >status; } | ./slow";

    let finished = app.dyno(["start", "--no-prefix"]).under(&["sh", "-c", line]).run();

    assert_eq!(finished.stderr(), "");
    assert_eq!(fs::read_to_string(app.path("status")).unwrap(), "0\n");
    let shown = fs::read_to_string(app.path("out")).unwrap();
    let lines = shown.lines().filter(|line| line.starts_with("line "));
    assert!(lines.eq((1..=10_000).map(|number| format!("line {number:06}"))), "{} lines", shown.lines().count());
}

/// Runs a dyno that closes its terminal in every process, opens it again and then runs `writes`.
fn reopened_terminal(writes: &str) -> Finished {
    let line = format!(
        "web: t=$(tty); exec </dev/null >/dev/null 2>&1; read -r _ <go; exec >\"$t\"; {writes}\n\
         other: read -r _ <look; echo looked; read -r _ <never\n"
    );
    let app = App::new(&line).fifo("go").fifo("look").fifo("never");
    let dyno = app.dyno(["start", "--pty", "always", "-t", "1"]).spawn();
    let is_of_web = |process: &process_table::Process| process.dyno.as_deref() == Some("web.1");
    let holds_terminal = |pid: i32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|path| path.starts_with("/dev/pts"))
    };
    dyno.until("web.1 has closed its terminal", || {
        let processes: Vec<_> = dyno.of_dynos().into_iter().filter(is_of_web).collect();
        !processes.is_empty() && !processes.iter().any(|process| holds_terminal(process.pid))
    });
    // When `dyno` has shown this line, it has also seen that the terminal was closed.
    app.release("look");
    dyno.until_shown("| looked");

    app.release("go");
    dyno.finish()
}

#[test]
fn s7_5_a_terminal_that_a_dyno_closes_and_opens_again_loses_nothing() {
    let finished = reopened_terminal("echo again; exit 3");

    finished.expect_end(Ended::Code(3));
    assert_eq!(finished.lines_of("web.1"), ["started with pid PID", "again", "exited with code 3"]);
}

// The leader controls its session, so the kernel sends SIGHUP to its group when it exits, but its child lives on.
#[test]
fn s7_5_after_the_end_of_a_focused_leader_its_child_loses_no_output() {
    let child = "trap '' HUP TERM; exec </dev/null; echo >set; read -r _ <write; echo late\n\
                 exec >/dev/null 2>&1; echo >closed; read -r _ <open; exec >\"$1\"; seq 1 3000; echo again\n";
    let leader = "t=$(tty)\n./child \"$t\" &\nread -r _ <set\nseq 1 3000\necho last words\nexit 3\n";
    let app = App::new("app: ./leader\n").script("leader", leader).script("child", child);
    let app = app.fifo("set").fifo("write").fifo("closed").fifo("open");
    let options = ["start", "--focus", "app", "-t", "300", "--no-timestamps", "--color", "never", "--log-dir", "log"];
    let dyno = app.dyno(options).spawn_in_terminal();

    dyno.until_shown("exited with code 3");
    app.release("write");
    dyno.until_shown("late\r\n");
    // Returns when the child has closed its terminal.
    fs::read(app.path("closed")).unwrap();
    app.release("open");

    let shown = String::from_utf8(dyno.finish().stdout).unwrap().replace('\r', "");
    let log = fs::read_to_string(app.path("log/app.1.log")).unwrap();
    let numbers = (1..=3000).map(|number| number.to_string()).collect::<Vec<_>>().join("\n") + "\n";
    for text in [shown, log] {
        let text = text.replace("app.1  | ", "");
        assert!(text.contains(&format!("{numbers}last words\nexited with code 3\n")), "{text}");
        assert!(text.contains(&format!("late\n{numbers}again\n")), "{text}");
    }
}

#[test]
fn s7_5_a_flood_into_a_reopened_terminal_is_shown_completely() {
    let finished = reopened_terminal("seq 1 20000; exit 3");

    finished.expect_end(Ended::Code(3));
    let numbers = (1..=20_000).map(|number| number.to_string());
    let lines = finished.lines_of("web.1");
    assert!(lines[1..].iter().cloned().eq(numbers.chain(["exited with code 3".to_owned()])), "{} lines", lines.len());
}
