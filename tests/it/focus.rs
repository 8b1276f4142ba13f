//! `start --focus`: one dyno gets the keyboard, and its output is shown raw (S6.8).
//!
//! The apps have no `web`: if another program used port 5000, a warning would change the output.

use std::fs;

use crate::harness::{App, Call, Ended, Running, without_times_and_pids};

const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";

/// Answers each line, and exits with 3 at end of file.
const TALK: &str = "echo ready\nwhile read -r line; do echo \"got <$line>\"; done\necho end of input\nexit 3\n";

/// Prints a line each time the test writes to the fifo `go`.
const WORK: &str = "echo up\nwhile :; do read -r _ <go && echo job done; done\n";

/// `app` runs this script; `worker` prints a line for each `release("go")`.
fn app(script: &str) -> App {
    App::new("app: ./app\nworker: ./worker\n").script("app", script).script("worker", WORK).fifo("go").fifo("never")
}

fn focus(app: &App) -> Call {
    app.dyno(["start", "--focus", "app", "--no-timestamps", "--color", "never", "-t", "1"])
}

/// Starts the app in a terminal and waits until both dynos are up.
fn up(call: Call) -> Running {
    let dyno = call.spawn_in_terminal();
    dyno.until_shown("ready");
    dyno.until_shown("worker.1 | up");
    dyno
}

/// The output with `\n` as line ends. `dyno` writes `\r\n`, and the terminal may add another `\r`.
fn shown(bytes: &[u8]) -> String {
    without_times_and_pids(bytes).replace("\r\r\n", "\n").replace("\r\n", "\n")
}

/// The same without the start-up lines, whose order varies.
fn shown_after_the_start(bytes: &[u8]) -> String {
    let shown = shown(bytes);
    let begin = shown.rfind("ready\n").unwrap().max(shown.rfind("worker.1 | up\n").unwrap());
    shown[begin..].split_once('\n').unwrap().1.to_owned()
}

#[test]
fn s6_8_the_focused_dyno_gets_the_keys_and_its_output_has_no_prefix() {
    let app = app(TALK);
    let dyno = up(focus(&app));

    dyno.terminal().type_keys(b"helx\x7flo\n");
    dyno.until_shown("got <hello>\r\n");
    app.release("go");
    dyno.until_shown("job done\r\n");
    dyno.terminal().type_keys(CTRL_D);

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(3));
    assert_eq!(
        shown_after_the_start(&finished.stdout),
        "helx\u{8} \u{8}lo\ngot <hello>\nworker.1 | job done\nend of input\napp.1    | exited with code 3\n\
         system   | app.1 exited first (code 3): stopping the others; press Ctrl-C to kill them\n\
         system   | hint: `--can-die app=any` or `--restart` keeps the others up\n\
         system   | sending SIGTERM to all processes\nworker.1 | terminated by SIGTERM\n"
    );
}

#[test]
fn s6_8_an_unfinished_line_is_redrawn_below_the_lines_of_other_dynos() {
    let app = app("echo ready\nprintf 'name? '\nread -r name\necho \"hi $name\"\n");
    let dyno = up(focus(&app));
    dyno.until_shown("name? ");
    dyno.terminal().type_keys(b"an");
    dyno.until_shown("name? an");

    app.release("go");
    dyno.until_shown("job done\r\nname? an");
    dyno.terminal().type_keys(b"n\n");

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(0));
    let shown = shown(&finished.stdout);
    assert!(shown.contains("name? an\r\u{1b}[Jworker.1 | job done\nname? ann\nhi ann\napp.1    | exited"), "{shown}");
}

#[test]
fn s6_8_the_first_ctrl_c_goes_to_the_dyno_and_the_second_stops_all() {
    let app = app("trap 'echo heard' INT\necho ready\nwhile :; do read -r line && echo \"got <$line>\"; done\n");
    let dyno = up(focus(&app));
    let heard = |times| dyno.until("app hears Ctrl-C", || dyno.stdout.text().matches("heard\r\n").count() == times);

    dyno.terminal().type_keys(CTRL_C);
    heard(1);
    dyno.terminal().type_keys(b"x\n");
    dyno.until_shown("got <x>");
    dyno.terminal().type_keys(CTRL_C);
    heard(2);
    dyno.terminal().type_keys(CTRL_C);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(nix::sys::signal::Signal::SIGINT));
    let shown = shown_after_the_start(&finished.stdout);
    let (keys, end) = shown.split_once("system   | SIGINT received, starting shutdown\n").unwrap();
    assert_eq!(keys, "^Cheard\nx\ngot <x>\n^Cheard\n");
    let mut end: Vec<&str> = end.lines().collect();
    end[1..].sort_unstable();
    let terminated = ["app.1    | terminated by SIGTERM", "worker.1 | terminated by SIGTERM"];
    assert_eq!(end, ["system   | sending SIGTERM to all processes", terminated[0], terminated[1]]);
}

