//! What front ends ask of a running formation: commands, its state, and to be notified of a state.
//!
//! Passes commands on to the supervisor and each reply back. Decides nothing, and does nothing while it is idle: waits are
//! checked only after something has happened, including that a client has gone away.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::TcpStream;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::attach::dyno_terminal::DynoTerminal;
use super::attach::terminal_calls::NoTerminal;
use super::client_run::attached_run::AttachedRun;
use super::run_loop::Runtime;
use crate::api::{WaitAnswer, WaitCondition};
use crate::model::{DynoName, RunId};
use crate::supervisor::{Command, Event, Refusal, Reply, RequestId, Snapshot};

/// The most calls that are sent but not received yet. Further callers wait.
const MAX_CALLS: usize = 64;

/// One call. Its sender ends without an answer if everything has ended meanwhile.
pub(super) enum ApiCall {
    /// Do something.
    Command(Command, oneshot::Sender<Result<Reply, Refusal>>),
    /// The state of all dynos now.
    Snapshot(oneshot::Sender<Snapshot>),
    /// The same, once the archive has the lines of all requests that the router has answered.
    SnapshotOfLog(oneshot::Sender<Snapshot>),
    /// Write this to the log, and answer.
    Say(String, oneshot::Sender<()>),
    /// Serve a connection that the front door has accepted. The answer: whether that is done.
    TakeOver {
        /// The connection.
        socket: TcpStream,
        /// What was read of it.
        first: Vec<u8>,
        /// The answer.
        answer: oneshot::Sender<bool>,
    },
    /// Answer as soon as the archive has everything that the dynos wrote before this call.
    Settle(oneshot::Sender<()>),
    /// The run of a one-off dyno whose streams belong to a client.
    TakeAttached(DynoName, oneshot::Sender<Option<Rc<AttachedRun>>>),
    /// The client of this run has come, so it begins.
    BeginAttached(Rc<AttachedRun>, oneshot::Sender<()>),
    /// The terminal of a dyno.
    Terminal(DynoName, oneshot::Sender<Result<Rc<DynoTerminal>, NoTerminal>>),
    /// The size that is wanted for the terminal of a dyno has changed.
    FitTerminal {
        /// Whose.
        dyno: DynoName,
        /// Answered when the terminal has its size.
        done: Option<oneshot::Sender<()>>,
    },
    /// A key was pressed that means this signal.
    SignalTerminal {
        /// For which run.
        run: RunId,
        /// The number of the signal.
        signal: i32,
        /// Answered when the signal is on its way.
        done: oneshot::Sender<()>,
    },
    /// The state of all dynos as soon as a condition holds. Dropping the receiver ends the wait.
    Wait {
        /// The condition. It sees every state from now on.
        is_decided: Box<dyn FnMut(&Snapshot) -> bool>,
        /// Whether it depends on whether a dyno listens.
        depends_on: Box<dyn Fn(&DynoName) -> bool>,
        /// The first state in which it holds.
        answer: oneshot::Sender<Snapshot>,
    },
}

/// What a front end has done.
pub(super) enum FrontEnd {
    /// It has made a call.
    Called(ApiCall),
    /// It does not wait any more. [`Calls::answer_waits`] then forgets its wait.
    Left,
}

/// Where front ends send their calls.
pub(super) type ApiCaller = mpsc::Sender<ApiCall>;

/// Makes a call and waits for its answer. None: everything has ended.
pub(super) async fn ask<T>(caller: &ApiCaller, call: impl FnOnce(oneshot::Sender<T>) -> ApiCall) -> Option<T> {
    let (sender, answer) = oneshot::channel();
    caller.send(call(sender)).await.ok()?;
    answer.await.ok()
}

/// How a wait for dynos ends: as soon as it is decided, or after `limit`. None: everything has ended.
pub(super) async fn wait(caller: &ApiCaller, condition: WaitCondition, limit: Duration) -> Option<WaitAnswer> {
    let condition = Rc::new(RefCell::new(condition));
    let (until, awaited) = (Rc::clone(&condition), Rc::clone(&condition));
    let is_decided = Box::new(move |snapshot: &Snapshot| until.borrow_mut().is_decided(snapshot));
    let depends_on = Box::new(move |dyno: &DynoName| awaited.borrow().depends_on(dyno));
    let decided = ask(caller, |answer| ApiCall::Wait { is_decided, depends_on, answer });
    let snapshot = match timeout(limit, decided).await {
        Ok(snapshot) => snapshot?,
        Err(_) => ask(caller, ApiCall::Snapshot).await?,
    };
    let answer = condition.borrow().answer(&snapshot);
    Some(answer)
}

