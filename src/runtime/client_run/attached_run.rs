//! The runs whose streams belong to clients of the API (S17.3). The run loop opens the streams and reports how the run goes;
//! the session of the client takes both. It does not begin before its client has come.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;

use crate::model::{DynoName, RunId, RunReport};
use crate::supervisor::{NOT_STARTED, VANISHED};

/// Our side of the streams of a run.
pub(in crate::runtime) struct RunStreams {
    /// The master of its terminal, or the reading end of its pipe.
    pub(in crate::runtime) output: Receiver,
    /// The writing end of its stdin. None: that is its terminal.
    pub(in crate::runtime) input: Option<OwnedFd>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AttachedStage {
    Starting,
    Open,
    /// Its leader has ended with this status, as a shell shows it.
    Exited(u8),
}

/// One run.
pub(in crate::runtime) struct AttachedRun {
    streams: RefCell<Option<RunStreams>>,
    stage: watch::Sender<AttachedStage>,
    is_met: Cell<bool>,
    is_gone: Cell<bool>,
    failure: RefCell<Option<String>>,
}

impl AttachedRun {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            streams: RefCell::default(),
            stage: watch::Sender::new(AttachedStage::Starting),
            is_met: Cell::default(),
            is_gone: Cell::default(),
            failure: RefCell::default(),
        })
    }

    /// Its client has come, so it may begin.
    pub(in crate::runtime) fn meet(&self) {
        self.is_met.set(true);
    }

    fn spawned(&self) {
        self.stage.send_if_modified(|stage| {
            let is_first = *stage == AttachedStage::Starting;
            if is_first {
                *stage = AttachedStage::Open;
            }
            is_first
        });
    }

    fn exited(&self, status: u8) {
        self.stage.send_if_modified(|stage| match stage {
            AttachedStage::Starting | AttachedStage::Open => {
                *stage = AttachedStage::Exited(status);
                true
            }
            AttachedStage::Exited(_) => false,
        });
    }

    /// Nothing more will be known of it: it never began, or it is gone and its exit was not reported.
    fn lost(&self) {
        let status = if self.is_open() { VANISHED } else { NOT_STARTED };
        self.exited(status.shell_code());
    }

    /// Its streams, once its program has them: before that, a key such as Ctrl-C would be lost. None: it never began, or
    /// they were taken.
    pub(in crate::runtime) async fn streams(&self) -> Option<RunStreams> {
        let _ = self.stage.subscribe().wait_for(|stage| *stage != AttachedStage::Starting).await;
        self.streams.borrow_mut().take()
    }

    /// Closes the streams, unless a session has taken them.
    pub(in crate::runtime) fn hang_up(&self) {
        self.streams.borrow_mut().take();
    }

    /// Whether nothing of it is left. Its name may belong to another dyno then.
    pub(in crate::runtime) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// Why it could not be started.
    pub(in crate::runtime) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Whether its leader runs.
    pub(in crate::runtime) fn is_open(&self) -> bool {
        *self.stage.borrow() == AttachedStage::Open
    }

    /// Whether its leader has ended.
    pub(in crate::runtime) fn has_exited(&self) -> bool {
        matches!(*self.stage.borrow(), AttachedStage::Exited(_))
    }

    /// The status of its leader, once that has ended.
    pub(in crate::runtime) async fn status(&self) -> u8 {
        let mut stages = self.stage.subscribe();
        match stages.wait_for(|stage| matches!(stage, AttachedStage::Exited(_))).await.as_deref() {
            Ok(AttachedStage::Exited(status)) => *status,
            // Never: the sender is here.
            Ok(AttachedStage::Starting | AttachedStage::Open) | Err(_) => NOT_STARTED.shell_code(),
        }
    }
}

/// The runs that have not ended, and those that no session has taken yet.
#[derive(Default)]
pub(in crate::runtime) struct AttachedRuns {
    living: HashMap<RunId, Rc<AttachedRun>>,
    untaken: HashMap<DynoName, Rc<AttachedRun>>,
}

