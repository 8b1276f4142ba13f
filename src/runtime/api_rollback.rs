//! Answers a request to run an earlier release again (S15.2), and one to wait until a release has turned out.
//!
//! Not here: which releases can be rolled back to, and what that changes (`supervisor`).

use std::rc::Rc;

use super::api_reload::problems;
use super::api_server::{ApiServer, Connection, MAX_WAITING};
use super::calls::ApiCall;
use crate::api::{ApiAnswer, ApiError, ReleaseKey, ReloadResult};
use crate::error::Complaint;
use crate::supervisor::{Command, Reply, Snapshot, rolled_back};

impl ApiServer {
    /// Accepts a rollback. The answer does not wait for a release command, like that of the platform.
    pub(super) async fn rollback(self: &Rc<Self>, key: &ReleaseKey) -> Result<ApiAnswer, ApiError> {
        let before = self.ask(ApiCall::Snapshot).await?;
        let info = self.app.found_release(key, &before)?;
        let version = info.version;
        let accepted =
            self.accept(&info.deploy.added_types(), |elsewhere| Command::Rollback { version, elsewhere }).await;
        self.release_unused();
        let (reply, notes) = accepted?;
        let accepted = match reply {
            Reply::Deploying { version, .. } => Some(version),
            Reply::Unchanged | Reply::Scaled(_) | Reply::Restarting(_) | Reply::Stopping(_) | Reply::Started(_) => None,
        };
        let after = self.ask(ApiCall::Snapshot).await?;
        Ok(ApiAnswer::created(&self.app.rolled_back(accepted, problems(&notes), &after)))
    }

    /// Answers when the formation runs on a release or goes on as before.
    pub(super) async fn await_release(&self, key: &ReleaseKey, connection: &Connection) -> Result<ApiAnswer, ApiError> {
        let snapshot = self.ask(ApiCall::Snapshot).await?;
        let info = self.app.found_release(key, &snapshot)?;
        if self.count_waiting() >= MAX_WAITING {
            return Err(ApiError::unavailable(format!("{MAX_WAITING} clients are waiting already")));
        }
        self.wait_apart(connection);
        let mut answer = self.until_settled(info.version, &info.difference).await?;
        if answer.result == ReloadResult::Succeeded {
            let after = self.ask(ApiCall::Snapshot).await?;
            answer.notes = problems(left_alone(info.version, &after).as_slice());
        }
        Ok(ApiAnswer::ok(&answer))
    }
}

/// The files that say something other than this release, if it is a rollback and runs.
fn left_alone(version: u32, snapshot: &Snapshot) -> Option<Complaint> {
    let to = snapshot.rolled_back_to().filter(|_| snapshot.release == version)?;
    let files = snapshot.facts.different_files(&snapshot.files);
    (!files.is_empty()).then(|| Complaint::new(rolled_back(to, &files), ""))
}
