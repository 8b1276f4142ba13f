//! What `dyno` answers to lines that a new user types by habit, in full: status, stdout and stderr.

use crate::harness::{App, Ended};

/// Checks that each command line, split at blanks, fails with this status, nothing on stdout, and the error and hint.
#[track_caller]
pub(crate) fn each_fails(app: &App, status: i32, cases: &[(&str, &str, &str)]) {
    for (line, fact, hint) in cases {
        let words: Vec<&str> = line.split(' ').collect();
        let finished = app.dyno([]).args(&words).run();
        let stderr = format!("error: {fact}\n\nhint: {hint}\n");
        let shown = (finished.ended, finished.stdout(), finished.stderr());
        assert_eq!(shown, (Ended::Code(status), String::new(), stderr), "{line}");
    }
}

pub(crate) fn web_and_worker() -> App {
    App::new("web: true\nworker: true\n")
}

#[test]
fn s13_4_options_before_the_command_are_moved_after_it() {
    let only =
        "only `-f`, `-d` and `-e` may come before the command; write others after it, as in `dyno start -p 3000`";
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("--port 3000 start", "unknown option `--port`", "did you mean `dyno start --port 3000`?"),
            ("-p 3000 start", "unknown option `-p`", "did you mean `dyno start -p 3000`?"),
            ("-p3000 start", "unknown option `-p`", "did you mean `dyno start -p3000`?"),
            ("-m web=2 start", "unknown option `-m`", "did you mean `dyno start -m web=2`?"),
            ("-x worker start", "unknown option `-x`", "did you mean `dyno start -x worker`?"),
            ("-q web start -p 1", "unknown option `-q`", "did you mean `dyno start -q web -p 1`?"),
            ("--heroku start", "unknown option `--heroku`", "did you mean `dyno start --heroku`?"),
            ("--formation web=2 start", "unknown option `--formation`", "did you mean `dyno start --formation web=2`?"),
            ("--timeout 3 start", "unknown option `--timeout`", "did you mean `dyno start --timeout 3`?"),
            ("--json check", "unknown option `--json`", "did you mean `dyno check --json`?"),
            ("--color never start", "unknown option `--color`", "did you mean `dyno start --color never`?"),
            ("--log-dir x start", "unknown option `--log-dir`", "did you mean `dyno start --log-dir x`?"),
            ("--no-prefix start", "unknown option `--no-prefix`", "did you mean `dyno start --no-prefix`?"),
            ("-f Procfile -p 1 start", "unknown option `-p`", "did you mean `dyno start -f Procfile -p 1`?"),
            ("-p 3000", "unknown option `-p`", "did you mean `dyno start -p 3000`?"),
            ("-p 3000 web", "unknown option `-p`", "did you mean `dyno start -p 3000 web`?"),
            // The value of an option is not the command.
            ("-f start -p 1 check", "unknown option `-p`", only),
            ("--nope start", "unknown option `--nope`", only),
        ],
    );
}

#[test]
fn s13_4_an_option_of_another_command_names_that_command() {
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("start --junit x", "unknown option `--junit`", "`--junit` is an option of `dyno smoke`"),
            (
                "check -p 3000",
                "unknown option `-p`",
                "`-p` is an option of `dyno start`, `dyno logs`, `dyno restart` and 6 more",
            ),
            ("config --export", "unknown option `--export`", "`dyno help config` lists its options"),
            ("start --prot 1", "unknown option `--prot`", "did you mean `--port`?"),
        ],
    );
}

#[test]
fn s13_4_a_command_of_another_tool_suggests_what_dyno_has_for_it() {
    let cases: Vec<(&str, &str)> = vec![
        ("kill web", "did you mean `dyno stop web`?"),
        ("quit", "did you mean `dyno stop`?"),
        ("shutdown", "did you mean `dyno stop`?"),
        ("status", "did you mean `dyno ps`?"),
        ("log web", "did you mean `dyno logs web`?"),
        ("tail web", "did you mean `dyno logs -t web`?"),
        ("echo", "did you mean `dyno logs -t`?"),
        ("connect worker", "did you mean `dyno attach worker`?"),
        ("connect", "did you mean `dyno attach web`?"),
        ("console", "type the console's own command, such as `dyno run rails console`"),
        ("open", "`dyno config --explain PORT` shows the ports to open in a browser"),
        ("init", "create a Procfile with a line such as `web: npm start`, then type `dyno start`"),
        ("login", "no account is needed: `dyno start` runs the app on this machine"),
        ("config:edit A", "`dyno config:set A=VALUE` changes a value; or open .env in an editor"),
        ("foreman start -p 3000", "did you mean `dyno start -p 3000`?"),
        ("heroku local", "did you mean `dyno local`?"),
        ("honcho run ls", "did you mean `dyno run ls`?"),
        ("overmind start", "did you mean `dyno start`?"),
        ("overmind restart", "did you mean `dyno restart`?"),
        ("hivemind", "did you mean `dyno start`?"),
        ("hivemind -p 1", "did you mean `dyno start -p 1`?"),
        // No hint suggests a command that deletes something.
        ("rm -rf /", "`dyno --help` lists the commands"),
        ("reboot", "`dyno --help` lists the commands"),
    ];
    let app = web_and_worker();
    for (line, hint) in cases {
        let word = line.split(' ').next().unwrap();
        each_fails(&app, 2, &[(line, &format!("unknown command `{word}`"), hint)]);
    }
}

