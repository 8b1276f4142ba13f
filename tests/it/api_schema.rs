//! Every answer fits the platform's published schema of its resource, in every state of the app (S10.3). A client with
//! strict types can then read it.
//!
//! The table below has the facts of that schema: each field, its type, and whether it may be null. Patterns that describe
//! the platform's own domains are left out.

use serde_json::Value;

use crate::harness::{App, Ended};
use crate::running::{dynos, names, stop};
use crate::tcp_client::TcpClient;

/// Each resource with its fields, as `name type`. `?`: may be null. `-`: the schema has it and we do not. `+`: ours.
const SCHEMA: &str = "
account: id uuid, email email, name text?, created_at time, updated_at time, verified flag, -allow_tracking flag,
    -beta flag, -country_of_residence text?, -federated flag, -identity_provider object?, -last_login time?,
    -sms_number text?, -suspended_at time?, -delinquent_at time?, -two_factor_authentication flag,
    -default_organization object?, -default_team object?
rate-limit: remaining number
app: id uuid, name text, acm flag, archived_at time?, build_stack stack-ref, buildpack_provided_description text?,
    created_at time, git_url text, maintenance flag, owner user-ref, region region-ref, released_at time?,
    repo_size number?, slug_size number?, space object?, stack stack-ref, updated_at time, web_url uri?,
    -internal_routing flag?, -organization object?, -team object?, -generation text, -base_image_name text?,
    -buildpacks list?, -current_build_architecture list, +create_status text, +root text, +state text
dyno: id uuid, name text, type text, command text, state crashed|down|idle|starting|up, size text, created_at time,
    updated_at time, attach_url text?, release release-ref, app app-ref, +pid number?, +port number?, +waits_for text,
    +restarts number, +exit_status number?, +cpu decimal?, +memory number?
formation: id uuid, type text, quantity number, size text, command text, created_at time, updated_at time, app app-ref
release: id uuid, version number, addon_plan_names texts, app app-ref, created_at time, current flag, description text,
    eligible_for_rollback flag, output_stream_url uri?, slug object?, status expired|failed|pending|succeeded,
    updated_at time, user user-ref, -artifacts list, -oci_image object?, +difference text, +process_types texts-by-name,
    +unchanged flag, +notes list
log-session: id uuid, logplex_url uri, created_at time, updated_at time, +look object
error: id text, message text, -url uri, +hint text
touched: +dynos list
app-ref: id uuid, name text
user-ref: id uuid, email email
release-ref: id uuid, version number
stack-ref: id uuid, name text
region-ref: id uuid, name text
";

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<String>);

/// The fields of a resource: name, type, and the mark in front of it.
fn fields(resource: &str) -> Option<Vec<(&'static str, &'static str, Option<char>)>> {
    let start = SCHEMA.find(&format!("\n{resource}: "))? + resource.len() + 3;
    let rest = &SCHEMA[start..];
    let end = rest.match_indices('\n').map(|(at, _)| at).find(|at| !rest[at + 1..].starts_with(' ')).unwrap();
    let field = |text: &'static str| {
        let (name, kind) = text.trim().split_once(' ').unwrap();
        let mark = name.chars().next().filter(|first| "+-".contains(*first));
        (name.trim_start_matches(['+', '-']), kind, mark)
    };
    Some(rest[..end].split(',').map(field).collect())
}

impl Findings {
    /// Checks a value; its path is named if it does not fit.
    fn check(&mut self, path: &str, value: &Value, kind: &str) {
        let (kind, may_be_null) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let text = value.as_str();
        let fits = match kind {
            _ if value.is_null() => may_be_null,
            "text" => text.is_some(),
            "uuid" => text.is_some_and(is_uuid),
            "time" => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            "email" => text.is_some_and(|text| text.split('@').filter(|part| !part.is_empty()).count() == 2),
            "uri" => text.is_some_and(|text| text.starts_with("http://127.0.0.1:")),
            "number" => value.is_u64(),
            "decimal" => value.is_number(),
            "flag" => value.is_boolean(),
            "object" => value.is_object(),
            "list" => value.is_array(),
            "texts" => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
            "texts-by-name" => value.as_object().is_some_and(|all| all.values().all(Value::is_string)),
            words if words.contains('|') => text.is_some_and(|text| words.split('|').any(|word| word == text)),
            resource => return self.check_object(path, value, resource),
        };
        if !fits {
            self.0.push(format!("{path}: {value} is not of type {kind}"));
        }
    }

