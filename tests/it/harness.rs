//! Watches a run of the binary and collects everything a user sees: status, stdout, stderr.
//!
//! Every process of a run inherits a marker in its environment. With it the harness finds processes that outlived the
//! run, and kills them if the test fails. The harness does not know what `dyno` should do; the tests assert that.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) use crate::app::{App, Call};
use crate::process_table::{self, Process};
use crate::terminal::Terminal;

/// How long a condition may take. Nothing takes that long even on a loaded machine, so only failing tests do.
const PATIENCE: Duration = Duration::from_secs(180);

/// A base port that hardly any program uses, for tests that compare what a terminal shows: `dyno` warns about a port in use.
pub(crate) const RARE_PORT: &str = "27182";

/// The pause between two checks of a condition.
const POLL: Duration = Duration::from_millis(5);

/// Waits for a condition.
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(happens(condition), "timed out after {PATIENCE:?} waiting until {what}");
}

/// Whether a condition becomes true in time.
pub(crate) fn happens(mut condition: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !condition() {
        if begin.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Says what was not tested here, and why. Unlike `println!`, it is shown even if the test passes.
pub(crate) fn note(text: &str) {
    io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The text of an error from `dyno` itself.
pub(crate) fn error(fact: &str, hint: &str) -> String {
    format!("error: {fact}\n\nhint: {hint}\n")
}

/// What a stream has delivered so far.
#[derive(Clone, Default)]
pub(crate) struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Capture {
    /// Starts reading a stream in the background, until it ends.
    pub(crate) fn of(mut stream: impl Read + Send + 'static) -> Self {
        let capture = Self::default();
        let bytes = Arc::clone(&capture.bytes);
        *capture.reader.lock().unwrap() = Some(thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => bytes.lock().unwrap().extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // A terminal fails the read (EIO) after its last process has ended.
                    Err(_) => break,
                }
            }
        }));
        capture
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Waits for the end of the stream: no process holds its other end any more.
    fn to_end(&self) -> Vec<u8> {
        until("a stream ends", || self.reader.lock().unwrap().as_ref().is_none_or(JoinHandle::is_finished));
        self.bytes()
    }
}

/// A running `dyno`. Dropping the value kills all processes of the run that are left.
pub(crate) struct Running {
    child: Child,
    mark: String,
    pub(crate) stdout: Capture,
    pub(crate) stderr: Capture,
    terminal: Option<Terminal>,
}

impl Running {
    pub(crate) fn new(
        child: Child,
        mark: String,
        stdout: Capture,
        stderr: Capture,
        terminal: Option<Terminal>,
    ) -> Self {
        Self { child, mark, stdout, stderr, terminal }
    }

    /// The process id of `dyno` itself.
    pub(crate) fn main(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The process id of the guardian, the only child of `dyno`.
    pub(crate) fn guardian(&self) -> i32 {
        let mut found = None;
        self.until("there is a guardian", || {
            found = process_table::children(self.main()).first().copied();
            found.is_some()
        });
        found.unwrap()
    }

    /// Every process of this run: `dyno`, its guardian and all their descendants.
    pub(crate) fn processes(&self) -> Vec<Process> {
        process_table::marked(&self.mark)
    }

    /// The processes of the dynos only.
    pub(crate) fn of_dynos(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.dyno.is_some()).collect()
    }

