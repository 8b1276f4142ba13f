//! The recorded exchanges of the platform's command line, and wrong requests.

mod names;
mod random;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::app::{Formation, Layers, Procfile, Scale};
use crate::model::{DynoName, ProcessType, Secret, Usage, Usages};
use crate::release::{Listeners, Release, ReleaseFacts};
use crate::supervisor::{
    Command, Deploy, DeployOrigin, DynoLife, DynoRole, PublicState, Quantity, Refusal, ReleaseInfo, ReleaseStatus,
    Reply, Restarted, Row, Snapshot, Target,
};

/// The product's own copy of the recorded facts.
const EXCHANGES: &str = include_str!("../../tests/data/api/exchanges.txt");

fn process_type(name: &str) -> ProcessType {
    ProcessType::new(name).expect("a name")
}

fn app() -> AppFacts {
    AppFacts {
        name: "app".to_owned(),
        root: "/srv/app".to_owned(),
        url: Some("http://127.0.0.1:5000".to_owned()),
        email: "dev@local.example".to_owned(),
        started_at: "2026-11-23T05:00:00Z".parse().expect("a time"),
        look: LogLook::default(),
        tcp: None,
    }
}

fn facts() -> ReleaseFacts {
    ReleaseFacts {
        commands: [("web", "python app.py"), ("worker", "python worker.py")]
            .map(|(name, command)| (process_type(name), command.as_bytes().to_vec()))
            .to_vec(),
        config_vars: [("A", "0"), ("X", "hello")].map(|(key, value)| (key.to_owned(), Secret::new(value))).into(),
        ..ReleaseFacts::default()
    }
}

fn snapshot(dynos: &[(&str, u32, PublicState)]) -> Snapshot {
    let row = |(name, index, state): &(&str, u32, PublicState)| Row {
        dyno: DynoName::new(process_type(name), *index),
        state: *state,
        since: app().started_at,
        role: DynoRole::Formation,
        not_up: None,
        prevented: None,
        wanted: true,
        port: Some(5000),
        command: facts().command(&process_type(name)).into(),
        run: 1,
        pid: (*state == PublicState::Up).then_some(4711),
        restarts: 0,
        last_exit: None,
        life: DynoLife::default(),
    };
    let count = |name: &str| u32::try_from(dynos.iter().filter(|(known, ..)| *known == name).count()).expect("few");
    let quantity = |name: &str| Quantity { process_type: process_type(name), quantity: count(name) };
    Snapshot {
        release: 2,
        facts: Arc::new(facts()),
        releases: Arc::new(vec![release(2)]),
        formation: vec![quantity("web"), quantity("worker")],
        rows: dynos.iter().map(row).collect(),
        ..Snapshot::default()
    }
}

fn release(version: u32) -> ReleaseInfo {
    let procfile = Procfile::parse(b"web: python app.py\nworker: python worker.py\n").expect("a Procfile");
    let mut layers = Layers::default();
    for setting in ["A=0", "X=hello"] {
        layers.add_setting(setting.as_bytes()).expect("a setting");
    }
    let release = Release { version, ..Release::first("dev".to_owned(), procfile, layers) };
    let deploy = Deploy {
        release,
        listeners: Listeners::default(),
        added: Formation::default(),
        runs_release_command: true,
        spare_ports: HashMap::new(),
        origin: DeployOrigin::Files,
    };
    let status = ReleaseStatus::Succeeded;
    ReleaseInfo { status, ..ReleaseInfo::pending(version, app().started_at, String::new(), deploy) }
}

fn running() -> Snapshot {
    snapshot(&[("web", 1, PublicState::Up), ("worker", 1, PublicState::Up)])
}

