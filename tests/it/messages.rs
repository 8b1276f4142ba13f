//! The full text of errors and warnings about the command line and the formation.
//!
//! Not here: lines of files (`file_messages`), files that cannot be read (`bad_input`), ports in use (`ports`).

use crate::harness::{App, Ended, error};

/// `web` exits at once, so that a start with warnings ends, too.
fn app() -> App {
    App::new("web: true\nworker: sleep 1000 # for long\n")
}

/// `dyno` starts the app after this warning.
#[track_caller]
fn warns(app: &App, args: &[&str], stderr: &str) {
    let finished = app.dyno([]).args(args).run();
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), stderr);
}

/// The error for a value that an option does not accept.
fn bad_value(value: &str, option: &str, expected: &str) -> String {
    error(&format!("`{value}` is not a valid value for `{option}`"), &format!("write {expected}"))
}

#[test]
fn s4_4_an_unknown_process_type_suggests_the_nearest_or_all() {
    let app = app();

    let fact = |name: &str| format!("the Procfile has no process type `{name}`");
    app.refuses(&["start", "wbe"], 2, &error(&fact("wbe"), "did you mean `web`?"));
    app.refuses(&["start", "-m", "postgres=1"], 2, &error(&fact("postgres"), "it has `web`, `worker`"));
    app.refuses(&["start", "-l", "work"], 2, &error(&fact("work"), "did you mean `worker`?"));
    for option in ["--can-die", "--allow-exit", "--quiet", "--ready"] {
        let fact = format!("`{option}`: {}", fact("wbe"));
        app.refuses(&["start", option, "wbe"], 2, &error(&fact, "did you mean `web`?"));
    }
    let fact = format!("`--stop-signal`: {}", fact("wbe"));
    app.refuses(&["start", "--stop-signal", "wbe=INT"], 2, &error(&fact, "did you mean `web`?"));
}

#[test]
fn s4_4_several_unknown_process_types_are_reported_together() {
    let both = "error: the Procfile has no process type `wbe`\n\nhint: did you mean `web`?\n\
                error: the Procfile has no process type `worke`\n\nhint: did you mean `worker`?\n";

    app().refuses(&["start", "wbe", "worke"], 2, both);
}

#[test]
fn s4_every_kind_of_unreadable_formation_is_reported() {
    let app = app();
    let list = "write a list such as `web=2,worker=1`";

    app.refuses(&["start", "web=x"], 2, &error("`x` is not a quantity for `web`", "write a number, such as `web=1`"));
    app.refuses(&["start", "web=-1"], 2, &error("`-1` is not a quantity for `web`", "write a number, such as `web=1`"));
    app.refuses(&["start", "-m", "web"], 2, &error("`web` has no quantity", "write `web=1`"));
    app.refuses(&["start", "web="], 2, &error("`web` has no quantity", "write `web=1`"));
    app.refuses(&["start", "-m", "=1"], 2, &error("`=1` has no process type before the `=`", list));
    app.refuses(&["start", "-m", "web=1,,worker=1"], 2, &error("`web=1,,worker=1` has an empty item", list));
    let fact = "nothing to start: `-x` excludes every type that would run";
    app.refuses(&["start", "-x", "web,worker"], 2, &error(fact, "to run only `web`, write `-x worker`"));
    let fact = "nothing to start: every type has quantity 0";
    for list in ["all=0", "web=0,worker=0"] {
        app.refuses(&["start", list], 2, &error(fact, "give a type a quantity, such as `web=1`"));
    }
    // Two empty items are one error.
    app.refuses(&["start", "-m", " , "], 2, &error("` , ` has an empty item", list));
}

#[test]
fn s4_every_kind_of_odd_formation_gets_a_warning() {
    let app = app();

    warns(
        &app,
        &["start", "-m", "web=1,ghost=0"],
        "warning: the Procfile has no process type `ghost` to leave out\nhint: it has `web`, `worker`\n",
    );
    let twice = "warning: `web` has more than one quantity; `web=1` is used\nhint: write `web` once\n";
    warns(&app, &["start", "-m", "web=2,web=1"], twice);
    warns(&app, &["start", "-c", "web=2,web=1"], twice);
    warns(
        &app,
        &["start", "web", "-c", "worker=2"],
        "warning: the quantity of `worker` has no effect: it is not among the process types to start\n\
         hint: add `worker` to the process types to start, or leave out its quantity\n",
    );
}

