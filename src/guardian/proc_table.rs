//! Reads the descendants of this process from `/proc`, and evidence about which run each belongs to (Linux).
//!
//! Only reads; `runs` and `sweep` send the signals. Another system needs its own version of this file.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, getpgid, getpid, getsid};

use super::finder::{Evidence, Marks};
use super::proc_mount::check_process_table;
use super::sys::{self, Child};
use super::table::{Identity, Process, Table};

/// Bytes of the list of children per read. A longer list is read in parts.
const LIST_BYTES: usize = 4096;

/// Upper limit of pids on Linux: `PID_MAX_LIMIT`.
const HIGHEST_PID: i32 = 1 << 22;

/// All processes below this one.
///
/// The children of a process are read before its state. If it ends in between and its children become ours, it shows up
/// as vanished or as a zombie, so the scan is known to be incomplete.
pub(super) fn read_descendants() -> Table {
    let mut table = Table { processes: Vec::new(), is_complete: true };
    let mut open = Vec::new();
    for_each_own_child(|child| open.push(child));
    while let Some(pid) = open.pop() {
        let (children, are_all) = children_of(pid);
        if let Some(process) = read_process(pid) {
            table.processes.push(process);
            table.is_complete &= are_all;
            open.extend(children);
        } else {
            table.is_complete = false;
        }
    }
    table
}

/// None: there is no such process.
pub(super) fn read_process(pid: Pid) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat"));
    text.ok().and_then(|text| parse(pid, &text)).or_else(|| hidden_process(pid))
}

/// Whether this process has not ended.
pub(super) fn is_running((pid, start): Identity) -> bool {
    // The start of a process whose entry in `/proc` cannot be read is 0.
    let is_same = |process: &Process| process.start == start || process.start == 0 || start == 0;
    read_process(pid).is_some_and(|process| is_same(&process) && !process.zombie)
}

/// A process that `/proc` hides: `hidepid` hides the processes of other users.
fn hidden_process(pid: Pid) -> Option<Process> {
    if kill(pid, None) == Err(Errno::ESRCH) {
        return None;
    }
    let (group, session) = (getpgid(Some(pid)).ok()?, getsid(Some(pid)).ok()?);
    // The parent is unknown: with 0, `signal_process` checks the process first.
    Some(Process { pid, start: 0, parent: Pid::from_raw(0), group, session, zombie: false })
}

fn parse(pid: Pid, text: &[u8]) -> Option<Process> {
    // The command name is in parentheses and may contain any byte, even `)`.
    let end = memchr::memrchr(b')', text)?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let has_main_thread = !matches!(fields.next()?, "Z" | "X");
    let mut number = || fields.next()?.parse().ok().map(Pid::from_raw);
    let (parent, group, session) = (number()?, number()?, number()?);
    // Field 20 is the number of threads, 22 the start. A process lives as long as one of its threads: a server whose
    // main thread has ended has the state of a zombie.
    let threads: u32 = fields.nth(13)?.parse().ok()?;
    let zombie = !has_main_thread && threads <= 1;
    let start = fields.nth(1)?.parse().ok()?;
    Some(Process { pid, start, parent, group, session, zombie })
}

/// Calls `f` for each child of this process, including zombies.
///
/// Call it on the main thread, which does the forking and adopts orphans.
pub(super) fn for_each_own_child(f: impl FnMut(Pid)) {
    for_each_own_child_in_parts(f, || ());
}

/// The same, but calls `pause` after each part of the list. `pause` may reap children: the pids of the next part are
/// read only after it, so they still belong to children.
pub(super) fn for_each_own_child_in_parts(mut f: impl FnMut(Pid), mut pause: impl FnMut()) {
    if check_process_table().is_err() {
        for_each_own_child_by_asking(f);
    } else if !for_each_listed("/proc/thread-self/children", &mut f, &mut pause) {
        processes_with_parent(getpid()).for_each(f);
    }
}

/// The same without `/proc`: asks the kernel about every possible pid.
fn for_each_own_child_by_asking(mut f: impl FnMut(Pid)) {
    let newest = sys::newest_pid().map_or(HIGHEST_PID, Pid::as_raw);
    let mut found = false;
    let mut ask = |numbers: std::ops::Range<i32>| {
        for pid in numbers.map(Pid::from_raw).filter(|pid| sys::has_child(Child::WithPid(*pid))) {
            found = true;
            f(pid);
        }
        found
    };
    // Pids are assigned in ascending order. Only after they have wrapped around can an older process have a higher one.
    // The search then takes most of a second.
    if !ask(1..newest) && sys::has_child(Child::Any) {
        ask(newest..HIGHEST_PID);
    }
}

