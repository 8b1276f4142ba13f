//! `dyno start` on an app: what is started, with which environment, and how it ends.

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Finished};

/// The lines that the dynos printed, as `name: text`, sorted.
fn output_of_dynos(finished: &Finished) -> Vec<String> {
    let stdout = finished.stdout();
    let lines = stdout.lines().filter_map(|line| line.strip_prefix("TIME ")?.split_once("| "));
    let notices = ["started with", "exited with", "terminated by"];
    let mut output: Vec<String> = lines
        .filter(|(name, text)| !name.starts_with("system") && !notices.iter().any(|notice| text.starts_with(notice)))
        .map(|(name, text)| format!("{}: {text}", name.trim_end()))
        .collect();
    output.sort();
    output
}

/// Each dyno prints its port and exits.
const THREE: &str = "web: echo $PORT\nworker: echo $PORT\nclock: echo $PORT\n";

fn ports(args: &[&str]) -> Vec<String> {
    let app = App::new(THREE);
    let finished = app.dyno(["start", "--fixed-ports", "--can-die", "web,worker,clock"]).args(args).run();
    finished.expect_end(Ended::Code(0));
    output_of_dynos(&finished)
}

#[test]
fn by_default_one_dyno_of_each_type_runs() {
    assert_eq!(ports(&[]), ["clock.1: 5200", "web.1: 5000", "worker.1: 5100"]);
}

#[test]
fn options_and_arguments_choose_the_formation() {
    // S4.2: a type that is not named gets no dyno with `-m`, and one with `-c`.
    assert_eq!(ports(&["-m", "web=2"]), ["web.1: 5000", "web.2: 5001"]);
    assert_eq!(ports(&["-m", "all=1,web=0"]), ["clock.1: 5200", "worker.1: 5100"]);
    assert_eq!(ports(&["--formation", "web=1, clock=1"]), ["clock.1: 5200", "web.1: 5000"]);
    assert_eq!(ports(&["-c", "web=2"]), ["clock.1: 5200", "web.1: 5000", "web.2: 5001", "worker.1: 5100"]);
    // S4.3: positional arguments; `all=1,web=0` is common in Rails apps.
    assert_eq!(ports(&["worker"]), ["worker.1: 5100"]);
    assert_eq!(ports(&["web=2", "clock"]), ["clock.1: 5200", "web.1: 5000", "web.2: 5001"]);
    assert_eq!(ports(&["all=1,web=0"]), ["clock.1: 5200", "worker.1: 5100"]);
    assert_eq!(ports(&["-x", "web,clock"]), ["worker.1: 5100"]);
}

#[test]
fn ports_follow_the_order_of_the_types_in_the_procfile() {
    // S5.1, S5.2.
    assert_eq!(ports(&["-p", "7000", "worker=2"]), ["worker.1: 7100", "worker.2: 7101"]);
    assert_eq!(ports(&["--port-step", "10", "clock"]), ["clock.1: 5020"]);
    assert_eq!(ports(&["--port-step", "0"]), ["clock.1: 5000", "web.1: 5000", "worker.1: 5000"]);
}

#[test]
fn two_dynos_with_the_same_port_are_refused_before_anything_starts() {
    let app = App::new("web: touch started\nworker: touch started\n");

    let stderr = "error: `web.101` and `worker.1` would both get port 5100\n\n\
                  hint: set a larger `--port-step`, or `--port-step 0` to share one port\n";
    app.dyno(["start", "-m", "web=101,worker=1"]).run().expect(Ended::Code(2), "", stderr);
    assert!(!app.has("started"));
}

#[test]
fn the_base_port_comes_from_the_flag_then_the_env_file_then_the_shell() {
    let app = App::new("web: echo $PORT\n");
    let in_shell = app.dyno(["start"]).env("PORT", "6000").run();
    let app = app.file(".env", "PORT=7000\n");
    let in_file = app.dyno(["start"]).env("PORT", "6000").run();
    let in_flag = app.dyno(["start", "-p", "8000"]).env("PORT", "6000").run();

    assert_eq!(
        [in_shell, in_file, in_flag].map(|finished| output_of_dynos(&finished).concat()),
        ["web.1: 6000", "web.1: 7000", "web.1: 8000"]
    );
}

#[test]
fn env_files_override_the_shell_and_set_overrides_env_files() {
    // S3.1.
    let app = App::new("web: echo $A-$B-$C-$D $DYNO $PS $FOREMAN_WORKER_NAME $HONCHO_PROCESS_NAME $PYTHONUNBUFFERED\n")
        .file(".env", "B=file\nC=file\nD=file\n")
        .file("more.env", "C=more\n");

    let call = app.dyno(["start", "-e", ".env,more.env", "--set", "D=set"]);
    let finished = call.env("A", "shell").env("B", "shell").run();

    assert_eq!(output_of_dynos(&finished), ["web.1: shell-file-more-set web.1 web.1 web.1 web.1 1"]);
}

#[test]
fn inherited_variables_that_are_not_utf_8_are_passed_unchanged() {
    use std::os::unix::ffi::OsStringExt;
    let app = App::new("web: printf '%s\\n' \"$ODD\"\n");

    let odd = std::ffi::OsString::from_vec(b"caf\xe9\xff".to_vec());
    let finished = app.dyno(["start", "--no-prefix"]).env("ODD", odd).run();

    assert!(finished.stdout.windows(6).any(|window| window == b"caf\xe9\xff\n"), "{:?}", finished.stdout());
}

