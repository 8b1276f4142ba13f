//! `dyno attach` and `dyno screen`: the terminal of a dyno in another terminal (S10.5).

use serde_json::Value;

use crate::binary;
use crate::detached::{in_background, stop};
use crate::harness::{App, Call, Ended, Running, error};

pub(crate) const DETACH: &[u8] = b"\x1c\x1c";
pub(crate) const CTRL_C: &[u8] = b"\x03";

/// Asks for names until the end of its input, and reports signals.
pub(crate) const ASKS: &str = "trap 'echo interrupted' INT\ntrap 'echo asked to quit' QUIT\n\
    while printf 'name? '; do\n  read -r name && echo \"hi $name\"\ndone\n";

/// Reports its size whenever that changes.
const SIZES: &str = "trap 'stty size' WINCH\nstty size\nwhile :; do sleep 1000 & wait; done\n";

pub(crate) fn asking() -> App {
    App::new("app: ./app\n").script("app", ASKS)
}

/// Attaches in a terminal and waits until something of the dyno is shown.
pub(crate) fn attach(app: &App, args: &[&str], shown: &str) -> Running {
    let client = app.dyno(["attach", "app"]).args(args).spawn_in_terminal();
    client.until_shown(shown);
    client
}

/// What a terminal of 24 × 80 shows after these bytes.
pub(crate) fn screen(bytes: &[u8]) -> String {
    let mut parser = vt100::Parser::default();
    parser.process(bytes);
    let rows = parser.screen().rows(0, 80).map(|row| row.trim_end().to_owned()).collect::<Vec<_>>();
    rows.join("\n").trim_end().to_owned()
}

/// What `dyno screen` prints.
pub(crate) fn printed(app: &App) -> String {
    app.dyno(["screen", "app"]).run().stdout()
}

#[test]
fn s10_5_the_last_screenful_comes_first_and_keys_reach_the_dyno() {
    let app = asking();
    let start = in_background(&app);
    start.until("the dyno asks", || printed(&app) == "name?\n");
    let client = attach(&app, &[], "name?");

    client.terminal().type_keys(b"bex\x7fn\r");
    client.until_shown("hi ben\r\nname?");
    client.terminal().type_keys(DETACH);

    let finished = client.finish();
    finished.expect_end(Ended::Code(0));
    let expected = "attached to app.1: press Ctrl-\\ Ctrl-\\ to detach\nname? ben\nhi ben\nname?\n\
                    detached from app.1, which is still running";
    assert_eq!(screen(&finished.stdout), expected);
    assert_eq!(printed(&app), "name? ben\nhi ben\nname?\n");
    stop(&app, &start);
}

