use super::*;
use crate::model::Secret;

/// The findings as `error|note PLACE: MESSAGE (HINT)`.
fn found(target: MoveTarget, procfile: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let procfile = Procfile::parse(procfile.as_bytes()).unwrap();
    let variable =
        |(key, value): &(&str, &str)| ExportedVariable { key: (*key).to_owned(), value: Secret::new(*value) };
    let config_vars: Vec<ExportedVariable> = variables.iter().map(variable).collect();
    let app = MovedApp { procfile: &procfile, config_vars: &config_vars, exported: None };
    let shown = |one: MoveFinding| {
        let severity = if one.is_certain { "error" } else { "note" };
        let place = match one.place {
            MovePlace::Type(process_type) => process_type.to_string(),
            MovePlace::Variable(key) => key,
            MovePlace::App => "app".to_owned(),
        };
        format!("{severity} {place}: {} ({})", one.message, one.hint)
    };
    move_findings(target, app).into_iter().map(shown).collect()
}

#[test]
fn a_web_type_that_does_not_use_its_port_breaks_on_heroku() {
    let killed = "heroku stops a web dyno that does not listen on `$PORT` within 60 seconds (R10)";
    for (command, severity, fact, hint) in [
        ("rails s -p 3000", "error", "listens on port 3000, not on `$PORT`", "write `-p $PORT`"),
        ("gunicorn a --bind=:80", "error", "listens on port 80, not on `$PORT`", "write `--bind=:$PORT`"),
        (
            "PORT=3000 npm start",
            "error",
            "gets port 3000 from `PORT=3000` in its command",
            "remove `PORT=3000` from the command",
        ),
        (
            "env A=1 PORT=80 web",
            "error",
            "gets port 80 from `PORT=80` in its command",
            "remove `PORT=80` from the command",
        ),
        (
            "uvicorn app:app",
            "error",
            "does not listen on `$PORT`, which `uvicorn` does not read by itself",
            "write `web: uvicorn app:app --host 0.0.0.0 --port $PORT`",
        ),
        (
            "uvicorn app:app --host ::",
            "error",
            "does not listen on `$PORT`, which `uvicorn` does not read by itself",
            "write `web: uvicorn app:app --host :: --port $PORT`",
        ),
        (
            "./setup && python3 -m http.server",
            "error",
            "does not listen on `$PORT`, which `http.server` does not read by itself",
            "add `$PORT` to `http.server`",
        ),
        ("php -S localhost:8000", "error", "listens on port 8000, not on `$PORT`", "write `-S 0.0.0.0:$PORT`"),
        ("./server --port 8080", "note", "seems to listen on port 8080, not on `$PORT`", "write `--port $PORT`"),
    ] {
        let expected = format!("{severity} web: `web` {fact}; {killed} ({hint})");
        assert_eq!(found(MoveTarget::Heroku, &format!("web: {command}\n"), &[]), [expected], "{command}");
    }
    for command in [
        "rails s -p $PORT",
        "rails s -p ${PORT:-3000}",
        "gunicorn app:app",
        "npm start",
        "UVICORN_HOST=0.0.0.0 UVICORN_PORT=$PORT uvicorn app:app",
        "mkdir -p 755 && ./server",
        "./server --export PORT",
        "node -e 'listen(process.env.PORT)'",
    ] {
        assert_eq!(
            found(MoveTarget::Heroku, &format!("web: {command}\nworker: x -p 3000\n"), &[]),
            [""; 0],
            "{command}"
        );
    }
}

