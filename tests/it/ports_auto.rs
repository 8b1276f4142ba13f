//! `-p auto` avoids ports that are in use (S5.4). Several runs with `-p auto` are in `ports`.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use crate::harness::{App, Ended, until};
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
    assert_time_wait_is_skipped(|| {
        let finished = app.dyno(["start", "-p", "auto"]).run();
        finished.expect_end(Ended::Code(0));
        finished.lines_of("web.1")[1].parse().unwrap()
    });
}

#[test]
fn s19_1_a_smoke_test_skips_a_port_in_time_wait() {
    let app = smoke::app("web: ./listen\n");
    assert_time_wait_is_skipped(|| {
        let finished = app.dyno(["smoke", "--settle", "0", "--", "true"]).run();
        finished.expect_end(Ended::Code(0));
        smoke::ports(&finished.stderr())[0].parse().unwrap()
    });
}

/// Asserts that the port of web.1 changes when it is in `TIME_WAIT`. `chosen`: makes a run, and returns its port.
fn assert_time_wait_is_skipped(chosen: impl Fn() -> u16) {
    let mut port = 0;
    // Another program may take the port first: then try the next one.
    until("the next port is in TIME_WAIT", || {
        port = chosen();
        leave_time_wait(port).is_ok()
    });

    assert_ne!(chosen(), port);
}
