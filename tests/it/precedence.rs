//! Which source wins if several set the same value: files, shell, `--set`, `.foreman`, options (S2.5, S3.1, S4.5,
//! S5.2).

use crate::binary;
use crate::harness::{App, Ended};

#[test]
fn s3_1_set_wins_over_the_files_and_the_shell() {
    let app = App::new("web: true\n").file(".env", "A=file\n");

    for prefer in [&[][..], &["--prefer-shell"]] {
        let call = app.dyno(["run", "--set", "A=first", "--set", "A=set", "--set", "B=x=y z"]).env("A", "shell");

        call.args(prefer).args(&["echo \"$A $B\""]).run().expect(Ended::Code(0), "set x=y z\n", "");
    }
}

#[test]
fn s3_1_files_win_over_the_shell_unless_prefer_shell_is_given() {
    let app = App::new("web: true\n").file(".env", "A=file\nONLY_FILE=1\n");
    let answers = |args: &[&str], stdout: &str| {
        let call = app.dyno([]).env("A", "shell").env("ONLY_SHELL", "2");
        call.args(args).run().expect(Ended::Code(0), stdout, "");
    };

    answers(&["run", "echo $A $ONLY_FILE $ONLY_SHELL"], "file 1 2\n");
    answers(&["run", "--prefer-shell", "echo $A $ONLY_FILE $ONLY_SHELL"], "shell 1 2\n");
    answers(&["config"], "A=file\nONLY_FILE=1\n");
    answers(&["config", "--prefer-shell"], "A=shell\nONLY_FILE=1\n");
    answers(&["config", "--prefer-shell", "--json"], "{\"A\":\"shell\",\"ONLY_FILE\":\"1\"}\n");
    answers(&["config", "--explain", "A"], "A comes from .env:1\n  and overrides the shell\n");
    answers(&["config", "--prefer-shell", "--explain", "A"], "A comes from the shell\n  and overrides .env:1\n");
}

#[test]
fn s3_1_dynos_of_a_nested_run_have_their_own_names() {
    let dyno = binary::dyno();
    let names = "echo $DYNO $PS $FOREMAN_WORKER_NAME $HONCHO_PROCESS_NAME";
    let nested = |command: &str, options: &str| {
        let app = App::empty()
            .file("Procfile", format!("outer: \"{dyno}\" {command} -f Inner --no-prefix -e {options}\n"))
            .file("Inner", format!("release: {names}\ninner: {names}\n"))
            .file("mine", "FOREMAN_WORKER_NAME=mine\n");
        let finished = app.dyno(["start"]).env("HONCHO_PROCESS_NAME", "shell").run();
        finished.lines_of("outer.1")
    };
    // The value that the user set is kept, and the name that the outer run gave is not.
    let own = |name: &str| format!("{name} {name} {name} shell");

    let started = nested("start", "/dev/null");
    assert!(started.contains(&own("release.1")) && started.contains(&own("inner.1")), "{started:?}");
    let released = nested("release", "mine --prefer-shell");
    assert!(released.contains(&"release.1 release.1 mine shell".to_owned()), "{released:?}");
    let app = App::new("web: true\n");
    let run = app.dyno(["run", "echo $HONCHO_PROCESS_NAME"]).env("HONCHO_PROCESS_NAME", "shell").run();
    run.expect(Ended::Code(0), "shell\n", "");
    let run = app.dyno(["run", "test $HONCHO_PROCESS_NAME = $DYNO"]).env("HONCHO_PROCESS_NAME", "web.1");
    run.env("DYNO_SESSION", "outer").env("DYNO", "web.1").run().expect(Ended::Code(0), "", "");
}

#[test]
fn s2_5_a_reference_uses_the_value_that_wins() {
    let app = App::new("web: true\n").file(".env", "HOST=file\nURL=http://${HOST}/${ONLY_SHELL:-none}\n");
    let url = |args: &[&str], shell: &str, stdout: &str| {
        let call = app.dyno(["run"]).env("HOST", shell).args(args);
        call.args(&["printenv", "URL"]).run().expect(Ended::Code(0), stdout, "");
    };

    url(&[], "shell", "http://file/none\n");
    url(&["--prefer-shell"], "shell", "http://shell/none\n");
    let both = app.dyno(["config", "--prefer-shell"]).env("HOST", "shell").env("ONLY_SHELL", "2").run();
    both.expect(Ended::Code(0), "HOST=shell\nURL=http://shell/2\n", "");
}

#[test]
fn s5_2_port_in_a_file_wins_over_the_shell_unless_prefer_shell_is_given() {
    let with_file = App::new("job: echo $PORT\n").file(".env", "PORT=6000\n");
    let without = App::new("job: echo $PORT\n").file(".env", "PORT=\n");
    let starts_at = |app: &App, args: &[&str], port: &str| {
        let finished = app.dyno(["start", "--no-timestamps"]).env("PORT", "7000").args(args).run();
        let stdout = format!("job.1  | started with pid PID\njob.1  | {port}\njob.1  | exited with code 0\n");
        finished.expect(Ended::Code(0), &stdout, "");
    };

    starts_at(&with_file, &[], "6000");
    starts_at(&with_file, &["--prefer-shell"], "7000");
    starts_at(&with_file, &["--prefer-shell", "-p", "8000"], "8000");
    starts_at(&without, &[], "7000");
    let neither = with_file.dyno(["start", "--prefer-shell"]).run();
    assert_eq!(neither.lines_of("job.1")[1], "6000", "{}", neither.stdout());
    let bad = with_file.dyno(["start", "--prefer-shell"]).env("PORT", "x").run();
    let fact = "error: `PORT` in the shell is not a port number from 1 to 65535\n";
    bad.expect(Ended::Code(2), "", &format!("{fact}\nhint: give a port such as `-p 5000`, or `-p auto`\n"));
}

