//! `dyno mcp`: lets a program use `dyno` over stdin and stdout (S17.2).
//!
//! Each call of a tool runs `dyno` in a process group of its own, with a limit on time and output. Several calls can
//! run at once. A call is stopped when the client cancels it, and when stdin ends.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli::{Cli, ProjectArgs};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::mcp::{self, Incoming, ToolCall, ToolOutcome};
use crate::model::ExitStatus;
use crate::project::reason;
use crate::runtime;
use crate::supervisor::{Outcome, UserSignal};

/// The longest line that is read from the client, in bytes.
const MOST_LINE: u64 = 1 << 20;
/// How many calls may run at once.
const MOST_CALLS: usize = 8;
/// How many bytes of each stream of a call are returned: the last ones, because the reason for a failure is at the end.
const MOST_OUTPUT: usize = 50_000;
/// How long a call may take to end after SIGTERM: longer than the grace period of `--heroku`.
const GRACE: Duration = Duration::from_secs(45);
/// How long the output of a process that has ended may stay open.
const AFTER_END: Duration = Duration::from_secs(2);

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallEvent {
    /// Its process has ended.
    Ended,
    /// Its answer is no longer wanted.
    Cancelled,
}

/// A call that runs, or whose answer is being sent.
struct RunningCall {
    events: Sender<CallEvent>,
    is_cancelled: bool,
}

/// The calls, by the ids of their requests.
#[derive(Default)]
struct RunningCalls {
    by_id: Mutex<HashMap<String, RunningCall>>,
    changed: Condvar,
}

impl RunningCalls {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, RunningCall>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self, id: &Value) {
        if let Some(call) = self.lock().get_mut(&id.to_string()) {
            call.cancel();
        }
    }

    /// Cancels all calls and waits until they have ended, at most a little longer than their grace period.
    fn end(&self) {
        let deadline = Instant::now() + GRACE + AFTER_END;
        let mut calls = self.lock();
        calls.values_mut().for_each(RunningCall::cancel);
        while !calls.is_empty() && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            calls = self.changed.wait_timeout(calls, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl RunningCall {
    fn cancel(&mut self) {
        self.is_cancelled = true;
        let _ = self.events.send(CallEvent::Cancelled);
    }
}

pub(super) fn run(cli: &Cli) -> Result<Outcome, Error> {
    let calls = Arc::new(RunningCalls::default());
    end_by_signal(Arc::clone(&calls));
    let before = options(cli.project_before());
    let served = serve(&calls, &before);
    calls.end();
    served.map(|()| Outcome::Code(0))
}

/// Reads requests until stdin ends. `before`: options for each command line.
fn serve(calls: &Arc<RunningCalls>, before: &[OsString]) -> Result<(), Error> {
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stdin).take(MOST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(count) if count as u64 == MOST_LINE && !line.ends_with(b"\n") => {
                let _ = stdin.skip_until(b'\n');
                send(&mcp::too_long())?;
                continue;
            }
            Ok(_) => {}
        }
        match mcp::read(&line) {
            Incoming::Answer(answer) => send(&answer)?,
            Incoming::Cancel(id) => calls.cancel(&id),
            Incoming::Call { id, call } => begin(calls, id, call, before)?,
            Incoming::Nothing => {}
        }
    }
}

/// When a signal arrives, stops all calls and then ends by that signal. All signals are blocked, so only this thread
/// gets them.
fn end_by_signal(calls: Arc<RunningCalls>) {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    thread::spawn(move || {
        loop {
            let signal = match signals.wait() {
                Ok(Signal::SIGINT) => UserSignal::Int,
                Ok(Signal::SIGHUP) => UserSignal::Hup,
                Ok(_) | Err(_) => UserSignal::Term,
            };
            calls.end();
            // This only returns if we are PID 1.
            runtime::die_by(signal);
        }
    });
}

/// The options before `mcp`, which say where the app is.
fn options(project: &ProjectArgs) -> Vec<OsString> {
    let option = |name: &str, value: &Path| [OsString::from(name), value.into()];
    let procfile = project.procfile.iter().flat_map(|file| option("--procfile", file));
    let root = project.root.iter().flat_map(|root| option("--root", root));
    procfile.chain(root).chain(project.env.iter().flat_map(|file| option("--env", file))).collect()
}

