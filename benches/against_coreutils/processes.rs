//! Reads facts about a process from `/proc`.

use std::fs;
use std::path::PathBuf;

use crate::app::{pause, until};

fn read(pid: i32, name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/{name}")).ok()
}

/// Whether there is such a process, zombies included.
pub(crate) fn exists(pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap()
}

pub(crate) fn children(pid: i32) -> Vec<i32> {
    let list = read(pid, &format!("task/{pid}/children")).expect("the kernel lists children");
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// The numbers and names of all threads of a process.
pub(crate) fn threads(pid: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).expect("the process exists");
    let name = |path: PathBuf| fs::read_to_string(path.join("comm")).unwrap_or_default().trim_end().to_owned();
    let thread = |path: PathBuf| (path.file_name()?.to_str()?.parse().ok()).map(|number| (number, name(path)));
    entries.filter_map(|entry| thread(entry.unwrap().path())).collect()
}

/// A field in KiB of `/proc/PID/status` (`VmRSS`, `VmHWM`) or `/proc/PID/smaps_rollup` (`Pss`).
pub(crate) fn kib(pid: i32, file: &str, field: &str) -> u64 {
    let text = read(pid, file).expect("the process exists");
    number(&text, field).unwrap_or_else(|| panic!("no `{field}` in `{file}`"))
}

fn number(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

/// Context switches of all threads of a process: every wake-up adds at least one.
pub(crate) fn switches(pid: i32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = |path: PathBuf| fs::read_to_string(path.join("status")).unwrap_or_default();
    let of_thread = |text: String| {
        number(&text, "voluntary_ctxt_switches").unwrap_or(0) + number(&text, "nonvoluntary_ctxt_switches").unwrap_or(0)
    };
    threads.map(|thread| of_thread(status(thread.unwrap().path()))).sum()
}

/// The fields of `/proc/PID/stat` after the name (which may contain blanks), beginning with the state.
fn stat(pid: i32) -> Vec<String> {
    let text = read(pid, "stat").unwrap_or_default();
    text.rsplit_once(") ").map_or_else(Vec::new, |(_, rest)| rest.split(' ').map(str::to_owned).collect())
}

pub(crate) fn parent(pid: i32) -> i32 {
    stat(pid).get(1).and_then(|parent| parent.parse().ok()).expect("the process exists")
}

/// User and system time in ticks of 10 ms.
pub(crate) fn ticks(pid: i32) -> u64 {
    stat(pid).iter().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Whether it is in an interruptible sleep, for example because a pipe is full.
pub(crate) fn is_sleeping(pid: i32) -> bool {
    stat(pid).first().is_some_and(|state| state == "S")
}

/// What both processes of `dyno` cost once they are at rest.
pub(crate) struct AtRest {
    /// How often they have woken up.
    pub(crate) wake_ups: f64,
    /// Their resident memory (RSS), in megabytes.
    pub(crate) resident: f64,
    /// Their PSS, in megabytes: a shared page is divided among the processes that share it.
    pub(crate) fair: f64,
}

/// They are at rest when neither has woken up for this long, in milliseconds.
const SETTLED_MS: u16 = 500;

impl AtRest {
    /// Waits until these processes are at rest, then counts for this many milliseconds.
    pub(crate) fn of(both: [i32; 2], interval_ms: u16) -> Self {
        let woken = || both.iter().map(|pid| switches(*pid)).sum::<u64>();
        let mut before = woken();
        until("it has settled", || {
            pause(SETTLED_MS);
            before == std::mem::replace(&mut before, woken())
        });
        let before = woken();
        pause(interval_ms);
        let wake_ups = small(woken() - before);
        let sum = |field: &str| small(both.iter().map(|pid| kib(*pid, "smaps_rollup", field)).sum()) * 1024.0 / 1e6;
        Self { wake_ups, resident: sum("Rss"), fair: sum("Pss") }
    }
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn small(number: u64) -> f64 {
    number as f64
}
