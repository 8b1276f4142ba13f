//! Every row of the tables in `docs/migrating.md`.
//!
//! Before it tests a row, a test calls `Table::row`, in the order of the table: a row without a test fails, and so does
//! a test without a row. If a row says "same", its test uses the words of the other tool. More tests are in `drop_in`.

mod table;

use nix::sys::signal::Signal;

use crate::harness::{App, Call, Ended, Finished};
use crate::running::{start, stop};
use crate::smoke;
use crate::version::without_build;

use table::Table;

/// Each dyno prints its port and exits.
const PORTS: &str = "web: echo $PORT\nworker: echo $PORT\nclock: echo $PORT\n";
const ALL_TYPES: &str = "web,worker,clock";

/// The binary called by another name.
fn called(app: &App, name: &str, line: &str) -> Call {
    app.called(name, []).args(&line.split_whitespace().collect::<Vec<_>>())
}

fn run(app: &App, line: &str) -> Finished {
    app.dyno([]).args(&line.split_whitespace().collect::<Vec<_>>()).run()
}

/// The lines of the dynos without notices, as `web.1 5000`, sorted.
fn printed(finished: &Finished) -> Vec<String> {
    let stdout = finished.stdout();
    let lines = stdout.lines().filter_map(|line| line.strip_prefix("TIME ").unwrap_or(line).split_once("| "));
    let notices = ["started with", "exited with", "terminated by"];
    let mut printed: Vec<String> = lines
        .filter(|(name, text)| !name.starts_with("system") && !notices.iter().any(|notice| text.starts_with(notice)))
        .map(|(name, text)| format!("{} {text}", name.trim_end()))
        .collect();
    printed.sort();
    printed
}

/// What the dynos of `PORTS` print when the app is started with these arguments.
fn ports(line: &str) -> Vec<String> {
    ports_of(&App::new(PORTS), line)
}

fn ports_of(app: &App, line: &str) -> Vec<String> {
    let finished = run(app, &format!("{line} --fixed-ports --can-die {ALL_TYPES}"));
    finished.expect_end(Ended::Code(0));
    printed(&finished)
}

/// The log of `web` alone, which prints a line. `time`: what each line begins with.
fn log(time: &str, text: &str) -> String {
    format!("{time}web.1  | started with pid PID\n{time}web.1  | {text}\n{time}web.1  | exited with code 0\n")
}

#[test]
fn from_any_of_them() {
    let mut table = Table::under("From any of them");
    let app = App::new("web: echo '$A' $A $B $C \"$D\" $E\nnonsense\n")
        .file(".env", "export A=1 # one\nB = it's\nC=p$x\nD=\"two\nlines\"\nE=${A}${Z:-z}\n");
    let finished = run(&app, "start");
    table.row("`$VAR` in a command");
    table.row("`.env`");
    assert_eq!(printed(&finished), ["web.1 $A 1 it's p$x two", "web.1 lines 1z"]);
    table.row("a line that cannot be read");
    let nonsense = "warning: Procfile:2: `nonsense` has no process type\nhint: write `web: nonsense`\n";
    assert_eq!(finished.stderr(), nonsense);
    run(&app, "check").expect_end(Ended::Code(78));
    table.row("an unknown process type");
    let unknown = format!("{nonsense}error: the Procfile has no process type `wbe`\n\nhint: did you mean `web`?\n");
    run(&app, "start wbe").expect(Ended::Code(2), "", &unknown);
    table.row("status");
    run(&App::new("web: exit 7\n"), "start").expect_end(Ended::Code(7));
    run(&App::new("web: kill -TERM $$\n"), "start").expect_end(Ended::Code(143));
    let waiting = App::new("web: read -r _ <never\n").fifo("never");
    let stopped = waiting.dyno(["start"]).spawn();
    stopped.until_shown("started with pid");
    stopped.signal(Signal::SIGINT);
    stopped.finish().expect_end(Ended::Signal(Signal::SIGINT));
    table.row("`PORT`");
    assert_eq!(ports("start clock"), ["clock.1 5200"]);
    table.row("`release:`");
    let app = App::new("release: echo first\nweb: echo up\n");
    assert_eq!(printed(&run(&app, "start")), ["release.1 first", "web.1 up"]);
    assert_eq!(printed(&run(&app, "start --no-release")), ["web.1 up"]);
    run(&App::new("release: exit 5\nweb: echo up\n"), "start").expect_end(Ended::Code(5));
    table.row("a name that occurs twice");
    let finished = run(&App::new("web: echo one\nweb: echo two\n"), "start");
    let twice = "warning: Procfile:2: `web` is defined on line 1 and again here; this command is used\n\
                 hint: remove one of them, or rename one, for example to `web_2`, to run both\n";
    assert_eq!(finished.stderr(), twice);
    assert_eq!(printed(&finished), ["web.1 two"]);
    table.end();
}

