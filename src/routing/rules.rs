//! What the options decide about the router of one start.

use std::time::Duration;

/// How the router of one start answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterRules {
    /// The name of the app, as in `APP.localhost`.
    pub app: String,
    /// The port that clients connect to.
    pub port: u16,
    /// Names that reach the app besides those below `localhost`.
    pub hosts: Vec<String>,
    /// How long a request waits while no dyno is up but one is starting (S16.3).
    pub hold: Duration,
    /// How long a requested stop waits for the requests of a dyno (S16.3).
    pub drain: Duration,
    /// Whether the time-outs of the platform end a request, or only write a line (S16.4).
    pub enforces_timeouts: bool,
    /// Whether its limits and headers are those of the platform.
    pub is_platform: bool,
    /// Whether its log lines are those of the platform.
    pub writes_platform_lines: bool,
}

#[cfg(test)]
impl RouterRules {
    /// Those of an app without options.
    pub(crate) fn plain() -> Self {
        Self {
            app: "shop".to_owned(),
            port: 5000,
            hosts: Vec::new(),
            hold: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            enforces_timeouts: false,
            is_platform: false,
            writes_platform_lines: false,
        }
    }
}
