//! Answers a request to change config vars (S15.3): edits the `.env` of the app, then makes a release of it.

use std::rc::Rc;

use super::api_server::{ApiServer, Connection};
use super::calls::ApiCall;
use crate::api::{ApiAnswer, ApiError, ReloadResult, Resource};
use crate::model::{EnvChange, Usages};

impl ApiServer {
    /// Makes the changes, and answers with all config vars when the formation runs on them.
    pub(super) async fn change_config(
        self: &Rc<Self>,
        changes: Vec<EnvChange>,
        connection: &Connection,
    ) -> Result<ApiAnswer, ApiError> {
        if !changes.is_empty() {
            self.edit(changes).await?;
            let answer = self.reload_files(connection).await?;
            match answer.result {
                ReloadResult::Unchanged | ReloadResult::Succeeded | ReloadResult::Superseded => {}
                ReloadResult::Failed => {
                    let version = answer.version;
                    let message =
                        format!("the file is changed, but release v{version} failed: its command {}", answer.ending());
                    return Err(ApiError::invalid_params(message).with_hint(answer.lines.join("\n")));
                }
                ReloadResult::Invalid => {
                    let problem = answer.problems.into_iter().next();
                    let (message, hint) = problem.map(|problem| (problem.message, problem.hint)).unwrap_or_default();
                    let message = format!("the file is changed, but cannot be applied: {message}");
                    return Err(ApiError::invalid_params(message).with_hint(hint));
                }
            }
        }
        let snapshot = self.ask(ApiCall::Snapshot).await?;
        Ok(self.app.answer(&Resource::ConfigVars, &snapshot, &Usages::new()))
    }

    /// Changes the file, to its end even if the client is gone.
    async fn edit(&self, changes: Vec<EnvChange>) -> Result<(), ApiError> {
        let Some(files) = self.reload.clone() else {
            return Err(ApiError::conflict("a smoke test reads its files only once"));
        };
        // The disk may be slow.
        let edited = tokio::task::spawn_blocking(move || (files.change)(&changes));
        let edited = edited.await.map_err(|_| ApiError::unavailable("the file could not be changed"))?;
        edited.map_err(|error| {
            let complaint = error.complaints().first();
            let (fact, hint) =
                complaint.map(|complaint| (complaint.fact.clone(), complaint.hint.clone())).unwrap_or_default();
            ApiError::invalid_params(fact).with_hint(hint)
        })
    }
}
