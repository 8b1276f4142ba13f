//! Waiting for dynos: until they are up, or until they have ended. A question about the snapshot.

mod awaited_runs;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::awaited_runs::AwaitedRuns;
use self::rows::{culprit, is_at_rest, is_leaving, release_command};
use super::request::target;
use super::{ApiError, RestartedDyno};
use crate::model::{DynoName, ExitStatus};
use crate::supervisor::{DynoRole, LifeStage, PublicState, Row, Snapshot, StartPhase, Target};

/// After this long, a line says what a wait is for.
pub const SILENT_FOR: Duration = Duration::from_secs(5);
/// The longest wait in seconds: a day.
const MAX_TIMEOUT: u64 = 86_400;
/// The most dynos and types that one request can wait for.
const MAX_AWAITED: usize = 10_000;

/// The body of `POST /dyno/wait`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitRequest {
    /// The dynos to wait for, or process types in their place. Empty: the whole formation.
    #[serde(default)]
    pub dynos: Vec<RestartedDyno>,
    /// What to wait for.
    #[serde(default)]
    pub until: WaitUntil,
    /// How long to wait, in seconds.
    pub timeout: u64,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitUntil {
    /// All are up; those that are expected to listen do so, and answer if they must (S6.2).
    #[default]
    Up,
    /// All have ended, and nothing of them is left.
    Exit,
    /// One has crashed or is gone. The wait goes on if all of them are up.
    Failure,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitAnswer {
    /// How it ended.
    pub result: WaitResult,
    /// The dyno that decided it, or one that is not up in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dyno: Option<String>,
    /// The status of its last run, as a shell would report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<u8>,
    /// Whether the wait is for its end: it was scaled down, or it is the release command, which everything waits for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// The process id of its leader, if it is alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The port on which it should listen, if only that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Why it was not started, although it should have been: `db.1 has crashed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevented: Option<String>,
    /// The last line that it wrote, if that may explain the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_words: Option<String>,
}

/// How a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitResult {
    /// All are up.
    Up,
    /// All have ended. The dyno is the first whose status is not 0.
    Ended,
    /// One has crashed.
    Crashed,
    /// One was stopped, has ended as allowed, or its slot is gone.
    Gone,
    /// The time limit was reached.
    Late,
}

/// Dynos to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedDynos {
    target: Target,
    /// Only a later run than this one satisfies the wait.
    after: Option<u64>,
}

/// When a wait is over. Evaluated whenever something has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitCondition {
    dynos: Vec<AwaitedDynos>,
    until: WaitUntil,
    /// The runs whose end it waits for.
    runs: AwaitedRuns,
}

impl WaitRequest {
    /// The condition to wait for.
    ///
    /// # Errors
    /// 404 if a name is neither that of a dyno nor that of a process type; 422 if a number is too high.
    pub fn condition(&self) -> Result<WaitCondition, ApiError> {
        if self.timeout > MAX_TIMEOUT || self.dynos.len() > MAX_AWAITED {
            let message = format!("a wait can name at most {MAX_AWAITED} dynos and last at most {MAX_TIMEOUT} seconds");
            return Err(ApiError::invalid_params(message));
        }
        let awaited = |dyno: &RestartedDyno| Ok(AwaitedDynos { target: target(&dyno.name)?, after: dyno.run });
        // Each is looked at whenever something happens, so none is kept twice.
        let mut seen = HashSet::new();
        let once = self.dynos.iter().filter(|dyno| seen.insert((&dyno.name, dyno.run)));
        let mut dynos = once.map(awaited).collect::<Result<Vec<_>, ApiError>>()?;
        if dynos.is_empty() {
            dynos.push(AwaitedDynos::ALL);
        }
        Ok(WaitCondition { dynos, until: self.until, runs: AwaitedRuns::default() })
    }
}

