//! `start --focus` with the programs that people use it for: a debugger, a REPL, full-screen programs (S6.8).

use std::fs;

use crate::harness::{App, until};
use crate::window::Window;

/// A process type that prints all the time.
const TICKING: &str = "worker: while :; do echo tick; sleep 0.2; done\n";

fn open(web: &str, files: &[(&str, &str)]) -> Window {
    let app = App::new(&format!("web: {web}\n{TICKING}"));
    Window::open(files.iter().fold(app, |app, (name, text)| app.file(name, text)))
}

/// Waits until `line` is before the cursor, and again after other dynos have printed.
fn until_typed(window: &Window, line: &str) {
    until(&format!("the last line is `{line}`"), || window.screen().trim_end().ends_with(&format!("\n{line}")));
    let ticks = || window.screen().matches("| tick").count();
    let before = ticks();
    until("the worker prints", || {
        ticks() > before || window.screen().lines().filter(|line| line.is_empty()).count() == 0
    });
    until(&format!("`{line}` is shown again"), || window.screen().trim_end().ends_with(&format!("\n{line}")));
}

fn stop(window: &Window) {
    window.press(&["C-c", "C-c"]);
    window.expect_status("130");
}

#[test]
fn s6_8_a_python_breakpoint_has_history_and_line_editing() {
    let app = "import readline\n\ndef serve():\n    answer = 41\n    breakpoint()\n    print('the answer is', answer)\n\nserve()\n";
    let window = open("python3 app.py", &[("app.py", app)]);

    window.line("dyno start --focus web");
    until_typed(&window, "(Pdb)");
    window.line("answer + 1000");
    window.until("\n1041\n");
    window.text("p 'first', answr");
    window.press(&["Left", "e"]);
    until_typed(&window, "(Pdb) p 'first', answer");
    window.press(&["Enter"]);
    window.until("('first', 41)");
    window.press(&["Up", "Up"]);
    until_typed(&window, "(Pdb) answer + 1000");
    window.press(&["C-c"]);
    window.until("--KeyboardInterrupt--");
    window.line("!answer = 42");
    window.line("continue");

    window.until("\nthe answer is 42\n");
    window.expect_status("0");
}

#[test]
fn s6_8_the_node_repl_has_history_and_previews() {
    let window = open("node", &[]);

    window.line("dyno start --focus web");
    until_typed(&window, ">");
    window.line("6 * 7 + 1000");
    window.until("\n1042\n");
    window.press(&["Up"]);
    // Node previews the result below the line.
    until_typed(&window, "> 6 * 7 + 1000\n1042");
    window.press(&["BSpace", "1", "Enter"]);
    window.until("\n1043\n");
    window.text("let x =");
    until_typed(&window, "> let x =");

    // The first Ctrl-C clears the line, the second one stops everything.
    stop(&window);
}

#[test]
fn s6_8_a_pager_has_the_whole_screen() {
    let book: String = (1..=200).map(|n| ["line ", &n.to_string(), " of the book\n"].concat()).collect();
    let app = App::new("web: less book\n").file("book", book);
    let window = Window::open(app);

    window.line("dyno start --focus web");
    // 29 lines and the prompt of the pager fill the 30 rows of the window.
    window.until("line 29 of the book");
    window.press(&["G"]);
    window.until("line 200 of the book");
    window.press(&["q"]);

    window.expect_status("0");
}

#[test]
fn s6_8_a_focused_shell_has_job_control() {
    let window = open("env PS1='inner> ' sh -i", &[]);

    window.line("dyno start --focus web");
    until_typed(&window, "inner>");
    window.line("cat >note");
    window.line("one");
    until("the note is written", || fs::read_to_string(window.app().path("note")).is_ok_and(|text| text == "one\n"));
    window.press(&["C-z"]);
    window.until("Stopped");
    until_typed(&window, "inner>");
    window.line("fg");
    window.line("two");
    until("`cat` goes on", || fs::read_to_string(window.app().path("note")).is_ok_and(|text| text == "one\ntwo\n"));
    window.press(&["C-d"]);
    until_typed(&window, "inner>");
    window.line("exit 4");

    window.expect_status("4");
}

#[test]
fn s6_8_a_background_job_of_bash_gets_the_keyboard_with_fg() {
    let app = App::new("web: ./talk\n").script("talk", "echo up\nwhile read -r line; do echo \"got <$line>\"; done\n");
    let window = Window::open_with(app, "bash --norc --noprofile -i");

    window.line("dyno start --focus web &");
    window.until("\nup\n");
    window.line("echo to the shell | tr a-z A-Z");
    window.until("TO THE SHELL");
    // bash sends no SIGCONT to a job that is already running.
    window.line("fg");
    window.line("to the dyno");
    window.until("got <to the dyno>");
    window.text("abc");
    window.press(&["C-u"]);
    window.line("and again");
    window.until("got <and again>");
    window.press(&["C-d"]);

    window.expect_status("0");
}
