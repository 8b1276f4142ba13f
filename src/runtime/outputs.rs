//! The output tasks of all dynos: one appears with the first notice or run of a dyno, and goes when the dyno was removed and
//! all its output is shown. A new dyno of the same name takes it over, so that its lines come after the old ones.
//!
//! Passes orders on. What they do is in `output`.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::log_hub::LogHub;
use super::output::Output;
use super::output_orders::{Backlog, Order, OrderQueue, OutputEvent};
use crate::logs::{LogBlock, Source};
use crate::model::{DynoName, PtySize};

/// The task of one dyno.
struct OutputTask {
    orders: UnboundedSender<Order>,
    size: Rc<Cell<Option<PtySize>>>,
    unshown_ends: Backlog,
}

/// The output tasks that exist.
pub(super) struct Outputs {
    hub: LogHub,
    tasks_of: HashMap<DynoName, OutputTask>,
    /// The dynos that were removed and may have a task.
    retired: Vec<DynoName>,
    /// The orders that the tasks have not carried out.
    backlog: Backlog,
    tasks: JoinSet<()>,
    /// Each task has a copy.
    sender: UnboundedSender<OutputEvent>,
    events: UnboundedReceiver<OutputEvent>,
    /// The dyno whose output is shown raw.
    shown_raw: Option<DynoName>,
}

impl Outputs {
    pub(super) fn new(hub: LogHub, shown_raw: Option<DynoName>) -> Self {
        let (tasks_of, backlog, tasks) = (HashMap::new(), Backlog::default(), JoinSet::new());
        let (retired, (sender, events)) = (Vec::new(), unbounded_channel());
        Self { hub, tasks_of, retired, backlog, tasks, sender, events, shown_raw }
    }

    /// Makes sure that a dyno has an output.
    pub(super) fn open(&mut self, dyno: &DynoName) {
        if self.tasks_of.contains_key(dyno) {
            self.retired.retain(|retired| retired != dyno);
            return;
        }
        self.forget_retired();
        let (sender, orders) = unbounded_channel();
        let (backlog, unshown_ends, events) = (self.backlog.clone(), Backlog::default(), self.sender.clone());
        let size = Rc::new(Cell::new(None));
        let queue = OrderQueue { orders, backlog, size: Rc::clone(&size), unshown_ends: unshown_ends.clone(), events };
        let output = Output::new(dyno.clone(), self.hub.clone(), queue);
        let is_shown_raw = self.shown_raw.as_ref() == Some(dyno);
        self.tasks.spawn_local(output.shown_raw(is_shown_raw).run());
        self.tasks_of.insert(dyno.clone(), OutputTask { orders: sender, size, unshown_ends });
    }

    /// Gives an order to the output of a dyno, which must exist: else its lines would be lost, or the dyno would block.
    pub(super) fn order(&self, dyno: &DynoName, order: Order) {
        let Some(task) = self.tasks_of.get(dyno) else {
            debug_assert!(false, "an order to the output of {dyno}, which does not exist");
            let bytes = format!("bug: the output of {dyno} does not exist, so a line is missing\n").into_bytes();
            let time = jiff::Timestamp::now();
            self.hub.notice(LogBlock { source: Source::System, time, bytes, continued: false });
            return;
        };
        if order.is_end() {
            task.unshown_ends.add();
        }
        // Always succeeds: the task ends only when this sender is dropped.
        if task.orders.send(order).is_ok() {
            self.backlog.add();
        }
    }

    /// The terminal of a dyno has this size now.
    pub(super) fn resize(&self, dyno: &DynoName, size: PtySize) {
        if let Some(task) = self.tasks_of.get(dyno)
            && task.size.replace(Some(size)).is_none()
        {
            self.order(dyno, Order::Resize);
        }
    }

    /// Whether all output of the earlier runs of a dyno of this name is shown.
    pub(super) fn is_ready(&self, dyno: &DynoName) -> bool {
        self.tasks_of.get(dyno).is_none_or(|task| task.unshown_ends.is_empty())
    }

    /// The next report of a task. Cancel safe.
    pub(super) async fn next(&mut self) -> OutputEvent {
        match self.events.recv().await {
            Some(event) => event,
            // Never: a sender is here.
            None => std::future::pending().await,
        }
    }

    /// A dyno was removed: its task ends some time after it has carried out its orders.
    pub(super) fn retire(&mut self, dyno: &DynoName) {
        self.forget_retired();
        if self.tasks_of.contains_key(dyno) {
            self.order(dyno, Order::Retire);
            self.retired.push(dyno.clone());
        }
    }

    fn forget_retired(&mut self) {
        let tasks_of = &mut self.tasks_of;
        self.retired.retain(|dyno| {
            let has_output = tasks_of.get(dyno).is_some_and(|task| !task.unshown_ends.is_empty());
            if !has_output {
                tasks_of.remove(dyno);
            }
            has_output
        });
        while self.tasks.try_join_next().is_some() {}
    }

    /// Lets the tasks carry out their orders, as long as they make progress.
    pub(super) async fn carry_out_orders(&self) {
        self.backlog.carry_out().await;
    }

    /// Ends all tasks once they have shown what is left.
    pub(super) fn close(&mut self) {
        self.tasks_of.clear();
    }

    /// Whether all tasks have ended.
    pub(super) fn are_closed(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until a task ends. None: all have ended.
    pub(super) async fn next_closed(&mut self) -> Option<()> {
        self.tasks.join_next().await.map(|_| ())
    }
}
