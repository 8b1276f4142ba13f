//! What is known about an app from its start on.

use super::error::ApiError;
use super::formation_update::shortened;
use super::id::stable_id;
use super::log_session::LogLook;
use super::tcp_access::TcpAccess;

/// The facts about an app that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFacts {
    /// Its name (S10.3).
    pub name: String,
    /// The directory it was started from. Its id depends on this.
    pub root: String,
    /// Its address, `http://127.0.0.1:5000`: that of its router, or of its web process type if it has one.
    pub url: Option<String>,
    /// The owner: `user@localhost`.
    pub email: String,
    /// When it was started.
    pub started_at: jiff::Timestamp,
    /// How its log is shown.
    pub look: LogLook,
    /// How clients reach it over TCP. None: they cannot.
    pub tcp: Option<TcpAccess>,
}

impl AppFacts {
    /// The id of the app.
    #[must_use]
    pub fn id(&self) -> String {
        app_id(&self.root, &self.name)
    }

    /// The id of its owner.
    pub(super) fn owner_id(&self) -> String {
        owner_id(&self.email)
    }

    /// Checks the name or id in a path.
    pub(super) fn check(&self, name: &str) -> Result<(), ApiError> {
        if name == self.name || name == self.id() {
            return Ok(());
        }
        let hint = format!("the app that runs here is `{}`", self.name);
        Err(ApiError::not_found(format!("there is no app `{}` here", shortened(name))).with_hint(hint))
    }
}

/// The id of an app.
pub(super) fn app_id(root: &str, name: &str) -> String {
    stable_id(&["app", root, name])
}

/// The id of a user.
pub(super) fn owner_id(email: &str) -> String {
    stable_id(&["user", email])
}
