//! What users other than the one who started the app can do: nothing (S10.3). Only root can test that.

use std::io::{ErrorKind, Read, Write};

use crate::api_faults::connect;
use crate::harness::{App, Ended, note};
use crate::running::{start, stop};

/// A user id without an account.
const OTHER_USER: u32 = 54_321;

/// Whether this is root. If not, a note says that the test was skipped.
fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        note("skipped: only root can start a run as another user");
    }
    is_root
}

#[test]
fn s10_3_another_user_cannot_connect() {
    if !is_root() {
        return;
    }
    let app = App::new("web: exec sleep 1000\n");
    let running = start(&app, []);

    for words in [&["ps"][..], &["screen", "web"], &["attach", "web"]] {
        let asked = app.dyno([]).args(words).user(OTHER_USER).run();

        assert_eq!(asked.ended, Ended::Code(69), "{words:?}: {}", asked.stderr());
        let stderr = asked.stderr();
        assert!(stderr.contains("is not private") || stderr.contains("cannot be used"), "{stderr}");
    }
    stop(&app, running);
}

#[test]
fn s10_3_a_client_of_another_user_is_dropped_even_if_it_can_connect() {
    if !is_root() {
        return;
    }
    let app = App::new("web: exec sleep 1000\n");
    let by_other_user = |args: &[&str]| app.dyno([]).args(args).user(OTHER_USER);
    let running = by_other_user(&["start"]).spawn();
    running.until_shown("| started with pid");
    // Its own user is answered.
    by_other_user(&["ps"]).run().expect_end(Ended::Code(0));

    // No mode keeps root from connecting.
    let mut stream = connect(&app);
    let sent = stream.write_all(b"DELETE /apps/app/dynos HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);

    let dropped = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(sent.map_or_else(|error| dropped.contains(&error.kind()), |()| true));
    assert!(read.map_or_else(|error| dropped.contains(&error.kind()), |_| true));
    assert_eq!(String::from_utf8_lossy(&answer), "");
    by_other_user(&["stop"]).run().expect(Ended::Code(0), "stopping: web.1\n", "");
    running.finish().expect_end(Ended::Code(0));
}