#[test]
fn every_kind_of_unusable_option_value_is_reported() {
    let app = app();

    for name in ["--can-die", "--allow-exit"] {
        let fact = format!("`{name} web=all`: `all` is not `any`");
        let hint = format!("write `{name} web` or `{name} web=any`");
        app.refuses(&["start", name, "web=all"], 2, &error(&fact, &hint));
    }
    let fact = "`--stop-signal web` has no signal";
    app.refuses(&["start", "--stop-signal", "web"], 2, &error(fact, "write `--stop-signal web=INT`"));
    let fact = "`--stop-signal web=XYZZY`: there is no signal `XYZZY`";
    app.refuses(&["start", "--stop-signal", "web=XYZZY"], 2, &error(fact, "write a name such as `INT` or `QUIT`"));
    let fact = "`--stop-signal web=SIGTRM`: there is no signal `SIGTRM`";
    app.refuses(&["start", "--stop-signal", "web=SIGTRM"], 2, &error(fact, "did you mean `TERM`?"));
    let fact = "`--stop-signal web=STOP`: the signal `STOP` does not end a process";
    let ends_none = error(fact, "write a name such as `INT` or `QUIT`");
    app.refuses(&["start", "--stop-signal", "web=STOP"], 2, &ends_none);
    let (seconds, some_time) = ("a number of seconds from 0 to 86400", "a number of seconds above 0, up to 86400");
    app.refuses(&["start", "-t", "soon"], 2, &bad_value("soon", "--timeout", seconds));
    app.refuses(&["start", "-t", "86401"], 2, &bad_value("86401", "--timeout", seconds));
    let number = "a whole number from 0 to 65535";
    app.refuses(&["start", "--port-step", "65536"], 2, &bad_value("65536", "--port-step", number));
    app.refuses(&["start", "--boot-timeout", "0"], 2, &bad_value("0", "--boot-timeout", some_time));
    app.refuses(&["smoke", "--timeout", "0"], 2, &bad_value("0", "--timeout", some_time));
    let fact = "`--port-step` has no effect with `-p auto`, which chooses the step itself";
    let hint = "leave it out, or name the base, such as `-p 5000`";
    app.refuses(&["start", "-p", "auto", "--port-step", "7"], 2, &error(fact, hint));
    let number = "a whole number, such as 3";
    app.refuses(&["start", "--restart", "--max-restarts", "x"], 2, &bad_value("x", "--max-restarts", number));
}

#[test]
fn s2_set_without_a_key_is_refused_and_its_value_is_not_shown() {
    let fact = "`--set` expects `KEY=VALUE`, with only A-Z a-z 0-9 _ . - in the key";

    for setting in ["hunter2", "=hunter2", "A B=hunter2"] {
        for command in ["start", "config"] {
            app().refuses(&[command, "--set", setting], 2, &error(fact, "write `--set KEY=VALUE`"));
        }
    }
}

#[test]
fn control_characters_that_were_typed_are_written_out() {
    let (app, typed, shown) = (app(), "a\u{1b}[2J\nerror: b", "a\\u{1b}[2J\\nerror: b");

    let help = "`dyno --help` lists the commands";
    app.refuses(&[typed], 2, &error(&format!("unknown command `{shown}`"), help));
    let fact = format!("`--can-die`: the Procfile has no process type `{shown}`");
    app.refuses(&["start", "--can-die", typed], 2, &error(&fact, "it has `web`, `worker`"));
    let fact = format!("`--http /={shown}`: `{shown}` is not a status");
    let hint = "write a number or a range, such as `--http /=200-299`";
    app.refuses(&["smoke", "--http", &format!("/={typed}")], 2, &error(&fact, hint));
    let fact = format!("`--http-status {shown}`: `{shown}` is not a status");
    let hint = "write a number from 200 to 999, or a range such as `200-299`";
    app.refuses(&["smoke", "--http", "/", "--http-status", typed], 2, &error(&fact, hint));
    let fact = format!("{shown} does not exist");
    app.refuses(&["start", "-e", typed], 78, &error(&fact, "check the name, or create the file"));
}

