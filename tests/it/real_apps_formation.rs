//! An app that changes while it runs, in three panes of a terminal: the log, commands, and a second log (S10.3, S10.4).

use crate::harness::App;
use crate::window::Window;

/// The panes, in the order in which they are opened.
const START: usize = 0;
const COMMANDS: usize = 1;
const LOG: usize = 2;

#[test]
fn s10_3_an_app_is_listed_changed_followed_and_stopped_from_other_panes() {
    let procfile = "web: exec python3 -u -m http.server --bind 127.0.0.1 $PORT\n\
                    worker: exec node -e 'console.log(process.env.DYNO + \" works\"); setInterval(() => {}, 1000)'\n";
    let window = Window::open(App::new(procfile).file("hello", "hello\n"));
    let go_to = |pane| window.choose(pane);

    window.line("dyno start -p 36000 --no-timestamps");
    window.until("worker.1 | worker.1 works");
    window.until("web.1    | Serving HTTP");

    window.split();
    window.line("dyno wait; dyno ps");
    window.until("web.1     up");
    window.until("worker.1  up");
    window.expect_status("0");

    window.split();
    window.line("dyno logs -t -n 1");
    window.until("| ");

    go_to(COMMANDS);
    window.line("clear; dyno scale worker=2 --wait && dyno ps worker.2");
    window.until("worker.2  up");
    window.expect_status("0");
    window.line("clear; dyno restart web.1 --wait");
    window.until("restarting: web.1");
    window.expect_status("0");
    let fetch = "import urllib.request as url; print(url.urlopen('http://127.0.0.1:36000/hello').read())";
    window.line(&format!("clear; dyno run python3 -c \"{fetch}\""));
    window.until("b'hello\\n'");
    window.expect_status("0");

    go_to(LOG);
    window.until("worker.2 | worker.2 works");
    window.until("web.1    | restart requested: sending SIGTERM");
    window.until("\"GET /hello HTTP/1.1\" 200");

    go_to(COMMANDS);
    window.line("clear; dyno stop");
    window.until("stopping: web.1, worker.1, worker.2");
    window.expect_status("0");
    window.line("clear; dyno ps");
    window.until("no app is running here");
    window.expect_status("69");
    go_to(LOG);
    window.until("the app has ended");
    window.expect_status("0");
    go_to(START);
    window.until("worker.2 | terminated by SIGTERM");
    window.expect_status("0");
}
