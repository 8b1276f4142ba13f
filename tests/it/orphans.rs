//! No process outlives a run, whoever ends it, whatever runs, whenever it happens (S6.6, S11, S12).
//!
//! Three tables, and every cell of their product is run. The habits are those of `examples/misbehaving`. After each
//! cell the system's process table is searched for the mark that all processes of that cell inherited.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{App, Ended, Finished, Running, until};
use crate::process_table;

const MISBEHAVING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/misbehaving/Procfile");

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    MainKilled,
    GuardianKilled,
    Signal(Signal),
    TerminalClosed,
    OwnExit,
}

const ENDS: [End; 8] = [
    End::MainKilled,
    End::GuardianKilled,
    End::Signal(Signal::SIGINT),
    End::Signal(Signal::SIGTERM),
    End::Signal(Signal::SIGHUP),
    End::Signal(Signal::SIGQUIT),
    End::TerminalClosed,
    End::OwnExit,
];

/// What runs: process types of `examples/misbehaving`.
const HABITS: [&str; 6] = ["plain", "grandchild", "session", "daemon", "stubborn", "frozen"];

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The habit is in place, other dynos of the formation have not been started yet.
    Starting,
    Running,
    /// A first signal was passed on, and the leader takes its time.
    Stopping,
}

const MOMENTS: [Moment; 3] = [Moment::Starting, Moment::Running, Moment::Stopping];

type Cell = (End, &'static str, Moment);

/// Cells at a time. Each is mostly waiting.
const AT_A_TIME: usize = 4;

/// A second signal within 300 ms is the same keypress (S12).
const NEXT_KEYPRESS: Duration = Duration::from_millis(400);

/// Dynos that are still to be started when the habit is in place. Doubled as long as the start was over too early.
const QUEUED: usize = 50;

#[test]
fn no_process_outlives_a_run_however_whatever_and_whenever() {
    let with_habit = |end: End| HABITS.into_iter().map(move |habit| (end, habit));
    let pairs = ENDS.into_iter().flat_map(with_habit);
    let cells: Vec<Cell> =
        pairs.flat_map(|(end, habit)| MOMENTS.into_iter().map(move |moment| (end, habit, moment))).collect();
    let (next, done, failures) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));

    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match catch_unwind(AssertUnwindSafe(|| run(*cell))) {
                        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(why) => failures.lock().unwrap().push(format!("{cell:?}: {}", text_of(&*why))),
                    }
                }
            });
        }
    });

    let (done, failures) = (done.into_inner(), failures.into_inner().unwrap());
    // Not `println!`: the number is shown even when the test passes.
    writeln!(std::io::stderr(), "orphans: {done} of {} cells left nothing behind", cells.len()).unwrap();
    assert!(failures.is_empty(), "{} cells failed\n{}", failures.len(), failures.join("\n\n"));
    assert_eq!((done, cells.len()), (144, 144));
}

fn text_of(why: &(dyn std::any::Any + Send)) -> &str {
    why.downcast_ref::<String>().map(String::as_str).or(why.downcast_ref::<&str>().copied()).unwrap_or("?")
}

fn run(cell: Cell) {
    let mut queued = QUEUED;
    while !run_with(cell, queued) {
        assert!(queued < 1000, "all dynos were started before the habit was in place");
        queued *= 2;
    }
}

/// Runs a cell; false if it was not what it should be, because the start was over too early.
fn run_with((end, habit, moment): Cell, queued: usize) -> bool {
    let app = App::empty().fifo("go");
    let fillers = if moment == Moment::Starting { queued } else { 1 };
    // Long where a second signal ends it, long enough for an exit of its own, short where the grace has to pass.
    let grace = match (moment, end) {
        (Moment::Stopping, End::OwnExit) => "4",
        (Moment::Stopping, _) => "300",
        (Moment::Starting | Moment::Running, _) => "0.5",
    };
    let formation = format!("{habit}=1,filler={fillers}");
    let mut call = app.dyno(["start", "-f", MISBEHAVING, "-m", &formation, "-t", grace]).env("STATE", app.path(""));
    if moment == Moment::Stopping {
        call = call.env("SLOW", "yes");
    }
    let mut dyno = if end == End::TerminalClosed { call.spawn_in_terminal() } else { call.spawn() };

    dyno.until("the habit is in place", || app.has("ready"));
    let guardian = dyno.guardian();
    let first = first_signal(end);
    match moment {
        Moment::Starting => {
            let started = dyno
                .of_dynos()
                .iter()
                .filter(|process| process.dyno.as_deref() != Some(&*format!("{habit}.1")))
                .count();
            if started >= fillers {
                return false;
            }
        }
        Moment::Running => dyno.until_shown("filler.1"),
        Moment::Stopping => {
            dyno.until_shown("filler.1");
            dyno.signal(first);
            dyno.until_shown("sending SIGTERM to all processes");
        }
    }

    let since = Instant::now();
    match end {
        End::MainKilled => dyno.signal(Signal::SIGKILL),
        End::GuardianKilled => kill(Pid::from_raw(guardian), Signal::SIGKILL).unwrap(),
        End::OwnExit => app.release("go"),
        End::Signal(_) | End::TerminalClosed if moment == Moment::Stopping => {
            dyno.until("a second keypress is one", || since.elapsed() > NEXT_KEYPRESS);
            end_by_signal(&mut dyno, end);
        }
        End::Signal(_) | End::TerminalClosed => end_by_signal(&mut dyno, end),
    }
    let finished = dyno.finish();

    assert_end(&finished, end, moment);
    if end == End::MainKilled {
        // Nobody waited for its end: it may be in the middle of it, and it is process 1 that takes note.
        let has_ended = || process_table::stat(guardian).is_none_or(|(state, _)| state == 'Z');
        until("the guardian has ended", has_ended);
    } else {
        assert_eq!(process_table::stat(guardian), None, "the guardian is left");
    }
    true
}

fn end_by_signal(dyno: &mut Running, end: End) {
    match end {
        End::Signal(signal) => dyno.signal(signal),
        End::TerminalClosed => dyno.close_terminal(),
        End::MainKilled | End::GuardianKilled | End::OwnExit => unreachable!("{end:?} is no signal"),
    }
}

/// What begins the stop that is under way in the moment `Stopping`.
fn first_signal(end: End) -> Signal {
    match end {
        End::Signal(Signal::SIGQUIT) | End::MainKilled | End::GuardianKilled | End::OwnExit => Signal::SIGTERM,
        End::TerminalClosed => Signal::SIGHUP,
        End::Signal(signal) => signal,
    }
}

/// Status by rule S11.
fn assert_end(finished: &Finished, end: End, moment: Moment) {
    let expected = match (end, moment) {
        (End::MainKilled, _) => Ended::Signal(Signal::SIGKILL),
        (End::GuardianKilled, _) => Ended::Code(70),
        (End::OwnExit, Moment::Starting | Moment::Running) => Ended::Code(7),
        // The stop that was asked for first decides.
        (End::OwnExit | End::Signal(Signal::SIGQUIT), Moment::Stopping) => Ended::Signal(Signal::SIGTERM),
        (End::TerminalClosed, _) => Ended::Signal(Signal::SIGHUP),
        (End::Signal(signal), _) => Ended::Signal(signal),
    };
    finished.expect_end(expected);
}
