//! `BASE_URL` is the address at which `web.1` answers (S19.3).

use std::net::UdpSocket;

use crate::app::has_ipv6;
use crate::harness::Ended;
use crate::smoke::{app, ports, smoke};

/// Asserts the `BASE_URL` of a server that listens on this address, with and without `--http`. In `url`, the port
/// number is `PORT`.
#[track_caller]
fn assert_base_url(address: &str, url: &str) {
    if address.contains(':') && !has_ipv6() {
        return;
    }
    for http in [&[][..], &["--http", "/"]] {
        let app = app(&format!("web: ./listen {address}\n"));

        let finished = smoke(&app, &[http, &["--settle", "0", "--", "echo $BASE_URL"]].concat()).run();

        finished.expect_end(Ended::Code(0));
        let port = &ports(&finished.stderr())[0];
        assert_eq!(finished.stdout().replace(port, "PORT"), format!("{url}\n"), "{address} {http:?}");
    }
}

#[test]
fn s19_3_a_server_on_ipv6_only_has_an_ipv6_base_url() {
    assert_base_url("::1", "http://[::1]:PORT");
}

#[test]
fn s19_3_a_server_on_another_loopback_address_has_that_base_url() {
    assert_base_url("127.0.0.2", "http://127.0.0.2:PORT");
}

#[test]
fn s19_3_a_server_on_all_addresses_has_the_usual_base_url() {
    assert_base_url("0.0.0.0", "http://127.0.0.1:PORT");
    assert_base_url("::", "http://127.0.0.1:PORT");
    assert_base_url("127.0.0.1", "http://127.0.0.1:PORT");
}

#[test]
fn s19_3_a_server_on_a_network_address_has_that_base_url() {
    // `connect` on a UDP socket sends nothing: it only chooses the local address for this destination.
    let route = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let Ok(own) = route else { return };
    assert_base_url(&own.ip().to_string(), &format!("http://{}:PORT", own.ip()));
}

#[test]
fn s19_3_the_base_url_is_that_of_web_1_only() {
    if !has_ipv6() {
        return;
    }
    let app = app("api: ./listen ::1\nweb: test $DYNO = web.1 && exec ./listen 127.0.0.2; exec ./listen ::1\n");
    let args = ["web=2", "api", "--ready", "web,api", "--settle", "0", "--", "echo $BASE_URL $PORT"];

    let finished = smoke(&app, &args).run();

    finished.expect_end(Ended::Code(0));
    let stdout = finished.stdout();
    let (url, port) = stdout.trim_end().split_once(' ').unwrap();
    assert_eq!(url, format!("http://127.0.0.2:{port}"));
}

#[test]
fn s19_3_a_web_dyno_that_is_not_a_ready_type_has_the_usual_base_url() {
    let app = app("api: ./listen\nweb: read -r _ <never\n").fifo("never");

    let finished = smoke(&app, &["--ready", "api", "--settle", "0", "--", "echo $BASE_URL | sed s/$PORT/PORT/"]).run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), "http://127.0.0.1:PORT\n");
}
