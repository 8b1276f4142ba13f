//! Apps that people really run, with the output in a terminal and in a file.
//!
//! The Procfiles are modelled on those of mastodon, chatwoot, the python app of dokku, a Django app with a worker loop
//! and an app that starts two programs with `&`. The servers are stand-ins in python3 and node, which listen, log,
//! fork and exit on SIGTERM like the real ones. The expected output is in `tests/data/transcripts`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::{App, Call, Ended, until, without_times_and_pids};

struct RealApp {
    name: &'static str,
    args: &'static [&'static str],
    /// Lines that are shown when the whole app is up.
    up: &'static [&'static str],
    /// What the log says about the port of `web` on a terminal, and only there.
    address: Option<&'static str>,
}

const APPS: [RealApp; 5] = [
    RealApp {
        name: "mastodon",
        args: &["-f", "Procfile.dev", "-p", "31000"],
        up: &["Use Ctrl-C to stop", "hit Ctrl-C to stop", "Streaming API now listening", "http://localhost:31500/"],
        address: Some("listens on port 31300, but its PORT is 31000"),
    },
    RealApp {
        name: "chatwoot",
        // With a base port, the output is the same in a linked worktree (S5.5).
        args: &["-f", "Procfile.dev", "-p", "32000"],
        up: &["Use Ctrl-C to stop", "hit Ctrl-C to stop", "http://localhost:32500/"],
        address: None,
    },
    RealApp {
        name: "dokku-python",
        args: &["--can-die", "cron,custom,task", "-p", "33000"],
        up: &[
            "Listening on port 33300",
            "sleepy worker",
            "cron.1    | exited",
            "task.1    | exited",
            "custom.1  | exited",
        ],
        address: Some("listening on http://127.0.0.1:33300"),
    },
    RealApp {
        name: "showroom",
        args: &["-p", "34000"],
        up: &["Listening at", "0 of at most 100", "Booting worker with pid: 2", "Booting worker with pid: 3"],
        address: Some("listening on http://127.0.0.1:34000"),
    },
    RealApp {
        name: "uvicorn-and-main",
        args: &["-p", "35000"],
        up: &["Uvicorn running", "bot: logged in"],
        address: Some("listening on http://127.0.0.1:35000"),
    },
];

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

/// `dyno start` in the directory of the app, with the stand-ins first in `PATH`.
fn call(home: &App, app: &RealApp) -> Call {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", data("apps/stand-ins").display());
    let call = home.dyno(["start"]).args(app.args).env("PATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
    call.directory(&data("apps").join(app.name))
}

/// Whether the output shows that the whole app is up.
fn is_up(app: &RealApp, shown: &str) -> bool {
    app.up.iter().all(|text| {
        // Process ids differ each time. Here `2` requires one worker that has booted, and `3` requires two.
        match text.strip_prefix("Booting worker with pid: ") {
            Some(count) => shown.matches("Booting worker with pid: ").count() + 1 >= count.parse().unwrap(),
            None => shown.contains(text),
        }
    })
}

/// Compares the lines with a transcript, but not their order, which depends on the speed of the dynos.
fn assert_like_transcript(name: &str, seen: &str) {
    let path = data("transcripts").join(name);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(seen), sorted(&kept), "{} differs; seen:\n{seen}", path.display());
}

fn in_a_file(app: &RealApp) {
    let home = App::empty();
    let log = home.path("log");
    let dyno = call(&home, app).stdout_to_file(&log).spawn();
    let shown = || fs::read_to_string(&log).unwrap();
    dyno.until(&format!("{} is up", app.name), || is_up(app, &shown()));

    dyno.signal(Signal::SIGTERM);

    dyno.finish().expect(Ended::Signal(Signal::SIGTERM), "", "");
    assert_like_transcript(&format!("{}.file", app.name), &without_times_and_pids(shown().as_bytes()));
}

/// A separate tmux server, without the settings and sessions of the user.
struct Tmux<'a> {
    socket: &'a Path,
}

