//! Only the dynos see the values of config vars. No command line or environment that `ps` shows of another process, no
//! message and no file that `dyno` writes contains one.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};

const SECRET: &str = "hunter2-correct-horse";

fn app(procfile: &str) -> App {
    App::new(procfile).file(".env", format!("TOKEN={SECRET}\nURL=postgres://me:{SECRET}@localhost/db\n"))
}

/// Collects the names of all files below a directory that contain the secret.
fn files_with_the_secret(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with_the_secret(&path, found);
        } else if path.is_file() && fs::read(&path).unwrap().windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
        {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
}

#[test]
fn a_value_reaches_the_dyno_but_no_argument_message_or_file() {
    let app =
        app("web: [ \"$TOKEN\" = hunter2-correct-horse ] && touch same; echo $TOKEN >/dev/null; exec sleep 1000\n\
                   worker: sleep 1000\n");
    let dyno = app.dyno(["start", "--set", &format!("MORE={SECRET}")]).env("INHERITED", SECRET).spawn();
    dyno.until("web.1 has compared the value", || app.has("same"));
    dyno.until("both run", || {
        dyno.of_dynos().iter().filter(|process| process.command.starts_with("sleep")).count() == 2
    });

    let processes = dyno.processes();
    let guardian = dyno.guardian();
    let mut files = Vec::new();
    files_with_the_secret(app.top(), &mut files);
    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();

    // The arguments of `dyno` itself have the value, because the user typed it; those of the dynos must not.
    for process in processes.iter().filter(|process| process.dyno.is_some()) {
        assert!(!process.command.contains(SECRET), "{process:?}");
    }
    assert!(processes.iter().any(|process| process.pid == guardian));
    files.sort();
    assert_eq!(files, [".env", "Procfile"]);
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert!(!finished.stdout().contains(SECRET) && !finished.stderr().contains(SECRET), "{}", finished.stdout());
}

#[test]
fn no_process_has_a_value_of_an_env_file_in_its_arguments() {
    let app = app("web: sleep 1000\n");
    let dyno = app.dyno(["start", "-m", "web=3"]).spawn();
    dyno.until("all run", || {
        dyno.of_dynos().iter().filter(|process| process.command.starts_with("sleep")).count() == 3
    });

    let processes = dyno.processes();
    dyno.signal(Signal::SIGTERM);
    dyno.finish();

    assert_eq!(processes.len(), 5, "{processes:#?}");
    assert!(processes.iter().all(|process| !process.command.contains(SECRET)), "{processes:#?}");
}

#[test]
fn dyno_and_its_guardian_show_only_what_dyno_was_given() {
    let app = app("web: exec sleep 1000\n");
    let dyno = app.dyno(["start", "--set", "GIVEN=as an argument"]).env("INHERITED", "as a variable").spawn();
    dyno.until("web.1 runs", || dyno.of_dynos().iter().any(|process| process.command.starts_with("sleep")));

    let shown = |pid: i32| ["cmdline", "environ"].map(|file| fs::read(format!("/proc/{pid}/{file}")).unwrap());
    let (own, of_guardian) = (shown(dyno.main()), shown(dyno.guardian()));
    dyno.signal(Signal::SIGTERM);
    dyno.finish();

    assert_eq!(own, of_guardian);
    let [arguments, variables] = own.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(arguments.ends_with("\0start\0--set\0GIVEN=as an argument\0"), "{arguments}");
    assert!(variables.contains("INHERITED=as a variable\0") && !variables.contains(SECRET), "{variables}");
}

#[test]
fn messages_about_an_env_file_have_file_and_line_but_not_its_text() {
    let broken = format!("{SECRET}\nTOKEN {SECRET}\nKEY='{SECRET}' {SECRET}\n");
    let app = App::new("web: exit 0\n").file(".env", broken);

    let finished = app.dyno(["start"]).run();

    assert!(finished.stderr().contains(".env:1"), "{}", finished.stderr());
    assert!(!finished.stderr().contains(SECRET) && !finished.stdout().contains(SECRET), "{}", finished.stderr());
}

