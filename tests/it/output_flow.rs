//! Output never delays an exit or a stop, and they never delay output: pipes that a child keeps open, unfinished lines,
//! slow and lost readers (S7.5, S7.6, S11).

use std::fs::OpenOptions;
use std::io::Read;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Running};
use crate::process_table;

#[test]
fn a_grandchild_that_keeps_the_pipe_open_does_not_delay_the_exit_notice() {
    let app = App::new("web: (trap '' TERM; echo >set; exec sleep 1000) & read -r _ <set; exit 3\n").fifo("set");
    let dyno = app.dyno(["start", "-t", "300"]).spawn();

    dyno.until_shown("web.1  | exited with code 3");

    let commands: Vec<String> = dyno.of_dynos().into_iter().map(|process| process.command).collect();
    assert!(commands.iter().any(|command| command.contains("sleep 1000")), "{commands:?}");
    dyno.signal(Signal::SIGQUIT);
    dyno.finish();
}

#[test]
fn output_of_a_grandchild_after_the_exit_is_still_shown() {
    let app = App::new("web: (trap '' TERM; echo >set; read -r _ <go; echo late) & read -r _ <set; exit 3\n");
    let app = app.fifo("set").fifo("go");
    let dyno = app.dyno(["start", "-t", "300"]).spawn();

    dyno.until_shown("exited with code 3");
    app.release("go");
    let finished = dyno.finish();

    finished.expect_end(Ended::Code(3));
    assert!(finished.stdout().contains("| late\n"), "{}", finished.stdout());
}

#[test]
fn a_line_that_is_interrupted_by_the_exit_is_continued_with_a_mark() {
    let line = "web: (trap '' TERM; printf half; echo >set; read -r _ <go; printf REST) & read -r _ <set; exit 3\n";
    for (rest, expected) in [("' whole\\n'", "TIME web.1  >  whole\n"), ("'\\n'", "")] {
        let app = App::new(&line.replace("REST", rest)).fifo("set").fifo("go");
        let dyno = app.dyno(["start", "-t", "300", "--pty", "never"]).spawn();

        dyno.until_shown("exited with code 3");
        app.release("go");

        let shown = dyno.finish().stdout();
        let (_, after) = shown.split_once("| half\n").expect(&shown);
        let after: String =
            after.split_inclusive('\n').filter(|line| !line.contains(" | ") || line.ends_with("| \n")).collect();
        assert_eq!(after, expected, "{shown}");
    }
}

#[test]
fn s7_5_half_a_character_on_a_terminal_comes_before_the_exit_notice() {
    for text in ["abc\\303", "\\rabc\\303", "ab\\n\\303"] {
        let app = App::new(&format!("web: printf '{text}'; exit 3\n"));

        let shown = app.dyno(["start", "--pty", "always", "--no-timestamps"]).run().stdout;

        let end = b"\nweb.1  | exited with code 3\n";
        let at = shown.windows(end.len()).position(|window| window == end).expect("it has exited");
        let (before, after) = shown.split_at(at + end.len());
        assert!(before.ends_with(&[b"\xc3", &end[..]].concat()) && !after.contains(&0xc3), "{}", shown.escape_ascii());
    }
}

