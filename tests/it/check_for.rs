//! `dyno check --for`: what will differ elsewhere, with file and line.

use crate::harness::{App, Ended};

fn app() -> App {
    App::new("web: PORT=3000 ./web\nmy_worker: ./work >> log/work.log\nrelease: ./migrate\n")
        .script("web", "")
        .script("work", "")
        .script("migrate", "")
        .file(".env", "OK=1\nREDIS_URL=redis://:secret@localhost:6379\n")
}

const PORT: &str = "Procfile:1: `web` gets port 3000 from `PORT=3000` in its command; heroku stops a web dyno that does \
                    not listen on `$PORT` within 60 seconds (R10)\nhint: remove `PORT=3000` from the command\n";

const FILE: &str = "Procfile:2: `my_worker` writes to `log/work.log`, and heroku loses it at each restart\n\
                    hint: remove the redirection: `heroku logs` shows what it prints\n";

const LOCAL: &str = ".env:2: `REDIS_URL` leads to `localhost`, which is the dyno itself after the move\n\
                     hint: give it the address of the service there: `heroku config:set REDIS_URL=…`\n";

#[test]
fn what_surely_breaks_elsewhere_fails_the_check() {
    let app = app();

    let valid = "valid procfile detected (web, my_worker, release)\n";
    app.dyno(["check"]).run().expect(Ended::Code(0), valid, "");
    let text = format!("error: {PORT}error: {FILE}note: {LOCAL}");
    app.dyno(["check", "--for", "heroku"]).run().expect(Ended::Code(78), "", &text);
    let text = format!("error: {PORT}error: {FILE}error: {LOCAL}");
    app.dyno(["check", "--for", "heroku", "--strict"]).run().expect(Ended::Code(78), "", &text);
}

#[test]
fn notes_about_a_move_do_not_fail_the_check() {
    let app = App::new("web: ./web\nrelease: ./web\n").script("web", "");
    let text = "Procfile:2: systemd runs `release` whenever it starts the app, also after a reboot, not once for each \
                release\nhint: make sure that it can run again, or leave it out: `dyno export systemd --no-release`\n";

    let valid = "valid procfile detected (web, release)\n";
    app.dyno(["check", "--for", "systemd"]).run().expect(Ended::Code(0), valid, &format!("note: {text}"));
    app.dyno(["check", "--for", "heroku", "--strict"]).run().expect(Ended::Code(0), valid, "");
    app.dyno(["check", "--for", "systemd", "--strict"]).run().expect(Ended::Code(78), "", &format!("error: {text}"));
}

#[test]
fn s18_3_what_a_format_cannot_carry_is_named_with_its_line() {
    let app = App::new("web: ./web\n").script("web", "").file(".env", "A=1\nB=\"\u{1}\"\n");
    app.dyno(["check", "--for", "systemd"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", "");

    let app = app.file("odd.env", b"A=1\n1B=2\nC=\xff\n1D=4\n");
    let checked = app.dyno(["check", "-e", "odd.env", "--for", "systemd"]).run();

    checked.expect_end(Ended::Code(78));
    let errors = checked.stderr();
    let errors: Vec<&str> = errors.lines().filter(|line| line.starts_with("error: ")).collect();
    let name = "its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
    let expected = [
        format!("error: odd.env:2: systemd cannot have the config var `1B`: {name}"),
        "error: odd.env:3: systemd cannot have the config var `C`: its value is not UTF-8".to_owned(),
        format!("error: odd.env:4: systemd cannot have the config var `1D`: {name}"),
    ];
    assert_eq!(errors, expected);
}

#[test]
fn findings_about_a_move_are_in_the_json_report() {
    let checked = app().dyno(["check", "--for", "heroku", "--json"]).run();

    assert_eq!((checked.ended, checked.stderr()), (Ended::Code(78), String::new()));
    let report: serde_json::Value = serde_json::from_str(&checked.stdout()).unwrap();
    let problem = |severity: &str, (file, line): (&str, usize), key: &str, text: &str| {
        let (message, hint) = text.split_once("\nhint: ").unwrap();
        let message = message.split_once(": ").unwrap().1;
        serde_json::json!({"severity": severity, "file": file, "line": line, "key": key, "message": message,
            "hint": hint.trim_end()})
    };
    let expected = serde_json::json!([
        problem("error", ("Procfile", 1), "web", PORT),
        problem("error", ("Procfile", 2), "my_worker", FILE),
        problem("note", (".env", 2), "REDIS_URL", LOCAL),
    ]);
    assert_eq!(report["problems"], expected);
    assert!(!checked.stdout().contains("secret"));
}

#[test]
fn every_engine_can_be_named_and_no_other() {
    let app = App::new("web: ./web\n").script("web", "");
    let odd = App::new("web: PORT=80 ./web\n").script("web", "");
    let mut reasons = std::collections::BTreeSet::new();
    for engine in ["heroku", "dokku", "kubernetes", "compose", "systemd", "cnb"] {
        let checked = app.dyno(["check", "--for", engine]).run();
        checked.expect(Ended::Code(0), "valid procfile detected (web)\n", "");
        assert!(
            reasons.insert(odd.dyno(["check", "--for", engine]).run().stderr()),
            "{engine} has a reason of its own"
        );
    }

    let refused = app.dyno(["check", "--for", "herku"]).run();
    refused.expect_end(Ended::Code(2));
    assert!(refused.stderr().contains("heroku"), "{}", refused.stderr());
}
