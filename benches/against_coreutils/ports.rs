//! How much later the first program is executed if `dyno` chooses the ports, in a linked worktree (S5.5).

use std::fs;
use std::process::Stdio;
use std::time::SystemTime;

use crate::Effort;
use crate::app::App;
use crate::roles::{milliseconds, nanoseconds};
use crate::table::{Limit, Table};

/// Limit for the difference to a start with `-p`, in milliseconds.
const CHOICE_MS: f64 = 2.0;

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let app = App::idle();
    fs::create_dir(app.path("of-git")).unwrap();
    fs::write(app.path("of-git/commondir"), "..\n").unwrap();
    let (mut own, mut usual, mut given) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=effort.of(41, 9) {
        let by_option = first_exec(&app, &["-p", "27500"]);
        let by_default = first_exec(&app, &[]);
        fs::write(app.path(".git"), "gitdir: of-git\n").unwrap();
        let of_worktree = first_exec(&app, &[]);
        fs::remove_file(app.path(".git")).unwrap();
        // In the first round the block is new.
        if round > 0 {
            given.push(by_option);
            usual.push(by_default);
            own.push(of_worktree);
        }
    }
    for (what, chosen) in [("  a worktree, `-p`", own), ("  another checkout, `-p`", usual)] {
        table.against(what, [&chosen, &given], "ms", Limit::None);
        let differences: Vec<f64> = chosen.iter().zip(&given).map(|(chosen, given)| chosen - given).collect();
        table.alone("  the difference", &differences, "ms", Limit::AtMost(CHOICE_MS));
    }
}

/// Milliseconds from just before the start to the exec of its dyno.
fn first_exec(app: &App, args: &[&str]) -> f64 {
    let begin = SystemTime::now();
    let mut dyno = app.start_with(args, Stdio::null());
    let at = app.wait_for_report().at;
    dyno.terminate();
    dyno.wait();
    milliseconds(at.saturating_sub(nanoseconds(begin)))
}
