//! Clients of a terminal that send garbage, read nothing, or may not be there at all: the dyno and the other clients go on
//! (S10.5).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::api_faults::connect;
use crate::app::free_port;
use crate::attach::{DETACH, asking, attach, printed};
use crate::detached::{in_background, stop};
use crate::harness::{App, Ended, Running};

/// How long the start may take to answer, or to close a connection. Only failing tests wait that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The request that `dyno attach` sends.
fn request(app: &str, body: &str) -> String {
    format!(
        "POST /apps/{app}/dynos/app.1/terminal HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: dyno-terminal\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection that carries frames.
fn upgraded(app: &App, body: &str) -> UnixStream {
    let mut stream = connect(app);
    stream.write_all(request("app", body).as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

fn to_end(mut stream: UnixStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // What was sent to a connection that is closed.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    bytes
}

fn still_works(app: &App, start: &Running) {
    let client = attach(app, &[], "name?");
    client.terminal().type_keys(b"ann\r");
    client.until_shown("hi ann");
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));
    stop(app, start);
}

#[test]
fn s10_5_garbage_ends_only_the_connection_that_carries_it() {
    let app = asking();
    let start = in_background(&app);
    start.until("the dyno asks", || printed(&app) == "name?\n");
    let keys = [b"k\0\0\0\x04".as_slice(), b"bob\r"].concat();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"k\xff\xff\xff\xff",
        b"s\0\0\0\x03abc",
        b"o\0\0\0\x01x",
        &[&b"s\0\0\0\x04\xff\xff\xff\xff"[..], &keys, b"\0\0\0\0\0\0"].concat(),
    ] {
        let mut stream = upgraded(&app, "{}");
        stream.write_all(garbage).unwrap();
        to_end(stream);
    }
    // A frame that never ends costs nothing but its connection.
    let mut unfinished = upgraded(&app, "{\"read_only\":true}");
    unfinished.write_all(b"k\0\x03\0\0half").unwrap();

    start.until("the valid frame was typed", || printed(&app).contains("hi bob"));
    still_works(&app, &start);
    drop(unfinished);
}

#[test]
fn s10_5_a_client_that_reads_nothing_slows_no_one_and_catches_up() {
    let app = App::new("app: ./app\n")
        .script(
            "app",
            "read -r _ <go; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo \"line $i\"; done; echo end; sleep 1000\n",
        )
        .fifo("go");
    let start = in_background(&app);
    let mut silent = upgraded(&app, "{\"read_only\":true}");
    let reading = app.dyno(["attach", "app"]).spawn_in_terminal();
    reading.until_shown("attached to");

    app.release("go");

    let ends =
        |seen: &[u8]| [&b"\nend\r\n"[..], b"Kend\x1b"].iter().any(|end| memchr::memmem::find(seen, end).is_some());
    // If it was too slow, it gets the screen.
    reading.until("it has shown the end", || ends(reading.stdout.text().as_bytes()));
    start.until("the log has everything", || app.dyno(["logs", "-n", "1"]).run().stdout().contains("| end\n"));
    // The first bytes fill the socket; after the gap comes the screen as it is now.
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = Vec::new();
    while !ends(&seen) {
        let mut part = [0; 4096];
        let count = silent.read(&mut part).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&part[..count]);
    }
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(seen.contains("line 1\r\n") && seen.contains("line 99999"), "{} bytes", seen.len());
    assert!(seen.len() < 600_000, "of 1,288,895 bytes it has read {}", seen.len());
    reading.terminal().type_keys(DETACH);
    reading.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_a_dyno_that_reads_no_keys_can_still_be_interrupted() {
    let app = App::new("app: ./app\n")
        .script("app", "trap 'echo interrupted' INT\nstty -icanon\necho ready\nread -r _ <never\nread -r _ <never\n");
    let app = app.fifo("never");
    let start = in_background(&app);
    start.until("the dyno is ready", || printed(&app) == "ready\n");
    let mut stream = upgraded(&app, "{}");

    for _ in 0..40 {
        stream.write_all(&[&b"k\0\0\x40\0"[..], &[b'x'; 0x4000]].concat()).unwrap();
    }
    stream.write_all(b"k\0\0\0\x01\x03").unwrap();

    start.until("it is interrupted", || printed(&app).contains("interrupted"));
    // The client that typed has left, so the keyboard is free.
    drop(stream);
    let client = attach(&app, &["--take"], "interrupted");
    client.terminal().type_keys(DETACH);
    client.finish().expect_end(Ended::Code(0));
    stop(&app, &start);
}

#[test]
fn s10_5_held_keys_are_typed_while_the_client_reads_nothing() {
    let reads = "stty -icanon -echo\necho ready\nread -r _ <go\nline=0123456789\n\
        for _ in 1 2 3 4 5 6; do line=$line$line; done\ni=0\n\
        while [ $i -lt 3000 ]; do i=$((i+1)); echo \"$line\"; done\necho flooded\nread -r _ <go\n\
        head -c 655360 >/dev/null\necho got\nexec sleep 1000\n";
    let app = App::new("app: ./app\n").script("app", reads).fifo("go");
    let start = in_background(&app);
    start.until("the dyno is ready", || printed(&app) == "ready\n");
    let mut silent = upgraded(&app, "{}");
    app.release("go");
    start.until("it has written much", || printed(&app).contains("flooded"));

    for _ in 0..40 {
        silent.write_all(&[&b"k\0\0\x40\0"[..], &[b'x'; 0x4000]].concat()).unwrap();
    }
    app.release("go");

    start.until("it has read them", || printed(&app).contains("got"));
    stop(&app, &start);
}

#[test]
fn s10_5_a_terminal_is_never_reached_over_tcp() {
    let app = asking();
    let port = free_port().to_string();
    let mut start = app.dyno(["start", "--detach", "--api", &port]).spawn();
    start.returned().expect_end(Ended::Code(0));
    let exports = app.dyno(["env", "heroku"]).run().stdout();
    let key = exports.split("HEROKU_API_KEY='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    let host = format!("host: 127.0.0.1:{port}\r\nauthorization: Bearer {key}");
    let screen = "GET /apps/app/dynos/app.1/screen HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();

    for text in [request("app", "{}"), screen] {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.write_all(text.replace("host: x", &host).as_bytes()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(answer.contains("the terminal of a dyno is not available over TCP"), "{answer}");
    }
    still_works(&app, &start);
}

#[test]
fn s10_5_plain_http_gets_an_answer_that_says_what_is_missing() {
    let app = asking();
    let start = in_background(&app);
    let answered = |text: &str| {
        let mut stream = connect(&app);
        stream.write_all(text.as_bytes()).unwrap();
        String::from_utf8_lossy(&to_end(stream)).into_owned()
    };

    let plain = answered(&request("app", "{}").replace("upgrade: dyno-terminal", "x: y"));
    assert!(plain.starts_with("HTTP/1.1 422 ") && plain.contains("`Upgrade: dyno-terminal`"), "{plain}");
    let unknown = answered(&request("app", "{}").replace("app.1", "web.1"));
    assert!(unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("there is no dyno `web.1`"), "{unknown}");
    let odd = answered(&request("app", "[1]"));
    assert!(odd.starts_with("HTTP/1.1 4"), "{odd}");
    let other = answered(&request("other", "{}"));
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
    still_works(&app, &start);
}

#[test]
fn s10_5_the_first_picture_fits_the_terminal_of_the_client() {
    let draws =
        "printf '\\033[?1049h\\033[2J\\033[1;1H%s%s%sright' 0123456789 0123456789 0123456789\nexec sleep 1000\n";
    let app = App::new("app: ./app\n").script("app", draws);
    let start = in_background(&app);
    start.until("it is drawn", || printed(&app).contains("right"));
    // One that only watches gets it in the size that it has.
    let watching = app.dyno(["attach", "app", "--read-only"]).spawn_in_terminal_of(24, 30);
    watching.until_shown("right");

    let client = app.dyno(["attach", "app"]).spawn_in_terminal_of(24, 30);
    client.until_shown("9012345678");
    for client in [watching, client] {
        client.terminal().type_keys(DETACH);
        let finished = client.finish();
        finished.expect_end(Ended::Code(0));
        let is_whole = finished.stdout().contains("right");
        assert_eq!(is_whole, finished.stdout().starts_with("watching"), "{:?}", finished.stdout());
    }
    stop(&app, &start);
}

#[test]
fn s10_5_a_client_in_the_background_of_its_terminal_is_refused() {
    let app = asking();
    let start = in_background(&app);
    start.until("the dyno asks", || printed(&app) == "name?\n");
    let in_its_background = ["sh", "-c", "set -m; \"$@\" & wait $!; echo \"status $?\"", "sh"];

    let finished = app.dyno(["attach", "app"]).under(&in_its_background).spawn_in_terminal().finish();

    finished.expect_end(Ended::Code(0));
    let shown = finished.stdout();
    assert!(
        shown.contains(" must run in the foreground of a terminal, ") && shown.ends_with("\r\nstatus 2\r\n"),
        "{shown}"
    );
    still_works(&app, &start);
}
