//! The tables of the README for people who come from another tool: each row, in the order of the tables.
//!
//! A row that says "same" is given the other tool's own words. What the drop-in names do besides is in `drop_in`.

use std::os::unix::fs::symlink;

use crate::harness::{App, Call, Ended, Finished};

/// Each dyno prints its port and ends alone.
const PORTS: &str = "web: echo $PORT\nworker: echo $PORT\nclock: echo $PORT\n";
const ALL_MAY_END: &str = "web,worker,clock";

/// The binary under another name.
fn called(app: &App, name: &str, line: &str) -> Call {
    let path = app.top().join(name);
    if !path.exists() {
        symlink(env!("CARGO_BIN_EXE_dyno"), &path).unwrap();
    }
    app.dyno([]).program(&path).args(&line.split_whitespace().collect::<Vec<_>>())
}

fn run(app: &App, line: &str) -> Finished {
    app.dyno([]).args(&line.split_whitespace().collect::<Vec<_>>()).run()
}

/// What each dyno printed first, as `web.1 5000`, sorted; `text` after the time.
fn said(finished: &Finished) -> Vec<String> {
    let stdout = finished.stdout();
    let lines = stdout.lines().filter_map(|line| line.strip_prefix("TIME ").unwrap_or(line).split_once("| "));
    let own = ["started with", "exited with", "terminated by", "sending SIGTERM"];
    let mut said: Vec<String> = lines
        .filter(|(_, text)| !own.iter().any(|notice| text.starts_with(notice)))
        .map(|(name, text)| format!("{} {text}", name.trim_end()))
        .collect();
    said.sort();
    said
}

/// The ports that the dynos of an app print, started with these words.
fn ports(line: &str) -> Vec<String> {
    ports_of(&App::new(PORTS), line)
}

fn ports_of(app: &App, line: &str) -> Vec<String> {
    let finished = run(app, &format!("{line} --can-die {ALL_MAY_END}"));
    finished.expect_end(Ended::Code(0));
    said(&finished)
}

#[test]
fn whoever_you_come_from() {
    // `$VAR` in a command; `.env`; a line that cannot be read.
    let app = App::new("web: echo '$A' $A $B $C \"$D\" $E\nnonsense\n")
        .file(".env", "export A=1 # one\nB = it's\nC=p$x\nD=\"two\nlines\"\nE=${A}${Z:-z}\n");
    let finished = run(&app, "start");
    assert_eq!(said(&finished), ["web.1 $A 1 it's p$x two", "web.1 lines 1z"]);
    assert!(finished.stderr().starts_with("warning: Procfile:2: "), "{}", finished.stderr());
    run(&app, "check").expect_end(Ended::Code(78));
    // An unknown process type; the status.
    run(&app, "start wbe").expect_end(Ended::Code(2));
    run(&App::new("web: exit 7\n"), "start").expect_end(Ended::Code(7));
    run(&App::new("web: kill -TERM $$\n"), "start").expect_end(Ended::Code(143));
    // `PORT`; `release:`; one name twice.
    assert_eq!(ports("start clock"), ["clock.1 5200"]);
    let app = App::new("release: echo first\nweb: echo up\n");
    assert_eq!(said(&run(&app, "start")), ["release.1 first", "web.1 up"]);
    assert_eq!(said(&run(&app, "start --no-release")), ["web.1 up"]);
    assert_eq!(said(&run(&app, "start -m all=1,release=0")), ["web.1 up"]);
    let finished = run(&App::new("web: echo one\nweb: echo two\n"), "start");
    assert!(finished.stderr().contains("`web` is defined on line 1 and again here"), "{}", finished.stderr());
    assert_eq!(said(&finished), ["web.1 two"]);
}

