//! The ports of an app whose Procfile changes while it runs (S5.4, S14.1).

use std::fs;

use crate::harness::{App, Ended};
use crate::reload::reloads;
use crate::running::{dynos, names, pid_of, start, stop};

/// The port of each dyno.
fn ports(app: &App) -> Vec<(String, u64)> {
    let port = |dyno: &serde_json::Value| Some((dyno["name"].as_str()?.to_owned(), dyno["port"].as_u64()?));
    dynos(app).iter().filter_map(port).collect()
}

#[test]
fn s14_1_ports_that_a_new_start_would_move_are_named_once() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let running = start(&app, ["-p", "23000"]);
    fs::write(app.path("Procfile"), "api: exec sleep 1000\nclock: exec sleep 1000\nworker: exec sleep 1000\n").unwrap();

    let note = "note: the next start will use other ports: `api` 23000 instead of 23200, `clock` 23100 instead of 23000, \
                `worker` 23200 instead of 23100\n";
    app.dyno(["reload"]).run().expect(Ended::Code(0), "release v2: Procfile: + api\n", note);

    running.until("api.1 runs", || names(&app).contains(&"api.1".to_owned()));
    let expected = [("clock.1", 23_000), ("worker.1", 23_100), ("api.1", 23_200)];
    assert_eq!(ports(&app), expected.map(|(name, port)| (name.to_owned(), port)));
    fs::write(app.path(".env"), "A=1\n").unwrap();
    reloads(&app, "release v3: .env: + A\n");
    stop(&app, running);
}

#[test]
fn s14_1_a_saved_procfile_says_which_ports_the_next_start_would_move() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let running = start(&app, ["-p", "24000", "--reload"]);
    let clock = pid_of(&app, "clock.1");

    fs::write(app.path("Procfile"), "api: exec sleep 1000\nclock: exec sleep 1000\nworker: exec sleep 1000\n").unwrap();

    running.until_shown(
        "system   | the next start will use other ports: `api` 24000 instead of 24200, `clock` 24100 instead of 24000, \
         `worker` 24200 instead of 24100\n",
    );
    running.until("api.1 runs", || names(&app).contains(&"api.1".to_owned()));
    let expected = [("clock.1", 24_000), ("worker.1", 24_100), ("api.1", 24_200)];
    assert_eq!(ports(&app), expected.map(|(name, port)| (name.to_owned(), port)));
    assert_eq!(pid_of(&app, "clock.1"), clock);
    stop(&app, running);
}

#[test]
fn s14_1_with_p_auto_a_new_type_gets_free_ports_too() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, ["-p", "auto"]);
    fs::write(app.path("Procfile"), "api: exec sleep 1000\nworker: exec sleep 1000\n").unwrap();

    reloads(&app, "release v2: Procfile: + api\n");

    running.until("api.1 runs", || names(&app).contains(&"api.1".to_owned()));
    let ports = ports(&app);
    let reserved: Vec<bool> =
        ports.iter().map(|(_, port)| app.top().join(format!("run/dyno/ports-{port}")).exists()).collect();
    assert_eq!(reserved, [true, true], "{ports:?}");
    assert_ne!(ports[0].1, ports[1].1);
    // A type that comes back has its old ports.
    fs::write(app.path("Procfile"), "worker: exec sleep 1000\n").unwrap();
    reloads(&app, "release v3: Procfile: - api\n");
    running.until("api.1 is gone", || names(&app) == ["worker.1"]);
    fs::write(app.path("Procfile"), "worker: exec sleep 1000\napi: exec sleep 1000\n").unwrap();
    reloads(&app, "release v4: Procfile: + api\n");
    running.until("api.1 runs again", || self::ports(&app) == ports);
    stop(&app, running);
}
