//! What a new user meets in the first hour with `start`: how it ends, what is missing, and who gets the keyboard.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::binary;
use crate::harness::{App, Ended, RARE_PORT, with_fixed_times_and_pids, with_sorted_start, without_times_and_pids};

/// The same line with `N` for the seconds until SIGKILL: the timer may be late.
fn without_seconds(line: &str) -> String {
    let Some((before, after)) = line.split_once("SIGKILL in ") else { return line.to_owned() };
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

        let stdout = format!(
            "TIME web.1    | started with pid PID\n\
             TIME worker.1 | started with pid PID\n\
             TIME worker.1 | up\n\
             TIME web.1    | exited with code {status}\n\
             TIME system   | web.1 exited first (code {status}): stopping the others\n\
             TIME system   | hint: {hint} or `--restart` keeps the others up\n\
             TIME system   | sending SIGTERM to all processes\n\
             TIME worker.1 | terminated by SIGTERM\n"
        );
        finished.expect_end(Ended::Code(status));
        assert_eq!((with_sorted_start(&finished.stdout()), finished.stderr()), (stdout, String::new()));
    }
}

#[test]
fn s6_3_called_as_foreman_the_log_suggests_no_option_of_dyno() {
    let app = web_that_exits("exit 3");
    let foreman = app.path("foreman");
    std::os::unix::fs::symlink(binary::dyno(), &foreman).unwrap();
    let dyno = app.dyno(["start"]).program(&foreman).spawn();
    dyno.until_shown("| up\n");
    app.release("go");

    let finished = dyno.finish();

    let stdout = "TIME web.1    | started with pid PID\n\
                  TIME worker.1 | started with pid PID\n\
                  TIME worker.1 | up\n\
                  TIME web.1    | exited with code 3\n\
                  TIME system   | web.1 exited first (code 3): stopping the others\n\
                  TIME system   | sending SIGTERM to all processes\n\
                  TIME worker.1 | terminated by SIGTERM\n";
    finished.expect_end(Ended::Code(3));
    assert_eq!((with_sorted_start(&finished.stdout()).as_str(), finished.stderr()), (stdout, String::new()));
}

#[test]
fn s6_6_during_the_grace_period_the_log_names_the_dynos_that_still_run() {
    let app = App::new("web: ./web\nworker: ./worker\n")
        .script("web", "echo up; read -r _ <go; exit 3\n")
        .script("worker", "trap '' TERM; echo up; read -r _ <never\n")
        .fifo("go")
        .fifo("never");
    let args = ["start", "-t", "600", "--color", "never", "--pty", "never", "-p", RARE_PORT];
    let dyno = app.dyno(args).spawn_in_terminal();
    dyno.until("both are up", || dyno.stdout.text().matches("| up").count() == 2);
    app.release("go");
    dyno.until_shown("waiting for");
    dyno.terminal().type_keys(b"\x03");

    let finished = dyno.finish();

    finished.expect_end(Ended::Code(3));
    // What the terminal shows: `^C` is covered by the line after it.
    let shown = String::from_utf8_lossy(&finished.stdout).replace("^C\r", "").replace("\r\n", "\n");
    let mut lines: Vec<String> = shown.split_inclusive('\n').map(without_seconds).collect();
    // On a machine that stalls there is another line ten seconds later.
    lines.dedup_by(|a, b| a.contains("| waiting for ") && b.contains("| waiting for "));
    let seen = with_sorted_start(&with_fixed_times_and_pids(lines.iter().map(String::as_str)));
    let expected = "TIME web.1    | started with pid PID\n\
                    TIME web.1    | up\n\
                    TIME worker.1 | started with pid PID\n\
                    TIME worker.1 | up\n\
                    TIME web.1    | exited with code 3\n\
                    TIME system   | web.1 exited first (code 3): stopping the others; press Ctrl-C to kill them\n\
                    TIME system   | hint: `--can-die web=any` or `--restart` keeps the others up\n\
                    TIME system   | sending SIGTERM to all processes\n\
                    TIME system   | waiting for worker.1 to exit; SIGKILL in N seconds; Ctrl-C kills now\n\
                    TIME system   | sending SIGKILL to all processes\n\
                    TIME worker.1 | terminated by SIGKILL\n";
    assert_eq!(seen, expected);
}

