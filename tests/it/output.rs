//! Nothing a dyno wrote is lost, torn or put in another order (S7.5, S7.6).

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Finished};
use crate::process_table;

const MISBEHAVING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/misbehaving/Procfile");

/// Both processes together stay below this under any flood: room for the byte budget (4 MiB) and the program, in a
/// build that is not optimised.
const MOST_MEMORY_KIB: u64 = 48 * 1024;

/// `seq 1 20000`, as text.
fn numbers() -> Vec<String> {
    (1..=20_000).map(|number| number.to_string()).collect()
}

/// The texts of `web.1` without our notices about it.
fn words_of_web(finished: &Finished) -> Vec<String> {
    let mut lines = finished.lines_of("web.1");
    assert_eq!(lines.first().map(String::as_str), Some("started with pid PID"));
    lines.remove(0);
    lines
}

#[test]
fn ten_dynos_with_a_hundred_thousand_lines_each_lose_tear_and_swap_none() {
    const DYNOS: usize = 10;
    const LINES: usize = 100_000;
    let app = App::empty();
    let formation = format!("flood={DYNOS}");
    let call = app.dyno(["start", "-f", MISBEHAVING, "-m", &formation, "--can-die", "flood", "--no-timestamps"]);

    let finished = call.env("FLOOD_LINES", LINES.to_string()).run();

    finished.expect_end(Ended::Code(0));
    let mut said = BTreeMap::<&str, String>::new();
    let stdout = finished.stdout();
    for line in stdout.lines() {
        let (name, text) = line.split_at_checked("flood.10 ".len()).expect(line);
        let whole = said.entry(name.trim_end()).or_default();
        // A dyno that got no processor for 250 ms in the middle of a line: marked as the rest of it (S7.6).
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
        let lines = said[dyno.as_str()].lines().filter(|line| line.contains(" says "));
        assert!(lines.eq((1..=LINES).map(|number| format!("{dyno} says line {number:06}"))), "{dyno}");
    }
}

fn all_numbers_before_the_exit_fifty_times(pty: &str) {
    let app = App::new("web: seq 1 20000\n");
    let mut expected = numbers();
    expected.push("exited with code 0".to_owned());
    for round in 1..=50 {
        let finished = app.dyno(["start", "--pty", pty]).run();

        finished.expect_end(Ended::Code(0));
        assert!(words_of_web(&finished) == expected, "round {round}: {}", finished.stdout());
    }
}

#[test]
fn what_a_dyno_writes_right_before_its_exit_is_complete_on_a_pipe() {
    all_numbers_before_the_exit_fifty_times("never");
}

#[test]
fn what_a_dyno_writes_right_before_its_exit_is_complete_on_a_pty() {
    all_numbers_before_the_exit_fifty_times("always");
}

#[test]
fn fifty_dynos_that_end_at_once_lose_nothing_either() {
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
fn the_last_words_stand_before_the_exit_notice() {
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
        assert_eq!(words_of_web(&finished), ["one", "two", "exited with code 0"], "{pty}");
    }
}

#[test]
fn fifty_megabytes_without_a_newline_pass_in_bounded_memory() {
    const BYTES: usize = 50_000_000;
    let app = App::new("web: head -c 50000000 /dev/zero | tr '\\0' x; echo; echo done; read -r _ <go\n").fifo("go");

    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("| done");
    let peak = process_table::peak_memory_kib(dyno.main()) + process_table::peak_memory_kib(dyno.guardian());
    app.release("go");
    let finished = dyno.finish();

    finished.expect_end(Ended::Code(0));
    // In pieces, each on a line of its own.
    let pieces = finished.stdout.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b"xx"));
    let bytes = pieces.map(|line| line.rsplit(|byte| *byte != b'x').next().unwrap_or_default().len());
    assert_eq!(bytes.sum::<usize>(), BYTES);
    assert!(peak < MOST_MEMORY_KIB, "{peak} KiB");
}

#[test]
fn a_flood_that_nobody_reads_stays_in_bounded_memory() {
    let whole = "yes 0123456789012345678901234567890123456789";
    // Of such lines only the end is shown: they are copied.
    let redrawn = "exec yes \"$(printf '0123456789\\r0123456789')\"";
    for (command, pty) in [(whole, "never"), (redrawn, "always")] {
        let app = App::new(&format!("web: {command}\n"));
        let (reader, writer) = std::io::pipe().unwrap();

        let dyno = app.dyno(["start", "-m", "web=10", "-t", "1", "--pty", pty]).stdout_to(writer).spawn();
        // Everything stands still: each dyno waits until somebody takes what it wrote.
        dyno.until("all dynos wait", || {
            let dynos = dyno.of_dynos();
            dynos.len() == 10 && dynos.iter().all(|process| process_table::waits_to_write(process.pid))
        });
        let peak = process_table::peak_memory_kib(dyno.main()) + process_table::peak_memory_kib(dyno.guardian());
        dyno.signal(Signal::SIGTERM);
        let finished = dyno.finish();
        drop(reader);

        finished.expect_end(Ended::Signal(Signal::SIGTERM));
        assert!(peak < MOST_MEMORY_KIB, "{command}: {peak} KiB");
    }
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let app = App::new("web: printf '\\377\\376 caf\\351 \\000\\001\\n'\n");

    let finished = app.dyno(["start", "--no-prefix", "--pty", "never"]).run();

    let line = b"\xff\xfe caf\xe9 \x00\x01\n";
    assert!(finished.stdout.windows(line.len()).any(|window| window == line), "{:?}", finished.stdout);
}

#[test]
fn crlf_is_one_newline_on_pipe_and_pty() {
    let app = App::new("web: printf 'one\\r\\ntwo\\r\\n'\n");
    for pty in ["never", "always"] {
        let finished = app.dyno(["start", "--pty", pty]).run();

        assert!(!finished.stdout.contains(&b'\r'), "{}", finished.stdout());
        assert_eq!(words_of_web(&finished), ["one", "two", "exited with code 0"]);
    }
}

#[test]
fn of_a_progress_line_on_a_pty_the_last_state_is_shown() {
    let app = App::new("web: printf '10%%\\r20%%\\r30%%\\n'\n");

    let on_pty = app.dyno(["start", "--pty", "always"]).run();
    let on_pipe = app.dyno(["start", "--pty", "never"]).run();

    assert_eq!(words_of_web(&on_pty), ["30%", "exited with code 0"]);
    assert_eq!(words_of_web(&on_pipe), ["10%\r20%\r30%", "exited with code 0"]);
}

#[test]
fn stdout_and_stderr_of_a_dyno_keep_their_order() {
    let app = App::new("web: for i in $(seq 1 500); do echo out $i; echo err $i >&2; done\n");

    let finished = app.dyno(["start"]).run();

    let expected = (1..=500).flat_map(|number| [format!("out {number}"), format!("err {number}")]);
    assert_eq!(words_of_web(&finished), expected.chain(["exited with code 0".to_owned()]).collect::<Vec<_>>());
}
