//! One request at a time dials a dyno that has not listened yet. The others wait for what it finds out (S16.3).

use std::cell::RefCell;

use super::Router;
use super::exchange::Exchange;
use crate::routing::ChoiceInput;

/// The runs that are being tried.
#[derive(Default)]
pub(super) struct Trials(RefCell<Vec<u64>>);

/// The turn of one request to try a run. Dropping it gives the turn to another.
pub(super) struct Trial<'a> {
    router: &'a Router,
    run: u64,
}

impl Trials {
    /// Those that this request may not try, because another one does.
    pub(super) fn of_others(&self, own: &[Trial<'_>]) -> Vec<u64> {
        let is_own = |run: &u64| own.iter().any(|trial| trial.run == *run);
        self.0.borrow().iter().copied().filter(|run| !is_own(run)).collect()
    }

    pub(super) fn has(&self, run: u64) -> bool {
        self.0.borrow().contains(&run)
    }
}

impl<'a> Trial<'a> {
    pub(super) fn begin(router: &'a Router, run: u64) -> Self {
        router.trials.0.borrow_mut().push(run);
        Self { router, run }
    }
}

impl Router {
    /// Learns what other requests have found out. Those that still try are not done.
    pub(super) fn learn_trials(&self, input: &mut ChoiceInput) {
        let (now, quarantine) = (self.now(), self.quarantine.borrow());
        for run in std::mem::take(&mut input.left_to_others) {
            if !self.trials.has(run) && quarantine.until(run, now).is_some() {
                input.note_refusal(run, false, true, now);
            }
        }
    }

    /// A dyno that another request has tried for this one is the one that it was for.
    pub(super) fn name_tried(&self, input: &ChoiceInput, exchange: &Exchange) {
        let runs = [&input.left_to_others[..], &input.tried_early].concat();
        let backends = self.backends.borrow();
        let tried = backends.values().flat_map(|backends| &backends.0).find(|backend| runs.contains(&backend.run));
        if let Some(backend) = tried.filter(|_| exchange.entry.borrow().dyno.is_none()) {
            exchange.try_dyno(backend);
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.router.trials.0.borrow_mut().retain(|run| *run != self.run);
        self.router.changed.notify_waiters();
    }
}
