//! Starts one process: new session, streams, limits, exec.
//!
//! The guardian does not wait for the exec, which can hang, for example on a dead network file system. An error comes
//! back over a pipe that a successful exec closes. Between fork and exec, only async-signal-safe calls are made: no
//! allocation, no lock. Signal dispositions are inherited from the guardian, where all are the default.
//! One of the two files that may contain `unsafe`. The other is `sys`.
#![expect(unsafe_code, reason = "fork, and the code between it and exec, have no safe interface")]

use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{ForkResult, Pid, pipe2};

use super::limits::Limits;
use super::protocol::{SpawnRequest, Stage};
use super::sys;

/// Size of an error on the pipe: the step that failed and its errno.
const FAILURE_BYTES: usize = size_of::<u64>();

/// The step that failed and its errno.
pub(super) type Failure = (Stage, Errno);

/// A process that may not have executed its program yet.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) execution: Execution,
}

/// Says whether a process has executed its program. Becomes readable as soon as that is known.
#[derive(Debug)]
pub(super) struct Execution(OwnedFd);

/// The state of an exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Executing,
    /// The program is running, or has already ended.
    Executed,
    Failed(Failure),
}

/// What the child needs after the fork. All pointers point into the guardian's memory.
struct Child {
    program: *const c_char,
    arguments: *const *const c_char,
    /// Null-terminated list of programs to try before `program`.
    programs: *const *const c_char,
    /// The arguments of those programs.
    words: *const *const c_char,
    environment: *const *const c_char,
    directory: *const c_char,
    streams: [RawFd; 3],
    /// The first stream is a terminal that becomes the controlling terminal of the session.
    controlling: bool,
    parent: libc::pid_t,
    limits: [(c_int, libc::rlimit); 2],
    /// The pipe for the error.
    failure: RawFd,
}

impl Execution {
    /// Never blocks.
    pub(super) fn progress(&self) -> Progress {
        let mut bytes = [0; FAILURE_BYTES];
        loop {
            return match nix::unistd::read(&self.0, &mut bytes) {
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => Progress::Executing,
                Ok(FAILURE_BYTES) => {
                    let (stage, errno) = split(u64::from_ne_bytes(bytes));
                    Progress::Failed((Stage::from_number(stage), Errno::from_raw(errno)))
                }
                Ok(_) | Err(_) => Progress::Executed,
            };
        }
    }
}

impl AsFd for Execution {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Starts processes.
pub(super) struct Spawner {
    limits: Limits,
}

impl Spawner {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Starts a process as the leader of a new session and group.
    ///
    /// `streams`: one descriptor for all three; stdin and one for both stdout and stderr; or all three.
    pub(super) fn spawn(&self, request: &SpawnRequest, streams: &[OwnedFd]) -> Result<Started, Failure> {
        let streams = match streams {
            [all] => [all, all, all],
            [stdin, output] => [stdin, output, output],
            [stdin, stdout, stderr] => [stdin, stdout, stderr],
            _ => return Err((Stage::Setup, Errno::EBADF)),
        };
        let terminated =
            |text: &[u8]| text.split_last().is_some_and(|(last, before)| *last == 0 && !before.contains(&0));
        let lists = [&request.arguments, &request.programs, &request.words, &request.environment];
        let texts = lists.into_iter().flatten().chain([&request.directory]);
        if !texts.into_iter().all(|text| terminated(text)) {
            return Err((Stage::Setup, Errno::EINVAL));
        }
        let arguments = null_ended(&request.arguments);
        let (programs, words) = (null_ended(&request.programs), null_ended(&request.words));
        let environment = null_ended(&request.environment);
        let Some(&program) = arguments.first() else { return Err((Stage::Setup, Errno::EINVAL)) };
        let (execution, failure) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(|errno| (Stage::Setup, errno))?;
        let child = Child {
            program,
            arguments: arguments.as_ptr(),
            programs: programs.as_ptr(),
            words: words.as_ptr(),
            environment: environment.as_ptr(),
            directory: request.directory.as_ptr().cast(),
            streams: streams.map(AsRawFd::as_raw_fd),
            controlling: request.controlling,
            parent: nix::unistd::getpid().as_raw(),
            limits: [
                (limit_number(libc::RLIMIT_NOFILE), self.limits.open_files.into()),
                (limit_number(libc::RLIMIT_CORE), self.limits.core.into()),
            ],
            failure: failure.as_raw_fd(),
        };
        match sys::fork_process() {
            Ok(ForkResult::Parent { child: pid }) => Ok(Started { pid, execution: Execution(execution) }),
            // SAFETY: this is the child process, which has a copy of everything that `child` points to.
            Ok(ForkResult::Child) => unsafe { run_child(&child) },
            Err(errno) => Err((Stage::Fork, errno)),
        }
    }
}

/// Packs an error into one number, so that a single write sends it.
fn joined(stage: u32, errno: c_int) -> u64 {
    u64::from(stage) << 32 | u64::from(errno.cast_unsigned())
}

#[expect(clippy::cast_possible_truncation, reason = "each half has 32 bits")]
fn split(number: u64) -> (u32, c_int) {
    ((number >> 32) as u32, (number as u32).cast_signed())
}

fn null_ended(texts: &[Vec<u8>]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr().cast()).chain([std::ptr::null()]).collect()
}

