//! `dyno attach` with the programs that people use it for (S10.5). Needs `tmux`, `python3`, `node`, `irb`, `vi`, `less`, `htop`
//! and `bash`.

use std::fs;

use crate::app::free_port;
use crate::harness::{App, Ended, Running, until};
use crate::window::Window;

/// A window, and an app that runs in the background until the second value is dropped.
fn open(app: App) -> (Window, Running) {
    let mut start = app.dyno(["start", "--detach", "--restart"]).env("TERM", "xterm-256color").spawn();
    start.returned().expect_end(Ended::Code(0));
    let window = Window::open(app);
    // The same as for the start.
    window.line(&format!("export XDG_RUNTIME_DIR='{}'; clear", window.app().top().join("run").display()));
    (window, start)
}

fn stop(window: &Window) {
    until("the shell is back", || window.screen().trim_end().ends_with("ready>"));
    window.line("clear; dyno stop");
    window.expect_status("0");
}

/// Waits until the cursor is after this line.
fn until_typed(window: &Window, line: &str) {
    until(&format!("the last line is `{line}`"), || window.screen().trim_end().ends_with(&format!("\n{line}")));
}

/// Waits until the log says that the dyno waits.
fn until_reported(window: &Window) {
    let line = "app.1 is waiting for input: type `dyno attach app.1`";
    until("the log names the dyno", || window.app().dyno(["logs"]).run().stdout().contains(line));
}

fn detach(window: &Window) {
    window.press(&["C-\\", "C-\\"]);
    window.until("which is still running");
    window.expect_status("0");
    window.line("clear");
}

