//! Carries out each change once, even if its request is sent again (S10.3).

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::api::{ApiAnswer, ApiError, Arrival, ReplayKey, Replays};

/// The changes of the last minute.
pub(super) struct Changes {
    replays: RefCell<Replays>,
    /// A change was answered, for requests that repeat it.
    answered: Notify,
    began: Instant,
}

/// A change that is being carried out. When it is dropped, requests that repeat the change get its answer.
struct Running {
    changes: Rc<Changes>,
    key: Option<ReplayKey>,
    /// The answer so far: if the change panics, it does not get another one.
    answer: ApiAnswer,
}

impl Changes {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { replays: RefCell::default(), answered: Notify::new(), began: Instant::now() })
    }

    /// Carries out a change, unless its request repeats an earlier one. Returns the answer to the first of them.
    pub(super) async fn once(
        self: &Rc<Self>,
        key: Option<ReplayKey>,
        change: impl Future<Output = ApiAnswer> + 'static,
    ) -> Result<ApiAnswer, ApiError> {
        while let Some(key) = &key {
            // Before the look, so that no answer between the two is missed.
            let mut answered = pin!(self.answered.notified());
            answered.as_mut().enable();
            let seen = self.replays.borrow_mut().begin(key, self.began.elapsed());
            match seen {
                Arrival::Answered(answer) => return Ok(answer),
                Arrival::Running => answered.await,
                Arrival::New => break,
            }
        }
        let mut running = Running { changes: Rc::clone(self), key, answer: ApiError::ending().answer() };
        // A task of its own: a change is made completely even if this client goes away, and its answer is remembered.
        let carried_out = spawn_local(async move {
            running.answer = change.await;
            running.answer.clone()
        });
        carried_out.await.map_err(|_| ApiError::ending())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let Changes { replays, answered, began } = &*self.changes;
        replays.borrow_mut().finish(key, &self.answer, began.elapsed());
        answered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{LocalSet, yield_now};

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        LocalSet::new().block_on(&tokio, future)
    }

    fn key() -> Option<ReplayKey> {
        ReplayKey::new(Some("ID1"), "PATCH", "/apps/app/formation")
    }

    fn answer() -> ApiAnswer {
        ApiAnswer { status: 200, body: b"scaled".to_vec() }
    }

    #[test]
    fn s10_3_a_repeated_request_waits_for_the_answer_to_the_first() {
        block_on(async {
            let changes = Changes::new();
            let first = changes.once(key(), async {
                yield_now().await;
                answer()
            });
            let repeated = changes.once(key(), async { panic!("carried out again") });

            let answers = tokio::join!(first, repeated);

            assert_eq!(answers, (Ok(answer()), Ok(answer())));
        });
    }

    #[test]
    fn s10_3_a_repeated_request_is_answered_if_the_change_panics() {
        block_on(async {
            let changes = Changes::new();
            let first = changes.once(key(), async {
                yield_now().await;
                panic!("a bug")
            });
            let repeated = changes.once(key(), async { panic!("carried out again") });

            let answers = tokio::join!(first, repeated);

            assert_eq!(answers, (Err(ApiError::ending()), Ok(ApiError::ending().answer())));
        });
    }
}
