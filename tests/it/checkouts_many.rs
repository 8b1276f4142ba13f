//! Twenty checkouts at once: each has its own ports (S5.5), one front door reaches them all (S16.7), and nothing of them is left
//! when they have been stopped.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::app::{example, with_all_blocks};
use crate::checkouts::{end, remembered, said, web_port, with_worktree};
use crate::front_door::{OpenDoor, assert_echo};
use crate::harness::{App, Call, Ended, Finished, Running, until};

/// The process types of each checkout.
const FIVE: [&str; 5] = ["web", "worker", "clock", "css", "api"];

/// A call in a directory, with a directory for temporary files of its own.
fn at(app: &App, call: Call, directory: &Path) -> Call {
    call.directory(directory).env("TMPDIR", app.top().join("tmp"))
}

/// Every file below a directory, by its path there, in order. Summaries of runs that have ended are kept for `dyno why`
/// (S10.2) and left out.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else if entry.path().extension().is_none_or(|ending| ending != "ended") {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// What the dynos of a checkout said, and what its start said about the ports.
struct Ran {
    name: String,
    dynos: Finished,
    ports: String,
}

/// The status with which the web dyno of a checkout answers.
fn status_of(name: &str) -> String {
    (220 + name.rsplit_once('-').unwrap().1.parse::<u16>().unwrap()).to_string()
}

/// Starts all checkouts at once, in this order and every second one in the background. Then stops them all, first those in the
/// background.
fn run_all(app: &App, order: &[String]) -> Vec<Ran> {
    let door = OpenDoor::open(app);
    let dynos: Vec<String> = FIVE.iter().map(|name| format!("{name}.1")).collect();
    let dynos: Vec<&str> = dynos.iter().map(String::as_str).collect();
    let root = |name: &str| app.path(&format!("../{name}"));
    let is_detached = |at: usize| at % 2 == 1;
    let spawn = |(position, name): (usize, &String)| {
        let options = if is_detached(position) { &["--detach=600"][..] } else { &[] };
        at(app, app.dyno(["start", "--router"]).args(options), &root(name)).spawn()
    };
    let mut running: Vec<Option<Running>> = order.iter().enumerate().map(spawn).map(Some).collect();
    let mut launched = Vec::new();
    for (position, start) in running.iter_mut().enumerate() {
        if is_detached(position) {
            let mut start = start.take().unwrap();
            let returned = start.returned();
            returned.expect_end(Ended::Code(0));
            launched.push((position, start, returned));
        } else if let Some(start) = start {
            start.until("five dynos have printed their line", || {
                let shown = start.stdout.text();
                dynos.iter().all(|dyno| shown.lines().any(|line| line.contains(dyno) && line.contains(" http")))
            });
        }
    }
    let state = |app: &Value| format!("{} {}", app["name"].as_str().unwrap(), app["state"].as_str().unwrap());
    let listed = || {
        let listed: Value = serde_json::from_slice(&app.dyno(["ls", "--json"]).run().stdout).unwrap();
        let mut states: Vec<String> = listed.as_array().unwrap().iter().map(state).collect();
        states.sort_unstable();
        states
    };
    let mut expected: Vec<String> = order.iter().map(|name| format!("app-{name} up")).collect();
    expected.sort();
    until(&format!("these are listed: {expected:?}"), || listed() == expected);
    app.dyno(["ps", "--json"]).run().expect_end(Ended::Code(69));
    let statuses = || order.iter().map(|name| (name, door.status(&format!("app-{name}.localhost"))));
    for (name, status) in statuses() {
        assert_eq!(status, status_of(name), "{name}");
    }
    let stays = order.iter().enumerate().filter(|(position, _)| !is_detached(*position)).map(|(_, name)| name);
    let mut tunnels: Vec<_> = stays.map(|name| door.tunnel(&format!("app-{name}-api.localhost"))).collect();
    let mut all = Vec::new();
    for (position, start, returned) in launched {
        let name = order[position].clone();
        let dynos = at(app, app.dyno(["logs", "-n", "100"]), &root(&name)).run();
        at(app, app.dyno(["stop"]), &root(&name)).run().expect_end(Ended::Code(0));
        start.until("nothing is left", || start.processes().is_empty());
        all.push(Ran { name, dynos, ports: returned.stderr() });
    }
    for (position, (name, status)) in statuses().enumerate() {
        let expected = if is_detached(position) { "404".to_owned() } else { status_of(name) };
        assert_eq!(status, expected, "{name}");
    }
    tunnels.iter_mut().for_each(assert_echo);
    for (name, start) in order.iter().zip(running).filter_map(|(name, start)| Some((name, start?))) {
        let dynos = end(start);
        all.push(Ran { name: name.clone(), ports: dynos.stderr(), dynos });
    }
    assert_eq!(door.list()["apps"], Value::Array(Vec::new()));
    door.close();
    all.sort_by_key(|ran| ran.name.clone());
    all
}

#[test]
fn s5_5_twenty_worktrees_share_no_port_keep_theirs_and_leave_no_file() {
    let _blocks = with_all_blocks();
    let listen = example("listen").display().to_string();
    let program = |checkout: &str, name| match name {
        "web" => format!("{listen} 127.0.0.1 {}", status_of(checkout)),
        "api" => format!("{listen} 127.0.0.1 echo"),
        _ => "sleep 1000".to_owned(),
    };
    let line =
        |checkout: &str, name| format!("{name}: echo $PORT $WEB_URL $DYNO_APP; exec {}\n", program(checkout, name));
    let procfile = |checkout: &str| FIVE.map(|name| line(checkout, name)).concat();
    let names: Vec<String> = (0..20).map(|number| format!("fix-{number}")).collect();
    let app = names.iter().fold(App::empty(), |app, name| with_worktree(app, name, &procfile(name)));
    fs::create_dir(app.top().join("tmp")).unwrap();
    let first = run_all(&app, &names);
    let reversed: Vec<String> = names.iter().rev().cloned().collect();
    let second = run_all(&app, &reversed);

    for round in [&first, &second] {
        let mut ports = Vec::new();
        for Ran { name, dynos, .. } in round {
            let (_, address, _) = said(dynos, "web.1");
            ports.push(address.strip_prefix("http://127.0.0.1:").unwrap().parse::<u16>().unwrap());
            for process_type in FIVE {
                let (port, url, app) = said(dynos, &format!("{process_type}.1"));
                assert_eq!((url, app), (address.clone(), format!("app-{name}")));
                ports.push(port);
            }
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 120, "five dynos and a router each");
    }
    for (first, second) in first.iter().zip(&second) {
        // Another program may have had the port.
        let is_replaced = second.ports.contains(" for this run (port ");
        assert!(is_replaced || web_port(&first.dynos) == web_port(&second.dynos), "{}: {}", first.name, second.ports);
    }
    assert_eq!(remembered(&app).lines().count(), 20);
    let left = [files(&app.top().join("home")), files(&app.top().join("run")), files(&app.top().join("tmp"))];
    let registered = [".local/state/dyno/ports", ".local/state/dyno/ports.lock"];
    assert_eq!(left, [&registered[..], &["dyno/starts.lock"], &[]]);
}
