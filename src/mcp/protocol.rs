//! Messages of JSON-RPC 2.0, one per line.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::tools::{ToolCall, ToolKind};
use crate::error::Status;

/// The supported versions of the protocol, newest first. 2025-03-26 is left out, because its requests can come in
/// lists.
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2024-11-05"];

/// Codes of errors in JSON-RPC.
const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const METHOD_NOT_FOUND: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;

/// What the client learns about the server as a whole.
const INSTRUCTIONS: &str = "Runs the app that the Procfile in the working directory describes. `start` returns \
    once the app is up. `status`, `why` and `logs` show how it is doing, and `check` finds mistakes in its files. Use `stop` and \
    `restart` instead of killing processes.";

/// What a line of the client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// This line is the answer.
    Answer(String),
    /// The client calls a tool.
    Call {
        /// The id of the request.
        id: Value,
        /// The command line.
        call: ToolCall,
    },
    /// The client cancels the request with this id.
    Cancel(Value),
    /// The line needs no answer.
    Nothing,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutcome {
    /// The exit status, as a shell shows it.
    pub status: u8,
    /// The output, bounded.
    pub stdout: String,
    /// The messages, bounded.
    pub stderr: String,
    /// Why the command was stopped, if it did not end by itself.
    pub note: Option<String>,
}

/// A message.
#[derive(Deserialize)]
struct RpcMessage {
    jsonrpc: Option<String>,
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

/// Reads a line. Lines that are not requests to this server, such as notifications, need no answer.
#[must_use]
pub fn read(line: &[u8]) -> Incoming {
    if line.trim_ascii().is_empty() {
        return Incoming::Nothing;
    }
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return error(&Value::Null, PARSE_ERROR, "the line is not JSON");
    };
    let message = match serde_json::from_value::<RpcMessage>(value) {
        Ok(message) if message.jsonrpc.as_deref() == Some("2.0") => message,
        Ok(_) | Err(_) => {
            return error(&Value::Null, INVALID_REQUEST, "the line is not a JSON-RPC 2.0 request");
        }
    };
    let RpcMessage { id, method: Some(method), params, .. } = message else { return Incoming::Nothing };
    let Some(id) = id else {
        let cancelled = params.get("requestId").filter(|_| method == "notifications/cancelled");
        return cancelled.map_or(Incoming::Nothing, |id| Incoming::Cancel(id.clone()));
    };
    if !id.is_string() && !id.is_number() {
        return error(&Value::Null, INVALID_REQUEST, "the request id must be a string or a number");
    }
    match method.as_str() {
        "initialize" => result(&id, &initialize_result(&params)),
        "ping" => result(&id, &json!({})),
        "tools/list" => result(&id, &json!({ "tools": ToolKind::ALL.map(ToolKind::description) })),
        "tools/call" => match tool_call(&params) {
            Ok(Ok(call)) => Incoming::Call { id, call },
            // An answer of the tool, not a protocol error, so that the model sees it.
            Ok(Err(message)) => {
                let stderr = format!("error: {message}\n");
                Incoming::Answer(answer(
                    &id,
                    &ToolOutcome { status: Status::Usage.code(), stdout: String::new(), stderr, note: None },
                ))
            }
            Err(message) => error(&id, INVALID_PARAMS, &message),
        },
        _ => error(&id, METHOD_NOT_FOUND, "there is no such method"),
    }
}

/// The answer to a call.
#[must_use]
pub fn answer(id: &Value, outcome: &ToolOutcome) -> String {
    let ToolOutcome { status, stdout, stderr, note } = outcome;
    let texts = [stdout.as_str(), stderr, note.as_deref().unwrap_or_default()];
    let mut content: Vec<Value> =
        texts.into_iter().filter(|text| !text.is_empty()).map(|text| json!({ "type": "text", "text": text })).collect();
    content.push(json!({ "type": "text", "text": format!("exit status {status}") }));
    line(
        &json!({ "jsonrpc": "2.0", "id": id, "result": { "content": content, "isError": *status != 0 || note.is_some() } }),
    )
}

/// The answer to a line that is longer than the server reads.
#[must_use]
pub fn too_long() -> String {
    error_line(&Value::Null, PARSE_ERROR, "the line is longer than 1 MiB")
}

/// The answer to a call that has the id of a running call.
#[must_use]
pub fn duplicate() -> String {
    error_line(&Value::Null, INVALID_REQUEST, "a call with this id is still running")
}

fn initialize_result(params: &Value) -> Value {
    let wanted = params.get("protocolVersion").and_then(Value::as_str);
    let version = VERSIONS.into_iter().find(|known| Some(*known) == wanted).unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": { "listChanged": false } },
        "serverInfo": { "name": "dyno", "version": env!("CARGO_PKG_VERSION") },
        "instructions": INSTRUCTIONS,
    })
}