#[test]
fn s5_2_set_port_wins_over_files_but_not_over_the_port_option() {
    let app = App::new("job: echo $PORT\n").file(".env", "PORT=6000\n").file("foreman/.foreman", "port: 6500\n");
    let starts_at = |args: &[&str], port: &str| {
        let finished = app.dyno(["start", "--set", "PORT=1", "--set"]).env("PORT", "5500").args(args).run();
        assert_eq!(finished.lines_of("job.1")[1], port, "{}", finished.stdout());
    };

    starts_at(&["PORT=7000"], "7000");
    starts_at(&["PORT=7000", "--prefer-shell"], "7000");
    starts_at(&["PORT=7000", "-d", "foreman", "-f", "Procfile", "-e", ".env"], "7000");
    starts_at(&["PORT=7000", "-p", "8000"], "8000");
    starts_at(&["PORT="], "6000");
    let bad = app.dyno(["start", "--set", "PORT=hunter2"]).run();
    let fact = "error: `PORT` given with `--set` is not a port number from 1 to 65535\n";
    bad.expect(Ended::Code(2), "", &format!("{fact}\nhint: give a port such as `-p 5000`, or `-p auto`\n"));
}

#[test]
fn s9_1_run_finds_programs_in_the_path_that_the_files_set() {
    let app = App::new("job: greet me\n").script("tools/greet", "echo hello \"$@\"\n");
    let tools = app.path("tools").display().to_string();
    let app = app.file(".env", format!("PATH={tools}:${{PATH}}\n")).file("alone.env", format!("PATH={tools}\n"));

    for words in [&["greet", "you"][..], &["greet you"]] {
        app.dyno(["run"]).args(words).run().expect(Ended::Code(0), "hello you\n", "");
    }
    app.dyno(["run", "job"]).run().expect(Ended::Code(0), "hello me\n", "");
    // A program that is only on the `PATH` of the shell is not found.
    app.dyno(["run", "-e", "alone.env", "printenv", "PATH"]).run().expect(
        Ended::Code(127),
        "",
        "error: `printenv` was not found\n\n\
         hint: it is neither a process type of the Procfile nor a program on `PATH`; a program of the app needs its path, such as `bin/rails`\n",
    );
}

#[test]
fn s4_5_quantities_of_an_option_replace_all_quantities_of_dot_foreman() {
    for setting in ["formation: web=0, worker=3", "concurrency: web=4, worker=3"] {
        let app = App::new("web: true\nworker: true\n").file(".foreman", format!("{setting}\n"));

        let finished = app.dyno(["start", "-c", "web=2", "--can-die", "web,worker", "--port-step", "10"]).run();

        finished.expect_end(Ended::Code(0));
        let dynos: Vec<String> = finished.lines().into_keys().filter(|name| name != "system").collect();
        assert_eq!(dynos, ["web.1", "web.2", "worker.1"], "{setting}: {}", finished.stdout());
    }
}

#[test]
fn s4_5_color_and_timestamp_of_dot_foreman_are_defaults_of_the_options() {
    let app = App::new("web: echo up\n").file(".foreman", "color: true\ntimestamp: false\n");
    let first_line = |name: &str, args: &[&str]| {
        let finished = app.called(name, ["start"]).args(args).run();
        finished.stdout().lines().next().unwrap_or_default().to_owned()
    };
    let web = "\u{1b}[36mweb.1  |";

    let by_file = first_line("dyno", &[]);
    assert!(by_file.starts_with(web), "{by_file:?}");
    let never = first_line("dyno", &["--color", "never"]);
    assert!(never.starts_with("web.1  |"), "{never:?}");
    let foreman = first_line("foreman", &["--timestamp", "--no-color"]);
    assert!(foreman.starts_with("TIME web.1  |"), "{foreman:?}");
    // That file is not honcho's.
    let honcho = first_line("honcho", &[]);
    assert!(honcho.starts_with("TIME web.1  |"), "{honcho:?}");
}

#[test]
fn s1_7_with_prefer_shell_the_procfile_of_the_shell_wins_over_that_of_env() {
    let app = App::empty().file("A", "a: true\n").file("B", "b: true\n").file(".env", "PROCFILE=A\n");
    let started = |args: &[&str]| app.dyno(["start"]).args(args).env("PROCFILE", "B").run().stdout().clone();

    assert!(started(&[]).contains(" a.1 "), "the file wins");
    assert!(started(&["--prefer-shell"]).contains(" b.1 "), "the shell wins");
}
