//! Waiting until dynos are up: a question about the snapshot.

use serde::{Deserialize, Serialize};

use super::request::target;
use super::{ApiError, RestartedDyno};
use crate::supervisor::{DynoRole, PublicState, Row, Snapshot, Target};

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
    /// How long to wait, in seconds.
    pub timeout: u64,
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
}

/// How a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitResult {
    /// All are up.
    Up,
    /// One has crashed.
    Crashed,
    /// One was stopped, or its slot is gone.
    Gone,
    /// The time is over.
    Late,
}

/// Dynos that must be up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedDynos {
    target: Target,
    /// Only a run after this one counts.
    after: Option<u64>,
}

/// When a wait is over. Evaluated whenever something has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitCondition(Vec<AwaitedDynos>);

impl WaitRequest {
    /// The condition to wait for.
    ///
    /// # Errors
    /// 404 if a name is neither that of a dyno nor that of a process type; 422 if a number is too high.
    pub fn condition(&self) -> Result<WaitCondition, ApiError> {
        if self.timeout > MAX_TIMEOUT || self.dynos.len() > MAX_AWAITED {
            let message = format!("at most {MAX_AWAITED} dynos can be waited for, for at most {MAX_TIMEOUT} seconds");
            return Err(ApiError::invalid_params(message));
        }
        let awaited = |dyno: &RestartedDyno| Ok(AwaitedDynos { target: target(&dyno.name)?, after: dyno.run });
        let mut dynos = self.dynos.iter().map(awaited).collect::<Result<Vec<_>, ApiError>>()?;
        if dynos.is_empty() {
            dynos.push(AwaitedDynos { target: Target::All, after: None });
        }
        Ok(WaitCondition(dynos))
    }
}

/// What a wait has found so far.
enum Verdict<'a> {
    Up,
    NotYet(String),
    Crashed(&'a Row),
    Gone(String),
}

impl WaitCondition {
    /// Whether the wait is over.
    #[must_use]
    pub fn is_decided(&self, snapshot: &Snapshot) -> bool {
        match self.verdict(snapshot) {
            Verdict::NotYet(_) => false,
            Verdict::Up | Verdict::Crashed(_) | Verdict::Gone(_) => true,
        }
    }

    /// How the wait ends with this snapshot; late if it is not decided.
    #[must_use]
    pub fn answer(&self, snapshot: &Snapshot) -> WaitAnswer {
        let (result, dyno, exit_status) = match self.verdict(snapshot) {
            Verdict::Up => (WaitResult::Up, None, None),
            Verdict::NotYet(dyno) => (WaitResult::Late, Some(dyno), None),
            Verdict::Crashed(row) => {
                let status = row.last_exit.map(crate::model::ExitStatus::shell_code);
                (WaitResult::Crashed, Some(row.dyno.to_string()), status)
            }
            Verdict::Gone(dyno) => (WaitResult::Gone, Some(dyno), None),
        };
        WaitAnswer { result, dyno, exit_status }
    }

    /// A crash or a dyno that is gone decides at once; one that is not up yet decides nothing.
    fn verdict<'a>(&self, snapshot: &'a Snapshot) -> Verdict<'a> {
        let mut waiting_for = None;
        for awaited in &self.0 {
            match awaited.verdict(snapshot) {
                Verdict::Up => {}
                Verdict::NotYet(dyno) => waiting_for = waiting_for.or(Some(dyno)),
                end @ (Verdict::Crashed(_) | Verdict::Gone(_)) => return end,
            }
        }
        waiting_for.map_or(Verdict::Up, Verdict::NotYet)
    }
}