#[test]
fn from_foreman_start() {
    assert_eq!(ports("start"), ["clock.1 5200", "web.1 5000", "worker.1 5100"]);
    assert_eq!(ports("start web=2"), ["web.1 5000", "web.2 5001"]);
    assert_eq!(ports("start all=1,web=0"), ["clock.1 5200", "worker.1 5100"]);
    assert_eq!(ports("start web worker"), ["web.1 5000", "worker.1 5100"]);
    assert_eq!(ports("start -m all=1,web=2"), ["clock.1 5200", "web.1 5000", "web.2 5001", "worker.1 5100"]);
    assert_eq!(ports("start web -p 3000 -t 10 --no-color"), ["web.1 3000"]);
    let app =
        App::new("web: false\n").file("sub/Other", "web: echo $A $PS $DYNO $(basename $PWD)\n").file("a", "A=1\n");
    assert_eq!(said(&run(&app, "start -f sub/Other -e a")), ["web.1 1 web.1 web.1 sub"]);
    assert_eq!(said(&run(&app, "start -f sub/Other -d . -e a --no-timestamp")), ["web.1 1 web.1 web.1 app"]);
    run(&app, "start -e missing").expect_end(Ended::Code(78));
    let app = App::new("web: echo .$A.\n").file(".env", "A=1\n");
    assert_eq!(said(&run(&app, "start -e /dev/null")), ["web.1 .."]);
    assert_eq!(said(&app.dyno(["start", "-e", ""]).run()), ["web.1 .."]);
    run(&app, "start -m web=1 -m web=1").expect_end(Ended::Code(2));
    called(&app, "foreman", "start -m web=2 -m web=1").run().expect_end(Ended::Code(0));
}

#[test]
fn from_foreman_colour() {
    let app = App::new("web: echo hi\n");
    let is_coloured = |finished: Finished| finished.stdout.contains(&0x1b);

    assert!(is_coloured(run(&app, "start --color always")));
    assert!(is_coloured(called(&app, "foreman", "start -c").run()));
    assert!(!is_coloured(called(&app, "foreman", "start").run()));
    assert!(!is_coloured(called(&app, "foreman", "start --no-color").env("FORCE_COLOR", "1").run()));
    assert!(!is_coloured(run(&app, "start --color auto")));
}

#[test]
fn from_foreman_the_other_commands() {
    let app = App::new("web: echo from the Procfile\nnonsense\n");

    app.dyno(["run", "echo one; echo two"]).run().expect(Ended::Code(0), "one\ntwo\n", "");
    app.dyno(["run", "web", "x"]).run().expect(Ended::Code(0), "from the Procfile x\n", "");
    called(&app, "foreman", "run web").run().expect(Ended::Code(0), "from the Procfile\n", "");
    called(&app, "foreman", "run nowhere").run().expect_end(Ended::Code(1));
    run(&app, "check").expect_end(Ended::Code(78));
    called(&app, "foreman", "check").run().expect_end(Ended::Code(0));
    run(&app, "s").expect_end(Ended::Code(0));
    let own = concat!("dyno ", env!("CARGO_PKG_VERSION"), "\n");
    run(&app, "version").expect(Ended::Code(0), own, "");
    let version = called(&app, "foreman", "version").run();
    assert_eq!((version.stdout(), version.stderr().starts_with("dyno ")), ("0.90.0\n".to_owned(), true));
    for name in ["foreman", "honcho"] {
        called(&app, name, "export upstart .").run().expect_end(Ended::Code(1));
    }
    let app = App::new(PORTS).file(".foreman", "port: 6000\nformation: worker=1\ntimeout: 3\nenv: a\n").file("a", "");
    assert_eq!(ports_of(&app, "start"), ["worker.1 6100"]);
}

#[test]
fn from_heroku_local() {
    let app = App::new("release: false\nweb: echo $PORT\nworker: echo $PORT\n");
    let may_end = |line: &str| said(&run(&app, &format!("{line} --can-die web,worker")));

    assert_eq!(may_end("local"), ["web.1 5000", "worker.1 5100"]);
    assert_eq!(may_end("local:start web"), ["web.1 5000"]);
    assert_eq!(may_end("local web=1,worker=2 -p 3000"), ["web.1 3000", "worker.1 3100", "worker.2 3101"]);
    let missing = run(&app, "local web -e missing");
    missing.expect_end(Ended::Code(0));
    assert_eq!(missing.stderr(), "warning: missing does not exist\nhint: check the name, or make the file\n");
    for line in ["local:run echo hi", "local run echo hi", "run echo hi"] {
        run(&app, line).expect(Ended::Code(0), "hi\n", "");
    }
    let started = App::empty().dyno(["local", "--start-cmd", "echo on $PORT"]).run();
    assert_eq!(said(&started), ["web.1 on 5000"]);
    run(&App::empty().file("package.json", "{}"), "local").expect_end(Ended::Code(78));
    run(&App::new("web: exit 4\n"), "local").expect_end(Ended::Code(4));
    let app = App::new("web: echo $TOP_INNER\n").file(".env", "{\"top\": {\"inner\": \"json\"}}");
    assert_eq!(said(&run(&app, "local")), ["web.1 json"]);
}

