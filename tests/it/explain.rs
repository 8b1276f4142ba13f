//! `dyno config --explain`: where ports and values come from (S3.2, S5.2), and hints that lead to it.

use crate::harness::{App, Ended};

fn app() -> App {
    App::new("release: true\nweb: true\nworker: true\n")
}

#[test]
fn s3_2_explain_port_shows_the_base_and_the_port_of_each_dyno() {
    let app = app().file(".env", "PORT=7000\n");

    let explained = app.dyno(["config", "--explain", "PORT"]).run();

    explained.expect(Ended::Code(0), "base 7000 from .env:1; web.1 7000, worker.1 7100\n", "");
}

#[test]
fn s5_2_explain_port_names_the_source_of_the_base_and_what_it_overrides() {
    let app = app()
        .file("a.env", "PORT=7000\n")
        .file("b.env", "A=1\nPORT=1\nPORT=8000\n")
        .file("empty.env", "PORT=\n")
        .file("foreman/.foreman", "port: 6000\nformation: web=2\n");
    let explains = |args: &[&str], shell: &str, base: &str, overridden: &[&str]| {
        let explained = app.dyno(["config", "--explain", "PORT"]).args(args).env("PORT", shell).run();
        let overridden: String = overridden.iter().map(|source| ["  and overrides ", source, "\n"].concat()).collect();
        explained.expect(Ended::Code(0), &format!("base {base}\n{overridden}"), "");
    };

    explains(&["-e", "empty.env"], "9000", "9000 from the shell; web.1 9000, worker.1 9100", &[]);
    explains(
        &["-e", "a.env,b.env"],
        "9000",
        "8000 from b.env:3; web.1 8000, worker.1 8100",
        &["b.env:2", "a.env:1", "the shell"],
    );
    let prefer_shell = ["-e", "a.env", "--prefer-shell"];
    explains(&prefer_shell, "9000", "9000 from the shell; web.1 9000, worker.1 9100", &["a.env:1"]);
    explains(
        &["-e", "a.env", "--set", "PORT=4000"],
        "9000",
        "4000 from `--set`; web.1 4000, worker.1 4100",
        &["a.env:1", "the shell"],
    );
    let all = ["-d", "foreman", "-f", "Procfile", "-e", "a.env", "--set", "PORT=4000", "-p", "3000"];
    let overridden = ["`--set`", "foreman/.foreman:1", "a.env:1", "the shell"];
    explains(&all, "9000", "3000 from `-p`; web.1 3000, web.2 3001", &overridden);
    explains(&all[..8], "9000", "4000 from `--set`; web.1 4000, web.2 4001", &overridden[1..]);
    explains(&all[..6], "9000", "6000 from foreman/.foreman:1; web.1 6000, web.2 6001", &overridden[2..]);
    let auto = ["-e", "a.env", "-p", "auto"];
    explains(&auto, "9000", "from `-p`: free ports are chosen when the app starts", &["a.env:1", "the shell"]);
}

#[test]
fn s5_2_without_a_procfile_only_the_base_is_explained() {
    let app = App::empty().file(".env", "PORT=7000\n");

    app.dyno(["config", "--explain", "PORT"]).run().expect(Ended::Code(0), "base 7000 from .env:1\n", "");
}

#[test]
fn s5_2_explain_port_refuses_what_start_would_refuse() {
    let refused = |app: &App, args: &[&str], status: i32, fact: &str, hint: &str| {
        for command in [&["config", "--explain", "PORT"][..], &["start"]] {
            let finished = app.dyno([]).args(command).args(args).run();
            finished.expect(Ended::Code(status), "", &format!("error: {fact}\n\nhint: {hint}\n"));
        }
    };
    let port = "give a port such as `-p 5000`, or `-p auto`";
    let lower = "start from a lower port with `-p`, or set a smaller `--port-step`";

    refused(&app(), &["-p", "abc"], 2, "`-p abc` is not a port number from 1 to 65535", port);
    let bad = app().file(".env", "PORT=abc\n");
    refused(&bad, &[], 78, ".env:1: `PORT` is not a port number from 1 to 65535", port);
    let high = app().file(".env", "PORT=65500\n");
    refused(&high, &[], 78, ".env:1: `worker.1` would get port 65600, but the highest port is 65535", lower);
}

#[test]
fn s3_2_an_unknown_key_suggests_the_nearest() {
    let app = app().file(".env", "DATABASE_URL=x\nREDIS_URL=y\n");
    for (typed, hint) in [
        ("DATABSE_URL", "did you mean `DATABASE_URL`?"),
        ("database_url", "did you mean `DATABASE_URL`?"),
        ("POTR", "did you mean `PORT`?"),
        ("DYNOS", "did you mean `DYNO`?"),
        ("XYZZY_PLUGH", "`dyno config` lists the config vars; `--set XYZZY_PLUGH=VALUE` or a line in .env adds one"),
    ] {
        let explained = app.dyno(["config", "--explain", typed]).run();
        explained.expect(Ended::Code(78), "", &format!("error: `{typed}` is not set\n\nhint: {hint}\n"));
    }
}

#[test]
fn s3_2_a_key_after_config_gets_a_hint_to_explain() {
    let app = app().file(".env", "A=1\n");
    for (word, key) in [("DATABASE_URL", "DATABASE_URL"), ("A=hunter2", "KEY")] {
        let error = format!(
            "error: `dyno config` does not accept a key: it shows every config var\n\n\
             hint: `dyno config:get {key}` prints it; `dyno config --explain {key}` shows where it comes from\n"
        );
        app.dyno(["config", word]).run().expect(Ended::Code(2), "", &error);
        app.dyno(["config", "--json", word]).run().expect(Ended::Code(2), "", &error);
    }
}

#[test]
fn s9_1_an_empty_command_of_run_is_a_usage_error() {
    let app = app().fifo(".env");
    let error = "error: the command is empty\n\n\
                 hint: a variable in the command may be empty; write a command such as `dyno run rails console`\n";

    for words in [&[""][..], &["  \t"], &["", "ls"], &["--", ""]] {
        app.dyno(["run"]).args(words).run().expect(Ended::Code(2), "", error);
    }
    app.dyno(["local:run", ""]).run().expect(Ended::Code(2), "", error);
}