/// A wait whose condition does not hold yet.
struct OpenWait {
    is_decided: Box<dyn FnMut(&Snapshot) -> bool>,
    depends_on: Box<dyn Fn(&DynoName) -> bool>,
    answer: oneshot::Sender<Snapshot>,
}

/// The calls that are not answered yet.
pub(super) struct Calls {
    incoming: mpsc::Receiver<ApiCall>,
    commands: HashMap<RequestId, oneshot::Sender<Result<Reply, Refusal>>>,
    last_id: u64,
    waits: Vec<OpenWait>,
}

impl Calls {
    pub(super) fn new() -> (ApiCaller, Self) {
        let (caller, incoming) = mpsc::channel(MAX_CALLS);
        (caller, Self { incoming, commands: HashMap::new(), last_id: 0, waits: Vec::new() })
    }

    /// What a front end does next. None: there are no front ends. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<FrontEnd> {
        let Self { incoming, waits, .. } = self;
        let has_left = |context: &mut Context<'_>| {
            let is_over = waits.iter_mut().any(|wait| wait.answer.poll_closed(context).is_ready());
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        };
        tokio::select! {
            call = incoming.recv() => call.map(FrontEnd::Called),
            // Otherwise what is done only for waits, such as probes, would go on until something else happens.
            () = poll_fn(has_left) => Some(FrontEnd::Left),
        }
    }

    /// The request for a command.
    fn request(&mut self, command: Command, answer: oneshot::Sender<Result<Reply, Refusal>>) -> Event {
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.commands.insert(id, answer);
        Event::Request { id, command }
    }

    /// Passes on the reply to a request. The front end may be gone.
    pub(super) fn reply(&mut self, request: RequestId, result: Result<Reply, Refusal>) {
        let answer = self.commands.remove(&request);
        debug_assert!(answer.is_some(), "a second reply to request {}", request.0);
        if let Some(answer) = answer {
            let _ = answer.send(result);
        }
    }

    /// Whether a wait depends on whether this dyno listens.
    pub(super) fn depend_on(&self, dyno: &DynoName) -> bool {
        self.waits.iter().any(|wait| (wait.depends_on)(dyno))
    }

    /// Takes the waits that were sent and not received yet: the last event may have decided them, too.
    pub(super) fn take_waits(&mut self) {
        while let Ok(call) = self.incoming.try_recv() {
            if let ApiCall::Wait { is_decided, depends_on, answer } = call {
                self.waits.push(OpenWait { is_decided, depends_on, answer });
            }
        }
    }

    /// The run ends: all calls that are not answered end without an answer, and so do all later ones.
    pub(super) fn end(&mut self) {
        self.incoming.close();
        while self.incoming.try_recv().is_ok() {}
        self.commands.clear();
        self.waits.clear();
    }

    /// Answers the waits whose condition holds.
    pub(super) fn answer_waits(&mut self, snapshot: impl FnOnce() -> Snapshot) {
        self.waits.retain(|wait| !wait.answer.is_closed());
        if self.waits.is_empty() {
            return;
        }
        let snapshot = snapshot();
        for wait in self.waits.extract_if(.., |wait| (wait.is_decided)(&snapshot)) {
            let _ = wait.answer.send(snapshot.clone());
        }
    }
}

