//! `dyno logs`: the lines that were kept, those that follow, and what ends it (S10.4).

use std::fs;
use std::io::Read;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary;
use crate::harness::{App, Ended, Finished, Running, error, until};

const TWO: &str =
    "web: echo one; printf '\\033[31mtwo\\033[0m \\377\\n'; exec sleep 1000\nworker: seq 3; exec sleep 1000\n";

/// Starts the app and waits until this text is shown.
fn start<const N: usize>(app: &App, args: [&str; N], shown: &str) -> Running {
    let running = app.dyno(["start"]).args(&args).spawn();
    running.until_shown(shown);
    running
}

/// Starts [`TWO`] and waits for all its lines.
fn start_two<const N: usize>(app: &App, args: [&str; N]) -> Running {
    let running = app.dyno(["start"]).args(&args).spawn();
    running.until("all lines are shown", || running.stdout.text().lines().count() == 7);
    running
}

fn stop(app: &App, running: Running) -> Finished {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish()
}

fn logs(app: &App, args: &[&str]) -> Finished {
    app.dyno(["logs"]).args(args).run()
}

/// The texts of the lines that `dyno logs` prints, without times and names.
fn texts(app: &App, args: &[&str]) -> Vec<String> {
    let shown = logs(app, args);
    shown.expect_end(Ended::Code(0));
    texts_of(&shown.stdout())
}

fn texts_of(log: &str) -> Vec<String> {
    log.lines().map(|line| line.split_once(" | ").map_or(line, |(_, text)| text).to_owned()).collect()
}

/// Follows the log and waits until it shows this text.
fn follow<const N: usize>(app: &App, args: [&str; N], shown: &str) -> Running {
    let client = app.dyno(["logs", "-t"]).args(&args).spawn();
    client.until_shown(shown);
    client
}

#[test]
fn s10_4_lines_look_like_those_of_the_start() {
    for args in [
        &[][..],
        &["--color", "always"],
        &["--no-timestamps"],
        &["--no-prefix"],
        &["--log-format", "heroku"],
        &["--log-format", "json"],
    ] {
        let app = App::new(TWO);
        let running = app.dyno(["start"]).args(args).spawn();
        // The platform has more notices.
        let count = if args.last() == Some(&"heroku") { 9 } else { 7 };
        running.until("all lines are shown", || running.stdout.text().lines().count() == count);

        let color = args.contains(&"always").then_some(["--color", "always"]);
        let shown = logs(&app, color.as_ref().map_or(&[], |color| &color[..]));

        assert_eq!(shown.stdout, running.stdout.bytes(), "{args:?}");
        shown.expect_end(Ended::Code(0));
        stop(&app, running);
    }
}

#[test]
fn s10_4_with_json_each_line_is_an_object() {
    let app = App::new(TWO);
    let running = start_two(&app, []);

    let shown = logs(&app, &["--json", "web", "-n", "1"]).stdout();

    let object: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let fields = ["source", "dyno", "message", "message_base64"].map(|key| object[key].as_str().unwrap().to_owned());
    assert_eq!(fields, ["app", "web.1", "\u{1b}[31mtwo\u{1b}[0m \u{fffd}", "G1szMW10d28bWzBtIP8="]);
    stop(&app, running);
}

#[test]
fn s10_4_names_source_number_and_pattern_narrow_the_lines() {
    let app = App::new(TWO);
    let running = start_two(&app, []);

    assert_eq!(texts(&app, &["worker", "-n", "2"]), ["2", "3"]);
    assert_eq!(texts(&app, &["-d", "worker.1", "--source", "app"]), ["1", "2", "3"]);
    assert_eq!(texts(&app, &["-p", "worker", "--grep", "^[12]$"]), ["1", "2"]);
    assert_eq!(texts(&app, &["worker", "--grep", "[12]", "-n", "1"]), ["2"]);
    // Colours are not part of the text.
    assert_eq!(texts(&app, &["--grep", "^two"]).len(), 1);
    for source in ["dyno", "heroku"] {
        let started = texts(&app, &["-s", source, "web.1", "worker"]);
        assert!(started.len() == 2 && started.iter().all(|text| text.starts_with("started with pid")), "{started:?}");
    }
    assert_eq!(texts(&app, &["-n", "0"]), [""; 0]);
    assert_eq!(texts(&app, &["--since", "1h", "worker", "-s", "app"]), ["1", "2", "3"]);
    assert_eq!(texts(&app, &["--since", "2100-01-01T00:00:00Z"]), [""; 0]);
    stop(&app, running);
}

