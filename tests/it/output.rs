//! Nothing that a dyno writes is lost, torn or reordered, and memory stays bounded (S7.5, S7.6).

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Finished, Running};
use crate::process_table;

const MISBEHAVING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/misbehaving/Procfile");

/// How much more memory a line of 50 MB may take than no output at all: the byte budget (4 MiB), the history (8 MiB),
/// and what is being formatted or was not freed yet. A copy of the whole line would be 48 MiB.
const MAX_GROWTH_KIB: u64 = 32 * 1024;

/// The limit for `dyno` and its guardian together if nothing reads their output: the byte budget (4 MiB) and their own
/// data.
const MAX_MEMORY_KIB: u64 = 16 * 1024;

/// The lines of `seq 1 20000`.
fn numbers() -> Vec<String> {
    (1..=20_000).map(|number| number.to_string()).collect()
}

/// The lines of `web.1` after the notice of its start.
fn lines_of_web(finished: &Finished) -> Vec<String> {
    let mut lines = finished.lines_of("web.1");
    assert_eq!(lines.first().map(String::as_str), Some("started with pid PID"));
    lines.remove(0);
    lines
}

#[test]
fn no_line_of_ten_flooding_dynos_is_lost_torn_or_reordered() {
    const DYNOS: usize = 10;
    const LINES: usize = 100_000;
    let app = App::empty();
    let formation = format!("flood={DYNOS}");
    let call = app.dyno(["start", "-f", MISBEHAVING, "-m", &formation, "--can-die", "flood", "--no-timestamps"]);

    let finished = call.env("FLOOD_LINES", LINES.to_string()).run();

    finished.expect_end(Ended::Code(0));
    let mut written = BTreeMap::<&str, String>::new();
    let stdout = finished.stdout();
    for line in stdout.lines() {
        let (name, text) = line.split_at_checked("flood.10 ".len()).expect(line);
        let whole = written.entry(name.trim_end()).or_default();
        // `>` marks the rest of a line: the dyno was not scheduled for 250 ms in the middle of it (S7.6).
        match text.strip_prefix("> ") {
            Some(rest) => {
                assert_eq!(whole.pop(), Some('\n'), "{line}");
                whole.push_str(rest);
            }
            None => whole.push_str(text.strip_prefix("| ").expect(line)),
        }
        whole.push('\n');
    }
    for index in 1..=DYNOS {
        let dyno = format!("flood.{index}");
        let lines = written[dyno.as_str()].lines().filter(|line| line.contains(" says "));
        assert!(lines.eq((1..=LINES).map(|number| format!("{dyno} says line {number:06}"))), "{dyno}");
    }
}

fn assert_complete_output_fifty_times(pty: &str) {
    let app = App::new("web: seq 1 20000\n");
    let mut expected = numbers();
    expected.push("exited with code 0".to_owned());
    for round in 1..=50 {
        let finished = app.dyno(["start", "--pty", pty]).run();

        finished.expect_end(Ended::Code(0));
        assert!(lines_of_web(&finished) == expected, "round {round}: {}", finished.stdout());
    }
}

#[test]
fn output_right_before_the_exit_is_complete_on_a_pipe() {
    assert_complete_output_fifty_times("never");
}

#[test]
fn output_right_before_the_exit_is_complete_on_a_pty() {
    assert_complete_output_fifty_times("always");
}

#[test]
fn fifty_dynos_that_exit_at_once_lose_nothing() {
    let app = App::new("web: seq 1 2000; echo FATAL >&2; exit 1\n");
    for pty in ["never", "always"] {
        let finished = app.dyno(["start", "-m", "web=50", "--can-die", "web=any", "--pty", pty]).run();

        finished.expect_end(Ended::Code(1));
        let lines = finished.lines();
        for dyno in 1..=50 {
            let lines = &lines[&format!("web.{dyno}")];
            assert_eq!(lines.len(), 2003, "{pty}: web.{dyno}");
            assert_eq!(lines[2000..], ["2000", "FATAL", "exited with code 1"], "{pty}: web.{dyno}");
        }
    }
}

#[test]
fn the_last_line_comes_before_the_exit_notice() {
    let app = App::new("web: echo FATAL >&2; exit 1\n");
    for pty in ["never", "always"] {
        for _ in 0..50 {
            app.dyno(["start", "--pty", pty]).run().expect(
                Ended::Code(1),
                "TIME web.1  | started with pid PID\n\
                 TIME web.1  | FATAL\n\
                 TIME web.1  | exited with code 1\n",
                "",
            );
        }
    }
}

#[test]
fn a_last_line_without_newline_is_shown() {
    let app = App::new("web: printf 'one\\ntwo'\n");
    for pty in ["never", "always"] {
        let finished = app.dyno(["start", "--pty", pty]).run();

        finished.expect_end(Ended::Code(0));
        assert_eq!(lines_of_web(&finished), ["one", "two", "exited with code 0"], "{pty}");
    }
}

