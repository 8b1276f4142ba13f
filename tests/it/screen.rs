//! Programs that draw on their terminal: `dyno` shows each line as the terminal would leave it (S7.2, S7.6, S6.8).
//!
//! The bytes were recorded from the real tools and shortened. The apps have no `web`: if another program used port
//! 5000, a warning would change the output.

use nix::sys::signal::Signal;

use crate::harness::{App, Call, Ended, without_times_and_pids};

/// The rows and columns of a narrow and of a wide terminal.
const SIZES: [(u16, u16); 2] = [(24, 80), (24, 200)];

/// An app that writes these bytes at once.
fn app_that_writes(bytes: &str) -> App {
    App::new("app: cat bytes\n").file("bytes", bytes)
}

fn start(app: &App) -> Call {
    app.dyno(["start", "--no-timestamps", "--color", "never", "-t", "1"])
}

/// The lines of `app.1`, without the notices about its start and its exit.
fn lines_of_app(shown: &[u8]) -> Vec<String> {
    let text = without_times_and_pids(shown).replace("\r\n", "\n");
    let lines = text.lines().filter_map(|line| line.strip_prefix("app.1  | ").or(line.strip_prefix("app.1  > ")));
    lines
        .filter(|line| !line.starts_with("started with") && !line.starts_with("exited with"))
        .map(str::to_owned)
        .collect()
}

/// Asserts that these bytes are shown as these lines, in a narrow and in a wide terminal.
#[track_caller]
fn expect(bytes: &str, lines: &[&str]) {
    for (rows, columns) in SIZES {
        let app = app_that_writes(bytes);

        let finished = start(&app).spawn_in_terminal_of(rows, columns).finish();

        assert_eq!(lines_of_app(&finished.stdout), lines, "{columns} columns");
    }
}

#[test]
fn s7_2_without_a_prefix_a_colour_ends_with_its_line_and_comes_back() {
    let app = app_that_writes("\u{1b}[31mred\nstill red\n");

    let finished = start(&app).args(&["--no-prefix"]).spawn_in_terminal().finish();

    let shown = String::from_utf8_lossy(&finished.stdout).into_owned();
    let lines = "\u{1b}[31mred\u{1b}[0m\r\n\u{1b}[31mstill red\u{1b}[0m\r\nexited with code 0\r\n";
    assert!(shown.ends_with(lines), "{shown:?}");
}

#[test]
fn s7_6_vite_shows_no_blank_lines_before_it_clears_the_screen() {
    let blank = "\r\n".repeat(22);
    let page = "\x1b[1;1H\x1b[0J\r\n  \x1b[32m\x1b[1mVITE\x1b[22m v8\x1b[39m  ready\r\n\r\n  press h\r\n";
    expect(
        &format!("> vite\n{blank}{page}"),
        &["> vite", "", "  \x1b[1;32mVITE\x1b[0;32m v8\x1b[0m  ready\x1b[0m", "", "  press h"],
    );
}

#[test]
fn s7_6_blank_lines_before_tsc_clears_the_screen_are_dropped() {
    expect(
        "> tsc -w\n\n\n\x1b[2J\x1b[3J\x1b[H[12:00] Starting\r\n\r\n[12:01] Found 0 errors.\r\n\r\n",
        &["> tsc -w", "[12:00] Starting", "", "[12:01] Found 0 errors.", ""],
    );
}

#[test]
fn s7_6_spinners_of_ora_npm_and_readline_are_one_line() {
    expect(
        "\x1b[?25l\x1b[?2026h\x1b[1G⠋ Loading\x1b[?2026l\x1b[?2026h\x1b[1G\x1b[0K⠙ Loading\x1b[?2026l\
         \x1b[?2026h\x1b[1G\x1b[0K\x1b[?2026l\x1b[?25h✔ Loaded\n",
        &["✔ Loaded"],
    );
    expect("\x1b[1G\x1b[0K⠋\x1b[1G\x1b[0K⠙\x1b[1G\x1b[0K⠹\x1b[1G\x1b[0K\nadded 3 packages\n", &["added 3 packages"]);
    expect("\x1b[2K\x1b[1G| busy\x1b[2K\x1b[1G/ busy\x1b[2K\x1b[1Gdone\n", &["done"]);
}

