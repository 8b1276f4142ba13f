//! `start --focus`: the keyboard is one dyno's, and its output is shown as it is (S6.8).
//!
//! No type is called `web`: whoever holds port 5000 of this machine would be told about.

use std::fs;

use crate::harness::{App, Call, Ended, Running, without_times_and_pids};

/// Keys with a meaning.
const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";

/// Answers each line, and ends with 3.
const TALK: &str = "echo ready\nwhile read -r line; do echo \"got <$line>\"; done\necho end of input\nexit 3\n";

/// Says something each time somebody writes to the fifo `go`.
const WORK: &str = "echo up\nwhile :; do read -r _ <go && echo job done; done\n";

/// `app` runs this script; `worker` speaks when it is told to.
fn app(script: &str) -> App {
    App::new("app: ./app\nworker: ./worker\n").script("app", script).script("worker", WORK).fifo("go").fifo("never")
}

fn focus(app: &App) -> Call {
    app.dyno(["start", "--focus", "app", "--no-timestamps", "--color", "never", "-t", "1"])
}

/// Starts it in a terminal and waits until both dynos are there.
fn up(call: Call) -> Running {
    let dyno = call.spawn_in_terminal();
    dyno.until_shown("ready");
    dyno.until_shown("worker.1 | up");
    dyno
}

/// What was shown, with the lines ended as in a file: they end with `\r\n` also where the terminal adds another `\r`.
fn shown(bytes: &[u8]) -> String {
    without_times_and_pids(bytes).replace("\r\r\n", "\n").replace("\r\n", "\n")
}

/// The same lines without those about the beginning, whose order is left to the system.
fn shown_after_the_start(bytes: &[u8]) -> String {
    let shown = shown(bytes);
    let begin = shown.rfind("ready\n").unwrap().max(shown.rfind("worker.1 | up\n").unwrap());
    shown[begin..].split_once('\n').unwrap().1.to_owned()
}

#[test]
fn s6_8_keys_go_to_it_with_echo_and_line_editing_and_its_lines_have_no_prefix() {
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
         system   | sending SIGTERM to all processes\nworker.1 | terminated by SIGTERM\n"
    );
}

