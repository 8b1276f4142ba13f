//! Who descends from this process, as `/proc` tells it (Linux).
//!
//! Reads only; signals are sent by `runs` and `sweep`. Another system needs its own form of this file.

use std::fs::{self, File};
use std::io::Read;

use nix::unistd::{Pid, getpid};

/// Bytes of the list of children read at once; a longer list is read on.
const LIST_BYTES: usize = 4096;

/// Calls `f` for each child of this process, zombies included. Allocates nothing where the kernel lists children.
///
/// Call it on the main thread: it is the one that forks, and the one that orphans are given to.
pub(super) fn for_each_own_child(f: impl FnMut(Pid)) {
    for_each_own_child_in_parts(f, || ());
}

/// The same with a pause after each part of the list, in which children may be reaped: a pid of the next part is read
/// after it, so it is still a child's.
pub(super) fn for_each_own_child_in_parts(mut f: impl FnMut(Pid), mut pause: impl FnMut()) {
    if for_each_listed("/proc/thread-self/children", &mut f, &mut pause) {
        return;
    }
    let own = getpid();
    for pid in all_processes() {
        if Stat::read(pid).is_some_and(|stat| stat.parent == own) {
            f(pid);
        }
    }
}

/// All children of a process, whichever of its threads forked them.
pub(super) fn children_of(pid: Pid) -> Vec<Pid> {
    let mut children = Vec::new();
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return children };
    let mut listed = false;
    for thread in threads.flatten() {
        let path = thread.path().join("children");
        listed |=
            path.to_str().is_some_and(|path| for_each_listed(path, &mut |child| children.push(child), &mut || ()));
    }
    if !listed {
        children.extend(all_processes().filter(|child| Stat::read(*child).is_some_and(|stat| stat.parent == pid)));
    }
    children
}

/// False: the kernel has no such list.
fn for_each_listed(path: &str, f: &mut impl FnMut(Pid), pause: &mut impl FnMut()) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    let mut buffer = [0; LIST_BYTES];
    let mut number = 0_i32;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(_) => return false,
        };
        for byte in buffer.iter().take(read) {
            if byte.is_ascii_digit() {
                number = number.saturating_mul(10).saturating_add(i32::from(byte - b'0'));
            } else if number > 0 {
                f(Pid::from_raw(number));
                number = 0;
            }
        }
        // Not within a number: it is a pid that was read before.
        if number == 0 {
            pause();
        }
    }
    if number > 0 {
        f(Pid::from_raw(number));
    }
    true
}

fn all_processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw)
}

/// The leader of a session, the members of it, and all who descend from one of them, whatever session they made since.
#[must_use]
pub fn family_of(leader: i32) -> Vec<i32> {
    let leader = Pid::from_raw(leader);
    let known: Vec<(Pid, Stat)> = all_processes().filter_map(|pid| Some((pid, Stat::read(pid)?))).collect();
    let mut family = vec![leader];
    family.extend(known.iter().filter(|(pid, stat)| stat.session == leader && *pid != leader).map(|(pid, _)| *pid));
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        let children = known.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid);
        let strangers: Vec<Pid> = children.filter(|child| !family.contains(child)).collect();
        family.extend(strangers);
        at += 1;
    }
    family.into_iter().map(Pid::as_raw).collect()
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) zombie: bool,
    pub(super) parent: Pid,
    pub(super) group: Pid,
    pub(super) session: Pid,
}

impl Stat {
    /// None: there is no such process any more.
    pub(super) fn read(pid: Pid) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        // The command name stands in parentheses and may itself hold any byte, `)` included.
        let end = memchr::memrchr(b')', text)?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let zombie = matches!(fields.next()?, "Z" | "X");
        let mut pid = || fields.next()?.parse().ok().map(Pid::from_raw);
        Some(Self { zombie, parent: pid()?, group: pid()?, session: pid()? })
    }
}

/// What the environment of a process says about where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// It holds all that was looked for.
    Present,
    /// It does not; so for a process of another user, and for one that has written over its environment.
    Absent,
    /// It is empty, as it is in the middle of an exec.
    Blank,
}

/// Whether the environment a process was started with holds all of these `KEY=value` texts.
pub(super) fn marks_of(pid: Pid, markers: [&[u8]; 2]) -> Marks {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return Marks::Absent };
    if environment.is_empty() {
        return Marks::Blank;
    }
    let holds = |marker: &&[u8]| environment.split(|byte| *byte == 0).any(|variable| variable == *marker);
    if markers.iter().all(holds) { Marks::Present } else { Marks::Absent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = Stat::parse(b"42 (a) S (b) Z 7 8 9 0 -1 4194560 1");

        let (parent, group, session) = (Pid::from_raw(7), Pid::from_raw(8), Pid::from_raw(9));
        assert_eq!(stat, Some(Stat { zombie: true, parent, group, session }));
    }

    #[test]
    fn this_process_is_known_to_the_system() {
        let stat = Stat::read(getpid()).expect("our own entry");

        assert_eq!((stat.zombie, stat.parent), (false, nix::unistd::getppid()));
    }

    #[test]
    fn a_family_is_the_leader_and_who_descends_from_it() {
        let own = getpid().as_raw();
        let parent = nix::unistd::getppid().as_raw();

        assert_eq!(family_of(own).first(), Some(&own));
        assert!(family_of(parent).contains(&own) && !family_of(own).contains(&parent));
    }
}
