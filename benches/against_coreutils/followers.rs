//! What many clients that follow the log cost: the speed of the terminal beside them, and memory (S10.4).

use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use nix::sys::stat::Mode;

use crate::Effort;
use crate::app::{App, Running};
use crate::placement::Placement;
use crate::processes;
use crate::roles::{LINE_BYTES, produce};
use crate::table::{Limit, Table};

/// `dyno logs -t`, all at once.
const CLIENTS: usize = 50;

/// Lowest accepted ratio of the speed with clients to that without.
const SPEED: f64 = 0.8;

/// Highest accepted peak RSS of both processes of `dyno`, in megabytes.
const MEMORY_MB: f64 = 40.0;

/// Bytes per read.
const READ_BYTES: usize = 1 << 20;

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let (rounds, megabytes) = (effort.of(11, 2), effort.of(1_000, 200));
    let lines = megabytes * 1_000_000 / LINE_BYTES;
    let app = App::new(&format!("read -r _ <go; {}", produce(lines)));
    nix::unistd::mkfifo(&app.path("go"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let (mut with, mut without, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (alone, _) = run(&app, 0, lines);
        let (beside, peak) = run(&app, CLIENTS, lines);
        // The first round is the warm-up.
        if round > 0 {
            without.push(alone);
            with.push(beside);
            memory.push(peak);
        }
    }
    let what = format!("  1 producer to a pipe beside {CLIENTS} `logs -t`, without them");
    table.against(&what, [&with, &without], "MB/s", Limit::AtLeast(SPEED));
    let what = format!("  {CLIENTS} `logs -t` beside a flood, peak RSS");
    table.alone(&what, &memory, "MB", Limit::AtMost(MEMORY_MB));
}

/// The speed at which the lines arrive in megabytes a second, and the memory of `dyno` in megabytes.
#[expect(clippy::cast_precision_loss, reason = "a few million lines")]
fn run(app: &App, clients: usize, lines: usize) -> (f64, f64) {
    let mut dyno = app.start(1, Stdio::piped());
    let mut stdout = dyno.stdout();
    // The dyno is up and waits.
    stdout.read_exact(&mut [0]).unwrap();
    let both = dyno.both();
    let mut clients: Vec<Running> = (0..clients).map(|_| app.follow()).collect();
    for client in &mut clients {
        let mut stdout = client.stdout();
        stdout.read_exact(&mut [0]).unwrap();
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    }
    let placement = Placement::of(both);
    std::fs::write(app.path("go"), "\n").unwrap();
    let begin = Instant::now();
    let (mut buffer, mut arrived, mut peak) = (vec![0; READ_BYTES], 0, 0);
    while arrived < lines * LINE_BYTES {
        let read = stdout.read(&mut buffer).unwrap();
        assert!(read > 0, "`dyno` lost bytes: {arrived} of {}", lines * LINE_BYTES);
        arrived += read;
    }
    let seconds = begin.elapsed().as_secs_f64();
    drop(placement);
    for pid in both {
        peak += processes::kib(pid, "status", "VmHWM");
    }
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    dyno.wait();
    for client in &mut clients {
        client.wait();
    }
    ((lines * LINE_BYTES) as f64 / 1e6 / seconds, peak as f64 * 1024.0 / 1e6)
}