/// What a wait has found so far.
enum WaitVerdict<'a> {
    /// The wait was successful. Contains the dyno if one has ended with a status other than 0.
    Done(Option<&'a Row>),
    /// Not yet. The dyno has no row if it does not exist yet.
    NotYet(String, Option<&'a Row>),
    Crashed(&'a Row),
    Gone(String, Option<&'a Row>),
}

impl WaitVerdict<'_> {
    fn is_final(&self) -> bool {
        match self {
            Self::Crashed(_) | Self::Gone(..) => true,
            Self::Done(_) | Self::NotYet(..) => false,
        }
    }
}

impl WaitCondition {
    /// The whole formation is up.
    #[must_use]
    pub fn all_up() -> Self {
        Self { dynos: vec![AwaitedDynos::ALL], until: WaitUntil::Up, runs: AwaitedRuns::default() }
    }

    /// Whether the wait is over. Must see every snapshot, in order.
    #[must_use]
    pub fn is_decided(&mut self, snapshot: &Snapshot) -> bool {
        self.observe(snapshot);
        match self.verdict(snapshot) {
            WaitVerdict::NotYet(..) => false,
            WaitVerdict::Done(_) => self.until != WaitUntil::Failure,
            WaitVerdict::Crashed(_) | WaitVerdict::Gone(..) => true,
        }
    }

    /// Remembers which runs have ended.
    fn observe(&mut self, snapshot: &Snapshot) {
        if self.until != WaitUntil::Exit {
            return;
        }
        let is_awaited = |row: &&Row| self.dynos.iter().any(|awaited| awaited.includes(row, self.until));
        snapshot.rows.iter().filter(is_awaited).for_each(|row| self.runs.observe(row));
    }

    /// Whether it depends on whether this dyno listens.
    #[must_use]
    pub fn depends_on(&self, dyno: &DynoName) -> bool {
        self.until == WaitUntil::Up && self.dynos.iter().any(|awaited| awaited.target.includes(dyno))
    }

    /// How the wait ends with this snapshot; late if it is not decided.
    #[must_use]
    pub fn answer(&self, snapshot: &Snapshot) -> WaitAnswer {
        let of_row = |result, row: &Row| WaitAnswer {
            exit_status: row.last_exit.map(ExitStatus::shell_code),
            ..WaitAnswer::about(result, Some(row.dyno.to_string()))
        };
        match self.verdict(snapshot) {
            WaitVerdict::Done(_) if self.until != WaitUntil::Exit => WaitAnswer::about(WaitResult::Up, None),
            WaitVerdict::Done(None) => WaitAnswer::about(WaitResult::Ended, None),
            WaitVerdict::Done(Some(row)) => WaitAnswer {
                exit_status: self.runs.end_of(row).map(ExitStatus::shell_code),
                ..of_row(WaitResult::Ended, row)
            },
            WaitVerdict::NotYet(dyno, row) => {
                let runs = |row: &Row| matches!(row.life.stage, LifeStage::Booting | LifeStage::Up);
                let is_silent = |row: &&Row| runs(row) && !row.life.is_ready() && !row.life.listens;
                WaitAnswer {
                    leaving: row.is_some_and(|row| row.role == DynoRole::Release || is_leaving(row, snapshot)),
                    pid: row.and_then(|row| row.pid),
                    port: row.filter(is_silent).and_then(|row| row.life.expected_port),
                    ..WaitAnswer::about(WaitResult::Late, Some(dyno))
                }
            }
            WaitVerdict::Crashed(row) => of_row(WaitResult::Crashed, row),
            WaitVerdict::Gone(dyno, row) => {
                // The status of a dyno that was stopped says nothing.
                let unrequested = row.and_then(|row| row.life.ends.first()).filter(|end| !end.requested);
                let exit_status = unrequested.map(|end| end.exit.shell_code());
                let dyno = Some(dyno).filter(|dyno| !dyno.is_empty());
                let prevented = row.and_then(|row| row.prevented.as_ref()).map(ToString::to_string);
                WaitAnswer { exit_status, prevented, ..WaitAnswer::about(WaitResult::Gone, dyno) }
            }
        }
    }

    /// A crash or a dyno that is gone decides at once; one that is not up yet decides nothing.
    fn verdict<'a>(&self, snapshot: &'a Snapshot) -> WaitVerdict<'a> {
        let mut verdict = WaitVerdict::Done(None);
        for awaited in &self.dynos {
            verdict = joined(verdict, self.verdict_on(awaited, snapshot));
            if verdict.is_final() {
                break;
            }
        }
        match verdict {
            // Nothing else starts before the release command has ended.
            WaitVerdict::NotYet(dyno, row) if self.until == WaitUntil::Up => match release_command(snapshot) {
                Some(release) => WaitVerdict::NotYet(release.dyno.to_string(), Some(release)),
                None => WaitVerdict::NotYet(dyno, row),
            },
            // If the crash of a dyno stopped the others, that crash explains more than the stop of the others.
            WaitVerdict::Gone(dyno, row) => match culprit(snapshot) {
                Some(culprit) => WaitVerdict::Crashed(culprit),
                None => WaitVerdict::Gone(dyno, row),
            },
            WaitVerdict::Done(_) | WaitVerdict::NotYet(..) | WaitVerdict::Crashed(_) => verdict,
        }
    }

    fn verdict_on<'a>(&self, awaited: &AwaitedDynos, snapshot: &'a Snapshot) -> WaitVerdict<'a> {
        let mut verdict = None;
        for row in snapshot.rows.iter().filter(|row| awaited.includes(row, self.until)) {
            let of_row = match self.until {
                WaitUntil::Up | WaitUntil::Failure if awaited.means_type() && is_leaving(row, snapshot) => {
                    WaitVerdict::NotYet(row.dyno.to_string(), Some(row))
                }
                WaitUntil::Up => awaited.verdict_on(row, snapshot.phase, row.life.is_ready()),
                WaitUntil::Failure => awaited.verdict_on(row, snapshot.phase, false),
                WaitUntil::Exit => self.verdict_on_end(row, snapshot.phase),
            };
            verdict = Some(joined_to(verdict, of_row));
        }
        // Now the dynos that have ended and are removed. If a process type was named, dynos that were scaled down long
        // ago do not matter.
        let is_dyno = matches!(awaited.target, Target::Dyno(_));
        let removed = snapshot.removed.iter().filter(|_| self.until == WaitUntil::Exit);
        let removed = removed.filter(|row| is_dyno || row.role != DynoRole::Formation);
        for row in removed.filter(|row| awaited.includes(row, self.until)) {
            verdict = Some(joined_to(verdict, verdict_on_removed(row)));
        }
        match verdict {
            Some(verdict) => verdict,
            None if awaited.may_be_empty(snapshot) => WaitVerdict::Done(None),
            None => WaitVerdict::Gone(awaited.name(), None),
        }
    }

    fn verdict_on_end<'a>(&self, row: &'a Row, phase: StartPhase) -> WaitVerdict<'a> {
        match self.runs.end_of(row) {
            Some(exit) => WaitVerdict::Done((!exit.is_success()).then_some(row)),
            None if row.state == PublicState::Down && !row.wanted && phase != StartPhase::Release && row.run == 0 => {
                WaitVerdict::Gone(row.dyno.to_string(), Some(row))
            }
            None => WaitVerdict::NotYet(row.dyno.to_string(), Some(row)),
        }
    }
}

