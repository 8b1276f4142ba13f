//! What the router costs beside nginx, and beside a start without a router (S16).

mod load;
mod nginx;
mod upstream;

use std::fs::{self, File};

use self::load::LoadReport;
use self::nginx::{Nginx, free_port};
pub(crate) use self::upstream::serve;
use crate::Effort;
use crate::app::{App, Running, pause, until};
use crate::processes::{self, AtRest};
use crate::roles::web_server;
use crate::table::{Limit, Table};

/// Highest accepted ratio to nginx of the CPU time for a request, with many connections and with one.
const CPU_OF_MANY: f64 = 1.15;
const CPU_OF_ONE: f64 = 1.4;
/// The same for the time of a download.
const DOWNLOAD: f64 = 0.8;
/// How much more memory both processes may use with a router than without, in megabytes: at rest, and after a load.
const AT_REST_MB: f64 = 2.0;
const AFTER_LOAD_MB: f64 = 6.0;
/// The memory for an idle WebSocket, in kilobytes.
const WEB_SOCKET_KB: f64 = 6.0;

/// Connections of the larger load.
const MANY: usize = 64;
/// As many as the router serves at once.
const WEB_SOCKETS: u16 = 4096;
/// The router needs two files for each, and some besides.
const FILES: u64 = 8704;
/// A load has passed when there was no request for this long, in milliseconds.
const PASSED_MS: u16 = 5_000;
/// The last lines of the log are written within this time, in milliseconds.
const WRITTEN_MS: u16 = 200;

/// An app behind its router.
struct RoutedApp {
    dyno: Running,
    router: u16,
    server: u16,
}

impl RoutedApp {
    /// Starts it and waits until the dyno has answered. The log goes to a file, as that of nginx does.
    fn start(app: &App) -> Self {
        let (router, server) = (free_port(), free_port());
        let log = File::create(app.path("log")).unwrap();
        let options = [format!("--router={router}"), format!("-p{server}"), "--log-format=heroku".to_owned()];
        let dyno = app.start_with(&options.each_ref().map(String::as_str), log.into());
        until("the router listens", || load::is_up(router));
        load::requests(router, 1, 1);
        Self { dyno, router, server }
    }

    fn stop(mut self) {
        self.dyno.terminate();
        self.dyno.wait();
    }
}

/// What some rounds of load have found out about one proxy.
#[derive(Default)]
struct LoadFigures {
    /// Microseconds of CPU time for each request.
    cpu: Vec<f64>,
    per_second: Vec<f64>,
    p99: Vec<f64>,
}

impl LoadFigures {
    /// Applies a load to a proxy that consists of these processes.
    #[expect(clippy::cast_precision_loss, reason = "less than a million requests")]
    fn add_round(&mut self, pids: &[i32], port: u16, connections: usize, requests: usize) {
        let before = ticks(pids);
        let LoadReport { per_second, p99_ms } = load::requests(port, connections, requests);
        pause(WRITTEN_MS);
        self.cpu.push((ticks(pids) - before) as f64 * 10_000.0 / requests as f64);
        self.per_second.push(per_second);
        self.p99.push(p99_ms);
    }
}

fn ticks(pids: &[i32]) -> u64 {
    pids.iter().map(|pid| processes::ticks(*pid)).sum()
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let app = App::new(&web_server());
    let without = without_router(&app, effort);
    at_rest(&app, effort, &without, table);
    speed(&app, effort, &without, table);
    web_sockets(&app, effort, table);
}

/// The memory of a start without a router, in megabytes.
fn without_router(app: &App, effort: Effort) -> Vec<f64> {
    let one = |_| {
        let server = free_port();
        let mut dyno = app.start_with(&[&format!("-p{server}")], File::create(app.path("log")).unwrap().into());
        until("the dyno listens", || load::is_up(server));
        let resident = AtRest::of(dyno.both(), 0).resident;
        dyno.terminate();
        dyno.wait();
        resident
    };
    (0..effort.of(5, 1)).map(one).collect()
}

