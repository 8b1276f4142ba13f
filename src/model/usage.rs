//! CPU time and memory of dynos.

use std::collections::HashMap;
use std::time::Duration;

/// The CPU time and memory that the processes of one dyno use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since they were started, including that of children that have ended.
    pub cpu: Duration,
    /// Memory in bytes. Memory that several processes share is counted once for each of them.
    pub memory: u64,
}

/// The usage of dynos, by the process id of their leader.
pub type Usages = HashMap<i32, Usage>;
