//! Starts one process: new session, streams, limits, exec.
//!
//! The child shares the guardian's memory until its exec (`CLONE_VM`): copying it would cost more than the exec. It runs
//! on a stack of its own and makes system calls without the C library, so it never writes to memory that the guardian
//! uses, not even to `errno`. The guardian does not wait for the exec, which can hang, for example on a dead network file
//! system: it lends the memory that the child reads until a pipe says that the exec has ended. An error comes back over
//! that pipe, which a successful exec closes. Signal dispositions are those of the guardian, where all are the default.
//! One of the three files that may contain `unsafe`. The others are `sys` and `mapped_code`.
#![expect(unsafe_code, reason = "clone, and the code between it and exec, have no safe interface")]

use std::cell::Cell;
use std::convert::Infallible;
use std::ffi::{c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::resource::Resource;
use nix::unistd::{Pid, pipe2};

use super::limits::Limits;
use super::protocol::SpawnRequest;
use super::spawn_failure::{FailedStep, SpawnStep};
use super::sys::{self, raw_syscall};
use crate::error::Status;
use crate::model::SpawnFailure;

/// The ioctl that makes a terminal the controlling one of the session.
#[expect(clippy::cast_possible_truncation, reason = "its number has 16 bits")]
const CONTROL_TERMINAL: usize = libc::TIOCSCTTY as usize;

/// Size of the stack that a child uses until its exec. It calls nothing deep.
const STACK_BYTES: usize = 16 << 10;

/// Size of an error on the pipe: the step that failed and its errno.
const FAILURE_BYTES: usize = size_of::<u64>();

/// A process that may not have executed its program yet.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) execution: Execution,
}

/// Says whether a process has executed its program. Becomes readable as soon as that is known.
#[derive(Debug)]
pub(super) struct Execution {
    pipe: OwnedFd,
    /// What came over the pipe. The child may still be about to exit.
    failure: Cell<Option<FailedStep>>,
    /// The child has executed its program or exited: it no longer uses our memory.
    is_over: Cell<bool>,
    lent: ManuallyDrop<Lent>,
}

/// The memory that a child uses until its exec.
#[derive(Debug)]
struct Lent {
    child: Box<ChildExec>,
    request: Rc<SpawnRequest>,
    _lists: [Vec<*const c_char>; 4],
    stack: Vec<u128>,
}

/// The state of an exec.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExecProgress {
    Executing,
    /// The program is running, or has already ended.
    Executed,
    Failed(SpawnFailure),
}

/// What the child needs. All pointers are into memory that is lent to it.
#[derive(Debug)]
struct ChildExec {
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
    pub(super) fn progress(&self) -> ExecProgress {
        let mut bytes = [0; FAILURE_BYTES];
        loop {
            match nix::unistd::read(&self.pipe, &mut bytes) {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return ExecProgress::Executing,
                Ok(FAILURE_BYTES) => {
                    let (step, errno) = split(u64::from_ne_bytes(bytes));
                    self.failure.set(Some(FailedStep::new(SpawnStep::from_number(step), Errno::from_raw(errno))));
                }
                end => {
                    self.is_over.set(end.is_ok());
                    let failure = self.failure.get().map(|failure| failure.describe(&self.lent.request));
                    return failure.map_or(ExecProgress::Executed, ExecProgress::Failed);
                }
            }
        }
    }
}

impl Drop for Execution {
    /// Does not free memory that a child may still use.
    fn drop(&mut self) {
        if self.is_over.get() {
            // SAFETY: it is dropped only here, and the child does not use it any more.
            unsafe { ManuallyDrop::drop(&mut self.lent) };
        }
    }
}