#[test]
fn a_web_type_on_the_loopback_interface_cannot_be_reached() {
    for (command, severity, fact, hint) in [
        ("gunicorn a -b 127.0.0.1:$PORT", "error", "`web` listens on `127.0.0.1`", "write `-b 0.0.0.0:$PORT`"),
        ("rails s -b localhost -p $PORT", "error", "`web` listens on `localhost`", "write `-b 0.0.0.0`"),
        ("puma -b 'tcp://[::1]:$PORT'", "error", "`web` listens on `[::1]`", "write `-b tcp://0.0.0.0:$PORT`"),
        ("uvicorn a --host=127.0.0.1 --port $PORT", "error", "`web` listens on `127.0.0.1`", "write `--host=0.0.0.0`"),
        ("manage.py runserver localhost:$PORT", "error", "`web` listens on `localhost`", "write `0.0.0.0:$PORT`"),
        ("npm start -- -H localhost -p $PORT", "note", "`web` seems to listen on `localhost`", "write `-H 0.0.0.0`"),
        ("HOST=127.0.0.1 npm start", "note", "`web` seems to listen on `127.0.0.1`", "write `HOST=0.0.0.0`"),
        (
            "flask run -p $PORT",
            "note",
            "`flask run` listens on `127.0.0.1` by default",
            "write `web: flask run -p $PORT --host 0.0.0.0`",
        ),
        (
            "manage.py runserver $PORT",
            "note",
            "`manage.py runserver` listens on `127.0.0.1` by default",
            "write `0.0.0.0:$PORT`",
        ),
    ] {
        let of = |target| found(target, &format!("web: {command}\nworker: {command}\n"), &[]);
        let expected =
            |place| format!("{severity} web: {fact}, where nothing outside its {place} can reach it ({hint})");
        assert_eq!(of(MoveTarget::Heroku)[0], expected("dyno"), "{command}");
        let of_kubernetes = of(MoveTarget::Kubernetes);
        let addresses: Vec<&String> = of_kubernetes.iter().filter(|one| one.contains("can reach it")).collect();
        assert_eq!(addresses, [&expected("container")], "only `web`: {command}");
        assert_eq!(of(MoveTarget::Systemd), [""; 0], "{command}");
    }
    for command in [
        "uvicorn a --host 0.0.0.0 --port $PORT",
        "vite --host --port $PORT",
        "FLASK_RUN_HOST=:: flask run -p $PORT",
        "gunicorn a -b :$PORT",
        "rails s -p $PORT",
        "psql --host localhost && ./server $PORT",
        "DATABASE_HOST=localhost ./server --redis-host=localhost",
    ] {
        assert_eq!(found(MoveTarget::Heroku, &format!("web: {command}\n"), &[]), [""; 0], "{command}");
    }
    // What is written instead of a fixed port has no loopback address either.
    assert_eq!(found(MoveTarget::Heroku, "web: gunicorn a -b 127.0.0.1:80\n", &[]).len(), 1);
}

#[test]
fn each_engine_has_its_own_reason_to_use_the_port() {
    for (target, severity, reason) in [
        (MoveTarget::Dokku, "error", "dokku sends requests to `$PORT`, which it chooses"),
        (MoveTarget::Kubernetes, "error", "the Service and the probes of `dyno export kubernetes` lead to `$PORT`"),
        (MoveTarget::Compose, "error", "the port that `dyno export compose` publishes leads to `$PORT`"),
        (MoveTarget::Systemd, "note", "two dynos cannot share a port, and each has a `$PORT` of its own"),
        (MoveTarget::Cnb, "error", "the user of an image chooses its port with `PORT`"),
    ] {
        let expected = format!("{severity} web: `web` listens on port 80, not on `$PORT`; {reason} (write `-p $PORT`)");
        assert_eq!(found(target, "web: puma -p 80\n", &[]), [expected]);
    }
}

#[test]
fn other_types_that_listen_are_noted() {
    let notes = |target| found(target, "web: npm start\napi: 'puma'\n", &[]);
    let with_port =
        |target| found(target, "web: npm start\nws: ./ws $PORT\n", &[]).into_iter().find(|one| one.contains("listens"));
    let expected = "note api: `api` listens as well; heroku sends requests only to `web` \
                    (let `web` pass requests on, or make it an app of its own: `heroku create`)";

    assert_eq!(notes(MoveTarget::Heroku), [expected]);
    assert_eq!(notes(MoveTarget::Systemd), [""; 0]);
    for (target, expected) in [
        (
            MoveTarget::Dokku,
            "dokku sends requests only to `web` \
             (let `web` pass requests on, or make it an app of its own: `dokku apps:create ws`)",
        ),
        (
            MoveTarget::Kubernetes,
            "the Ingress of `dyno export kubernetes` leads only to `web`, and `ws` has a Service inside the cluster \
             (if clients need it, add a rule: `kubectl edit ingress`)",
        ),
        (
            MoveTarget::Compose,
            "`dyno export compose` publishes only `web`, and the other services reach `ws` by its name \
             (if clients need it, add `ports` to it in a file of your own: \
             `docker compose -f compose.yaml -f ws.yaml up`)",
        ),
        (
            MoveTarget::Cnb,
            "a container of the image runs one process type \
             (run another container for it: `docker run --entrypoint ws IMAGE`)",
        ),
    ] {
        assert_eq!(with_port(target), Some(format!("note ws: `ws` listens as well; {expected}")));
    }
}