#[expect(clippy::cast_possible_wrap, reason = "resource numbers are below 20")]
fn limit_number(resource: libc::__rlimit_resource_t) -> c_int {
    resource as c_int
}

/// # Safety
/// Only in the child, with a `child` whose pointers are valid.
unsafe fn run_child(child: &Child) -> ! {
    // SAFETY: the caller guarantees it.
    let stage = unsafe { prepare_and_execute(child) } as u32;
    let bytes = joined(stage, Errno::last_raw()).to_ne_bytes();
    // SAFETY: both calls are async-signal-safe. The bytes live until the first returns; the second ends only this
    // child.
    unsafe {
        libc::write(child.failure, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}

/// Returns only on failure, with the step that failed. The reason is in errno.
///
/// # Safety
/// Only in the child, with a `child` whose pointers are valid.
unsafe fn prepare_and_execute(child: &Child) -> Stage {
    // SAFETY: all calls are async-signal-safe, and all pointers are valid in this copy of the parent's memory.
    unsafe {
        if libc::setsid() < 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
            return Stage::Setup;
        }
        // The parent died before the death signal was set: it will never arrive.
        if libc::getppid() != child.parent {
            libc::_exit(127);
        }
        for (stream, target) in child.streams.iter().zip(0..) {
            if libc::dup2(*stream, target) < 0 {
                return Stage::Setup;
            }
        }
        // Only the terminal with the keyboard becomes a controlling terminal. When a session leader ends (often just a
        // `sh`), the kernel hangs up its controlling terminal, but the server that it started may still be shutting
        // down and writing to that terminal.
        if child.controlling && libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
            return Stage::Setup;
        }
        for (resource, limit) in &child.limits {
            #[expect(clippy::cast_sign_loss, reason = "resource numbers are not negative")]
            if libc::setrlimit(*resource as libc::__rlimit_resource_t, limit) < 0 {
                return Stage::Setup;
            }
        }
        // All our own descriptors are CLOEXEC. This also closes those inherited from the user's shell. Kernels before
        // 5.9 lack this call, so the inherited ones stay open there, as in a plain shell. The pipe for the error
        // stays open until the exec closes it.
        let failure = child.failure.cast_unsigned();
        libc::syscall(libc::SYS_close_range, 3_u32, failure - 1, 0_u32);
        libc::syscall(libc::SYS_close_range, failure + 1, u32::MAX, 0_u32);
        if libc::chdir(child.directory) < 0 {
            return Stage::Directory;
        }
        let mut empty: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut empty);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut());
        let mut next = child.programs;
        while !(*next).is_null() {
            libc::execve(*next, child.words, child.environment);
            // After these errors a shell tries the next entry of `PATH`. Any other error (a script without `#!`,
            // arguments that are too long) is left to the shell below, which handles it or prints a message.
            if !matches!(Errno::last(), Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) {
                break;
            }
            next = next.add(1);
        }
        libc::execve(child.program, child.arguments, child.environment);
        Stage::Exec
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_fits_into_one_number() {
        assert_eq!(split(joined(Stage::Exec as u32, libc::ENOENT)), (3, libc::ENOENT));
        assert_eq!(split(joined(u32::MAX, -1)), (u32::MAX, -1));
    }
}
