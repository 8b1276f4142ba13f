//! How fast lines of 100 bytes pass through, and whether all of them arrive.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use crate::Effort;
use crate::app::{App, Running};
use crate::placement::Placement;
use crate::roles::{FILLER, LINE_BYTES, produce};
use crate::table::{Limit, Table};

/// Bytes per read: large enough that the reader is never the bottleneck.
const READ_BYTES: usize = 1 << 20;

/// Lowest accepted ratio to `sed` when writing to a pipe; about 2.3 on a quiet machine.
const PIPE_TO_SED: f64 = 2.0;

/// A file must cost hardly more than a pipe: its ratio to `cat` is at least this fraction of the ratio with a pipe.
const FILE_TO_PIPE: f64 = 0.9;

/// Lines that `dyno` itself may add: one when a dyno starts, one when it exits, and two at the end.
const fn notices(dynos: usize) -> usize {
    2 * dynos + 2
}

/// The program between the producers and the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Dyno,
    Cat,
    Sed,
    /// The producers write directly to the reader, which is the upper bound.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
enum Sink {
    Pipe,
    File,
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipe => "to a pipe",
            Self::File => "to a file",
        })
    }
}

/// What arrived.
#[derive(Debug, Default)]
struct Arrived {
    lines: usize,
    filler: usize,
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    for producers in [1, 10] {
        for sink in [Sink::Pipe, Sink::File] {
            on_all_cpus(effort, table, sink, producers);
        }
    }
    on_one_cpu(effort, table);
}

fn on_all_cpus(effort: Effort, table: &mut Table, sink: Sink, producers: usize) {
    let (rounds, megabytes) = match sink {
        Sink::Pipe => (effort.of(9, 3), effort.of(400, 100)),
        Sink::File => (effort.of(9, 3), effort.of(200, 100)),
    };
    let cases = [Program::Dyno, Program::Sed, Program::Nothing].map(|program| (program, sink));
    let [dyno, sed, nothing] = alternately(rounds, cases, producers, lines(megabytes, producers));
    let what = if producers == 1 { format!("1 producer {sink}") } else { format!("{producers} producers {sink}") };
    let to_sed = match (sink, producers) {
        (Sink::Pipe, 1) => Limit::AtLeast(PIPE_TO_SED),
        (Sink::Pipe | Sink::File, _) => Limit::None,
    };
    table.against(&format!("  {what}, `sed`"), [&dyno, &sed], "MB/s", to_sed);
    table.against(&format!("  {what}, no program in between"), [&dyno, &nothing], "MB/s", Limit::None);
}

/// Compares a file with a pipe by what each of them costs in CPU time. On two CPUs `cat` passes on between 0.8 and
/// 2.2 GB/s from one run to the next, as the kernel places it, and such a comparison says nothing.
fn on_one_cpu(effort: Effort, table: &mut Table) {
    let _placement = Placement::on_one_cpu();
    let of = |program| [(program, Sink::Pipe), (program, Sink::File)];
    let ([dyno_pipe, dyno_file], [cat_pipe, cat_file]) = (of(Program::Dyno), of(Program::Cat));
    let cases = [dyno_pipe, cat_pipe, dyno_file, cat_file];
    let [dyno_pipe, cat_pipe, dyno_file, cat_file] =
        alternately(effort.of(25, 3), cases, 1, lines(effort.of(200, 100), 1));
    let what = |sink| format!("  1 producer {sink} on one CPU, `cat`");
    let of_pipe = table.against(&what(Sink::Pipe), [&dyno_pipe, &cat_pipe], "MB/s", Limit::None);
    table.against(&what(Sink::File), [&dyno_file, &cat_file], "MB/s", Limit::AtLeast(FILE_TO_PIPE * of_pipe));
}

/// Runs these cases in turn, round by round, and returns the speed of each in every round.
fn alternately<const CASES: usize>(
    rounds: usize,
    cases: [(Program, Sink); CASES],
    producers: usize,
    lines: usize,
) -> [Vec<f64>; CASES] {
    let app = App::new(&produce(lines / producers));
    let mut speeds = cases.map(|_| Vec::new());
    for round in 0..=rounds {
        for ((program, sink), speeds) in cases.iter().zip(&mut speeds) {
            let seconds = run(&app, *program, *sink, producers, lines);
            // The first round is the warm-up.
            if round > 0 {
                speeds.push(megabytes_per_second(lines, seconds));
            }
        }
    }
    speeds
}

/// The number of lines that these producers together write to reach this amount.
pub(crate) const fn lines(megabytes: usize, producers: usize) -> usize {
    megabytes * 1_000_000 / LINE_BYTES / producers * producers
}

/// Megabytes a second from this many dynos through a pipe.
pub(crate) fn through_dyno(app: &App, producers: usize, lines: usize) -> f64 {
    megabytes_per_second(lines, run(app, Program::Dyno, Sink::Pipe, producers, lines))
}

#[expect(clippy::cast_precision_loss, reason = "a few million lines")]
fn megabytes_per_second(lines: usize, seconds: f64) -> f64 {
    (lines * LINE_BYTES) as f64 / 1e6 / seconds
}

/// Seconds from just before the start to the end of the output. Panics if a byte is missing or a line is torn.
fn run(app: &App, program: Program, sink: Sink, producers: usize, lines: usize) -> f64 {
    let path = app.path("output");
    let begin = Instant::now();
    let (seconds, arrived) = match sink {
        Sink::Pipe => {
            let mut running = start(app, program, producers, lines, Stdio::piped());
            let arrived = count(running.stdout());
            running.wait();
            (begin.elapsed().as_secs_f64(), arrived)
        }
        Sink::File => {
            let file = File::create(&path).unwrap();
            start(app, program, producers, lines, file.into()).wait();
            let seconds = begin.elapsed().as_secs_f64();
            let arrived = count(File::open(&path).unwrap());
            fs::remove_file(&path).unwrap();
            (seconds, arrived)
        }
    };
    let own = if program == Program::Dyno { notices(producers) } else { 0 };
    let extra = arrived.lines.checked_sub(lines).unwrap_or_else(|| panic!("{program:?} lost lines: {arrived:?}"));
    assert!(extra <= own, "{program:?} tore lines: {arrived:?} of {lines}");
    assert_eq!(arrived.filler, lines * (LINE_BYTES - 1), "{program:?} lost bytes");
    seconds
}

fn start(app: &App, program: Program, producers: usize, lines: usize, stdout: Stdio) -> Running {
    let produce = produce(lines / producers);
    let produce =
        if producers == 1 { produce } else { format!("{{ {} wait; }}", format!("{produce} & ").repeat(producers)) };
    match program {
        Program::Dyno => app.start(producers, stdout),
        Program::Cat => app.shell(&format!("{produce} | cat"), stdout),
        Program::Sed => app.shell(&format!("{produce} | sed 's/^/web.1 | /'"), stdout),
        Program::Nothing => app.shell(&produce, stdout),
    }
}

/// Reads to end of file.
fn count(mut stream: impl Read) -> Arrived {
    let mut buffer = vec![0; READ_BYTES];
    let mut arrived = Arrived::default();
    loop {
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            return arrived;
        }
        let bytes = buffer.get(..read).unwrap();
        arrived.lines += memchr::memchr_iter(b'\n', bytes).count();
        arrived.filler += memchr::memchr_iter(FILLER, bytes).count();
    }
}