#[test]
fn names_that_an_engine_refuses_or_changes_are_found() {
    let long = "a".repeat(64);
    let procfile = format!("my_worker: ./a\nClock: ./b\n-x: ./c\n{long}: ./d\nok-1: ./e\n");
    let refused = |engine: &str| {
        [
            format!(
                "error my_worker: {engine} refuses the name `my_worker`: it may not contain `_` (rename it: `my-worker: ./a`)"
            ),
            format!(
                "error Clock: {engine} refuses the name `Clock`: it may not contain capitals (rename it: `clock: ./b`)"
            ),
            format!("error -x: {engine} refuses the name `-x`: it may not begin or end with `-` (rename it: `x: ./c`)"),
            format!(
                "error {long}: {engine} refuses the name `{long}`: it may not have more than 63 characters \
                 (rename it: `{}: ./d`)",
                "a".repeat(63)
            ),
        ]
    };

    assert_eq!(found(MoveTarget::Dokku, &procfile, &[]), refused("dokku"));
    assert_eq!(found(MoveTarget::Kubernetes, &procfile, &[]), refused("kubernetes"));
    for target in [MoveTarget::Heroku, MoveTarget::Compose, MoveTarget::Systemd] {
        assert_eq!(found(target, &procfile, &[]), [""; 0]);
    }
    let of_cnb = found(MoveTarget::Cnb, &procfile, &[]);
    assert_eq!(
        of_cnb[0],
        "note my_worker: heroku's buildpack calls `my_worker` `my-worker` in the image, others keep the name \
         (rename it: `my-worker: ./a`)"
    );
    assert_eq!(
        of_cnb[3],
        format!(
            "error {long}: buildpacks refuse the name `{long}`: it has more than 63 characters (rename it: `{}: ./d`)",
            "a".repeat(63)
        )
    );
}

#[test]
fn a_shell_that_an_image_may_lack_is_one_note() {
    let procfile = "web: ./web -p $PORT\nworker: ./a && ./b\nclock: ./clock 'a b'\n";
    let note = |hint: &str| {
        [format!("note web: `web` and `worker` need a shell (`$PORT`), which small images do not have ({hint})")]
    };

    let run_image = "choose an image with a shell: `pack build IMAGE --run-image heroku/heroku:24`";
    assert_eq!(found(MoveTarget::Cnb, procfile, &[]), note(run_image));
    let test = "see whether the image has one: `docker run --rm --entrypoint /bin/sh IMAGE -c true`";
    assert_eq!(found(MoveTarget::Kubernetes, procfile, &[]), note(test));
    assert_eq!(found(MoveTarget::Compose, procfile, &[]), note(test));
    for target in [MoveTarget::Heroku, MoveTarget::Dokku, MoveTarget::Systemd] {
        assert_eq!(found(target, procfile, &[]), [""; 0]);
    }
    assert_eq!(found(MoveTarget::Cnb, "web: ./web --now\n", &[]), [""; 0]);
}

#[test]
fn the_syntax_of_bash_is_noted_where_sh_runs_the_command() {
    for (command, word) in [("source x; ./web", "source"), ("[[ -f x ]]; ./web", "[["), ("./web &> /dev/null", "&>")] {
        let expected = format!(
            "note web: `web` uses `{word}` of bash, but systemd runs it with `/bin/sh` (write `bash -c '…'` around the command)"
        );
        assert_eq!(found(MoveTarget::Systemd, &format!("web: {command}\n"), &[]), [expected]);
        assert_eq!(found(MoveTarget::Heroku, &format!("web: {command}\n"), &[]), [""; 0]);
    }
    for command in ["bash -c 'source x; [[ -f x ]]'", "./web '<<<' \"&>\"", "./web < in"] {
        assert_eq!(found(MoveTarget::Systemd, &format!("web: {command}\n"), &[]), [""; 0], "{command}");
    }
}

#[test]
fn when_the_release_command_runs_is_noted() {
    let note = |target| found(target, "release: ./migrate\n", &[]);

    assert_eq!((note(MoveTarget::Heroku), note(MoveTarget::Kubernetes)), (Vec::new(), Vec::new()));
    for (target, expected) in [
        (
            MoveTarget::Dokku,
            "dokku runs `release` in a container of the new image, which reaches only services that are linked to the app \
             (link them before the first deploy, as in `dokku postgres:link DATABASE APP`)",
        ),
        (
            MoveTarget::Compose,
            "compose runs `release` whenever `docker compose up` starts the app, not once for each release \
             (make sure that it can run again, or leave it out: `dyno export compose --no-release`)",
        ),
        (
            MoveTarget::Systemd,
            "systemd runs `release` whenever it starts the app, also after a reboot, not once for each release \
             (make sure that it can run again, or leave it out: `dyno export systemd --no-release`)",
        ),
        (
            MoveTarget::Cnb,
            "nothing runs `release` when an image starts, and nothing gives it a network or config vars while it is built \
             (run it before the others: `docker run --rm --env-file .env --entrypoint release IMAGE`)",
        ),
    ] {
        assert_eq!(note(target), [format!("note release: {expected}")]);
    }
    let builds = "note release: `release` builds files (`collectstatic`) in a container of its own, so no other dyno \
                  sees them (run `collectstatic` when the slug is built)";
    assert_eq!(found(MoveTarget::Heroku, "release: python manage.py collectstatic\n", &[]), [builds]);
}