impl AsFd for Execution {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Starts processes.
pub(super) struct Spawner {
    limits: Limits,
    /// What children share with the guardian.
    shared: c_int,
}

impl Spawner {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, shared: sys::SHARED_WITH_CHILD }
    }

    /// Starts a process as the leader of a new session and group.
    ///
    /// `streams`: one descriptor for all three; stdin and one for both stdout and stderr; or all three.
    pub(super) fn spawn(&self, request: &Rc<SpawnRequest>, streams: &[OwnedFd]) -> Result<Started, FailedStep> {
        let streams = match streams {
            [all] => [all, all, all],
            [stdin, output] => [stdin, output, output],
            [stdin, stdout, stderr] => [stdin, stdout, stderr],
            _ => return Err(FailedStep::new(SpawnStep::Setup, Errno::EBADF)),
        };
        let terminated =
            |text: &[u8]| text.split_last().is_some_and(|(last, before)| *last == 0 && !before.contains(&0));
        let lists = [&request.arguments, &request.programs, &request.words, &request.environment];
        let texts = lists.into_iter().flatten().chain([&request.directory]);
        if !texts.into_iter().all(|text| terminated(text)) {
            return Err(FailedStep::new(SpawnStep::Setup, Errno::EINVAL));
        }
        let arguments = null_ended(&request.arguments);
        let (programs, words) = (null_ended(&request.programs), null_ended(&request.words));
        let environment = null_ended(&request.environment);
        let Some(&program) = arguments.first() else { return Err(FailedStep::new(SpawnStep::Setup, Errno::EINVAL)) };
        let (pipe, failure) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(|errno| FailedStep::new(SpawnStep::Setup, errno))?;
        let child = ChildExec {
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
                (Resource::RLIMIT_NOFILE as c_int, self.limits.open_files.into()),
                (Resource::RLIMIT_CORE as c_int, self.limits.core.into()),
            ],
            failure: failure.as_raw_fd(),
        };
        let mut lent = Lent {
            child: Box::new(child),
            request: Rc::clone(request),
            _lists: [arguments, programs, words, environment],
            stack: Vec::with_capacity(STACK_BYTES / size_of::<u128>()),
        };
        let top = lent.stack.spare_capacity_mut().as_mut_ptr_range().end;
        // SAFETY: the stack is unused and its end aligned to 16 bytes. All that the child uses is lent to it until it has
        // executed its program or exited.
        let start = |shared| unsafe {
            let argument = (&raw const *lent.child).cast_mut();
            match libc::clone(run_child, top.cast(), shared | libc::SIGCHLD, argument.cast()) {
                -1 => Err(Errno::last()),
                pid => Ok(Pid::from_raw(pid)),
            }
        };
        // User-mode emulators such as qemu cannot share memory with a process.
        let pid = match start(self.shared) {
            Err(Errno::EINVAL) => start(0),
            pid => pid,
        };
        let pid = pid.map_err(|errno| FailedStep::new(SpawnStep::Fork, errno))?;
        let (failure, is_over) = (Cell::new(None), Cell::new(false));
        let execution = Execution { pipe, failure, is_over, lent: ManuallyDrop::new(lent) };
        Ok(Started { pid, execution })
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

/// The child, from its first instruction.
extern "C" fn run_child(argument: *mut c_void) -> c_int {
    // SAFETY: the guardian lends a `ChildExec` with valid pointers until this process has executed its program or
    // exited.
    // The bytes outlive the write, and the last call ends only this process.
    unsafe {
        let child = &*argument.cast::<ChildExec>();
        let Err((stage, errno)) = prepare_and_execute(child);
        let bytes = joined(stage as u32, errno).to_ne_bytes();
        let _ = raw_syscall(libc::SYS_write, [word(child.failure), bytes.as_ptr().expose_provenance(), bytes.len(), 0]);
        exit()
    }
}

/// # Safety
/// Only in the child.
unsafe fn exit() -> ! {
    loop {
        // Not shown to users: the guardian reports the failure instead.
        let status = usize::from(Status::NotFound.code());
        // SAFETY: ends only this process.
        let _ = unsafe { raw_syscall(libc::SYS_exit_group, [status, 0, 0, 0]) };
    }
}