#[test]
fn s7_6_a_backspace_spinner_is_one_line() {
    expect("Loading |\x08/\x08-\x08\\\x08 \x08\nok\n", &["Loading", "ok"]);
}

#[test]
fn s7_6_only_the_last_frame_of_rich_and_log_update_is_shown() {
    expect(
        "\x1b[?25l┏━━━┓\r\n┃ 0 ┃\r\n┗━━━┛\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K┏━━━┓\r\n┃ 1 ┃\r\n┗━━━┛\r\n\x1b[?25hend\n",
        &["┏━━━┓", "┃ 1 ┃", "┗━━━┛", "end"],
    );
    expect(
        "first\n\x1b[?25l\x1b[?2026hFrame 0\r\n  row\r\n\x1b[?2026l\x1b[?25l\
         \x1b[?2026h\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[GFrame 1\r\n  row\r\n\x1b[?2026l\x1b[?25hdone\n",
        &["first", "Frame 1", "  row", "done"],
    );
}

#[test]
fn s7_6_jest_and_vitest_show_each_row_once() {
    let erase = "\x1b[?2026h\r\x1b[K\r\x1b[1A\r\x1b[K\r\x1b[1A";
    let runs = "\r\n RUNS  a.test.js\r\n\x1b[?2026l";
    let frames = [erase, runs].concat().repeat(5);
    expect(
        &format!(
            "Determining\x1b[?2026h\x1b[999D\x1b[K\r\n\x1b[?2026l\x1b[?2026h\r\x1b[K\r\x1b[1A{runs}{frames}\
             {erase} PASS  a.test.js\r\n{runs}{erase}\x1b[?2026lTests: 1 passed\r\n"
        ),
        &[" PASS  a.test.js", "Tests: 1 passed"],
    );
    let up = "\x1b[K\x1b[1A\x1b[K\x1b[1A\x1b[K";
    expect(
        &format!(
            "\x1b[?25l ❯ a.test.js\r\n Tests 0\r\n{up} ❯ a.test.js\r\n Tests 1\r\n{up} ✓ a.test.js\r\n Tests 2\r\n\x1b[?25h"
        ),
        &[" ✓ a.test.js", " Tests 2"],
    );
}

#[test]
fn s7_6_bars_of_cli_progress_are_shown_in_their_final_state() {
    expect(
        "\x1b[?25l\x1b[?7l\x1b[1G 00% a\x1b[0K\r\n\x1b[1G 00% b\x1b[0K\x1b[1A\x1b[1G 50% a\x1b[0K\r\n\x1b[1G 50% b\x1b[0K\
         \x1b[?7h\x1b[?25h\r\nbye\r\n",
        &[" 50% a", " 50% b", "bye"],
    );
}

#[test]
fn s7_6_an_erased_line_is_not_shown_and_columns_keep_their_distance() {
    expect("100%\r\x1b[Kdone\nleft\x1b[10Gright\n100%\r\x1b[K", &["done", "left     right"]);
}

#[test]
fn s7_2_a_colour_that_spans_lines_is_repeated_on_each() {
    expect("\x1b[31mred\nalso red\x1b[0m\nplain\n", &["\x1b[31mred\x1b[0m", "\x1b[31malso red\x1b[0m", "plain"]);
}

#[test]
fn s7_6_blanks_at_the_end_of_a_line_are_not_shown() {
    // Like the logo of redis, whose rows are all equally long. These would wrap in both terminals.
    let blanks = " ".repeat(210);
    expect(&format!("   _._{blanks}\n_.-``__{blanks}\nready\n"), &["   _._", "_.-``__", "ready"]);
    expect(&format!("busy\r   _._{blanks}\n_.-``__{blanks}\nready\n"), &["   _._", "_.-``__", "ready"]);
}

