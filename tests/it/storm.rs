//! Dynos that crash as soon as they start: a thousand restarts leak nothing and do not disturb other dynos (S6.4).
//!
//! `examples/restart_storm.rs` runs the library's runtime with a `Policy` that has no back-off.

use std::fs;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;

use crate::app::example;
use crate::harness::{App, Capture, Ended, Running};
use crate::process_table::{self, Held};

/// Runs before the first measurement. By then everything that is created only once exists.
const FIRST: usize = 20;

/// Resident memory that may vary without a leak, because of the allocator and the kernel.
const SLACK_KIB: u64 = 512;

/// Restarts between the two measurements. `DYNO_TEST_RESTARTS` is for a longer run by hand; only this test reads it.
fn restarts() -> usize {
    std::env::var("DYNO_TEST_RESTARTS").map_or(1_000, |count| count.parse().unwrap())
}

/// Resident memory of `dyno` and its guardian, in KiB.
fn memory_kib(dyno: &Running) -> [u64; 2] {
    [dyno.main(), dyno.guardian()].map(|pid| process_table::memory_kib(pid, "VmRSS"))
}

#[test]
fn s6_4_a_thousand_restarts_leak_nothing_and_keep_the_output_in_order() {
    let last = FIRST + restarts();
    // The last words have no newline. Two of the runs wait until they have been measured.
    let work = format!(
        "read -r n <count; n=$((n + 1)); echo $n >count\n\
         echo first of $n\n\
         case $n in {FIRST}|{last}) echo waits at $n; read -r _ <go;; esac\n\
         printf 'last of %s' $n\n\
         exit 1\n"
    );
    let app = App::new("job: ./work\nweb: sleep 1000\n").script("work", &work).file("count", "0\n").fifo("go");
    let dyno = app.dyno([]).program(&example("restart_storm")).spawn();

    dyno.until_shown(&format!("waits at {FIRST}\n"));
    let (before, memory_before) = (Held::by(&dyno), memory_kib(&dyno));
    app.release("go");
    dyno.until_shown(&format!("waits at {last}\n"));
    let (after, memory_after) = (Held::by(&dyno), memory_kib(&dyno));
    app.release("go");
    dyno.until_shown(&format!("first of {}\n", last + 1));
    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();

    // Shown with `--nocapture`.
    println!("{before:?} {memory_before:?} KiB, after {} restarts {after:?} {memory_after:?} KiB", restarts());
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(before, after);
    assert_eq!((before.main_children, before.guardian_children), (1, 2));
    for (before, after) in memory_before.into_iter().zip(memory_after) {
        assert!(after <= before + SLACK_KIB, "{memory_before:?} KiB, then {memory_after:?}");
    }
    let lines = finished.lines_of("job.1");
    let mut runs = lines.split(|line| line == "restarting");
    for n in 1..=last {
        let (first, waits, ends) = (format!("first of {n}"), format!("waits at {n}"), format!("last of {n}"));
        let waits = (n == FIRST || n == last).then_some(waits.as_str());
        let expected = ["started with pid PID", &first].into_iter().chain(waits).chain([&*ends, "exited with code 1"]);
        assert!(runs.next().unwrap().iter().map(String::as_str).eq(expected), "run {n}");
    }
}

#[test]
fn s6_4_a_crash_looping_dyno_does_not_disturb_the_others() {
    const QUESTIONS: usize = 30;
    let app = App::new("job: exit 1\nweb: ./serve\n")
        .script("serve", "exec 3<>ask\nn=0\nwhile read -r _ <&3; do n=$((n + 1)); echo answer $n; done\n")
        .fifo("ask");
    let dyno = app.dyno([]).program(&example("restart_storm")).spawn();
    let crashes = || dyno.stdout.text().matches("exited with code 1").count();

    for question in 1..=QUESTIONS {
        let before = crashes();
        app.release("ask");
        dyno.until_shown(&format!("answer {question}\n"));
        dyno.until("the crash loop goes on", || crashes() > before);
    }

    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    // web.1 was never restarted.
    assert_eq!(finished.lines_of("web.1").iter().filter(|line| line.starts_with("started")).count(), 1);
}

// S7.5: a dyno that prints nothing does not wait for a reader that stopped reading. Notices that do not fit are
// counted.
#[test]
fn notices_that_the_reader_does_not_read_are_counted_not_kept() {
    const RUNS: u32 = 1_000;
    let app = App::new("job: ./work\n")
        .script("work", "read -r n <count; n=$((n + 1)); echo $n >count; exit 1\n")
        .file("count", "0\n");
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let dyno = app.dyno([]).program(&example("restart_storm")).stdout_to(writer).spawn();
    let runs = || fs::read_to_string(app.path("count")).ok().and_then(|text| text.trim().parse::<u32>().ok());

    // More than the pipe and the queue of notices can hold.
    dyno.until("there are enough runs", || runs().is_some_and(|runs| runs > RUNS));
    let shown = Capture::of(reader);
    dyno.until("the skipped notices are counted", || shown.text().contains(" notices skipped\n"));
    dyno.signal(Signal::SIGINT);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGINT));

    let shown = shown.text();
    let counted = shown.lines().find(|line| line.ends_with(" notices skipped")).unwrap();
    let number = counted.split_once("system | … ").and_then(|(_, rest)| rest.split_once(' ')).unwrap().0;
    assert!(number.parse::<u32>().unwrap() > 0, "{counted}");
}

#[test]
fn a_signal_stops_a_restart_storm() {
    let app = App::new("job: exit 1\nother: exit 2\n");
    let dyno = app.dyno([]).program(&example("restart_storm")).spawn();
    dyno.until("both restart", || dyno.stdout.text().matches("restarting").count() > 100);

    dyno.signal(Signal::SIGINT);

    dyno.finish().expect_end(Ended::Signal(Signal::SIGINT));
}