impl AwaitedDynos {
    fn verdict<'a>(&self, snapshot: &'a Snapshot) -> Verdict<'a> {
        let mut waiting_for = None;
        let mut found = false;
        for row in snapshot.rows.iter().filter(|row| self.includes(row)) {
            found = true;
            match self.verdict_on(row) {
                Verdict::Up => {}
                Verdict::NotYet(dyno) => waiting_for = waiting_for.or(Some(dyno)),
                end @ (Verdict::Crashed(_) | Verdict::Gone(_)) => return end,
            }
        }
        match waiting_for {
            Some(dyno) => Verdict::NotYet(dyno),
            None if found || self.may_be_empty(snapshot) => Verdict::Up,
            None => Verdict::Gone(self.target.to_string()),
        }
    }

    fn includes(&self, row: &Row) -> bool {
        match &self.target {
            Target::All => row.role == DynoRole::Formation,
            Target::Type(process_type) => row.role == DynoRole::Formation && row.dyno.process_type == *process_type,
            Target::Dyno(dyno) => row.dyno == *dyno,
        }
    }

    /// Whether it is fine that there are no such dynos: the quantity may be 0.
    fn may_be_empty(&self, snapshot: &Snapshot) -> bool {
        match &self.target {
            Target::All => true,
            Target::Type(process_type) => snapshot.formation.iter().any(|entry| entry.process_type == *process_type),
            Target::Dyno(_) => false,
        }
    }

    fn verdict_on<'a>(&self, row: &'a Row) -> Verdict<'a> {
        let is_new_run = self.after.is_none_or(|after| row.run > after);
        match row.state {
            PublicState::Up if is_new_run => Verdict::Up,
            PublicState::Crashed if is_new_run => Verdict::Crashed(row),
            PublicState::Down if !row.wanted => Verdict::Gone(row.dyno.to_string()),
            PublicState::Up | PublicState::Crashed | PublicState::Starting | PublicState::Down => {
                Verdict::NotYet(row.dyno.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DynoName, ExitStatus, ProcessType};
    use crate::supervisor::Quantity;

    fn web() -> ProcessType {
        ProcessType::new("web").expect("a name")
    }

    fn row(index: u32, state: PublicState, run: u64) -> Row {
        Row {
            dyno: DynoName::new(web(), index),
            role: DynoRole::Formation,
            state,
            since: jiff::Timestamp::UNIX_EPOCH,
            wanted: true,
            pid: None,
            port: None,
            command: "true".into(),
            run,
            restarts: 0,
            last_exit: (state == PublicState::Crashed).then_some(ExitStatus::Code(3)),
        }
    }

    fn end(dynos: &[(&str, Option<u64>)], rows: Vec<Row>) -> (bool, WaitAnswer) {
        let dyno = |(name, run): &(&str, Option<u64>)| RestartedDyno { name: (*name).to_owned(), run: *run };
        let request = WaitRequest { dynos: dynos.iter().map(dyno).collect(), timeout: 1 };
        let condition = request.condition().expect("a condition");
        let snapshot = Snapshot { release: 1, formation: vec![Quantity { process_type: web(), quantity: 2 }], rows };
        (condition.is_decided(&snapshot), condition.answer(&snapshot))
    }

    fn result(result: WaitResult, dyno: Option<&str>) -> WaitAnswer {
        WaitAnswer { result, dyno: dyno.map(str::to_owned), exit_status: None }
    }

    #[test]
    fn s10_2_a_wait_ends_when_all_dynos_are_up() {
        use PublicState::{Starting, Up};

        let late = (false, result(WaitResult::Late, Some("web.2")));
        assert_eq!(end(&[], vec![row(1, Up, 1), row(2, Starting, 1)]), late);
        assert_eq!(end(&[("web", None)], vec![row(1, Up, 1), row(2, Starting, 1)]), late);
        let up = (true, result(WaitResult::Up, None));
        assert_eq!(end(&[], vec![row(1, Up, 1), row(2, Up, 1)]), up);
        assert_eq!(end(&[("web.1", None)], vec![row(1, Up, 1), row(2, Starting, 1)]), up);
        assert_eq!(end(&[("web", None)], vec![]), up);
    }

    #[test]
    fn s10_2_a_wait_for_a_restart_ignores_the_old_run() {
        use PublicState::{Crashed, Down, Starting, Up};

        for state in [Up, Crashed, Starting, Down] {
            let waiting = (false, result(WaitResult::Late, Some("web.1")));
            assert_eq!(end(&[("web.1", Some(1))], vec![row(1, state, 1)]), waiting, "{state}");
        }
        assert_eq!(end(&[("web.1", Some(1))], vec![row(1, Up, 2)]), (true, result(WaitResult::Up, None)));
    }

    #[test]
    fn s10_2_a_crash_or_a_stop_ends_a_wait_at_once() {
        use PublicState::{Crashed, Down, Starting};

        let crashed = WaitAnswer { exit_status: Some(3), ..result(WaitResult::Crashed, Some("web.2")) };
        assert_eq!(end(&[], vec![row(1, Starting, 1), row(2, Crashed, 1)]), (true, crashed));
        let stopped = Row { wanted: false, ..row(1, Down, 1) };
        let gone = (true, result(WaitResult::Gone, Some("web.1")));
        assert_eq!(end(&[("web.1", None)], vec![stopped]), gone);
        assert_eq!(end(&[("web.1", None)], vec![]), gone);
    }

    #[test]
    fn s10_2_a_wait_has_a_limit() {
        let wait = |timeout| WaitRequest { dynos: Vec::new(), timeout }.condition().map_err(|error| error.status);

        assert!(wait(MAX_TIMEOUT).is_ok());
        assert_eq!(wait(MAX_TIMEOUT + 1), Err(422));
    }
}