/// The children of a process, whichever of its threads forked them, and whether these are all of them. A thread that
/// ends during the search leaves its children to a thread that may have been searched already.
fn children_of(pid: Pid) -> (Vec<Pid>, bool) {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        // `hidepid` hides a process of another user, but not what its children say of it. Some of these may be hidden.
        let is_hidden = kill(pid, None) != Err(Errno::ESRCH);
        return (if is_hidden { processes_with_parent(pid).collect() } else { Vec::new() }, false);
    };
    let mut children = Vec::new();
    let (mut has_lists, mut missed_one) = (false, false);
    for thread in threads.flatten() {
        let path = thread.path().join("children");
        let is_listed =
            path.to_str().is_some_and(|path| for_each_listed(path, &mut |child| children.push(child), &mut || ()));
        has_lists |= is_listed;
        missed_one |= !is_listed;
    }
    if !has_lists {
        children.extend(processes_with_parent(pid));
    }
    (children, !(has_lists && missed_one))
}

/// The children of a process. None if the process has ended meanwhile: its pid, and what is below it, may belong to
/// strangers. `start`: that of the process. 0: it is a child of ours, so its pid cannot be reused.
pub(super) fn read_children((pid, start): Identity) -> Vec<Process> {
    let (children, _) = children_of(pid);
    let children = children.into_iter().filter_map(read_process).filter(|child| child.parent == pid).collect();
    let is_same = start == 0 || read_process(pid).is_some_and(|process| process.start == start);
    if is_same { children } else { Vec::new() }
}

fn processes_with_parent(parent: Pid) -> impl Iterator<Item = Pid> {
    all_processes().filter(move |pid| read_process(*pid).is_some_and(|process| process.parent == parent))
}

/// Calls `f` for each pid in the list. False: the kernel has no such list.
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
        // Not in the middle of a number: that pid could be reaped and reused during the pause.
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

/// The parent of a process. None: there is no such process, or no parent in this pid namespace.
#[must_use]
pub fn parent_of(pid: i32) -> Option<i32> {
    read_process(Pid::from_raw(pid)).map(|process| process.parent.as_raw()).filter(|parent| *parent > 0)
}

/// The leader of a session, its members, and all their descendants, even those that have created new sessions. Empty if the
/// process table is that of other processes: there these numbers mean strangers.
#[must_use]
pub fn family_of(leader: i32) -> Vec<i32> {
    let Ok(()) = check_process_table() else { return Vec::new() };
    let leader = Pid::from_raw(leader);
    let known: Vec<Process> = all_processes().filter_map(read_process).collect();
    let mut family = vec![leader];
    family.extend(known.iter().filter(|it| it.session == leader && it.pid != leader).map(|it| it.pid));
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        let children = known.iter().filter(|process| process.parent == parent).map(|process| process.pid);
        let newcomers: Vec<Pid> = children.filter(|child| !family.contains(child)).collect();
        family.extend(newcomers);
        at += 1;
    }
    family.into_iter().map(Pid::as_raw).collect()
}

/// The name of a process, as in `ps`. Programs can set it to anything, so control characters are replaced by `?`. None: it
/// is gone, or the process table is that of other processes.
pub(super) fn name_of(pid: Pid) -> Option<String> {
    check_process_table().ok()?;
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    // Only the newline that the system adds: the name itself may contain newlines.
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    Some(String::from_utf8_lossy(name).replace(char::is_control, "?"))
}

/// The command line of a process: its words, each ended by NUL.
pub(super) fn words_of(pid: Pid) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

/// The name of a pipe, socket or terminal in `/proc/PID/fd`, the same in every process that has it open. None: another
/// kind of file, which unrelated programs may have open as well, such as `/dev/null`.
pub(super) fn stream_name(stream: BorrowedFd<'_>) -> Option<String> {
    let name = name_of_open_file(&format!("/proc/self/fd/{}", stream.as_raw_fd()))?;
    ["pipe:[", "socket:[", "/dev/pts/"].iter().any(|kind| name.starts_with(kind)).then_some(name)
}

/// `pipe:[71]`, `/dev/pts/3`, `socket:[72]`. The link is only read: following it could hang on a dead file system.
pub(super) fn name_of_open_file(path: &str) -> Option<String> {
    fs::read_link(path).ok()?.into_os_string().into_string().ok()
}

