//! How the output of real tools is shown (S7.6). The bytes were recorded on a terminal and shortened.

use std::time::Duration;

use super::tests::{Run, shown};

#[test]
fn s7_6_a_spinner_drawn_with_backspaces_is_one_line() {
    assert_eq!(shown("Loading |\x08/\x08-\x08\\\x08 \x08\ndone\n"), ["Loading", "done"]);
}

#[test]
fn s7_6_the_spinner_of_ora_is_shown_as_its_last_line() {
    let mut run = Run::on_terminal(24, 80);
    run.write("\x1b[?25l\x1b[?2026h\x1b[1G\x1b[36m⠋\x1b[39m Loading\x1b[?2026l");
    for frame in ["⠙", "⠹", "⠸"] {
        run.write(&format!("\x1b[?2026h\x1b[1G\x1b[0K\x1b[36m{frame}\x1b[39m Loading\x1b[?2026l"));
    }
    run.write("\x1b[?2026h\x1b[1G\x1b[0K\x1b[?2026l\x1b[?25h\x1b[32m✔\x1b[39m Loaded\n");
    run.pause();

    assert_eq!(run.take(), ["\x1b[32m✔\x1b[0m Loaded"]);
}

#[test]
fn s7_6_a_running_spinner_is_shown_again_only_if_its_letters_change() {
    let mut run = Run::on_terminal(24, 80);
    for text in ["⠋ reify: one", "⠙ reify: one", "⠹ reify: two", "⠸ reify: two"] {
        run.write(&format!("\x1b[1G\x1b[0K{text}"));
        run.keep_writing();
    }
    assert_eq!(run.take(), ["⠋ reify: one", "⠹ reify: two"]);

    run.pause();
    assert_eq!(run.take(), ["⠸ reify: two"]);
    run.write("\x1b[1G\x1b[0Kadded 3 packages\n");
    assert_eq!(run.take(), ["added 3 packages"]);
}

#[test]
fn s7_6_a_long_spinner_without_letters_leaves_no_line() {
    for (begin, frames, end) in [
        ("", ["\x1b[1G\x1b[0K⠋", "\x1b[1G\x1b[0K⠙", "\x1b[1G\x1b[0K⠹"], "\x1b[1G\x1b[0K"),
        ("", ["\r\x1b[K|", "\r\x1b[K/", "\r\x1b[K-"], "\r\x1b[K"),
        ("", ["\r[#..]", "\r[##.]", "\r[###]"], "\r\x1b[K"),
        ("\x1b[?25l", ["\x1b[2K\x1b[1G|", "\x1b[2K\x1b[1G/", "\x1b[2K\x1b[1G-"], "\x1b[2K\x1b[1G\x1b[?25h"),
    ] {
        let mut run = Run::on_terminal(24, 80);
        run.write(begin);
        for frame in frames.repeat(3) {
            run.write(frame);
            run.keep_writing();
        }
        run.write(&format!("{end}added 3 packages\n"));

        assert_eq!(run.end(), ["added 3 packages"], "{frames:?}");
    }
    // It is shown once it does not change any more.
    let mut run = Run::on_terminal(24, 80);
    run.write("\x1b[1G\x1b[0K>>> ");
    run.keep_writing();
    assert_eq!(run.take(), [""; 0]);
    run.pause();
    assert_eq!(run.take(), [">>>"]);
}

#[test]
fn s7_6_a_spinner_leaves_no_line_where_text_was() {
    let mut run = Run::on_terminal(24, 80);
    for frame in ["package 1 of 3", "|", "/", "package 1 of 3", "-", "package 2 of 3", "|", ""] {
        run.write(&format!("\r\x1b[K{frame}"));
        run.keep_writing();
    }
    run.write("\rdone\n");

    assert_eq!(run.end(), ["package 1 of 3", "package 2 of 3", "done"]);
}

#[test]
fn s7_6_a_row_of_symbols_is_shown_before_the_row_below_it() {
    for down in ["\x1b[1E", "\x1b[1B\r", "\x1b[2;1H"] {
        let mut run = Run::on_terminal(24, 80);
        run.write(&format!("\r=====\x1b[0m{down}installing 1"));
        run.keep_writing();
        run.write("\x1b[2K\rinstalling 2");
        run.keep_writing();

        let first_two = [run.take(), run.end()].concat();
        assert_eq!(first_two[..2], ["=====", "installing 1"], "{down:?} {first_two:?}");
    }
}

#[test]
fn s7_6_the_erased_spinner_of_node_readline_leaves_no_line() {
    let mut run = Run::on_terminal(24, 80);
    for frame in ["|", "/", "-"] {
        run.write(&format!("\x1b[2K\x1b[1G{frame} working"));
    }
    run.write("\x1b[2K\x1b[1Gdone\n");

    assert_eq!(run.take(), ["done"]);
}