#[test]
fn s7_5_a_line_that_ends_oddly_comes_before_the_exit_notice() {
    let line = "web: (trap '' TERM; echo >set; read -r _ <go; echo late) & read -r _ <set; cat end; exit 3\n";
    // Half a character, half a sequence, nothing visible, and what may be half a line end.
    for end in [&b"caf\xc3"[..], b"red\x1b[3", b"\x1b[0m", b"  ", b"50%\r"] {
        let app = App::new(line).file("end", end).fifo("set").fifo("go");
        let dyno = app.dyno(["start", "-t", "300", "--pty", "never", "--no-timestamps"]).spawn();

        dyno.until_shown("exited with code 3");
        app.release("go");

        let shown = dyno.finish().stdout;
        let place = |part: &[u8]| shown.windows(part.len()).position(|window| window == part);
        let notice = place(b"\nweb.1  | exited with code 3\n").expect("it has exited");
        // On a busy machine, the whole part of the line is shown first.
        let lines = shown[..notice].split(|byte| *byte == b'\n');
        let joined = lines.map(|line| line.strip_prefix(b"web.1  > ").unwrap_or(line)).collect::<Vec<_>>().concat();
        assert!(joined.ends_with(&[b"web.1  | ", end].concat()), "{}", shown.escape_ascii());
        assert!(place(b"\nweb.1  > late\n").is_some_and(|late| late > notice), "{}", shown.escape_ascii());
    }
}

#[test]
fn an_unfinished_line_is_shown_and_does_not_block_other_dynos() {
    let app = App::new(
        "ask: printf 'password: '; read -r _ <go; echo thanks; read -r _ <never\n\
         other: read -r _ <first; echo one; read -r _ <second; echo two; read -r _ <never\n",
    )
    .fifo("go")
    .fifo("first")
    .fifo("second")
    .fifo("never");
    let dyno = app.dyno(["start", "--pty", "never"]).spawn();

    dyno.until_shown("ask.1   | password: ");
    app.release("first");
    dyno.until_shown("other.1 | one\n");
    app.release("go");
    dyno.until_shown("thanks\n");
    app.release("second");
    dyno.until_shown("other.1 | two\n");
    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();

    // The unfinished line is shown in two pieces; the lines of the other dyno are whole.
    assert_eq!(finished.lines_of("other.1")[1..3], ["one", "two"]);
    assert!(finished.stdout().contains("TIME ask.1   | password: "), "{}", finished.stdout());
}

#[test]
fn a_slow_reader_loses_nothing() {
    const LINES: usize = 300_000;
    let app = App::new("web: seq -f 'line %06.0f' 1 300000\n");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut dyno = app.dyno(["start", "--no-prefix"]).stdout_to(writer).spawn();

    // The test reads only after the dyno is blocked in a write, so the run cannot have ended before.
    dyno.until("the dyno waits", || all_dynos_wait(&dyno));
    assert!(!dyno.has_ended());
    let mut shown = String::new();
    reader.read_to_string(&mut shown).unwrap();

    dyno.finish().expect_end(Ended::Code(0));
    let lines = shown.lines().filter(|line| line.starts_with("line "));
    let expected = (1..=LINES).map(|number| format!("line {number:06}"));
    assert!(lines.eq(expected), "{} lines", shown.lines().count());
}

/// Whether all processes of dynos are blocked in a write.
pub(crate) fn all_dynos_wait(dyno: &Running) -> bool {
    let dynos = dyno.of_dynos();
    !dynos.is_empty() && dynos.iter().all(|process| process_table::waits_to_write(process.pid))
}

#[test]
fn a_reader_that_goes_away_stops_everything_quietly_with_141() {
    let app = App::new("web: yes\nother: sleep 1000\n");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let dyno = app.dyno(["start"]).stdout_to(writer).spawn();

    let mut some = [0; 100];
    reader.read_exact(&mut some).unwrap();
    drop(reader);
    let finished = dyno.finish();

    finished.expect(Ended::Code(141), "", "");
}

#[test]
fn a_pipe_into_head_stops_everything() {
    let app = App::new("web: while :; do echo line; done\n");

    // In a shell, as users do it. The status of the pipeline would be that of `head`.
    let call = app.dyno(["start"]).under(&["sh", "-c", "{ \"$0\" \"$@\"; echo $? >status; } | head -n 3"]);
    let finished = call.run();

    assert_eq!(finished.stdout().lines().count(), 3);
    assert_eq!(std::fs::read_to_string(app.path("status")).unwrap(), "141\n");
}