#[test]
fn s6_3_no_dyno_is_shown_as_started_after_the_stop_was_announced() {
    for _ in 0..5 {
        let app = App::new("web: exit 1\nworker: exec sleep 1000\n");

        let finished = app.dyno(["start", "-m", "web=1,worker=20"]).run();

        finished.expect_end(Ended::Code(1));
        let stdout = finished.stdout();
        let (before, after) = stdout.split_once("TIME system    | sending SIGTERM to all processes\n").unwrap();
        let (started, end) = before.split_at(before.find("TIME web.1     | exited").unwrap());
        let expected = "TIME web.1     | exited with code 1\n\
                        TIME system    | web.1 exited first (code 1): stopping the others\n\
                        TIME system    | hint: `--can-die web=any` or `--restart` keeps the others up\n";
        assert_eq!(end, expected);
        // How many workers had started by then depends on the machine.
        let lines = |text: &str, end: &str| -> Vec<String> {
            let line = |number: usize| format!("TIME {:9} | {end}\n", format!("worker.{number}"));
            (1..=20).map(line).filter(|line| text.contains(line)).collect()
        };
        let web = "TIME web.1     | started with pid PID\n".to_owned();
        let expected: BTreeSet<String> = lines(started, "started with pid PID").into_iter().chain([web]).collect();
        assert_eq!(started.split_inclusive('\n').map(str::to_owned).collect::<BTreeSet<_>>(), expected);
        let expected: BTreeSet<String> = lines(after, "terminated by SIGTERM").into_iter().collect();
        assert_eq!(after.split_inclusive('\n').map(str::to_owned).collect::<BTreeSet<_>>(), expected);
        assert!(expected.len() >= lines(started, "started with pid PID").len(), "{stdout}");
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

#[test]
fn s4_5_start_and_check_say_the_same_about_dot_foreman() {
    let pair = ("`port 5000` is not `key: value`", "write a line such as `port: 5000`");
    let port = ("`abc` is not a port number from 1 to 65535", "write a line such as `port: 5000`");
    let root = (
        "the directory `nowhere` cannot be used: No such file or directory",
        "remove the line to use the current directory",
    );
    let high = (
        "`worker.1` would get port 65600, but the highest port is 65535",
        "start from a lower port with `-p`, or set a smaller `--port-step`",
    );
    let timeout = (
        "`soon` is not a valid value for `timeout`",
        "write a whole number of seconds from 0 to 86400, as in `timeout: 5`",
    );
    let unknown = ("`prot` has no effect", "did you mean `port`?");
    let twice = ("`port` is set on line 1 and again here; this value is used", "remove one of the lines");
    let no_type = ("the Procfile has no process type `wbe`", "did you mean `web`?");
    let release = (
        "`release` is the release phase and never part of the formation",
        "leave it out: it runs before the formation anyway; `dyno release` runs it alone",
    );
    let many = ("`1001` is too many dynos of `web`: the limit is 1000", "write at most `web=1000`");
    let no_env = ("the file `no.env` does not exist", "check the name, or create the file");
    let no_procfile = ("the Procfile `nope` does not exist", "check the name; there is `Procfile`");
    let file = ("`Procfile` is not a directory", "remove the line to use the current directory");
    let list = ("the value of `formation` uses YAML syntax that is not supported", "write `a, b` for a list");
    let web = ("`web` has more than one quantity; `web=2` is used", "write `web` once");
    let empty = ("`port` has no value and is ignored", "write one, or remove the line");
    for (text, severity, said) in [
        ("port 5000\n", "warning", &[(1, pair)][..]),
        ("port: abc\nroot: nowhere\n", "error", &[(1, port), (2, root)]),
        ("port: 65500\n", "error", &[(1, high)]),
        ("timeout: soon\n", "error", &[(1, timeout)]),
        ("prot: 1\n", "warning", &[(1, unknown)]),
        ("port: 1\nport: 5000\napp: x\n", "warning", &[(2, twice)]),
        ("formation: wbe=1,wbe=1\n", "error", &[(1, no_type)]),
        ("formation: release=1\n", "error", &[(1, release)]),
        ("concurrency: web=1001\n", "error", &[(1, many)]),
        ("env: no.env\n", "error", &[(1, no_env)]),
        ("procfile: nope\n", "error", &[(1, no_procfile)]),
        ("root: Procfile\n", "error", &[(1, file)]),
        ("formation: [web]\n", "error", &[(1, list)]),
        ("port:\n", "warning", &[(1, empty)]),
        ("formation: web=1,web=2\n", "note", &[(1, web)]),
    ] {
        let app = App::new("web: true\nworker: true\n").file(".foreman", text);
        let messages = |severity: &str, blank: &str| -> String {
            let message = |(line, (fact, hint)): &(usize, (&str, &str))| {
                format!("{severity}: .foreman:{line}: {fact}\n{blank}hint: {hint}\n")
            };
            said.iter().map(message).collect()
        };

        let (start, check) = (app.dyno(["start"]).run(), app.dyno(["check"]).run());

        let (of_start, of_check) = match severity {
            "error" => (messages("error", "\n"), messages("error", "")),
            "warning" => (messages("warning", ""), messages("error", "")),
            _ => (messages("warning", ""), messages("note", "")),
        };
        let fails = |condition: bool| Ended::Code(if condition { 78 } else { 0 });
        assert_eq!((start.ended, start.stderr()), (fails(severity == "error"), of_start), "{text}");
        let stdout = if severity == "note" { "valid procfile detected (web, worker)\n" } else { "" };
        check.expect(fails(severity != "note"), stdout, &of_check);
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
    let dyno = app.dyno(["start", "--color", "never", "-p", RARE_PORT]).spawn_in_terminal();
    dyno.until_shown("is waiting for input");
    app.release("end");

    let finished = dyno.finish();

    let shown = without_times_and_pids(&finished.stdout).replace("\r\n", "\n");
    let expected = "TIME web.1  | started with pid PID\n\
                    TIME web.1  | irb(main):001>\n\
                    TIME system | web.1 is waiting for input: type `dyno attach web.1`\n\
                    TIME web.1  | exited with code 0\n";
    assert_eq!((finished.ended, shown.as_str()), (Ended::Code(0), expected));
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

#[test]
fn s12_1_a_stop_by_a_signal_names_no_culprit() {
    // The program below the shell says that it is up: a signal to a child that has not run `exec` yet would be lost.
    let script = "trap 'exit 0' TERM; sh -c 'echo up; exec sleep 1000' & wait\n";
    let app = App::new("web: ./web\n").script("web", script);
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