#[test]
fn from_honcho() {
    assert_eq!(ports("start worker"), ["worker.1 5100"]);
    assert_eq!(ports("start -c web=2"), ["clock.1 5200", "web.1 5000", "web.2 5001", "worker.1 5100"]);
    assert_eq!(ports("start -q web"), ["clock.1 5200", "worker.1 5100"]);
    let app = App::new(PORTS).file(".env", "PORT=7000\n");
    assert_eq!(ports_of(&app, "start -p 6000 web --no-colour"), ["web.1 6000"]);
    let app = App::empty().file("sub/Procfile", "web: basename $PWD\n");
    assert_eq!(said(&run(&app, "start -d sub")), ["web.1 sub"]);
    assert_eq!(said(&called(&app, "honcho", "-d sub start").run()), ["web.1 app"]);
    let missing = called(&app, "honcho", "start -d sub -e missing --no-prefix").run();
    missing.expect_end(Ended::Code(0));
    assert!(missing.stderr().starts_with("warning: sub/missing does not exist"), "{}", missing.stderr());
    assert!(missing.stdout().contains("app\n") && !missing.stdout().contains(" | "), "{}", missing.stdout());

    let app = App::new("true: exit 3\n").file(".env", "PROCFILE=Procfile.x\n").file("Procfile.x", "web: echo x\n");
    assert_eq!(said(&run(&app, "start")), ["web.1 x"]);
    run(&app, "run -- echo hi").expect(Ended::Code(0), "hi\n", "");
    run(&app, "run -f Procfile true").expect_end(Ended::Code(3));
    called(&app, "honcho", "run -f Procfile true").run().expect_end(Ended::Code(0));
    run(&app, "check").expect(Ended::Code(0), "valid procfile detected (web)\n", "");
    called(&app, "honcho", "check").run().expect(Ended::Code(0), "", "Valid procfile detected (web)\n");
    assert_eq!(called(&app, "honcho", "version").run().stdout(), "honcho 2.0.0\n");
}

#[test]
fn from_overmind() {
    assert_eq!(ports("s -l web,worker"), ["web.1 5000", "worker.1 5100"]);
    assert_eq!(ports("start -x web"), ["clock.1 5200", "worker.1 5100"]);
    assert_eq!(ports("start -c web=2"), ["clock.1 5200", "web.1 5000", "web.2 5001", "worker.1 5100"]);
    assert_eq!(ports("start -m web=2"), ["web.1 5000", "web.2 5001"]);
    assert_eq!(ports("start -p 3000 --port-step 10 clock -t 10"), ["clock.1 3020"]);
    run(&App::new("web: exit 3\n"), "start --can-die web").expect_end(Ended::Code(3));
    let app = App::new("web: read -r _ <go; exit 0\nworker: echo >go; exit 3\n").fifo("go");
    run(&app, "start --can-die worker=any").expect_end(Ended::Code(0));
    let restarted = run(&App::new("web: echo up\n"), "start --restart --max-restarts 1");
    assert_eq!(said(&restarted).iter().filter(|line| *line == "web.1 up").count(), 2, "{}", restarted.stdout());
    let app = App::new("web: ./deaf\nworker: read -r _ <ready\n")
        .script("deaf", "trap '' TERM\ntrap 'echo heard INT; exit' INT\necho >ready\nexec 3<>never\nread -r _ <&3\n")
        .fifo("ready")
        .fifo("never");
    assert_eq!(said(&run(&app, "start --stop-signal web=INT")), ["web.1 heard INT"]);
    let bare = run(&App::new("web: echo hi\n"), "start --no-timestamps");
    assert!(bare.stdout().starts_with("web.1  | started"), "{}", bare.stdout());
    let app = App::new("web: echo $A $B\n").file(".overmind.env", "A=1\nB=1\n").file(".env", "B=2\n");
    assert_eq!(said(&run(&app, "start -e .overmind.env,.env")), ["web.1 1 2"]);
}

#[test]
fn from_hivemind() {
    let app = App::empty().file("Other", "web:echo $A\n").file(".env", "A=file\n");

    assert_eq!(said(&run(&app, "start -f Other")), ["web.1 file"]);
    assert_eq!(said(&app.dyno(["start", "-f", "-"]).after("exec <Other").run()), ["web.1 file"]);
    let preferred = app.dyno(["start", "-f", "Other", "--prefer-shell"]).env("A", "shell").run();
    assert_eq!(said(&preferred), ["web.1 shell"]);
    assert_eq!(ports("start -l web -p 3000 -t 10 -d ."), ["web.1 3000"]);
    let bare = run(&app, "start -f Other --no-prefix");
    assert!(bare.stdout().contains("\nfile\n"), "{}", bare.stdout());
}
