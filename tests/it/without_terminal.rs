//! Starts that a shell has put in the background with `nohup` or `setsid`, after its window was closed (S12.5).

use std::fs;

use crate::detached::{all_gone, stop};
use crate::harness::{App, Running};
use crate::running::{names, up};

/// Starts the app in the background of a shell and closes the window once the app is up.
fn after_its_window_is_closed(app: &App, command: &str) -> Running {
    let line = format!("{command} & wait");
    let shell = app.dyno(["start"]).under(&["sh", "-c", &line]).spawn_in_terminal();
    let mut shell = up(app, shell);
    shell.close_terminal();
    shell.until("the shell has ended", || !shell.processes().iter().any(|process| process.pid == shell.main()));
    shell
}

#[test]
fn s12_5_a_start_in_the_background_outlives_its_window() {
    for (command, log) in [("nohup \"$0\" \"$@\"", "nohup.out"), ("setsid \"$0\" \"$@\" >log 2>&1", "log")] {
        let app = App::new("web: while :; do read -r line <go && echo got $line; done\n").fifo("go");
        let shell = after_its_window_is_closed(&app, command);

        app.release("go");
        shell.until("the dyno has answered", || fs::read_to_string(app.path(log)).unwrap().contains("| got go\n"));

        assert_eq!(names(&app), ["web.1"]);
        stop(&app, &shell);
    }
}

#[test]
fn a_start_that_writes_to_a_closed_window_stops_everything() {
    let app = App::new("web: while sleep 0.1; do echo tick; done\n");
    let shell = after_its_window_is_closed(&app, "setsid \"$0\" \"$@\"");

    all_gone(&app, &shell);
}
