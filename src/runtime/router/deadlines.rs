//! Everything that happens to a connection because time has passed, with one timer for all connections: a router that has
//! nothing to do does not wake up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Something whose time can run out.
pub(super) trait Timed {
    /// Does what is due, and returns what comes next.
    fn review(&self, now: Instant) -> Option<Instant>;

    /// Its place among the others.
    fn seat(&self) -> &Cell<usize>;
}

/// All values of one type whose time can run out.
pub(super) struct Roster<T>(RefCell<Vec<Rc<T>>>);

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Timed> Roster<T> {
    pub(super) fn add(&self, member: &Rc<T>) {
        let mut members = self.0.borrow_mut();
        member.seat().set(members.len());
        members.push(Rc::clone(member));
    }

    pub(super) fn remove(&self, member: &T) {
        let mut members = self.0.borrow_mut();
        let seat = member.seat().replace(usize::MAX);
        if seat < members.len() {
            members.swap_remove(seat);
            if let Some(moved) = members.get(seat) {
                moved.seat().set(seat);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn any(&self, is_meant: impl Fn(&T) -> bool) -> bool {
        self.0.borrow().iter().any(|member| is_meant(member))
    }

    /// Does something with all, which may remove some.
    pub(super) fn each(&self, act: impl Fn(&T)) {
        let members = self.0.borrow().clone();
        for member in &members {
            act(member);
        }
    }

    /// Reviews all, and returns when the next one is due.
    pub(super) fn review(&self, now: Instant) -> Option<Instant> {
        // A review may remove members.
        let members = self.0.borrow().clone();
        members.iter().filter_map(|member| member.review(now)).min()
    }
}

/// When the next review is due.
#[derive(Default)]
pub(super) struct ReviewTime {
    at: Cell<Option<Instant>>,
    sooner: Notify,
}

impl ReviewTime {
    /// A review is due at this time at the latest.
    pub(super) fn arm(&self, at: Instant) {
        if self.at.get().is_none_or(|armed| at < armed) {
            self.at.set(Some(at));
            self.sooner.notify_one();
        }
    }

    /// Calls `review` whenever it is due, and never returns. `review` returns when the next one is.
    pub(super) async fn keep(&self, review: impl Fn(Instant) -> Option<Instant>) {
        loop {
            tokio::select! {
                () = due(self.at.get()) => self.at.set(review(Instant::now())),
                () = self.sooner.notified() => {}
            }
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
