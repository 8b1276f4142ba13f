//! A program uses `dyno` over the Model Context Protocol (S17.2).

use std::io::{PipeWriter, Write, pipe};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::app::fork;
use crate::binary;
use crate::harness::{App, Ended, Running, until};
use crate::running::names;

/// A program that has started `dyno mcp`.
struct Client {
    server: Running,
    input: Option<PipeWriter>,
    next: u64,
}

impl Client {
    fn of(app: &App) -> Self {
        let (reader, writer) = pipe().unwrap();
        let server = app.dyno(["mcp"]).stdin_from(reader).spawn();
        let mut client = Self { server, input: Some(writer), next: 0 };
        let version = "2025-06-18";
        let greeting = client.ask("initialize", &json!({ "protocolVersion": version, "capabilities": {} }));
        assert_eq!(greeting["result"]["protocolVersion"], version);
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        client
    }

    fn send(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).and_then(|()| input.write_all(b"\n")).unwrap();
    }

    /// Waits for the answer with this id.
    fn answer(&self, id: &Value) -> Value {
        let mut found = Value::Null;
        self.server.until(&format!("there is an answer {id}"), || {
            let text = self.server.stdout.text();
            let answers = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            found = answers.into_iter().find(|answer| answer["id"] == *id).unwrap_or_default();
            !found.is_null()
        });
        found
    }

    fn begin(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = Value::from(self.next);
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.answer(&id)
    }

    /// Uses a tool. Returns its whole text, and whether it failed.
    fn call(&mut self, tool: &str, arguments: &Value) -> (String, bool) {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let content = answer["result"]["content"].as_array().unwrap_or_else(|| unreachable!("{answer}"));
        let texts: Vec<&str> = content.iter().map(|part| part["text"].as_str().unwrap()).collect();
        (texts.join("\n"), answer["result"]["isError"] == true)
    }

    #[track_caller]
    fn ok(&mut self, tool: &str, arguments: &Value) -> String {
        let (text, failed) = self.call(tool, arguments);
        assert!(!failed, "{text}");
        text
    }

    /// Closes stdin and waits for the end.
    fn end(mut self) {
        drop(self.input.take());
        self.server.finish().expect_end(Ended::Code(0));
    }
}

#[test]
fn s17_2_a_program_starts_watches_changes_and_stops_the_app() {
    let app =
        App::new("clock: echo clock of $LEVEL; exec sleep 1000\nworker: exec sleep 1000\n").file(".env", "LEVEL=one\n");
    let mut client = Client::of(&app);

    let (text, failed) = client.call("status", &json!({}));
    assert!(failed && text.contains("error: no app is running here") && text.ends_with("exit status 69"), "{text}");
    assert!(client.ok("check", &json!({})).starts_with("valid procfile detected (clock, worker)\n"));
    assert_eq!(client.ok("start", &json!({ "formation": ["clock"] })), "exit status 0");
    assert_eq!(names(&app), ["clock.1"]);
    assert!(client.ok("status", &json!({})).contains("clock.1  up"));
    assert!(client.ok("why", &json!({ "names": ["clock.1"] })).starts_with("clock.1 is up"));
    assert!(client.ok("logs", &json!({ "names": ["clock"], "grep": "of one" })).contains("| clock of one\n"));
    assert!(client.ok("scale", &json!({ "formation": ["clock=2"] })).starts_with("clock=2"));
    client.server.until("clock.2 is there", || names(&app) == ["clock.1", "clock.2"]);
    assert!(client.ok("restart", &json!({ "names": ["clock.2"] })).starts_with("restarting: clock.2\n"));
    let run = client.ok("run", &json!({ "command": "echo \"run at $LEVEL\"; echo seen >&2" }));
    assert_eq!(run, "run at one\n\nseen\n\nexit status 0");
    let (text, failed) = client.call("run", &json!({ "command": "exit 3" }));
    assert_eq!((text.as_str(), failed), ("exit status 3", true));
    assert!(client.ok("stop", &json!({})).starts_with("stopping: clock.1, clock.2\n"));

    assert!(names(&app).is_empty());
    client.end();
}

#[test]
fn s17_2_a_start_that_fails_says_why() {
    let app = App::new("web: echo no database; exit 3\n");
    let mut client = Client::of(&app);

    let (text, failed) = client.call("start", &json!({ "timeout": 30 }));

    assert!(failed && text.contains("no database") && text.ends_with("exit status 3"), "{text}");
    client.end();
}

#[test]
fn s17_2_a_smoke_test_returns_the_status_of_its_command() {
    let app = App::new("worker: exec sleep 1000\n");
    let mut client = Client::of(&app);

    let (text, failed) = client.call("smoke", &json!({ "command": ["sh", "-c", "echo tested; exit 4"] }));

    assert!(failed && text.starts_with("tested\n") && text.ends_with("exit status 4"), "{text}");
    client.end();
}

#[test]
fn s17_2_when_the_client_ends_the_app_keeps_running_but_calls_stop() {
    let app = App::new("worker: exec sleep 1000\n");
    let mut client = Client::of(&app);
    client.ok("start", &json!({}));
    client.begin("tools/call", &json!({ "name": "run", "arguments": { "command": "echo $$ >pid; exec sleep 999" } }));
    client.server.until("the command runs", || app.has("pid"));

    drop(client.input.take());
    client.server.until("only the app is left", || {
        let left = client.server.processes();
        !left.is_empty()
            && left.iter().all(|process| !process.command.contains("999") && !process.command.ends_with(" mcp"))
    });

    assert_eq!(names(&app), ["worker.1"]);
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    client.server.until("the app has ended", || client.server.processes().is_empty());
    client.server.finish().expect_end(Ended::Code(0));
}

