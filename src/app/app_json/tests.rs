use proptest::prelude::*;

use super::*;
use crate::model::HttpCheck;

fn parsed(text: &str) -> AppJson {
    let file = AppJson::parse(text.as_bytes());
    assert_eq!(file.problems, [], "{text}");
    file
}

/// The problems as `LINE: MESSAGE`.
fn problems(text: &str) -> Vec<String> {
    let problems = AppJson::parse(text.as_bytes()).problems;
    problems.iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
}

/// As in the app.json of many apps: other keys, both spellings of a variable and of an add-on.
const REAL: &str = r#"{
  "name": "Small Sharp Tool",
  "keywords": ["productivity"],
  "repository": "https://github.com/jane-doe/small-sharp-tool",
  "scripts": {
    "postdeploy": "bundle exec rake bootstrap",
    "pr-predestroy": {"command": "bin/clean", "size": "basic"},
    "dokku": {
      "predeploy": "touch /app/predeploy.test"
    }
  },
  "env": {
    "SECRET_TOKEN": {
      "description": "A secret key.",
      "generator": "secret"
    },
    "WEB_CONCURRENCY": {"value": 5},
    "RACK_ENV": "production",
    "API_KEY": {"description": "From the shop."},
    "SENTRY_DSN": {"required": false}
  },
  "formation": {
    "web": {"quantity": 2, "size": "standard-1x"},
    "worker": {"size": "hobby"}
  },
  "addons": [
    "openredis",
    {"plan": "heroku-postgresql:mini", "as": "DATABASE"}
  ],
  "buildpacks": [{"url": "heroku/ruby"}],
  "environments": {"test": {"scripts": {"test": "rake"}}},
  "stack": "heroku-22",
  "stack": "heroku-24"
}"#;

#[test]
fn s18_4_everything_that_a_real_file_declares_is_read() {
    let file = parsed(REAL);

    let variable = |one: &DeclaredVariable| {
        let value = one.value.as_ref().map(|value| String::from_utf8_lossy(value.reveal()).into_owned());
        (one.key.clone(), one.line, one.is_required, value, one.generator.clone())
    };
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        ("SECRET_TOKEN", 13, true, None, text("secret")),
        ("WEB_CONCURRENCY", 17, true, text("5"), None),
        ("RACK_ENV", 18, true, text("production"), None),
        ("API_KEY", 19, true, None, None),
        ("SENTRY_DSN", 20, false, None, None),
    ];
    let expected =
        expected.map(|(key, line, required, value, generator)| (key.to_owned(), line, required, value, generator));
    assert_eq!(file.env.iter().map(variable).collect::<Vec<_>>(), expected);
    assert_eq!(file.env[0].description.as_deref(), Some("A secret key."));
    let quantities = file.formation.iter().map(|one| (one.process_type.as_str(), one.quantity, one.line));
    assert_eq!(quantities.collect::<Vec<_>>(), [("web", Some(2), 23), ("worker", None, 24)]);
    assert_eq!((file.size("web"), file.size("worker"), file.size("css")), (Some("standard-1x"), Some("hobby"), None));
    let scripts = file.scripts.iter().map(|(name, command)| (name.as_str(), command.value.as_str(), command.line));
    let expected = [
        ("postdeploy", "bundle exec rake bootstrap", 6),
        ("pr-predestroy", "bin/clean", 7),
        ("dokku.predeploy", "touch /app/predeploy.test", 9),
    ];
    assert_eq!(scripts.collect::<Vec<_>>(), expected);
    let lines = |list: &[Setting<String>]| list.iter().map(|one| (one.value.clone(), one.line)).collect::<Vec<_>>();
    let addons = [("openredis".to_owned(), 27), ("heroku-postgresql:mini".to_owned(), 28)];
    assert_eq!(lines(&file.addons), addons);
    assert_eq!(lines(&file.buildpacks), [("heroku/ruby".to_owned(), 30)]);
    assert_eq!(file.stack.map(|stack| (stack.value, stack.line)), Some(("heroku-24".to_owned(), 33)));
}

