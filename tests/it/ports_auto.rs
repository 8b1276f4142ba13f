//! `-p auto` avoids ports that are in use (S5.4). Several runs with `-p auto` are in `ports`.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};

use crate::harness::{App, Ended, Finished, until};
use crate::smoke;

#[test]
fn s5_4_a_block_with_a_listening_port_is_skipped() {
    let app = App::new("web: echo $PORT\nworker: true\n");
    let last_port_of_a_block = || {
        let finished = app.dyno(["start", "-p", "auto", "--can-die", "web,worker"]).run();
        finished.expect_end(Ended::Code(0));
        let web: u16 = finished.lines_of("web.1")[1].parse().unwrap();
        assert_eq!(finished.stderr(), format!("ports: web.1 {web}, worker.1 {}\n", web + 10));
        web + 10
    };
    let mut holders = Vec::new();
    for address in ["127.0.0.1", "::1", "::"] {
        // Skips IPv6 on a machine that has none.
        let Ok(_) = TcpListener::bind((address, 0)) else { continue };
        // Occupy a port of the block that `dyno` would choose next. Another program may be faster: then try again.
        until("a port of the next block is occupied", || {
            let holder = TcpListener::bind((address, last_port_of_a_block())).ok();
            let is_held = holder.is_some();
            holders.extend(holder);
            is_held
        });

        let chosen = last_port_of_a_block();

        let held: Vec<u16> = holders.iter().map(|holder| holder.local_addr().unwrap().port()).collect();
        assert!(!held.contains(&chosen), "{address}: {chosen} is among {held:?}");
    }
}

/// Leaves a connection on this port in `TIME_WAIT`: the side that closes first keeps it for a minute.
fn leave_time_wait(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    drop(listener.accept()?);
    client.read(&mut [0]).map(drop)
}

#[test]
fn s5_4_a_port_in_time_wait_is_skipped() {
    let app = App::new("web: echo $PORT\n");
    let run = || app.dyno(["start", "-p", "auto"]).run();
    assert_time_wait_is_skipped(run, |finished| finished.lines_of("web.1")[1].parse().unwrap());
}

#[test]
fn s19_1_a_smoke_test_skips_a_port_in_time_wait() {
    let app = smoke::app("web: ./listen\n");
    let run = || app.dyno(["smoke", "--settle", "0", "--", "true"]).run();
    assert_time_wait_is_skipped(run, |finished| smoke::ports(&finished.stderr())[0].parse().unwrap());
}

/// Asserts that the port of web.1 changes when it is in `TIME_WAIT`.
fn assert_time_wait_is_skipped(run: impl Fn() -> Finished, port_of: impl Fn(&Finished) -> u16) {
    /// These tests would take the port that the other one has chosen.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut port = 0;
    // Another program may take the port first: then try the next one.
    until("the next port is in TIME_WAIT", || {
        let finished = run();
        finished.ended == Ended::Code(0) && {
            port = port_of(&finished);
            leave_time_wait(port).is_ok()
        }
    });

    until("no other program takes the port that is chosen instead", || {
        let finished = run();
        finished.ended == Ended::Code(0) && {
            assert_ne!(port_of(&finished), port);
            true
        }
    });
}
