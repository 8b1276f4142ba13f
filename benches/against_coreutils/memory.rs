//! How much memory both processes of `dyno` use: idle, while dynos write as fast as they can, and while the reader of
//! their output is stalled.

use std::io::Read;
use std::process::Stdio;

use crate::Effort;
use crate::app::{App, until};
use crate::processes::{self, AtRest};
use crate::roles::flood;
use crate::table::{Limit, Table};

const DYNOS: usize = 10;

/// Limits for the RSS of both processes together, in megabytes: at rest, and at its peak during the start or a flood.
/// Pages that they share are counted twice, and at the peak most pages are mapped code: the kernel maps up to 16 around
/// each that is used.
const IDLE_MB: f64 = 8.0;
const START_MB: f64 = 12.0;
const FLOOD_MB: f64 = 24.0;

/// After this many checks in a row that found all producers asleep, every buffer on the way to the reader is full.
const CHECKS: u32 = 20;

/// Memory of both processes together, in megabytes.
pub(crate) struct Memory {
    /// Resident memory (RSS) now.
    pub(crate) resident: f64,
    /// Highest RSS so far.
    pub(crate) peak: f64,
    /// PSS: a shared page is divided among the processes that share it.
    fair: f64,
}

impl Memory {
    fn of(both: [i32; 2]) -> Self {
        let sum = |file: &str, field: &str| megabytes(both.iter().map(|pid| processes::kib(*pid, file, field)).sum());
        Self { resident: sum("status", "VmRSS"), peak: sum("status", "VmHWM"), fair: sum("smaps_rollup", "Pss") }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let rounds = effort.of(5, 1);
    let app = App::idle();
    let idle: Vec<Memory> = (0..rounds).map(|_| while_idle(&app)).collect();
    drop(app);
    let app = App::new(&flood());
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (one, other) = while_flooded(&app, effort.of(2_000_000_000, 200_000_000));
        read.push(one);
        unread.push(other);
    }
    let mut rows = |what: &str, all: &[Memory], peak_limit: f64, limit: Limit| {
        let of = |field: fn(&Memory) -> f64| all.iter().map(field).collect::<Vec<f64>>();
        table.alone(
            &format!("  {DYNOS} dynos {what}, peak RSS"),
            &of(|memory| memory.peak),
            "MB",
            Limit::AtMost(peak_limit),
        );
        table.alone(&format!("  {DYNOS} dynos {what}, RSS"), &of(|memory| memory.resident), "MB", limit);
        table.alone(&format!("  {DYNOS} dynos {what}, PSS"), &of(|memory| memory.fair), "MB", Limit::None);
    };
    rows("idle", &idle, START_MB, Limit::AtMost(IDLE_MB));
    rows("flooding", &read, FLOOD_MB, Limit::None);
    rows("flooding, reader stalled", &unread, FLOOD_MB, Limit::None);
}

pub(crate) fn while_idle(app: &App) -> Memory {
    let mut dyno = app.start(DYNOS, Stdio::null());
    app.wait_for_reports(DYNOS);
    let AtRest { resident, fair, .. } = AtRest::of(dyno.both(), 0);
    let memory = Memory { resident, fair, ..Memory::of(dyno.both()) };
    dyno.terminate();
    dyno.wait();
    memory
}

/// While its output is read, and while it is not.
pub(crate) fn while_flooded(app: &App, bytes: usize) -> (Memory, Memory) {
    let mut dyno = app.start(DYNOS, Stdio::piped());
    let mut stdout = dyno.stdout();
    let mut buffer = vec![0; 1 << 20];
    let mut read = 0;
    while read < bytes {
        read += stdout.read(&mut buffer).unwrap();
    }
    let both = dyno.both();
    let flooded = Memory::of(both);
    let producers = processes::children(both[1]);
    assert_eq!(producers.len(), DYNOS, "all dynos are up");
    let mut checks = 0;
    until("every buffer between producers and reader is full", || {
        checks = if producers.iter().all(|pid| processes::is_sleeping(*pid)) { checks + 1 } else { 0 };
        checks == CHECKS
    });
    let stalled = Memory::of(both);
    dyno.terminate();
    while stdout.read(&mut buffer).unwrap() > 0 {}
    dyno.wait();
    (flooded, stalled)
}
