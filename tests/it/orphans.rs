//! No process outlives a run, however and whenever the run ends, and whatever it runs (S6.6, S11, S12).
//!
//! The test runs every combination of 8 ends, 6 habits and 3 moments. The habits are the process types of
//! `examples/misbehaving`. After each case it searches the process table for the mark that all processes of the case
//! inherited.

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

/// How the run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    MainKilled,
    GuardianKilled,
    Signal(Signal),
    TerminalClosed,
    DynoExits,
}

const ENDS: [End; 8] = [
    End::MainKilled,
    End::GuardianKilled,
    End::Signal(Signal::SIGINT),
    End::Signal(Signal::SIGTERM),
    End::Signal(Signal::SIGHUP),
    End::Signal(Signal::SIGQUIT),
    End::TerminalClosed,
    End::DynoExits,
];

/// What runs: a process type of `examples/misbehaving`.
const HABITS: [&str; 6] = ["plain", "grandchild", "session", "daemon", "stubborn", "frozen"];

/// When the run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The habit is in place, but not all dynos of the formation have been started.
    Starting,
    Running,
    /// A first signal was passed on, and the leader is slow to stop.
    Stopping,
}

const MOMENTS: [Moment; 3] = [Moment::Starting, Moment::Running, Moment::Stopping];

type Case = (End, &'static str, Moment);

/// Cases that run at the same time. Each of them mostly waits.
const AT_A_TIME: usize = 4;

/// A second signal within 300 ms is the same keypress (S12).
const NEXT_KEYPRESS: Duration = Duration::from_millis(400);

/// Dynos that start after the habit. Doubled if all of them were started before the habit was in place.
const QUEUED: usize = 50;
/// The largest quantity of a process type.
const MOST_QUEUED: usize = 1000;

#[test]
fn no_process_outlives_a_run() {
    let with_habit = |end: End| HABITS.into_iter().map(move |habit| (end, habit));
    let pairs = ENDS.into_iter().flat_map(with_habit);
    let cases: Vec<Case> =
        pairs.flat_map(|(end, habit)| MOMENTS.into_iter().map(move |moment| (end, habit, moment))).collect();
    let (next, done, failures) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));

    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match catch_unwind(AssertUnwindSafe(|| run(*case))) {
                        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(why) => failures.lock().unwrap().push(format!("{case:?}: {}", text_of(&*why))),
                    }
                }
            });
        }
    });

    let (done, failures) = (done.into_inner(), failures.into_inner().unwrap());
    // Not `println!`, which is only shown if the test fails.
    writeln!(std::io::stderr(), "orphans: {done} of {} cases left no process behind", cases.len()).unwrap();
    assert!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n\n"));
    assert_eq!((done, cases.len()), (144, 144));
}

fn text_of(why: &(dyn std::any::Any + Send)) -> &str {
    why.downcast_ref::<String>().map(String::as_str).or(why.downcast_ref::<&str>().copied()).unwrap_or("?")
}

fn run(case: Case) {
    let mut queued = QUEUED;
    while !run_with(case, queued) {
        assert!(queued < MOST_QUEUED, "all dynos were started before the habit was in place");
        queued = MOST_QUEUED.min(2 * queued);
    }
}

/// Runs a case. False if all dynos were started before the habit was in place, so that the case must be repeated.
fn run_with((end, habit, moment): Case, queued: usize) -> bool {
    let app = App::empty().fifo("go");
    let fillers = if moment == Moment::Starting { queued } else { 1 };
    // 300: a second signal ends the stop long before that. 4: enough time for the dyno to exit by itself. 0.5: the test
    // waits until the grace period expires.
    let grace = match (moment, end) {
        (Moment::Stopping, End::DynoExits) => "4",
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
        End::DynoExits => app.release("go"),
        End::Signal(_) | End::TerminalClosed if moment == Moment::Stopping => {
            dyno.until("another signal is a second keypress", || since.elapsed() > NEXT_KEYPRESS);
            end_by_signal(&mut dyno, end);
        }
        End::Signal(_) | End::TerminalClosed => end_by_signal(&mut dyno, end),
    }
    let finished = dyno.finish();

    assert_end(&finished, end, moment);
    if end == End::MainKilled {
        // The guardian lost its parent and may still be ending. Process 1 may not have reaped it yet, hence `Z`.
        let has_ended = || process_table::stat(guardian).is_none_or(|(state, _)| state == 'Z');
        until("the guardian has ended", has_ended);
    } else {
        assert_eq!(process_table::stat(guardian), None, "the guardian outlived `dyno`");
    }
    true
}

fn end_by_signal(dyno: &mut Running, end: End) {
    match end {
        End::Signal(signal) => dyno.signal(signal),
        End::TerminalClosed => dyno.close_terminal(),
        End::MainKilled | End::GuardianKilled | End::DynoExits => unreachable!("{end:?} is not a signal"),
    }
}

/// The signal that begins the stop, for the moment `Stopping`.
fn first_signal(end: End) -> Signal {
    match end {
        End::Signal(Signal::SIGQUIT) | End::MainKilled | End::GuardianKilled | End::DynoExits => Signal::SIGTERM,
        End::TerminalClosed => Signal::SIGHUP,
        End::Signal(signal) => signal,
    }
}

/// Asserts the status. Rule: S11.
fn assert_end(finished: &Finished, end: End, moment: Moment) {
    let expected = match (end, moment) {
        (End::MainKilled, _) => Ended::Signal(Signal::SIGKILL),
        (End::GuardianKilled, _) => Ended::Code(70),
        (End::DynoExits, Moment::Starting | Moment::Running) => Ended::Code(7),
        // The stop was already under way, and its signal decides.
        (End::DynoExits | End::Signal(Signal::SIGQUIT), Moment::Stopping) => Ended::Signal(Signal::SIGTERM),
        (End::TerminalClosed, _) => Ended::Signal(Signal::SIGHUP),
        (End::Signal(signal), _) => Ended::Signal(signal),
    };
    finished.expect_end(expected);
}
