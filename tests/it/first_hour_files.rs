//! The messages about files and programs of the app that a new user meets, in full: status, stdout and stderr.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::binary;
use crate::first_hour_words::{each_fails, web_and_worker};
use crate::harness::{App, Ended};

#[test]
fn s1_7_a_process_type_of_another_procfile_is_found() {
    let app = App::empty().file("procfile", "web: true\n");
    each_fails(&app, 2, &[("web", "unknown command `web`", "did you mean `dyno start -f procfile web`?")]);
    each_fails(&app, 127, &[("run web x", "`web` was not found", "did you mean `dyno run -f procfile web x`?")]);

    let app = App::empty().file("../Procfile", "web: true\n");
    each_fails(&app, 2, &[("web", "unknown command `web`", "did you mean `dyno start -f ../Procfile web`?")]);
    each_fails(&app, 127, &[("run web", "`web` was not found", "did you mean `dyno run -f ../Procfile web`?")]);

    let app = App::new("web: true\n").file("Procfile.dev", "css: true\n");
    each_fails(&app, 2, &[("css", "unknown command `css`", "did you mean `dyno start -f Procfile.dev css`?")]);
}

#[test]
fn s9_3_a_program_that_is_not_found_suggests_the_one_that_was_meant() {
    let app = App::new("web: true\n")
        .script("tools/rails-server", "")
        .script("bin/console", "")
        .file(".env", "PATH=/nowhere\n");
    let nothing = "it is neither a process type of the Procfile nor a program on `PATH`; \
                   a program of the app needs its path, such as `bin/rails`";
    each_fails(
        &app,
        127,
        &[
            ("run console x", "`console` was not found", "did you mean `dyno run bin/console x`?"),
            ("run no-such-program", "`no-such-program` was not found", nothing),
        ],
    );

    let path = app.path("tools").into_os_string();
    let finished = app.dyno(["run", "-e", "", "rails-serve r", "x"]).env("PATH", path).run();
    let hint = "did you mean `dyno run 'rails-server r' x`?";
    assert_eq!((finished.ended, finished.stdout()), (Ended::Code(127), String::new()));
    assert_eq!(finished.stderr(), format!("error: `rails-serve r` was not found\n\nhint: {hint}\n"));
}

#[test]
fn s9_3_chmod_is_suggested_only_for_files_of_the_app() {
    let app = App::new("web: true\n").file("plain", "").file("../other", "");
    let other = app.top().join("other").display().to_string();
    let not_executable = |name: &str| format!("`{name}` is not executable");
    each_fails(
        &app,
        126,
        &[
            ("run ./plain", &not_executable("./plain"), "run `chmod +x ./plain`"),
            (
                &format!("run {other}"),
                &not_executable(&other),
                &format!("if it is a script, name its interpreter, as in `sh {other}`"),
            ),
        ],
    );
}

