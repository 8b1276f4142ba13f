//! A router that begins when the front door hands the first connection over (S16.7).

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::super::log_archive::LogArchive;
use super::super::log_hub::LogHub;
use super::{Router, RouterStart};
use crate::routing::RouterRules;

/// What it needs.
pub(in crate::runtime) struct LaterRouter {
    rules: RouterRules,
    archive: Option<LogArchive>,
}

impl LaterRouter {
    /// Begins a router that has sockets of its own at once. Returns it, or what another one needs.
    ///
    /// # Errors
    /// Those of [`Router::begin`].
    pub(in crate::runtime) fn or_now(
        start: Option<RouterStart>,
        hub: &LogHub,
        archive: Option<LogArchive>,
    ) -> io::Result<(Option<Rc<Router>>, Option<Self>)> {
        match start {
            None => Ok((None, None)),
            Some(start) if start.listeners.is_empty() => Ok((None, Some(Self { rules: start.rules, archive }))),
            Some(start) => Ok((Some(Router::begin(start, hub.clone(), archive)?), None)),
        }
    }

    /// How long a requested stop waits for the requests of a dyno.
    pub(in crate::runtime) fn drain(&self) -> Duration {
        self.rules.drain
    }

    /// Begins.
    ///
    /// # Errors
    /// Those of [`Router::begin`].
    pub(in crate::runtime) fn begin(self, hub: LogHub) -> io::Result<Rc<Router>> {
        Router::begin(RouterStart { listeners: Vec::new(), rules: self.rules }, hub, self.archive)
    }
}
