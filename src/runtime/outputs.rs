//! The output tasks of all dynos: one appears with the first notice or run of a dyno, and goes when the dyno is removed.
//!
//! Passes orders on. What they do is in `output`.

use std::collections::HashMap;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::log_hub::LogHub;
use super::output::{AtPrompt, Backlog, Order, Output};
use crate::model::DynoName;
use crate::supervisor::FocusAdvice;

/// The output tasks that exist.
pub(super) struct Outputs {
    hub: LogHub,
    orders: HashMap<DynoName, UnboundedSender<Order>>,
    /// The orders that the tasks have not carried out.
    backlog: Backlog,
    tasks: JoinSet<()>,
    prompts: UnboundedSender<AtPrompt>,
    /// The dyno whose output is shown raw.
    shown_raw: Option<DynoName>,
    focus_advice: FocusAdvice,
}

impl Outputs {
    pub(super) fn new(
        hub: LogHub,
        shown_raw: Option<DynoName>,
        focus_advice: FocusAdvice,
        prompts: UnboundedSender<AtPrompt>,
    ) -> Self {
        let (orders, backlog, tasks) = (HashMap::new(), Backlog::default(), JoinSet::new());
        Self { hub, orders, backlog, tasks, prompts, shown_raw, focus_advice }
    }

    /// Makes sure that a dyno has an output.
    pub(super) fn open(&mut self, dyno: &DynoName) {
        if self.orders.contains_key(dyno) {
            return;
        }
        // Those of removed dynos that have ended.
        while self.tasks.try_join_next().is_some() {}
        let (sender, orders) = unbounded_channel();
        let output = Output::new(dyno.clone(), self.hub.clone(), orders, self.backlog.clone(), self.prompts.clone());
        let is_shown_raw = self.shown_raw.as_ref() == Some(dyno);
        self.tasks.spawn_local(output.shown_raw(is_shown_raw, self.focus_advice).run());
        self.orders.insert(dyno.clone(), sender);
    }

    /// Gives an order to the output of a dyno, which must exist: its lines would be lost, or the dyno would block.
    pub(super) fn order(&self, dyno: &DynoName, order: Order) {
        let Some(output) = self.orders.get(dyno) else {
            debug_assert!(false, "an order to the output of {dyno}, which does not exist");
            return;
        };
        // Always succeeds: the task ends only when this sender is dropped.
        if output.send(order).is_ok() {
            self.backlog.add();
        }
    }

    /// A dyno was removed: its task ends when it has carried out its orders.
    pub(super) fn retire(&mut self, dyno: &DynoName) {
        self.orders.remove(dyno);
    }

    /// Lets the tasks carry out their orders, as long as they make progress.
    pub(super) async fn work_off(&self) {
        self.backlog.work_off().await;
    }

    /// Ends all tasks once they have shown what is left.
    pub(super) fn close(&mut self) {
        self.orders.clear();
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
