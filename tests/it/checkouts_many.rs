//! Twenty checkouts at once: each has its own ports (S5.5), one front door reaches them all (S16.7), and nothing of them is left
//! when they have been stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::app::{example, with_all_blocks};
use crate::checkouts::{end, remembered, said, web_port, with_worktree};
use crate::front_door::{OpenDoor, assert_echo};
use crate::harness::{App, Call, Ended, Finished, Running, until};
use crate::router_hold::under_load;

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

/// Asks each checkout as soon as the front door lists it as up.
///
/// That the very first request is answered does not depend on the speed of the machine, but says nothing about the time: a
/// request waits while its dyno starts (S16.3). Of the times, the median is judged, because on a loaded machine any single
/// request may have to wait for a processor.
fn assert_reached_once_up(door: &OpenDoor, order: &[String]) {
    let mut waiting: BTreeSet<String> = order.iter().map(|name| format!("app-{name}")).collect();
    let mut times = Vec::new();
    until("each app is up", || {
        for app in door.list()["apps"].as_array().unwrap().iter().filter(|app| app["state"] == "up") {
            let name = app["name"].as_str().unwrap();
            if waiting.remove(name) {
                let sent = Instant::now();
                assert_eq!(door.status(&format!("{name}.localhost")), status_of(name), "{name}");
                times.push(sent.elapsed());
            }
        }
        waiting.is_empty()
    });
    times.sort_unstable();
    assert!(times[times.len() / 2] < Duration::from_secs(1), "{times:?}");
}

/// Starts all checkouts at once, in this order and every second one in the background. Stops those in the background; if `comes_back`,
/// they start and stop once more, all while clients send requests to the others. Then the others stop.
fn run_all(app: &App, order: &[String], comes_back: bool) -> Vec<Ran> {
    let door = OpenDoor::open(app);
    let dynos: Vec<String> = FIVE.iter().map(|name| format!("{name}.1")).collect();
    let dynos: Vec<&str> = dynos.iter().map(String::as_str).collect();
    let root = |name: &str| app.path(&format!("../{name}"));
    let is_detached = |at: usize| at % 2 == 1;
    let spawn = |(position, name): (usize, &String)| {
        let options = if is_detached(position) { &["--detach=600"][..] } else { &[] };
        at(app, app.dyno(["start", "--router"]).args(options), &root(name)).spawn()
    };
    let returned = |mut start: Running| {
        let returned = start.returned();
        returned.expect_end(Ended::Code(0));
        (start, returned)
    };
    let mut running: Vec<Option<Running>> = order.iter().enumerate().map(spawn).map(Some).collect();
    assert_reached_once_up(&door, order);
    let mut launched = Vec::new();
    for (position, start) in running.iter_mut().enumerate() {
        if is_detached(position) {
            let (start, returned) = returned(start.take().unwrap());
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
    let stays: Vec<&String> = stays.collect();
    let open = |name: &&String| door.tunnel(&format!("app-{name}-api.localhost"));
    let mut tunnels: Vec<_> = stays.iter().map(open).collect();
    let stop = |name: &str, start: &Running| {
        at(app, app.dyno(["stop"]), &root(name)).run().expect_end(Ended::Code(0));
        start.until("nothing is left", || start.processes().is_empty());
    };
    let ask = |client: usize, number: usize| {
        let name = stays[(client + number) % stays.len()];
        let answer = door.answer(&format!("app-{name}.localhost"), "");
        let is_right = answer.starts_with(&format!("HTTP/1.1 {} ", status_of(name)));
        if is_right { Ok(()) } else { Err(format!("{name}: {answer}")) }
    };
    let mut all = Vec::new();
    under_load(if comes_back { 2 } else { 0 }, ask, || {
        for (position, start, returned) in &launched {
            let name = order[*position].clone();
            let dynos = at(app, app.dyno(["logs", "-n", "100"]), &root(&name)).run();
            stop(&name, start);
            all.push(Ran { name, dynos, ports: returned.stderr() });
        }
        for (position, (name, status)) in statuses().enumerate() {
            let expected = if is_detached(position) { "404".to_owned() } else { status_of(name) };
            assert_eq!(status, expected, "{name}");
        }
        if !comes_back {
            return;
        }
        let again: Vec<_> = launched.iter().map(|(position, ..)| spawn((*position, &order[*position]))).collect();
        for ((_, start, _), again) in launched.iter_mut().zip(again) {
            *start = returned(again).0;
        }
        for (name, status) in statuses() {
            assert_eq!(status, status_of(name), "{name}");
        }
        for (position, start, _) in &launched {
            stop(&order[*position], start);
        }
    });
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
    let first = run_all(&app, &names, true);
    let reversed: Vec<String> = names.iter().rev().cloned().collect();
    let second = run_all(&app, &reversed, false);

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