#[test]
fn unknown_options_and_commands_suggest_the_nearest() {
    let app = app();

    let near =
        |given: &str, meant: &str| error(&format!("unknown option `{given}`"), &format!("did you mean `{meant}`?"));
    app.refuses(&["start", "--prot", "3"], 2, &error("unknown option `--prot`", "did you mean `--port`?"));
    app.refuses(&["check", "--jsn"], 2, &near("--jsn", "--json"));
    app.refuses(&["confg"], 2, &error("unknown command `confg`", "did you mean `dyno config`?"));
    app.refuses(
        &["start", "-p", "1", "-p", "2"],
        2,
        &error("`--port` is given twice", "did you mean `dyno start -p 1` or `dyno start -p 2`?"),
    );
}

#[test]
fn s5_every_kind_of_unusable_port_is_reported() {
    let app = App::new("web: true\nworker: true\n").file("port.env", "PORT=http\n");
    let hint = "give a port such as `-p 5000`, or `-p auto`";

    app.refuses(&["start", "-p", "http"], 2, &error("`-p http` is not a port number from 1 to 65535", hint));
    let fact = "port.env:1: `PORT` is not a port number from 1 to 65535";
    app.refuses(&["start", "-e", "port.env"], 78, &error(fact, hint));
    let fact = "`PORT` in the shell is not a port number from 1 to 65535";
    app.dyno(["start"]).env("PORT", "x").run().expect(Ended::Code(2), "", &error(fact, hint));
    let hint = "start from a lower port with `-p`, or set a smaller `--port-step`";
    let fact = "`worker.1` would get port 65635, but the highest port is 65535";
    app.refuses(&["start", "-p", "65535"], 2, &error(fact, hint));
    let hint = "set a larger `--port-step`, or `--port-step 0` to share one port";
    let fact = "`web.101` and `worker.1` would both get port 5100";
    app.refuses(&["start", "web=101", "worker"], 2, &error(fact, hint));
}

#[test]
fn s4_5_start_reports_errors_in_dot_foreman_with_their_line() {
    let bad = |text: &str| app().file(".foreman", text);

    let fact = ".foreman:2: `0` is not a port number from 1 to 65535";
    bad("# x\nport: 0\n").refuses(&["start"], 78, &error(fact, "write a line such as `port: 5000`"));
    let fact = ".foreman:1: the Procfile has no process type `wbe`";
    bad("formation: wbe=1\n").refuses(&["start"], 78, &error(fact, "did you mean `web`?"));
    let fact = ".foreman:1: the directory `nowhere` cannot be used: No such file or directory";
    bad("root: nowhere\n").refuses(&["start"], 78, &error(fact, "remove the line to use the current directory"));
    let warning = "warning: .foreman:1: `prot` has no effect\nhint: did you mean `port`?\n";
    warns(&bad("prot: 1\n"), &["start", "web"], warning);
}

