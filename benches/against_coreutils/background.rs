//! An app in the background (S10.6): how fast `start --detach` returns, what the idle app costs, and how fast `ls` finds
//! twenty of them in git worktrees.

use std::fs;
use std::process::Stdio;
use std::time::SystemTime;

use crate::Effort;
use crate::app::{App, BUILT};
use crate::processes::{self, AtRest};
use crate::roles::{listen_and_wait, milliseconds, nanoseconds, report_and_wait};
use crate::table::{Limit, Table};

const DYNOS: usize = 3;

/// Apps that `ls` lists.
const APPS: usize = 20;

/// Highest accepted ratio of the time until `start --detach` returns to the time until a start in the foreground is up.
const DETACHED_TO_FOREGROUND: f64 = 1.2;
/// Highest accepted ratio of the time of `ls` to that of `ps`.
const LS_TO_PS: f64 = 3.0;
/// Limit for the memory of both processes together, in megabytes.
const IDLE_MB: f64 = 8.0;

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    // With `:` after the command, each dyno needs its shell.
    let line = format!("{}; :", report_and_wait("reports"));
    let app = App::with(&[("a", &line), ("b", &line), ("c", &line)]);
    start(&app, effort, table);
    idle(&app, effort, table);
    drop(app);
    list(effort, table);
}

fn start(app: &App, effort: Effort, table: &mut Table) {
    let (mut detached, mut foreground) = (Vec::new(), Vec::new());
    for round in 0..=effort.of(40, 9) {
        let begin = SystemTime::now();
        let mut dyno = app.start_with(&[], Stdio::null());
        let last = app.wait_for_reports(DYNOS).iter().map(|report| report.at).max().unwrap();
        dyno.terminate();
        dyno.wait();

        let took = app.time(BUILT, &["start", "--detach"]).expect("`start --detach` succeeds");
        app.wait_for_reports(DYNOS);
        app.time(BUILT, &["stop"]).expect("`stop` succeeds");
        // The first round is the warm-up.
        if round > 0 {
            foreground.push(milliseconds(last.saturating_sub(nanoseconds(begin))));
            detached.push(took);
        }
    }
    let what = format!("  `start --detach` of {DYNOS} dynos, in the foreground");
    table.against(&what, [&detached, &foreground], "ms", Limit::AtMost(DETACHED_TO_FOREGROUND));
}

fn idle(app: &App, effort: Effort, table: &mut Table) {
    app.time(BUILT, &["start", "--detach"]).expect("`start --detach` succeeds");
    let report = *app.wait_for_reports(DYNOS).first().unwrap();
    let shell = processes::parent(report.pid);
    let guardian = processes::parent(shell);
    let both = [processes::parent(guardian), guardian];
    let AtRest { wake_ups, resident, fair } = AtRest::of(both, effort.of(10_000, 2_000));
    app.time(BUILT, &["stop"]).expect("`stop` succeeds");
    let what = |what: &str| format!("  {DYNOS} dynos in the background, {what}");
    table.alone(&what("wake-ups"), &[wake_ups], "", Limit::AtMost(0.0));
    table.alone(&what("RSS"), &[resident], "MB", Limit::AtMost(IDLE_MB));
    table.alone(&what("PSS"), &[fair], "MB", Limit::None);
}

/// Twenty git worktrees of one app, each with a web server.
fn list(effort: Effort, table: &mut Table) {
    let app = App::idle();
    let fifo = app.path("reports");
    let fifo = fifo.to_str().unwrap();
    let (web, other) = (listen_and_wait(fifo), report_and_wait(fifo));
    let names: Vec<String> = (1..=APPS).map(|n| format!("fix-{n}")).collect();
    for name in &names {
        let of_git = app.path(&format!(".git/worktrees/{name}"));
        fs::create_dir_all(&of_git).unwrap();
        fs::write(of_git.join("commondir"), "../..\n").unwrap();
        fs::write(of_git.join("HEAD"), format!("ref: refs/heads/{name}\n")).unwrap();
        fs::create_dir(app.path(name)).unwrap();
        fs::write(app.path(name).join(".git"), format!("gitdir: {}\n", of_git.display())).unwrap();
        let procfile = format!("web: {web}\nworker: {other}\nclock: {other}\n");
        fs::write(app.path(name).join("Procfile"), procfile).unwrap();
        app.time(BUILT, &["start", "--detach", "-d", name]).expect("`start --detach` succeeds");
    }
    app.wait_for_reports(APPS * DYNOS);
    let (mut ls, mut ps) = (Vec::new(), Vec::new());
    for round in 0..=effort.of(40, 9) {
        let listed = app.time(BUILT, &["ls"]).expect("`ls` succeeds");
        let shown = app.time(BUILT, &["ps", "--root", "fix-1"]).expect("`ps` succeeds");
        if round > 0 {
            ls.push(listed);
            ps.push(shown);
        }
    }
    for name in &names {
        app.time(BUILT, &["stop", "--root", name]).expect("`stop` succeeds");
    }
    table.against(&format!("  `ls` of {APPS} worktrees, `ps`"), [&ls, &ps], "ms", Limit::AtMost(LS_TO_PS));
}
