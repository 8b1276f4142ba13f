//! `dyno mcp`: lets a program use `dyno` over stdin and stdout (S17.2).
//!
//! Each call of a tool runs `dyno` itself in a process group of its own, with a limit on time and output. Several calls may
//! run at once; each ends when its answer is no longer wanted, and when stdin ends.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::console::stdout;
use crate::error::{Error, Status};
use crate::mcp::{self, Incoming, ToolCall, ToolOutcome};
use crate::model::ExitStatus;
use crate::project::reason;
use crate::runtime;
use crate::supervisor::Outcome;

/// The longest line of the client in bytes.
const MOST_LINE: u64 = 1 << 20;
/// How many calls may run at once.
const MOST_CALLS: usize = 8;
/// How much of the output of a call is returned: the end, because that is where the reason for a failure is.
const MOST_OUTPUT: usize = 50_000;
/// How long `dyno` may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(15);
/// How long the output of a process that has ended may stay open.
const AFTER_END: Duration = Duration::from_secs(2);

/// The calls that run, by the ids of their requests.
type RunningCalls = Arc<Mutex<HashMap<String, RunningCall>>>;

/// A call that runs.
#[derive(Debug, Default)]
struct RunningCall {
    /// Its process. None: it has none yet, or none any more.
    pid: Option<Pid>,
    /// Its answer is no longer wanted.
    is_cancelled: bool,
}

impl RunningCall {
    fn cancel(&mut self) {
        self.is_cancelled = true;
        self.pid.into_iter().for_each(terminate);
    }
}

pub(super) fn run() -> Result<Outcome, Error> {
    runtime::unblock_all();
    let calls = RunningCalls::default();
    let mut threads = Vec::new();
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut stdin).take(MOST_LINE).read_until(b'\n', &mut line);
        match read {
            Ok(0) | Err(_) => break,
            Ok(count) if count as u64 == MOST_LINE && !line.ends_with(b"\n") => {
                // The rest of it is not a message either.
                let _ = stdin.skip_until(b'\n');
                line = b"{".to_vec();
            }
            Ok(_) => {}
        }
        match mcp::read(&line) {
            Incoming::Answer(answer) => send(&answer)?,
            Incoming::Cancel(id) => {
                if let Some(call) = lock(&calls).get_mut(&id.to_string()) {
                    call.cancel();
                }
            }
            Incoming::Call { id, call } => threads.extend(begin(&calls, id, call)?),
            Incoming::Nothing => {}
        }
        threads.retain(|thread: &thread::JoinHandle<()>| !thread.is_finished());
    }
    lock(&calls).values_mut().for_each(RunningCall::cancel);
    for thread in threads {
        let _ = thread.join();
    }
    Ok(Outcome::Code(0))
}

/// Starts a call in a thread, which sends the answer.
fn begin(calls: &RunningCalls, id: Value, call: ToolCall) -> Result<Option<thread::JoinHandle<()>>, Error> {
    let key = id.to_string();
    let mut running = lock(calls);
    if running.len() >= MOST_CALLS || running.contains_key(&key) {
        let text = if running.contains_key(&key) {
            "error: a call with this id is running\n".to_owned()
        } else {
            format!("error: {MOST_CALLS} calls are running already\n")
        };
        drop(running);
        send(&mcp::answer(&id, &failed(text)))?;
        return Ok(None);
    }
    running.insert(key.clone(), RunningCall::default());
    drop(running);
    let calls = Arc::clone(calls);
    Ok(Some(thread::spawn(move || {
        let outcome = carry_out(&calls, &key, &call);
        if lock(&calls).remove(&key).is_some_and(|call| !call.is_cancelled) {
            // Without a reader, the end of stdin follows.
            let _ = send(&mcp::answer(&id, &outcome));
        }
    })))
}

/// Runs the command line of a call to its end.
#[expect(clippy::disallowed_methods, reason = "it starts `dyno`, whose guardian starts everything else")]
fn carry_out(calls: &RunningCalls, key: &str, call: &ToolCall) -> ToolOutcome {
    let program = env::current_exe().unwrap_or_else(|_| "dyno".into());
    let mut command = Command::new(program);
    command.arg0("dyno").args(&call.words).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("error: cannot run `dyno`: {}\n", reason(&error))),
    };
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let set_pid = |pid: Option<Pid>| {
        if let Some(call) = lock(calls).get_mut(key) {
            call.pid = pid;
            pid.into_iter().filter(|_| call.is_cancelled).for_each(terminate);
        }
    };
    set_pid(Some(pid));
    let outputs = [collected(child.stdout.take()), collected(child.stderr.take())];
    let ended = end_of(pid);
    let mut note = None;
    if ended.recv_timeout(call.limit) == Err(RecvTimeoutError::Timeout) {
        note = Some(format!("stopped after {} seconds", call.limit.as_secs()));
        terminate(pid);
        let _ = ended.recv_timeout(GRACE);
    }
    // What it has left behind, or itself if it does not end. From here on its number may belong to another process.
    let _ = killpg(pid, Signal::SIGKILL);
    set_pid(None);
    let status = status_of(&mut child);
    let [stdout, stderr] = outputs.map(|output| {
        let _ = output.ended.recv_timeout(AFTER_END);
        bounded(&output.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    });
    ToolOutcome { status, stdout, stderr, note }
}

/// The end of a process that stays a zombie, so that its number stays its own.
fn end_of(pid: Pid) -> mpsc::Receiver<()> {
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let _ = sender.send(());
    });
    ended
}

fn status_of(child: &mut Child) -> u8 {
    let Ok(status) = child.wait() else { return Status::Internal.code() };
    let signal = status.signal().and_then(|signal| u8::try_from(signal).ok()).map(ExitStatus::Signal);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    signal.map_or_else(|| code.unwrap_or_else(|| Status::Internal.code()), ExitStatus::shell_code)
}

/// The end of what a stream has delivered so far.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

fn collected(stream: Option<impl Read + Send + 'static>) -> Collected {
    let (sender, ended) = mpsc::channel();
    let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
    if let Some(mut stream) = stream {
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                // One byte more than is returned shows that something is missing.
                let surplus = kept.len().saturating_sub(MOST_OUTPUT + 1);
                kept.drain(..surplus);
            }
            let _ = sender.send(());
        });
    }
    Collected { bytes, ended }
}

/// The text of an output. If it is too long, only its last lines.
fn bounded(bytes: &[u8]) -> String {
    if bytes.len() <= MOST_OUTPUT {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let line_end = bytes.iter().position(|byte| *byte == b'\n').map_or(1, |at| at + 1);
    let rest = String::from_utf8_lossy(bytes.get(line_end..).unwrap_or_default());
    format!("[earlier lines are left out]\n{rest}")
}

/// `dyno run` becomes its command, so the signal goes to the whole group.
fn terminate(pid: Pid) {
    let _ = killpg(pid, Signal::SIGTERM);
}

fn failed(message: String) -> ToolOutcome {
    ToolOutcome { status: Status::Unavailable.code(), stdout: String::new(), stderr: message, note: None }
}

fn send(answer: &str) -> Result<(), Error> {
    /// Answers come from several threads.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    stdout::write(answer).map(drop)
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
