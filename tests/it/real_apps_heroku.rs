//! The official `heroku` CLI controls an app (S17.3). Needs `node`, and the package `heroku` of npm, which `.ci/run`
//! installs; `HEROKU_CLI` names the directory with its `node_modules`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::app::free_port;
use crate::harness::{App, Capture, Running, note, until};
use crate::running::{names, pid_of, start, stop};
use crate::window::Window;

/// The version whose requests are known. `.ci/steps` installs this one.
const VERSION: &str = "11.10.0";

const PROCFILE: &str = "web: echo web on $PORT; exec sleep 1000\n\
    worker: while :; do echo job at $LEVEL; sleep 1; done\n";

/// A client in a home directory of its own.
struct Heroku {
    program: PathBuf,
    home: PathBuf,
    variables: Vec<(String, String)>,
}

/// What it printed, and how it ended.
struct HerokuOutput {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Heroku {
    /// Starts the app, and sets up the client as the user does. None: it is not installed, and `DYNO_OFFLINE` permits
    /// that.
    fn of(app: &App) -> Option<(Running, Self)> {
        let Some(place) = std::env::var_os("HEROKU_CLI") else {
            assert!(
                std::env::var_os("DYNO_OFFLINE").is_some(),
                "HEROKU_CLI is not set: after `bash .ci/run`, set HEROKU_CLI=$PWD/target/heroku-cli; or skip this test with DYNO_OFFLINE=1"
            );
            note("SKIPPED: the `heroku` CLI is not installed");
            return None;
        };
        let running = start(app, ["--api", &free_port().to_string()]);
        let program = PathBuf::from(place).join("node_modules/heroku/bin/run.js");
        let home = app.top().join("home-of-client");
        std::fs::create_dir(&home).unwrap();
        let exports = app.dyno(["env", "heroku"]).run().stdout();
        let pair = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        let heroku = Self { program, home, variables: exports.lines().filter_map(pair).collect() };
        assert!(heroku.ok(&["version"]).contains(VERSION));
        Some((running, heroku))
    }