#[test]
fn s10_4_a_line_that_asks_for_nonsense_is_a_usage_error() {
    let app = App::new(TWO);
    let running = start_two(&app, []);

    for (args, fact, hint) in [
        (["wrker"].as_slice(), "the Procfile has no process type `wrker`", "did you mean `worker`?"),
        (&["web.7"], "there is no dyno `web.7`", "did you mean `web.1`?"),
        (
            &["--since", "soon"],
            "`soon` is neither a time span nor a time",
            "write `5m`, `2h`, `1d` or a time such as `2026-11-23T05:00:00Z`",
        ),
    ] {
        logs(&app, args).expect(Ended::Code(2), "", &error(fact, hint));
    }
    let pattern = logs(&app, &["--grep", "("]);
    pattern.expect_end(Ended::Code(2));
    assert!(pattern.stderr().starts_with("error: `(` is not a regular expression: "), "{}", pattern.stderr());
    logs(&app, &["-s", "router"]).expect_end(Ended::Code(2));
    logs(&app, &["-t", "--json", "web.7"]).expect(
        Ended::Code(2),
        "",
        "{\"id\":\"not_found\",\"message\":\"there is no dyno `web.7`\",\"hint\":\"did you mean `web.1`?\"}\n",
    );
    stop(&app, running);
    logs(&app, &[]).expect_end(Ended::Code(69));
}

#[test]
fn s10_4_dynos_that_are_gone_keep_their_lines() {
    let app = App::new("web: echo line of $DYNO; exec sleep 1000\nbad: echo last words; exit 3\n");
    let running = start(&app, ["-m", "web=2,bad=1", "--can-die", "bad=any"], "exited with code 3");
    running.until_shown("line of web.2");

    app.dyno(["scale", "web=1"]).run().expect_end(Ended::Code(0));
    running.until_shown("web.2  | terminated by SIGTERM");

    assert_eq!(texts(&app, &["web.2", "-s", "app"]), ["line of web.2"]);
    assert_eq!(texts(&app, &["bad", "-s", "app"]), ["last words"]);
    assert!(texts(&app, &["-s", "dyno"]).contains(&"exited with code 3".to_owned()));
    stop(&app, running);
}

#[test]
fn s10_4_quiet_types_are_in_the_history() {
    let app = App::new(TWO);
    let running = start(&app, ["--quiet", "worker"], "one");

    until("the lines were kept", || texts(&app, &["worker", "-s", "app"]) == ["1", "2", "3"]);

    stop(&app, running);
}

#[test]
fn s10_4_history_and_tail_are_one_log_without_gap_or_double_line() {
    let app = App::new("web: i=0; while :; do i=$((i+1)); echo $i; done\nworker: exec sleep 1000\n");
    let running = start(&app, ["--restart"], "web.1    | 5000\n");

    let client = follow(&app, ["-n", "50", "-s", "app", "web"], " | ");
    client.until("thousands of lines follow", || client.stdout.text().lines().count() > 5_000);
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));

    let shown = client.finish();
    shown.expect_end(Ended::Code(0));
    assert_eq!(shown.stderr(), "the app has ended\n");
    // A machine that is very busy may skip lines, but never without a word.
    let mut next = None;
    for text in texts_of(&shown.stdout()) {
        if let Some(skipped) = text.strip_prefix("... ").and_then(|text| text.split(' ').next()) {
            next = next.map(|next| next + skipped.replace(',', "").parse::<u64>().unwrap());
        } else {
            let number: u64 = text.parse().unwrap();
            assert!(next.is_none_or(|next| next == number), "{number} instead of {next:?}");
            next = Some(number + 1);
        }
    }
    running.finish();
}

#[test]
fn s10_4_a_tail_ends_with_the_last_lines_of_the_app() {
    let app = App::new(TWO);
    let running = start_two(&app, []);
    let client = follow(&app, [], "two");

    let ended = stop(&app, running);
    let shown = client.finish();

    shown.expect_end(Ended::Code(0));
    assert_eq!((shown.stdout.clone(), shown.stderr()), (ended.stdout, "the app has ended\n".to_owned()));
}