#[test]
fn s13_4_config_edit_and_get_are_not_mistaken_for_keys() {
    each_fails(
        &web_and_worker(),
        2,
        &[
            (
                "config edit A",
                "unknown command `config:edit`",
                "`dyno config:set A=VALUE` changes a value; or open .env in an editor",
            ),
            ("config --get A", "unknown option `--get`", "did you mean `dyno config --explain A`?"),
        ],
    );
}

#[test]
fn s13_4_an_option_of_overmind_is_translated() {
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("start -P 10", "unknown option `-P`", "did you mean `dyno start --port-step 10`?"),
            ("start -P10 web", "unknown option `-P`", "did you mean `dyno start --port-step 10 web`?"),
            ("start -r all", "unknown option `-r`", "did you mean `dyno start --restart`?"),
            ("start --auto-restart=web", "unknown option `--auto-restart`", "did you mean `dyno start --restart`?"),
            ("start -i web=INT", "unknown option `-i`", "did you mean `dyno start --stop-signal web=INT`?"),
            ("start --any-can-die", "unknown option `--any-can-die`", "did you mean `dyno start --can-die all=any`?"),
            ("start -T", "unknown option `-T`", "leave it out: the log shows the time of day"),
            ("start -D", "unknown option `-D`", "did you mean `dyno start --detach`?"),
            ("start -N", "unknown option `-N`", "leave it out: every dyno gets a `PORT`, which it may ignore"),
            ("start -w title", "unknown option `-w`", "leave it out: `dyno` does not use tmux"),
            (
                "start -s .overmind.sock",
                "unknown option `-s`",
                "leave it out: `dyno ps` and other commands find the app by its directory",
            ),
        ],
    );
}

#[test]
fn s6_3_all_means_every_process_type_in_each_list() {
    let app = App::new("web: exit 3\nworker: exit 3\n");

    let finished = app
        .dyno(["start", "--can-die", "all=any", "--stop-signal", "all=INT", "--quiet", "all", "--ready", "all"])
        .run();

    assert_eq!((finished.ended, finished.stderr().as_str()), (Ended::Code(3), ""));
    let mut lines: Vec<String> = finished.stdout().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "TIME web.1    | exited with code 3",
            "TIME web.1    | started with pid PID",
            "TIME worker.1 | exited with code 3",
            "TIME worker.1 | started with pid PID",
        ]
    );
}

#[test]
fn s13_4_words_of_start_server_and_test_become_a_smoke_test() {
    let unknown = |name: &str| format!("the Procfile has no process type `{name}`");
    let url = "http://localhost:3000";
    each_fails(
        &web_and_worker(),
        2,
        &[
            (&format!("smoke {url} test"), &unknown(url), "did you mean `dyno smoke --http / -- npm test`?"),
            (&format!("smoke start {url} test"), &unknown("start"), "did you mean `dyno smoke --http / -- npm test`?"),
            (
                &format!("smoke start {url}/up e2e"),
                &unknown("start"),
                "did you mean `dyno smoke --http /up -- npm run e2e`?",
            ),
            ("smoke start 3000 test", &unknown("start"), "did you mean `dyno smoke -- npm test`?"),
            ("smoke web 2", &unknown("2"), "write `web=2`"),
        ],
    );
}

#[test]
fn s4_2_a_quantity_or_signal_with_the_wrong_sign_is_rewritten() {
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("start -m web:2", "`web:2` has no quantity", "write `web=2`"),
            ("start web:2", "the Procfile has no process type `web:2`", "write `web=2`"),
            ("start web 2", "the Procfile has no process type `2`", "write `web=2`"),
            (
                "start --stop-signal INT",
                "`--stop-signal INT` has no process type",
                "write `--stop-signal web=INT`, or `--stop-signal all=INT`",
            ),
            ("start --stop-signal web", "`--stop-signal web` has no signal", "write `--stop-signal web=INT`"),
            (
                "start --stop-signal web=FOO",
                "`--stop-signal web=FOO`: there is no signal `FOO`",
                "write a name such as `INT` or `QUIT`",
            ),
            (
                "start -l web -m web=1",
                "`-m` sets the whole formation, so `web` cannot be named as well",
                "write `-m web=1`",
            ),
            (
                "start -m web=1,worker=1 web=3",
                "`-m` sets the whole formation, so `web=3` cannot be named as well",
                "write `-m web=3,worker=1`",
            ),
        ],
    );
}

