//! Limits of the router in real time and in a real process (S12.2, S16.4, S16.6).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use crate::app::free_base;
use crate::checkouts::end;
use crate::harness::{App, Ended, Running, until};
use crate::process_table;
use crate::smoke;

const GET: &[u8] = b"GET /items HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A client that has sent this.
fn client(port: u16, bytes: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(bytes).unwrap();
    client
}

/// Everything up to and including these bytes.
fn read_until(client: &mut TcpStream, end: &str) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with(end) {
        assert_eq!(client.read(&mut byte).unwrap(), 1, "ended after {text}");
        text.push(char::from(byte[0]));
    }
    text
}

fn start(app: &App, port: u16, args: &[&str]) -> Running {
    let running = app.dyno(["start", "--router", "-p", &port.to_string()]).args(args).spawn();
    running.until("the router listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    running
}

#[test]
fn s12_2_a_request_waits_as_much_longer_while_dyno_is_suspended() {
    const HOLD: Duration = Duration::from_secs(10);
    let app = smoke::app("web: read -r _ <go; exec ./listen 127.0.0.1\n").fifo("go");
    let port = free_base();
    let running = start(&app, port, &["--ready", "web", "--router-hold", "10"]);
    let mut client = client(port, GET);
    // By then the router has read the request, too.
    running.until("the app answers", || app.dyno(["ps"]).run().ended == Ended::Code(0));
    let is_stopped = || process_table::stat(running.main()).is_some_and(|(state, _)| state == 'T');

    running.signal(Signal::SIGTSTP);
    running.until("dyno is stopped", is_stopped);
    let since = Instant::now();
    until("the hold has passed", || since.elapsed() > HOLD + Duration::from_secs(1));
    running.signal(Signal::SIGCONT);
    // If the hold had not been paused, it would be over, and the answer would be H20.
    app.dyno(["ps"]).run().expect_end(Ended::Code(0));
    app.release("go");

    assert!(read_until(&mut client, "ok\n").starts_with("HTTP/1.1 200 As asked\r\n"));
    end(running);
}

#[test]
fn s16_6_more_clients_than_there_are_files_for_wait_for_a_place() {
    const PLACES: usize = 22;
    let (app, port) = (smoke::app("web: exec ./listen 127.0.0.1\n"), free_base());
    // 256 files are for other things, and each client needs two.
    let call = app.dyno(["start", "--router", "-p", &port.to_string()]).after("ulimit -n 300");
    let running = call.spawn();
    running.until_shown("Listening on ");
    let mut seated: Vec<TcpStream> = (0..PLACES).map(|_| client(port, GET)).collect();
    for client in &mut seated {
        read_until(client, "ok\n");
    }

    let mut waiting: Vec<TcpStream> = (0..3).map(|_| client(port, GET)).collect();
    // Others are still served.
    for client in &mut seated {
        client.write_all(GET).unwrap();
        read_until(client, "ok\n");
    }
    for client in &mut waiting {
        client.set_nonblocking(true).unwrap();
        assert_eq!(client.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
    }
    drop(seated);

    for client in &mut waiting {
        read_until(client, "ok\n");
    }
    end(running);
}

/// Whether these tests wait until the time-outs have passed; `.ci/long` asks for that.
fn waits() -> bool {
    std::env::var_os("DYNO_REAL_TIMES").is_some()
}

/// How many slow clients there are.
fn slow_clients() -> usize {
    if !waits() {
        return 100;
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(4096)), hard).unwrap();
    1000
}

#[test]
fn s16_4_slow_clients_and_slow_dynos_cost_little_and_are_cut_after_30_s() {
    const MOST_KIB_PER_CLIENT: u64 = 64;
    let procfile = "web: exec ./listen 127.0.0.1\nmute: exec ./listen 127.0.0.1 mute\n";
    let (app, port) = (smoke::app(procfile), free_base());
    let running = start(&app, port, &["--router-timeout", "--app", "shop"]);
    running.until("both listen", || running.stdout.text().matches("Listening on ").count() == 2);
    read_until(&mut client(port, GET), "ok\n");
    let (began, before) = (Instant::now(), process_table::memory_kib(running.main(), "VmHWM"));

    let mut mute = client(port, b"GET /slow HTTP/1.1\r\nHost: shop-mute.localhost\r\n\r\n");
    let count = slow_clients();
    let mut slow: Vec<TcpStream> =
        (0..count).map(|_| client(port, b"GET /loris HTTP/1.1\r\nHost: localhost\r\nX-a: b")).collect();
    running.until("all are connected", || process_table::count(running.main(), "fd") > count);
    for _ in 0..20 {
        read_until(&mut client(port, GET), "ok\n");
    }

    let used = process_table::memory_kib(running.main(), "VmHWM") - before;
    let most = 1024 + MOST_KIB_PER_CLIENT * count as u64;
    assert!(used < most, "{used} KiB, {} each", used / count as u64);
    if waits() {
        let page = read_until(&mut mute, "\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{page}");
        assert!(began.elapsed() >= Duration::from_secs(30));
        running.until_shown("GET /slow 503 mute.1 30s ");
        running.until_shown(" H12 Request timeout");
        for client in &mut slow {
            assert!(read_until(client, "\r\n\r\n").starts_with("HTTP/1.1 408 Request Timeout\r\n"));
        }
        running.until("each has its line", || running.stdout.text().matches("GET /loris 408 ").count() == count);
    }
    drop((mute, slow));
    end(running);
}
