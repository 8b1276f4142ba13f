//! What a new user meets in the first hour with `start`: how it ends, what is missing, and who gets the keyboard.

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Finished, without_times_and_pids};

/// The log from the first exit on: dynos start in no fixed order.
fn end_of(finished: &Finished) -> String {
    end(&finished.stdout())
}

fn end(stdout: &str) -> String {
    let (before, _) = stdout.split_once("exited with").unwrap_or((stdout, ""));
    stdout[before.rfind('\n').map_or(0, |at| at + 1)..].to_owned()
}

/// The same text with `N` for the seconds until SIGKILL: the timer may be late.
fn without_seconds(text: &str) -> String {
    let Some((before, after)) = text.split_once("SIGKILL in ") else { return text.to_owned() };
    format!("{before}SIGKILL in N{}", after.trim_start_matches(|char: char| char.is_ascii_digit()))
}

fn web_that_exits(how: &str) -> App {
    App::new(&format!("web: read -r _ <go; {how}\nworker: echo up; exec sleep 1000\n")).fifo("go")
}

#[test]
fn s6_3_the_dyno_that_stops_the_others_is_named_with_a_hint() {
    let any = "`--can-die web=any`";
    let with_0 = "`--can-die web`";
    for (how, status, hint) in [("exit 3", 3, any), ("exit 0", 0, with_0)] {
        let app = web_that_exits(how);
        let dyno = app.dyno(["start"]).spawn();
        dyno.until_shown("| up\n");
        app.release("go");

        let finished = dyno.finish();

        finished.expect_end(Ended::Code(status));
        let end = format!(
            "TIME web.1    | exited with code {status}\n\
             TIME system   | web.1 exited first (code {status}): stopping the others\n\
             TIME system   | hint: {hint} or `--restart` keeps the others up\n\
             TIME system   | sending SIGTERM to all processes\n\
             TIME worker.1 | terminated by SIGTERM\n"
        );
        assert_eq!((end_of(&finished), finished.stderr().as_str()), (end, ""));
    }
}

#[test]
fn s6_3_called_as_foreman_the_log_suggests_no_option_of_dyno() {
    let app = web_that_exits("exit 3");
    let foreman = app.path("foreman");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dyno"), &foreman).unwrap();
    let dyno = app.dyno(["start"]).program(&foreman).spawn();
    dyno.until_shown("| up\n");
    app.release("go");

    let finished = dyno.finish();

    let end = "TIME web.1    | exited with code 3\n\
               TIME system   | web.1 exited first (code 3): stopping the others\n\
               TIME system   | sending SIGTERM to all processes\n\
               TIME worker.1 | terminated by SIGTERM\n";
    assert_eq!(end_of(&finished), end);
}

#[test]
fn s6_6_during_the_grace_period_the_log_names_the_dynos_that_still_run() {
    let app = App::new("web: ./web\nworker: ./worker\n")
        .script("web", "echo up; read -r _ <go; exit 3\n")
        .script("worker", "trap '' TERM; echo up; read -r _ <never\n")
        .fifo("go")
        .fifo("never");
    let args = ["start", "-t", "600", "--color", "never", "--pty", "never"];
    let dyno = app.dyno(args).spawn_in_terminal();
    dyno.until("both are up", || dyno.stdout.text().matches("| up").count() == 2);
    app.release("go");
    dyno.until_shown("waiting for");
    dyno.terminal().type_keys(b"\x03");

    let finished = dyno.finish();

    finished.expect_end(Ended::Code(3));
    // What the terminal shows: `^C` is covered by the line after it.
    let shown = String::from_utf8_lossy(&finished.stdout).replace("^C\r", "").replace("\r\n", "\n");
    let end = end(&without_times_and_pids(shown.as_bytes()));
    let expected = "TIME web.1    | exited with code 3\n\
                    TIME system   | web.1 exited first (code 3): stopping the others; press Ctrl-C to kill them\n\
                    TIME system   | hint: `--can-die web=any` or `--restart` keeps the others up\n\
                    TIME system   | sending SIGTERM to all processes\n\
                    TIME system   | sending SIGKILL to all processes\n\
                    TIME worker.1 | terminated by SIGKILL\n";
    assert_eq!(end, expected);
    let waiting = "| waiting for worker.1 to exit; SIGKILL in N seconds; Ctrl-C kills now\n";
    assert!(without_seconds(&shown).contains(waiting), "{shown}");
}

