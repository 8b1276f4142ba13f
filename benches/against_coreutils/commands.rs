//! How long the commands that query or change a running app take: `ps`, `restart` and `scale` (S10.3).

use std::process::Stdio;
use std::time::SystemTime;

use crate::Effort;
use crate::app::{App, BUILT, Running, is_installed, pause, until};
use crate::processes;
use crate::roles::{milliseconds, nanoseconds, report_and_wait};
use crate::table::{Limit, Table, median};

/// A process that does nothing.
const SLEEP: &str = "sleep 1000";

/// Limits for a command, from its start to its exit: this many times as long as `dyno version`, plus milliseconds.
const VERSIONS: f64 = 1.5;
const PS_MS: f64 = 3.0;
const RESTART_MS: f64 = 13.0;

/// Limit for the time from the end of a run to the exec of the next one, in milliseconds.
const NEXT_RUN_MS: f64 = 20.0;

/// Dynos that `scale` adds.
const SCALED: usize = 100;

/// Highest accepted ratio of the time that `scale` needs for them to that of a `start` with as many.
const SCALE_TO_START: f64 = 1.2;

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    ask_and_restart(effort, table);
    next_run(effort, table);
    scale(effort, table);
}

/// Times of one command, a value per round.
struct Times {
    args: &'static [&'static str],
    milliseconds: Vec<f64>,
}

/// A program, and the commands of it that are measured one after another in each round.
struct Program {
    path: &'static str,
    /// The version, the list of what runs, and the restart of one process.
    commands: [Times; 3],
    /// A command has failed: the measurement of this program has ended.
    has_failed: bool,
}

impl Program {
    fn new(path: &'static str, commands: [&'static [&'static str]; 3]) -> Self {
        let commands = commands.map(|args| Times { args, milliseconds: Vec::new() });
        Self { path, commands, has_failed: false }
    }

    fn measure(&mut self, app: &App, is_warm_up: bool) {
        for command in &mut self.commands {
            match app.time(self.path, command.args) {
                _ if self.has_failed => {}
                Some(_) if is_warm_up => {}
                Some(milliseconds) => command.milliseconds.push(milliseconds),
                None => self.has_failed = true,
            }
        }
    }
}

/// `dyno`, and `dekit`, a peer with similar commands, if it is installed.
fn ask_and_restart(effort: Effort, table: &mut Table) {
    let app = App::with(&[("web", SLEEP), ("worker", SLEEP), ("clock", SLEEP)]);
    let mut ours = Program::new(BUILT, [&["version"], &["ps"], &["restart", "worker.1", "--wait"]]);
    let restart = &["restart", "--wait", "--wait-timeout", "5s", "worker"];
    let mut peer = Program::new("dekit", [&["--version"], &["ls"], restart]);
    let has_peer = is_installed(peer.path);

    let mut dyno = app.start_formation("all=1", Stdio::null());
    wait_for_the_app(&app);
    if has_peer {
        std::fs::write(app.path("dekit.yaml"), dekit_configuration()).unwrap();
        assert!(app.time(peer.path, &["up"]).is_some(), "`dekit up` starts the app");
    }
    for round in 0..=effort.of(40, 9) {
        // The first round is the warm-up.
        ours.measure(&app, round == 0);
        if has_peer {
            peer.measure(&app, round == 0);
        }
    }
    if has_peer {
        app.time(peer.path, &["down"]);
    }
    dyno.terminate();
    dyno.wait();

    assert!(!ours.has_failed, "each command of `dyno` succeeds");
    let [version, ps, restart] = ours.commands.map(|command| command.milliseconds);
    let at_most = |extra: f64| Limit::AtMost(VERSIONS * median(&version) + extra);
    table.alone("  `ps` of 3 dynos", &ps, "ms", at_most(PS_MS));
    table.alone("  `restart worker.1 --wait`", &restart, "ms", at_most(RESTART_MS));
    table.against("  `ps`, `version`", [&ps, &version], "ms", Limit::None);
    if !has_peer {
        table.note("  skipped: `dekit` is not on the PATH");
        return;
    }
    let [mut version, mut list, restart] = peer.commands.map(|command| command.milliseconds);
    let rounds = restart.len();
    if peer.has_failed {
        table.note(&format!("  `dekit` failed after {rounds} rounds"));
    }
    if rounds > 0 {
        version.truncate(rounds);
        list.truncate(rounds);
        table.against("  the same of `dekit`: `ls`, `--version`", [&list, &version], "ms", Limit::None);
        table.alone("  the same of `dekit`: `restart --wait`", &restart, "ms", Limit::None);
    }
}

fn dekit_configuration() -> String {
    let task = |name: &str| format!("  {name}: {{ cmd: [\"sleep\", \"1000\"], autostart: true }}\n");
    format!("tasks:\n{}", ["web", "worker", "clock"].map(task).concat())
}

/// Waits until the app answers. `ps` fails while nothing runs.
fn wait_for_the_app(app: &App) {
    until("the app answers", || app.time(BUILT, &["ps"]).is_some());
}

/// The time from the end of a run whose command line needs a shell to the exec of the next.
fn next_run(effort: Effort, table: &mut Table) {
    let app = App::new(&format!("{}; :", report_and_wait("reports")));
    let mut dyno = app.start(1, Stdio::null());
    let mut pid = app.wait_for_report().pid;
    let mut times = Vec::new();
    for _ in 0..effort.of(21, 5) {
        app.time(BUILT, &["restart", "web.1"]).expect("`restart` succeeds");
        // More often than `until`, whose steps are too long here.
        while processes::exists(pid) {
            pause(1);
        }
        let gone = nanoseconds(SystemTime::now());
        let next = app.wait_for_report();
        times.push(milliseconds(next.at.saturating_sub(gone)));
        pid = next.pid;
    }
    end(&mut dyno);
    table.alone("  from the end of a run to the next exec", &times, "ms", Limit::AtMost(NEXT_RUN_MS));
}

/// Adding dynos to the running app, against a start with as many.
fn scale(effort: Effort, table: &mut Table) {
    let app = App::with(&[("web", &report_and_wait("reports")), ("clock", SLEEP)]);
    let (mut scaled, mut started) = (Vec::new(), Vec::new());
    for round in 0..=effort.of(9, 3) {
        let begin = SystemTime::now();
        let mut dyno = app.start(SCALED, Stdio::null());
        let start = last_exec(&app, begin);
        end(&mut dyno);

        let mut dyno = app.start_formation("clock=1", Stdio::null());
        wait_for_the_app(&app);
        let begin = SystemTime::now();
        app.time(BUILT, &["scale", &format!("web={SCALED}")]).expect("`scale` succeeds");
        let scale = last_exec(&app, begin);
        end(&mut dyno);
        // The first round is the warm-up.
        if round > 0 {
            started.push(start);
            scaled.push(scale);
        }
    }
    let what = format!("  `scale web={SCALED}`, `start` with as many");
    table.against(&what, [&scaled, &started], "ms", Limit::AtMost(SCALE_TO_START));
}

fn last_exec(app: &App, begin: SystemTime) -> f64 {
    let last = app.wait_for_reports(SCALED).iter().map(|report| report.at).max().unwrap();
    milliseconds(last.saturating_sub(nanoseconds(begin)))
}

fn end(dyno: &mut Running) {
    dyno.terminate();
    dyno.wait();
}
