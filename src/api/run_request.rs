//! The body of `POST /apps/A/dynos`: a command to run once.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::formation_update::{object, shortened};
use crate::app::MAX_VARIABLE_BYTES;
use crate::model::{Environment, Focus, Io, PtySize};
use crate::release::{DynoStreams, OneOff};

/// What the `heroku` CLI appends to the command if it wants to end with the status of the command (`-x`). We do the same
/// without a shell, which `exit 3` in the command would end before that.
const REPORTS_EXIT: &str = " ; echo \"\u{ffff} heroku-command-exit-status: $?\"";

/// The size of a terminal if the client does not say it.
const DEFAULT_SIZE: PtySize = PtySize { rows: 24, cols: 80 };

/// `{"command":"rake db:migrate","attach":false,"env":{"KEY":"value"}}`. The size and the process type of a one-off dyno have
/// no effect here, so they are not read.
#[derive(Deserialize)]
struct RunRequest {
    command: String,
    #[serde(default)]
    attach: Option<bool>,
    #[serde(default)]
    force_no_tty: Option<bool>,
    #[serde(default)]
    env: Option<Map<String, Value>>,
}

/// A one-off dyno that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAsked {
    /// In the background.
    Detached(OneOff),
    /// The client gets its streams.
    Attached(AttachedOneOff),
}

/// A one-off dyno whose streams belong to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedOneOff {
    /// The dyno.
    pub one_off: OneOff,
    /// Whether the client wants its exit status as the last line of its output.
    pub reports_exit: bool,
}

impl AttachedOneOff {
    /// The line for the exit status, as the `heroku` CLI expects it.
    #[must_use]
    pub fn exit_line(status: u8) -> String {
        format!("\u{ffff} heroku-command-exit-status: {status}\r\n")
    }

    /// The error if the start cannot give its streams to a client.
    #[must_use]
    pub fn unavailable() -> ApiError {
        // The `heroku` CLI shows the message but not the hint.
        ApiError::invalid_params(
            "a one-off dyno with a terminal cannot be started through this API; `dyno run COMMAND` starts it in this \
             terminal, and `heroku run:detached COMMAND` runs it in the background",
        )
    }
}

/// The one-off dyno that a body asks for.
///
/// # Errors
/// 400 if the body is not such an object; 422 if it asks for something that cannot be run.
pub(super) fn run_asked(body: &[u8]) -> Result<RunAsked, ApiError> {
    let request: RunRequest = object(body, r#"{"command":"rake db:migrate","attach":false}"#)?;
    let (is_attached, has_terminal) = (request.attach == Some(true), request.force_no_tty != Some(true));
    let reported = request.command.strip_suffix(REPORTS_EXIT).filter(|_| is_attached).map(str::to_owned);
    let reports_exit = reported.is_some();
    let line = reported.unwrap_or(request.command).into_bytes();
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
    let one_off = OneOff { variables, ..OneOff::detached(line) };
    if !is_attached {
        return Ok(RunAsked::Detached(one_off));
    }
    let io = if has_terminal { Io::Pty(size(&one_off.variables)) } else { Io::Pipe };
    let streams = Some(DynoStreams { io, focus: Focus::Client, stdin_is_empty: false });
    Ok(RunAsked::Attached(AttachedOneOff { one_off: OneOff { streams, ..one_off }, reports_exit }))
}

/// The size of the client's terminal, from `LINES` and `COLUMNS`.
fn size(variables: &Environment) -> PtySize {
    let number = |name: &str, usual: u16| {
        let found =
            variables.get(name.as_bytes()).and_then(|value| std::str::from_utf8(value.reveal()).ok()?.parse().ok());
        found.filter(|number| *number > 0).unwrap_or(usual)
    };
    PtySize { rows: number("LINES", DEFAULT_SIZE.rows), cols: number("COLUMNS", DEFAULT_SIZE.cols) }
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
        let error = run_asked(body.as_bytes()).expect_err("refused");
        (error.status, error.message)
    }

    #[test]
    fn s10_2_a_one_off_dyno_has_a_command_and_variables() {
        let body =
            r#"{"attach":false,"command":"echo hi","env":{"TERM":"xterm","COLUMNS":80},"size":"Basic","type":"x"}"#;

        let run = run_asked(body.as_bytes()).expect("accepted");

        let mut variables = Environment::default();
        variables.set("TERM", "xterm");
        variables.set("COLUMNS", "80");
        assert_eq!(run, RunAsked::Detached(OneOff { variables, ..OneOff::detached(b"echo hi".to_vec()) }));
        let short = run_asked(br#"{"command":"x","env":null}"#);
        assert_eq!(short, Ok(RunAsked::Detached(OneOff::detached(b"x".to_vec()))));
    }

    /// The command line, the streams, and whether the exit status is reported.
    fn attached(body: &str) -> (String, Io, bool) {
        let Ok(RunAsked::Attached(AttachedOneOff { one_off, reports_exit })) = run_asked(body.as_bytes()) else {
            panic!("not attached: {body}")
        };
        let streams = one_off.streams.expect("streams");
        assert_eq!((streams.focus, streams.stdin_is_empty), (Focus::Client, false));
        (String::from_utf8(one_off.line).expect("text"), streams.io, reports_exit)
    }

    #[test]
    fn s17_3_an_attached_run_has_the_terminal_of_its_client() {
        let pty = |rows, cols| Io::Pty(PtySize { rows, cols });
        for (env, io) in [
            (r#"{"TERM":"xterm","COLUMNS":132,"LINES":43}"#, pty(43, 132)),
            (r#"{"COLUMNS":"132","LINES":"0"}"#, pty(24, 132)),
            (r#"{"COLUMNS":99999,"LINES":"x"}"#, pty(24, 80)),
            ("null", pty(24, 80)),
        ] {
            let body = format!(r#"{{"attach":true,"command":"bash","env":{env}}}"#);
            assert_eq!(attached(&body), ("bash".to_owned(), io, false), "{env}");
        }
        let without = r#"{"attach":true,"command":"cat","force_no_tty":true}"#;
        assert_eq!(attached(without), ("cat".to_owned(), Io::Pipe, false));
    }

    #[test]
    fn s17_3_the_cli_gets_the_exit_status_without_a_shell_that_reports_it() {
        let body = r#"{"attach":true,"command":"exit 3 ; echo \"\uffff heroku-command-exit-status: $?\""}"#;

        assert_eq!(attached(body), ("exit 3".to_owned(), Io::Pty(DEFAULT_SIZE), true));
        assert_eq!(AttachedOneOff::exit_line(3), "\u{ffff} heroku-command-exit-status: 3\r\n");
        let detached = body.replace("true", "false");
        assert!(matches!(run_asked(detached.as_bytes()), Ok(RunAsked::Detached(one_off)) if one_off.line.len() > 20));
        assert_eq!(refused(&body.replace("exit 3", "")), (422, "the command is empty".to_owned()));
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