fn at_rest(app: &App, effort: Effort, without: &[f64], table: &mut Table) {
    let (mut resident, mut wake_ups) = (Vec::new(), Vec::new());
    for round in without {
        let routed = RoutedApp::start(app);
        // The buffers for the first request are given back.
        pause(PASSED_MS);
        let rest = AtRest::of(routed.dyno.both(), effort.of(5_000, 1_000));
        resident.push(rest.resident - round);
        wake_ups.push(rest.wake_ups);
        routed.stop();
    }
    table.alone("  at rest, wake-ups", &wake_ups, "", Limit::AtMost(0.0));
    table.alone("  at rest, RSS more than without a router", &resident, "MB", Limit::AtMost(AT_REST_MB));
}

fn speed(app: &App, effort: Effort, without: &[f64], table: &mut Table) {
    let routed = RoutedApp::start(app);
    let nginx = Nginx::program().map(|program| Nginx::start(app, &program, routed.server));
    let ours = (routed.dyno.both().to_vec(), routed.router);
    let theirs = nginx.as_ref().map(|nginx| (nginx.pids(), nginx.port));
    if theirs.is_none() {
        table.note("  nginx is not installed: no comparison");
    }
    note_pacing(table);
    let rounds = effort.of(9, 3);
    let loads = [(MANY, 64_000, "64 connections", CPU_OF_MANY), (1, 20_000, "one connection", CPU_OF_ONE)];
    for (connections, requests, what, limit) in loads {
        let requests = effort.of(requests, requests / 4);
        let (mut dyno, mut other) = (LoadFigures::default(), LoadFigures::default());
        // A warm-up.
        for (_, port) in [Some(&ours), theirs.as_ref()].into_iter().flatten() {
            load::requests(*port, connections, requests / 4);
        }
        for _ in 0..rounds {
            dyno.add_round(&ours.0, ours.1, connections, requests);
            if let Some((pids, port)) = &theirs {
                other.add_round(pids, *port, connections, requests);
            }
        }
        let rows = [
            ("CPU for a request", "µs", &dyno.cpu, &other.cpu, Limit::AtMost(limit)),
            ("requests a second", "", &dyno.per_second, &other.per_second, Limit::None),
            ("p99", "ms", &dyno.p99, &other.p99, Limit::None),
        ];
        for (figure, unit, dyno, other, limit) in rows {
            compare(table, &format!("  answers of 1 KiB, {what}, {figure}"), [dyno, other], unit, limit);
        }
    }
    let (mut dyno, mut other) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        dyno.push(load::download(ours.1));
        other.extend(theirs.as_ref().map(|(_, port)| load::download(*port)));
    }
    compare(table, "  download of 100 MB", [&dyno, &other], "ms", Limit::AtMost(DOWNLOAD));
    pause(PASSED_MS);
    let more = AtRest::of(routed.dyno.both(), 0).resident - crate::table::median(without);
    table.alone("  after the load, RSS more than without a router", &[more], "MB", Limit::AtMost(AFTER_LOAD_MB));
    drop(nginx);
    routed.stop();
}

/// How fast TCP sends decides how long a download takes, whatever is between.
fn note_pacing(table: &mut Table) {
    let algorithm = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    if algorithm.trim() == "bbr" {
        table.note("  this system's TCP paces what it sends (bbr): the download says little");
    }
}

/// Adds a row; without the other program there is no limit.
fn compare(table: &mut Table, what: &str, [dyno, nginx]: [&[f64]; 2], unit: &str, limit: Limit) {
    if nginx.is_empty() {
        table.alone(what, dyno, unit, Limit::None);
    } else {
        table.against(&format!("{what}, nginx"), [dyno, nginx], unit, limit);
    }
}

fn web_sockets(app: &App, effort: Effort, table: &mut Table) {
    let what = format!("  {WEB_SOCKETS} idle WebSockets, RSS for each");
    let files = upstream::raise_open_files();
    if files < FILES {
        table.note(&format!("{what}: not measured, because only {files} files can be open (needed: {FILES})"));
        return;
    }
    let mut each = Vec::new();
    for _ in 0..effort.of(3, 1) {
        let routed = RoutedApp::start(app);
        let before = AtRest::of(routed.dyno.both(), 0).resident;
        let open: Vec<_> = (0..WEB_SOCKETS).map(|_| load::web_socket(routed.router)).collect();
        pause(PASSED_MS);
        let after = AtRest::of(routed.dyno.both(), 0).resident;
        each.push((after - before) * 1e3 / f64::from(WEB_SOCKETS));
        drop(open);
        routed.stop();
    }
    table.alone(&what, &each, "kB", Limit::AtMost(WEB_SOCKET_KB));
}
