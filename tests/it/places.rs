//! Where `dyno` looks for the files of an app, and in which directory commands run (S1.1, S1.7, S2.1, S4.5, S9.1).
//!
//! The content of each file names its directory. Differences under the names `foreman` and `honcho` are in
//! `other_names`.

use crate::harness::{App, Ended};

/// An app whose directory `sub` has the same files.
fn app_in_app() -> App {
    let file = |app: App, name: &str, content: fn(&str) -> String| {
        app.file(name, content("app")).file(&format!("sub/{name}"), content("sub"))
    };
    let app = file(App::empty(), "Procfile", |place| format!("of_{place}: cat place\n"));
    file(app, "place", |place| format!("{place}\n"))
}

#[test]
fn s1_1_a_pipe_of_the_shell_can_be_the_procfile_or_the_env_file() {
    let app = App::empty();
    // The same as `<(…)` in other shells: a pipe, and its path as the file name.
    let piped = "printf 'web: echo $A in ${PWD##*/}\\n' | {\n\
                 printf 'A=1\\n' | exec \"$0\" \"$@\" 4<&0 </dev/null\n\
                 } 3<&0";

    for folder in ["/dev/fd", "/proc/self/fd"] {
        let (procfile, env) = (format!("{folder}/3"), format!("{folder}/4"));
        let words = ["start", "--no-timestamps", "-f", &procfile, "-e", &env];
        let finished = app.dyno(words).under(&["sh", "-c", piped]).run();

        finished.expect(
            Ended::Code(0),
            "web.1  | started with pid PID\n\
             web.1  | 1 in app\n\
             web.1  | exited with code 0\n",
            "",
        );
    }
}

#[test]
fn s1_7_procfile_from_the_shell_is_used_unless_env_or_an_option_wins() {
    let app = App::new("by_default: true\n")
        .file("of_option", "by_option: true\n")
        .file("of_env", "by_env: true\n")
        .file("of_shell", "by_shell: true\n")
        .file("of_foreman", "by_foreman: true\n")
        .file("sub/of_shell", "by_shell_in_sub: true\n");
    let uses = |app: &App, shell: &str, args: &[&str], name: &str| {
        let checked = app.dyno(["check"]).env("PROCFILE", shell).args(args).run();
        checked.expect(Ended::Code(0), &format!("valid procfile detected ({name})\n"), "");
    };

    uses(&app, "of_shell", &[], "by_shell");
    uses(&app, "of_shell", &["-d", "sub"], "by_shell_in_sub");
    uses(&app, "of_shell", &["-f", "of_option"], "by_option");
    uses(&app, "", &[], "by_default");
    let app = app.file(".foreman", "procfile: of_foreman\n");
    uses(&app, "of_shell", &[], "by_shell");
    uses(&app, "", &[], "by_foreman");
    let app = app.file(".env", "PROCFILE=of_env\n");
    uses(&app, "of_shell", &[], "by_env");
    uses(&app, "of_shell", &["-f", "of_option"], "by_option");
    let app = app.file(".env", "PROCFILE=\n");
    uses(&app, "of_shell", &[], "by_shell");
    uses(&app, "", &[], "by_foreman");
    let checked = app.dyno(["run", "--set", "PROCFILE=of_option", "by_option"]).env("PROCFILE", "of_shell").run();
    checked.expect(Ended::Code(0), "", "");
    let missing = app.dyno(["check", "-e", ""]).env("PROCFILE", "gone").run();
    let fact = "error: gone does not exist (named by `PROCFILE` in the shell)\n";
    missing.expect(Ended::Code(78), "", &format!("{fact}hint: check the name; there is `Procfile`\n"));
}

