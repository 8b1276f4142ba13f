//! Attached one-off dynos that do not read what their client types, and clients that leave at a bad time (S17.3).

use std::io::Write;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::attached_run::{APP, Offer, attached, reporting, until_gone};
use crate::harness::App;
use crate::running::stop;
use crate::tcp_client::TcpClient;

/// How long a connection may take to accept more. If it takes longer, less waits in it.
const ACCEPTS_WITHIN: Duration = Duration::from_millis(500);

#[test]
fn s17_3_ctrl_c_passes_keys_that_the_program_has_not_read() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let script = "trap 'echo interrupted; exit 7' INT; stty -icanon -echo; echo ready; sleep 1000 & wait";
    let mut session = Offer::of(&app, &client, &reporting(script)).attach();
    session.until("ready\r\n");

    // More than a terminal holds.
    session.send(&"x".repeat(100_000));
    session.send("\x03");

    assert_eq!(session.rest(), "interrupted\r\n\u{ffff} heroku-command-exit-status: 7\r\n");
    stop(&app, running);
}

#[test]
fn s17_3_no_input_is_lost_if_the_program_reads_it_late() {
    let app = App::new(APP).fifo("go");
    let (running, client) = TcpClient::of(&app);
    let command = "read -r _ <go; wc -c; echo end";
    let mut session = Offer::of(&app, &client, &attached(command, r#","force_no_tty":true"#)).attach();

    // More than a pipe holds. There `\x03` is not a key.
    session.send(&"one\x03\n".repeat(100_000));
    session.send("\x04");
    app.release("go");

    assert_eq!(session.rest(), "500000\nend\n");
    stop(&app, running);
}

#[test]
fn s17_3_a_client_that_is_gone_is_noticed_behind_unread_input() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    for others in ["", r#","force_no_tty":true"#] {
        let offer = Offer::of(&app, &client, &attached("stty -icanon -echo; echo ready; exec sleep 1000", others));
        let mut session = offer.attach();
        session.until("ready");
        session.0.sock.set_write_timeout(Some(ACCEPTS_WITHIN)).unwrap();
        let block = [b'x'; 1 << 12];
        // Until neither the start nor the connection takes any more.
        while session.0.write_all(&block).is_ok() {}

        drop(session);

        until_gone(&app, &running, &offer.name);
    }
    stop(&app, running);
}

#[test]
fn s17_3_a_client_that_leaves_before_the_command_begins_is_noticed() {
    let app = App::new(APP);
    let (running, client) = TcpClient::with(&app, ["-t", "1000"]);
    // Like an interactive shell.
    let offer = Offer::of(&app, &client, &attached("trap '' TERM; while read -r _; do :; done; exit 3", ""));
    let guardian = Pid::from_raw(running.guardian());
    kill(guardian, Signal::SIGSTOP).unwrap();
    let mut session = offer.attach();
    session.send("exit\r");

    drop(session);

    running.until_shown(&format!("{} | stop requested: sending SIGTERM", offer.name));
    kill(guardian, Signal::SIGCONT).unwrap();
    // It does not need the grace period.
    let log = stop(&app, running);
    assert!(!log.stdout().contains("SIGKILL"), "{}", log.stdout());
}