impl Runtime {
    pub(super) async fn take_call(&mut self, call: ApiCall) {
        match call {
            ApiCall::Command(_, answer) if self.smoke.is_some() => drop(answer.send(Err(Refusal::Smoke))),
            ApiCall::Command(command, answer) => match self.check_added(&command) {
                Ok(()) => {
                    let request = self.calls.request(command, answer);
                    self.events.push_back(request);
                }
                Err(refusal) => drop(answer.send(Err(refusal))),
            },
            ApiCall::Snapshot(answer) => {
                let _ = answer.send(self.supervisor.snapshot());
            }
            ApiCall::SnapshotOfLog(answer) => {
                if let Some(router) = &self.router {
                    router.settle_log();
                }
                let _ = answer.send(self.supervisor.snapshot());
            }
            ApiCall::TakeAttached(dyno, answer) => {
                let _ = answer.send(self.attached.take(&dyno));
            }
            // The loop sends its spawn after this.
            ApiCall::BeginAttached(attached, answer) => {
                attached.meet();
                let _ = answer.send(());
            }
            ApiCall::Say(text, answer) => {
                for line in text.lines() {
                    self.system_line(line.to_owned());
                }
                let _ = answer.send(());
            }
            ApiCall::TakeOver { socket, first, answer } => {
                let _ = answer.send(self.take_over(socket, first));
            }
            ApiCall::Settle(answer) => {
                self.outputs.carry_out_orders().await;
                let _ = answer.send(());
            }
            ApiCall::Terminal(dyno, answer) => {
                let _ = answer.send(self.terminal_of(&dyno));
            }
            ApiCall::FitTerminal { dyno, done } => {
                self.fit_terminal(&dyno);
                let _ = done.map(|done| done.send(()));
            }
            ApiCall::SignalTerminal { run, signal, done } => {
                self.signal_terminal(run, signal);
                let _ = done.send(());
            }
            ApiCall::Wait { is_decided, depends_on, answer } => {
                self.calls.waits.push(OpenWait { is_decided, depends_on, answer });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;
    use crate::supervisor::Target;

    fn snapshot(release: u32) -> Snapshot {
        Snapshot { release, ..Snapshot::default() }
    }

    #[test]
    fn s10_2_each_command_gets_its_own_reply() {
        let (_, mut calls) = Calls::new();
        let (sender, mut first) = oneshot::channel();
        calls.request(Command::Restart(Target::All, None), sender);
        let (sender, mut second) = oneshot::channel();
        calls.request(Command::Stop(Target::All, None), sender);

        calls.reply(RequestId(2), Ok(Reply::Stopping(Vec::new())));

        assert!(first.try_recv().is_err());
        assert_eq!(second.try_recv(), Ok(Ok(Reply::Stopping(Vec::new()))));
    }

    #[test]
    fn a_wait_is_answered_once_its_condition_holds() {
        let (_, mut calls) = Calls::new();
        let (sender, mut answer) = oneshot::channel();
        calls.waits.push(OpenWait {
            is_decided: Box::new(|snapshot| snapshot.release == 2),
            depends_on: Box::new(|_| true),
            answer: sender,
        });

        calls.answer_waits(|| snapshot(1));
        assert!(answer.try_recv().is_err());
        calls.answer_waits(|| snapshot(2));

        assert_eq!(answer.try_recv(), Ok(snapshot(2)));
    }

    #[test]
    fn s10_6_a_wait_that_is_not_received_before_the_end_is_answered() {
        let (caller, mut calls) = Calls::new();
        let (sender, mut answer) = oneshot::channel();
        let wait = ApiCall::Wait { is_decided: Box::new(|_| true), depends_on: Box::new(|_| true), answer: sender };
        assert!(caller.try_send(wait).is_ok());

        calls.take_waits();
        calls.answer_waits(|| snapshot(1));
        calls.end();

        assert_eq!(answer.try_recv(), Ok(snapshot(1)));
    }

    #[test]
    fn s10_3_no_call_waits_for_the_end_of_the_flush() {
        let (caller, mut calls) = Calls::new();
        let (sender, mut command) = oneshot::channel();
        calls.request(Command::Stop(Target::All, None), sender);
        let (sender, mut wait) = oneshot::channel();
        calls.waits.push(OpenWait { is_decided: Box::new(|_| false), depends_on: Box::new(|_| true), answer: sender });
        let (sender, mut unread) = oneshot::channel();
        assert!(caller.try_send(ApiCall::Snapshot(sender)).is_ok());

        calls.end();

        assert!(matches!(command.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(matches!(wait.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(matches!(unread.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(caller.is_closed());
    }

    #[test]
    fn s6_2_a_client_that_stops_waiting_wakes_the_run_loop() {
        let (_caller, mut calls) = Calls::new();
        let (sender, staying) = oneshot::channel();
        calls.waits.push(OpenWait { is_decided: Box::new(|_| false), depends_on: Box::new(|_| false), answer: sender });
        let (sender, leaving) = oneshot::channel();
        calls.waits.push(OpenWait { is_decided: Box::new(|_| false), depends_on: Box::new(|_| true), answer: sender });
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

        let woken = tokio.block_on(async {
            let leave = async move {
                yield_now().await;
                drop(leaving);
            };
            tokio::join!(calls.next(), leave).0
        });
        calls.answer_waits(|| snapshot(1));

        assert!(matches!(woken, Some(FrontEnd::Left)));
        assert_eq!(calls.waits.len(), 1);
        drop(staying);
    }

    #[test]
    fn a_wait_whose_client_is_gone_costs_no_snapshot() {
        let (_, mut calls) = Calls::new();
        let (sender, answer) = oneshot::channel();
        calls.waits.push(OpenWait { is_decided: Box::new(|_| true), depends_on: Box::new(|_| true), answer: sender });
        drop(answer);

        calls.answer_waits(|| panic!("nothing waits for a snapshot"));

        assert!(calls.waits.is_empty());
    }
}
