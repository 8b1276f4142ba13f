//! Starts one process: a new session, its streams, its limits, exec.
//!
//! The child shares our memory and we stand still until it has executed (`CLONE_VM | CLONE_VFORK`): nothing is
//! copied, and an error is handed over in that memory. Between clone and exec only async-signal-safe calls
//! are made: no allocation, no lock. The dispositions of signals are the guardian's own, which are all the default.
//! One of the two files that may hold `unsafe`; the other is `sys`.
#![expect(unsafe_code, reason = "clone and what runs between it and exec have no safe form")]

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::limits::Limits;
use super::protocol::{SpawnRequest, Stage};

/// Stack of the child until it executes, in bytes. It calls a dozen functions of the C library, none deep.
const STACK_BYTES: usize = 64 << 10;

/// The step that failed and what the system said.
pub(super) type Failure = (Stage, Errno);

/// What the child reads, and where it leaves its error.
struct Child {
    program: *const c_char,
    arguments: *const *const c_char,
    /// Programs to try before `program`, ended by a null, and their words.
    programs: *const *const c_char,
    words: *const *const c_char,
    environment: *const *const c_char,
    directory: *const c_char,
    streams: [RawFd; 3],
    /// Whether the first of them is a terminal that is to control the session.
    controlling: bool,
    parent: libc::pid_t,
    limits: [(c_int, libc::rlimit); 2],
    failed_stage: u32,
    errno: c_int,
}

/// Starts processes. Holds the stack that each child borrows until it executes.
pub(super) struct Spawner {
    stack: Vec<u128>,
    limits: Limits,
}

impl Spawner {
    pub(super) fn new(limits: Limits) -> Self {
        Self { stack: vec![0; STACK_BYTES / size_of::<u128>()], limits }
    }

    /// Starts a process as the leader of a new session and group.
    ///
    /// `streams`: one descriptor for all three, or stdin and one for stdout and stderr, or all three.
    pub(super) fn spawn(&mut self, request: &SpawnRequest, streams: &[OwnedFd]) -> Result<Pid, Failure> {
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
        let mut child = Child {
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
            failed_stage: 0,
            errno: 0,
        };
        let top = self.stack.as_mut_ptr_range().end;
        // SAFETY: the stack is ours and unused, its end is aligned to 16 bytes; we stand still until the child has
        // executed or exited, so `child` and all it points to outlive its use.
        let pid = unsafe {
            libc::clone(
                run_child,
                top.cast(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                (&raw mut child).cast::<c_void>(),
            )
        };
        if pid < 0 {
            return Err((Stage::Fork, Errno::last()));
        }
        // SAFETY: `child` is a live local; read anew because the child wrote it through the pointer.
        let (failed_stage, errno) =
            unsafe { ((&raw const child.failed_stage).read_volatile(), (&raw const child.errno).read_volatile()) };
        if failed_stage != 0 {
            // The child has exited or is about to; nobody else may see its end.
            while nix::sys::wait::waitpid(Pid::from_raw(pid), None) == Err(Errno::EINTR) {}
            return Err((Stage::from_number(failed_stage), Errno::from_raw(errno)));
        }
        Ok(Pid::from_raw(pid))
    }
}

fn null_ended(texts: &[Vec<u8>]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr().cast()).chain([std::ptr::null()]).collect()
}

#[expect(clippy::cast_possible_wrap, reason = "the numbers of the limits are below 20")]
fn limit_number(resource: libc::__rlimit_resource_t) -> c_int {
    resource as c_int
}

extern "C" fn run_child(argument: *mut c_void) -> c_int {
    // SAFETY: the parent passed a `Child` that lives until we execute or exit.
    let child = unsafe { &mut *argument.cast::<Child>() };
    // SAFETY: called once, in the child.
    let stage = unsafe { prepare_and_execute(child) };
    child.errno = Errno::last_raw();
    child.failed_stage = stage as u32;
    // SAFETY: ends only this child.
    unsafe { libc::_exit(127) }
}

/// Returns only on failure, with the step that failed; errno says why.
///
/// # Safety
/// Only in the child, with a `child` whose pointers are valid.
unsafe fn prepare_and_execute(child: &Child) -> Stage {
    // SAFETY: all calls are async-signal-safe and get pointers that the parent keeps alive.
    unsafe {
        if libc::setsid() < 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
            return Stage::Setup;
        }
        // The parent died before the line above: its death signal will never come.
        if libc::getppid() != child.parent {
            libc::_exit(127);
        }
        for (stream, target) in child.streams.iter().zip(0..) {
            if libc::dup2(*stream, target) < 0 {
                return Stage::Setup;
            }
        }
        // Only the terminal that has the keyboard becomes the controlling one: when the leader, often just a `sh`, ended,
        // the system would hang it up for the server behind, which still has its grace and its last words.
        if child.controlling && libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
            return Stage::Setup;
        }
        for (resource, limit) in &child.limits {
            #[expect(clippy::cast_sign_loss, reason = "the numbers of the limits are not negative")]
            if libc::setrlimit(*resource as libc::__rlimit_resource_t, limit) < 0 {
                return Stage::Setup;
            }
        }
        // Every descriptor of ours is CLOEXEC; this also closes those we inherited from the user's shell. Kernels
        // before 5.9 do not know the call: there the inherited ones stay open, as with a plain shell.
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
        if libc::chdir(child.directory) < 0 {
            return Stage::Directory;
        }
        let mut empty: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut empty);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut());
        let mut next = child.programs;
        while !(*next).is_null() {
            libc::execve(*next, child.words, child.environment);
            // These send a shell on to the next entry of `PATH`. Whatever else it is, the shell below knows what to
            // do, or has words for it: a script without `#!`, too many bytes.
            if !matches!(Errno::last(), Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) {
                break;
            }
            next = next.add(1);
        }
        libc::execve(child.program, child.arguments, child.environment);
        Stage::Exec
    }
}
