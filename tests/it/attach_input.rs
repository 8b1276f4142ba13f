//! A dyno that waits for someone to type says so, once, and only if no client is attached (S10.5).

use crate::attach::{DETACH, attach, printed};
use crate::detached::stop;
use crate::harness::{App, Ended, Running};

const WAITS: &str = "system | app.1 is waiting for input: type `dyno attach app.1`\n";

fn in_background(app: &App) -> Running {
    let mut start = app.dyno(["start", "--detach", "--color", "never", "--no-timestamps"]).spawn();
    start.returned().expect_end(Ended::Code(0));
    start
}

/// How often the log says that the dyno waits.
fn times(app: &App) -> usize {
    app.dyno(["logs"]).run().stdout().replace(char::is_numeric, "1").matches(WAITS.trim_end()).count()
}

#[test]
fn s10_5_a_dyno_that_waits_for_a_line_is_reported_once_per_run() {
    let app =
        App::new("app: ./app\n").script("app", "while printf 'name? '; do read -r name; echo \"hi $name\"; done\n");
    let start = in_background(&app);
    start.until("the log says so", || times(&app) == 1);

    let client = app.dyno(["attach", "app"]).spawn_in_terminal();
    client.until_shown("name?");
    client.terminal().type_keys(b"ann\r");
    client.until_shown("hi ann\r\nname? ");
    start.until("the prompt is in the log", || app.dyno(["logs"]).run().stdout().matches("| name? ").count() == 2);
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));
    assert_eq!(times(&app), 1);

    app.dyno(["restart", "app", "-t", "0"]).run().expect_end(Ended::Code(0));
    start.until("the log says so again", || times(&app) == 2);
    stop(&app, &start);
}

#[test]
fn s10_5_a_program_that_reads_single_keys_is_reported() {
    let app =
        App::new("app: ./app\n").script("app", "stty -icanon -echo\nprintf '> '\nread -r _ <never\n").fifo("never");
    let start = in_background(&app);

    start.until("the log says so", || times(&app) == 1);

    stop(&app, &start);
}

#[test]
fn s10_5_a_program_that_hides_what_is_typed_is_reported() {
    let app = App::new("app: ./app\n").script("app", "stty -echo\nprintf 'Password: '\nexec sleep 1000\n");
    let start = in_background(&app);

    start.until("the log says so", || times(&app) == 1);

    stop(&app, &start);
}

#[test]
fn s10_5_a_dyno_that_only_has_a_terminal_is_not_reported() {
    // The first two do not read it. The third reads it, but asks for nothing.
    let app = App::new("app: ./app\nlines: ./lines\ncat: echo ready; cat\nasks: ./asks\n")
        .script("app", "printf 'Compiling ... '; read -r _ <never\n")
        .script("lines", "echo ready; read -r _ <never\n")
        .script("asks", "printf '? '; read -r _\n")
        .fifo("never");
    let start = in_background(&app);
    let log = || app.dyno(["logs"]).run().stdout();

    // The lines of all dynos are there, and one that waits was found.
    start.until("the other dynos are silent", || {
        let log = log();
        log.contains("| Compiling ... ") && log.matches("| ready").count() == 2 && log.contains("asks.1 is waiting")
    });

    assert_eq!(log().matches("is waiting for input").count(), 1, "{}", log());
    stop(&app, &start);
}

/// Asks twice where the cursor is; the second time after a line was typed.
const ASKS_ITS_TERMINAL: &str = "ask() {\n  stty -icanon -echo\n  printf '\\033[6n'\n  \
    printf 'at %s\\n' \"$(dd bs=1 count=6 2>/dev/null | tr '\\033' '^')\"\n  stty sane\n}\n\
    printf 'one\\ntwo'\nask\nprintf 'again? '\nread -r _\nask\nprintf 'done? '\nread -r _\n";

#[test]
fn s10_5_a_dyno_without_a_client_learns_where_its_cursor_is() {
    let app = App::new("app: ./app\n").script("app", ASKS_ITS_TERMINAL);
    let start = in_background(&app);
    start.until("it asks again", || printed(&app) == "one\ntwoat ^[2;4R\nagain?\n");

    let client = attach(&app, &[], "again?");
    client.terminal().type_keys(b"\r");
    client.until_shown("\x1b[6n");
    // The terminal of the client answers, and `dyno` does not.
    client.terminal().type_keys(b"\x1b[9;7R");
    client.until_shown("at ^[9;7R");

    client.until_shown("done?");
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_a_program_that_waits_on_a_full_screen_is_not_reported() {
    let draws = "stty -echo\nprintf '\\033[?1049h\\033[2J\\033[1;1Hmenu: '\nread -r _\n";
    let app = App::new("app: ./app\nasks: ./asks\n")
        .script("app", draws)
        .script("asks", "read -r _ <go\nprintf '? '; read -r _\n")
        .fifo("go");
    let start = in_background(&app);
    start.until("it is drawn", || printed(&app) == "menu:\n");

    app.release("go");

    let log = || app.dyno(["logs"]).run().stdout();
    start.until("a later one was found", || log().contains("asks.1 is waiting"));
    assert_eq!(log().matches("is waiting for input").count(), 1, "{}", log());
    stop(&app, &start);
}