/// Reads the evidence about orphans from `/proc`.
pub(super) struct ProcEvidence<'a> {
    /// `DYNO_SESSION=…` of this start of `dyno`.
    pub(super) session: &'a [u8],
}

impl Evidence for ProcEvidence<'_> {
    fn marks(&mut self, pid: Pid) -> Marks {
        marks_of(pid, self.session)
    }

    fn open_files(&mut self, pid: Pid) -> Vec<String> {
        open_files(pid)
    }

    fn ports(&mut self, pid: Pid) -> Vec<u16> {
        listening_ports(pid, &listeners())
    }
}

/// The marks in the environment of a process.
pub(super) fn marks_of(pid: Pid, session: &[u8]) -> Marks {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return Marks::Absent };
    if environment.is_empty() {
        // The system sets up the arguments just before the environment.
        return if words_of(pid).is_some_and(|words| words.is_empty()) { Marks::Executing } else { Marks::Blank };
    }
    let mut variables = environment.split(|byte| *byte == 0);
    let dyno = variables.clone().find_map(|variable| variable.strip_prefix(b"DYNO="));
    match dyno {
        Some(dyno) if variables.any(|variable| variable == session) => {
            Marks::Dyno(String::from_utf8_lossy(dyno).into_owned())
        }
        Some(_) | None => Marks::Absent,
    }
}

pub(super) fn open_files(pid: Pid) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| name_of_open_file(entry.path().to_str()?)).collect()
}

/// All listening TCP sockets: name and port.
pub(super) fn listeners() -> Vec<(String, u16)> {
    let tables =
        ["/proc/self/net/tcp", "/proc/self/net/tcp6"].into_iter().filter_map(|path| fs::read_to_string(path).ok());
    tables.flat_map(|table| table.lines().filter_map(parse_listener).collect::<Vec<_>>()).collect()
}

/// `  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 …`
fn parse_listener(line: &str) -> Option<(String, u16)> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.split_once(':')?;
    let is_listening = fields.nth(1)? == LISTEN;
    let inode = fields.nth(5)?;
    is_listening.then_some(())?;
    Some((format!("socket:[{inode}]"), u16::from_str_radix(port, 16).ok()?))
}

/// The TCP ports that a process listens on.
pub(super) fn listening_ports(pid: Pid, listeners: &[(String, u16)]) -> Vec<u16> {
    let files = open_files(pid);
    listeners.iter().filter(|(socket, _)| files.contains(socket)).map(|(_, port)| *port).collect()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_command_name_may_contain_blanks_and_parentheses() {
        let pid = Pid::from_raw(42);
        let fields = "7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 0 0 71 9000 5";

        let process = parse(pid, format!("42 (a) S (b) Z {fields}").as_bytes());

        let (parent, group, session) = (Pid::from_raw(7), Pid::from_raw(8), Pid::from_raw(9));
        assert_eq!(process, Some(Process { pid, start: 71, parent, group, session, zombie: true }));
    }

    #[test]
    fn a_process_whose_main_thread_has_ended_is_not_a_zombie() {
        let with_threads = |threads: u32| {
            let text = format!("42 (server) Z 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 71 9000 5");
            parse(Pid::from_raw(42), text.as_bytes()).map(|process| (process.zombie, process.start))
        };

        assert_eq!(with_threads(3), Some((false, 71)));
        assert_eq!(with_threads(2), Some((false, 71)));
        assert_eq!(with_threads(1), Some((true, 71)));
        assert_eq!(with_threads(0), Some((true, 71)));
    }

    #[test]
    fn this_process_is_in_the_table_of_the_system() {
        let process = read_process(getpid()).expect("our own entry");

        assert_eq!((process.zombie, process.parent), (false, nix::unistd::getppid()));
        assert!(process.start <= sys::ticks_since_boot());
    }

    #[test]
    fn a_family_is_the_leader_and_its_descendants() {
        let own = getpid().as_raw();
        let parent = nix::unistd::getppid().as_raw();

        assert_eq!(family_of(own).first(), Some(&own));
        assert!(family_of(parent).contains(&own) && !family_of(own).contains(&parent));
    }

    #[test]
    fn only_a_private_stream_identifies_a_run() {
        let (pipe, _writer) = nix::unistd::pipe().expect("a pipe");
        let null = File::open("/dev/null").expect("`/dev/null` exists");

        assert!(stream_name(pipe.as_fd()).is_some_and(|name| name.starts_with("pipe:[")));
        assert_eq!(stream_name(null.as_fd()), None);
    }
}