/// The data that both processes have in memory, in KiB, without the pages of programs and libraries.
fn data_kib(dyno: &Running) -> u64 {
    [dyno.main(), dyno.guardian()].map(|pid| process_table::memory_kib(pid, "RssAnon")).iter().sum()
}

#[test]
fn a_line_of_fifty_megabytes_is_passed_on_in_bounded_memory() {
    const BYTES: usize = 50_000_000;
    let app = App::new("web: head -c 50000000 /dev/zero | tr '\\0' x; echo; echo done; read -r _ <go\n").fifo("go");

    let quiet = App::new("web: echo done; read -r _ <go\n").fifo("go");
    let without = quiet.dyno(["start"]).spawn();
    without.until_shown("| done");
    let least = data_kib(&without);
    quiet.release("go");
    without.finish().expect_end(Ended::Code(0));

    let dyno = app.dyno(["start"]).spawn();
    let mut peak = 0;
    dyno.until("all is shown", || {
        peak = peak.max(data_kib(&dyno));
        dyno.stdout.text().contains("| done")
    });
    let growth = peak.saturating_sub(least);
    app.release("go");
    let finished = dyno.finish();

    finished.expect_end(Ended::Code(0));
    // Each piece is a line.
    let pieces = finished.stdout.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b"xx"));
    let bytes = pieces.map(|line| line.rsplit(|byte| *byte != b'x').next().unwrap_or_default().len());
    assert_eq!(bytes.sum::<usize>(), BYTES);
    assert!(growth < MAX_GROWTH_KIB, "{growth} KiB more than {least} KiB");
}

#[test]
fn a_flood_without_a_reader_stays_in_bounded_memory() {
    let whole = "yes 0123456789012345678901234567890123456789";
    // Only the last state of such a line is shown, so `dyno` edits it in a separate buffer.
    let redrawn = "exec yes \"$(printf '0123456789\\r0123456789')\"";
    for (command, pty) in [(whole, "never"), (redrawn, "always")] {
        let app = App::new(&format!("web: {command}\n"));
        let (reader, writer) = std::io::pipe().unwrap();

        let dyno = app.dyno(["start", "-m", "web=10", "-t", "1", "--pty", pty]).stdout_to(writer).spawn();
        // In the end nothing moves any more: each dyno is blocked until its output is read.
        let mut peak = 0;
        dyno.until("all dynos are blocked", || {
            peak = peak.max(data_kib(&dyno));
            let dynos = dyno.of_dynos();
            dynos.len() == 10 && dynos.iter().all(|process| process_table::waits_to_write(process.pid))
        });
        dyno.signal(Signal::SIGTERM);
        let finished = dyno.finish();
        drop(reader);

        finished.expect_end(Ended::Signal(Signal::SIGTERM));
        assert!(peak < MAX_MEMORY_KIB, "{command}: {peak} KiB");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_passed_on_unchanged() {
    let app = App::new("web: printf '\\377\\376 caf\\351 \\000\\001\\n'\n");

    let finished = app.dyno(["start", "--no-prefix", "--pty", "never"]).run();

    let line = b"\xff\xfe caf\xe9 \x00\x01\n";
    assert!(finished.stdout.windows(line.len()).any(|window| window == line), "{:?}", finished.stdout);
}

#[test]
fn crlf_becomes_one_newline_on_pipe_and_pty() {
    let app = App::new("web: printf 'one\\r\\ntwo\\r\\n'\n");
    for pty in ["never", "always"] {
        let finished = app.dyno(["start", "--pty", pty]).run();

        assert!(!finished.stdout.contains(&b'\r'), "{}", finished.stdout());
        assert_eq!(lines_of_web(&finished), ["one", "two", "exited with code 0"]);
    }
}

#[test]
fn only_the_last_state_of_a_progress_line_on_a_pty_is_shown() {
    let app = App::new("web: printf '10%%\\r20%%\\r30%%\\n'\n");

    let on_pty = app.dyno(["start", "--pty", "always"]).run();
    let on_pipe = app.dyno(["start", "--pty", "never"]).run();

    assert_eq!(lines_of_web(&on_pty), ["30%", "exited with code 0"]);
    assert_eq!(lines_of_web(&on_pipe), ["10%\r20%\r30%", "exited with code 0"]);
}

#[test]
fn stdout_and_stderr_of_a_dyno_keep_their_order() {
    let app = App::new("web: for i in $(seq 1 500); do echo out $i; echo err $i >&2; done\n");

    let finished = app.dyno(["start"]).run();

    let expected = (1..=500).flat_map(|number| [format!("out {number}"), format!("err {number}")]);
    assert_eq!(lines_of_web(&finished), expected.chain(["exited with code 0".to_owned()]).collect::<Vec<_>>());
}