/// Returns only on failure, with the step that failed and its errno.
///
/// # Safety
/// Only in the child, with a `child` whose pointers are valid.
unsafe fn prepare_and_execute(child: &ChildExec) -> Result<Infallible, (SpawnStep, c_int)> {
    let setup = |errno| (SpawnStep::Setup, errno);
    let address = |text: *const c_char| text.expose_provenance();
    // SAFETY: all pointers are valid, and no call writes to memory.
    unsafe {
        raw_syscall(libc::SYS_setsid, [0; 4]).map_err(setup)?;
        raw_syscall(libc::SYS_prctl, [word(libc::PR_SET_PDEATHSIG), word(libc::SIGKILL), 0, 0]).map_err(setup)?;
        // The parent died before the death signal was set: it will never arrive.
        if raw_syscall(libc::SYS_getppid, [0; 4]) != Ok(word(child.parent)) {
            exit();
        }
        for (stream, target) in child.streams.iter().zip(0..) {
            raw_syscall(libc::SYS_dup3, [word(*stream), target, 0, 0]).map_err(setup)?;
        }
        // Only the terminal with the keyboard becomes a controlling terminal. When a session leader ends (often just a
        // `sh`), the kernel sends SIGHUP to the foreground group of its controlling terminal, but the server that it
        // started may still be shutting down.
        if child.controlling {
            raw_syscall(libc::SYS_ioctl, [0, CONTROL_TERMINAL, 0, 0]).map_err(setup)?;
        }
        for (resource, limit) in &child.limits {
            let limit = (&raw const *limit).expose_provenance();
            raw_syscall(libc::SYS_prlimit64, [0, word(*resource), limit, 0]).map_err(setup)?;
        }
        // All our own descriptors are CLOEXEC. This also closes those inherited from the user's shell. Kernels before
        // 5.9 lack this call, so the inherited ones stay open there, as in a plain shell. The pipe for the error
        // stays open until the exec closes it.
        let failure = word(child.failure);
        let _ = raw_syscall(libc::SYS_close_range, [3, failure - 1, 0, 0]);
        let _ = raw_syscall(libc::SYS_close_range, [failure + 1, u32::MAX as usize, 0, 0]);
        raw_syscall(libc::SYS_chdir, [address(child.directory), 0, 0, 0])
            .map_err(|errno| (SpawnStep::Directory, errno))?;
        let none = 0_u64;
        let mask = [word(libc::SIG_SETMASK), (&raw const none).expose_provenance(), 0, size_of_val(&none)];
        raw_syscall(libc::SYS_rt_sigprocmask, mask).map_err(setup)?;
        let environment = child.environment.expose_provenance();
        let mut next = child.programs;
        while !(*next).is_null() {
            let words = [address(*next), child.words.expose_provenance(), environment, 0];
            // After these errors a shell tries the next entry of `PATH`. Any other error (a script without `#!`,
            // arguments that are too long) is left to the shell below, which handles it or prints a message.
            if !matches!(raw_syscall(libc::SYS_execve, words), Err(libc::ENOENT | libc::ENOTDIR | libc::EACCES)) {
                break;
            }
            next = next.add(1);
        }
        let words = [address(child.program), child.arguments.expose_provenance(), environment, 0];
        Err((SpawnStep::Exec, raw_syscall(libc::SYS_execve, words).err().unwrap_or_default()))
    }
}

/// An argument of a system call.
#[expect(clippy::cast_sign_loss, reason = "the kernel gets the same bits")]
fn word(number: c_int) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;

    #[test]
    fn an_error_is_packed_and_unpacked_unchanged() {
        assert_eq!(split(joined(SpawnStep::Exec as u32, libc::ENOENT)), (3, libc::ENOENT));
        assert_eq!(split(joined(u32::MAX, -1)), (u32::MAX, -1));
    }

    fn request(program: &str, script: &str) -> Rc<SpawnRequest> {
        let texts = |words: &[&str]| words.iter().map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        Rc::new(SpawnRequest {
            own_shell: true,
            controlling: false,
            dyno: "web.1".to_owned(),
            port: None,
            directory: b"/\0".to_vec(),
            arguments: texts(&[program, "-c", script]),
            programs: texts(&["/missing/sh"]),
            words: texts(&[program, "-c", script]),
            environment: texts(&["A=1"]),
        })
    }

    /// How the exec and the process ended.
    fn ends(spawner: &Spawner, program: &str, script: &str) -> (ExecProgress, WaitStatus) {
        let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let Started { pid, execution } = spawner.spawn(&request(program, script), &[null]).unwrap();
        let mut ready = [PollFd::new(execution.as_fd(), PollFlags::POLLIN)];
        while execution.progress() == ExecProgress::Executing {
            poll(&mut ready, PollTimeout::NONE).unwrap();
        }
        (execution.progress(), waitpid(pid, None).unwrap())
    }

    #[test]
    fn a_program_is_executed_with_and_without_shared_memory() {
        let limits = Limits::raise().unwrap();
        for shared in [sys::SHARED_WITH_CHILD, 0] {
            let spawner = Spawner { limits, shared };

            let (executed, exited) = ends(&spawner, "/bin/sh", "test $A = 1 && exit 7");
            assert!(matches!((executed, exited), (ExecProgress::Executed, WaitStatus::Exited(_, 7))), "{exited:?}");
            let (failed, exited) = ends(&spawner, "/missing", "");
            let missing = FailedStep::new(SpawnStep::Exec, Errno::ENOENT).describe(&request("/missing", ""));
            assert!(
                failed == ExecProgress::Failed(missing) && matches!(exited, WaitStatus::Exited(_, 127)),
                "{failed:?} {exited:?}"
            );
        }
    }
}