#[test]
fn from_foreman() {
    let mut table = Table::under("From foreman");
    table.row("`foreman start`");
    assert_eq!(ports("start"), ["clock.1 5200", "web.1 5000", "worker.1 5100"]);
    table.row("`start web`, `web=2`, `all=1,web=0`");
    assert_eq!(ports("start web"), ["web.1 5000"]);
    assert_eq!(ports("start web=2"), ["web.1 5000", "web.2 5001"]);
    assert_eq!(ports("start all=1,web=0"), ["clock.1 5200", "worker.1 5100"]);
    assert_eq!(ports("start web worker"), ["web.1 5000", "worker.1 5100"]);
    table.row("`-f FILE`, `-d DIR`, `-e A,B`");
    let app =
        App::new("web: false\n").file("sub/Other", "web: echo $A $PS $DYNO $(basename $PWD)\n").file("a", "A=1\n");
    assert_eq!(printed(&run(&app, "start -f sub/Other -e a")), ["web.1 1 web.1 web.1 sub"]);
    assert_eq!(printed(&run(&app, "start -f sub/Other -d . -e a")), ["web.1 1 web.1 web.1 app"]);
    run(&app, "start -e missing").expect_end(Ended::Code(78));
    let app = app.file(".env", "A=2\n");
    assert_eq!(printed(&run(&app, "start -f sub/Other")), ["web.1 2 web.1 web.1 sub"]);
    let app = app.file("sub/.env", "A=3\n");
    assert_eq!(printed(&run(&app, "start -f sub/Other")), ["web.1 3 web.1 web.1 sub"]);
    assert_eq!(printed(&called(&app, "foreman", "start -f sub/Other").run()), ["web.1 3 web.1 web.1 sub"]);
    let app = App::new("web: echo .$A.\n").file(".env", "A=1\n");
    assert_eq!(printed(&run(&app, "start -e /dev/null")), ["web.1 .."]);
    assert_eq!(printed(&app.dyno(["start", "-e", ""]).run()), ["web.1 .."]);
    table.row("`-m all=1,web=2`");
    assert_eq!(ports("start -m all=1,web=2"), ["clock.1 5200", "web.1 5000", "web.2 5001", "worker.1 5100"]);
    run(&app, "start -m web=1 -m web=1").expect_end(Ended::Code(2));
    called(&app, "foreman", "start -m web=2 -m web=1").run().expect_end(Ended::Code(0));
    table.row("`-p 3000`");
    assert_eq!(ports("start web -p 3000"), ["web.1 3000"]);
    run(&App::new(PORTS), "start web=101 worker").expect_end(Ended::Code(2));
    assert!(run(&app, "start -p auto").stderr().starts_with("ports: web.1 "));
    table.row("`-t 10`");
    // `Running::finish` asserts that `deaf`, which ignores SIGTERM, is gone at the end.
    let deaf = App::new("web: ./deaf; true\nworker: read -r _ <ready; exit 3\n").fifo("ready").fifo("never");
    let deaf = deaf.script("deaf", "trap '' TERM\nexec 3<>never\necho >ready\nread -r _ <&3\n");
    run(&deaf, "start -t 0.1").expect_end(Ended::Code(3));
    let app = App::new("web: echo hi\n");
    let is_coloured = |finished: Finished| finished.stdout.contains(&0x1b);
    table.row("`-c`, `--color`");
    assert!(is_coloured(run(&app, "start --color always")));
    assert!(is_coloured(called(&app, "foreman", "start -c").run()));
    assert!(!is_coloured(called(&app, "foreman", "start").run()));
    table.row("`--no-color`, `--no-timestamp`");
    let forced = |line: &str| called(&app, "dyno", line).env("FORCE_COLOR", "1");
    assert!(is_coloured(forced("start").run()));
    assert!(!is_coloured(forced("start --no-color").run()));
    assert!(!is_coloured(forced("start").env("NO_COLOR", "1").run()));
    run(&app, "start --no-timestamp").expect(Ended::Code(0), &log("", "hi"), "");
    table.row("`foreman run CMD…`, `run web`");
    let app = App::new("web: echo from the Procfile\nnonsense\n");
    app.dyno(["run", "echo one; echo two"]).run().expect(Ended::Code(0), "one\ntwo\n", "");
    app.dyno(["run", "web", "x"]).run().expect(Ended::Code(0), "from the Procfile x\n", "");
    called(&app, "foreman", "run web").run().expect(Ended::Code(0), "from the Procfile\n", "");
    app.dyno(["run", "kill -KILL $$"]).run().expect_end(Ended::Signal(Signal::SIGKILL));
    table.row("`foreman check`");
    run(&app, "check").expect_end(Ended::Code(78));
    called(&app, "foreman", "check").run().expect_end(Ended::Code(0));
    let nothing = App::new("nonsense\n");
    called(&nothing, "foreman", "check").run().expect_end(Ended::Code(1));
    table.row("`foreman s`, `version`");
    run(&app, "s").expect_end(Ended::Code(0));
    let own = concat!("dyno ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(without_build(&run(&app, "version").stdout()), own);
    let version = called(&app, "foreman", "version").run();
    let ours = concat!("dyno ", env!("CARGO_PKG_VERSION"), ", called as `foreman`\n");
    assert_eq!((version.stdout(), without_build(&version.stderr())), ("0.90.0\n".to_owned(), ours.to_owned()));
    table.row("`foreman export FORMAT LOCATION`");
    called(&app, "foreman", "export systemd units").run().expect_end(Ended::Code(0));
    assert!(app.has("units/app.target"));
    called(&app, "foreman", "export upstart .").run().expect_end(Ended::Code(1));
    table.row("`.foreman`");
    let app = App::new(PORTS).file(".foreman", "port: 6000\nformation: worker=1\ntimeout: 3\nenv: a\n").file("a", "");
    assert_eq!(ports_of(&app, "start"), ["worker.1 6100"]);
    table.row("`PS=web.1`");
    assert_eq!(printed(&run(&App::new("web: echo $PS $DYNO\n"), "start")), ["web.1 web.1 web.1"]);
    table.end();
}

#[test]
fn from_heroku_local() {
    let mut table = Table::under("From heroku local");
    let app = App::new("release: false\nweb: echo $PORT\nworker: echo $PORT\n");
    let printed_by = |line: &str| printed(&run(&app, &format!("{line} --fixed-ports --can-die web,worker")));
    table.row("`heroku local`");
    assert_eq!(printed_by("local"), ["web.1 5000", "worker.1 5100"]);
    run(&app, "start").expect_end(Ended::Code(1));
    table.row("`local web`, `local web=1,worker=2`");
    assert_eq!(printed_by("local:start web"), ["web.1 5000"]);
    assert_eq!(printed_by("local web=1,worker=2"), ["web.1 5000", "worker.1 5100", "worker.2 5101"]);
    table.row("`-f FILE`, `-e A,B`");
    let missing = run(&app, "local web -f Procfile -e missing");
    missing.expect_end(Ended::Code(0));
    assert_eq!(missing.stderr(), "warning: missing does not exist\nhint: check the name, or create the file\n");
    run(&app, "start web -e missing").expect_end(Ended::Code(78));
    table.row("`-p 3000`");
    assert_eq!(printed_by("local web -p 3000"), ["web.1 3000"]);
    table.row("`local:run CMD`");
    for line in ["local:run echo hi", "local run echo hi", "run echo hi"] {
        run(&app, line).expect(Ended::Code(0), "hi\n", "");
    }
    run(&app, "local:run echo -p 3000 -e A").expect(Ended::Code(0), "-p 3000 -e A\n", "");
    run(&app, "local:run -p 3000 echo hi").expect_end(Ended::Code(2));
    table.row("`local release`");
    run(&app, "local release").expect_end(Ended::Code(2));
    let release = run(&App::new("release: echo ready\nweb: false\n"), "release");
    assert_eq!(printed(&release), ["release.1 ready"]);
    table.row("`--start-cmd CMD`");
    let started = App::empty().dyno(["local", "--fixed-ports", "--start-cmd", "echo on $PORT"]).run();
    assert_eq!(printed(&started), ["web.1 on 5000"]);
    assert_eq!(printed(&run(&App::new("web: echo mine\n"), "local --start-cmd false")), ["web.1 mine"]);
    table.row("no Procfile: `npm start`");
    let none = App::empty().file("package.json", "{}");
    let hint = "create it with one line for each process type, such as `web: npm start`";
    let error = format!("error: no Procfile in {}\n\nhint: {hint}\n", none.root().display());
    run(&none, "local").expect(Ended::Code(78), "", &error);
    table.row("status 0 whatever happens");
    run(&App::new("web: exit 4\n"), "local").expect_end(Ended::Code(4));
    table.row("`.env` in JSON");
    let app = App::new("web: echo $TOP_INNER\n").file(".env", "{\"top\": {\"inner\": \"json\"}}");
    assert_eq!(printed(&run(&app, "local")), ["web.1 json"]);
    table.end();
}

#[test]
fn from_honcho() {
    let mut table = Table::under("From honcho");
    table.row("`honcho start [PROC…]`");
    assert_eq!(ports("start worker"), ["worker.1 5100"]);
    table.row("`-c web=2`, `-q web`");
    assert_eq!(ports("start -c web=2"), ["clock.1 5200", "web.1 5000", "web.2 5001", "worker.1 5100"]);
    assert_eq!(ports("start -q web"), ["clock.1 5200", "worker.1 5100"]);
    for line in ["start -c nope=2", "start -q nope"] {
        run(&App::new(PORTS), line).expect_end(Ended::Code(2));
        called(&App::new(PORTS), "honcho", line).run().expect_end(Ended::Code(1));
    }
    table.row("`-f FILE`, `-e A,B`");
    let app = App::empty().file("sub/Procfile", "web: basename $PWD\n");
    let honcho = |line: &str| called(&app, "honcho", line).run();
    run(&app, "start -f sub/Procfile -e missing").expect_end(Ended::Code(78));
    let missing = honcho("start -f sub/Procfile -e missing");
    missing.expect_end(Ended::Code(0));
    assert_eq!(missing.stderr(), "warning: missing does not exist\nhint: check the name, or create the file\n");
    table.row("`-d DIR`");
    assert_eq!(printed(&run(&app, "start -d sub")), ["web.1 sub"]);
    assert_eq!(printed(&honcho("-d sub start")), ["web.1 app"]);
    table.row("`-p 6000`");
    let ported = App::new(PORTS).file(".env", "PORT=7000\n");
    assert_eq!(ports_of(&ported, "start web"), ["web.1 7000"]);
    assert_eq!(ports_of(&ported, "start -p 6000 web"), ["web.1 6000"]);
    table.row("`--no-colour`, `--no-prefix`");
    let bare = called(&app, "dyno", "start -d sub --no-colour --no-prefix").env("FORCE_COLOR", "1").run();
    bare.expect(Ended::Code(0), "started with pid PID\nsub\nexited with code 0\n", "");
    table.row("`honcho run [--] CMD…`");
    let app = App::new("true: exit 3\n").file(".env", "PROCFILE=Procfile.x\n").file("Procfile.x", "web: echo x\n");
    let honcho = |line: &str| called(&app, "honcho", line).run();
    run(&app, "run -- echo hi").expect(Ended::Code(0), "hi\n", "");
    run(&app, "run -f Procfile true").expect_end(Ended::Code(3));
    honcho("run -f Procfile true").expect_end(Ended::Code(0));
    table.row("`honcho check`");
    run(&app, "check").expect(Ended::Code(0), "valid procfile detected (web)\n", "");
    honcho("check").expect(Ended::Code(0), "", "Valid procfile detected (web)\n");
    table.row("`honcho version`");
    assert_eq!(honcho("version").stdout(), "honcho 2.0.0\n");
    table.row("`PROCFILE` in `.env`");
    assert_eq!(printed(&run(&app, "start")), ["web.1 x"]);
    table.row("no command, `run` without words");
    called(&app, "dyno", "").run().expect_end(Ended::Code(0));
    run(&app, "run").expect_end(Ended::Code(2));
    called(&app, "honcho", "").run().expect_end(Ended::Code(2));
    honcho("run").expect_end(Ended::Code(2));
    table.row("`honcho export`");
    run(&app, "export upstart .").expect_end(Ended::Code(2));
    honcho("export upstart .").expect_end(Ended::Code(1));
    table.end();
}

#[test]
fn from_overmind() {
    let mut table = Table::under("From overmind");
    table.row("`overmind start`, `s`");
    assert_eq!(ports("s"), ports("start"));
    table.row("`-l web,worker`, `-x web`");
    assert_eq!(ports("start -l web,worker"), ["web.1 5000", "worker.1 5100"]);
    assert_eq!(ports("start -x web"), ["clock.1 5200", "worker.1 5100"]);
    table.row("`-m web=2`");
    assert_eq!(ports("start -c web=2"), ["clock.1 5200", "web.1 5000", "web.2 5001", "worker.1 5100"]);
    assert_eq!(ports("start -m web=2"), ["web.1 5000", "web.2 5001"]);
    table.row("`-m all=2,web=3`");
    assert_eq!(ports("start -m all=2,web=3 -x clock").len(), 5);
    table.row("`-d DIR`, `-f FILE`, `-p 3000`, `-t 10`");
    assert_eq!(ports("start -d . -f Procfile -p 3000 -t 10 clock"), ["clock.1 3200"]);
    table.row("`-P 10`");
    assert_eq!(ports("start --port-step 10 web=2 worker"), ["web.1 5000", "web.2 5001", "worker.1 5010"]);
    // A step that is too small for six dynos of one type is fine, as long as no two dynos get the same port.
    run(&App::new(PORTS), "start --port-step 1 web=2 worker").expect_end(Ended::Code(2));
    assert_eq!(ports("start --port-step 5 web=6").len(), 6);
    table.row("`-c worker`");
    run(&App::new("web: exit 3\n"), "start --can-die web").expect_end(Ended::Code(3));
    let app = App::new("web: read -r _ <go; exit 0\nworker: echo >go; exit 3\n").fifo("go");
    run(&app, "start --can-die worker=any").expect_end(Ended::Code(0));
    table.row("`--any-can-die`");
    let app = App::new("web: exit 4\nworker: read -r _ <go; echo alone\n").fifo("go");
    let alone = called(&app, "dyno", "start --can-die web=any,worker=any").spawn();
    alone.until_shown("web.1    | exited with code 4");
    app.release("go");
    assert_eq!(printed(&alone.finish()), ["worker.1 alone"]);
    table.row("`-r all`");
    let restarted = run(&App::new("web: echo up\n"), "start --restart --max-restarts 1");
    assert_eq!(printed(&restarted).iter().filter(|line| *line == "web.1 up").count(), 2, "{}", restarted.stdout());
    table.row("`-i web=INT`");
    let app = App::new("web: ./hears\nworker: read -r _ <ready\n").fifo("ready").fifo("never");
    let hears = "trap 'echo heard INT; exit' INT\ntrap 'echo heard TERM; exit' TERM\nexec 3<>never\necho >ready\n";
    let app = app.script("hears", &format!("{hears}read -r _ <&3\n"));
    assert_eq!(printed(&run(&app, "start --stop-signal web=INT")), ["web.1 heard INT"]);
    assert_eq!(printed(&run(&app, "start")), ["web.1 heard TERM"]);
    table.row("`-T`");
    let app = App::new("web: echo $A $B $PS\n").file(".overmind.env", "A=1\nB=1\n").file(".env", "B=2\n");
    run(&app, "start").expect(Ended::Code(0), &log("TIME ", "2 web.1"), "");
    run(&app, "start --no-timestamps").expect(Ended::Code(0), &log("", "2 web.1"), "");
    table.row("`.overmind.env`");
    let overmind = called(&app, "dyno", "start -e .overmind.env,.env").env("OVERMIND_PROCFILE", "nowhere").run();
    table.row("`PS=web#2`");
    assert_eq!(printed(&overmind), ["web.1 1 2 web.1"]);
    let app = App::new("web: echo up; exec sleep 1000\nworker: exec sleep 1000\n");
    let running = start(&app, []);
    table.row("`overmind ps`");
    let listed = run(&app, "ps").stdout();
    assert!(listed.contains("web.1") && listed.contains("worker.1"), "{listed}");
    table.row("`overmind restart web`, `stop web`");
    run(&app, "restart web").expect(Ended::Code(0), "restarting: web.1\n", "");
    run(&app, "stop web").expect(Ended::Code(0), "stopping: web.1\n", "");
    table.row("`overmind echo`");
    let followed = called(&app, "dyno", "logs -t").spawn();
    followed.until_shown("web.1    | up");
    table.row("`overmind run CMD`");
    run(&app, "run echo one").expect(Ended::Code(0), "one\n", "");
    table.row("`overmind connect web`");
    run(&app, "connect web").expect_end(Ended::Code(2));
    table.row("`overmind quit`");
    stop(&app, running).expect_end(Ended::Code(0));
    followed.finish().expect_end(Ended::Code(0));
    table.row("`-N`, `-b`, `-w`, `-H`");
    for option in ["-N", "-b", "-w", "-H"] {
        run(&app, &format!("start {option}")).expect_end(Ended::Code(2));
    }
    table.end();
}

#[test]
fn from_hivemind() {
    let mut table = Table::under("From hivemind");
    let app = App::empty().file("Other", "web:echo $A\n").file(".env", "A=file\n");
    table.row("`hivemind`, `hivemind FILE`, `hivemind -`");
    assert_eq!(ports("start").len(), 3);
    assert_eq!(printed(&run(&app, "start -f Other")), ["web.1 file"]);
    assert_eq!(printed(&app.dyno(["start", "-f", "-"]).after("exec <Other").run()), ["web.1 file"]);
    table.row("`-l web`, `-p 3000`, `-d DIR`, `-t 10`");
    assert_eq!(ports("start -l web -p 3000 -t 10 -d ."), ["web.1 3000"]);
    table.row("`-P 10`");
    assert_eq!(ports("start --port-step 10 clock"), ["clock.1 5020"]);
    table.row("`--no-prefix`");
    let bare = "started with pid PID\nfile\nexited with code 0\n";
    run(&app, "start -f Other --no-prefix").expect(Ended::Code(0), bare, "");
    table.row("`-T`");
    run(&app, "start -f Other").expect(Ended::Code(0), &log("TIME ", "file"), "");
    table.row("the shell wins over `.env`");
    let shell = |line: &str| printed(&called(&app, "dyno", line).env("A", "shell").run());
    assert_eq!(shell("start -f Other --prefer-shell"), ["web.1 shell"]);
    assert_eq!(shell("start -f Other"), ["web.1 file"]);
    table.row("status 0 whatever happens");
    run(&App::new("web: exit 4\n"), "start").expect_end(Ended::Code(4));
    table.row("`web:cmd` is skipped");
    assert_eq!(printed(&run(&App::new("web:echo runs\n"), "start")), ["web.1 runs"]);
    table.end();
}

#[test]
fn from_start_server_and_test() {
    let mut table = Table::under("From start-server-and-test");
    let up = smoke::app("web: ./listen\n");
    table.row("`… start http://localhost:3000/up test`");
    run(&up, "smoke --settle 0 --http /up -- true").expect_end(Ended::Code(0));
    table.row("`… 3000 test`");
    run(&up, "smoke --settle 0 -- true").expect_end(Ended::Code(0));
    table.row("`--expect 403`");
    let forbidden = smoke::app("web: ./listen 0.0.0.0 403\n");
    run(&forbidden, "smoke --settle 0 --http /up=403 -- true").expect_end(Ended::Code(0));
    table.row("`WAIT_ON_TIMEOUT=60000`");
    run(&smoke::app("web: exec sleep 1000\n"), "smoke --timeout 0.1 -- true").expect_end(Ended::Code(75));
    table.end();
}
