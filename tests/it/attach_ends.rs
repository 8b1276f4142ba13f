//! How a connection to the terminal of a dyno ends, or goes on, and that the terminal of the person is as it was (S10.5).

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::LocalFlags;
use nix::unistd::Pid;

use crate::attach::{ASKS, DETACH, asking, attach, printed, screen};
use crate::detached::{in_background, stop};
use crate::harness::{App, Ended, Running};
use crate::process_table;

/// Sets modes of the terminal that a shell could not work with.
const DRAWS: &str = "stty raw -echo\nprintf '\\033[?1049h\\033[?1000h\\033[?2004h\\033[?25ldrawn'\nexec sleep 1000\n";

fn drawing() -> App {
    App::new("app: ./app\nother: exec sleep 1000\n").script("app", DRAWS)
}

/// What the dyno has switched on is off again: alternate screen, mouse, bracketed paste, hidden cursor.
fn assert_fresh(bytes: &[u8]) {
    let mut parser = vt100::Parser::default();
    parser.process(bytes);
    let screen = parser.screen();
    let modes = (screen.alternate_screen(), screen.bracketed_paste(), screen.hide_cursor());
    assert_eq!(modes, (false, false, false), "{:?}", String::from_utf8_lossy(bytes));
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
}

/// Whether the terminal handles lines, as it does for a shell.
fn is_canonical(client: &Running) -> bool {
    client.terminal().modes().local_flags.contains(LocalFlags::ICANON)
}

/// The processes of `dyno attach` besides its main process.
fn helpers(client: &Running) -> usize {
    process_table::children(client.main()).len()
}

#[test]
fn s10_5_a_client_stays_attached_while_the_dyno_restarts() {
    let app = asking();
    let start = in_background(&app);
    let client = attach(&app, &[], "name?");

    app.dyno(["restart", "app", "-t", "0", "--wait"]).run().expect_end(Ended::Code(0));
    client.until_shown("app.1 has started again");
    client.terminal().type_keys(b"eve\r");
    client.until_shown("hi eve\r\nname?");
    client.terminal().type_keys(DETACH);

    let finished = client.finish();
    finished.expect_end(Ended::Code(0));
    let shown = screen(&finished.stdout);
    let expected = "attached to app.1: press Ctrl-\\ Ctrl-\\ to detach\nname?\napp.1 has ended; waiting for its next run\n\n\
                    app.1 has started again\nname? eve\nhi eve\nname?\ndetached from app.1, which is still running";
    assert_eq!(shown, expected);
    stop(&app, &start);
}

#[test]
fn s10_5_the_client_ends_with_the_dyno_or_with_the_app() {
    for (command, why) in [(&["scale", "app=0"][..], "app.1 was removed"), (&["stop"], "the app has ended")] {
        let app = drawing();
        let start = in_background(&app);
        let client = attach(&app, &[], "drawn");

        app.dyno([]).args(command).run().expect_end(Ended::Code(0));

        let finished = client.finish();
        finished.expect_end(Ended::Code(0));
        assert!(screen(&finished.stdout).contains(why), "{}", screen(&finished.stdout));
        assert_fresh(&finished.stdout);
        if command != ["stop"] {
            stop(&app, &start);
        }
    }
}

#[test]
fn s10_5_detaching_from_a_full_screen_leaves_the_shell_as_it_was() {
    let app = drawing();
    let start = in_background(&app);
    let client = attach(&app, &[], "drawn");
    assert!(!is_canonical(&client));
    client.terminal().type_keys(DETACH);

    let finished = client.finish();

    finished.expect_end(Ended::Code(0));
    assert_fresh(&finished.stdout);
    let expected = "attached to app.1: press Ctrl-\\ Ctrl-\\ to detach\ndetached from app.1, which is still running";
    assert_eq!(screen(&finished.stdout), expected);
    assert_eq!(printed(&app), "drawn\n");
    stop(&app, &start);
}

