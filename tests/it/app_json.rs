//! `app.json`: which commands read it, and what it changes there (S18.4).

use crate::app::free_port;
use crate::harness::{App, Ended};
use crate::smoke;

/// A variable that nothing gives, in a file that a plain start must not read.
const REQUIRED: &str = "{\n  \"env\": {\n    \"API_KEY\": {\"description\": \"From the shop.\"},\n    \"OPTIONAL\": {\"required\": false}\n  }\n}\n";

const VALID: &str = "valid procfile detected (web)\n";

const SET_HINT: &str = "hint: set it, as in `dyno config:set API_KEY=…`, or write `\"required\": false`\n";

#[test]
fn s18_4_check_lists_what_dyno_does_not_do() {
    let text = r#"{
      "formation": {"web": {"quantity": 1}, "wrker": {"quantity": 2}},
      "scripts": {"postdeploy": "rake db:migrate"},
      "addons": ["heroku-postgresql:mini", {"plan": "heroku-redis"}, {"plan": "heroku-redis", "as": "CACHE"}],
      "healthchecks": {"web": [{"path": "/up", "content": "ok"}, {"uptime": 3}]}
    }"#;
    let app = App::new("web: true\nworker: true\n").file("app.json", text);

    let notes = "note: app.json:2: `formation` names the process type `wrker`, which the Procfile does not have\n\
                 hint: did you mean `worker`?\n\
                 note: app.json:3: `dyno` does not run the script `postdeploy`\n\
                 hint: run it with `dyno run 'rake db:migrate'`\n\
                 note: app.json:4: `dyno` does not provide the add-ons `heroku-postgresql:mini` and `heroku-redis`\n\
                 hint: run such a service yourself, and set its config vars, as in `dyno config:set DATABASE_URL=…`\n\
                 note: app.json:5: `content` of a health check has no effect in `dyno smoke` and `dyno export`\n\
                 hint: let the path answer with an error status, or test it with `dyno smoke -- COMMAND`\n\
                 note: app.json:5: `uptime` of a health check has no effect in `dyno smoke` and `dyno export`\n\
                 hint: use `dyno smoke --settle SECONDS`\n";
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (web, worker)\n", notes);
}

#[test]
fn s18_4_a_required_variable_is_a_note_and_an_error_with_strict() {
    let app = App::new("web: true\n").file("app.json", REQUIRED);
    let text = format!("app.json:3: the config var `API_KEY` is required, but it is not set\n{SET_HINT}");

    app.dyno(["check"]).run().expect(Ended::Code(0), VALID, &format!("note: {text}"));
    app.dyno(["check", "--strict"]).run().expect(Ended::Code(78), "", &format!("error: {text}"));
    app.dyno(["check", "--strict"]).env("API_KEY", "x").run().expect(Ended::Code(0), VALID, "");
    let app = app.file(".env", "API_KEY=x\n");
    app.dyno(["check", "--strict"]).run().expect(Ended::Code(0), VALID, "");
    app.called("foreman", ["check"]).run().expect(Ended::Code(0), VALID, "");
}

#[test]
fn s18_4_start_with_heroku_names_missing_variables_in_one_line() {
    let text =
        "{\"env\": {\n\"API_KEY\": {},\n\"B\": {}, \"C\": {}, \"D\": {}, \"E\": {\"value\": \"x\"}, \"F\": \"y\"}}";
    let line = "warning: app.json:2: required config vars are not set: `API_KEY`, `B`, `C` and 1 more\n";
    let app = App::new("job: true\n").file("app.json", text);
    let port = free_port().to_string();
    let start = |options: &[&str]| app.dyno(["start", "-p", &port]).args(options).run().stderr();

    let stderr = start(&["--heroku", "--can-die", "job", "--no-router"]);
    assert!(stderr.contains(&format!("{line}{SET_HINT}")), "{stderr}");
    assert_eq!(stderr.matches("app.json").count(), 1, "{stderr}");
    assert!(!start(&[]).contains("app.json"));
}