#[test]
fn files_in_the_directory_of_the_app_are_lost_where_it_is_a_copy() {
    let procfile =
        "web: ./web >> log/web.log 2>&1\nworker: sidekiq -P tmp/pids/sidekiq.pid --logfile=./log/sidekiq.log\n";

    let expected = [
        "error web: `web` writes to `log/web.log`, and heroku loses it at each restart \
         (remove the redirection: `heroku logs` shows what it prints)",
        "note worker: `worker` uses `tmp/pids/sidekiq.pid`: its directory may be missing at each start, and heroku loses \
         it at each restart (leave the option out: a dyno needs no file with its process id)",
    ];
    assert_eq!(found(MoveTarget::Heroku, procfile, &[]), expected);
    let of_dokku = found(MoveTarget::Dokku, procfile, &[]);
    assert_eq!(
        of_dokku[0],
        "note web: `web` writes to `log/web.log`, and it is lost with the container \
         (remove the redirection: `dokku logs APP` shows what it prints)"
    );
    assert_eq!(found(MoveTarget::Systemd, procfile, &[]), [""; 0]);
    for command in ["./web > /dev/null", "./web 2>/tmp/x", "mkdir -p tmp/pids log/a.log", "./web < in", "./web > $LOG"]
    {
        assert_eq!(found(MoveTarget::Heroku, &format!("web: {command}\n"), &[]), [""; 0], "{command}");
    }
}

#[test]
fn config_vars_that_mean_something_else_elsewhere_are_found() {
    let of = |target, key, value: &str| found(target, "web: ./web\n", &[(key, value)]);
    let rename = |to: &str| format!("(rename it, here and in the app: only A-Z a-z 0-9 _, such as `{to}`)");

    for (key, value, expected) in [
        ("A.B-C", "x", format!("error A.B-C: heroku refuses the name `A.B-C` {}", rename("A_B_C"))),
        ("1A", "x", format!("note 1A: heroku advises against `1A`: it begins with a digit {}", rename("_1A"))),
        (
            "HEROKU_X",
            "x",
            "note HEROKU_X: heroku keeps names such as `HEROKU_X` for itself (rename it, here and in the app)"
                .to_owned(),
        ),
        (
            "PORT",
            "3000",
            "note PORT: heroku chooses `PORT` for each dyno, and a config var of this name can hide that \
             (do not take it along: `heroku config:unset PORT`)"
                .to_owned(),
        ),
        (
            "DATABASE_URL",
            "sqlite3:db/x.sqlite3",
            "error DATABASE_URL: `DATABASE_URL` names an SQLite database, and heroku loses its file at each restart \
             (use a database: `heroku addons:create heroku-postgresql`)"
                .to_owned(),
        ),
        (
            "REDIS_URL",
            "redis://user:secret@localhost:6379/0",
            "note REDIS_URL: `REDIS_URL` leads to `localhost`, which is the dyno itself after the move \
             (give it the address of the service there: `heroku config:set REDIS_URL=…`)"
                .to_owned(),
        ),
        (
            "BIG",
            &"x".repeat(64 * 1024),
            "error app: the config vars have 65539 bytes, and heroku accepts 65536 \
             (move long values to files or to a service: `dyno config` lists them)"
                .to_owned(),
        ),
    ] {
        assert_eq!(of(MoveTarget::Heroku, key, value), [expected], "{key}");
    }
    for value in [
        "postgres://db.example.com/x",
        "localhost",
        "sqlite::memory:",
        "a b://localhost",
        "http://localhost.example.com",
    ] {
        assert_eq!(of(MoveTarget::Heroku, "URL", value), [""; 0], "{value}");
    }
    assert_eq!(of(MoveTarget::Systemd, "URL", "redis://localhost"), [""; 0]);
    assert_eq!(
        of(MoveTarget::Cnb, "KEY", "a\nb"),
        ["note KEY: `KEY` has several lines, which an `--env-file` of docker cannot have \
          (hand it over on its own: `docker run --env KEY IMAGE`)"]
    );
}