#[test]
fn a_full_disk_is_named_and_ends_with_74() {
    let app = App::new("web: sleep 1000\n");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();

    let finished = app.dyno(["start"]).stdout_to(full).run();

    finished.expect_end(Ended::Code(74));
    assert!(finished.stderr().starts_with("error: "), "{}", finished.stderr());
    assert!(finished.stderr().contains("No space left on device"), "{}", finished.stderr());
}

#[test]
fn stdout_can_be_a_file_or_closed() {
    let app = App::new("web: echo hello\n");
    let path = app.path("log");
    let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();

    app.dyno(["start", "--no-timestamps"]).stdout_to(file).run().expect_end(Ended::Code(0));
    let closed = app.dyno(["start"]).after("exec >&-").run();

    assert!(std::fs::read_to_string(&path).unwrap().contains("web.1  | hello\n"));
    assert!([Ended::Code(0), Ended::Code(141), Ended::Code(74)].contains(&closed.ended), "{:?}", closed.ended);
}

#[test]
fn s6_1_stdin_of_a_dyno_never_gives_data_and_never_ends() {
    let app = App::new("web: cat; echo ended\nother: read -r _ <go; exit 4\n").fifo("go");
    let dyno = app.dyno(["start", "--pty", "never"]).spawn();

    dyno.until_shown("other.1 | started with pid");
    dyno.until("cat waits", || dyno.of_dynos().iter().any(|process| process.command == "cat" && process.state == 'S'));
    app.release("go");
    let finished = dyno.finish();

    finished.expect_end(Ended::Code(4));
    assert!(!finished.stdout().contains("| ended"), "{}", finished.stdout());
}

#[test]
fn s6_1_stdin_null_is_empty() {
    let app = App::new("web: cat; echo ended; exit 4\n");

    let finished = app.dyno(["start", "--stdin", "null", "--pty", "never"]).run();

    finished.expect_end(Ended::Code(4));
    assert!(finished.stdout().contains("| ended\n"), "{}", finished.stdout());
}

#[test]
fn s12_4_the_terminal_of_a_dyno_follows_the_size_of_the_users_terminal() {
    let app = App::new("web: trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done\n");
    let dyno = app.dyno(["start", "-t", "1"]).spawn_in_terminal();
    // Only the height is asserted: the width is smaller by the prefix.
    dyno.until_shown("24 ");

    dyno.terminal().resize(40, 120);

    dyno.until_shown("40 ");
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

// The leader writes a lot and exits, then its child writes, and then the next run begins.
#[test]
fn s7_5_output_exit_and_restart_keep_their_order_if_a_child_lives_on() {
    const LINES: usize = 2000;
    let work = format!(
        "if [ -e again ]; then echo second; read -r _ <never; fi\n\
         : >again\n\
         (trap '' TERM HUP; echo >set; read -r _ <go; echo child) &\n\
         read -r _ <set\n\
         seq 1 {LINES}\n\
         echo last words\n\
         exit 3\n"
    );
    for pty in ["never", "always"] {
        let app = App::new("web: ./work\n").script("work", &work).fifo("set").fifo("go").fifo("never");
        let dyno = app.dyno(["start", "--restart", "-t", "300", "--pty", pty]).spawn();

        dyno.until_shown("| exited with code 3\n");
        app.release("go");
        dyno.until_shown("| second\n");
        dyno.signal(Signal::SIGQUIT);

        let lines = dyno.finish().lines_of("web.1");
        let at = |text: &str| lines.iter().position(|line| line == text).expect(text);
        let numbers = (1..=LINES).map(|number| number.to_string());
        assert!(lines[1..=LINES].iter().cloned().eq(numbers), "{pty}: {lines:?}");
        assert_eq!(lines[LINES + 1..LINES + 3], ["last words", "exited with code 3"], "{pty}");
        assert!(at("exited with code 3") < at("child") && at("child") < at("second"), "{pty}");
    }
}
