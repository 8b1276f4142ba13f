//! How many requests each run has, so that a stop can wait until they are answered (S16.3).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::model::RunId;

/// The requests of all runs.
#[derive(Default)]
pub(super) struct Drains {
    active: RefCell<HashMap<RunId, usize>>,
    /// The runs that are to be stopped once they have no requests.
    asked: RefCell<Vec<RunId>>,
    changed: Notify,
}

/// One request that a stop of its run waits for. Dropping it ends that.
pub(super) struct Busy {
    drains: Rc<Drains>,
    run: RunId,
}

impl Drains {
    /// A request is sent to this run.
    pub(super) fn occupy(self: &Rc<Self>, run: RunId) -> Busy {
        *self.active.borrow_mut().entry(run).or_default() += 1;
        Busy { drains: Rc::clone(self), run }
    }

    /// How many requests this run has.
    pub(super) fn of(&self, run: RunId) -> usize {
        self.active.borrow().get(&run).copied().unwrap_or_default()
    }

    /// A stop waits for this run.
    pub(super) fn ask(&self, run: RunId) {
        self.asked.borrow_mut().push(run);
        self.changed.notify_one();
    }

    /// The next run that a stop waits for and that has no requests any more. Cancel safe.
    pub(super) async fn next(&self) -> RunId {
        loop {
            if let Some(run) = self.take_done() {
                return run;
            }
            self.changed.notified().await;
        }
    }

    fn take_done(&self) -> Option<RunId> {
        let active = self.active.borrow();
        let mut asked = self.asked.borrow_mut();
        let at = asked.iter().position(|run| !active.contains_key(run))?;
        Some(asked.swap_remove(at))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let drains = &self.drains;
        let mut active = drains.active.borrow_mut();
        let Some(count) = active.get_mut(&self.run) else { return };
        *count -= 1;
        if *count == 0 {
            active.remove(&self.run);
            if !drains.asked.borrow().is_empty() {
                drains.changed.notify_one();
            }
        }
    }
}
