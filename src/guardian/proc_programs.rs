//! Reads the facts for the stop order from `/proc`: what a process executes, and which pipes it has open (Linux).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::filters::Activity;
use super::proc_table::{self, listeners, listening_ports, name_of, name_of_open_file, open_files};
use super::stop_order::Programs;
use super::sys;
use super::table::{Identity, Process};

/// Programs that do not pass signals on to the programs they run (S6.6).
const SHELLS: [&str; 9] = ["sh", "dash", "bash", "ash", "zsh", "ksh", "mksh", "busybox", "fish"];

/// Reads the facts for the stop order from `/proc`.
pub(super) struct ProcPrograms;

impl Programs for ProcPrograms {
    fn is_shell(&mut self, pid: Pid) -> bool {
        is_shell(pid)
    }

    fn is_new(&mut self, process: &Process) -> bool {
        sys::ticks_since_boot().saturating_sub(process.start) <= sys::ticks_per_second()
    }

    fn is_running(&mut self, process: Identity) -> bool {
        proc_table::is_running(process)
    }

    fn reads_from(&mut self, pid: Pid) -> Option<String> {
        name_of_open_file(&format!("/proc/{pid}/fd/0")).filter(|name| name.starts_with("pipe:["))
    }

    fn writes_to(&mut self, pid: Pid) -> Vec<String> {
        [1, 2].iter().filter_map(|fd| name_of_open_file(&format!("/proc/{pid}/fd/{fd}"))).collect()
    }

    fn may_have_open(&mut self, pid: Pid, pipe: &str) -> bool {
        let is_known = fs::read_dir(format!("/proc/{pid}/fd")).is_ok();
        // Of a process of another user it is unknown.
        if is_known { open_files(pid).iter().any(|name| name == pipe) } else { kill(pid, None) != Err(Errno::ESRCH) }
    }

    fn listens(&mut self, pid: Pid) -> bool {
        !listening_ports(pid, &listeners()).is_empty()
    }

    fn activity(&mut self, pid: Pid) -> Option<Activity> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.split_at(memchr::memrchr(b')', &stat)?);
        // Fields 14 to 17 are the CPU times: its own, and those of children that it has waited for.
        let fields = std::str::from_utf8(fields).ok()?.split_ascii_whitespace();
        let ticks = fields.skip(12).take(4).map(|ticks| ticks.parse::<u64>().ok()).sum::<Option<u64>>()?;
        let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
        let count = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let bytes = count("rchar:")? + count("wchar:")?;
        Some(Activity { ticks, bytes, unread: unread_stdin(pid).unwrap_or(0) })
    }
}

/// The bytes in the pipe that is the stdin of a process.
fn unread_stdin(pid: Pid) -> Option<usize> {
    let path = format!("/proc/{pid}/fd/0");
    name_of_open_file(&path).filter(|name| name.starts_with("pipe:["))?;
    let pipe = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).ok()?;
    sys::unread_in_pipe(&pipe)
}

/// Whether a process is a shell (S6.6). `busybox` is one if it was started under the name of a shell.
fn is_shell(pid: Pid) -> bool {
    let Ok(executable) = fs::read_link(format!("/proc/{pid}/exe")) else { return false };
    let name = executable.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    let is_shell = |name: &str| SHELLS.contains(&name.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    is_shell(name) && (name != "busybox" || name_of(pid).is_some_and(|name| is_shell(&name)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    use nix::unistd::getpid;

    use super::*;

    #[test]
    fn s6_6_what_a_process_reads_is_activity() {
        let before = ProcPrograms.activity(getpid()).expect("our own");
        let read = fs::read("/proc/self/stat").expect("our own").len();

        let after = ProcPrograms.activity(getpid()).expect("our own");

        assert!(after.bytes >= before.bytes + read as u64, "{before:?} {after:?}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process of the test")]
    fn s6_6_what_a_filter_has_not_read_is_known() {
        let mut filter = Command::new("sleep").arg("1000").stdin(Stdio::piped()).spawn().expect("a process");
        let pid = Pid::from_raw(filter.id().cast_signed());
        filter.stdin.as_mut().expect("a pipe").write_all(b"abc").expect("written");

        let activity = ProcPrograms.activity(pid);

        filter.kill().expect("our own");
        filter.wait().expect("our own");
        assert_eq!(activity.map(|activity| activity.unread), Some(3));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process of the test")]
    fn s6_6_a_process_is_new_by_its_start() {
        // On a very slow machine, one may already be old.
        let is_new = std::iter::repeat_with(|| {
            let mut child = Command::new("sleep").arg("1000").spawn().expect("a process");
            let process = proc_table::read_process(Pid::from_raw(child.id().cast_signed())).expect("it runs");
            let is_new = ProcPrograms.is_new(&process);
            child.kill().expect("our own");
            child.wait().expect("our own");
            is_new && !ProcPrograms.is_new(&Process { start: 0, ..process })
        });

        assert!(is_new.take(100).any(|is_new| is_new));
    }

    #[test]
    fn s6_6_a_server_is_recognised_by_its_socket() {
        let _listener = TcpListener::bind("127.0.0.1:0").expect("a port");

        assert!(ProcPrograms.listens(getpid()));
    }
}