#[test]
fn s10_4_a_burst_of_short_lines_reaches_a_tail() {
    let app = App::new("web: read -r _ <go; seq 100000; exec sleep 1000\n").fifo("go");
    let running = start(&app, [], "started with pid");
    let client = follow(&app, ["--json"], "started with pid");

    app.release("go");

    let counted = |text: &str| {
        let skipped = |line: &str| {
            let number = line.split_once("\"... ")?.1.split(' ').next()?.replace(',', "");
            number.parse::<usize>().ok()
        };
        text.lines().map(|line| skipped(line).unwrap_or(1)).sum::<usize>()
    };
    client.until("every line arrives or is counted", || counted(&client.stdout.text()) == 100_001);
    stop(&app, running);
    client.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_4_a_client_that_reads_nothing_slows_no_dyno() {
    let app = App::new("web: read -r _ <go; yes a line of some length | head -n 500000; echo end; exec sleep 1000\n");
    let app = app.fifo("go");
    let running = start(&app, [], "started with pid");
    let client = follow(&app, [], "started with pid");
    kill(Pid::from_raw(client.main()), Signal::SIGSTOP).unwrap();

    app.release("go");
    running.until_shown("| end\n");

    kill(Pid::from_raw(client.main()), Signal::SIGCONT).unwrap();
    client.until("the skipped lines are counted, and the last one follows", || {
        let text = client.stdout.text();
        text.contains(" lines skipped\n") && text.ends_with("| end\n")
    });
    stop(&app, running);
    client.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_4_a_stopped_terminal_does_not_hide_lines_from_clients() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let app = App::new("web: seq 30000; echo end; exec sleep 1000\n");
    let running = app.dyno(["start"]).stdout_to(writer).spawn();

    // Stdout holds less than that.
    running.until("the last line was kept", || logs(&app, &["-n", "1"]).stdout().ends_with("| end\n"));

    // It ends with the start, which shows its last lines first.
    let stopping = app.dyno(["stop"]).spawn();
    let mut shown = String::new();
    reader.read_to_string(&mut shown).unwrap();
    stopping.finish().expect_end(Ended::Code(0));
    assert!(shown.contains("| 30000\n"));
    running.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_4_ctrl_c_ends_a_tail_by_its_signal() {
    let app = App::new(TWO);
    let running = start_two(&app, []);
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let client = follow(&app, [], "two");

        client.signal(signal);

        client.finish().expect_end(Ended::Signal(signal));
    }
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_4_a_tail_notices_that_its_reader_has_gone() {
    let app = App::new(TWO);
    let running = start_two(&app, []);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let client = app.dyno(["logs", "-t"]).stdout_to(writer).spawn();

    // No line follows, so no write can fail.
    reader.read_exact(&mut [0; 10]).unwrap();
    drop(reader);

    let ended = client.finish();
    assert_eq!((ended.ended, ended.stderr().as_str()), (Ended::Code(141), ""));
    stop(&app, running);
}

#[test]
fn s10_4_a_tail_reports_that_the_start_was_killed() {
    let app = App::new(TWO);
    let running = start_two(&app, []);
    let client = follow(&app, [], "two");

    running.signal(Signal::SIGKILL);

    let ended = client.finish();
    let fact = "`dyno` (pid PID) has ended unexpectedly: the last lines may be missing";
    let stderr = ended.stderr().replace(&running.main().to_string(), "PID");
    assert_eq!((ended.ended, stderr), (Ended::Code(69), error(fact, "`dyno start` starts it again")));
    running.finish();
}

#[test]
fn s10_4_the_logs_of_several_starts_are_one() {
    let app =
        App::new("web: echo from web; exec sleep 1000\nworker: read -r _ <go; echo from worker; exec sleep 1000\n");
    let app = app.fifo("go");
    let web = start(&app, ["web"], "from web");
    let worker = start(&app, ["worker"], "started with pid");
    let client = follow(&app, ["-s", "app"], "from web");

    app.release("go");
    worker.until_shown("from worker");

    client.until_shown("from worker");
    assert_eq!(texts(&app, &["-s", "app"]), ["from web", "from worker"]);
    assert_eq!(texts(&app, &["-s", "app", "worker"]), ["from worker"]);
    // The width of the names is that of the wider start.
    assert!(logs(&app, &["-s", "app"]).stdout().contains("TIME web.1    | from web\n"));
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    client.finish().expect_end(Ended::Code(0));
    web.finish();
    worker.finish();
}

#[test]
fn s10_4_a_one_off_dyno_and_a_smoke_have_a_log() {
    let app = App::new("worker: echo up; exec sleep 1000\n");
    let bin = binary::dyno();
    let seen = app.path("seen");
    let line = format!("until '{bin}' logs worker | grep -q 'up$'; do :; done; '{bin}' logs >'{}'", seen.display());

    app.dyno(["smoke", "--", "sh", "-c", &line]).run().expect_end(Ended::Code(0));

    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("worker.1 | up\n"), "{seen}");
}