#[test]
fn s18_4_a_broken_file_matters_only_to_the_commands_that_read_it() {
    let app = App::new("job: echo done; exit 3\n").file("app.json", "{\n  job: 1\n}\n");
    let fact = "error: app.json:2: the JSON cannot be read: expected a key in double quotes\n";
    let hint = "hint: fix it, or move the file elsewhere if it belongs to another tool\n";

    app.refuses(&["check"], 78, &format!("{fact}{hint}"));
    for args in [&["export", "systemd"][..], &["smoke"], &["start", "--heroku"]] {
        app.refuses(args, 78, &format!("{fact}\n{hint}"));
    }
    let port = free_port().to_string();
    for name in ["dyno", "foreman", "honcho"] {
        let started = app.called(name, ["start", "-p", &port]).run();
        assert_eq!(started.lines_of("job.1")[1], "done", "{name}: {}", started.stderr());
        assert!(!started.stderr().contains("app.json"), "{name}: {}", started.stderr());
        app.called(name, ["run", "echo", "ran"]).run().expect(Ended::Code(0), "ran\n", "");
    }
    let valid = "valid procfile detected (job)\n";
    app.called("foreman", ["check"]).run().expect(Ended::Code(0), valid, "");
    app.called("honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (job)\n");
}

#[test]
fn s18_4_the_file_of_another_tool_and_a_directory_prevent_nothing() {
    let app = App::new("web: true\n").file("app.json", "{expo: {name: 'app'},}");
    app.dyno(["check"]).run().expect(Ended::Code(0), VALID, "");

    let app = App::new("web: true\n").file("app.json/x", "");
    let note = "note: app.json is a directory, so it is not read\nhint: rename it if it hides a file of that name\n";
    app.dyno(["check"]).run().expect(Ended::Code(0), VALID, note);
}

/// An `app.json` whose health check asks for this path.
fn health_check(path: &str) -> String {
    format!(
        "{{\"healthchecks\": {{\"web\": [{{\"type\": \"liveness\", \"path\": \"/no\"}}, {{\"path\": \"{path}\"}}]}}}}"
    )
}

#[test]
fn s18_4_smoke_asks_what_the_health_check_asks_unless_an_option_does() {
    let app = smoke::app("web: ./listen 0.0.0.0 503\n").file("app.json", health_check("/ready?deep=1"));
    let limit = ["--timeout", "6"];

    let by_file = smoke::smoke(&app, &limit).run();
    let by_option = smoke::smoke(&app, &[&limit[..], &["--http", "/=503"]].concat()).run();

    by_file.expect_end(Ended::Code(75));
    let answer = "answers GET /ready?deep=1 with 503, not 200 to 399";
    assert!(by_file.stderr().contains(answer), "{}", by_file.stderr());
    by_option.expect_end(Ended::Code(0));
}

#[test]
fn s18_4_smoke_waits_for_other_types_with_a_health_check() {
    let checks = "{\"healthchecks\": {\"api\": [{\"type\": \"readiness\", \"listening\": true}]}}";
    let app = smoke::app("web: ./listen\napi: sleep 100\n").file("app.json", checks);

    let finished = smoke::smoke(&app, &["--timeout", "6"]).run();

    finished.expect_end(Ended::Code(75));
    let last = "smoke failed: not up within 6 seconds: api.1 does not listen on $PORT";
    assert!(finished.stderr().contains(last), "{}", finished.stderr());
    smoke::smoke(&app, &["--timeout", "6", "--ready", "web"]).run().expect_end(Ended::Code(0));
}

