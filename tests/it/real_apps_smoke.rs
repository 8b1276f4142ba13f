//! A smoke test of a real web app: a Python server with a release command, a worker and a test suite. Python's XML
//! parser reads the JUnit report.

use std::fs;
use std::path::Path;

use crate::harness::{App, Ended, Finished};
use crate::smoke::smoke;

/// Prints for each suite the number of cases, their names, and the message of each failure.
const READER: &str = "import sys, xml.etree.ElementTree as tree\n\
    for suite in tree.parse(sys.argv[1]).getroot():\n\
    \x20   cases = suite.findall('testcase')\n\
    \x20   print(suite.get('tests'), suite.get('failures'), len(cases), *(case.get('name') for case in cases))\n\
    \x20   for case in cases:\n\
    \x20       for failure in case: print(case.get('name') + ':', failure.get('message'))\n";

/// A copy of the app, because it writes files into its directory.
fn notes() -> App {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/apps/notes");
    let mut app = App::empty();
    for name in ["Procfile", "app.py", "migrate.py", "worker.py", "tests.py", "broken_tests.py"] {
        app = app.file(name, fs::read(folder.join(name)).unwrap());
    }
    app.file("reader.py", READER)
}

fn tested(app: &App, suite: &str) -> Finished {
    let options = ["--http", "/health", "--settle", "0.1", "--junit", "smoke.xml", "--json", "smoke.json", "--"];
    let call = smoke(app, &options).env("PYTHONDONTWRITEBYTECODE", "1");
    call.args(&["python3", "-m", "unittest", suite]).run()
}

/// The content of the JUnit file, read by Python.
fn read(app: &App) -> String {
    app.dyno(["run", "python3", "reader.py", "smoke.xml"]).run().stdout()
}

#[test]
fn the_smoke_test_of_a_python_app_has_the_status_of_its_tests() {
    let app = notes();

    let passed = tested(&app, "tests");
    passed.expect_end(Ended::Code(0));
    assert!(passed.stderr().ends_with("smoke passed: the command exited with code 0\n"), "{}", passed.stderr());
    let names = "release boot settle command stop release.1 web.1 worker.1";
    assert_eq!(read(&app), format!("8 0 8 {names}\n"));

    let failed = tested(&app, "broken_tests");
    failed.expect_end(Ended::Code(1));
    let stderr = failed.stderr();
    assert!(stderr.contains("test_there_is_a_front_page") && stderr.contains("\"GET / HTTP/1.1\" 404"), "{stderr}");
    assert!(stderr.ends_with("smoke failed: the command exited with code 1 (status 1)\n"), "{stderr}");
    assert_eq!(read(&app), format!("8 1 8 {names}\ncommand: the command exited with code 1\n"));
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(app.path("smoke.json")).unwrap()).unwrap();
    assert_eq!((&summary["command"]["status"], &summary["culprit"]), (&1.into(), &serde_json::Value::Null));
}

#[test]
fn a_python_app_that_fails_at_import_is_the_culprit_with_its_traceback() {
    let app = notes().file("app.py", "import os\nprint(os.environ['NO_SUCH_VARIABLE'])\n");

    let finished = tested(&app, "tests");

    finished.expect_end(Ended::Code(1));
    let stderr = finished.stderr();
    let end = "web.1 | KeyError: 'NO_SUCH_VARIABLE'\nsmoke failed: web.1 exited with code 1 while booting (status 1)\n";
    assert!(
        stderr.contains("of web.1:\nweb.1 | Traceback (most recent call last):\n") && stderr.ends_with(end),
        "{stderr}"
    );
    assert!(read(&app).contains("\nweb.1: exited with code 1 while booting\n"), "{}", read(&app));
}
