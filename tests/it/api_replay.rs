//! The recorded requests of the platform's command-line client, sent to the socket of a running app (S10.3).

use std::io::{Read, Write};

use serde_json::Value;

use crate::api_faults::connect;
use crate::harness::{App, Ended, until};
use crate::running::{dynos, start, stop};

/// The recorded facts. How to read them is explained at the top of the file.
const EXCHANGES: &str = include_str!("../data/api/exchanges.txt");

/// Fields whose values differ between machines and runs.
const OF_THIS_RUN: [&str; 8] =
    ["id", "email", "version", "description", "web_url", "created_at", "updated_at", "logplex_url"];

/// One recorded request, and what the answer must have.
struct Exchange<'a> {
    method: &'a str,
    path: &'a str,
    range: Option<&'a str>,
    body: &'a str,
    /// Whether the values must be the same, too.
    same_values: bool,
    status: &'a str,
    recorded: Value,
}

/// The requests of each command.
fn commands() -> Vec<(&'static str, Vec<Exchange<'static>>)> {
    let mut commands: Vec<(&str, Vec<Exchange<'_>>)> = Vec::new();
    let (mut line, mut range, mut body) = (("", ""), None, "");
    for text in EXCHANGES.lines().filter(|text| !text.starts_with('#') && !text.is_empty()) {
        if let Some(command) = text.strip_prefix("$ ") {
            commands.push((command, Vec::new()));
        } else if let Some(header) = text.strip_prefix("range: ") {
            range = Some(header);
        } else if text.starts_with('{') {
            body = text;
        } else if let Some((kind, expected)) = text.split_once("> ") {
            let ((method, path), (status, recorded)) = (line, expected.split_once(' ').unwrap());
            let recorded = serde_json::from_str(recorded).unwrap();
            let exchange = Exchange { method, path, range, body, same_values: kind == "-", status, recorded };
            commands.last_mut().unwrap().1.push(exchange);
        } else {
            (line, range, body) = (text.split_once(' ').unwrap(), None, "");
        }
    }
    commands
}

/// Sends a request with the headers of the platform's client, and returns the status and the body of the answer.
fn ask(app: &App, exchange: &Exchange<'_>, path: &str) -> (String, Vec<u8>) {
    let range = exchange.range.map_or_else(String::new, |range| format!("range: {range}\r\n"));
    let content = match exchange.body {
        "" => String::new(),
        body => format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
    };
    let (method, body) = (exchange.method, exchange.body);
    let head = "accept: application/vnd.heroku+json; version=3\r\nhost: localhost\r\nconnection: close";
    let mut stream = connect(app);
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\n{range}{content}\r\n{body}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let status = answer.strip_prefix(b"HTTP/1.1 ").expect("an answer")[..3].to_vec();
    (String::from_utf8(status).unwrap(), answer[at + 4..].to_vec())
}

/// Whether `ours` has everything that is in `recorded`, with the same values or only with values of the same types.
fn covers(ours: &Value, recorded: &Value, same_values: bool) -> bool {
    match (ours, recorded) {
        (Value::Object(ours), Value::Object(recorded)) => recorded.iter().all(|(key, value)| {
            let is_same = same_values && !OF_THIS_RUN.contains(&key.as_str());
            ours.get(key).is_some_and(|own| covers(own, value, is_same))
        }),
        (Value::Array(ours), Value::Array(recorded)) if same_values => {
            ours.len() == recorded.len() && ours.iter().zip(recorded).all(|(own, value)| covers(own, value, true))
        }
        (Value::Array(ours), Value::Array(recorded)) => {
            !ours.is_empty() && ours.iter().all(|own| recorded.first().is_some_and(|value| covers(own, value, false)))
        }
        // The number of a one-off dyno is random.
        (Value::String(ours), Value::String(recorded)) if recorded.starts_with("run.") => ours.starts_with("run."),
        _ if same_values => ours == recorded,
        _ => std::mem::discriminant(ours) == std::mem::discriminant(recorded),
    }
}

/// Whether the config vars have the values of this change; null removes one.
fn has_values_of(ours: &Value, change: &str) -> bool {
    let change: Value = serde_json::from_str(change).unwrap();
    change.as_object().unwrap().iter().all(|(key, value)| ours.get(key).unwrap_or(&Value::Null) == value)
}

/// Brings the app back to the state in which the requests of each command were recorded.
fn restore(app: &App) {
    app.dyno(["scale", "web=1", "worker=1"]).run().expect(Ended::Code(0), "web=1 worker=1\n", "");
    // Without `--wait`, because `web` does not listen.
    app.dyno(["restart"]).run().expect(Ended::Code(0), "restarting: web.1, worker.1\n", "");
    until("the dynos match the formation", || {
        let dynos = dynos(app);
        dynos.len() == 2 && dynos.iter().all(|dyno| dyno["state"] == "up")
    });
}

#[test]
fn s10_3_recorded_requests_get_every_field_over_the_socket() {
    let app = App::new("web: python app.py\nworker: python worker.py\n").file(".env", "A=0\n");
    // The recorded answers contain the command lines of this Procfile.
    let app = app.script("bin/python", "echo \"$1 runs\"; exec sleep 1000\n");
    let path = format!("{}:{}", app.path("bin").display(), std::env::var("PATH").unwrap());
    let running = start(&app, ["--set", &format!("PATH={path}"), "-p", "auto"]);
    app.dyno(["config:set", "X=hello"]).run().expect_end(Ended::Code(0));
    restore(&app);

    let mut count = 0;
    for (command, exchanges) in commands() {
        let mut log = None;
        let mut has_changed = false;
        for exchange in &exchanges {
            let line = format!("{command}: {} {}", exchange.method, exchange.path);
            count += 1;
            if exchange.path.starts_with("/dyno/log/") {
                let url: &str = log.as_deref().expect("a log session");
                let (status, text) = ask(&app, exchange, &url[url.find("/dyno/log/").expect(url)..]);
                let text = String::from_utf8(text).unwrap();
                assert!(status == "200" && text.contains("app[web.1]: app.py runs"), "{line}\n{status} {text}");
                continue;
            }
            let (status, body) = ask(&app, exchange, exchange.path);
            let ours: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(status, exchange.status, "{line}: {ours}");
            if (exchange.method, exchange.path) == ("PATCH", "/apps/app/config-vars") {
                assert!(has_values_of(&ours, exchange.body), "{line}\nours: {ours}\nbody: {}", exchange.body);
            } else {
                let recorded = &exchange.recorded;
                assert!(covers(&ours, recorded, exchange.same_values), "{line}\nours: {ours}\nrecorded: {recorded}");
            }
            log = ours["logplex_url"].as_str().map(str::to_owned).or(log);
            has_changed |= exchange.method != "GET" && status.starts_with('2');
        }
        if has_changed && !command.starts_with("heroku logs") {
            restore(&app);
        }
    }

    assert!(count > 50, "only {count} exchanges were found");
    stop(&app, running);
}
