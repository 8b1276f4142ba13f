//! The process table of the system: which processes belong to a run of the harness, and what they are doing.

use std::fs;

use crate::harness::Running;

/// The variable that every process of a run inherits.
pub(crate) const MARK: &str = "DYNO_TEST_CASE";

/// Open files, threads and children of `dyno` and its guardian.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) main_files: usize,
    pub(crate) main_threads: usize,
    pub(crate) main_children: usize,
    pub(crate) guardian_files: usize,
    pub(crate) guardian_threads: usize,
    /// Including zombies.
    pub(crate) guardian_children: usize,
}

impl Held {
    pub(crate) fn by(dyno: &Running) -> Self {
        let (main, guardian) = (dyno.main(), dyno.guardian());
        Self {
            main_files: count(main, "fd"),
            main_threads: count(main, "task"),
            main_children: children(main).len(),
            guardian_files: count(guardian, "fd"),
            guardian_threads: count(guardian, "task"),
            guardian_children: children(guardian).len(),
        }
    }

    pub(crate) fn is_within(&self, most: &Self) -> bool {
        self.main_files <= most.main_files
            && self.main_threads <= most.main_threads
            && self.main_children <= most.main_children
            && self.guardian_files <= most.guardian_files
            && self.guardian_threads <= most.guardian_threads
            && self.guardian_children <= most.guardian_children
    }
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// `R`, `S`, `T` (stopped), `Z` (ended, not reaped yet), ...
    pub(crate) state: char,
    pub(crate) command: String,
    /// The dyno it belongs to; none for `dyno` itself and its guardian.
    pub(crate) dyno: Option<String>,
}

/// All processes whose environment has this mark. Zombies are left out: they have no environment any more.
pub(crate) fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARK}={mark}");
    pids().into_iter().filter_map(|pid| of_mark(pid, wanted.as_bytes())).collect()
}

fn of_mark(pid: i32, wanted: &[u8]) -> Option<Process> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = || environment.split(|byte| *byte == 0);
    if !variables().any(|variable| variable == wanted) {
        return None;
    }
    let dyno = variables().find_map(|variable| variable.strip_prefix(b"DYNO="));
    let (state, _) = stat(pid)?;
    let command = command(pid);
    Some(Process { pid, state, command, dyno: dyno.map(|name| String::from_utf8_lossy(name).into_owned()) })
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// State and parent of a process.
pub(crate) fn stat(pid: i32) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself have blanks and parentheses.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The command line of a process, as `ps` shows it.
pub(crate) fn command(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ")
}

/// The children of a process, including zombies.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    pids().into_iter().filter(|child| stat(*child).is_some_and(|(_, parent)| parent == pid)).collect()
}

/// The processor time that a process has used, in hundredths of a second.
pub(crate) fn cpu_ticks(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = text.rsplit_once(") ").unwrap();
    rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// The number of entries in a directory of a process, such as open files (`fd`) or threads (`task`).
pub(crate) fn count(pid: i32, what: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count)
}

/// A field of `/proc/PID/status`, such as `VmHWM` or `SigIgn`.
pub(crate) fn status(pid: i32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

/// A size in `/proc/PID/status`, in KiB: `RssAnon` is data, without the pages of programs and libraries. 0 once the
/// process has ended.
pub(crate) fn memory_kib(pid: i32, field: &str) -> u64 {
    status(pid, field).map_or(0, |size| size.trim_end_matches(" kB").parse().unwrap())
}

/// Whether the main thread of a process waits in poll(2) or a similar call.
pub(crate) fn polls(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|place| place.contains("poll"))
}

/// Whether a process is blocked in a write because its pipe or terminal is full.
pub(crate) fn waits_to_write(pid: i32) -> bool {
    let place = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    place.ends_with("pipe_write") || place.ends_with("n_tty_write") || place.ends_with("wait_woken")
}