/// Starts a call in a thread, which sends the answer.
fn begin(calls: &Arc<RunningCalls>, id: Value, call: ToolCall, before: &[OsString]) -> Result<(), Error> {
    let key = id.to_string();
    let (events, arriving) = mpsc::channel();
    let mut running = calls.lock();
    if running.contains_key(&key) {
        drop(running);
        return send(&mcp::duplicate());
    }
    if running.len() >= MOST_CALLS {
        drop(running);
        let text = format!("error: {MOST_CALLS} calls are already running: wait for one to finish, or cancel one\n");
        return send(&mcp::answer(&id, &failed(text)));
    }
    running.insert(key.clone(), RunningCall { events: events.clone(), is_cancelled: false });
    drop(running);
    let (calls, before) = (Arc::clone(calls), before.to_vec());
    thread::spawn(move || {
        let outcome = carry_out(&call, &before, events, &arriving);
        let is_wanted = calls.lock().get(&key).is_some_and(|call| !call.is_cancelled);
        if is_wanted {
            // If this fails, the client is gone, and stdin will end, too.
            let _ = send(&mcp::answer(&id, &outcome));
        }
        calls.lock().remove(&key);
        calls.changed.notify_all();
    });
    Ok(())
}

/// Runs the command line of a call to its end.
#[expect(clippy::disallowed_methods, reason = "it starts `dyno`, whose guardian starts everything else")]
fn carry_out(
    call: &ToolCall,
    before: &[OsString],
    events: Sender<CallEvent>,
    arriving: &Receiver<CallEvent>,
) -> ToolOutcome {
    // After an update, the file from which this program was started may be gone.
    let program = env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.arg0("dyno").args(before).args(&call.words).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("error: cannot run `dyno`: {}\n", reason(&error))),
    };
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let outputs = [collected(child.stdout.take()), collected(child.stderr.take())];
    report_end(pid, events);
    let mut note = None;
    let first = arriving.recv_timeout(call.limit);
    if first != Ok(CallEvent::Ended) {
        if first.is_err() {
            let seconds = call.limit.as_secs();
            let unit = if seconds == 1 { "second" } else { "seconds" };
            note = Some(format!("stopped: it ran longer than {seconds} {unit}"));
        }
        // `dyno run` becomes its command, so the whole group gets the signals. A suspended process only reacts to
        // SIGTERM after SIGCONT.
        let _ = killpg(pid, Signal::SIGTERM);
        let _ = killpg(pid, Signal::SIGCONT);
        let deadline = Instant::now() + GRACE;
        while let Ok(event) = arriving.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if event == CallEvent::Ended {
                break;
            }
        }
    }
    // Kills what the call has left behind, and the call itself if it has not ended. This must come before `wait`: after
    // that, the pid may belong to another process.
    let _ = killpg(pid, Signal::SIGKILL);
    let status = status_of(&mut child);
    let [stdout, stderr] = outputs.map(|output| {
        let _ = output.ended.recv_timeout(AFTER_END);
        bounded(&output.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    });
    ToolOutcome { status, stdout, stderr, note }
}

/// Sends an event when a process has ended. The process stays a zombie, so that its pid is not reused.
fn report_end(pid: Pid, events: Sender<CallEvent>) {
    thread::spawn(move || {
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let _ = events.send(CallEvent::Ended);
    });
}

fn status_of(child: &mut Child) -> u8 {
    let Ok(status) = child.wait() else { return Status::Internal.code() };
    let signal = status.signal().and_then(|signal| u8::try_from(signal).ok()).map(ExitStatus::Signal);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    signal.map_or_else(|| code.unwrap_or_else(|| Status::Internal.code()), ExitStatus::shell_code)
}

/// The last bytes that a stream has delivered so far.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
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
                // One byte more than is returned shows that the beginning is missing.
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
    let line_end = bytes.iter().position(|byte| *byte == b'\n').filter(|at| at + 1 < bytes.len());
    let what = if line_end.is_some() { "earlier lines" } else { "beginning of the line" };
    let rest = String::from_utf8_lossy(bytes.get(line_end.map_or(1, |at| at + 1)..).unwrap_or_default());
    format!("[{what} omitted]\n{rest}")
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