#[test]
fn s10_5_a_client_that_catches_up_loses_the_modes_that_are_gone() {
    let floods = "printf '\\033[?1049h\\033[?2004h\\033[?1000h\\033[?25ldrawn'\nread -r _ <go\n\
        printf '\\033[?1049l\\033[?2004l\\033[?1000l\\033[?25h'\nline=0123456789\n\
        for _ in 1 2 3 4 5 6; do line=$line$line; done\ni=0\n\
        while [ $i -lt 3000 ]; do i=$((i+1)); echo \"$line\"; done\necho end; sleep 1000\n";
    let app = App::new("app: ./app\n").script("app", floods).fifo("go");
    let start = in_background(&app);
    let client = attach(&app, &[], "drawn");
    client.signal(Signal::SIGSTOP);

    app.release("go");
    start.until("the log has everything", || app.dyno(["logs", "-n", "1"]).run().stdout().contains("| end\n"));
    client.signal(Signal::SIGCONT);

    client.until_shown("end");
    assert_fresh(&client.stdout.bytes());
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_the_modes_are_restored_even_if_the_client_is_killed() {
    let app = drawing().fifo("hold");
    let start = in_background(&app);
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP] {
        let client = app.dyno(["attach", "app"]).under(&["sh", "-c", "\"$@\"; read -r _ <hold", "sh"]);
        let client = client.spawn_in_terminal();
        let before = client.terminal().modes();
        client.until_shown("drawn");
        assert!(!is_canonical(&client));

        kill(Pid::from_raw(process_table::children(client.main())[0]), signal).unwrap();

        client.until("the modes are restored", || client.terminal().modes() == before);
        app.release("hold");
        let finished = client.finish();
        if signal != Signal::SIGKILL {
            assert_fresh(&finished.stdout);
        }
    }
    stop(&app, &start);
}

#[test]
fn s10_5_a_signal_ends_the_client_by_that_signal() {
    let app = drawing();
    let start = in_background(&app);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let client = attach(&app, &[], "drawn");
        client.until("its helper runs", || helpers(&client) == 1);
        client.signal(signal);
        let finished = client.finish();
        finished.expect_end(Ended::Signal(signal));
        assert_fresh(&finished.stdout);
    }
    let mut client = attach(&app, &[], "drawn");
    client.close_terminal();
    client.finish().expect_end(Ended::Signal(Signal::SIGHUP));
    // The keyboard is free again.
    let client = attach(&app, &[], "drawn");
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_if_the_start_is_killed_the_client_says_so() {
    let app = drawing();
    let start = app.dyno(["start", "--pty", "always"]).spawn();
    start.until("it is drawn", || printed(&app) == "drawn\n");
    let client = attach(&app, &[], "drawn");

    start.signal(Signal::SIGKILL);

    let finished = client.finish();
    finished.expect_end(Ended::Code(69));
    let expected = "attached to app.1: press Ctrl-\\ Ctrl-\\ to detach\nerror: `dyno` (pid PID) has ended unexpectedly\n\n\
                    hint: `dyno start` starts it again";
    assert_eq!(screen(finished.stdout().as_bytes()), expected);
    assert_fresh(&finished.stdout);
    start.finish().expect_end(Ended::Signal(Signal::SIGKILL));
}

#[test]
fn s10_5_a_client_that_was_stopped_learns_that_the_app_has_ended() {
    let floods = "echo ready; read -r _ <go; i=0\nwhile [ $i -lt 100000 ]; do i=$((i+1)); echo \"line $i\"; done\n\
        echo end; sleep 1000\n";
    let app = App::new("app: ./app\n").script("app", floods).fifo("go");
    let start = in_background(&app);
    let client = attach(&app, &[], "ready");
    // What it gets fills its connection.
    client.signal(Signal::SIGSTOP);
    app.release("go");
    start.until("the log has everything", || app.dyno(["logs", "-n", "1"]).run().stdout().contains("| end\n"));
    // The start does not wait for it for ever.
    stop(&app, &start);

    client.signal(Signal::SIGCONT);

    let finished = client.finish();
    finished.expect_end(Ended::Code(0));
    assert!(screen(&finished.stdout).ends_with("\nthe app has ended"), "{}", screen(&finished.stdout));
}

#[test]
fn s10_5_a_client_stays_attached_to_a_dyno_that_is_stopped() {
    let app = App::new("app: ./app\nother: exec sleep 1000\n").script("app", ASKS);
    let start = in_background(&app);
    let client = attach(&app, &[], "name?");

    app.dyno(["stop", "app"]).run().expect_end(Ended::Code(0));
    client.until_shown("app.1 has ended; waiting for its next run");
    // What the run has left.
    assert_eq!(printed(&app), "name?\n");
    app.dyno(["restart", "app"]).run().expect_end(Ended::Code(0));
    client.until_shown("app.1 has started again");
    client.terminal().type_keys(b"eve\r");
    client.until_shown("hi eve");
    client.terminal().type_keys(DETACH);

    client.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}
