//! An app that a person edits while it runs: its files, its code, its config vars, and its branch (S14, S15). Needs `git`.

use crate::harness::{App, until};
use crate::window::Window;

/// The panes, in the order in which they are opened.
const START: usize = 0;
const COMMANDS: usize = 1;

/// A server with a restarter of its own, `node --watch`.
const SERVER: &str = "const text = require('./text');\n\
    require('http').createServer((_, answer) => answer.end(text)).listen(process.env.PORT, '127.0.0.1');\n\
    console.log('serving ' + text + ' at level ' + process.env.LEVEL);\n";

const PROCFILE: &str = "web: exec node --watch --watch-preserve-output server.js\n\
    worker: echo worker has $(cat jobs/list); exec sleep 1000\n";

#[test]
fn s14_1_an_app_is_edited_broken_mended_and_sent_to_another_branch() {
    let app = App::new(PROCFILE).file("server.js", SERVER).file("text.js", "module.exports = 'one';\n");
    let window = Window::open(app.file("jobs/list", "a job\n").file(".env", "LEVEL=1\n"));
    let in_git =
        "git init -q -b main . && git add -A && git -c user.name=me -c user.email=me@example.com commit -qm one";
    window.line(&format!("{in_git}; git checkout -q -b other"));
    window.line(
        "echo LEVEL=7 >.env; echo 'clock: exec sleep 1000' >>Procfile; echo a job of other >jobs/list; git add -A",
    );
    window.line("git -c user.name=me -c user.email=me@example.com commit -qm two; git checkout -q main; clear");
    window.line("dyno start --reload --watch worker=jobs -p 36100 --no-timestamps");
    window.until("serving one at level 1");
    window.until("worker.1 | worker has a job");
    window.split();
    let then = |line: &str, shown: &[&str]| {
        window.choose(COMMANDS);
        window.line(line);
        window.choose(START);
        for text in shown {
            window.until(text);
        }
    };

    then("echo LEVEL=2 >.env", &["release v2: .env: ~ LEVEL", "serving one at level 2"]);
    then("echo 'api: exec sleep 1000' >>Procfile", &["release v3: Procfile: + api", "api.1"]);
    then("echo 'api exec sleep' >Procfile", &["not applied: "]);
    then("git checkout -q Procfile", &["release v4: Procfile: - api"]);
    then("echo two jobs >jobs/list", &["worker restarting: jobs/list changed", "worker has two jobs"]);
    then("echo \"module.exports = 'two'\" >text.js", &["serving two at level 2"]);
    then("clear; dyno config:set LEVEL=3", &["serving two at level 3"]);
    window.choose(COMMANDS);
    window.until("Setting LEVEL and restarting");
    window.until("done, v5");
    then("clear; dyno rollback", &["running the config of v4", "Rollback to v4"]);
    window.choose(COMMANDS);
    window.until("release v6: Rollback to v4 (.env: ~ LEVEL)");
    window.expect_status("0");
    then("dyno reload", &["release v7: .env: ~ LEVEL"]);
    then("git checkout -q -f other", &[]);
    let shown = [
        "release v8: .env: ~ LEVEL; Procfile: + clock",
        "serving one at level 7",
        "clock.1",
        "worker restarting: jobs/list changed",
        "worker has a job of other",
    ];
    // In any order: the files change at once. The first lines may have scrolled away when the last one is shown.
    until("the other branch runs", || {
        let history = window.history();
        let after = history.rsplit("release v7").next().unwrap_or_default();
        shown.iter().all(|text| after.contains(text))
    });

    window.choose(COMMANDS);
    window.line("clear; dyno stop");
    window.until("stopping: ");
    window.expect_status("0");
    window.choose(START);
    window.expect_status("0");
}
