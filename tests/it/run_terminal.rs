//! `dyno run` in a real terminal, under the shell of a person: editors, pagers, a REPL, job control (S9.3).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::harness::{App, until};

/// A window with an interactive shell in the root of an app; `dyno` is in its `PATH`.
struct Window {
    app: App,
    socket: PathBuf,
}

impl Window {
    fn open(app: App) -> Self {
        symlink(env!("CARGO_BIN_EXE_dyno"), app.top().join("dyno")).unwrap();
        let window = Self { socket: app.top().join("tmux"), app };
        let path = format!("{}:{}", window.app.top().display(), std::env::var("PATH").unwrap());
        let shell = format!("cd '{}' && exec env PS1='ready> ' sh -i", window.app.path("").display());
        let opened = Command::new("tmux")
            .arg("-S")
            .arg(&window.socket)
            .args(["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", &shell])
            .env("PATH", path)
            .env("HOME", window.app.top())
            .env_remove("TMUX")
            .output()
            .unwrap();
        assert!(opened.status.success(), "{opened:?}");
        window.until("ready>");
        window
    }

    fn tmux(&self, words: &[&str]) -> Output {
        Command::new("tmux").arg("-S").arg(&self.socket).args(words).output().unwrap()
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until the screen shows this.
    fn until(&self, text: &str) {
        until(&format!("the screen shows `{text}`"), || self.screen().contains(text));
    }

    /// Presses keys by their names.
    fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&[&["send-keys"], keys].concat()).status.success());
    }

    /// Types a line.
    fn line(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", text]).status.success());
        self.press(&["Enter"]);
    }

    /// Asks the shell how the last command ended.
    fn expect_status(&self, status: &str) {
        // What is typed before the shell reads again may be thrown away with the terminal's old settings.
        until("the shell is back", || self.screen().trim_end().ends_with("\nready>"));
        self.line("echo \"[status $?]\"");
        self.until(&format!("[status {status}]"));
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

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
fn a_pager_owns_the_screen_and_gives_it_back() {
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
    // More keys at once would make another key of it.
    until("the insertion has ended", || !window.screen().contains("-- INSERT --"));
    window.line(":wq");
    window.expect_status("0");

    assert_eq!(fs::read_to_string(window.app.path("note")).unwrap(), "written by hand\n");
}

#[test]
fn ctrl_c_ends_the_command_and_ctrl_z_stops_it_until_fg() {
    let window = Window::open(App::new("web: true\n").script("tick", "echo ticking; exec sleep 1000\n"));

    window.line("dyno run ./tick");
    window.until("ticking\n");
    window.press(&["C-z"]);
    window.until("Stopped");
    window.line("fg");
    // The shell names the job that it brings back.
    until("the job is in the foreground again", || window.screen().matches("dyno run ./tick").count() >= 3);
    window.press(&["C-c"]);
    window.expect_status("130");
}

#[test]
fn it_stands_in_a_pipeline_and_ends_as_its_command_does() {
    let window = Window::open(App::new("web: true\n"));

    window.line("echo from a pipe | dyno run tr a-z A-Z | sed 's/$/!/'");
    window.until("FROM A PIPE!");
    window.line("dyno run 'exit 3'");
    window.expect_status("3");
    window.line("dyno run 'kill -KILL $$'");
    window.until("Killed");
    window.expect_status("137");
}
