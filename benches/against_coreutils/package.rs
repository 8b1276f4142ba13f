//! The binary of a package, whose path is in `DYNO_BINARY`, against the one that cargo has built: it is static against
//! another libc, whose memory allocator and copies of blocks must cost no more.

use std::{env, fs};

use crate::Effort;
use crate::app::{App, BUILT};
use crate::placement::Placement;
use crate::roles::{flood, produce};
use crate::table::{Limit, Table};
use crate::{exec, memory, throughput};

/// Highest accepted ratio of a time or of memory; of a speed, the lowest is its inverse.
const WORSE: f64 = 1.1;

/// The packaged binary, then that of cargo.
type Pair = [String; 2];

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let Some(package) = env::var_os("DYNO_BINARY") else {
        table.note("  skipped: `DYNO_BINARY` names no other binary to compare");
        return;
    };
    let package = fs::canonicalize(package).expect("DYNO_BINARY is the path of a file");
    let package = package.into_os_string().into_string().expect("the path in DYNO_BINARY is UTF-8");
    let pair = [package, BUILT.to_owned()];
    starts(&pair, effort, table);
    speeds(&pair, effort, table);
    sizes(&pair, effort, table);
}

/// Measures both, round by round. The first round is the warm-up.
fn in_turn<T>(pair: &Pair, rounds: usize, app: &mut App, mut measure: impl FnMut(&App) -> T) -> [Vec<T>; 2] {
    let mut values = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (binary, values) in pair.iter().zip(&mut values) {
            app.dyno.clone_from(binary);
            let value = measure(app);
            if round > 0 {
                values.push(value);
            }
        }
    }
    values
}

fn starts(pair: &Pair, effort: Effort, table: &mut Table) {
    let mut app = App::idle();
    let first = in_turn(pair, effort.of(41, 9), &mut app, |app| exec::with_dyno(app, 1).0);
    table.shortest_against("  package, built: first exec", [&first[0], &first[1]], Limit::AtMost(WORSE));
    let last = in_turn(pair, effort.of(9, 3), &mut app, |app| exec::with_dyno(app, 100).1);
    table.against("  package, built: last exec of 100", [&last[0], &last[1]], "ms", Limit::AtMost(WORSE));
}

/// On one CPU, because on two the kernel's placement makes one run of a binary up to three times as fast as the next.
fn speeds(pair: &Pair, effort: Effort, table: &mut Table) {
    let _placement = Placement::on_one_cpu();
    let megabytes = effort.of(400, 100);
    for producers in [1, 10] {
        let lines = throughput::lines(megabytes, producers);
        let mut app = App::new(&produce(lines / producers));
        let speeds = in_turn(pair, effort.of(9, 3), &mut app, |app| throughput::through_dyno(app, producers, lines));
        let what = format!("  package, built: {producers} × lines to a pipe on one CPU");
        table.against(&what, [&speeds[0], &speeds[1]], "MB/s", Limit::AtLeast(1.0 / WORSE));
    }
}

fn sizes(pair: &Pair, effort: Effort, table: &mut Table) {
    let rounds = effort.of(9, 1);
    let mut app = App::idle();
    let idle = in_turn(pair, rounds, &mut app, |app| memory::while_idle(app).resident);
    drop(app);
    table.against("  package, built: RSS of 10 idle dynos", [&idle[0], &idle[1]], "MB", Limit::AtMost(WORSE));
    let mut app = App::new(&flood());
    let bytes = effort.of(1_000_000_000, 200_000_000);
    let flooded = in_turn(pair, rounds, &mut app, |app| memory::while_flooded(app, bytes).1.peak);
    table.against("  package, built: peak RSS of a flood", [&flooded[0], &flooded[1]], "MB", Limit::AtMost(WORSE));
}