#[test]
fn s6_3_no_dyno_is_shown_as_started_after_the_stop_was_announced() {
    for _ in 0..5 {
        let app = App::new("web: exit 1\nworker: exec sleep 1000\n");

        let finished = app.dyno(["start", "-m", "web=1,worker=20"]).run();

        finished.expect_end(Ended::Code(1));
        let stdout = finished.stdout();
        let (_, after) = stdout.split_once("sending SIGTERM to all processes\n").unwrap();
        assert!(!after.contains("started with pid"), "{stdout}");
    }
}

#[test]
fn s1_7_a_missing_procfile_names_what_exists_instead() {
    let package = r#"{"scripts": {"start": "node server.js", "dev": "vite"}}"#;
    let start_alone = r#"{"scripts": {"start": "node server.js"}}"#;
    let line = "create the Procfile with the line `web: npm";
    let nothing = "create it with one line for each process type, such as `web: npm start`";
    for (app, hint) in [
        (App::empty(), nothing.to_owned()),
        (App::empty().file("procfile", "web: true\n"), "there is `procfile`; `-f procfile` uses it".to_owned()),
        (
            App::empty()
                .file("Procfile.dev", "web: true\n")
                .file("PROCFILE", "web: true\n")
                .file("package.json", package),
            "there are `PROCFILE` and `Procfile.dev`; `-f PROCFILE` uses it".to_owned(),
        ),
        (
            App::empty().file("../Procfile", "web: true\n"),
            "there is `../Procfile`; `-f ../Procfile` uses it".to_owned(),
        ),
        (App::empty().file("package.json", package), format!("package.json has the script `dev`: {line} run dev`")),
        (App::empty().file("package.json", start_alone), format!("package.json has the script `start`: {line} start`")),
        (App::empty().file("package.json", "{\"scripts\": 3}"), nothing.to_owned()),
        (App::empty().file("package.json", "no JSON"), nothing.to_owned()),
    ] {
        let fact = format!("error: no Procfile in {}", app.root().display());
        app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("{fact}\n\nhint: {hint}\n"));
        app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("{fact}\nhint: {hint}\n"));
    }
}

#[test]
fn s1_7_a_procfile_outside_the_root_is_suggested_by_its_path() {
    let app = App::new("web: true\n").file("sub/.keep", "");

    let fact = format!("error: no Procfile in {}/sub", app.root().display());
    let hint = "hint: there is `Procfile`; `-f Procfile` uses it\n";
    app.dyno(["start", "-d", "sub"]).run().expect(Ended::Code(78), "", &format!("{fact}\n\n{hint}"));
}

#[test]
fn s4_4_a_formation_without_dynos_has_nothing_to_start() {
    let app = App::new("web: true\nworker: true\n");
    let fact = "error: nothing to start: every type has quantity 0\n";
    let hint = "hint: give a type a quantity, such as `web=1`\n";

    for args in [&["-m", "web=0"][..], &["-c", "web=0,worker=0"], &["all=0"]] {
        app.dyno(["start"]).args(args).run().expect(Ended::Code(2), "", &format!("{fact}\n{hint}"));
    }
    let excluded = "error: nothing to start: `-x` excludes every type that would run\n\nhint: to run only `web`, write `-x worker`\n";
    app.dyno(["start", "-x", "web,worker"]).run().expect(Ended::Code(2), "", excluded);
}

