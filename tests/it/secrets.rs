//! A value of a config var is seen by the dynos and by nobody else: not in a command line that `ps` shows, not in a
//! message, not in a file.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};

const SECRET: &str = "hunter2-correct-horse";

fn app(procfile: &str) -> App {
    App::new(procfile).file(".env", format!("TOKEN={SECRET}\nURL=postgres://me:{SECRET}@localhost/db\n"))
}

/// Every file below a directory that holds the secret.
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
fn a_value_reaches_the_dyno_and_no_argument_message_or_file() {
    let app =
        app("web: [ \"$TOKEN\" = hunter2-correct-horse ] && touch same; echo $TOKEN >/dev/null; exec sleep 1000\n\
                   worker: sleep 1000\n");
    let dyno = app.dyno(["start", "--set", &format!("MORE={SECRET}")]).env("INHERITED", SECRET).spawn();
    dyno.until("the dyno compared it", || app.has("same"));
    dyno.until("both run", || {
        dyno.of_dynos().iter().filter(|process| process.command.starts_with("sleep")).count() == 2
    });

    let processes = dyno.processes();
    let guardian = dyno.guardian();
    let mut files = Vec::new();
    files_with_the_secret(app.top(), &mut files);
    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();

    // What the user typed stands in the arguments of `dyno` itself; the dynos' and the guardian's copies are ours.
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
fn messages_about_an_env_file_name_file_and_line_but_no_text_of_it() {
    let broken = format!("{SECRET}\nTOKEN {SECRET}\nKEY='{SECRET}' {SECRET}\n");
    let app = App::new("web: exit 0\n").file(".env", broken);

    let finished = app.dyno(["start"]).run();

    assert!(finished.stderr().contains(".env:1"), "{}", finished.stderr());
    assert!(!finished.stderr().contains(SECRET) && !finished.stdout().contains(SECRET), "{}", finished.stderr());
}

#[test]
fn an_unterminated_quote_is_named_without_its_value() {
    let app = App::new("web: exit 0\n").file(".env", format!("A=1\nTOKEN=\"{SECRET}\nB=2\n"));

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(78));
    assert!(finished.stderr().contains(".env:2") && finished.stderr().contains("TOKEN"), "{}", finished.stderr());
    assert!(!finished.stderr().contains(SECRET), "{}", finished.stderr());
}

#[test]
fn a_dyno_that_cannot_be_started_is_reported_without_its_environment() {
    // One variable may have 128 KiB; the message names it.
    let app = App::new("web: exit 0\n").file(".env", format!("TOKEN={}\n", SECRET.repeat(8000)));

    let finished = app.dyno(["start"]).run();

    assert!(matches!(finished.ended, Ended::Code(code) if code != 0), "{:?}", finished.ended);
    let shown = finished.stdout() + &finished.stderr();
    assert!(shown.contains("TOKEN") && !shown.contains(SECRET), "{}", &shown[..shown.len().min(2000)]);
}