#[test]
fn an_unterminated_quote_is_reported_without_its_value() {
    let app = App::new("web: exit 0\n").file(".env", format!("A=1\nTOKEN=\"{SECRET}\nB=2\n"));

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(78));
    assert!(finished.stderr().contains(".env:2") && finished.stderr().contains("TOKEN"), "{}", finished.stderr());
    assert!(!finished.stderr().contains(SECRET), "{}", finished.stderr());
}

#[test]
fn a_variable_that_is_too_long_is_named_without_its_value() {
    // The system accepts at most 128 KiB for one variable.
    let app = App::new("web: exit 0\n").file(".env", format!("TOKEN={}\n", SECRET.repeat(8000)));

    let finished = app.dyno(["start"]).run();

    assert!(matches!(finished.ended, Ended::Code(code) if code != 0), "{:?}", finished.ended);
    let shown = finished.stdout() + &finished.stderr();
    assert!(shown.contains("TOKEN") && !shown.contains(SECRET), "{}", &shown[..shown.len().min(2000)]);
}

#[test]
fn messages_never_show_a_value_from_a_procfile_or_dot_foreman() {
    let valid: Vec<String> = (1..=20).map(|n| format!("type{n}: true\n")).collect();
    let app = App::empty().file(".env", "").file(".foreman", "SECRET=hunter2\n");
    for lines in [
        "DB.PASSWORD=hunter2\n",
        "MY-KEY=hunter2\n",
        "set -a; export SECRET=hunter2\n",
        "npm start SECRET=hunter2\n",
        "web SECRET=hunter2 npm start\n",
        "a;SECRET=hunter2\n",
        "heroku config:set SECRET=hunter2\n",
        "config:set SECRET=hunter2\n",
        "- SECRET=hunter2\n",
        "{{ x }} SECRET=hunter2\n",
        "a: b \\\n  SECRET=hunter2 \\\n  c\n",
        "KEY=\"secret1\nMIIEhunter2\n\"\n",
        "MIIEhunter2\nweb hunter2\n- hunter2\nKEY=1\n",
        "a: TOOL=hunter2\\a.exe\n",
    ] {
        fs::write(app.path("Procfile"), valid.concat() + lines).unwrap();

        let checked = app.dyno(["check"]).run();
        let started = app.dyno(["start", "type1"]).run();

        assert!(!checked.stderr().contains("hunter2"), "{lines}: {}", checked.stderr());
        assert!(!started.stderr().contains("hunter2"), "{lines}: {}", started.stderr());
        let stderr = checked.stderr();
        assert!(lines.contains(".exe") || stderr.contains(" Procfile:21: "), "{lines}: {stderr}");
    }
}

#[test]
fn a_line_that_may_hold_a_secret_is_reported_without_its_text() {
    let text = "type: true\nMIIE\nA=hunter2\nnpm start A=1\nweb A=1 npm start\n- A=1\nheroku ps:scale web=1\n\
                ps:scale web=1\nb: true\nc: true\nd: true\ne: true\n";
    let app = App::new(text).file(".foreman", "A=hunter2\n");

    app.dyno(["check"]).run().expect(
        Ended::Code(78),
        "",
        "\
error: .foreman:1: this line is not `key: value`
hint: write a line such as `port: 5000`
error: Procfile:2: this line has no process type
hint: write `NAME: COMMAND`, or put `#` before a comment
error: Procfile:3: `A` is assigned here, but a Procfile has no variables
hint: move the line to `.env`
error: Procfile:4: this line has no process type
hint: write `NAME: COMMAND`, or put `#` before a comment
error: Procfile:5: the colon after `web` is missing
hint: write `web: COMMAND`
error: Procfile:6: this line looks like YAML
hint: write each process type and its command on one line, such as `web: npm start`
error: Procfile:7: this line looks like a Heroku command
hint: run it in a terminal and remove the line
note: Procfile:8: `ps:scale` looks like a Heroku command, but it defines the process type `ps`
hint: run it in a terminal and remove the line
",
    );
    let app = App::new("web: A=1 true\nnpm start --bind=x\n");
    let error = "error: Procfile:2: `npm start --bind=x` has no process type\nhint: write `web: npm start --bind=x`\n";
    app.dyno(["check"]).run().expect(Ended::Code(78), "", error);
}
