//! Creates an app in a temporary directory, and runs `dyno start` or a `sh` script there under the same conditions.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts the programs that it measures")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use crate::processes;
use crate::roles;

/// How long to wait for anything before the benchmark fails, in milliseconds.
const PATIENCE_MS: u16 = 30_000;

/// Pause between two checks of a condition that has to be polled, in milliseconds.
const POLL_MS: u16 = 5;

/// The `dyno` that cargo has built.
pub(crate) const BUILT: &str = env!("CARGO_BIN_EXE_dyno");

/// A directory with a Procfile. Removed on drop.
pub(crate) struct App {
    /// The path of the `dyno` that is measured.
    pub(crate) dyno: String,
    directory: PathBuf,
    /// The fifo that [`roles::report_and_wait`] writes to. Also open for writing, so that reads never hit end of file.
    reports: File,
}

/// What a process reports when it starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartReport {
    /// Nanoseconds since 1970.
    pub(crate) at: u128,
    pub(crate) pid: i32,
}

impl App {
    /// An app with one process type, `web`.
    pub(crate) fn new(command_line: &str) -> Self {
        Self::with(&[("web", command_line)])
    }

    /// An app with these process types and command lines.
    pub(crate) fn with(types: &[(&str, &str)]) -> Self {
        let directory = std::env::temp_dir().join(format!("dyno-bench-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let fifo = directory.join("reports");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let reports = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let entry = |(process_type, line): &(&str, &str)| format!("{process_type}: {line}\n");
        fs::write(directory.join("Procfile"), types.iter().map(entry).collect::<String>()).unwrap();
        Self { dyno: BUILT.to_owned(), directory, reports }
    }

    /// An app whose dynos report their exec and then do nothing.
    pub(crate) fn idle() -> Self {
        Self::new(&roles::report_and_wait("reports"))
    }

    /// The path of a file in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts this many dynos of `web`.
    pub(crate) fn start(&self, dynos: usize, stdout: Stdio) -> Running {
        self.start_formation(&format!("web={dynos}"), stdout)
    }

    /// Starts the dynos of a formation such as `web=1,worker=2`.
    pub(crate) fn start_formation(&self, formation: &str, stdout: Stdio) -> Running {
        self.start_with(&["-m", formation, "--can-die", "web"], stdout)
    }

    /// Starts the app with these options.
    pub(crate) fn start_with(&self, options: &[&str], stdout: Stdio) -> Running {
        let mut command = Command::new(&self.dyno);
        // `dyno` says on stderr which ports it has chosen.
        command.arg("start").args(options).stderr(Stdio::null());
        self.run(command, stdout)
    }

    /// Runs a command in the app's directory to its end, and returns how long it took in milliseconds, or nothing if
    /// the command failed.
    pub(crate) fn time(&self, program: &str, args: &[&str]) -> Option<f64> {
        let mut command = Command::new(program);
        command.args(args).stderr(Stdio::null());
        let begin = Instant::now();
        let status = self.run(command, Stdio::null()).0.wait().unwrap();
        status.success().then(|| begin.elapsed().as_secs_f64() * 1e3)
    }

    /// Starts a client that follows the log of what runs.
    pub(crate) fn follow(&self) -> Running {
        let mut command = Command::new(&self.dyno);
        // On stderr, `logs` says at the end that the app has ended.
        command.args(["logs", "-t"]).stderr(Stdio::null());
        self.run(command, Stdio::piped())
    }

    /// Runs a script with the shell that `dyno` uses for command lines.
    pub(crate) fn shell(&self, script: &str, stdout: Stdio) -> Running {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        self.run(command, stdout)
    }

    fn run(&self, mut command: Command, stdout: Stdio) -> Running {
        command.current_dir(&self.directory).env_clear().env("HOME", &self.directory);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        Running(command.stdin(Stdio::null()).stdout(stdout).spawn().unwrap())
    }

    /// Waits until a process has reported.
    pub(crate) fn wait_for_report(&self) -> StartReport {
        self.wait_for_reports(1).pop().expect("a report was waited for")
    }

    /// Waits until this many processes have reported.
    pub(crate) fn wait_for_reports(&self, count: usize) -> Vec<StartReport> {
        let mut text = Vec::new();
        let mut part = [0; 4096];
        while memchr::memchr_iter(b'\n', &text).count() < count {
            let mut ready = [PollFd::new(self.reports.as_fd(), PollFlags::POLLIN)];
            assert!(poll(&mut ready, PATIENCE_MS).unwrap() > 0, "timed out waiting for {count} processes to start");
            let read = (&self.reports).read(&mut part).unwrap();
            text.write_all(part.get(..read).unwrap()).unwrap();
        }
        let report = |line: &str| {
            let (at, pid) = line.split_once(' ').unwrap();
            StartReport { at: at.parse().unwrap(), pid: pid.parse().unwrap() }
        };
        String::from_utf8(text).unwrap().lines().map(report).collect()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A running process. Killed on drop; if it is `dyno`, all its dynos end with it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    /// The pids of both processes of `dyno`: itself, and the guardian, its only child.
    pub(crate) fn both(&self) -> [i32; 2] {
        [self.pid(), *processes::children(self.pid()).first().expect("`dyno` has its guardian")]
    }

    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("stdout is a pipe")
    }

    pub(crate) fn terminate(&self) {
        terminate(self.pid());
    }

    /// Waits until it has exited.
    pub(crate) fn wait(&mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Whether there is such a program on the `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Sends SIGTERM.
pub(crate) fn terminate(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
}

/// Waits for a condition that has to be polled.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..PATIENCE_MS / POLL_MS {
        if condition() {
            return;
        }
        pause(POLL_MS);
    }
    panic!("timed out waiting until {what}");
}

/// Sleeps.
pub(crate) fn pause(milliseconds: u16) {
    poll(&mut [], PollTimeout::from(milliseconds)).unwrap();
}