/// The command line, or what is wrong with the arguments.
fn tool_call(params: &Value) -> Result<Result<ToolCall, String>, String> {
    let name = params.get("name").and_then(Value::as_str).ok_or("the name of the tool is missing")?;
    let tool = ToolKind::named(name).ok_or_else(|| {
        let names = ToolKind::ALL.map(ToolKind::name).join(", ");
        format!("unknown tool: use one of {names}")
    })?;
    match params.get("arguments") {
        None | Some(Value::Null) => Ok(tool.call(&Map::new())),
        Some(Value::Object(arguments)) => Ok(tool.call(arguments)),
        Some(_) => Err("the arguments must be an object".to_owned()),
    }
}

fn result(id: &Value, result: &Value) -> Incoming {
    Incoming::Answer(line(&json!({ "jsonrpc": "2.0", "id": id, "result": result })))
}

fn error(id: &Value, code: i32, message: &str) -> Incoming {
    Incoming::Answer(error_line(id, code, message))
}

fn error_line(id: &Value, code: i32, message: &str) -> String {
    line(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }))
}

/// The message as one line: JSON text contains no line end.
fn line(message: &Value) -> String {
    format!("{message}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(line: &str) -> Value {
        let Incoming::Answer(answer) = read(line.as_bytes()) else { panic!("no answer to {line}") };
        assert!(answer.ends_with('\n') && answer.trim_end().lines().count() == 1, "{answer:?}");
        serde_json::from_str(&answer).expect("JSON")
    }

    fn code(line: &str) -> i64 {
        answered(line)["error"]["code"].as_i64().expect("an error")
    }

    #[test]
    fn s17_2_the_answer_has_the_version_of_the_client_or_the_newest() {
        let initialize = |version: &str| {
            let params =
                format!(r#"{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"x"}}}}"#);
            answered(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}"#))
        };
        for version in VERSIONS {
            assert_eq!(initialize(version)["result"]["protocolVersion"], version);
        }
        assert_eq!(initialize("1999-01-01")["result"]["protocolVersion"], VERSIONS[0]);
        assert_eq!(initialize(VERSIONS[0])["result"]["serverInfo"]["name"], "dyno");
        assert_eq!(answered(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)["id"], "p");
    }

    #[test]
    fn s17_2_lines_that_are_not_requests_are_refused_or_ignored() {
        for (line, expected) in [
            ("{", PARSE_ERROR),
            ("\u{1}", PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            ("1", INVALID_REQUEST),
            (r#"{"id":1,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":[],"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#, METHOD_NOT_FOUND),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, INVALID_PARAMS),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#, INVALID_PARAMS),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stop","arguments":[]}}"#,
                INVALID_PARAMS,
            ),
        ] {
            assert_eq!(code(line), i64::from(expected), "{line}");
        }
        for line in [
            "",
            " \r",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ] {
            assert_eq!(read(line.as_bytes()), Incoming::Nothing, "{line}");
        }
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
        assert_eq!(read(cancel.as_bytes()), Incoming::Cancel(7.into()));
    }

    #[test]
    fn s17_2_an_answer_has_the_output_the_messages_and_the_status() {
        let outcome = ToolOutcome {
            status: 69,
            stdout: "a\u{1b}[31m\nb\n".to_owned(),
            stderr: "error: x\n".to_owned(),
            note: Some("stopped: it ran longer than 60 seconds".to_owned()),
        };

        let line = answer(&7.into(), &outcome);
        let answer: Value = serde_json::from_str(&line).expect("JSON");

        let texts: Vec<&str> = answer["result"]["content"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect();
        assert_eq!(
            texts,
            ["a\u{1b}[31m\nb\n", "error: x\n", "stopped: it ran longer than 60 seconds", "exit status 69"]
        );
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&7.into(), &true.into()));
        assert!(!line.trim_end().contains(['\n', '\u{1b}']));
    }

    #[test]
    fn s17_2_every_tool_has_a_description_and_a_schema() {
        let listed = answered(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let tools = listed["result"]["tools"].as_array().expect("a list");
        let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
        assert_eq!(names, ["status", "why", "logs", "start", "stop", "restart", "scale", "run", "check", "smoke"]);
        for tool in tools {
            assert!(tool["description"].as_str().is_some_and(|text| text.len() > 20), "{tool}");
            assert_eq!(
                (&tool["inputSchema"]["type"], &tool["inputSchema"]["additionalProperties"]),
                (&"object".into(), &false.into())
            );
        }
    }
}
