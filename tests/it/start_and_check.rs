//! Whatever `start` refuses, `check` reports, in the same words (S4.4, S4.5, S5.1).

use crate::app::App;
use crate::harness::Ended;

const LOWER: &str = "start from a lower port with `-p`, or set a smaller `--port-step`";
const LARGER: &str = "set a larger `--port-step`, or `--port-step 0` to share one port";
const SCRIPT: &str = "put it in a script and run the script";
const TWO: &str = "web: touch started\nworker: touch started\n";

/// An app that cannot start: its Procfile, another file, the status of a start, and what both commands say.
type Bad<'a> = (&'a str, (&'a str, &'a str), i32, &'a [(&'a str, &'a str)]);

fn said(pairs: &[(&str, &str)], between: &str) -> String {
    pairs.iter().map(|(fact, hint)| format!("error: {fact}\n{between}hint: {hint}\n")).collect::<Vec<_>>().concat()
}

#[test]
fn s4_5_start_and_check_refuse_the_same_apps_in_the_same_words() {
    let long = format!("web: {0}\nworker: true\nbig: {0}\n", "x".repeat(140_000));
    let too_long = |place: &str| format!("Procfile:{place} is 140006 bytes long, and the system allows 131072");
    let (first, last) = (too_long("1: the command of `web`"), too_long("3: the command of `big`"));
    let many = (1..=607).map(|n| format!("t{n}: touch started\n")).collect::<Vec<_>>().concat();
    let variable = format!("A=1\nBIG={}\n", "x".repeat(131_073 - 5));
    let only_release = ("nothing to start: the Procfile defines only `release`", "run it with `dyno release`");
    let zero = |line: u8| format!(".foreman:{line}: nothing to start: every type has quantity 0");
    let (zero_1, zero_2) = (zero(1), zero(2));
    let unknown = (".foreman:1: the Procfile has no process type `wbe`", "did you mean `web`?");
    let none = ("", "");
    let table: [Bad<'_>; 14] = [
        ("release: touch started\n", none, 2, &[only_release]),
        ("release: touch started\n", (".foreman", "port: 7000\n"), 2, &[only_release]),
        (
            "release: touch started\n",
            (".foreman", "formation: web=1\n"),
            78,
            &[(".foreman:1: the Procfile has no process type `web`", "it defines no process types")],
        ),
        (TWO, (".foreman", "formation: all=0\n"), 78, &[(&zero_1, "give a type a quantity, such as `web=1`")]),
        (TWO, (".foreman", "\nconcurrency: all=0\n"), 78, &[(&zero_2, "give a type a quantity, such as `web=1`")]),
        (
            TWO,
            (".foreman", "formation: wbe=1\nconcurrency: web=x\n"),
            78,
            &[unknown, (".foreman:2: `x` is not a quantity for `web`", "write a number, such as `web=1`")],
        ),
        (TWO, (".foreman", "formation: wbe=1\nport: 65535\n"), 78, &[unknown]),
        (
            TWO,
            (".env", "A=1\nPORT=65500\n"),
            78,
            &[(".env:2: `worker.1` would get port 65600, but the highest port is 65535", LOWER)],
        ),
        (
            TWO,
            (".foreman", "port: 65500\n"),
            78,
            &[(".foreman:1: `worker.1` would get port 65600, but the highest port is 65535", LOWER)],
        ),
        (
            TWO,
            (".foreman", "formation: web=101,worker=1\n"),
            78,
            &[("Procfile:2: `web.101` and `worker.1` would both get port 5100", LARGER)],
        ),
        (&many, none, 78, &[("Procfile:607: `t607.1` would get port 65600, but the highest port is 65535", LOWER)]),
        (&long, none, 78, &[(&first, SCRIPT), (&last, SCRIPT)]),
        (
            TWO,
            (".env", &variable),
            78,
            &[(
                ".env:2: `BIG` is 131073 bytes long; the limit for a variable is 131072",
                "write the value to a file and set the variable to its path",
            )],
        ),
        (
            &long,
            (".env", &variable),
            78,
            &[
                (&first, SCRIPT),
                (&last, SCRIPT),
                (
                    ".env:2: `BIG` is 131073 bytes long; the limit for a variable is 131072",
                    "write the value to a file and set the variable to its path",
                ),
            ],
        ),
    ];
    for (procfile, (name, text), status, pairs) in table {
        let app = App::new(procfile);
        let app = if name.is_empty() { app } else { app.file(name, text) };

        let (start, check) = (app.dyno(["start"]).run(), app.dyno(["check"]).run());

        start.expect(Ended::Code(status), "", &said(pairs, "\n"));
        check.expect(Ended::Code(78), "", &said(pairs, ""));
        assert!(!app.has("started"));
    }
}

#[test]
fn check_reports_every_step_and_start_only_the_first() {
    let app = App::new(TWO).file(".env", "PORT=abc\n").file(".foreman", "formation: wbe=1\n");
    let unknown = (".foreman:1: the Procfile has no process type `wbe`", "did you mean `web`?");
    let port = (".env:1: `PORT` is not a port number from 1 to 65535", "write a line such as `PORT=5000`");

    app.dyno(["start"]).run().expect(Ended::Code(78), "", &said(&[unknown], "\n"));
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &said(&[unknown, port], ""));
}

#[test]
fn s5_1_the_port_of_the_shell_does_not_change_what_check_reports() {
    let app = App::new(TWO).file(".foreman", "formation: web=101,worker=1\n");
    let both = |place: &str, port: u32| format!("{place}`web.101` and `worker.1` would both get port {port}");

    let start = app.dyno(["start"]).env("PORT", "6000").run();
    start.expect(Ended::Code(2), "", &said(&[(&both("", 6100), LARGER)], "\n"));
    let check = app.dyno(["check"]).env("PORT", "6000").run();
    check.expect(Ended::Code(78), "", &said(&[(&both("Procfile:2: ", 5100), LARGER)], ""));
}

#[test]
fn s4_4_a_procfile_with_only_a_release_fails_a_check_of_every_name() {
    let app = App::new("release: true\n");
    let error = said(&[("nothing to start: the Procfile defines only `release`", "run it with `dyno release`")], "");

    let json: serde_json::Value = serde_json::from_slice(&app.dyno(["check", "--json"]).run().stdout).unwrap();
    let problem = serde_json::json!([{
        "severity": "error", "file": "Procfile", "line": null,
        "message": "nothing to start: the Procfile defines only `release`", "hint": "run it with `dyno release`",
    }]);
    assert_eq!(json["problems"], problem);
    for name in ["foreman", "honcho"] {
        app.called(name, ["check"]).run().expect(Ended::Code(1), "", &error);
    }
    app.dyno(["release"]).run().expect_end(Ended::Code(0));
}
