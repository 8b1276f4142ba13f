//! Keeps the last lines of every dyno for the report of a smoke test.
//!
//! The log thread writes them; `commands` reads them at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::logs::{LogBlock, Source, Tail};
use crate::model::DynoName;

/// Cheap to clone; all clones see the same lines.
#[derive(Debug, Clone, Default)]
pub struct Tails(Arc<Mutex<HashMap<DynoName, Tail>>>);

impl Tails {
    /// Adds lines that a dyno wrote; ignores notices.
    pub(super) fn push(&self, block: &LogBlock) {
        match &block.source {
            Source::App(dyno) => {
                let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(tail) = tails.get_mut(dyno) {
                    tail.push(block);
                } else {
                    tails.entry(dyno.clone()).or_default().push(block);
                }
            }
            Source::Notice(_) | Source::System | Source::Router => {}
        }
    }

    /// The last lines of a dyno, oldest first.
    #[must_use]
    pub fn of(&self, dyno: &DynoName) -> Vec<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(dyno).map(Tail::lines).unwrap_or_default()
    }
}