#[test]
fn s7_6_a_piece_without_a_visible_character_shows_nothing() {
    for (rows, columns) in SIZES {
        let script = "printf '\\033c\\033[0m '\nread -r _ <go\necho up\n";
        let app = App::new("app: ./app\n").fifo("go").script("app", script);
        let dyno = start(&app).spawn_in_terminal_of(rows, columns);

        dyno.until("app.1 waits", || dyno.all_of_dynos(|process| process.state == 'S'));
        app.release("go");

        assert_eq!(lines_of_app(&dyno.finish().stdout), [" up"], "{columns} columns");
    }
}

#[test]
fn s7_6_an_end_without_a_visible_character_shows_nothing() {
    expect("\x1b[31mred\nup\n\x1b[0m", &["\x1b[31mred\x1b[0m", "\x1b[31mup\x1b[0m"]);
    expect("up\n  \x1b[?25", &["up"]);
}

#[test]
fn s7_6_redrawn_rows_are_shown_when_the_program_pauses() {
    let script = "printf '\\033[?25lstep 1\\n'\nread -r _ <go\nprintf '\\033[1Astep 2\\033[K\\n'\nread -r _ <end\n";
    let app = App::new("app: ./app\n").fifo("go").fifo("end").script("app", script);
    let dyno = start(&app).spawn_in_terminal();

    dyno.until_shown("app.1  | step 1\r\n");
    app.release("go");
    dyno.until_shown("app.1  | step 2\r\n");
    app.release("end");

    assert_eq!(lines_of_app(&dyno.finish().stdout), ["step 1", "step 2"]);
}

#[test]
fn s7_6_a_carriage_return_from_a_pipe_does_not_overwrite_the_prefix() {
    for (rows, columns) in SIZES {
        let app = app_that_writes("10%\r50%\r100%\nnext\n");

        let finished = start(&app).args(&["--pty", "never"]).spawn_in_terminal_of(rows, columns).finish();

        assert_eq!(lines_of_app(&finished.stdout), ["100%", "next"], "{columns} columns");
        assert!(!without_times_and_pids(&finished.stdout).replace("\r\n", "").contains('\r'), "{columns} columns");
    }
}

#[test]
fn s7_5_the_log_directory_has_all_bytes_that_a_program_drew() {
    let bytes = "10%\r20%\n\x1b[2J\x1b[Hpage\n\n\x1b[1A\x1b[Kend\n";
    let app = app_that_writes(bytes);

    let finished = start(&app).args(&["--log-dir", "log"]).spawn_in_terminal().finish();

    let log = std::fs::read_to_string(app.path("log/app.1.log")).unwrap();
    let kept: String = log.split_inclusive('\n').filter_map(|line| line.strip_prefix("app.1  | ")).collect();
    let (_, kept) = kept.split_once("PID\n").unwrap_or(kept.split_once('\n').unwrap());
    assert_eq!(kept, format!("{bytes}exited with code 0\n"));
    assert_eq!(lines_of_app(&finished.stdout), ["20%", "page", "end"]);
}

#[test]
fn s7_6_a_full_screen_program_is_reported_once_with_a_hint_to_attach() {
    let app = app_that_writes(
        "before\n\x1b[?1049h\x1b[H\x1b[2Jshreds\x1b[5;5Hmore\x1b[?1049l\x1b[?1049hagain\x1b[?1049lafter\n",
    );

    for (rows, columns) in SIZES {
        let finished = start(&app).spawn_in_terminal_of(rows, columns).finish();

        assert_eq!(lines_of_app(&finished.stdout), ["before", "after"], "{columns} columns");
        let shown = without_times_and_pids(&finished.stdout);
        let notice = "system | app.1 draws a full screen: type `dyno attach app.1`\r\n";
        assert_eq!(shown.matches(notice).count(), 1, "{columns} columns: {shown}");
    }
}

#[test]
fn s7_6_a_full_screen_from_a_pipe_is_reported_once_with_focus() {
    let app = app_that_writes("before\n\x1b[?1049h\x1b[H\x1b[2Jshreds\n\x1b[?1049l\x1b[?1049hagain\x1b[?1049l\n");

    for (rows, columns) in SIZES {
        let finished = start(&app).args(&["--pty", "never"]).spawn_in_terminal_of(rows, columns).finish();

        assert_eq!(lines_of_app(&finished.stdout), ["before", "shreds", "again"], "{columns} columns");
        let shown = without_times_and_pids(&finished.stdout);
        let notice = "system | app.1 draws a full screen: add `--focus app` to use it\r\n";
        assert_eq!(shown.matches(notice).count(), 1, "{columns} columns: {shown}");
    }
}

