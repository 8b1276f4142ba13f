//! The modes of the user's terminal with `start --focus`: restored after every kind of end, and not touched while
//! `dyno` is in the background (S6.8).

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::Termios;
use nix::unistd::Pid;

use crate::harness::{App, Call, Running};
use crate::process_table::children;

/// Answers each line and ignores Ctrl-C.
const TALK: &str = "trap : INT\necho ready\nwhile :; do read -r line && echo \"got <$line>\"; done\n";

/// Ways in which `dyno` or one of its parts can end.
#[derive(Debug, Clone, Copy)]
enum End {
    DynoExits,
    CtrlCTwice,
    Signal(Signal),
    GuardianKilled,
}

const ENDS: [End; 8] = [
    End::DynoExits,
    End::CtrlCTwice,
    End::Signal(Signal::SIGTERM),
    End::Signal(Signal::SIGHUP),
    End::Signal(Signal::SIGQUIT),
    // A panic aborts.
    End::Signal(Signal::SIGABRT),
    End::Signal(Signal::SIGKILL),
    End::GuardianKilled,
];

/// A shell in a terminal. It runs this line, which starts `dyno`, and ignores the signals that end `dyno`.
fn in_shell(call: Call, line: &str) -> Running {
    call.under(&["sh", "-c", &format!("trap : INT QUIT HUP TERM; {line}")]).spawn_in_terminal()
}

/// `dyno` itself, the child of the shell.
fn main_of(shell: &Running) -> Pid {
    Pid::from_raw(children(shell.main())[0])
}

fn app() -> App {
    App::new("app: ./app\n").script("app", TALK).fifo("never")
}

fn call(app: &App) -> Call {
    app.dyno(["start", "--focus", "app", "--no-timestamps", "-t", "1"])
}

fn modes(shell: &Running) -> Termios {
    shell.terminal().modes()
}

#[test]
fn s6_8_the_terminal_gets_its_modes_back_after_every_kind_of_end() {
    for end in ENDS {
        let script = if matches!(end, End::DynoExits) { "echo ready\nread -r _\n" } else { TALK };
        let app = App::new("app: ./app\n").script("app", script);
        // Before and after the run the shell waits in `read`, so that it does not change the modes itself.
        let shell = in_shell(call(&app), "until read -r line; do :; done; \"$0\" \"$@\"; echo over; read -r _");
        let before = modes(&shell);
        shell.terminal().type_keys(b"\n");
        shell.until_shown("ready");
        shell.until("the dyno has the keyboard", || modes(&shell) != before);
        let main = main_of(&shell);

        match end {
            End::DynoExits => shell.terminal().type_keys(b"\n"),
            End::CtrlCTwice => shell.terminal().type_keys(b"\x03\x03"),
            End::Signal(signal) => kill(main, signal).unwrap(),
            End::GuardianKilled => kill(Pid::from_raw(children(main.as_raw())[0]), Signal::SIGKILL).unwrap(),
        }

        shell.until_shown("over");
        shell.until(&format!("the modes are back after {end:?}"), || modes(&shell) == before);
        shell.until("only the shell is left", || shell.processes().len() == 1);
        shell.terminal().type_keys(b"\n");
    }
}

#[test]
fn s6_8_while_dyno_is_stopped_the_shell_has_the_keyboard() {
    for stop in [Signal::SIGTSTP, Signal::SIGSTOP] {
        let app = app();
        let line =
            "set -m; \"$0\" \"$@\"; stty sane; echo stopped; read -r line; echo \"shell got <$line>\"; fg; echo over";
        let shell = in_shell(call(&app), line);
        shell.until_shown("ready");
        let main = main_of(&shell);

        kill(main, stop).unwrap();
        shell.until_shown("stopped\r\n");
        shell.terminal().type_keys(b"one\n");
        shell.until_shown("shell got <one>\r\n");
        shell.terminal().type_keys(b"two\n");
        shell.until_shown("got <two>\r\n");
        kill(main, Signal::SIGTERM).unwrap();

        shell.until_shown("over");
    }
}

#[test]
fn s6_8_in_the_background_dyno_does_not_touch_the_terminal_until_fg() {
    let app = app();
    let line = "set -m; \"$0\" \"$@\" & read -r line; echo \"shell got <$line>\"; read -r line; fg; echo over";
    let shell = in_shell(call(&app), line);
    let before = modes(&shell);
    shell.until_shown("ready");

    shell.terminal().type_keys(b"one\n");
    shell.until_shown("shell got <one>\r\n");
    assert_eq!(modes(&shell), before);
    shell.terminal().type_keys(b"\n");
    shell.until("the dyno has the keyboard", || modes(&shell) != before);
    shell.terminal().type_keys(b"two\n");
    shell.until_shown("got <two>\r\n");
    kill(main_of(&shell), Signal::SIGTERM).unwrap();

    shell.until_shown("over");
    shell.until("the modes are back", || modes(&shell) == before);
    assert!(!shell.stdout.text().contains("got <one>\r\ngot <one>"), "{}", shell.report());
}

#[test]
fn s6_8_the_interrupt_key_is_the_one_that_the_user_configured() {
    let app =
        App::new("app: ./app\n").script("app", "trap 'echo heard' INT\necho ready\nwhile :; do read -r _; done\n");
    // Ctrl-X interrupts, and Ctrl-C is an ordinary key.
    let shell = in_shell(call(&app), "stty intr '^X'; \"$0\" \"$@\"; echo over; read -r _");
    shell.until_shown("ready");

    shell.terminal().type_keys(b"\x03\x03\x18");
    shell.until_shown("heard");
    shell.terminal().type_keys(b"\x18");

    shell.until_shown("SIGINT received, starting shutdown");
    shell.until_shown("over");
}

#[test]
fn s6_8_closing_the_window_also_ends_a_run_in_the_background() {
    let app = app();
    // The system sends SIGHUP only to the shell, which ignores it, and to the foreground; `dyno` is in the background.
    let mut shell = in_shell(call(&app), "set -m; \"$0\" \"$@\" & while :; do read -r _ <never; done");
    shell.until_shown("ready");

    shell.close_terminal();

    shell.until("only the shell is left", || shell.processes().len() == 1);
}
