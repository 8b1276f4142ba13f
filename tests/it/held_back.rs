//! Dynos that wait because nothing reads the output (S7.5).

use std::fs;
use std::io::PipeReader;

use nix::sys::signal::Signal;

use crate::harness::{App, Capture, Ended, Running};
use crate::process_table::{Held, Process, waits_to_write};

/// A state that was seen this many times in a row lasts.
const LASTING: usize = 20;

/// Fills everything between the dynos and a reader that reads nothing.
const NOISE: &str = "noise: exec yes\n";

/// Starts the app with a reader that reads nothing yet.
fn start<const N: usize>(app: &App, args: [&str; N]) -> (Running, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    (app.dyno(["start"]).args(&args).stdout_to(writer).spawn(), reader)
}

/// Waits until a condition holds for the processes of the dynos many times in a row, and `noise` waits for the reader.
fn until_all_is_held_back(dyno: &Running, what: &str, holds: impl Fn(&[Process]) -> bool) {
    let mut in_a_row = 0;
    dyno.until(what, || {
        let (noise, others): (Vec<_>, Vec<_>) =
            dyno.of_dynos().into_iter().partition(|process| process.dyno.as_deref() == Some("noise.1"));
        let waits = !noise.is_empty() && noise.iter().all(|process| waits_to_write(process.pid));
        in_a_row = if waits && holds(&others) { in_a_row + 1 } else { 0 };
        in_a_row >= LASTING
    });
}

#[test]
fn s7_5_a_crash_loop_waits_for_a_reader_that_reads_nothing() {
    let app = App::new(&format!("job: echo crash; echo >>runs; exit 1\n{NOISE}"));
    let (dyno, reader) = start(&app, ["--restart", "--max-delay", "0"]);

    until_all_is_held_back(&dyno, "the job is not started any more", <[_]>::is_empty);

    let open = Held::by(&dyno).main_files;
    assert!(open < 100, "{open} open files");
    let shown = Capture::of(reader);
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    let runs = fs::read(app.path("runs")).unwrap().len();
    let crashes = shown.text().matches("| crash\n").count();
    assert!(crashes >= runs, "{crashes} of {runs} lines are shown");
}

#[test]
fn s7_5_a_dyno_that_comes_back_is_shown_after_its_old_last_words() {
    let web = "trap 'printf bye; exit' TERM; echo $$ >>pids; echo hello; read -r _ <never";
    let app = App::new(&format!("web: {web}\n{NOISE}")).fifo("never");
    let (dyno, reader) = start(&app, ["-m", "web=2,noise=1"]);
    until_all_is_held_back(&dyno, "two dynos run", |others| others.len() == 2);

    app.dyno(["scale", "web=1"]).run().expect_end(Ended::Code(0));
    until_all_is_held_back(&dyno, "one has ended", |others| others.len() == 1);
    app.dyno(["scale", "web=2"]).run().expect_end(Ended::Code(0));
    let shown = Capture::of(reader);
    dyno.until("both run again", || fs::read_to_string(app.path("pids")).unwrap().lines().count() == 3);
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));

    let shown = shown.text();
    let of_web = shown.lines().filter_map(|line| line.split_once(" web.2   | ").map(|(_, text)| text));
    let said: Vec<_> = of_web.filter(|text| ["hello", "bye"].contains(text)).collect();
    assert_eq!(said, ["hello", "bye", "hello", "bye"], "{shown}");
}