impl Tmux<'_> {
    fn run(&self, words: &[&str]) -> String {
        let output =
            Command::new("tmux").arg("-S").arg(self.socket).args(["-f", "/dev/null"]).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The screen and its scrollback. Empty while the server is not running.
    fn screen(&self) -> String {
        let capture = ["capture-pane", "-p", "-J", "-S", "-"];
        let output = Command::new("tmux").arg("-S").arg(self.socket).args(capture).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(self.socket).arg("kill-server").output();
    }
}

fn in_a_terminal(app: &RealApp) {
    let home = App::empty();
    let socket = home.top().join("tmux");
    let tmux = Tmux { socket: &socket };
    // Ctrl-C reaches the shell, too, which ignores it and then shows the status of `dyno`.
    let shell = "trap : INT; \"$0\" \"$@\"; echo \"status $?\"; read -r _";
    let screen =
        ["tmux", "-S", socket.to_str().unwrap(), "-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "50"];
    let mut server = call(&home, app).under(&screen).under(&["sh", "-c", shell]).env("LANG", "C.UTF-8").spawn();
    until("the tmux client has started the server", || server.has_ended());
    server.until(&format!("{} is up", app.name), || {
        let shown = tmux.screen();
        is_up(app, &shown) && app.address.is_none_or(|line| shown.contains(line))
    });

    tmux.run(&["send-keys", "C-c"]);
    server.until("the shell is back", || tmux.screen().contains("status "));
    // The terminal echoes `^C` at the start of the next line of output.
    let seen = tmux.screen().replace("^C", "^C\n");
    tmux.run(&["send-keys", "Enter"]);

    assert!(seen.contains("status 130"), "{seen}");
    server.until("no process is left", || server.processes().is_empty());
    assert_like_transcript(&format!("{}.terminal", app.name), &without_times_and_pids(seen.trim_end().as_bytes()));
}

#[test]
fn mastodon_runs_four_programs_on_fixed_ports() {
    in_a_file(&APPS[0]);
    in_a_terminal(&APPS[0]);
}

#[test]
fn chatwoot_runs_with_comments_and_wrappers() {
    in_a_file(&APPS[1]);
    in_a_terminal(&APPS[1]);
}

#[test]
fn the_python_app_of_dokku_runs_one_shot_programs_beside_servers() {
    in_a_file(&APPS[2]);
    in_a_terminal(&APPS[2]);
}

#[test]
fn showroom_runs_a_migration_forked_workers_and_an_endless_loop() {
    in_a_file(&APPS[3]);
    in_a_terminal(&APPS[3]);
}

#[test]
fn two_programs_in_one_command_line_stop_together() {
    in_a_file(&APPS[4]);
    in_a_terminal(&APPS[4]);
}

#[test]
fn s5_3_a_port_held_by_another_run_names_the_listening_program() {
    // The server listens on IPv6 only, on a port that the system chooses, and prints the port.
    let serve = "import socket, time\n\
                 s = socket.socket(socket.AF_INET6)\n\
                 s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n\
                 s.bind(('::1', 0))\n\
                 s.listen()\n\
                 print('port', s.getsockname()[1], flush=True)\n\
                 time.sleep(1000)\n";
    let app = App::new("web: exec /usr/bin/env python3 serve.py\n").file("serve.py", serve);
    let holder = app.dyno(["start", "--pty", "never"]).spawn();
    holder.until_shown("| port ");
    let shown = holder.stdout.text();
    let (_, port) = shown.trim_end().rsplit_once("| port ").unwrap();

    let refused = app.dyno(["start", "-p", port, "--strict-ports"]).run();

    let python = fs::read_to_string(format!("/proc/{}/comm", holder.of_dynos()[0].pid)).unwrap();
    let fact = format!("error: port {port} for `web.1` is in use by `{}` (pid PID)\n", python.trim_end());
    let hint = "hint: stop that process, or choose another port with `-p`; `-p auto` finds a free one\n";
    refused.expect(Ended::Code(69), "", &format!("{fact}\n{hint}"));
    holder.signal(Signal::SIGTERM);
    holder.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}
