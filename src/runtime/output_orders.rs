//! What the run loop orders from the output task of a dyno, and how far the task is.
//!
//! Only counts and passes on; `output` carries the orders out.

use std::cell::Cell;
use std::rc::Rc;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;

use super::attach::dyno_terminal::DynoTerminal;
use crate::logs::LineMode;
use crate::model::{PtySize, RunId};
use crate::supervisor::FocusAdvice;

/// An order from the run loop to the task. The queue needs no bound: each run adds a few orders, and the next one is not
/// spawned before the end of the last one is shown.
pub(super) enum Order {
    /// A new run has started: read this stream from now on. `Close` has closed the stream of the previous run.
    /// Everything is also recorded for clients that look at its terminal, if it has one.
    /// A full screen is reported with this advice.
    Open { run: RunId, stream: Rc<Receiver>, mode: LineMode, terminal: Option<RunTerminal>, advice: FocusAdvice },
    /// The terminal of the run has a new size: that in the queue.
    Resize,
    /// The leader of this run has exited: show everything that has been read, because notices about that follow.
    LeaderExited(RunId),
    /// Show a notice about the dyno, after everything that the dyno has written so far.
    Notice(String),
    /// Show a line about the whole formation, after the earlier notices.
    SystemLine(String),
    /// Write this text unchanged, after the earlier orders.
    Mark(String),
    /// This run is gone: show what is left in its stream and close it.
    Close(RunId),
    /// The dyno was removed: show what is left and close its files. A new dyno of the same name may follow.
    Retire,
}

/// The terminal of a run.
pub(super) struct RunTerminal {
    /// That of its dyno.
    pub(super) terminal: Rc<DynoTerminal>,
    pub(super) size: PtySize,
}

impl Order {
    /// Whether a run or the dyno ends with this order.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Close(_) | Self::Retire => true,
            Self::Open { .. }
            | Self::LeaderExited(_)
            | Self::Resize
            | Self::Notice(_)
            | Self::SystemLine(_)
            | Self::Mark(_) => false,
        }
    }
}

/// What a task reports to the run loop.
pub(super) enum OutputEvent {
    /// The unfinished line of a run is the prompt of a debugger.
    AtPrompt(RunId),
    /// The output of a run has stopped in the middle of a line. It may wait for someone to type.
    Still(RunId),
    /// The output of a run or of a removed dyno is shown completely.
    EndShown,
}

/// Counts the orders that have not been carried out yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Rc<Cell<usize>>);

impl Backlog {
    /// Counts an order that was sent.
    pub(super) fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }

    fn remove(&self) {
        self.0.set(self.0.get().saturating_sub(1));
    }

    /// Lets the tasks carry out their orders, as long as they make progress. With a slow terminal they make none, and waiting
    /// for them could take forever.
    pub(super) async fn carry_out(&self) {
        let mut before = usize::MAX;
        while (1..before).contains(&self.0.get()) {
            before = self.0.get();
            yield_now().await;
        }
    }
}

/// Where the task gets its orders from, and the counters of those that it has not carried out.
pub(super) struct OrderQueue {
    pub(super) orders: UnboundedReceiver<Order>,
    pub(super) backlog: Backlog,
    /// The newest size that was ordered and not seen yet. Only one order waits for it, however often a client changes it.
    pub(super) size: Rc<Cell<Option<PtySize>>>,
    /// The ends of runs and of the dyno among its orders.
    pub(super) unshown_ends: Backlog,
    /// At the end of everything, the run loop does not listen any more.
    pub(super) events: UnboundedSender<OutputEvent>,
}

impl OrderQueue {
    /// An order was carried out.
    pub(super) fn done(&self, was_end: bool) {
        self.backlog.remove();
        if was_end {
            self.unshown_ends.remove();
            let _ = self.events.send(OutputEvent::EndShown);
        }
    }
}