#[test]
fn s10_5_signal_keys_reach_a_dyno_whose_terminal_controls_no_session() {
    let app = App::new("app: ./app\n").script(
        "app",
        // It starts no program: a shell that is about to do so could miss a signal.
        "trap 'echo interrupted' INT\ntrap 'echo asked to quit' QUIT\ntrap 'echo asked to stop' TSTP\necho ready\n\
         while :; do read -r _; done\n",
    );
    let start = in_background(&app);
    let client = attach(&app, &[], "ready");

    client.terminal().type_keys(CTRL_C);
    client.until_shown("^Cinterrupted");
    client.terminal().type_keys(b"\x1a");
    client.until_shown("^Zasked to stop");
    // Held back until it is clear that no second one follows.
    client.terminal().type_keys(b"\x1c");
    client.until_shown("asked to quit");
    client.terminal().type_keys(DETACH);

    client.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_the_size_follows_the_client_that_types_and_goes_back() {
    let app = App::new("app: ./app\n").script("app", SIZES);
    let start = in_background(&app);
    start.until("the dyno is ready", || printed(&app) == "24 80\n");
    let client = app.dyno(["attach", "app"]).spawn_in_terminal_of(30, 100);
    client.until_shown("30 100");

    let watching = app.dyno(["attach", "app", "--read-only"]).spawn_in_terminal_of(9, 40);
    watching.until_shown("30 100");
    client.terminal().resize(20, 90);
    watching.until_shown("20 90");
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));

    watching.until("the usual size is back", || watching.stdout.text().matches("24 80").count() == 2);
    assert!(!watching.stdout.text().contains("9 40"), "{}", watching.report());
    watching.terminal().type_keys(DETACH);
    watching.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_one_client_types_and_others_watch() {
    let app = asking();
    let start = in_background(&app);
    let first = attach(&app, &[], "name?");

    let refused = app.dyno(["attach", "app"]).spawn_in_terminal().finish();
    refused.expect_end(Ended::Code(69));
    let fact = format!("error: `dyno attach` (pid {}) already types into app.1", first.main());
    let hint = "hint: add `--take` to take the keyboard from it, or `--read-only` to watch";
    assert_eq!(screen(&refused.stdout), format!("{fact}\n\n{hint}"));

    let watching = attach(&app, &["--read-only"], "name?");
    watching.terminal().type_keys(b"lost\r");
    first.terminal().type_keys(b"ann\r");
    watching.until_shown("hi ann");

    let second = attach(&app, &["--take"], "hi ann");
    first.until_shown(&format!("`dyno attach` (pid {}) has taken the keyboard: you can only watch", second.main()));
    first.terminal().type_keys(b"lost\r");
    second.terminal().type_keys(b"bob\r");
    for client in [&first, &second, &watching] {
        client.until_shown("hi bob");
    }
    for client in [first, second, watching] {
        client.terminal().type_keys(DETACH);
        let finished = client.finish();
        finished.expect_end(Ended::Code(0));
        assert!(!finished.stdout().contains("lost"), "{}", finished.stdout());
    }
    stop(&app, &start);
}

#[test]
fn s10_5_other_detach_keys_leave_ctrl_backslash_to_the_dyno() {
    let app = App::new("app: ./app\n").script("app", "stty raw -echo\nprintf ready\nod -An -tx1 -v -w1\n");
    let start = in_background(&app);
    let client = attach(&app, &["--detach-keys", "ctrl-p,ctrl-q"], "ready");

    client.terminal().type_keys(b"\x1c\x1cx\x10y\x03");
    for code in ["1c", "78", "10", "79", "03"] {
        client.until_shown(&format!(" {code}"));
    }
    client.terminal().type_keys(b"\x10\x11");

    let finished = client.finish();
    finished.expect_end(Ended::Code(0));
    assert!(
        finished.stdout().starts_with("attached to app.1: press Ctrl-P Ctrl-Q to detach\r\n"),
        "{}",
        finished.stdout()
    );
    stop(&app, &start);
}

#[test]
fn s10_5_a_dyno_with_the_focus_can_only_be_watched() {
    let app = asking();
    let start = app.dyno(["start", "--focus", "app"]).spawn_in_terminal();
    start.until_shown("name? ");
    let client = attach(&app, &[], "you can only watch");
    let second = attach(&app, &[], "you can only watch");

    client.terminal().type_keys(b"lost\r");
    start.terminal().type_keys(b"ann\r");
    for client in [client, second] {
        client.until_shown("hi ann");
        client.terminal().type_keys(DETACH);
        client.finish().expect_end(Ended::Code(0));
    }

    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    let finished = start.finish();
    assert!(!finished.stdout().contains("lost"), "{}", finished.stdout());
}

#[test]
fn s10_5_lines_begin_at_the_left_unless_the_dyno_says_otherwise() {
    let writes = "printf 'one\\ntwo\\n'\nread -r _ <one\nprintf 'three\\nfour\\r\\n'\nread -r _ <two\nstty onlcr\nprintf 'five\\nsix\\n'\n\
        stty raw\nprintf 'seven\\r\\neight\\nnine'\nexec sleep 1000\n";
    let app = App::new("app: ./app\n").script("app", writes).fifo("one").fifo("two");
    let start = in_background(&app);
    let client = attach(&app, &[], "two");
    app.release("one");
    client.until_shown("four");
    app.release("two");
    client.until_shown("nine");
    client.terminal().type_keys(DETACH);

    let finished = client.finish();

    finished.expect_end(Ended::Code(0));
    let lines = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n     nine\n";
    let expected = format!(
        "attached to app.1: press Ctrl-\\ Ctrl-\\ to detach\n{lines}detached from app.1, which is still running"
    );
    assert_eq!(screen(&finished.stdout), expected);
    stop(&app, &start);
}