#[test]
fn s7_6_the_blank_lines_before_vite_clears_the_screen_are_dropped() {
    for (rows, columns) in [(24, 80), (60, 200)] {
        let mut run = Run::on_terminal(rows, columns);
        run.write("> vite\n");
        for _ in 0..2 {
            run.write(&"\r\n".repeat(usize::from(rows) - 2));
            run.write("\x1b[1;1H");
            run.write("\x1b[0J");
            run.write("\r\n  \x1b[32m\x1b[1mVITE\x1b[22m v8\x1b[39m  ready\r\n\r\n");
            run.write("  \x1b[32m➜\x1b[39m  press \x1b[1mh\x1b[22m\r\n");
            run.pause();
        }

        let page = ["", "  \x1b[1;32mVITE\x1b[0;32m v8\x1b[0m  ready", "", "  \x1b[32m➜\x1b[0m  press \x1b[1mh\x1b[0m"];
        assert_eq!(run.take(), [&["> vite"][..], &page, &page].concat());
    }
}

#[test]
fn s7_6_clearing_the_screen_drops_the_blank_lines_right_before_it() {
    for clear in ["\x1b[2J\x1b[3J\x1b[H", "\x1bc", "\x1b[H\x1b[J", "\x1b[H\x1b[2J"] {
        assert_eq!(shown(&format!("old\n\n\n\n{clear}new\n\nend\n")), ["old", "new", "", "end"], "{clear:?}");
    }
    // Blank lines further up are kept, and so are those that are not followed by a clear.
    assert_eq!(shown("a\n\n\nb\n\n\x1bcc\n\n"), ["a", "", "", "b", "c", ""]);
}

#[test]
fn s7_6_the_first_page_of_tsc_is_shown() {
    let mut run = Run::on_terminal(24, 80);
    run.write("\x1b[2J\x1b[3J\x1b[H[\x1b[90m06:21:04 AM\x1b[0m] ");
    run.write("Starting compilation in watch mode...\r\n\r\n");
    run.pause();
    run.write("[\x1b[90m06:21:04 AM\x1b[0m] ");
    run.write("Found 0 errors. Watching for file changes.\r\n\r\n");
    run.pause();

    let time = "[\x1b[90m06:21:04 AM\x1b[0m]";
    let lines = [
        format!("{time} Starting compilation in watch mode..."),
        String::new(),
        format!("{time} Found 0 errors. Watching for file changes."),
        String::new(),
    ];
    assert_eq!(run.take(), lines);
}

#[test]
fn s7_6_rich_live_shows_changed_rows_once_they_stop_changing() {
    let up = "\x1b[1A\x1b[2K".repeat(2);
    let mut run = Run::on_terminal(24, 80);
    run.write("before\n");
    run.write("\x1b[?25l");
    run.write("┏━━━┓\r\n┃ 0 ┃\r\n┗━━━┛");
    run.write(&format!("\r\x1b[2K{up}┏━━━┓\r\n┃ 1 ┃\r\n┗━━━┛"));
    assert_eq!(run.take(), ["before"]);
    run.pause();
    assert_eq!(run.take(), ["┏━━━┓", "┃ 1 ┃", "┗━━━┛"]);

    // A log line above the table moves it down.
    run.write(&format!("\r\x1b[2K{up}a log line\r\n┏━━━┓\r\n┃ 2 ┃\r\n┗━━━┛"));
    run.pause();
    assert_eq!(run.take(), ["a log line", "┃ 2 ┃"]);
    run.write("\r\n\x1b[?25hafter\n");
    assert_eq!(run.end(), ["after"]);
}

#[test]
fn s7_6_rows_that_keep_changing_are_shown_from_time_to_time() {
    let mut run = Run::on_terminal(24, 80);
    run.write("one\ntwo\n");
    for number in 0..10 {
        run.write(&format!("\x1b[2Aone {number}\x1b[K\n⠋ two\x1b[K\n"));
        assert_eq!(run.lines.patience().unwrap().at_most, Some(Duration::from_secs(2)));
        if number % 4 == 3 {
            run.keep_writing();
        }
    }

    assert_eq!(run.end(), ["one", "two", "one 3", "one 7", "one 9", "⠋ two"]);
}

#[test]
fn s7_6_jest_shows_each_row_once() {
    let erase = "\x1b[?2026h\r\x1b[K\r\x1b[1A\r\x1b[K\r\x1b[1A";
    let runs = "\r\n\x1b[0m\x1b[7m\x1b[33m\x1b[1m RUNS \x1b[22m\x1b[39m\x1b[27m\x1b[0m a.test.js\r\n\x1b[?2026l";
    let mut run = Run::on_terminal(24, 80);
    run.write("Determining test suites to run...\x1b[999D\x1b[K\x1b[?2026h\r\n\x1b[?2026l");
    run.write(&format!("\x1b[?2026h\r\x1b[K\r\x1b[1A{runs}"));
    for _ in 0..20 {
        run.write(erase);
        run.write(runs);
        run.keep_writing();
    }
    run.write(&format!(
        "{erase}\x1b[0m\x1b[7m\x1b[1m\x1b[32m PASS \x1b[39m\x1b[22m\x1b[27m\x1b[0m a.test.js\r\n{runs}"
    ));
    run.write(&format!("{erase}\x1b[?2026l\r\nTests: 1 passed\r\n"));

    assert_eq!(
        run.end(),
        ["\x1b[1;7;33m RUNS \x1b[0m a.test.js", "\x1b[1;7;32m PASS \x1b[0m a.test.js", "Tests: 1 passed"]
    );
}