#[test]
fn s4_5_a_formation_without_dynos_in_dot_foreman_fails_start_and_check() {
    for (text, key) in [("formation: web=0\n", "formation"), ("concurrency: web=0,worker=0\n", "concurrency")] {
        let app = App::new("web: true\nworker: true\n").file(".foreman", text);

        let fact = "error: .foreman:1: nothing to start: every type has quantity 0\n";
        let hint = "hint: give a type a quantity, such as `web=1`\n";
        app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("{fact}\n{hint}"));
        app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("{fact}{hint}"));
        let json: serde_json::Value = serde_json::from_slice(&app.dyno(["check", "--json"]).run().stdout).unwrap();
        let problem = serde_json::json!([{
            "severity": "error", "file": ".foreman", "line": 1, "key": key,
            "message": "nothing to start: every type has quantity 0",
            "hint": "give a type a quantity, such as `web=1`",
        }]);
        assert_eq!(json["problems"], problem);
    }
    // Both keys together run something.
    let app = App::new("web: true\nworker: true\n").file(".foreman", "formation: web=0\nconcurrency: worker=1\n");
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (web, worker)\n", "");
}

/// The messages with their hints, without `error`, `warning` or `note`: how serious one is depends on the command.
fn messages(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().filter(|line| !line.is_empty());
    let severities = ["error: ", "warning: ", "note: "];
    let mut messages: Vec<String> = Vec::new();
    for line in lines {
        match (severities.iter().find_map(|severity| line.strip_prefix(severity)), messages.last_mut()) {
            (None, Some(last)) => last.extend(["\n", line]),
            (text, _) => messages.push(text.unwrap_or(line).to_owned()),
        }
    }
    messages.sort();
    messages
}

#[test]
fn s4_5_start_and_check_say_the_same_about_dot_foreman() {
    for (text, count) in [
        ("port 5000\n", 1),
        ("port: abc\nroot: nowhere\n", 2),
        ("port: 65500\n", 1),
        ("timeout: soon\nprot: 1\n", 2),
        ("port: 1\nport: 5000\napp: x\n", 1),
        ("formation: wbe=1,wbe=1\n", 1),
        ("formation: web=1,web=2\n", 1),
        ("formation: release=1\n", 1),
        ("concurrency: web=1001\n", 1),
        ("env: no.env\n", 1),
        ("procfile: nope\n", 1),
        ("root: Procfile\n", 1),
        ("port:\n", 1),
        ("formation: [web]\n", 1),
    ] {
        let app = App::new("web: true\nworker: true\n").file(".foreman", text);

        let (start, check) = (app.dyno(["start"]).run(), app.dyno(["check"]).run());

        let said = messages(&start.stderr());
        assert_eq!((said.len(), &said), (count, &messages(&check.stderr())), "{text}");
        let has_failed = start.stderr().contains("error: ");
        assert_eq!(start.ended == Ended::Code(78), has_failed, "{text}");
        assert!(!has_failed || check.ended == Ended::Code(78), "{text}");
    }
}

#[test]
fn s6_8_a_debugger_prompt_points_to_focus_once() {
    let app = App::new("web: ./web\n")
        .script("web", "printf '(Pdb) '; read -r _ <go; printf 'n\\n(Pdb) '; read -r _ <end\n")
        .fifo("go")
        .fifo("end");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("to use it\n");
    app.release("go");
    dyno.until("the second prompt is shown", || dyno.stdout.text().matches("(Pdb) \n").count() == 2);
    app.release("end");

    let stdout = "TIME web.1  | started with pid PID\n\
                  TIME web.1  | (Pdb) \n\
                  TIME system | web.1 waits at a debugger prompt: add `--focus web` to use it\n\
                  TIME web.1  > n\n\
                  TIME web.1  | (Pdb) \n\
                  TIME web.1  | exited with code 0\n";
    dyno.finish().expect(Ended::Code(0), stdout, "");
}

#[test]
fn s6_8_a_debugger_prompt_on_a_terminal_is_recognised_after_its_sequences() {
    let app = App::new("web: ./web\n")
        .script("web", "printf '\\033[?2004h\\033[1G\\033[0Kirb(main):001> '; read -r _ <end\n")
        .fifo("end");
    let dyno = app.dyno(["start", "--color", "never"]).spawn_in_terminal();
    dyno.until_shown("to use it");
    app.release("end");

    let finished = dyno.finish();

    let shown = without_times_and_pids(&finished.stdout).replace("\r\n", "\n");
    let prompt = "TIME web.1  | irb(main):001>\n\
                  TIME system | web.1 waits at a debugger prompt: add `--focus web` to use it\n";
    assert!(shown.contains(prompt), "{shown}");
}