#[test]
fn s10_5_a_dyno_cannot_be_attached_to_itself() {
    let app = App::new("app: ./app\n").script("app", "\"$DYNO_BIN\" attach app\necho \"status $?\"\nexec sleep 1000\n");
    let call = app.dyno(["start", "--detach"]).env("DYNO_BIN", binary::dyno());
    let mut start = call.spawn();
    start.returned().expect_end(Ended::Code(0));

    start.until("it has ended", || printed(&app).contains("status"));

    let expected = "error: `dyno attach app.1` was typed in app.1 itself\n\n\
                    hint: type it in a terminal outside of the app\nstatus 2\n";
    assert_eq!(printed(&app), expected);
    stop(&app, &start);
}

#[test]
fn s10_5_screen_prints_what_a_full_screen_program_has_drawn() {
    let draws = "printf 'shell\\033[?1049h\\033[2J\\033[2;3H\\033[31mred\\033[m\\033[4;1Hend'\nexec sleep 1000\n";
    let app = App::new("app: ./app\n").script("app", draws);
    let start = in_background(&app);

    start.until("it is drawn", || printed(&app) == "\n  red\n\nend\n");

    let json = app.dyno(["screen", "app.1", "--json"]).run();
    json.expect_end(Ended::Code(0));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["dyno"], &json["rows"], &json["columns"]), (&"app.1".into(), &24.into(), &80.into()));
    assert_eq!(json["cursor"], serde_json::json!({"row": 3, "column": 3}));
    assert_eq!((&json["alternate_screen"], &json["lines"][1]), (&true.into(), &"  red".into()));
    assert_eq!(json["lines"].as_array().unwrap().len(), 24);
    assert!(json["colored_lines"][1].as_str().unwrap().contains("\u{1b}[31mred"), "{json}");
    let colored = app.dyno(["screen", "app"]).spawn_in_terminal().finish();
    assert!(colored.stdout().contains("\u{1b}[31mred"), "{:?}", colored.stdout());
    stop(&app, &start);
}

#[test]
fn s10_5_what_cannot_be_attached_is_an_error_with_a_hint() {
    let app = App::new("app: exec sleep 1000\ntwo: exec sleep 1000\n");
    let mut start = app.dyno(["start", "--detach", "--pty", "never", "-c", "two=2"]).spawn();
    start.returned().expect_end(Ended::Code(0));
    let fails = |call: Call, status: i32, fact: &str, hint: &str| {
        call.run().expect(Ended::Code(status), "", &error(fact, hint));
    };

    let fact = "app.1 has no terminal: its output is a pipe";
    fails(app.dyno(["screen", "app"]), 69, fact, "start the app with `--pty always`");
    let fact = "`dyno attach` must run in the foreground of a terminal, with stdin and stdout not redirected";
    let hint = "`dyno screen app.1` prints the last screenful; `dyno logs -t app.1` follows the log";
    fails(app.dyno(["attach", "app"]), 2, fact, hint);
    fails(app.dyno(["screen", "two"]), 2, "`two` has several dynos", "name one of them, such as `two.1`");
    let hint = "did you mean `app`?";
    fails(app.dyno(["screen", "ap"]), 2, "the Procfile has no process type `ap`", hint);
    let refused = app.dyno(["attach", "app"]).spawn_in_terminal().finish();
    refused.expect_end(Ended::Code(69));
    let expected = "error: app.1 has no terminal: its output is a pipe\n\nhint: start the app with `--pty always`";
    assert_eq!(screen(&refused.stdout), expected);
    stop(&app, &start);
    fails(
        app.dyno(["screen", "app"]),
        69,
        "no app is running here",
        "`dyno start` starts the app; `--root DIR` names another directory",
    );
}