    fn check_object(&mut self, path: &str, value: &Value, resource: &str) {
        let fields = fields(resource).unwrap();
        let Some(object) = value.as_object() else {
            return self.0.push(format!("{path}: {value} is not an object"));
        };
        for (name, kind, mark) in &fields {
            match object.get(*name) {
                Some(value) => self.check(&format!("{path}.{name}"), value, kind),
                None if mark.is_none() => self.0.push(format!("{path}.{name} is missing")),
                None => {}
            }
        }
        for name in object.keys().filter(|name| !fields.iter().any(|(known, ..)| known == name)) {
            self.0.push(format!("{path}.{name} is not in the schema"));
        }
    }

    /// Sends a request and checks the answer. `kind` ends with `[]` if it is a list.
    fn ask(&mut self, client: &TcpClient, request: (&str, &str, &str), status: u16, kind: &str) -> Value {
        let (method, path, body) = request;
        let (answered, value) = client.ask(method, path, body);
        let name = format!("{method} {path}");
        if answered != status {
            self.0.push(format!("{name}: {answered} {value}"));
        }
        match kind.strip_suffix("[]") {
            None => self.check(&name, &value, kind),
            Some(kind) => match value.as_array() {
                None => self.0.push(format!("{name}: {value} is not a list")),
                Some(all) => {
                    all.iter().enumerate().for_each(|(at, one)| self.check(&format!("{name}[{at}]"), one, kind));
                }
            },
        }
        value
    }

    fn see(&mut self, client: &TcpClient, path: &str, kind: &str) -> Value {
        self.ask(client, ("GET", path, ""), 200, kind)
    }

    /// Looks at everything that can be seen of the app.
    fn see_all(&mut self, client: &TcpClient) {
        self.see(client, "/account", "account");
        self.see(client, "/account/rate-limits", "rate-limit");
        for path in ["/apps", "/users/~/apps"] {
            self.see(client, path, "app[]");
        }
        let app = self.see(client, "/apps/app", "app");
        self.see(client, &format!("/apps/{}", app["id"].as_str().unwrap()), "app");
        for (list, kind, name) in [("dynos", "dyno", "name"), ("formation", "formation", "type")] {
            let all = self.see(client, &format!("/apps/app/{list}"), &format!("{kind}[]"));
            for one in all.as_array().unwrap() {
                self.see(client, &format!("/apps/app/{list}/{}", one[name].as_str().unwrap()), kind);
            }
        }
        self.see(client, "/apps/app/config-vars", "texts-by-name");
        let releases = self.see(client, "/apps/app/releases", "release[]");
        for release in releases.as_array().unwrap() {
            let path = format!("/apps/app/releases/{}", release["version"]);
            self.see(client, &path, "release");
            self.see(client, &format!("{path}/config-vars"), "texts-by-name");
        }
        for empty in ["addons", "addon-attachments", "collaborators", "domains", "features", "log-drains"] {
            assert_eq!(client.ask("GET", &format!("/apps/app/{empty}"), ""), (200, Value::Array(Vec::new())));
        }
    }

    fn expect_none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(is_hex)
}

/// The states of the releases, the oldest first.
fn statuses(releases: &Value) -> Vec<&str> {
    releases.as_array().unwrap().iter().map(|release| release["status"].as_str().unwrap()).collect()
}