#[test]
fn missing_files_and_directories_are_errors_with_a_hint() {
    let app = app();

    let fact = "the directory `nowhere` cannot be used: No such file or directory";
    app.refuses(&["start", "-d", "nowhere"], 78, &error(fact, "leave out `-d` to use the current directory"));
    app.refuses(
        &["start", "-d", "Procfile"],
        78,
        &error("`Procfile` is not a directory", "leave out `-d` to use the current directory"),
    );
    let check = "check the name, or create the file";
    let fact = "Procfile/x does not exist: a part of its path is not a directory";
    app.refuses(&["start", "-f", "Procfile/x"], 78, &error(fact, check));
    app.refuses(&["start", "-e", "no.env"], 78, &error("no.env does not exist", check));
    app.refuses(&["run", "-e", "no.env", "true"], 78, &error("no.env does not exist", check));
    let hint = "there is `Procfile`; `-f Procfile` uses it";
    app.refuses(&["run", "-f", "nope", "web"], 78, &error("nope does not exist", hint));
    let hint = "create it with one line for each process type, such as `web: npm start`";
    let app = App::empty();
    let fact = format!("no Procfile in {}", app.root().display());
    app.refuses(&["start"], 78, &error(&fact, hint));
    let hint = format!("{hint}; `dyno smoke --start 'npm start'` needs no Procfile");
    app.refuses(&["smoke"], 78, &error(&fact, &hint));
    let app = App::empty().file("package.json", r#"{"scripts": {"dev": "vite"}}"#);
    let fact = format!("no Procfile in {}", app.root().display());
    let hint = "package.json has the script `dev`: create the Procfile with the line `web: npm run dev`; \
                `dyno smoke --start 'npm run dev'` needs no Procfile";
    app.refuses(&["smoke"], 78, &error(&fact, hint));
}

#[test]
fn s1_7_a_procfile_dev_beside_the_procfile_is_a_warning() {
    let app = app().file("Procfile.dev", "web: true\n");

    let text = "warning: Procfile is used, but `Procfile.dev` exists as well\nhint: to use it, add `-f Procfile.dev`\n";
    warns(&app, &["start", "web"], text);
}

#[test]
fn s9_2_arguments_that_a_comment_would_swallow_are_an_error() {
    let fact = "Procfile:2: cannot pass the arguments to `worker`: the command ends in a comment, which would \
                swallow the arguments";
    let hint = "move the comment to its own line";

    app().refuses(&["run", "worker", "x"], 78, &error(fact, hint));
}

#[test]
fn s9_2_arguments_after_something_that_is_never_closed_are_an_error() {
    let app = App::new("web: echo `date\nworker: echo $(date\nclock: echo ${A\n");
    let close = |end: &str| format!("close it with {end}");

    for (line, name, unclosed, hint) in [
        (1, "web", "backtick", close("another backtick")),
        (2, "worker", "`$(`", close("`)`")),
        (3, "clock", "`${`", close("`}`")),
    ] {
        let fact = format!(
            "Procfile:{line}: cannot pass the arguments to `{name}`: the command has an unclosed {unclosed}, which \
             would swallow the arguments"
        );
        let finished = app.dyno(["run", name, "x"]).run();
        finished.expect_end(Ended::Code(78));
        assert!(finished.stderr().ends_with(&error(&fact, &hint)), "{}", finished.stderr());
    }
}

#[test]
fn s9_2_arguments_after_the_end_of_a_loop_are_an_error() {
    let app = App::new("web: for x in a b; do echo $x; done\nworker: echo a &\n");

    let fact = "Procfile:1: cannot pass the arguments to `web`: the command ends in `done`, which takes no arguments";
    let hint = "move the command to a script that uses its arguments, and run the script";
    app.refuses(&["run", "web", "x"], 78, &error(fact, hint));
    let fact = "Procfile:2: cannot pass the arguments to `worker`: the command ends in `&`, so the arguments would be a \
                command of their own";
    app.refuses(&["run", "worker", "x"], 78, &error(fact, "remove it"));
    app.dyno(["run", "web"]).run().expect(Ended::Code(0), "a\nb\n", "");
}

#[test]
fn s9_a_procfile_that_cannot_be_used_is_a_warning_for_run() {
    let app = App::new("nonsense\n");

    app.dyno(["run", "true"]).run().expect(
        Ended::Code(0),
        "",
        "warning: Procfile:1: `nonsense` has no process type\nhint: write `web: nonsense`\n",
    );
}

#[test]
fn start_cmd_together_with_a_procfile_is_a_warning() {
    let text = "warning: `--start-cmd` has no effect\n\
                hint: the Procfile is used; remove the option, or run the command with `dyno run`\n";

    warns(&app(), &["local", "web", "--start-cmd", "false"], text);
}

#[test]
fn s9_an_unknown_program_without_a_procfile_is_an_error() {
    let hint = "it is not a program on `PATH`, and there is no Procfile with a process type of that name; create one with a line such as `web: npm start`";
    App::empty().refuses(&["run", "nothing-like-it"], 127, &error("`nothing-like-it` was not found", hint));
    let hint = "check the path: it is relative to the root of the app";
    App::empty().refuses(&["run", "./nothing", "x"], 127, &error("`./nothing` was not found", hint));
}

#[test]
fn a_file_that_the_system_cannot_open_gets_a_hint() {
    let name = "x".repeat(300);

    let hint = "check the name and what it points to";
    let fact = format!("{name} cannot be read: File name too long");
    App::empty().refuses(&["start", "-f", &name], 78, &error(&fact, hint));
}