#[test]
fn s6_8_an_unfinished_line_makes_room_for_the_lines_of_others_and_is_shown_again() {
    let app = app("echo ready\nprintf 'name? '\nread -r name\necho \"hi $name\"\n");
    let dyno = up(focus(&app));
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
fn s6_8_ctrl_c_goes_to_it_once_and_to_all_the_second_time() {
    let app = app("trap 'echo heard' INT\necho ready\nwhile :; do read -r line && echo \"got <$line>\"; done\n");
    let dyno = up(focus(&app));
    let heard = |times| dyno.until("it hears Ctrl-C", || dyno.stdout.text().matches("heard\r\n").count() == times);

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
fn s6_8_keys_that_wait_for_one_that_ends_do_not_hold_up_the_end() {
    let app = app("echo ready\nread -r _ <never\nexit 3\n");
    let dyno = up(focus(&app));

    // More than its terminal takes from a program that reads nothing.
    dyno.terminal().type_keys(&b"line of text\n".repeat(5000));
    app.release("never");

    dyno.finish().expect_end(Ended::Code(3));
}

#[test]
fn s6_8_the_second_ctrl_c_is_for_all_though_the_first_made_it_start_again() {
    let app = app("echo ready\nread -r _\n");
    let dyno = up(focus(&app).args(&["--restart"]));

    dyno.terminal().type_keys(CTRL_C);
    dyno.until("it runs again", || dyno.stdout.text().matches("ready\r\n").count() == 2);
    dyno.terminal().type_keys(CTRL_C);

    dyno.finish().expect_end(Ended::Signal(nix::sys::signal::Signal::SIGINT));
}

#[test]
fn s6_8_a_signal_from_elsewhere_stops_all_at_once() {
    let app = app("trap 'echo heard' INT\necho ready\nwhile :; do read -r _ <never; done\n");
    let dyno = up(focus(&app));

    dyno.signal(nix::sys::signal::Signal::SIGINT);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(nix::sys::signal::Signal::SIGINT));
    assert!(!shown(&finished.stdout).contains("heard"), "{}", finished.stdout());
}

#[test]
fn s6_8_its_terminal_controls_it_and_has_the_full_size() {
    let script = "trap 'stty size' WINCH\necho speaking >/dev/tty\nstty size\necho ready\n\
               while :; do read -r line && echo \"got <$line>\"; done\n";
    let app = app(script);
    let dyno = up(focus(&app));
    let seen = shown(&dyno.stdout.bytes());
    let own: Vec<&str> = seen.lines().filter(|line| !line.contains("app.1 ") && !line.contains("worker.1 ")).collect();
    assert_eq!(own, ["speaking", "24 80", "ready"], "{seen}");

    dyno.terminal().resize(30, 100);

    dyno.until_shown("30 100\r\n");
    // A stop by the keyboard has nobody who would continue it: the system spares it.
    dyno.terminal().type_keys(b"\x1astill here\n");
    dyno.until_shown("got <still here>");
}

#[test]
fn s6_8_the_next_run_has_the_keyboard_too() {
    let app = app("echo ready\nread -r line\necho \"got <$line>\"\n");
    let dyno = up(focus(&app).args(&["--restart"]));

    dyno.terminal().type_keys(b"one\n");
    dyno.until("it runs again", || dyno.stdout.text().matches("ready\r\n").count() == 2);
    dyno.terminal().type_keys(b"two\n");

    dyno.until_shown("got <two>");
}

#[test]
fn s6_8_the_release_command_may_ask() {
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
fn s6_8_without_a_terminal_it_reads_our_own_stdin_to_its_end() {
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
fn s6_8_what_is_shown_may_go_to_a_file_while_the_keyboard_is_its() {
    let app = app(TALK);
    let line = "\"$0\" \"$@\" >log; echo status $?; cat log";
    let dyno = focus(&app).under(&["sh", "-c", line]).spawn_in_terminal();
    dyno.until("it is ready", || fs::read_to_string(app.path("log")).is_ok_and(|log| log.contains("ready\n")));

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
            "system   | sending SIGTERM to all processes"
        ]
    );
}

#[test]
fn s6_8_files_get_its_lines_as_any_others() {
    let app = app(TALK);
    let dyno = up(focus(&app).args(&["--log-dir", "log"]));

    dyno.terminal().type_keys(b"hello\n\x04");

    dyno.finish().expect_end(Ended::Code(3));
    let log = without_times_and_pids(&fs::read(app.path("log").join("app.1.log")).unwrap());
    let lines = ["started with pid PID", "ready", "hello", "got <hello>", "end of input", "exited with code 3"];
    assert_eq!(log, lines.map(|line| format!("app.1    | {line}\n")).concat());
}

#[test]
fn s6_8_what_cannot_be_is_told_and_nothing_starts() {
    let app = App::new("app: touch started\nworker: touch started\nrelease: touch started\n");
    let both = "error: `--focus app` and `--quiet app` exclude each other\n\n\
                hint: leave out one of them: `--focus` shows what `app.1` says\n";
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
            "error: `--focus app`: the formation has no dyno of `app`\n\nhint: give it a quantity: `app=1`\n",
        ),
        (
            &["--focus", "app=2"],
            "error: `--focus app=2` does not name one dyno: one keyboard is one dyno's\n\n\
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
            "error: `--focus app` shows what `app.1` says as it is, which is no JSON\n\n\
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
        "error: `--focus app` gives stdin to `app.1`, and `-f -` reads the Procfile from it\n\n\
         hint: name a file with `-f`\n",
    );
    for args in [&["--focus", "app", "--focus", "app"][..], &["--focus"]] {
        let finished = app.dyno(["start"]).args(args).run();
        finished.expect_end(Ended::Code(2));
        assert!(finished.stderr().contains("'--focus <TYPE[.N]>'"), "{}", finished.stderr());
    }
    let in_terminal =
        app.dyno(["start", "--focus", "app", "--pty", "never"]).env("NO_COLOR", "1").spawn_in_terminal().finish();
    in_terminal.expect_end(Ended::Code(2));
    assert_eq!(
        shown(&in_terminal.stdout),
        "error: `--focus app` gives `app.1` a terminal to type into, and `--pty never` forbids one\n\n\
         hint: leave out `--pty never`\n"
    );
    assert!(!app.has("started"));
}
