//! A `tmux` window with interactive shells, like the one a user works in.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::binary;
use crate::harness::{App, until};

/// A window with an interactive shell in the root of an app; `dyno` is in its `PATH`.
pub(crate) struct Window {
    app: App,
    socket: PathBuf,
}

impl Window {
    /// Opens a window with `sh`.
    pub(crate) fn open(app: App) -> Self {
        Self::open_with(app, "sh -i")
    }

    /// Opens a window with another shell, which must take its prompt from `PS1`.
    pub(crate) fn open_with(app: App, shell: &str) -> Self {
        symlink(binary::dyno(), app.top().join("dyno")).unwrap();
        let window = Self { socket: app.top().join("tmux"), app };
        let shell = window.in_the_root(shell);
        let opened = Command::new("tmux")
            .arg("-S")
            .arg(&window.socket)
            .args(["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", &shell])
            .env("PATH", window.path())
            .env("HOME", window.app.top())
            // The shell of this user may be `nologin`.
            .env("SHELL", "/bin/sh")
            .env_remove("TMUX")
            .output()
            .unwrap();
        assert!(opened.status.success(), "{opened:?}");
        window.until("ready>");
        window
    }

    /// Opens another pane below, with `sh`. Keys go to it until another one is chosen.
    pub(crate) fn split(&self) {
        let split = ["split-window", &self.in_the_root("sh -i"), ";", "select-layout", "even-vertical"];
        assert!(self.tmux(&split).status.success());
        self.until("ready>");
    }

    /// Goes to another pane: 0 is the first one.
    pub(crate) fn choose(&self, pane: usize) {
        assert!(self.tmux(&["select-pane", "-t", &format!(":.{pane}")]).status.success());
    }

    fn in_the_root(&self, shell: &str) -> String {
        format!("cd '{}' && exec env PS1='ready> ' {shell}", self.app.path("").display())
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn tmux(&self, words: &[&str]) -> Output {
        // A new pane gets the `PATH` of this client.
        Command::new("tmux").arg("-S").arg(&self.socket).args(words).env("PATH", self.path()).output().unwrap()
    }

    fn path(&self) -> String {
        format!("{}:{}", self.app.top().display(), std::env::var("PATH").unwrap())
    }

    /// What the current pane shows.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// What the current pane has shown, with what has scrolled away.
    pub(crate) fn history(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p", "-S", "-"]).stdout).into_owned()
    }

    /// Types text without the Enter key.
    pub(crate) fn text(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", text]).status.success());
    }

    /// Waits until the current pane shows this text.
    pub(crate) fn until(&self, text: &str) {
        until(&format!("the screen shows `{text}`"), || self.screen().contains(text));
    }

    /// Presses keys, given by their `tmux` names.
    pub(crate) fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&[&["send-keys"], keys].concat()).status.success());
    }

    /// Types a line and presses Enter.
    pub(crate) fn line(&self, text: &str) {
        self.text(text);
        self.press(&["Enter"]);
    }

    /// Asserts the status of the last command, which the shell prints.
    pub(crate) fn expect_status(&self, status: &str) {
        // Keys that are typed before the prompt is back may be lost when the shell changes the terminal's settings.
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