impl AttachedRuns {
    /// A run will begin.
    pub(in crate::runtime) fn expect(&mut self, run: RunId, dyno: &DynoName) {
        let attached = AttachedRun::new();
        self.living.insert(run, Rc::clone(&attached));
        self.untaken.insert(dyno.clone(), attached);
    }

    /// Whether this run may begin. Those of other dynos wait for no client.
    pub(in crate::runtime) fn may_begin(&self, run: RunId) -> bool {
        self.living.get(&run).is_none_or(|attached| attached.is_met.get())
    }

    /// Its streams exist.
    pub(in crate::runtime) fn open(&mut self, run: RunId, streams: RunStreams) {
        if let Some(attached) = self.living.get(&run) {
            *attached.streams.borrow_mut() = Some(streams);
        }
    }

    pub(in crate::runtime) fn follow(&mut self, run: RunId, report: &RunReport) {
        match report {
            RunReport::Exited { exit, .. } => {
                if let Some(attached) = self.living.get(&run) {
                    attached.exited(exit.shell_code());
                }
            }
            RunReport::SpawnFailed(_) | RunReport::Gone => {
                if let Some(attached) = self.living.remove(&run) {
                    attached.is_gone.set(true);
                    if let RunReport::SpawnFailed(why) = report {
                        *attached.failure.borrow_mut() = Some(why.to_string());
                    }
                    attached.lost();
                }
            }
            RunReport::Spawned { .. } => {
                if let Some(attached) = self.living.get(&run) {
                    attached.spawned();
                }
            }
            RunReport::LeftBehind { .. } | RunReport::Unkillable { .. } => {}
        }
    }

    /// Takes the run of a dyno, for the session of its client.
    pub(in crate::runtime) fn take(&mut self, dyno: &DynoName) -> Option<Rc<AttachedRun>> {
        self.untaken.remove(dyno)
    }
}

impl Drop for AttachedRuns {
    fn drop(&mut self) {
        // Nothing follows them any more.
        self.living.values().for_each(|attached| attached.lost());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::net::unix::pipe::pipe;

    use super::*;
    use crate::model::{ExitStatus, ProcessType};

    #[tokio::test]
    async fn s17_3_nothing_is_typed_before_the_program_has_its_terminal() {
        let (mut runs, run) = (AttachedRuns::default(), RunId(1));
        let dyno = DynoName::new(ProcessType::new("run").unwrap(), 1);
        runs.expect(run, &dyno);
        let attached = runs.take(&dyno).unwrap();
        let (_writer, output) = pipe().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut streams = pin!(attached.streams());

        runs.open(run, RunStreams { output, input: None });
        assert!(streams.as_mut().poll(&mut context).is_pending());
        runs.follow(run, &RunReport::Spawned { pid: 1 });

        assert!(matches!(streams.as_mut().poll(&mut context), Poll::Ready(Some(_))));
    }

    #[tokio::test]
    async fn s11_1_a_leader_that_vanished_did_not_fail_to_start() {
        let dyno = DynoName::new(ProcessType::new("run").unwrap(), 1);
        let status_after = async |reports: Vec<RunReport>| {
            let (mut runs, run) = (AttachedRuns::default(), RunId(1));
            runs.expect(run, &dyno);
            let attached = runs.take(&dyno).unwrap();
            for report in &reports {
                runs.follow(run, report);
            }
            drop(runs);
            attached.status().await
        };
        let exited = RunReport::Exited { exit: ExitStatus::Code(3), left: Vec::new() };

        assert_eq!(status_after(vec![RunReport::Spawned { pid: 1 }, RunReport::Gone]).await, 137);
        assert_eq!(status_after(vec![RunReport::Spawned { pid: 1 }]).await, 137);
        assert_eq!(status_after(vec![RunReport::Spawned { pid: 1 }, exited, RunReport::Gone]).await, 3);
        assert_eq!(status_after(vec![RunReport::Gone]).await, 126);
        assert_eq!(status_after(Vec::new()).await, 126);
    }
}
