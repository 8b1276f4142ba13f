//! The body of `POST /apps/A/dynos`: a command to run once.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::formation_update::{object, shortened};
use crate::app::MAX_VARIABLE_BYTES;
use crate::model::Environment;
use crate::release::OneOff;

/// `{"command":"rake db:migrate","attach":false,"env":{"KEY":"value"}}`. The size and the process type of a one-off dyno have
/// no effect here, so they are not read.
#[derive(Deserialize)]
struct RunRequest {
    command: String,
    #[serde(default)]
    attach: Option<bool>,
    #[serde(default)]
    env: Option<Map<String, Value>>,
}

/// The one-off dyno that a body asks for.
///
/// # Errors
/// 400 if the body is not such an object; 422 if it asks for something that cannot be run.
pub(super) fn one_off(body: &[u8]) -> Result<OneOff, ApiError> {
    let request: RunRequest = object(body, r#"{"command":"rake db:migrate","attach":false}"#)?;
    if request.attach == Some(true) {
        // The `heroku` CLI shows the message but not the hint.
        return Err(ApiError::invalid_params(
            "a one-off dyno with a terminal cannot be started through the API; `dyno run COMMAND` starts it in this \
             terminal, and `heroku run:detached COMMAND` runs it in the background",
        ));
    }
    let line = request.command.into_bytes();
    if line.trim_ascii().is_empty() {
        return Err(ApiError::invalid_params("the command is empty"));
    }
    if line.contains(&0) {
        return Err(ApiError::invalid_params("the command contains a NUL byte"));
    }
    if line.len() >= MAX_VARIABLE_BYTES {
        let message = format!("the command is {} bytes long; the limit is {MAX_VARIABLE_BYTES}", line.len());
        return Err(ApiError::invalid_params(message).with_hint("put it into a script and run the script"));
    }
    let variables = variables(request.env.unwrap_or_default())?;
    Ok(OneOff { variables, ..OneOff::detached(line) })
}

/// The variables of an object such as `{"TERM":"xterm","COLUMNS":80}`.
fn variables(object: Map<String, Value>) -> Result<Environment, ApiError> {
    let mut variables = Environment::default();
    for (key, value) in object {
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(ApiError::invalid_params(format!("the value of `{}` is not text", shortened(&key))));
            }
        };
        if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
            return Err(ApiError::invalid_params(format!("`{}` is not a valid variable", shortened(&key))));
        }
        if key.len() + value.len() + 2 > MAX_VARIABLE_BYTES {
            let message = format!("`{}` is over the limit for a variable, {MAX_VARIABLE_BYTES} bytes", shortened(&key));
            return Err(ApiError::invalid_params(message));
        }
        variables.set(key, value);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (u16, String) {
        let error = one_off(body.as_bytes()).expect_err("refused");
        (error.status, error.message)
    }

    #[test]
    fn s10_2_a_one_off_dyno_has_a_command_and_variables() {
        let body =
            r#"{"attach":false,"command":"echo hi","env":{"TERM":"xterm","COLUMNS":80},"size":"Basic","type":"x"}"#;

        let run = one_off(body.as_bytes()).expect("accepted");

        let mut variables = Environment::default();
        variables.set("TERM", "xterm");
        variables.set("COLUMNS", "80");
        assert_eq!(run, OneOff { variables, ..OneOff::detached(b"echo hi".to_vec()) });
        assert_eq!(one_off(br#"{"command":"x","env":null}"#), Ok(OneOff::detached(b"x".to_vec())));
    }

    #[test]
    fn s10_2_a_command_that_cannot_be_run_is_refused() {
        let long = "x".repeat(MAX_VARIABLE_BYTES);
        for (body, status, message) in [
            ("{}", 400, "the body is not the expected JSON object"),
            (r#"{"command":1}"#, 400, "the body is not the expected JSON object"),
            (r#"{"command":" "}"#, 422, "the command is empty"),
            (r#"{"command":"a\u0000b"}"#, 422, "the command contains a NUL byte"),
            (&format!(r#"{{"command":"{long}"}}"#), 422, "the command is 131072 bytes long; the limit is 131072"),
            (
                r#"{"command":"x","attach":true}"#,
                422,
                "a one-off dyno with a terminal cannot be started through the API; `dyno run COMMAND` starts it in this \
                 terminal, and `heroku run:detached COMMAND` runs it in the background",
            ),
            (r#"{"command":"x","env":{"A":[]}}"#, 422, "the value of `A` is not text"),
            (r#"{"command":"x","env":{"A=B":"1"}}"#, 422, "`A=B` is not a valid variable"),
            (r#"{"command":"x","env":{"A":"\u0000"}}"#, 422, "`A` is not a valid variable"),
            (
                &format!(r#"{{"command":"x","env":{{"A":"{long}"}}}}"#),
                422,
                "`A` is over the limit for a variable, 131072 bytes",
            ),
        ] {
            assert_eq!(refused(body), (status, message.to_owned()));
        }
    }
}
