//! CPU time and memory of running dynos, summed over their processes when asked (S10.2).
//!
//! Reads `/proc` below the `dyno` that runs them: all processes of its dynos descend from it, even orphans.

use std::fs;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::guardian::{check_process_table, page_bytes};
use crate::model::{Usage, Usages};

/// The most processes that are looked at, so that a fork bomb does not hold up the command.
const MAX_PROCESSES: usize = 10_000;

/// One process, as far as it matters.
struct ProcessUsage {
    session: i32,
    ticks: u64,
    pages: u64,
}

/// The usage of each dyno. `main`: the process id of the `dyno` that runs them. `leaders`: the process ids of their
/// leaders.
///
/// A process belongs to the dyno that it descends from, else to the dyno whose leader leads its session.
#[must_use]
pub(super) fn usage_of(main: i32, leaders: &[i32]) -> Usages {
    if check_process_table().is_err() {
        return Usages::new();
    }
    let mut usages: Usages = leaders.iter().map(|leader| (*leader, Usage::default())).collect();
    let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100);
    let page = u64::try_from(page_bytes()).unwrap_or(u64::MAX);
    let mut open: Vec<(i32, Option<i32>)> = vec![(main, None)];
    let mut seen = 0;
    while let Some((pid, leader)) = open.pop() {
        seen += 1;
        if seen > MAX_PROCESSES {
            break;
        }
        let process = read(pid);
        let by_session = process.as_ref().map(|process| process.session).filter(|session| usages.contains_key(session));
        let leader = leader.or(Some(pid).filter(|pid| usages.contains_key(pid))).or(by_session);
        if let (Some(usage), Some(process)) = (leader.and_then(|leader| usages.get_mut(&leader)), process) {
            usage.cpu += Duration::from_millis(process.ticks.saturating_mul(1_000) / tick.max(1));
            usage.memory = usage.memory.saturating_add(process.pages.saturating_mul(page));
        }
        open.extend(children(pid).into_iter().map(|child| (child, leader)));
    }
    // Without the lists of children only the process itself is seen, which says nothing about the dynos.
    if seen <= 1 { Usages::new() } else { usages }
}

fn read(pid: i32) -> Option<ProcessUsage> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain any byte.
    let end = memchr::memrchr(b')', &text)?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The state is field 3 of the line and the first one here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let session = fields.get(6 - 3)?.parse().ok()?;
    // Fields 16 and 17 are the CPU time of its children that have ended.
    let ticks = (14..=17).map(number).sum::<Option<u64>>()?;
    Some(ProcessUsage { session, ticks, pages: number(24)? })
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
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    const STOPPED: &str = "echo ready; kill -STOP $$";

    /// Runs this line as the leader of a dyno below another process. Returns its usage once it has printed `ready`, and
    /// that of a leader that does not exist. The line ends in `STOPPED`, because a process has no memory during an exec.
    #[expect(clippy::disallowed_methods, reason = "a process to look at")]
    fn usages_below(line: &str) -> (Usage, Usage) {
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c \"$0\" & echo $!; wait", line]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut main = command.spawn().expect("started");
        let mut lines = BufReader::new(main.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
        let (mut one, mut other) = (lines.next().expect("a line"), lines.next().expect("a line"));
        if one == "ready" {
            std::mem::swap(&mut one, &mut other);
        }
        let leader: i32 = one.parse().expect("a pid");

        let usages = usage_of(i32::try_from(main.id()).expect("a pid"), &[leader, i32::MAX]);

        nix::sys::signal::kill(nix::unistd::Pid::from_raw(leader), nix::sys::signal::Signal::SIGKILL).expect("killed");
        main.wait().expect("ended");
        (usages[&leader], usages[&i32::MAX])
    }

    #[test]
    fn s10_2_usage_is_that_of_the_leader_and_its_descendants() {
        let (usage, missing) = usages_below(STOPPED);

        assert!(usage.memory > 0, "{usage:?}");
        assert_eq!(missing, Usage::default());
        assert_eq!(usage_of(i32::MAX, &[1]), Usages::new());
    }

    #[test]
    fn s10_2_the_cpu_time_of_children_that_have_ended_is_counted() {
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

        let (usage, _) = usages_below(&format!("(sh -c '{busy}'); {STOPPED}"));

        assert!(usage.cpu > Duration::ZERO, "{usage:?}");
    }
}