#[test]
fn s18_4_a_variable_is_missing_if_it_is_required_and_nothing_gives_it() {
    let file = parsed(REAL);
    let missing = |set: &[&str]| file.missing(|key| set.contains(&key)).map(|one| one.line).collect::<Vec<_>>();

    assert_eq!(missing(&[]), [19]);
    assert_eq!(missing(&["API_KEY"]), [0; 0]);
}

#[test]
fn s18_4_the_health_check_for_the_readiness_wins_over_that_for_the_start() {
    let file = parsed(
        r#"{"healthchecks": {
          "web": [
            {"type": "liveness", "path": "/alive"},
            {"path": "/any"},
            {"type": "startup", "path": "/up", "attempts": 3, "wait": 5, "timeout": 6, "initialDelay": 7},
            {"type": "readiness", "path": "/ready?deep=1", "port": 3000, "content": "ok"}
          ],
          "api": [{"listening": true}],
          "worker": [{"type": "startup", "command": ["true"]}, {"type": "liveness", "path": "/alive"}],
          "tls": [{"path": "/", "scheme": "HTTPS"}],
          "old": [{"path": ""}]
        }}"#,
    );
    let path = |name| file.readiness(name).map(|check| (check.line, check.http.as_ref().map(HttpCheck::path)));

    assert_eq!(path("web"), Some((6, Some("/ready?deep=1"))));
    assert_eq!(path("api"), Some((8, None)));
    assert_eq!((path("worker"), path("tls"), path("css")), (None, None, None));
    assert_eq!(path("old"), Some((11, Some("/"))));
    let ready = file.readiness("web").unwrap();
    assert_eq!((ready.port, ready.left_out.as_slice()), (Some(3000), &["port", "content"][..]));
    let start = &file.health_checks[2];
    let times = (start.attempts, start.wait, start.timeout, start.initial_delay);
    assert_eq!((start.kind, times), (Some(HealthCheckKind::Startup), (Some(3), Some(5), Some(6), Some(7))));
}

#[test]
fn s18_4_text_that_is_not_an_object_is_an_error_with_its_line() {
    for (text, expected) in [
        ("", "1: the JSON cannot be read: it ends unexpectedly"),
        ("{\n  script: 1\n}", "2: the JSON cannot be read: expected a key in double quotes"),
        ("{\n  \"env\": {},\n}", "3: the JSON cannot be read: expected a key in double quotes"),
        ("{}\n{}", "2: the JSON cannot be read: text follows the closing brace"),
        ("\n[]", "2: the file has a list, not an object"),
        ("\"a\"", "1: the file has a string, not an object"),
    ] {
        assert_eq!(problems(text), [expected], "{text}");
    }
    assert_eq!(AppJson::parse(b"{\n\"a\": \"\xff\"}").problems[0].line, 2);
}