#[test]
fn s17_2_a_call_that_is_cancelled_or_takes_too_long_is_stopped() {
    let app = App::new("worker: exec sleep 1000\n");
    let mut client = Client::of(&app);
    let command = json!({ "command": "trap 'echo stopped >>ends; exit 0' TERM; echo begun >begun; sleep 999 & wait" });

    let id = client.begin("tools/call", &json!({ "name": "run", "arguments": command }));
    client.server.until("it runs", || app.has("begun"));
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string(),
    );
    client.server.until("it has ended", || app.has("ends"));
    let (text, failed) = client.call("run", &json!({ "command": "sleep 998", "timeout": 1 }));

    assert!(failed && text.contains("stopped: it ran longer than 1 second\n"), "{text}");
    // The cancelled call gets no answer.
    assert!(!client.server.stdout.text().contains(&format!("\"id\":{id},\"jsonrpc\"")));
    client.end();
}

#[test]
fn s17_2_nonsense_is_answered_and_long_output_is_cut() {
    let app = App::new("worker: exec sleep 1000\n");
    let mut client = Client::of(&app);

    client.send("{\"jsonrpc\":\"2.0\",\"id\":\"\u{1b}[2J\\u0007\",\"method\":\"none\"}");
    client.send("\u{1b}[31m\u{7}");
    client.send(&format!("{{\"a\":\"{}", "x".repeat(3 << 20)));
    client.send("[]");
    for _ in 0..3 {
        assert_eq!(client.ask("ping", &json!({}))["result"], json!({}));
    }
    let refused = client.server.stdout.text().lines().filter(|line| line.contains("\"error\"")).count();
    assert_eq!(refused, 4);
    assert!(!client.server.stdout.text().contains(['\u{1b}', '\u{7}']));

    let long =
        client.ok("run", &json!({ "command": "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done" }));
    assert!(long.len() < 51_000 && long.starts_with("[earlier lines omitted]\nline "), "{}", long.len());
    assert!(long.ends_with("line 20000\n\nexit status 0"));
    client.server.signal(Signal::SIGTERM);
    client.server.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s17_2_options_before_mcp_apply_and_wrong_arguments_are_refused() {
    let app = App::empty().file("sub/Procfile.dev", "worker: true\n");
    let (reader, writer) = pipe().unwrap();
    let server = app.dyno(["--root", "sub", "--procfile", "sub/Procfile.dev", "mcp"]).stdin_from(reader).spawn();
    let mut client = Client { server, input: Some(writer), next: 0 };

    assert!(client.ok("check", &json!({})).starts_with("valid procfile detected (worker)\n"));
    let line = client.ok("run", &json!({ "command": "head -c 60000 /dev/zero | tr '\\0' x; echo" }));
    assert!(line.starts_with("[beginning of the line omitted]\nxxx") && line.len() > 49_000, "{}", line.len());
    let (text, failed) = client.call("stop", &json!({ "app": "other" }));
    assert_eq!((text.as_str(), failed), ("error: `stop` has no argument `app`: use names\n\nexit status 2", true));
    client.end();
}

#[test]
fn s17_2_a_signal_stops_the_running_calls() {
    let app = App::new("worker: exec sleep 1000\n");
    for end in [Signal::SIGTERM, Signal::SIGINT] {
        let mut client = Client::of(&app);
        let command = "trap 'rm runs; exit 0' TERM; echo >runs; sleep 999 & wait";
        client.begin("tools/call", &json!({ "name": "run", "arguments": { "command": command } }));
        client.server.until("the command runs", || app.has("runs"));

        client.server.signal(end);

        client.server.finish().expect_end(Ended::Signal(end));
        assert!(!app.has("runs"));
    }
}

#[test]
fn s17_2_a_ninth_call_and_a_second_one_with_the_same_id_are_refused() {
    let app = App::new("worker: exec sleep 1000\n");
    let mut client = Client::of(&app);
    let wait =
        |number: u64| json!({ "name": "run", "arguments": { "command": format!("echo >runs{number}; sleep 999") } });
    let ids: Vec<Value> = (0..8).map(|number| client.begin("tools/call", &wait(number))).collect();
    client.server.until("eight commands run", || (0..8).all(|number| app.has(&format!("runs{number}"))));

    let (text, failed) = client.call("check", &json!({}));
    assert!(failed && text.contains("8 calls are already running"), "{text}");
    client.send(&json!({ "jsonrpc": "2.0", "id": ids[0], "method": "tools/call", "params": wait(8) }).to_string());
    let refused = client.answer(&Value::Null);
    assert_eq!(refused["error"]["message"], "a call with this id is still running");
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": ids[0] } })
            .to_string(),
    );
    // There is room again once the first one has ended.
    until("another call is carried out", || !client.call("check", &json!({})).1);

    assert!(!app.has("runs8"));
    client.end();
}

#[test]
fn s17_2_calls_still_work_after_the_program_was_replaced() {
    let app = App::new("worker: exec sleep 1000\n");
    let (program, newer) = (app.path("dyno"), app.path("newer"));
    for copy in [&program, &newer] {
        // Not written by this process: a child of another test could keep it open for writing.
        assert!(fork(Command::new("cp").arg(binary::dyno()).arg(copy)).wait().unwrap().success());
    }
    let (reader, writer) = pipe().unwrap();
    let server = app.dyno(["mcp"]).program(&program).stdin_from(reader).spawn();
    let mut client = Client { server, input: Some(writer), next: 0 };
    client.ok("check", &json!({}));

    // This is how an update is installed.
    std::fs::rename(&newer, &program).unwrap();

    client.ok("check", &json!({}));
    client.end();
}