/// What the supervisor would reply, as far as the recorded commands need it.
fn reply(command: &Command) -> Result<Reply, Refusal> {
    let known = || vec![process_type("web"), process_type("worker")];
    let dynos = || running().rows.into_iter().map(|row| row.dyno);
    let restarting = |dynos: &mut dyn Iterator<Item = DynoName>| {
        Ok(Reply::Restarting(dynos.map(|dyno| Restarted { dyno, run: 1 }).collect()))
    };
    match command {
        Command::Scale(changes) => {
            let mut formation = running().formation;
            for (name, scale) in changes {
                let Some(entry) = formation.iter_mut().find(|entry| entry.process_type == *name) else {
                    return Err(Refusal::UnknownType { name: name.clone(), known: known() });
                };
                entry.quantity = scale.apply(u16::try_from(entry.quantity).expect("few")).expect("few").into();
            }
            Ok(Reply::Scaled(formation))
        }
        Command::Restart(target, _) | Command::Stop(target, _) => match target {
            Target::All => restarting(&mut dynos()),
            Target::Type(name) => restarting(&mut dynos().filter(|dyno| dyno.process_type == *name)),
            Target::Dyno(name) if dynos().any(|dyno| dyno == *name) => restarting(&mut [name.clone()].into_iter()),
            Target::Dyno(name) => Err(Refusal::UnknownDyno { name: name.clone(), known: dynos().collect() }),
        },
        Command::Run(_)
        | Command::Refresh { .. }
        | Command::Deploy(_)
        | Command::Rollback { .. }
        | Command::Shutdown { .. } => panic!("not a command of the API"),
        Command::RunOneOff { number, .. } => Ok(Reply::Started(DynoName::new(process_type("run"), *number))),
    }
}

fn answer(request: &ApiRequest<'_>) -> ApiAnswer {
    let app = app();
    let path = app.named_path(request.path, &running());
    let request = ApiRequest { path: &path, ..*request };
    let usages = Usages::from([(4711, Usage { cpu: std::time::Duration::from_millis(1_250), memory: 1 << 20 })]);
    match request.asks(&app) {
        Ok(Asked::See(resource)) => app.answer(&resource, &running(), &usages),
        Ok(Asked::Do(change)) => app.answer_change(&change, &reply(&change.command), Some(&running())),
        Ok(Asked::RunAttached { number, .. }) => {
            let dyno = DynoName::new(process_type("run"), number);
            app.attached(&dyno, &running(), "rendezvous://127.0.0.1:50999/tok1".to_owned())
        }
        Ok(Asked::Why(name)) => ApiAnswer::ok(&app.why(name.as_deref(), &running())),
        Ok(Asked::Reload) => ApiAnswer::ok(&ReloadAnswer::unchanged(2)),
        Ok(Asked::Rollback(key)) => match app.found_release(&key, &running()) {
            Ok(_) => ApiAnswer::created(&app.rolled_back(Some(2), Vec::new(), &running())),
            Err(error) => error.answer(),
        },
        Ok(Asked::AwaitRelease(_)) => ApiAnswer::ok(&ReloadAnswer::settled(2, "", &running())),
        Ok(Asked::ChangeConfig(_)) => app.answer(&Resource::ConfigVars, &running(), &usages),
        Ok(Asked::Wait(wait)) => match wait.condition() {
            Ok(condition) => ApiAnswer::json(200, &condition.answer(&running())),
            Err(error) => error.answer(),
        },
        Ok(Asked::OpenLog(_)) => {
            let session = LogSessionResource::new("tok1", "127.0.0.1:5099", app.started_at, LogLook::default());
            ApiAnswer::created(&session)
        }
        // The lines themselves are not JSON.
        Ok(Asked::ReadLog(token)) => ApiAnswer::ok(&token),
        // Neither is a descriptor.
        Ok(Asked::HandOver) => ApiAnswer::ok(&()),
        // Frames are not JSON either.
        Ok(Asked::SeeScreen(dyno) | Asked::Attach(dyno, _)) => ApiAnswer::ok(&[dyno.to_string()]),
        Err(error) => error.answer(),
    }
}

fn get(path: &str) -> (u16, Value) {
    ask("GET", path, "")
}

fn request<'a>(method: &'a str, path: &'a str, body: &'a str) -> ApiRequest<'a> {
    ApiRequest { method, path, range: None, body: body.as_bytes(), one_off_number: 4321 }
}