impl WaitAnswer {
    /// The dyno whose last words explain it.
    #[must_use]
    pub fn needs_last_words(&self) -> Option<&str> {
        match self.result {
            WaitResult::Crashed | WaitResult::Ended | WaitResult::Late => self.dyno.as_deref(),
            // The last words of a dyno that was stopped explain nothing.
            WaitResult::Gone => self.dyno.as_deref().filter(|_| self.exit_status.is_some()),
            WaitResult::Up => None,
        }
    }

    fn about(result: WaitResult, dyno: Option<String>) -> Self {
        Self {
            result,
            dyno,
            exit_status: None,
            leaving: false,
            pid: None,
            port: None,
            prevented: None,
            last_words: None,
        }
    }
}

/// The verdict on two dynos: the first that is not up, or the first that failed.
fn joined<'a>(first: WaitVerdict<'a>, second: WaitVerdict<'a>) -> WaitVerdict<'a> {
    match (&first, &second) {
        (_, WaitVerdict::Crashed(_) | WaitVerdict::Gone(..))
        | (WaitVerdict::Done(None), _)
        | (WaitVerdict::Done(_), WaitVerdict::NotYet(..)) => second,
        (WaitVerdict::NotYet(..) | WaitVerdict::Crashed(_) | WaitVerdict::Gone(..) | WaitVerdict::Done(Some(_)), _) => {
            first
        }
    }
}

fn joined_to<'a>(first: Option<WaitVerdict<'a>>, second: WaitVerdict<'a>) -> WaitVerdict<'a> {
    match first {
        Some(first) => joined(first, second),
        None => second,
    }
}

impl AwaitedDynos {
    /// The whole formation.
    const ALL: Self = Self { target: Target::All, after: None };

    /// The name in messages. Empty: everything.
    fn name(&self) -> String {
        match &self.target {
            Target::All => String::new(),
            Target::Type(_) | Target::Dyno(_) => self.target.to_string(),
        }
    }

    fn means_type(&self) -> bool {
        match self.target {
            Target::Type(_) => true,
            Target::All | Target::Dyno(_) => false,
        }
    }

    fn includes(&self, row: &Row, until: WaitUntil) -> bool {
        match &self.target {
            // A dyno that was stopped, or has ended as allowed, is not missing.
            Target::All => row.role == DynoRole::Formation && !is_at_rest(row),
            // The release command is never up, but it ends.
            Target::Type(_) if until != WaitUntil::Exit && row.role == DynoRole::Release => false,
            Target::Type(_) | Target::Dyno(_) => self.target.includes(&row.dyno),
        }
    }

    /// Whether it is fine that there are no such dynos: the quantity may be 0.
    fn may_be_empty(&self, snapshot: &Snapshot) -> bool {
        match &self.target {
            Target::All => snapshot.phase != StartPhase::Stopping,
            Target::Type(process_type) => snapshot.formation.iter().any(|entry| entry.process_type == *process_type),
            Target::Dyno(_) => false,
        }
    }

    fn verdict_on<'a>(&self, row: &'a Row, phase: StartPhase, is_ready: bool) -> WaitVerdict<'a> {
        let is_new_run = self.after.is_none_or(|after| row.run > after);
        match row.state {
            PublicState::Up if is_new_run && is_ready => WaitVerdict::Done(None),
            PublicState::Crashed if is_new_run => WaitVerdict::Crashed(row),
            // In the release phase nothing is wanted yet.
            PublicState::Down if !row.wanted && phase != StartPhase::Release => {
                WaitVerdict::Gone(row.dyno.to_string(), Some(row))
            }
            PublicState::Up | PublicState::Crashed | PublicState::Starting | PublicState::Down => {
                WaitVerdict::NotYet(row.dyno.to_string(), Some(row))
            }
        }
    }
}

/// The verdict of a wait for the end of a dyno that is removed.
fn verdict_on_removed(row: &Row) -> WaitVerdict<'_> {
    match row.last_exit {
        Some(exit) => WaitVerdict::Done((!exit.is_success()).then_some(row)),
        None => WaitVerdict::Gone(row.dyno.to_string(), Some(row)),
    }
}
