//! Turns a resource, or the reply to a command, into the bytes of an answer.

use std::sync::Arc;

use serde::Serialize;

use super::app_resource::StateResource;
use super::error::ApiError;
use super::formation_update::shortened;
use super::request::{Change, Resource, ShownAs};
use super::resources::{AccountResource, DynoResource, FormationResource, RateLimitResource, TouchedDynos};
use super::tcp_access::TcpAccess;
use super::{AppFacts, AppResource, ReleaseResource, RoutesResource};
use crate::model::{DynoName, Secret, Usages};
use crate::release::ReleaseFacts;
use crate::supervisor::{Refusal, Reply, Snapshot};

/// A complete answer: always JSON, and always sent with its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl ApiAnswer {
    /// The answer 200 with this value.
    #[must_use]
    pub fn ok(value: &impl Serialize) -> Self {
        Self::json(200, value)
    }

    /// The answer 201 with this value.
    #[must_use]
    pub fn created(value: &impl Serialize) -> Self {
        Self::json(201, value)
    }

    /// Writes a value as JSON.
    pub(super) fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status, body },
            // Cannot happen with our own types: their keys are strings.
            Err(_) => Self { status: 500, body: br#"{"id":"internal_server_error","message":"no answer"}"#.to_vec() },
        }
    }
}

impl AppFacts {
    /// The answer to a request for a resource. `usages`: what the dynos use, if the answer
    /// [`shows_usage`](Resource::shows_usage).
    #[must_use]
    pub fn answer(&self, resource: &Resource, snapshot: &Snapshot, usages: &Usages) -> ApiAnswer {
        let formation = || FormationResource::all(self, &snapshot.facts, &snapshot.formation);
        match resource {
            Resource::Account => ApiAnswer::json(200, &AccountResource::new(self)),
            Resource::RateLimit => ApiAnswer::json(200, &RateLimitResource::NONE),
            Resource::TcpAccess => found_or(self.tcp.as_ref().map(TcpAccess::resource), || {
                ApiError::not_found("the app was started without `--api`")
            }),
            Resource::Apps => ApiAnswer::json(200, &[AppResource::new(self, snapshot)]),
            Resource::App => ApiAnswer::json(200, &AppResource::new(self, snapshot)),
            Resource::State => ApiAnswer::json(200, &StateResource::new(snapshot)),
            Resource::Routes => ApiAnswer::json(200, &RoutesResource::new(snapshot)),
            Resource::EmptyList => ApiAnswer::json(200, &[(); 0]),
            Resource::Dynos => ApiAnswer::json(200, &DynoResource::all(self, snapshot, usages)),
            Resource::Dyno(name) => {
                let found = DynoResource::all(self, snapshot, usages).into_iter().find(|dyno| dyno.name == *name);
                found_or(found, || ApiError::not_found(format!("there is no dyno `{}`", shortened(name))))
            }
            Resource::Formation => ApiAnswer::json(200, &formation()),
            Resource::FormationOf(name) => {
                let found = formation().into_iter().find(|entry| entry.process_type == *name);
                found_or(found, || unknown_type(name))
            }
            Resource::ConfigVars => ApiAnswer::json(200, &config_object(&snapshot.facts)),
            Resource::Releases(range) => ApiAnswer::json(200, &range.apply(ReleaseResource::all(self, snapshot))),
            Resource::Release(key) => match self.found_release(key, snapshot) {
                Ok(info) => ApiAnswer::json(200, &ReleaseResource::with_types(self, info, snapshot)),
                Err(error) => error.answer(),
            },
            Resource::ReleaseConfigVars(key) => match self.found_release(key, snapshot) {
                Ok(info) => ApiAnswer::json(200, &config_object(&info.facts())),
                Err(error) => error.answer(),
            },
        }
    }

    /// The answer to a client that gets the streams of a one-off dyno at this address.
    #[must_use]
    pub fn attached(&self, dyno: &DynoName, after: &Snapshot, attach_url: String) -> ApiAnswer {
        let attach_url = Some(attach_url);
        ApiAnswer::created(&DynoResource { attach_url, ..DynoResource::of_one_off(self, dyno, Some(after)) })
    }

    /// The answer to a change that the supervisor has accepted or refused. `after`: the state after that, if the run loop
    /// still answers.
    #[must_use]
    pub fn answer_change(
        &self,
        change: &Change,
        result: &Result<Reply, Refusal>,
        after: Option<&Snapshot>,
    ) -> ApiAnswer {
        match result {
            Ok(Reply::Scaled(formation)) => {
                let facts = after.map(|snapshot| Arc::clone(&snapshot.facts)).unwrap_or_default();
                let formation = FormationResource::all(self, &facts, formation);
                match &change.shown_as {
                    ShownAs::Formation | ShownAs::Touched => ApiAnswer::json(200, &formation),
                    ShownAs::FormationOf(name) => {
                        let found = formation.into_iter().find(|entry| entry.process_type == *name);
                        found_or(found, || unknown_type(name))
                    }
                }
            }
            Ok(Reply::Restarting(dynos)) => ApiAnswer::json(202, &TouchedDynos::restarting(dynos)),
            Ok(Reply::Deploying { version, .. }) => {
                ApiAnswer::created(&after.map(|snapshot| self.rolled_back(Some(*version), Vec::new(), snapshot)))
            }
            Ok(Reply::Unchanged) => {
                ApiAnswer::created(&after.map(|snapshot| self.rolled_back(None, Vec::new(), snapshot)))
            }
            Ok(Reply::Stopping(dynos)) => ApiAnswer::json(202, &TouchedDynos::stopping(dynos)),
            Ok(Reply::Started(dyno)) => ApiAnswer::json(201, &DynoResource::of_one_off(self, dyno, after)),
            Err(refusal) => {
                let is_update = match change.shown_as {
                    ShownAs::Formation => true,
                    ShownAs::FormationOf(_) | ShownAs::Touched => false,
                };
                ApiError::of_refusal(refusal, is_update).answer()
            }
        }
    }
}

/// The config vars as one flat object. JSON has only text: bytes that are not UTF-8 are replaced.
fn config_object(release: &ReleaseFacts) -> serde_json::Map<String, serde_json::Value> {
    let text = |value: &Secret| String::from_utf8_lossy(value.reveal()).into_owned();
    release.config_vars.iter().map(|(key, value)| (key.clone(), text(value).into())).collect()
}

fn unknown_type(name: &str) -> ApiError {
    ApiError::not_found(format!("the Procfile has no process type `{}`", shortened(name)))
}

fn found_or<T: Serialize>(found: Option<T>, or: impl FnOnce() -> ApiError) -> ApiAnswer {
    found.map_or_else(|| or().answer(), |found| ApiAnswer::json(200, &found))
}