#[test]
fn s2_1_without_env_in_the_root_the_one_in_the_current_directory_is_read() {
    let app = app_in_app().file(".env", "A=app\n");
    let reads = |app: &App, args: &[&str], vars: &str| {
        app.dyno(["config"]).args(args).run().expect(Ended::Code(0), vars, "");
    };

    reads(&app, &["-d", "sub"], "A=app\n");
    reads(&app, &["-f", "sub/Procfile"], "A=app\n");
    let app = app.file("sub/.env", "B=sub\n");
    reads(&app, &["-d", "sub"], "B=sub\n");
    reads(&app, &["-f", "sub/Procfile"], "B=sub\n");
    reads(&app, &[], "A=app\n");
    // The path of `-e` is relative to the current directory, not to the root.
    reads(&app, &["-d", "sub", "-e", ".env"], "A=app\n");
}

#[test]
fn s4_5_dot_foreman_is_read_from_dash_d_or_the_current_directory() {
    let app = app_in_app()
        .file(".foreman", "env: vars\n")
        .file("vars", "A=app\n")
        .file("sub/.foreman", "env: vars\n")
        .file("sub/vars", "B=sub\n")
        .file("bare/Procfile", "web: true\n");
    let reads = |args: &[&str], place: &str, vars: &str| {
        app.dyno(["config"]).after(&format!("cd {place}")).args(args).run().expect(Ended::Code(0), vars, "");
    };

    reads(&[], ".", "A=app\n");
    reads(&[], "sub", "B=sub\n");
    reads(&["-d", "sub"], ".", "B=sub\n");
    reads(&["-d", ".."], "sub", "A=app\n");
    reads(&["-d", "bare"], ".", "");
    // `-f` does not change where `.foreman` is read from.
    reads(&["-f", "sub/Procfile"], ".", "A=app\n");
}

#[test]
fn s4_5_root_in_dot_foreman_applies_to_all_files_and_commands() {
    let app = app_in_app().file(".env", "A=app\n").file("sub/.env", "A=sub\n").file("more/.foreman", "root: ../sub\n");
    let app = app.file(".foreman", "root: sub\n");

    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (of_sub)\n", "");
    app.dyno(["config"]).run().expect(Ended::Code(0), "A=sub\n", "");
    app.dyno(["run", "of_sub"]).run().expect(Ended::Code(0), "sub\n", "");
    app.dyno(["start", "--no-timestamps"]).run().expect(
        Ended::Code(0),
        "of_sub.1 | started with pid PID\nof_sub.1 | sub\nof_sub.1 | exited with code 0\n",
        "",
    );
    // `root` is relative to the directory of `.foreman`, and only `-d` overrides it.
    app.dyno(["run", "cat", "place"]).after("cd more").run().expect(Ended::Code(0), "sub\n", "");
    app.dyno(["run", "-f", "Procfile", "of_app"]).run().expect(Ended::Code(0), "sub\n", "");
    app.dyno(["run", "-d", ".", "of_app"]).run().expect(Ended::Code(0), "app\n", "");
    app.dyno(["run", "-d", "more", "pwd"]).run().expect(
        Ended::Code(0),
        &format!("{}\n", app.path("more").canonicalize().unwrap().display()),
        "",
    );
}

#[test]
fn s9_1_the_root_is_the_working_directory_of_run() {
    let app = app_in_app().script("sub/tool", "cat place\n");

    for root in [["-d", "sub"], ["-f", "sub/Procfile"], ["--root", "sub/."]] {
        for command in [&["cat", "place"][..], &["cat place"], &["of_sub"], &["./tool"]] {
            app.dyno(["run"]).args(&root).args(command).run().expect(Ended::Code(0), "sub\n", "");
        }
    }
    app.dyno(["run", "cat", "place"]).run().expect(Ended::Code(0), "app\n", "");
    app.dyno(["run", "-d", "..", "of_app"]).after("cd sub").run().expect(Ended::Code(0), "app\n", "");
}

#[test]
fn s13_2_app_root_is_accepted_but_not_listed() {
    let app = app_in_app();

    app.dyno(["check", "--app-root", "sub"]).run().expect(Ended::Code(0), "valid procfile detected (of_sub)\n", "");
    app.dyno(["--app-root=sub", "run", "cat", "place"]).run().expect(Ended::Code(0), "sub\n", "");
    let help = app.dyno(["help", "check"]).run().stdout();
    assert!(help.contains("--root") && !help.contains("--app-root"), "{help}");
}