    /// The same client as a program `heroku` in the root of the app, for an interactive shell.
    fn as_script(&self, app: App) -> App {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let variables: Vec<String> = variables.collect();
        let (home, program) = (quoted(self.home.to_str().unwrap()), quoted(self.program.to_str().unwrap()));
        app.script("heroku", &format!("exec env HOME={home} {} node {program} \"$@\"\n", variables.join(" ")))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("node");
        command.arg(&self.program).args(args).current_dir(&self.home).stdin(Stdio::null());
        command.env("HOME", &self.home).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn said(&self, args: &[&str]) -> HerokuOutput {
        let output = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        HerokuOutput { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Everything that it printed; it must end with 0.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let said = self.said(args);
        assert_eq!(said.code, Some(0), "{args:?}: {}{}", said.stdout, said.stderr);
        said.stdout + &said.stderr
    }
}

#[test]
fn s17_3_the_official_cli_shows_the_app_and_its_releases() {
    let app = App::new(PROCFILE).file(".env", "LEVEL=1\n");
    let Some((running, heroku)) = Heroku::of(&app) else { return };
    let shows = |args: &[&str], parts: &[&str]| {
        // Tables are drawn with other lines and widths in CI.
        let shown = heroku.ok(args).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(parts.iter().all(|part| shown.contains(part)), "{args:?}: {shown}");
    };

    shows(&["auth:whoami"], &["local@localhost"]);
    shows(&["apps"], &["app (local)"]);
    shows(&["apps:info"], &["=== app", "Dynos: web: 1, worker: 1"]);
    shows(&["config:set", "LEVEL=2", "NEW=x"], &["done, v2"]);
    shows(&["config:get", "NEW"], &["x"]);
    shows(&["config:unset", "NEW"], &["done, v3"]);
    shows(&["config"], &["=== app Config Vars", "LEVEL: 2"]);
    shows(&["releases"], &["Current: v3", "Remove NEW config vars", "Set LEVEL, NEW config vars"]);
    shows(&["releases:info", "v2"], &["=== Release v2", "NEW: x"]);
    shows(&["rollback", "v1"], &["Rolling back app to v1... done, v4"]);
    shows(&["ps:wait"], &[]);
    shows(&["ps:stop", "-d", "worker.1"], &["Stopping dyno worker.1 on app... done"]);
    shows(&["ps:type"], &["worker Local 1"]);
    shows(&["maintenance"], &["off"]);
    shows(&["drains"], &[]);
    let refused = heroku.said(&["maintenance:on"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("cannot be changed"), "{}", refused.stderr);
    let wrong = heroku.command(&["ps"]).env("HEROKU_API_KEY", "wrong").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));

    let mut tail = heroku.command(&["logs", "--tail", "-d", "web.1"]).stdout(Stdio::piped()).spawn().unwrap();
    let log = Capture::of(tail.stdout.take().unwrap());
    until("the log shows the earlier lines", || log.text().contains("app[web.1]: web on "));
    shows(&["ps:restart", "-d", "web.1"], &["done"]);
    until("new lines follow", || log.text().matches("app[web.1]: web on ").count() > 1);
    tail.kill().unwrap();
    tail.wait().unwrap();
    stop(&app, running);
}

#[test]
fn s17_3_the_official_cli_controls_the_formation() {
    let app = App::new(PROCFILE).file(".env", "LEVEL=1\n");
    let Some((running, heroku)) = Heroku::of(&app) else { return };
    running.until_shown("job at 1");

    let shown = heroku.ok(&["ps"]);
    assert!(shown.contains("=== web (Local): echo web on $PORT; exec sleep 1000 (1)"), "{shown}");
    assert!(shown.contains("\nworker.1: up "), "{shown}");
    let scaled = heroku.ok(&["ps:scale", "worker=2"]);
    assert!(scaled.contains("done, now running worker at 2:Local"), "{scaled}");
    running.until("worker.2 is there", || names(&app) == ["web.1", "worker.1", "worker.2"]);
    let web = pid_of(&app, "web.1");
    let restarted = heroku.ok(&["ps:restart", "-d", "web.1"]);
    assert!(restarted.contains("Restarting dyno web.1 on app... done"), "{restarted}");
    running.until("web.1 is another process", || pid_of(&app, "web.1") != web);
    let log = heroku.ok(&["logs", "-n", "50", "-p", "web"]);
    assert!(log.contains("app[web.1]: web on ") && !log.contains("worker"), "{log}");
    let set = heroku.ok(&["config:set", "LEVEL=2"]);
    assert!(set.contains("Setting LEVEL and restarting app... done, v2") && set.contains("LEVEL: 2"), "{set}");
    running.until_shown("job at 2");
    let run = heroku.ok(&["run:detached", "echo from $DYNO"]);
    let name = run.split_whitespace().find(|word| word.starts_with("run.")).unwrap().to_owned();
    running.until_shown(&format!("from {name}"));

    stop(&app, running);
}

#[test]
fn s17_3_the_official_cli_runs_a_command_with_its_streams() {
    let app = App::new(PROCFILE).file(".env", "LEVEL=1\n");
    let Some((running, heroku)) = Heroku::of(&app) else { return };

    let plain = heroku.said(&["run", "echo level $LEVEL in $DYNO; test -t 1 && echo terminal; echo error >&2"]);
    let name = plain.stdout.split_whitespace().find(|word| word.starts_with("run.")).unwrap().to_owned();
    let expected = format!("level 1 in {name}\nterminal\nerror\n");
    assert_eq!((plain.code, plain.stdout), (Some(0), expected), "{}", plain.stderr);
    assert!(plain.stderr.contains(&format!("up, {name}")), "{}", plain.stderr);

    let failed = heroku.said(&["run", "-x", "echo before; exit 3"]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(3), "before\n"), "{}", failed.stderr);
    assert!(failed.stderr.contains("Process exited with code 3"), "{}", failed.stderr);
    assert_eq!(heroku.said(&["run", "-x", "--", "sh", "-c", "exit 0"]).code, Some(0));

    // A terminal shows what is typed, too.
    for (option, typed, expected) in [("--no-tty", "one\ntwo", "one\ntwo"), ("-x", "one\n", "one\none\n")] {
        let mut piped = heroku.command(&["run", option, "cat"]);
        let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        piped.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = piped.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), stdout.as_str()), (Some(0), expected), "{option}");
    }
    let many = heroku.said(&["run", "--no-tty", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done"]);
    assert_eq!((many.code, many.stdout.lines().count()), (Some(0), 20_000));

    let mut killed = heroku.command(&["run", "echo begun >begun; exec sleep 1000"]).spawn().unwrap();
    running.until("it runs", || app.has("begun"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    running.until("only the formation is left", || names(&app) == ["web.1", "worker.1"]);
    stop(&app, running);
}

#[test]
fn s17_3_the_official_cli_runs_a_program_on_the_terminal() {
    let app = App::new(PROCFILE).file(".env", "LEVEL=1\n");
    let Some((running, heroku)) = Heroku::of(&app) else { return };
    let window = Window::open(heroku.as_script(App::empty()));

    window.line("./heroku run -x -- python3 -q");
    window.until(">>>");
    window.line("import os; print(os.get_terminal_size(), os.environ['LEVEL'])");
    window.until("os.terminal_size(columns=100, lines=30) 1");
    window.line("while True: pass");
    window.press(&["Enter"]);
    window.press(&["C-c"]);
    window.until("KeyboardInterrupt");
    window.line("exit(5)");
    window.expect_status("5");

    window.line("./heroku run 'expr 40 + 2; cat'");
    window.until("42\n");
    window.line("typed");
    until("it is echoed and answered", || window.screen().matches("typed\n").count() == 2);
    window.press(&["C-d"]);
    window.expect_status("0");
    running.until("only the formation is left", || names(&app) == ["web.1", "worker.1"]);
    stop(&app, running);
}
