//! A release as a value, and the complete specification of every dyno that can run on it.
//!
//! Pure: the same [`Blueprint`] describes any dyno at any time, whether it runs from the start or is added later.
//! `commands` builds it from files and options; `supervisor` asks it for dynos.

mod blueprint;
mod facts;
mod one_off;
#[cfg(test)]
mod tests;

use crate::app::{Layers, Procfile, StartOrder, WatchList};

pub use blueprint::{Blueprint, BlueprintError, DynoStreams, HttpChecks, Listeners, MovedPort, RunSettings, app_url};
pub use facts::ReleaseFacts;
pub use one_off::OneOff;

/// What runs and how: process types, config vars and the rules about them, with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its number, from 1.
    pub version: u32,
    /// The user who created it, such as a login name.
    pub user: String,
    /// What created it, such as `Deploy 60a874b3`. None: the log does not say, for example because there is no commit.
    pub description: Option<String>,
    /// Its process types with their commands, including the release command.
    pub procfile: Procfile,
    /// Its config vars, layer by layer.
    pub layers: Layers,
    /// Which process types start after others (S6.12).
    pub order: StartOrder,
    /// Which process types restart when files change (S14.3).
    pub watch: WatchList,
}

impl Release {
    /// The user if no name is known.
    pub const LOCAL_USER: &str = "local";

    /// The first release of a start. Its process types start in any order, and none restarts when files change.
    #[must_use]
    pub fn first(user: String, procfile: Procfile, layers: Layers) -> Self {
        let (order, watch) = (StartOrder::default(), WatchList::default());
        Self { version: 1, user, description: None, procfile, layers, order, watch }
    }
}