#[test]
fn s7_6_log_update_and_cli_progress_show_the_last_frame() {
    let mut run = Run::on_terminal(24, 80);
    for number in 0..10 {
        let erase = if number == 0 { "" } else { "\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G" };
        run.write("\x1b[?25l");
        run.write(&format!("\x1b[?2026h{erase}Frame {number}\r\n  second row\r\n\x1b[?2026l"));
    }
    run.write("\x1b[?25hdone\n");
    assert_eq!(run.end(), ["Frame 9", "  second row", "done"]);

    let mut run = Run::on_terminal(24, 200);
    run.write("\x1b[?7l\x1b[1G");
    for number in 0..10 {
        let up = if number == 0 { "" } else { "\x1b[1A\x1b[1G" };
        run.write(&format!("{up}\x1b[1G {number}0% a\x1b[0K\r\n\x1b[1G {number}0% b\x1b[0K"));
    }
    run.write("\x1b[?7h\r\nbye\r\n");
    // The first row was shown before the program redrew it.
    assert_eq!(run.end(), [" 00% a", " 90% a", " 90% b", "bye"]);
}

#[test]
fn s7_6_tsx_watch_shows_no_empty_line_and_no_continuation_mark() {
    let mut run = Run::on_terminal(24, 80);
    run.write("\x1bc");
    run.pause();
    run.write("\x1b[0m");
    run.pause();
    run.write("listening\n");
    run.pause();

    assert_eq!(run.take(), ["listening"]);
}

#[test]
fn s7_6_a_full_screen_program_is_not_shown_and_is_reported_once() {
    let mut run = Run::on_terminal(24, 80);
    run.write("before\n");
    assert!(!run.lines.entered_alternate_screen());
    run.write("\x1b[?1049h\x1b[H\x1b[2Jshreds\n");
    run.write("\x1b[5;5Hmore\x1b[?25");
    assert!(run.lines.entered_alternate_screen() && !run.lines.entered_alternate_screen());
    run.pause();
    run.write("h\x1b[?1049lafter\n");

    assert_eq!(run.take(), ["before", "after"]);
}

#[test]
fn s7_6_a_program_that_ends_on_its_alternate_screen_shows_its_last_frame() {
    let mut run = Run::on_terminal(24, 80);
    run.write("before\n\x1b[?1049h\x1b[?7l\x1b[H\x1b[2Jframe 1\x1b[H\x1b[2Jframe 2");
    run.pause();
    run.write("\x1b[3;1Hpanicked at main.rs:7\r\n");

    assert_eq!(run.end(), ["before", "frame 2", "panicked at main.rs:7"]);
}

#[test]
fn s7_6_a_row_inserted_into_a_wrapped_line_is_a_separate_line() {
    let mut run = Run::on_terminal(5, 12);
    run.write("abcdefghijklmn\x1b[2;1H\x1b[Lnew");
    run.pause();

    assert_eq!(run.take(), ["abcdefghijkl", "new", "mn"]);
}

#[test]
fn s7_6_rows_that_scroll_below_a_wrapped_line_stay_apart_from_it() {
    let mut run = Run::on_terminal(5, 12);
    run.write("abcdefghijklmn\x1b[2;3r\x1b[3;1Hone\r\ntwo");
    run.pause();

    assert_eq!(run.take(), ["abcdefghijklmn", "one", "two"]);
}

#[test]
fn s7_6_lines_above_a_progress_bar_are_shown_in_order() {
    // apt: the last row is outside the margins.
    let mut run = Run::on_terminal(5, 80);
    run.write("start\n\n\x1b7\x1b[0;4r\x1b8\x1b[1A");
    for number in 0..6 {
        run.write(&format!("\x1b7\x1b[5;0f\x1b[42mProgress {number}0%\x1b[0m\x1b[K\x1b8"));
        run.write(&format!("line {number}\n"));
    }
    run.write("\n\x1b7\x1b[0;5r\x1b8\x1b[1A\x1b[J");

    let lines: Vec<String> = run.end().into_iter().filter(|line| line.starts_with("line")).collect();
    assert_eq!(lines, ["line 0", "line 1", "line 2", "line 3", "line 4", "line 5"]);
}
