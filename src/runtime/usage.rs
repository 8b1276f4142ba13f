//! CPU time and memory of running dynos, summed over their processes when asked (S10.2).
//!
//! Reads `/proc` below the `dyno` that runs them: all processes of its dynos descend from it, even orphans.

use std::fs;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// What the processes of one dyno use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since they were started.
    pub cpu: Duration,
    /// Memory in bytes. Shared memory is counted for each process that uses it.
    pub memory: u64,
}

/// The most processes that are looked at, so that a fork bomb does not hold up the command.
const MAX_PROCESSES: usize = 10_000;

/// One process, as far as it matters.
struct Process {
    session: i32,
    ticks: u64,
    pages: u64,
}

/// The usage of each dyno. `leaders`: the process ids of the `dyno` that runs it, and of its leader.
///
/// A process belongs to the dyno that it descends from, else to the dyno whose leader leads its session.
#[must_use]
pub fn usage_of(leaders: &[(i32, i32)]) -> Vec<(i32, Usage)> {
    let mut usages: Vec<(i32, Usage)> = leaders.iter().map(|(_, leader)| (*leader, Usage::default())).collect();
    let mut mains: Vec<i32> = leaders.iter().map(|(main, _)| *main).collect();
    mains.sort_unstable();
    mains.dedup();
    let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100);
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|page| u64::try_from(page).ok()).unwrap_or(4096);
    let mut open: Vec<(i32, Option<i32>)> = mains.into_iter().map(|main| (main, None)).collect();
    let mut seen = 0;
    while let Some((pid, leader)) = open.pop() {
        seen += 1;
        if seen > MAX_PROCESSES {
            break;
        }
        let is_leader = |candidate: i32| leaders.iter().any(|(_, leader)| *leader == candidate);
        let process = read(pid);
        let by_session = process.as_ref().map(|process| process.session).filter(|session| is_leader(*session));
        let leader = leader.or(Some(pid).filter(|pid| is_leader(*pid))).or(by_session);
        let usage = leader.and_then(|leader| usages.iter_mut().find(|(known, _)| *known == leader));
        if let (Some((_, usage)), Some(process)) = (usage, process) {
            usage.cpu += Duration::from_millis(process.ticks.saturating_mul(1_000) / tick.max(1));
            usage.memory = usage.memory.saturating_add(process.pages.saturating_mul(page));
        }
        open.extend(children(pid).into_iter().map(|child| (child, leader)));
    }
    usages
}

fn read(pid: i32) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain any byte.
    let end = memchr::memrchr(b')', &text)?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The state is field 3 of the line and the first one here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let session = fields.get(6 - 3)?.parse().ok()?;
    Some(Process { session, ticks: number(14)?.saturating_add(number(15)?), pages: number(24)? })
}

/// The children of a process, whichever of its threads forked them.
fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_2_usage_is_that_of_the_process_and_its_descendants() {
        let own = i32::try_from(std::process::id()).expect("a pid");

        let usages = usage_of(&[(own, own)]);

        assert!(matches!(usages.as_slice(), [(pid, usage)] if *pid == own && usage.memory > 0), "{usages:?}");
        assert_eq!(usage_of(&[(i32::MAX, i32::MAX)]), [(i32::MAX, Usage::default())]);
    }
}