/// An app with scripts that exist but cannot be executed.
fn scripts(procfile: &str) -> App {
    let app = App::new(procfile)
        .file("crlf", "#!/bin/sh\r\ntrue\r\n")
        .file("alien", "#!/no/interpreter\n")
        .file("env", "#!/usr/bin/env no-interpreter\n")
        .file("plain", "");
    for name in ["crlf", "alien", "env"] {
        std::fs::set_permissions(app.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    app
}

const CRLF: &str = "has Windows line endings, so its interpreter is not found";
const ALIEN: &str = "needs `/no/interpreter` (its first line), which is not installed";
const ENV: &str = "needs `no-interpreter` (its first line), which is not installed";
const NO_CRLF: &str = "run `sed -i 's/\\r$//' ./crlf`";
const NO_ALIEN: &str = "install `/no/interpreter`, or correct the first line of `./alien`";
const NO_ENV: &str = "install `no-interpreter`, or correct the first line of `./env`";

#[test]
fn s1_6_check_and_run_explain_scripts_without_an_interpreter() {
    let app = scripts("a: ./crlf\nb: ./alien x\nc: exec ./env\nd: \"./plain x\" y\n");

    let note = |line: usize, fact: &str, hint: &str| format!("note: Procfile:{line}: {fact}\nhint: {hint}\n");
    let stderr = [
        note(1, &format!("`a` runs `./crlf`, which {CRLF}"), NO_CRLF),
        note(2, &format!("`b` runs `./alien`, which {ALIEN}"), NO_ALIEN),
        note(3, &format!("`c` runs `./env`, which {ENV}"), NO_ENV),
        note(
            4,
            "`d` runs `./plain x`, which does not exist",
            "remove the quotes, which make it a single word: `./plain x`",
        ),
    ];
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (a, b, c, d)\n", &stderr.concat());
    each_fails(
        &app,
        127,
        &[
            ("run ./crlf", &format!("`./crlf` {CRLF}"), NO_CRLF),
            ("run ./alien x", &format!("`./alien` {ALIEN}"), NO_ALIEN),
            ("run ./env", &format!("`./env` {ENV}"), NO_ENV),
        ],
    );
}

/// The lines of a start, without those of the shell, which each shell words differently.
fn notices(app: &App, words: &[&str]) -> (Ended, Vec<String>, String) {
    let finished = app.dyno(["start"]).args(words).run();
    let stdout = finished.stdout();
    let lines = stdout.lines().filter(|line| !line.contains("/sh: ") && !line.contains("/env: "));
    (finished.ended, lines.map(str::to_owned).collect(), finished.stderr())
}

#[test]
fn s1_6_a_dyno_whose_command_was_not_executed_says_what_to_do() {
    let app = scripts("a: ./crlf\nb: ./alien\nc: ./env\nd: ./plain\ne: no-such-program\nf: \"no-such x\"\n");
    let (not_found, refused) =
        ("command not found, see the line above", "command cannot be executed, see the line above");
    let crlf = format!("`./crlf` {CRLF}: {NO_CRLF}");
    let alien = format!("`./alien` {ALIEN}: {NO_ALIEN}");
    let env = format!("`./env` {ENV}: {NO_ENV}");
    let quotes = "remove the quotes, which make it a single word: `no-such x`";

    for (name, status, fact, hint) in [
        ("a", 127, not_found, Some(crlf.as_str())),
        ("b", 127, not_found, Some(&alien)),
        ("c", 127, not_found, Some(&env)),
        ("d", 126, refused, Some("run `chmod +x ./plain`")),
        ("e", 127, not_found, None),
        ("f", 127, not_found, Some(quotes)),
    ] {
        let prefix = format!("TIME {name}.1    | ");
        let mut expected =
            vec!["started with pid PID".to_owned(), format!("exited with code {status}"), fact.to_owned()];
        expected.extend(hint.map(|hint| format!("hint: {hint}")));
        let expected: Vec<String> = expected.iter().map(|line| format!("{prefix}{line}")).collect();
        assert_eq!(notices(&app, &[name]), (Ended::Code(status), expected, String::new()), "{name}");
    }
}

#[test]
fn s1_6_a_word_of_bash_suggests_bash() {
    // Not every `sh` lacks these words, so a function takes their place.
    let app = App::new("web: source x; exit 127\ncss: true; [[ -f x ]]; exit 127\n").file("x", "");
    let foreman = app.path("foreman");
    symlink(binary::dyno(), &foreman).unwrap();

    for (name, word) in [("web", "source"), ("css", "[[")] {
        let lines = |hint: &str| {
            ["started with pid PID", "exited with code 127", "command not found, see the line above", hint]
                .map(|line| format!("TIME {name}.1  | {line}"))
                .to_vec()
        };
        let hint = format!("hint: `{word}` needs bash: write `bash -c '…'` around the command");
        let with_profile = format!("{hint}, or add `--profile`");
        assert_eq!(notices(&app, &[name]), (Ended::Code(127), lines(&with_profile), String::new()));
        let finished = app.dyno(["start", name]).program(&foreman).run();
        let stdout = finished.stdout();
        let shown: Vec<&str> = stdout.lines().filter(|line| !line.contains("/sh: ")).collect();
        assert_eq!(shown, lines(&hint));
    }
}

#[test]
fn s6_8_called_as_foreman_a_debugger_prompt_suggests_no_option() {
    let app = App::new("web: ./web\n").script("web", "printf '(Pdb) '; read -r _ <end\n").fifo("end");
    let foreman = app.path("foreman");
    symlink(binary::dyno(), &foreman).unwrap();
    let dyno = app.dyno(["start"]).program(&foreman).spawn();
    dyno.until_shown("no key reaches it\n");
    app.release("end");

    let stdout = "TIME web.1  | started with pid PID\n\
                  TIME web.1  | (Pdb) \n\
                  TIME system | web.1 waits at a debugger prompt, and no key reaches it\n\
                  TIME web.1  | exited with code 0\n";
    dyno.finish().expect(Ended::Code(0), stdout, "");
}

#[test]
fn s1_7_procfile_dev_is_mentioned_only_if_the_app_starts() {
    let app = App::new("web: true\n").file("Procfile.dev", "css: true\n");
    let unknown = |name: &str| format!("the Procfile has no process type `{name}`");

    each_fails(&app, 2, &[("start Procfile.dev", &unknown("Procfile.dev"), "did you mean `-f Procfile.dev`?")]);
    each_fails(&app, 2, &[("start nope", &unknown("nope"), "it has `web`")]);
    let stdout = "TIME web.1  | started with pid PID\nTIME web.1  | exited with code 0\n";
    let warning =
        "warning: Procfile is used, but `Procfile.dev` exists as well\nhint: to use it, add `-f Procfile.dev`\n";
    app.dyno(["start"]).run().expect(Ended::Code(0), stdout, warning);
}

#[test]
fn s2_1_a_procfile_after_e_suggests_f() {
    let app = App::new("web: true\n");

    let stdout = "TIME web.1  | started with pid PID\nTIME web.1  | exited with code 0\n";
    let warning =
        "warning: Procfile is read as a file of config vars\nhint: to use it as the Procfile, write `-f Procfile`\n";
    app.dyno(["start", "-e", "Procfile"]).run().expect(Ended::Code(0), stdout, warning);
}

#[test]
fn every_hint_about_a_wrong_name_has_something_to_type() {
    let app = web_and_worker().file("api/.keep", "").file(".env", "A=1\n");
    let missing = |name: &str| format!("the directory `{name}` cannot be used: No such file or directory");
    each_fails(
        &app,
        78,
        &[
            ("start -d apo", &missing("apo"), "did you mean `-d api`?"),
            ("start -d nowhere", &missing("nowhere"), "leave out `-d` to use the current directory"),
            (
                "config --explain NOPE",
                "`NOPE` is not set",
                "`dyno config` lists the config vars; `--set NOPE=VALUE` or a line in .env adds one",
            ),
        ],
    );
    let excluded = "nothing to start: `-x` excludes every type that would run";
    each_fails(&app, 2, &[("start -x web,worker", excluded, "to run only `web`, write `-x worker`")]);
    let alone = App::new("web: true\n");
    each_fails(&alone, 2, &[("start -x web", excluded, "leave out `-x`")]);

    let warning = "warning: the Procfile has no process type `nope` to leave out\nhint: it has `web`, `worker`\n";
    let error = "error: nothing to start: every type has quantity 0\n\nhint: give a type a quantity, such as `web=1`\n";
    app.dyno(["start", "-m", "nope=0"]).run().expect(Ended::Code(2), "", &format!("{warning}{error}"));

    let root = App::new("web: true\n").file("api/.keep", "").file(".foreman", "root: apo\n");
    let fact = format!(".foreman:1: {}", missing("apo"));
    each_fails(&root, 78, &[("start", &fact, "did you mean `root: api`?")]);
}

#[test]
fn s4_5_an_unknown_key_fails_check_and_suggests_the_nearest() {
    let start = "TIME web.1  | started with pid PID\nTIME web.1  | exited with code 0\n";
    for (text, key, hint) in [
        ("prot: 1\n", "prot", "did you mean `port`?"),
        ("xyzzy: 1\n", "xyzzy", "the keys are `port`, `formation`, `concurrency` and 10 more"),
    ] {
        let app = App::new("web: true\n").file(".foreman", text);
        let message = format!(": .foreman:1: `{key}` has no effect\nhint: {hint}\n");
        app.dyno(["start"]).run().expect(Ended::Code(0), start, &format!("warning{message}"));
        app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error{message}"));
    }
    // Keys that mean something to foreman are not worth a word.
    let app = App::new("web: true\n").file(".foreman", "app: x\nuser: bob\nrun: x\nlog: /var/log\n");
    app.dyno(["start"]).run().expect(Ended::Code(0), start, "");
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", "");
}

#[test]
fn s4_5_a_wrong_timeout_is_worded_like_that_of_the_option() {
    let app = App::new("web: true\n").file(".foreman", "timeout: soon\n");
    let hint = "write a whole number of seconds from 0 to 86400, as in `timeout: 5`";
    each_fails(&app, 78, &[("start", ".foreman:1: `soon` is not a valid value for `timeout`", hint)]);
    let option = "`soon` is not a valid value for `--timeout`";
    let app = App::new("web: true\n");
    each_fails(&app, 2, &[("start -t soon", option, "write a number of seconds from 0 to 86400")]);
}

#[test]
fn s5_2_start_and_check_name_a_wrong_port_of_a_file_in_the_same_way() {
    let app = App::new("web: true\n").file(".env", "PORT=x\n");
    let fact = ".env:1: `PORT` is not a port number from 1 to 65535";

    each_fails(&app, 78, &[("start", fact, "give a port such as `-p 5000`, or `-p auto`")]);
    app.dyno(["check"]).run().expect(
        Ended::Code(78),
        "",
        &format!("error: {fact}\nhint: write a line such as `PORT=5000`\n"),
    );
}

#[test]
fn s1_4_a_name_without_its_colon_is_kept_as_the_name() {
    let app = App::new("web: true\ncss npm run css\nnpm run js\ncss\n");
    let stderr = "error: Procfile:2: the colon after `css` is missing\nhint: write `css: npm run css`\n\
                  error: Procfile:3: `npm run js` has no process type\nhint: write `web: npm run js`\n\
                  error: Procfile:4: `css` has no process type\nhint: write `web: css`\n";
    app.dyno(["check"]).run().expect(Ended::Code(78), "", stderr);
}
