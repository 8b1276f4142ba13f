//! Processes of a detached start are killed at many moments. If the caller has not returned yet, nothing may be left;
//! after that, the app goes on (S10.6).

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::detached::{all_gone, in_background, stop, workers};
use crate::harness::{App, Ended, Running, note, until};
use crate::process_table;
use crate::running::names;

/// How many moments are tried.
const MOMENTS: u32 = 60;

/// The moments are spread over this many times the duration of a start.
const SPREAD: u32 = 2;

/// A start whose caller was killed stops within this time even on a busy machine.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// The first version of Linux that reports how a process ended even after it was reaped.
const TELLS_HOW_CALLERS_END: (u32, u32) = (6, 15);

/// How many of the moments can be between the last word of the caller and its end. With an older version of Linux, the
/// start then goes on, as if the caller had returned.
const MOST_AFTER_THE_LAST_WORD: u32 = 3;

/// How many callers may be killed after their last word without the start noticing it.
fn most_after_the_last_word() -> u32 {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse().unwrap());
    let version: (u32, u32) = (numbers.next().unwrap(), numbers.next().unwrap());
    if version >= TELLS_HOW_CALLERS_END {
        return 0;
    }
    note(&format!("Linux {release} does not say how a reaped process has ended: {MOST_AFTER_THE_LAST_WORD} may go on"));
    MOST_AFTER_THE_LAST_WORD
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The process that was called.
    Caller,
    /// The start in the background.
    Start,
    /// Its guardian.
    Guardian,
}

/// How long a start takes here and now.
fn duration_of_a_start(app: &App) -> Duration {
    let began = Instant::now();
    let start = in_background(app);
    let took = began.elapsed();
    stop(app, &start);
    took
}

/// The process to kill. None: it does not exist yet, or the start has already returned.
fn victim(start: &Running, victim: Victim) -> Option<i32> {
    match victim {
        Victim::Caller => Some(start.main()),
        Victim::Start => process_table::children(start.main()).first().copied(),
        Victim::Guardian => {
            let background = process_table::children(start.main()).first().copied()?;
            process_table::children(background).first().copied()
        }
    }
}

/// Kills a process of a detached start at each moment, and checks what is left.
fn at_all_moments(who: Victim, signal: Signal) {
    let app = workers();
    let span = duration_of_a_start(&app) * SPREAD;
    let mut after_the_last_word = 0;
    for moment in 0..MOMENTS {
        let due = Instant::now() + span * moment / MOMENTS;
        let mut start = app.dyno(["start", "--detach"]).spawn();
        until("the moment has come", || Instant::now() >= due);
        let killed = victim(&start, who).is_some_and(|pid| kill(Pid::from_raw(pid), signal).is_ok());
        let ended = start.returned().ended;
        // Never 69: a start that was killed before has left nothing locked.
        assert!(ended != Ended::Code(69), "{moment}: {}", start.stderr.text());
        if ended == Ended::Code(0) && (who == Victim::Caller || !killed) {
            // It had returned, or there was nothing to kill yet.
            assert_eq!(names(&app), ["a.1", "b.1"], "{moment}");
            stop(&app, &start);
        } else if who == Victim::Caller && ended == Ended::Signal(Signal::SIGKILL) {
            let killed_at = Instant::now();
            until("nothing is left", || start.processes().is_empty() || killed_at.elapsed() > STOPS_WITHIN);
            if !start.processes().is_empty() {
                after_the_last_word += 1;
                stop(&app, &start);
            }
        } else {
            start.until("nothing is left", || start.processes().is_empty());
        }
    }
    assert!(after_the_last_word <= most_after_the_last_word(), "{after_the_last_word} of {MOMENTS}");
    let again = in_background(&app);
    stop(&app, &again);
}

#[test]
fn s10_6_a_caller_killed_at_any_moment_leaves_nothing() {
    at_all_moments(Victim::Caller, Signal::SIGKILL);
}