#[test]
fn s10_3_answers_fit_the_platforms_schema_while_the_app_changes() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\n").file(".env", "LEVEL=1\n");
    let (running, client) = TcpClient::of(&app);
    let mut found = Findings::default();
    found.see_all(&client);

    let update = r#"{"updates":[{"type":"worker","quantity":2}]}"#;
    found.ask(&client, ("PATCH", "/apps/app/formation", update), 200, "formation[]");
    found.ask(&client, ("PATCH", "/apps/app/formation/web", r#"{"quantity":"+1"}"#), 200, "formation");
    found.ask(&client, ("PATCH", "/apps/app/config-vars", r#"{"LEVEL":"2","NEW":""}"#), 200, "texts-by-name");
    found.see_all(&client);
    let first = client.ask("GET", "/apps/app/releases/1", "").1["id"].as_str().unwrap().to_owned();
    for release in [first.as_str(), "v3"] {
        let back = format!(r#"{{"release":"{release}"}}"#);
        found.ask(&client, ("POST", "/apps/app/releases", &back), 201, "release");
    }
    for command in ["exec sleep 1000", "true"] {
        let run = format!(r#"{{"command":"{command}","attach":false,"env":{{"TERM":"xterm"}}}}"#);
        let one_off = found.ask(&client, ("POST", "/apps/app/dynos", &run), 201, "dyno");
        assert_eq!(one_off["type"], "run");
    }
    found.ask(&client, ("POST", "/apps/app/log-sessions", r#"{"tail":true}"#), 201, "log-session");
    found.ask(&client, ("DELETE", "/apps/app/dynos/worker.1", ""), 202, "touched");
    found.ask(&client, ("POST", "/apps/app/dynos/worker.2/actions/stop", ""), 202, "touched");
    running.until("worker.2 is down", || dynos(&app).iter().any(|dyno| dyno["state"] == "down"));
    found.see_all(&client);

    found.expect_none();
    stop(&app, running);
}

#[test]
fn s10_3_answers_fit_the_schema_whatever_becomes_of_a_release() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n").fifo("go");
    let (running, client) = TcpClient::with(&app, ["--restart"]);
    let mut found = Findings::default();
    found.see_all(&client);

    app.write("Procfile", "release: read line <go; exit 1\nclock: exec sleep 1000\nworker: exit 3\n");
    let failing = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));
    found.see_all(&client);
    let mut waiting = Vec::new();
    for (version, procfile) in [(3, "clock: exec sleep 1001\n"), (4, "clock: exec sleep 1002\nworker: exit 3\n")] {
        app.write("Procfile", procfile);
        waiting.push(app.dyno(["reload"]).spawn());
        running.until_shown(&format!("release v{version}: "));
        found.see_all(&client);
    }
    app.release("go");
    for reload in [failing].into_iter().chain(waiting) {
        reload.finish();
    }

    let releases = found.see(&client, "/apps/app/releases", "release[]");
    assert_eq!(statuses(&releases), ["succeeded", "failed", "expired", "succeeded"]);
    assert!(app.dyno(["releases"]).run().stdout().contains("superseded\n"));
    running.until("worker.1 has crashed", || dynos(&app).iter().any(|dyno| dyno["state"] == "crashed"));
    found.see_all(&client);
    found.expect_none();
    stop(&app, running);
}

#[test]
fn s10_3_errors_fit_the_platforms_schema() {
    let app = App::new("worker: exec sleep 1000\n");
    let (running, client) = TcpClient::of(&app);
    let mut found = Findings::default();

    for (request, status) in [
        (("GET", "/nowhere", ""), 404),
        (("GET", "/apps/other", ""), 404),
        (("GET", "/apps/app/dynos/web.1", ""), 404),
        (("GET", "/apps/app/pipeline-couplings", ""), 404),
        (("GET", "/apps/app/releases/9", ""), 404),
        (("POST", "/apps/app/releases", "{}"), 422),
        (("POST", "/apps/app/dynos", "["), 400),
        (("PATCH", "/apps/app", r#"{"maintenance":true}"#), 422),
        (("PATCH", "/apps/app/formation", r#"{"updates":[{"type":"web","quantity":1}]}"#), 422),
        (("PATCH", "/apps/app/formation/worker", r#"{"quantity":99999}"#), 422),
    ] {
        found.ask(&client, request, status, "error");
    }
    let stranger = TcpClient { port: client.port, key: "wrong".to_owned() };
    found.ask(&stranger, ("GET", "/apps", ""), 401, "error");

    found.expect_none();
    stop(&app, running).expect_end(Ended::Code(0));
}