#[test]
fn a_named_env_file_that_is_missing_is_an_error() {
    let app = App::new("web: touch started\n");

    let stderr = "error: nowhere.env does not exist\n\nhint: check the name, or create the file\n";
    app.dyno(["start", "-e", "nowhere.env"]).run().expect(Ended::Code(78), "", stderr);
    assert!(!app.has("started"));
}

#[test]
fn a_simple_command_runs_without_a_shell_around_it() {
    // S1.6: so the pid, the signals and the status are those of the program.
    let app = App::new("web: ./name $HOME\nworker: ./name one; ./name two\n").script("name", "cat /proc/$PPID/comm\n");

    let finished = app.dyno(["start", "--can-die", "web,worker"]).run();

    assert_ne!(finished.lines_of("web.1")[1], "sh");
    assert_eq!(finished.lines_of("worker.1")[1..3], ["sh", "sh"]);
}

#[test]
fn the_first_dyno_to_exit_stops_everything_and_sets_the_status() {
    let app = App::new("web: ./polite\nworker: read -r _ <go; exit 7\n")
        .script("polite", "trap 'echo bye; exit 0' TERM\necho up\nread -r _ <never\n")
        .fifo("go")
        .fifo("never");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("| up");
    dyno.until_shown("worker.1 | started");

    app.release("go");

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(7));
    let order =
        ["worker.1 | exited with code 7\n", "system   | sending SIGTERM to all processes\n", "web.1    | bye\n"];
    let places: Vec<_> = order.iter().map(|line| finished.stdout().find(line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", finished.stdout());
}

#[test]
fn an_exit_by_a_signal_gives_status_128_plus_its_number() {
    let app = App::new("web: sh -c 'kill -KILL $$'\n");

    app.dyno(["start"]).run().expect(
        Ended::Code(137),
        "TIME web.1  | started with pid PID\n\
         TIME web.1  | terminated by SIGKILL\n",
        "",
    );
}

#[test]
fn an_exit_with_0_stops_everything_too() {
    let app = App::new("web: sleep 1000\nworker: exit 0\n");

    app.dyno(["start"]).run().expect_end(Ended::Code(0));
}

#[test]
fn can_die_types_exit_without_stopping_the_rest() {
    // S6.3: with status 0; with `=any`, with any status.
    let app = App::new("web: read -r _ <go; exit 5\nok: exit 0\nbad: exit 3\n").fifo("go");
    let dyno = app.dyno(["start", "--can-die", "ok,bad=any"]).spawn();

    dyno.until_shown("ok.1   | exited with code 0");
    dyno.until_shown("bad.1  | exited with code 3");
    assert!(!dyno.stdout.text().contains("sending SIGTERM"), "{}", dyno.report());
    app.release("go");
    dyno.finish().expect_end(Ended::Code(5));

    app.dyno(["start", "ok", "bad", "--can-die", "ok,bad"]).run().expect_end(Ended::Code(3));
}

#[test]
fn a_command_that_is_not_found_gets_a_notice() {
    let app = App::new("web: no-such-command --port $PORT\n");

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(127));
    let mut lines = finished.lines_of("web.1");
    // Each shell has its own words.
    let of_shell = lines.remove(1);
    assert!(of_shell.contains("no-such-command") && of_shell.contains("not found"), "{of_shell}");
    let expected = ["started with pid PID", "exited with code 127", "command not found, see the line above"];
    assert_eq!((lines, finished.stderr()), (expected.map(str::to_owned).to_vec(), String::new()));
}

#[test]
fn invalid_procfile_lines_are_warnings_with_their_line_numbers() {
    // S1.4, S1.5.
    let app = App::new("web: echo one\nno colon here\n\n# comment\nempty:\nweb: echo two\n");

    let stdout = "TIME web.1  | started with pid PID\nTIME web.1  | two\nTIME web.1  | exited with code 0\n";
    let stderr = "warning: Procfile:2: `no colon here` has no process type\n\
                  hint: write `web: no colon here`\n\
                  warning: Procfile:5: `empty` has no command\n\
                  hint: write `empty: COMMAND`, or remove the line\n\
                  warning: Procfile:6: `web` is defined on line 1 and again here; this command is used\n\
                  hint: remove one of them, or rename one, for example to `web_2`, to run both\n";
    app.dyno(["start"]).run().expect(Ended::Code(0), stdout, stderr);
}

#[test]
fn the_root_is_option_d_or_the_directory_of_the_procfile() {
    let app = App::empty().file("sub/Procfile", "web: pwd\n");

    let by_file = app.dyno(["start", "-f", "sub/Procfile"]).run();
    let by_root = app.dyno(["start", "-d", "sub"]).run();

    let expected = format!("web.1: {}", app.path("sub").canonicalize().unwrap().display());
    assert_eq!((output_of_dynos(&by_file), output_of_dynos(&by_root)), (vec![expected.clone()], vec![expected]));
}

#[test]
fn the_quickstart_runs() {
    let procfile = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/Procfile");
    let app = App::empty();
    let dyno = app.dyno(["start", "-f", procfile, "--fixed-ports"]).spawn();
    dyno.until_shown("web.1    | Hello from the quickstart! My PORT is 5000\n");
    dyno.until_shown("worker.1 | I am worker.1, waiting for jobs\n");

    dyno.signal(Signal::SIGINT);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGINT));
    assert_eq!(finished.lines_of("web.1").last().unwrap(), "exited with code 0");
    assert_eq!(finished.lines_of("worker.1")[2..], ["job 1 goes back to the queue", "exited with code 0"]);
}
