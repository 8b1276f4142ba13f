//! How often `dyno` wakes up, and how much CPU it uses, while its dynos are idle.

use std::net::TcpListener;
use std::process::Stdio;

use crate::Effort;
use crate::app::{App, pause};
use crate::processes;
use crate::table::{Limit, Table};

const DYNOS: usize = 3;

/// The start has finished when `dyno` has not woken up for this long, in milliseconds.
const SETTLED_MS: u16 = 500;

/// After this many attempts the measurement begins even if `dyno` never settles.
const SETTLING_ROUNDS: u32 = 10;

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    idle("", &[], effort, table);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    idle(", with --api", &["--api", &port.to_string()], effort, table);
}

/// `which`: distinguishes the lines in the table.
fn idle(which: &str, options: &[&str], effort: Effort, table: &mut Table) {
    let app = App::idle();
    let formation = format!("web={DYNOS}");
    let mut dyno = app.start_with(&[&["-m", &formation], options].concat(), Stdio::null());
    app.wait_for_reports(DYNOS);
    let both = dyno.both();
    let switches = || both.iter().map(|pid| processes::switches(*pid)).sum::<u64>();
    let ticks = || both.iter().map(|pid| processes::ticks(*pid)).sum::<u64>();
    for _ in 0..SETTLING_ROUNDS {
        let before = switches();
        pause(SETTLED_MS);
        if switches() == before {
            break;
        }
    }
    let interval_ms = effort.of(10_000, 2_000);
    let (switches_before, ticks_before) = (switches(), ticks());
    pause(interval_ms);
    let (switches, ticks) = (switches() - switches_before, ticks() - ticks_before);
    let seconds = interval_ms / 1000;
    dyno.terminate();
    dyno.wait();
    let what = |what: &str| format!("  {DYNOS} dynos for {seconds} s{which}, {what}");
    table.alone(&what("wake-ups"), &[count(switches)], "", Limit::AtMost(0.0));
    table.alone(&what("CPU"), &[count(ticks) * 10.0], "ms", Limit::AtMost(0.0));
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn count(number: u64) -> f64 {
    number as f64
}
