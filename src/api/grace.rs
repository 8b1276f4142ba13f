//! The grace that a request to restart or stop dynos may name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::formation_update::object;

/// The longest grace in seconds: a day.
const MAX_GRACE: f64 = 86_400.0;

/// The body of a request to restart or stop dynos. Ours: the platform's client sends none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Seconds between the stop signal and SIGKILL. None: what the start was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<f64>,
}

/// The grace in a body, which may be empty.
///
/// # Errors
/// 400 if the body is not such an object; 422 if the number is negative or too high.
pub(super) fn grace(body: &[u8]) -> Result<Option<Duration>, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let StopRequest { grace } = object(body, r#"{"grace":5}"#)?;
    let Some(seconds) = grace else { return Ok(None) };
    if !(0.0..=MAX_GRACE).contains(&seconds) {
        return Err(ApiError::invalid_params(format!("the grace is a number of seconds from 0 to {MAX_GRACE}")));
    }
    Ok(Duration::try_from_secs_f64(seconds).ok())
}