#[test]
fn s6_8_keys_that_the_dyno_did_not_read_do_not_delay_its_exit() {
    let app = app("echo ready\nread -r _ <never\nexit 3\n");
    let dyno = up(focus(&app));

    // More than a terminal buffers for a program that does not read.
    dyno.terminal().type_keys(&b"line of text\n".repeat(5000));
    app.release("never");

    dyno.finish().expect_end(Ended::Code(3));
}

#[test]
fn s6_8_a_second_ctrl_c_stops_all_even_if_the_first_caused_a_restart() {
    let app = app("echo ready\nread -r _\n");
    let dyno = up(focus(&app).args(&["--restart"]));

    dyno.terminal().type_keys(CTRL_C);
    dyno.until("app runs again", || dyno.stdout.text().matches("ready\r\n").count() == 2);
    dyno.terminal().type_keys(CTRL_C);

    dyno.finish().expect_end(Ended::Signal(nix::sys::signal::Signal::SIGINT));
}

#[test]
fn s6_8_a_signal_from_another_process_stops_all_at_once() {
    let app = app("trap 'echo heard' INT\necho ready\nwhile :; do read -r _ <never; done\n");
    let dyno = up(focus(&app));

    dyno.signal(nix::sys::signal::Signal::SIGINT);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(nix::sys::signal::Signal::SIGINT));
    assert!(!shown(&finished.stdout).contains("heard"), "{}", finished.stdout());
}

#[test]
fn s6_8_the_focused_dyno_has_a_controlling_terminal_of_full_size() {
    let script = "trap 'stty size' WINCH\necho speaking >/dev/tty\nstty size\necho ready\n\
               while :; do read -r line && echo \"got <$line>\"; done\n";
    let app = app(script);
    let dyno = up(focus(&app));
    let seen = shown(&dyno.stdout.bytes());
    let own: Vec<&str> = seen.lines().filter(|line| !line.contains("app.1 ") && !line.contains("worker.1 ")).collect();
    assert_eq!(own, ["speaking", "24 80", "ready"], "{seen}");

    dyno.terminal().resize(30, 100);

    dyno.until_shown("30 100\r\n");
    // Ctrl-Z does not stop the dyno: no shell could continue it, so the system discards the signal.
    dyno.terminal().type_keys(b"\x1astill here\n");
    dyno.until_shown("got <still here>");
}

#[test]
fn s6_8_a_restarted_dyno_has_the_keyboard_again() {
    let app = app("echo ready\nread -r line\necho \"got <$line>\"\n");
    let dyno = up(focus(&app).args(&["--restart"]));

    dyno.terminal().type_keys(b"one\n");
    dyno.until("app runs again", || dyno.stdout.text().matches("ready\r\n").count() == 2);
    dyno.terminal().type_keys(b"two\n");

    dyno.until_shown("got <two>");
}

#[test]
fn s6_8_the_release_command_can_ask_a_question() {
    let app = App::new("release: ./ask\napp: echo app is here\n")
        .script("ask", "printf 'drop all tables? '\nread -r answer\necho \"answer: $answer\"\n");
    let dyno = app.dyno(["start", "--focus", "release", "--color", "never"]).spawn_in_terminal();
    dyno.until_shown("drop all tables? ");

    dyno.terminal().type_keys(b"no\n");

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(0));
    let shown = shown(&finished.stdout);
    assert!(shown.contains("drop all tables? no\nanswer: no\n") && shown.contains("| app is here\n"), "{shown}");
}

#[test]
fn s6_8_without_a_terminal_the_focused_dyno_reads_the_stdin_of_dyno() {
    let script = "while read -r line; do echo \"got <$line>\"; done\necho end of input\nexit 3\n";
    let app = App::new("app: ./app\n").script("app", script).file("lines", "one\ntwo\n");
    let expected = "TIME app.1  | started with pid PID\ngot <one>\ngot <two>\nend of input\n\
                    TIME app.1  | exited with code 3\n";

    let from_file = app.dyno(["start", "--focus", "app", "--pty", "never"]).after("exec <lines").run();
    let from_pipe = app.dyno(["start", "--focus", "app"]).under(&["sh", "-c", "cat lines | \"$0\" \"$@\""]).run();

    from_file.expect(Ended::Code(3), expected, "");
    from_pipe.expect(Ended::Code(3), expected, "");
}