#[test]
fn s13_4_an_option_that_needs_another_is_named() {
    each_fails(
        &web_and_worker(),
        2,
        &[
            (
                "start --max-restarts 3",
                "`--max-restarts` needs `--restart` or `--heroku`",
                "did you mean `dyno start --restart --max-restarts 3`?",
            ),
            (
                "start --max-delay 3 web",
                "`--max-delay` needs `--restart` or `--heroku`",
                "did you mean `dyno start --restart --max-delay 3 web`?",
            ),
            (
                "smoke --http-status 200",
                "`--http-status` needs `--http`",
                "did you mean `dyno smoke --http / --http-status 200`?",
            ),
            ("config -p 3000", "`--port` needs `--explain`", "did you mean `dyno config --explain PORT -p 3000`?"),
        ],
    );
}

#[test]
fn s13_4_of_two_exclusive_options_each_is_suggested_alone() {
    each_fails(
        &web_and_worker(),
        2,
        &[
            (
                "start -m web=1 -c web=2",
                "`--formation` cannot be used with `--concurrency`",
                "did you mean `dyno start -m web=1` or `dyno start -c web=2`?",
            ),
            ("start -p 1 -p 2", "`--port` is given twice", "did you mean `dyno start -p 1` or `dyno start -p 2`?"),
            ("smoke --start true web", "`--start` cannot be used with `TYPE[=N]`", "did you mean `dyno smoke web`?"),
            (
                "-f Procfile smoke --start true",
                "`--start` cannot be used with `--procfile`",
                "leave out `-f`: `--start` replaces the Procfile",
            ),
            (
                "start --focus web -q web",
                "`--focus web` cannot be used with `--quiet web`",
                "leave out `--quiet web`: `--focus` shows the output of `web.1`",
            ),
        ],
    );
}

#[test]
fn a_limit_above_zero_says_so_for_every_wrong_value() {
    let seconds = "write a number of seconds above 0, up to 86400";
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("smoke --timeout -5", "`-5` is not a valid value for `--timeout`", seconds),
            ("smoke --timeout 0", "`0` is not a valid value for `--timeout`", seconds),
            ("start --boot-timeout soon", "`soon` is not a valid value for `--boot-timeout`", seconds),
            (
                "start --restart --max-restarts=-1",
                "`-1` is not a valid value for `--max-restarts`",
                "write a whole number, such as 3",
            ),
        ],
    );
}

#[test]
fn a_setting_without_its_value_is_named_unless_it_may_be_a_secret() {
    let expects = "`--set` expects `KEY=VALUE`, with only A-Z a-z 0-9 _ . - in the key";
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("start --set FOO", "`--set FOO` has no value", "write `--set FOO=VALUE`"),
            ("start --set hunter2", expects, "write `--set KEY=VALUE`"),
            ("start --set F/O=1", expects, "write `--set KEY=VALUE`"),
        ],
    );
}

#[test]
fn a_file_in_place_of_a_type_suggests_its_option_even_if_it_is_missing() {
    let unknown = |name: &str| format!("the Procfile has no process type `{name}`");
    each_fails(
        &web_and_worker(),
        2,
        &[
            ("start foo.env", &unknown("foo.env"), "did you mean `-e foo.env`?"),
            ("start Procfile.dve", &unknown("Procfile.dve"), "did you mean `-f Procfile.dve`?"),
        ],
    );
}

#[test]
fn s13_4_help_after_help_is_ignored() {
    let app = App::empty();
    let page = app.dyno(["help", "start"]).run();

    for line in [["help", "start", "--help"], ["help", "start", "-h"], ["help", "--help", "start"]] {
        app.dyno(line).run().expect(Ended::Code(0), &page.stdout(), "");
    }
    each_fails(&app, 2, &[("help start stop", "unexpected argument `stop`", "`dyno help start` prints one page")]);
}

#[test]
fn a_manual_page_has_the_name_that_the_manual_gives_it() {
    let app = App::empty();
    let page = app.dyno(["man", "start"]).run();

    app.dyno(["man", "dyno-start"]).run().expect(Ended::Code(0), &page.stdout(), "");
    each_fails(
        &app,
        2,
        &[
            ("man dyno-strat", "there is no manual page `dyno-strat`", "did you mean `dyno man start`?"),
            ("man x", "there is no manual page `x`", "`dyno --help` lists the commands"),
        ],
    );
}