#[test]
fn s6_8_the_dyno_with_focus_gets_no_hint_about_its_prompt() {
    let app = App::new("web: ./web\n").script("web", "printf '(Pdb) '; read -r _ <end; exit 3\n").fifo("end");
    let dyno = app.dyno(["start", "--focus", "web"]).spawn();
    dyno.until_shown("(Pdb) ");
    app.release("end");

    let stdout = "TIME web.1  | started with pid PID\n(Pdb) \nTIME web.1  | exited with code 3\n";
    dyno.finish().expect(Ended::Code(3), stdout, "");
}

const KEYS: &str = "\
Keyboard and signals:
  Ctrl-C, TERM, HUP    stops every dyno; a second one kills
  Ctrl-\\, QUIT         kills every dyno at once
  Ctrl-Z, TSTP         pauses the dynos and all time limits; `fg` continues
  USR1, USR2           are passed on to the dynos
  --focus: Ctrl-C      goes to the dyno; twice stops all, three times kills
  --focus: other keys  go to the dyno, including Ctrl-Z and Ctrl-\\

Examples:
  dyno start ";

#[test]
fn s13_3_help_start_lists_keys_signals_and_every_option() {
    let app = App::empty();

    let help = app.dyno(["help", "start"]).run().stdout();

    assert!(help.contains(KEYS), "{help}");
    for option in [
        "      --focus <TYPE[.N]>\n",
        "  -c, --concurrency <web=2>\n",
        "  -d, --root <DIR>\n",
        "      --log-dir <DIR>\n",
    ] {
        assert!(help.contains(option), "{option}{help}");
    }
    let screen = app.dyno(["start", "--help"]).run().stdout();
    assert!(!screen.contains("Keyboard"), "{screen}");
}

#[test]
fn s13_3_the_manual_explains_keys_and_signals() {
    let app = App::empty();
    let section = ".SH \"KEYBOARD AND SIGNALS\"\n\
                   .TP\n\\fBCtrl\\-C, TERM, HUP\\fR\nstops every dyno; a second one kills\n\
                   .TP\n\\fBCtrl\\-\\\\, QUIT\\fR\nkills every dyno at once\n\
                   .TP\n\\fBCtrl\\-Z, TSTP\\fR\npauses the dynos and all time limits; `fg` continues\n\
                   .TP\n\\fBUSR1, USR2\\fR\nare passed on to the dynos\n\
                   .TP\n\\fB\\-\\-focus: Ctrl\\-C\\fR\n\
                   goes to the dyno; twice stops all, three times kills\n\
                   .TP\n\\fB\\-\\-focus: other keys\\fR\ngo to the dyno, including Ctrl\\-Z and Ctrl\\-\\\\\n";

    for args in [&["man"][..], &["man", "start"]] {
        let page = app.dyno([]).args(args).run().stdout();
        assert!(page.contains(section), "{page}");
    }
    let other = app.dyno(["man", "check"]).run().stdout();
    assert!(!other.contains("KEYBOARD"), "{other}");
}

#[test]
fn s12_1_a_stop_by_a_signal_names_no_culprit() {
    let app = App::new("web: ./web\n").script("web", "trap 'exit 0' TERM; echo up; sleep 1000 & wait\n");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("| up\n");
    dyno.signal(Signal::SIGTERM);

    let stdout = "TIME web.1  | started with pid PID\n\
                  TIME web.1  | up\n\
                  TIME system | SIGTERM received, starting shutdown\n\
                  TIME system | sending SIGTERM to all processes\n\
                  TIME web.1  | exited with code 0\n";
    dyno.finish().expect(Ended::Signal(Signal::SIGTERM), stdout, "");
}