#[test]
fn s18_4_a_value_of_another_shape_is_left_out_and_reported() {
    for (text, expected) in [
        ("{\"env\": [\"A\"]}", "1: `env` is a list, not an object"),
        ("{\"env\": {\n\"A\": [1]}}", "2: `A` in `env` is a list, not an object or a string"),
        ("{\"env\": {\"A\": {\n\"required\": \"true\"}}}", "2: `required` of `A` is a string, not `true` or `false`"),
        ("{\"env\": {\"A\": {\"value\": {}}}}", "1: `value` of `A` is an object, not a string"),
        ("{\"formation\": [\n]}", "1: `formation` is a list, not an object"),
        ("{\"formation\": {\"web\": 1}}", "1: `web` in `formation` is a number, not an object"),
        ("{\"formation\": {\"web\": {\"quantity\": \"1\"}}}", "1: `quantity` of `web` is not a number from 0 to 1000"),
        ("{\"formation\": {\"web\": {\"quantity\": -1}}}", "1: `quantity` of `web` is not a number from 0 to 1000"),
        ("{\"formation\": {\"web\": {\"quantity\": 1001}}}", "1: `quantity` of `web` is not a number from 0 to 1000"),
        ("{\"formation\": {\"web\": {\"size\": 1}}}", "1: `size` of `web` is a number, not a string"),
        ("{\"healthchecks\": {\n\"web\": {}}}", "2: `web` in `healthchecks` is an object, not a list"),
        ("{\"healthchecks\": {\"web\": [\n1]}}", "2: a health check of `web` is a number, not an object"),
        ("{\"healthchecks\": {\"web\": [{\"path\": \"up\"}]}}", "1: `path` of a health check cannot be requested"),
        ("{\"healthchecks\": {\"web\": [{\"type\": \"x\"}]}}", "1: `type` of a health check is not one that exists"),
        (
            "{\"healthchecks\": {\"web\": [{\"port\": 0}]}}",
            "1: `port` of a health check is not a number from 1 to 65535",
        ),
        (
            "{\"healthchecks\": {\"web\": [{\"wait\": \"5\"}]}}",
            "1: `wait` of a health check is a string, not a whole number",
        ),
        ("{\"scripts\": \"x\"}", "1: `scripts` is a string, not an object"),
        ("{\"scripts\": {\"postdeploy\": 1}}", "1: the script `postdeploy` is a number, not a string"),
        ("{\"addons\": {}}", "1: `addons` is an object, not a list"),
        ("{\"addons\": [\n{\"as\": \"DB\"}]}", "2: an item of `addons` has no `plan`"),
        ("{\"buildpacks\": [1]}", "1: an item of `buildpacks` has no `url`"),
        ("{\"stack\": 24}", "1: `stack` is a number, not a string"),
    ] {
        assert_eq!(problems(text), [expected], "{text}");
    }
}

#[test]
fn s18_4_only_what_decides_something_is_an_error() {
    let severities = |text: &str| {
        AppJson::parse(text.as_bytes()).problems.iter().map(|problem| problem.severity).collect::<Vec<_>>()
    };

    assert_eq!(severities("{\"env\": 1, \"formation\": 1, \"healthchecks\": 1}"), [Severity::Error; 3]);
    assert_eq!(severities("{\"scripts\": 1, \"addons\": 1, \"buildpacks\": 1, \"stack\": 1}"), [Severity::Defect; 4]);
}

#[test]
fn s18_4_the_file_of_another_tool_and_an_empty_one_declare_nothing() {
    for text in [
        "{}",
        "{\"expo\": {\"name\": \"app\"}}",
        "\u{feff}{ expo: {'name': 'app',}, }",
        "{\"displayName\": \"App\", \"env\": null, \"formation\": null, \"scripts\": {}, \"addons\": null}",
    ] {
        let declared = AppJson { text: String::new(), ..AppJson::parse(text.as_bytes()) };
        assert_eq!(declared, AppJson::default(), "{text}");
    }
    assert_eq!(problems("{\"expose\": tru}").len(), 1);
}

proptest! {
    #[test]
    fn parsing_any_app_json_never_panics(
        text in "\\{\"(env|formation|healthchecks|scripts|addons)\":[a\"\\\\:,\\[\\]{}0-9 \n]{0,60}"
    ) {
        drop(AppJson::parse(text.as_bytes()));
    }

    #[test]
    fn values_of_any_shape_never_panic(value in value()) {
        drop(AppJson::parse(value.to_string().as_bytes()));
    }
}

/// An object, or another value, with the names and texts that mean something here.
fn value() -> impl Strategy<Value = serde_json::Value> {
    const TEXTS: [&str; 20] = [
        "env",
        "formation",
        "healthchecks",
        "scripts",
        "addons",
        "buildpacks",
        "stack",
        "dokku",
        "web",
        "value",
        "required",
        "quantity",
        "size",
        "type",
        "path",
        "listening",
        "attempts",
        "url",
        "readiness",
        "/up",
    ];
    let text = || prop::sample::select(&TEXTS[..]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        text().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        let members = prop::collection::btree_map(text().prop_map(str::to_owned), inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(serde_json::Value::from),
            members.prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}