/// Whether the terminal of the window shows the alternate screen, reports the mouse, and shows the cursor.
fn flags(window: &Window) -> String {
    let flags = window.tmux(&["display", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"]);
    String::from_utf8_lossy(&flags.stdout).trim_end().to_owned()
}

#[test]
fn s10_5_a_python_breakpoint_has_history_and_line_editing() {
    let script = "import readline\n\ndef serve():\n    answer = 41\n    breakpoint()\n    print('the answer is', answer)\n\n\
                  serve()\nimport time\ntime.sleep(1000)\n";
    let (window, _start) = open(App::new("app: python3 app.py\n").file("app.py", script));

    until_reported(&window);
    window.line("dyno attach app");
    until_typed(&window, "(Pdb)");
    window.line("answer + 1000");
    window.until("\n1041\n");
    window.text("p 'first', answr");
    window.press(&["Left", "e", "Enter"]);
    window.until("('first', 41)");
    window.press(&["Up", "Up"]);
    until_typed(&window, "(Pdb) answer + 1000");
    window.press(&["C-c"]);
    window.until("--KeyboardInterrupt--");
    window.line("!answer = 42");
    window.line("continue");
    window.until("\nthe answer is 42\n");

    detach(&window);
    stop(&window);
}

#[test]
fn s10_5_a_ruby_binding_irb_has_history_and_line_editing() {
    let script = "require 'irb'\nanswer = 41\nbinding.irb\nputs \"the answer is #{answer}\"\nsleep 1000\n";
    let (window, _start) = open(App::new("app: ruby app.rb\n").file("app.rb", script));

    // It asks its terminal where the cursor is before it shows its prompt.
    until_reported(&window);
    window.line("dyno attach app");
    until_typed(&window, "irb(main):001:0>");
    window.line("answer + 1000");
    window.until("=> 1041");
    window.line("answer = 42");
    window.until("=> 42");
    window.press(&["Up", "Up"]);
    until("the history is there", || window.screen().trim_end().ends_with("> answer + 1000"));
    window.press(&["C-c"]);
    until_typed(&window, "irb(main):003:0>");
    window.line("exit");
    window.until("\nthe answer is 42\n");

    detach(&window);
    stop(&window);
}

#[test]
fn s10_5_node_inspect_is_reported_and_can_be_used() {
    let app = App::new(&format!("app: node inspect --port={} app.js\n", free_port()));
    let (window, _start) = open(app.file("app.js", "const a = 40;\nconsole.log('sum', a + 2);\n"));

    until_reported(&window);
    window.line("dyno attach app");
    until_typed(&window, "debug>");
    window.line("next");
    window.until("> 2 console.log");
    window.line("exec('a + 1002')");
    window.until("\n1042\n");

    detach(&window);
    stop(&window);
}

#[test]
fn s10_5_servers_with_a_terminal_as_stdin_are_not_reported() {
    let app = App::new("resumed: node resumed.js\nasked: node asked.js\nready: sleep 1000\n")
        .file(
            "resumed.js",
            "process.stdin.resume();\nprocess.stdin.on('data', () => {});\nprocess.stdout.write('listening ...');\n",
        )
        .file("asked.js", "process.stdout.write('name? ');\nprocess.stdin.setRawMode(true).resume();\n");
    let (window, _start) = open(app);
    let log = || window.app().dyno(["logs"]).run().stdout();

    until("both have written, and one is named", || {
        log().contains("listening ...") && log().contains("asked.1 is waiting for input")
    });

    assert_eq!(log().matches("is waiting for input").count(), 1, "{}", log());
    stop(&window);
}

#[test]
fn s10_5_an_editor_has_the_whole_window_and_its_keys() {
    let app = App::new("edit: vi note\n").file("note", "first\n");
    let (window, _start) = open(app);

    window.line("dyno attach edit");
    // The window has 30 rows, the terminal in the background had 24.
    until("the editor fills the window", || window.screen().lines().filter(|line| *line == "~").count() == 28);
    window.text("osecond");
    window.press(&["Escape"]);
    window.tmux(&["resize-window", "-x", "60", "-y", "15"]);
    until("it fits the smaller window", || window.screen().lines().filter(|line| *line == "~").count() == 12);
    window.line(":w");
    until("it is saved", || fs::read_to_string(window.app().path("note")).unwrap() == "first\nsecond\n");
    let screen = window.app().dyno(["screen", "edit"]).run().stdout();
    assert!(screen.starts_with("first\nsecond\n~\n"), "{screen}");

    detach(&window);
    assert_eq!(flags(&window).split(' ').next(), Some("0"));
    // A client that attaches later gets the screen before the editor draws anything.
    window.line("dyno attach edit --read-only");
    window.until("\nsecond\n");
    window.press(&["C-\\", "C-\\"]);
    window.until("which is still running");
    stop(&window);
}

#[test]
fn s10_5_a_pager_and_a_monitor_draw_a_full_screen() {
    let book: String = (1..=200).map(|n| ["line ", &n.to_string(), " of the book\n"].concat()).collect();
    let (window, _start) = open(App::new("page: less book\nwatch: htop\n").file("book", book));

    window.line("dyno attach page");
    window.until("line 29 of the book");
    // More than once: `less` may lose a key that comes shortly after a change of the size, even without `dyno`.
    until("it shows the last page", || {
        window.press(&["G"]);
        window.screen().contains("line 200 of the book")
    });
    detach(&window);
    window.line("dyno attach watch");
    // A change of the size would close its help.
    until("it has the size of the window", || {
        window.screen().lines().nth(29).is_some_and(|row| row.contains("F10Quit"))
    });
    until("it asks for the mouse", || flags(&window).split(' ').nth(1) == Some("1"));
    window.press(&["h"]);
    window.until("show this help screen");
    window.press(&["q"]);
    window.until("F10Quit");

    detach(&window);
    assert_eq!(flags(&window), "0 0 1");
    stop(&window);
}

#[test]
fn s10_5_a_shell_gets_ctrl_c_ctrl_z_and_ctrl_d() {
    let (window, _start) = open(App::new("sh: env PS1='inner> ' bash --norc --noprofile -i\n"));

    window.line("dyno attach sh");
    until_typed(&window, "inner>");
    window.line("sleep 1000");
    window.press(&["C-c"]);
    window.line("cat >note");
    window.line("one");
    until("the note is written", || fs::read_to_string(window.app().path("note")).is_ok_and(|text| text == "one\n"));
    window.press(&["C-d"]);
    window.line("echo status $?");
    window.until("\nstatus 0\n");
    window.text("half a line");
    window.press(&["C-z", "C-u"]);
    window.line("stty size");
    window.until("\n30 100\n");
    window.press(&["C-d"]);
    // The shell has ended, and the next one is there.
    window.until("sh.1 has started again");
    until_typed(&window, "inner>");

    detach(&window);
    stop(&window);
}

#[test]
fn s10_5_a_password_is_not_shown_and_a_paste_is_marked() {
    let password = "import getpass, time\nprint('got', len(getpass.getpass()))\ntime.sleep(1000)\n";
    let pasted = "import os, sys, tty\ntty.setraw(0)\nos.write(1, b'\\x1b[?2004h\\x1b[?1002h\\x1b[?1006hpaste: ')\n\
                  while True:\n    os.write(1, ascii(os.read(0, 100)).encode() + b'\\r\\n')\n";
    let app =
        App::new("ask: python3 ask.py\npaste: python3 paste.py\n").file("ask.py", password).file("paste.py", pasted);
    let (window, _start) = open(app);

    window.line("dyno attach ask");
    window.until("Password:");
    window.line("secret");
    window.until("\ngot 6\n");
    assert!(!window.screen().contains("secret"), "{}", window.screen());
    detach(&window);

    window.line("dyno attach paste");
    window.until("paste:");
    until("the modes are set", || flags(&window) == "0 1 1");
    window.tmux(&["set-buffer", "two words"]);
    window.tmux(&["paste-buffer", "-p"]);
    window.until("b'\\x1b[200~two words\\x1b[201~'");
    window.press(&["C-c"]);
    window.until("b'\\x03'");
    detach(&window);
    assert_eq!(flags(&window).split(' ').nth(1), Some("0"));
    stop(&window);
}