    /// Whether the dynos have processes and the condition holds for all of them.
    pub(crate) fn all_of_dynos(&self, holds: impl Fn(&Process) -> bool) -> bool {
        let processes = self.of_dynos();
        !processes.is_empty() && processes.iter().all(holds)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.main()), signal).unwrap();
    }

    pub(crate) fn terminal(&self) -> &Terminal {
        self.terminal.as_ref().expect("this run has no terminal")
    }

    /// Closes the terminal window.
    pub(crate) fn close_terminal(&mut self) {
        self.terminal.take().expect("this run has no terminal").close();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for a condition. If it does not become true, the failure shows the output and the processes of the run.
    pub(crate) fn until(&self, what: &str, condition: impl FnMut() -> bool) {
        assert!(happens(condition), "timed out after {PATIENCE:?} waiting until {what}\n{}", self.report());
    }

    /// Waits until stdout contains this text.
    pub(crate) fn until_shown(&self, text: &str) {
        self.until(&format!("`{text}` is shown"), || self.stdout.text().contains(text));
    }

    pub(crate) fn report(&self) -> String {
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        let cut = |text: &str| text.chars().skip(text.chars().count().saturating_sub(4000)).collect::<String>();
        format!("stdout:\n{}\nstderr:\n{}\nprocesses: {:#?}", cut(&stdout), cut(&stderr), self.processes())
    }

    /// Waits for `dyno` to end and asserts that no process outlived it. The other processes may take a moment longer
    /// only if `dyno` was killed by SIGKILL, or ended by a signal before the first dyno started.
    pub(crate) fn finish(mut self) -> Finished {
        let ended = self.wait_for_end();
        let has_no_dyno = self.stdout.text().is_empty() && self.of_dynos().is_empty();
        let is_early = matches!(ended, Ended::Signal(_)) && has_no_dyno;
        if ended == Ended::Signal(Signal::SIGKILL) || is_early {
            self.until("no process is left", || self.processes().is_empty());
        }
        assert!(self.processes().is_empty(), "`dyno` ended with {ended:?} and left processes\n{}", self.report());
        self.finished(ended)
    }

    /// Waits until `dyno` has returned and nothing holds its streams any more. What it has left in the background keeps
    /// running until this value is dropped, at the latest.
    pub(crate) fn returned(&mut self) -> Finished {
        let ended = self.wait_for_end();
        self.finished(ended)
    }

    fn finished(&self, ended: Ended) -> Finished {
        Finished { ended, stdout: self.stdout.to_end(), stderr: self.stderr.to_end() }
    }

    fn wait_for_end(&mut self) -> Ended {
        let mut ended = None;
        let in_time = happens(|| {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(in_time, "`dyno` did not end within {PATIENCE:?}\n{}", self.report());
        let status = ended.unwrap();
        match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(Signal::try_from(signal.unwrap()).unwrap()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // After a failed test, processes may be left, even stopped ones. They must not disturb the next test.
        let _ = happens(|| {
            let left = self.processes();
            for process in &left {
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
            left.is_empty()
        });
    }
}

/// How `dyno` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal(Signal),
}

/// A finished run.
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Finished {
    /// Stdout, with times and process ids replaced by `TIME` and `PID`.
    pub(crate) fn stdout(&self) -> String {
        without_times_and_pids(&self.stdout)
    }

    /// Stderr, with process ids replaced by `PID`. Lines about ports of the default range that are in use are left out: they
    /// depend on what else runs on the machine. A line that says what a command waits for is not repeated: how many times it
    /// is shown depends on the speed of the machine.
    pub(crate) fn stderr(&self) -> String {
        let text = without_taken_ports(&without_times_and_pids(&self.stderr));
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.dedup_by(|line, before| line == before && line.starts_with("waiting for "));
        lines.concat()
    }

    /// Asserts everything a user sees.
    #[track_caller]
    pub(crate) fn expect(&self, ended: Ended, stdout: &str, stderr: &str) {
        assert_eq!((self.ended, self.stdout().as_str(), self.stderr().as_str()), (ended, stdout, stderr));
    }

    /// Asserts how `dyno` ended; a failure shows the output.
    #[track_caller]
    pub(crate) fn expect_end(&self, ended: Ended) {
        assert_eq!(self.ended, ended, "stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
    }

    /// The lines of one dyno, without their prefix, including the notices about it.
    pub(crate) fn lines_of(&self, dyno: &str) -> Vec<String> {
        self.lines().remove(dyno).unwrap_or_default()
    }

    /// The lines of all dynos by dyno name, without their prefix.
    pub(crate) fn lines(&self) -> BTreeMap<String, Vec<String>> {
        let mut lines = BTreeMap::<String, Vec<String>>::new();
        for line in self.stdout().lines() {
            if let Some((name, text)) = line.strip_prefix("TIME ").and_then(|line| line.split_once("| ")) {
                lines.entry(name.trim_end().to_owned()).or_default().push(text.to_owned());
            }
        }
        lines
    }
}

/// The log with the lines before the first exit sorted, because dynos start in no fixed order.
pub(crate) fn with_sorted_start(log: &str) -> String {
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let is_exit = |line: &&str| ["| exited with ", "| terminated by "].iter().any(|words| line.contains(words));
    let first_exit = lines.iter().position(is_exit).unwrap_or(lines.len());
    let (start, rest) = lines.split_at(first_exit);
    let mut start = start.to_vec();
    start.sort_unstable();
    [start.concat(), rest.concat()].concat()
}

/// The text with `N` for every word that is a number of six or more digits: the size of an environment differs between
/// machines.
pub(crate) fn without_sizes(text: &str) -> String {
    let is_size = |word: &str| word.len() >= 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = text.split_inclusive([' ', '\n', ';']);
    let shown = words.map(|word| match word.trim_end_matches([' ', '\n', ';']) {
        number if is_size(number) => word.replace(number, "N"),
        _ => word.to_owned(),
    });
    shown.collect()
}

/// Leaves out warnings about ports below 30000, and lines that say which ports are used instead. A test that occupies a
/// port on purpose uses an ephemeral port, which is higher.
fn without_taken_ports(text: &str) -> String {
    let mut lines = text.split_inclusive('\n');
    let mut kept = String::new();
    while let Some(line) = lines.next() {
        if line.starts_with("port 5") && line.contains(" is in use") && line.contains(": using ") {
            continue;
        }
        let port = line.strip_prefix("warning: port ").filter(|rest| rest.contains(" is in use"));
        match port.and_then(|rest| rest.split(' ').next()?.parse().ok()) {
            // The next line is its hint.
            Some(0..30_000_u32) => drop(lines.next()),
            Some(_) | None => kept.push_str(line),
        }
    }
    kept
}

/// The same text with times and process ids replaced by `TIME` and `PID`, without lines that a fast machine does not show:
/// whether `dyno` names the dynos that still run depends on how fast they exit.
pub(crate) fn without_times_and_pids(bytes: &[u8]) -> String {
    let depends_on_speed = |line: &&str| line.contains("| waiting for ") && line.contains(" to exit; SIGKILL in ");
    let text = String::from_utf8_lossy(bytes);
    with_fixed_times_and_pids(text.split_inclusive('\n').filter(|line| !depends_on_speed(line)))
}

/// These lines with times and process ids replaced by `TIME` and `PID`.
pub(crate) fn with_fixed_times_and_pids<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for line in lines {
        let is_time =
            |time: &str| time.bytes().enumerate().all(|(i, b)| if i % 3 == 2 { b == b':' } else { b.is_ascii_digit() });
        let (time, rest) = line.split_at_checked(8).unwrap_or(("", line));
        let line = if time.len() == 8 && is_time(time) { format!("TIME{rest}") } else { line.to_owned() };
        let word = ["pid: ", "pid "].into_iter().find(|word| line.contains(word)).unwrap_or("pid ");
        match line.split_once(word) {
            Some((before, after)) if after.starts_with(|c: char| c.is_ascii_digit()) => {
                out.extend([before, word, "PID", after.trim_start_matches(|c: char| c.is_ascii_digit())]);
            }
            Some(_) | None => out += &line,
        }
    }
    out
}
