//! The lines about dynos that wait for others (S6.12). Pure: `order` decides which ones wait.

use std::fmt;
use std::time::Duration;

use crate::app::Until;
use crate::model::{DynoName, ExitStatus};

use super::order::HoldStage;
use super::slot::Turn;
use super::{NoticeKind, Supervisor, ended};

/// Time from the beginning of a wait to the first line about it. Most waits end earlier.
pub(super) const FIRST_REPORT: Duration = Duration::from_secs(5);

/// Time from one such line to the next.
const BETWEEN_REPORTS: Duration = Duration::from_secs(30);

/// The largest number of dynos that one line names.
const MOST_NAMED: usize = 3;

/// A dyno that others wait for, and what it has not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingDyno {
    /// The dyno.
    pub dyno: DynoName,
    /// What it must do.
    pub until: Until,
    /// The ports on which it listens.
    pub found: Vec<u16>,
}

/// Why a dyno that waited is not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prevented {
    /// The dyno that it waited for.
    pub by: DynoName,
    /// Why that wait is over.
    pub why: Unmet,
}

/// Why a dyno will not do what others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// It has crashed and is not restarted.
    Crashed,
    /// It was stopped on request.
    Stopped,
    /// It ended by itself, as it is allowed to.
    Ended(ExitStatus),
    /// It was not started either.
    NotStarted,
    /// One of its processes cannot be killed.
    CannotBeKilled,
}

impl fmt::Display for MissingDyno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dyno, until, found } = self;
        write!(f, "{dyno} {until}")?;
        if found.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = found.iter().map(u16::to_string).collect();
        write!(f, " (it listens on {})", found.join(", "))
    }
}

impl Prevented {
    /// The exit status of the other dyno, if that is the reason.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        match self.why {
            Unmet::Ended(exit) => Some(exit),
            Unmet::Crashed | Unmet::Stopped | Unmet::NotStarted | Unmet::CannotBeKilled => None,
        }
    }
}

impl fmt::Display for Prevented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = &self.by;
        match self.why {
            Unmet::Crashed => write!(f, "{by} has crashed"),
            Unmet::Stopped => write!(f, "{by} was stopped"),
            Unmet::Ended(exit) => write!(f, "{by} {}", ended(exit)),
            Unmet::NotStarted => write!(f, "{by} was not started"),
            Unmet::CannotBeKilled => write!(f, "{by} could not be killed"),
        }
    }
}

/// `web.1 to listen`, `web.1 to listen, db.1 to start and 2 more`.
pub(super) fn missing_text(missing: &[MissingDyno]) -> String {
    let named: Vec<String> = missing.iter().take(MOST_NAMED).map(MissingDyno::to_string).collect();
    let more = missing.len().saturating_sub(MOST_NAMED);
    match (more, named.split_last()) {
        (0, Some((last, others))) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        (0, _) => named.concat(),
        (more, _) => format!("{} and {more} more", named.join(", ")),
    }
}

impl Supervisor {
    /// When the next line about a wait is due.
    pub(super) fn order_report_due(&self) -> impl Iterator<Item = Duration> {
        self.holds.iter().filter_map(|hold| match hold.stage {
            HoldStage::Waiting { report_at } => Some(report_at),
            HoldStage::Closed | HoldStage::Open => None,
        })
    }

    /// Announces what each waiting process type waits for, if that is due.
    pub(super) fn report_waits(&mut self, turn: &mut Turn) {
        let now = turn.now.mono;
        for at in 0..self.holds.len() {
            let Some(hold) = self.holds.get_mut(at) else { continue };
            match hold.stage {
                HoldStage::Waiting { report_at } if report_at <= now => {
                    hold.stage = HoldStage::Waiting { report_at: now.saturating_add(BETWEEN_REPORTS) };
                    let process_type = hold.process_type.clone();
                    let missing = self.missing(&process_type);
                    turn.announce(NoticeKind::HeldBack { process_type, missing });
                }
                HoldStage::Waiting { .. } | HoldStage::Closed | HoldStage::Open => {}
            }
        }
    }
}