fn ask(method: &str, path: &str, body: &str) -> (u16, Value) {
    let answer = answer(&request(method, path, body));
    (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
}

/// Whether `ours` has everything that is in `recorded`, with the same values or only with values of the same types.
fn covers(ours: &Value, recorded: &Value, same_values: bool) -> bool {
    match (ours, recorded) {
        (Value::Object(ours), Value::Object(recorded)) => {
            recorded.iter().all(|(key, value)| ours.get(key).is_some_and(|own| covers(own, value, same_values)))
        }
        (Value::Array(ours), Value::Array(recorded)) if same_values => {
            ours.len() == recorded.len() && ours.iter().zip(recorded).all(|(own, value)| covers(own, value, true))
        }
        (Value::Array(ours), Value::Array(recorded)) => {
            // A list that is empty would prove nothing.
            !ours.is_empty() && ours.iter().all(|own| recorded.first().is_some_and(|value| covers(own, value, false)))
        }
        _ if same_values => ours == recorded,
        _ => std::mem::discriminant(ours) == std::mem::discriminant(recorded),
    }
}

#[test]
fn s10_3_recorded_requests_get_every_field_that_is_read() {
    let mut count = 0;
    let (mut line, mut range, mut body) = ("", None, "");
    for text in EXCHANGES.lines().filter(|text| !text.starts_with(['#', '$']) && !text.is_empty()) {
        if let Some(header) = text.strip_prefix("range: ") {
            range = Some(header);
        } else if text.starts_with('{') {
            body = text;
        } else if let Some((kind, expected)) = text.split_once("> ") {
            let (method, path) = line.split_once(' ').expect("method and path");
            let request = ApiRequest { range, ..request(method, path, body) };
            let answer = answer(&request);
            let (status, recorded) = expected.split_once(' ').expect("a status and a body");
            let ours: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let recorded: Value = serde_json::from_str(recorded).expect("JSON");
            assert_eq!(answer.status.to_string(), status, "{line}: {ours}");
            assert!(covers(&ours, &recorded, kind == "-"), "{line}\nours: {ours}\nrecorded: {recorded}");
            count += 1;
        } else {
            (line, range, body) = (text, None, "");
        }
    }
    assert!(count > 50, "only {count} exchanges were found");
}

#[test]
fn s10_3_the_app_is_found_by_its_id_and_another_app_is_not() {
    let id = app().id();

    let expected = json!({
        "id": "not_found", "message": "there is no app `other` here", "hint": "the app that runs here is `app`"
    });
    assert_eq!(get("/apps/other/dynos"), (404, expected));
    assert_eq!(get(&format!("/apps/{id}/dynos")).0, 200);
}

#[test]
fn s10_3_a_dyno_is_found_by_name_and_by_id() {
    let (_, dynos) = get("/apps/app/dynos");
    let id = dynos[0]["id"].as_str().expect("an id");

    assert_eq!(get("/apps/app/dynos/web.1"), (200, dynos[0].clone()));
    assert_eq!(get(&format!("/apps/app/dynos/{id}")), (200, dynos[0].clone()));
    for (method, path) in [("DELETE", format!("dynos/{id}")), ("POST", format!("dynos/{id}/actions/stop"))] {
        let (status, touched) = ask(method, &format!("/apps/app/{path}"), "");
        assert_eq!((status, &touched["dynos"][0]["name"]), (202, &"web.1".into()), "{method} {path}");
    }
    assert_eq!(get("/apps/app/dynos/web.2").0, 404);
}

#[test]
fn s10_3_our_fields_are_added_to_those_of_the_platform() {
    let (_, dynos) = get("/apps/app/dynos");

    assert_eq!((&dynos[0]["pid"], &dynos[0]["restarts"]), (&4711.into(), &0.into()));
    assert_eq!((&dynos[0]["cpu"], &dynos[0]["memory"]), (&1.25.into(), &1_048_576.into()));
}

#[test]
fn s16_7_the_list_of_the_front_door_gets_the_state_and_the_ports() {
    let route = |name: &str| json!({ "type": name, "port": 5000 });
    let expected = json!({ "state": "up", "routes": [route("web"), route("worker")] });
    assert_eq!(get("/dyno/routes"), (200, expected));
}

#[test]
fn s10_2_an_unknown_name_suggests_the_nearest() {
    let hint = |method, path, body| ask(method, path, body).1["hint"].as_str().map(str::to_owned);
    let suggested = |name: &str| Some(format!("did you mean `{name}`?"));

    assert_eq!(hint("DELETE", "/apps/app/dynos/web.9", ""), suggested("web.1"));
    let body = r#"{"updates":[{"type":"wrker","quantity":1}]}"#;
    assert_eq!(hint("PATCH", "/apps/app/formation", body), suggested("worker"));
}

#[test]
fn s10_3_a_quantity_is_a_number_or_text_with_or_without_a_sign() {
    let scale = |quantity: &str| {
        let body = format!(r#"{{"updates":[{{"type":"my-job","quantity":{quantity},"size":"Basic"}}]}}"#);
        let request = request("PATCH", "/apps/app/formation", &body);
        match request.asks(&app()) {
            Ok(Asked::Do(Change { command: Command::Scale(changes), .. })) => Ok(changes[0].1),
            Err(error) => Err((error.status, error.message)),
            other => panic!("{other:?}"),
        }
    };
    let invalid = || Err((422, "the quantity of `my-job` is not a number".to_owned()));
    let too_many = |text: &str| Err((422, format!("`{text}` is too many dynos of `my-job`: the limit is 1000")));

    assert_eq!(scale("2"), Ok(Scale::To(2)));
    assert_eq!(scale(r#""2""#), Ok(Scale::To(2)));
    assert_eq!(scale(r#""+1""#), Ok(Scale::Up(1)));
    assert_eq!(scale(r#""-1""#), Ok(Scale::Down(1)));
    for quantity in ["-1", "1.5", "1e2", "true", "[]", "{}", r#""""#, r#""+""#, r#""1.5""#, r#""+-1""#, r#""٣""#] {
        assert_eq!(scale(quantity), invalid(), "{quantity}");
    }
    assert_eq!(scale("1001"), too_many("1001"));
    assert_eq!(scale(r#""+99999999999999999999""#), too_many("99999999999999999999"));
}

#[test]
fn s10_3_a_wrong_body_is_refused_and_changes_nothing() {
    let refused = |body: &str| {
        let (status, answer) = ask("PATCH", "/apps/app/formation", body);
        (status, answer["id"].as_str().expect("an id").to_owned())
    };
    let bad = (400, "bad_request".to_owned());
    let invalid = (422, "invalid_params".to_owned());
    let deep = "[".repeat(100_000);

    for body in ["", "{", "[]", "null", r#"{"updates":{}}"#, r#"{"updates":[1]}"#, "\u{feff}{}", &deep] {
        assert_eq!(refused(body), bad, "{}", body.get(..20).unwrap_or(body));
    }
    for update in [
        r#"{"quantity":1}"#,
        r#"{"type":1,"quantity":1}"#,
        r#"{"type":"a b","quantity":1}"#,
        r#"{"type":"release","quantity":1}"#,
        r#"{"type":"web","quantity":1},{"type":"web","quantity":2}"#,
        r#"{"type":"web","quantity":1},{"type":"nope","quantity":2}"#,
    ] {
        assert_eq!(refused(&format!(r#"{{"updates":[{update}]}}"#)), invalid, "{update}");
    }
}

#[test]
fn s10_3_a_path_is_decoded_and_an_unknown_one_is_not_found() {
    assert_eq!(get("/apps/%61pp/dynos/").0, 200);
    for path in ["/apps/app%2", "/apps/app%zz", "/apps/app%ff", "/apps/app%+1"] {
        assert_eq!(get(path).0, 400, "{path}");
    }
    for path in ["", "/", "*", "/apps/app/nope", "/apps/app/dynos/web.1/x", "//apps", &"/x".repeat(50_000)] {
        let (status, answer) = get(path);
        assert_eq!((status, &answer["id"]), (404, &"not_found".into()), "{}", path.get(..20).unwrap_or(path));
        assert!(answer["message"].as_str().is_some_and(|message| message.len() < 200), "{answer}");
    }
    assert_eq!(ask("PUT", "/apps/app", "").1["message"], "`PUT /apps/app` is not supported here");
}
