//! What the processes of a dyno use.

use std::collections::HashMap;
use std::time::Duration;

/// What the processes of one dyno use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since they were started, with that of their children that have ended.
    pub cpu: Duration,
    /// Memory in bytes. What several processes share is counted for each of them.
    pub memory: u64,
}

/// The usage of dynos, by the process id of their leader.
pub type Usages = HashMap<i32, Usage>;
