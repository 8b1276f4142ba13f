//! Random requests: each gets one answer in the shape of the platform.

use proptest::prelude::*;

use super::*;

fn method() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(vec!["GET", "PATCH", "POST", "DELETE", "PUT"]).prop_map(str::to_owned), ".{0,8}"]
}

/// Paths that are nearly right, so that the deeper parts are reached.
fn path() -> impl Strategy<Value = String> {
    let words = [
        "apps",
        "app",
        "dynos",
        "web.1",
        "web",
        "formation",
        "formations",
        "actions",
        "stop",
        "releases",
        "1",
        "v1",
        "config-vars",
        "users",
        "~",
        "account",
        "dyno",
        "wait",
        "log-sessions",
        "reload",
        "restart",
        "why",
        "state",
        "addons",
        "domains",
        "collaborators",
        "",
        "%77eb",
        "%",
        "..",
    ];
    let word = prop_oneof![6 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,12}"];
    prop::collection::vec(word, 0..8).prop_map(|words| format!("/{}", words.join("/")))
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "[ -~]{0,8}".prop_map(|text| Value::from(text).to_string()),
        r#""[+-]?[0-9]{1,5}""#,
    ];
    let key = prop::sample::select(vec![
        "updates", "type", "quantity", "size", "dynos", "dyno", "name", "run", "timeout", "x", "command", "env",
        "attach", "lines", "tail", "source", "since", "release", "grace", "until",
    ]);
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        json().prop_map(String::into_bytes),
        json().prop_map(|item| format!("{{\"updates\":[{item}]}}").into_bytes()),
        json().prop_map(|item| format!("{{\"updates\":[{{\"type\":\"web\",\"quantity\":{item}}}]}}").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64),
    ]
}

proptest! {
    #[test]
    fn s10_3_every_request_has_one_answer_in_the_shape_of_the_platform(
        method in method(), path in path(), range in proptest::option::of(".{0,40}"), body in body()
    ) {
        let request = ApiRequest { method: &method, path: &path, range: range.as_deref(), body: &body, one_off_number: 4321 };

        let answer = answer(&request);

        let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        match answer.status {
            200..=202 => prop_assert!(value.is_object() || value.is_array()),
            400..=499 => {
                prop_assert!(value["id"].as_str().is_some_and(|id| !id.is_empty()), "{value}");
                prop_assert!(value["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() < 1_000));
            }
            other => prop_assert!(false, "status {other}"),
        }
        if let Ok(Asked::Do(change)) = request.asks(&app()) {
            prop_assert!(["PATCH", "POST", "DELETE"].contains(&method.as_str()));
            if let Command::Scale(changes) = change.command {
                let mut names = std::collections::BTreeSet::new();
                prop_assert!(changes.iter().all(|(name, _)| names.insert(name)));
            }
        }
    }

    #[test]
    fn s10_1_a_description_is_read_back_as_it_was_written(pid: i32, root in ".{0,40}", types in prop::collection::vec("[a-z]{1,8}", 0..4)) {
        let start = StartDescription {
            pid,
            session: "0".repeat(32),
            kind: StartKind::Smoke,
            app: "app".to_owned(),
            name: None,
            root: StartDescription::path_text(std::path::Path::new(&root)),
            directory: root,
            procfile: String::new(),
            types,
            started_at_ms: i64::from(pid),
            url: None,
            web_port: None,
            files: vec!["/srv/app/.env".to_owned()],
            log_directory: None,
        };

        let text = serde_json::to_string(&start).expect("JSON");

        prop_assert_eq!(serde_json::from_str::<StartDescription>(&text).expect("read back"), start);
    }
}
