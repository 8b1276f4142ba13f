//! What a router needs from the run loop.

use super::Router;
use crate::model::RunId;

/// One thing that it needs.
pub(in crate::runtime) enum RouterWish {
    /// This run may be stopped: it has answered its requests.
    Stop(RunId),
    /// The first request waits for a dyno, or the last one does not any more: whether it matters which dynos
    /// listen has changed (S6.2).
    Look,
}

impl RouterWish {
    /// The next one. Never returns without a router. Cancel safe.
    pub(in crate::runtime) async fn next(router: Option<&Router>) -> Self {
        let Some(router) = router else { return std::future::pending().await };
        tokio::select! {
            run = router.drains.next() => Self::Stop(run),
            () = router.interest_changed.notified() => Self::Look,
        }
    }
}
