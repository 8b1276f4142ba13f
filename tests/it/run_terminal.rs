//! `dyno run` in a real terminal under an interactive shell: an editor, a pager, a REPL, job control (S9.3).

use std::fs;

use crate::harness::{App, until};
use crate::window::Window;

#[test]
fn a_repl_reads_lines_and_survives_ctrl_c() {
    let window = Window::open(App::new("web: true\n").file(".env", "ANSWER=42\n"));

    window.line("dyno run python3 -q");
    window.until(">>>");
    window.line("import os; print('answer', os.environ['ANSWER'])");
    window.until("answer 42");
    window.press(&["C-c"]);
    window.until("KeyboardInterrupt");
    window.line("print(6 * 7 + 1000)");
    window.until("1042");
    window.line("exit(5)");
    window.expect_status("5");
}

#[test]
fn a_pager_uses_the_whole_screen_and_exits_cleanly() {
    let lines: String = (1..=200).map(|n| ["line ", &n.to_string(), " of the book\n"].concat()).collect();
    let window = Window::open(App::new("web: true\n").file("book", lines));

    window.line("dyno run less book");
    window.until("line 1 of the book");
    window.press(&["G"]);
    window.until("line 200 of the book");
    window.press(&["q"]);
    window.expect_status("0");
}

#[test]
fn an_editor_writes_a_file() {
    let window = Window::open(App::new("web: true\n"));

    window.line("dyno run vi -c 'set showmode' note");
    window.until("~");
    window.press(&["i"]);
    window.until("-- INSERT --");
    window.tmux(&["send-keys", "-l", "written by hand"]);
    window.until("written by hand");
    window.press(&["Escape"]);
    // If more keys followed at once, Escape would be read as the beginning of another key.
    until("insert mode has ended", || !window.screen().contains("-- INSERT --"));
    window.line(":wq");
    window.expect_status("0");

    assert_eq!(fs::read_to_string(window.app().path("note")).unwrap(), "written by hand\n");
}

#[test]
fn ctrl_c_ends_the_command_and_ctrl_z_stops_it_until_fg() {
    let window = Window::open(App::new("web: true\n").script("tick", "echo ticking; exec sleep 1000\n"));

    window.line("dyno run ./tick");
    window.until("ticking\n");
    window.press(&["C-z"]);
    window.until("Stopped");
    window.line("fg");
    // `fg` prints the command line of the job.
    until("the job is in the foreground again", || window.screen().matches("dyno run ./tick").count() >= 3);
    window.press(&["C-c"]);
    window.expect_status("130");
}

#[test]
fn run_works_in_a_pipeline_and_ends_like_its_command() {
    let window = Window::open(App::new("web: true\n"));

    window.line("echo from a pipe | dyno run tr a-z A-Z | sed 's/$/!/'");
    window.until("FROM A PIPE!");
    window.line("dyno run 'exit 3'");
    window.expect_status("3");
    window.line("dyno run 'kill -KILL $$'");
    window.until("Killed");
    window.expect_status("137");
}