#[test]
fn s18_4_export_takes_quantities_and_readiness_from_the_file() {
    let text = "{\"formation\": {\"web\": {\"quantity\": 2}, \"worker\": {\"quantity\": 0}},\n\
                \"healthchecks\": {\"web\": [{\"path\": \"/ready\"}]}}";
    let app = App::new("web: true\nworker: true\nclock: true\n").file("app.json", text);
    let services = |call: crate::app::Call| {
        let listed = call.run().stdout();
        let names = listed.lines().filter_map(|line| line.split_once('-')?.1.strip_suffix(".service"));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let by = |args: &[&str]| services(app.dyno(["export", "systemd", "-a", "shop"]).args(args));

    assert_eq!(by(&[]), ["web.1", "web.2", "clock.1"]);
    assert_eq!(by(&["-c", "worker=1"]), ["web.1", "worker.1", "clock.1"]);
    assert_eq!(by(&["-x", "web"]), ["clock.1"]);
    let shown = |args: &[&str]| app.dyno(["export", "systemd", "--stdout"]).args(args).run().stdout();
    assert!(shown(&[]).contains("GET %%s HTTP") && shown(&[]).contains("/ready"), "{}", shown(&[]));
    assert!(!shown(&["--http", "/other"]).contains("/ready"));
    app.write(".foreman", "concurrency: clock=2\n");
    assert_eq!(by(&[]), ["web.1", "worker.1", "clock.1", "clock.2"]);
}

#[test]
fn s18_4_the_size_of_a_dyno_is_the_memory_of_its_pod() {
    let size = |size: &str| format!("{{\"quantity\": 1, \"size\": \"{size}\"}}");
    let text = format!("{{\"formation\": {{\"web\": {}, \"worker\": {}}}}}", size("Standard-2X"), size("huge"));
    let app = App::new("web: true\nworker: true\nclock: true\n").file("app.json", text);

    let exported = app.dyno(["export", "kubernetes", "out", "-a", "shop", "--image", "shop:1"]).run();

    exported.expect_end(Ended::Code(0));
    let note = "note: the size of `worker` in app.json is not one of Heroku's, so it sets no resources\n";
    assert!(exported.stderr().contains(note), "{}", exported.stderr());
    let pod = |name: &str| std::fs::read_to_string(app.path(&format!("out/shop-{name}.yaml"))).unwrap();
    let resources = "          resources:\n            requests:\n              memory: \"1024Mi\"\n            limits:\n              memory: \"2048Mi\"\n";
    assert!(pod("web").contains(resources), "{}", pod("web"));
    assert!(!pod("worker").contains("resources") && !pod("clock").contains("resources"));
}

#[test]
fn s18_4_export_for_dokku_keeps_the_rest_of_the_file() {
    let text = r#"{
      "//": "of a person",
      "cron": [{"command": "./tick", "schedule": "@daily"}],
      "scripts": {"dokku": {"predeploy": "./prepare"}},
      "formation": {"web": {"quantity": 2, "max_parallel": 1}, "old": {"quantity": 7}},
      "healthchecks": {"web": [{"path": "/up", "content": "ok"}], "worker": [{"uptime": 3}]}
    }"#;
    let app = App::new("web: true\nworker: true\n").file("app.json", text);
    let written = |args: &[&str]| {
        app.dyno(["export", "dokku", "out", "-a", "shop"]).args(args).run().expect_end(Ended::Code(0));
        let text = std::fs::read_to_string(app.path("out/app.json")).unwrap();
        let mut object: serde_json::Value = serde_json::from_str(&text).unwrap();
        let marker = object.as_object_mut().unwrap().remove("//").unwrap();
        assert!(marker.as_str().unwrap().starts_with("Written by"), "{marker}");
        object
    };

    let same = written(&[]);
    let mut expected: serde_json::Value = serde_json::from_str(text).unwrap();
    expected.as_object_mut().unwrap().remove("//");
    expected["formation"] = serde_json::json!({"web": {"quantity": 2, "max_parallel": 1}, "worker": {"quantity": 1}});
    assert_eq!(same, expected);

    let changed = written(&["-c", "web=3", "--http", "/other"]);
    assert_eq!(changed["formation"]["web"], serde_json::json!({"quantity": 3, "max_parallel": 1}));
    assert_eq!(changed["healthchecks"]["web"][0]["path"], "/other");
    assert_eq!(changed["healthchecks"]["worker"], expected["healthchecks"]["worker"]);
}

#[test]
fn s18_4_export_notes_a_type_that_the_procfile_lacks() {
    let app = App::new("web: true\n").file("app.json", "{\"formation\": {\n\"wbe\": {\"quantity\": 2}}}");

    let exported = app.dyno(["export", "systemd"]).run();

    let note = "warning: app.json:2: `formation` names the process type `wbe`, which the Procfile does not have\n\
                hint: did you mean `web`?\n";
    assert!(exported.stderr().starts_with(note), "{}", exported.stderr());
    assert_eq!(exported.ended, Ended::Code(0));
}