#[test]
fn s6_8_other_dynos_lines_wait_for_a_focused_full_screen_program() {
    let draw = "echo ready\nread -r _ <go\nprintf '\\033[?1049hscreen'\nread -r _ <leave\n\
                printf 'more\\033[?1049l'\nread -r _ <end\n";
    let work = "echo up\nread -r _ <job\necho job done\nread -r _ <never\n";
    let app = App::new("app: ./app\nworker: ./worker\n").script("app", draw).script("worker", work);
    let app = app.fifo("go").fifo("leave").fifo("end").fifo("job").fifo("never");
    let dyno = app
        .dyno(["start", "--focus", "app", "--no-timestamps", "--color", "never", "-t", "1", "--log-dir", "log"])
        .spawn_in_terminal();
    dyno.until_shown("worker.1 | up");
    app.release("go");
    dyno.until_shown("screen");

    app.release("job");
    dyno.until("the log file has the line", || {
        std::fs::read_to_string(app.path("log/worker.1.log")).unwrap().contains("job done")
    });
    app.release("leave");
    dyno.until_shown("job done");
    app.release("end");

    let finished = dyno.finish();
    let shown = without_times_and_pids(&finished.stdout);
    assert!(shown.contains("\x1b[?1049hscreenmore\x1b[?1049lworker.1 | job done\r\n"), "{shown:?}");
}

#[test]
fn s6_8_the_screen_is_restored_when_a_focused_program_is_killed() {
    let draw = "echo ready\nprintf '\\033[?1049hscreen'\nkill -9 $$\n";
    let app = App::new("app: ./app\n").script("app", draw);

    let finished =
        app.dyno(["start", "--focus", "app", "--no-timestamps", "--color", "never"]).spawn_in_terminal().finish();

    let shown = without_times_and_pids(&finished.stdout).replace("\r\r\n", "\r\n");
    assert!(shown.contains("screen\x1b[?1049lapp.1  | terminated by SIGKILL\r\n"), "{shown:?}");
}

#[test]
fn the_next_line_overwrites_the_echo_of_ctrl_c() {
    for (rows, columns) in SIZES {
        let app = App::new("app: echo up; read -r _ <never\n").fifo("never");
        let dyno = start(&app).spawn_in_terminal_of(rows, columns);
        dyno.until_shown("app.1  | up");

        dyno.terminal().type_keys(b"\x03");

        let finished = dyno.finish();
        finished.expect_end(Ended::Signal(Signal::SIGINT));
        let shown = without_times_and_pids(&finished.stdout);
        assert!(shown.contains("^C\rsystem | SIGINT received"), "{columns} columns: {shown:?}");
    }
}

#[test]
fn s7_6_a_pause_inside_a_character_does_not_split_it() {
    let script = "printf 'caf\\303'\nread -r _ <go\nprintf '\\251 au lait\\n'\n";
    for pty in ["never", "always"] {
        let app = App::new("app: ./app\n").fifo("go").script("app", script);
        let dyno = app.dyno(["start", "--log-format", "json", "--pty", pty]).spawn();
        dyno.until_shown("\"message\":\"caf\"");

        app.release("go");

        let finished = dyno.finish();
        let shown = finished.stdout();
        assert!(shown.contains("\"message\":\"\u{e9} au lait\",\"continued\":true"), "{pty}: {shown}");
        assert!(!shown.contains("base64"), "{pty}: {shown}");
    }
}

#[test]
fn s7_6_a_long_line_is_not_cut_inside_a_character() {
    let app = app_that_writes(&("x".to_owned() + &"\u{e9}".repeat(50_000) + "\n"));

    let finished = app.dyno(["start", "--log-format", "json", "--pty", "never"]).run();

    assert!(!finished.stdout().contains("base64"));
    assert_eq!(finished.stdout().matches('\u{e9}').count(), 50_000);
}