#[test]
fn s10_6_a_caller_that_is_interrupted_at_any_moment_leaves_nothing() {
    at_all_moments(Victim::Caller, Signal::SIGINT);
}

#[test]
fn s10_6_a_start_killed_at_any_moment_leaves_nothing() {
    at_all_moments(Victim::Start, Signal::SIGKILL);
}

#[test]
fn s10_6_a_guardian_killed_at_any_moment_leaves_nothing() {
    at_all_moments(Victim::Guardian, Signal::SIGKILL);
}

#[test]
fn s10_6_a_terminal_closed_at_any_moment_leaves_nothing() {
    let app = workers();
    let span = duration_of_a_start(&app) * SPREAD;
    for moment in 0..MOMENTS {
        let due = Instant::now() + span * moment / MOMENTS;
        let mut start = app.dyno(["start", "--detach"]).spawn_in_terminal();
        until("the moment has come", || Instant::now() >= due);
        start.close_terminal();
        if start.returned().ended == Ended::Code(0) {
            assert_eq!(names(&app), ["a.1", "b.1"], "{moment}");
            stop(&app, &start);
        } else {
            start.until("nothing is left", || start.processes().is_empty());
        }
    }
    let again = in_background(&app);
    stop(&app, &again);
}

#[test]
fn s10_6_a_start_that_was_killed_is_reported_by_its_caller() {
    let app = App::new("web: exec sleep 1000\n");
    let start = app.dyno(["start", "--detach"]).spawn();
    start.until("web.1 runs", || names(&app) == ["web.1"]);
    let background = process_table::children(start.main())[0];

    kill(Pid::from_raw(background), Signal::SIGKILL).unwrap();

    let fact = "error: `dyno` was killed by signal 9 before the app was up; all dynos were killed\n";
    start.finish().expect(Ended::Code(137), "", fact);
}

#[test]
fn s10_2_why_says_that_the_caller_of_a_start_was_killed() {
    let app = App::new("web: exec sleep 1000\n");
    let start = app.dyno(["start", "--detach"]).spawn();
    start.until("web.1 runs", || names(&app) == ["web.1"]);

    kill(Pid::from_raw(start.main()), Signal::SIGKILL).unwrap();

    until("nothing is left", || start.processes().is_empty());
    let why = app.dyno(["why", "web.1"]).run().stdout();
    let lines: Vec<&str> = why.lines().collect();
    assert!(lines[0].ends_with(" with status 0, and this dyno was stopped"), "{why}");
    assert_eq!(lines[2], "  reason     `dyno start --detach` was killed before the app was up", "{why}");
}

#[test]
fn s10_6_the_caller_cleans_up_if_start_and_guardian_are_killed() {
    let app = App::new("web: exec sleep 1000\n");
    let start = app.dyno(["start", "--detach"]).spawn();
    start.until("web.1 runs", || names(&app) == ["web.1"]);
    let background = process_table::children(start.main())[0];
    let guardian = process_table::children(background)[0];

    for pid in [background, guardian] {
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    }
    for pid in [guardian, background] {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    start.finish().expect_end(Ended::Code(137));
}

#[test]
fn s10_6_in_the_background_dynos_end_with_the_start_or_its_guardian() {
    for of_guardian in [false, true] {
        let app = workers();
        let mut start = app.dyno(["start", "--detach"]).spawn();
        start.until("the guardian runs", || start.processes().len() >= 3);
        let background = process_table::children(start.main()).first().copied();
        start.returned().expect_end(Ended::Code(0));
        let Some(background) = background else {
            stop(&app, &start);
            continue;
        };
        let guardian = process_table::children(background)[0];

        kill(Pid::from_raw(if of_guardian { guardian } else { background }), Signal::SIGKILL).unwrap();

        start.until("nothing is left", || start.processes().is_empty());
        let again = in_background(&app);
        stop(&app, &again);
        all_gone(&app, &again);
    }
}