#[test]
fn s6_8_focus_works_while_stdout_goes_to_a_file() {
    let app = app(TALK);
    let line = "\"$0\" \"$@\" >log; echo status $?; cat log";
    let dyno = focus(&app).under(&["sh", "-c", line]).spawn_in_terminal();
    dyno.until("app is ready", || fs::read_to_string(app.path("log")).is_ok_and(|log| log.contains("ready\n")));

    dyno.terminal().type_keys(b"hello\n\x04");

    let finished = dyno.finish();
    let shown = shown(&finished.stdout);
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("worker.1")).collect();
    assert_eq!(
        lines,
        [
            "status 3",
            "app.1    | started with pid PID",
            "ready",
            "hello",
            "got <hello>",
            "end of input",
            "app.1    | exited with code 3",
            "system   | app.1 exited first (code 3): stopping the others; press Ctrl-C to kill them",
            "system   | hint: `--can-die app=any` or `--restart` keeps the others up",
            "system   | sending SIGTERM to all processes"
        ]
    );
}

#[test]
fn s6_8_log_files_have_the_lines_of_the_focused_dyno_with_prefix() {
    let app = app(TALK);
    let dyno = up(focus(&app).args(&["--log-dir", "log"]));

    dyno.terminal().type_keys(b"hello\n\x04");

    dyno.finish().expect_end(Ended::Code(3));
    let log = without_times_and_pids(&fs::read(app.path("log").join("app.1.log")).unwrap());
    let lines = ["started with pid PID", "ready", "hello", "got <hello>", "end of input", "exited with code 3"];
    assert_eq!(log, lines.map(|line| format!("app.1    | {line}\n")).concat());
}

#[test]
fn s6_8_an_impossible_focus_is_refused_before_anything_starts() {
    let app = App::new("app: touch started\nworker: touch started\nrelease: touch started\n");
    let both = "error: `--focus app` cannot be used with `--quiet app`\n\n\
                hint: leave out `--quiet app`: `--focus` shows the output of `app.1`\n";
    let refusals = [
        (
            &["--focus", "nope"][..],
            "error: `--focus`: the Procfile has no process type `nope`\n\nhint: it has `app`, `worker`\n",
        ),
        (
            &["--focus", "apq"],
            "error: `--focus`: the Procfile has no process type `apq`\n\nhint: did you mean `app`?\n",
        ),
        (
            &["--focus", "app", "-m", "worker=1"],
            "error: `--focus app`: the formation has no dyno of type `app`\n\nhint: give it a quantity: `app=1`\n",
        ),
        (
            &["--focus", "app=2"],
            "error: `--focus app=2` must name a single dyno\n\n\
             hint: write `--focus app`, which is `app.1`, or `--focus app.2`\n",
        ),
        (&["--focus", "app.2"], "error: `--focus app.2`: there is no such dyno\n\nhint: write `--focus app`\n"),
        (
            &["--focus", "release", "--no-release"],
            "error: `--focus`: the Procfile has no process type `release`\n\nhint: it has `app`, `worker`\n",
        ),
        (&["--focus", "app", "-q", "app"], both),
        (
            &["--focus", "app", "--log-format", "json"],
            "error: `--focus app` shows the raw output of `app.1`, which is not JSON\n\n\
             hint: leave out `--log-format json`\n",
        ),
    ];

    for (args, stderr) in refusals {
        app.dyno(["start"]).args(args).run().expect(Ended::Code(2), "", stderr);
    }
    let from_stdin = app.dyno(["start", "--focus", "app", "-f", "-"]).after("exec <Procfile").run();
    from_stdin.expect(
        Ended::Code(2),
        "",
        "error: `--focus app` gives stdin to `app.1`, but `-f -` reads the Procfile from stdin\n\n\
         hint: name a file with `-f`\n",
    );
    let twice = "error: `--focus` is given twice\n\nhint: did you mean `dyno start --focus app`?\n";
    app.dyno(["start", "--focus", "app", "--focus", "app"]).run().expect(Ended::Code(2), "", twice);
    let without = "error: `--focus` needs a value\n\nhint: write `--focus TYPE[.N]`\n";
    app.dyno(["start", "--focus"]).run().expect(Ended::Code(2), "", without);
    let in_terminal =
        app.dyno(["start", "--focus", "app", "--pty", "never"]).env("NO_COLOR", "1").spawn_in_terminal().finish();
    in_terminal.expect_end(Ended::Code(2));
    assert_eq!(
        shown(&in_terminal.stdout),
        "error: `--focus app` needs a terminal for `app.1`, but `--pty never` forbids it\n\n\
         hint: leave out `--pty never`\n"
    );
    assert!(!app.has("started"));
}
