//! Too few open files: clients and requests wait, nothing spins, and nothing is lost (S16.6).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::{fork, free_base};
use crate::checkouts::end;
use crate::harness::{App, Ended, Running, note, until};
use crate::process_table;

/// The limit of open files.
const LIMIT: usize = 340;
/// How many of them other things have: then the limit allows more clients than there are files for.
const OTHERS: usize = 300;
/// More clients than there are files for.
const CLIENTS: usize = 60;
const SHORTAGE: &str = "router | Too many open files: clients and requests wait until others have left or ended; the limit is 340, and \
                        `ulimit -n NUMBER` before `dyno start` raises it\n";

/// Answers one request of each connection, as `web.1`.
fn serve(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if !matches!(socket.read(&mut byte), Ok(1)) {
                        return;
                    }
                    head.push(byte[0]);
                }
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
            });
        }
    });
}

fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}

fn ask(client: &mut TcpStream, connection: &str) {
    write!(client, "GET /items HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n").unwrap();
}

/// The answer, up to the end of its body.
fn answer(client: &mut TcpStream) -> String {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"ok\n") && matches!(client.read(&mut byte), Ok(1)) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asserts that `dyno` waits instead of trying again and again.
fn assert_waits(running: &Running) {
    const LOOKED_AT_FOR: Duration = Duration::from_secs(2);
    let used = || Duration::from_millis(10) * u32::try_from(process_table::cpu_ticks(running.main())).unwrap();
    let (since, before) = (Instant::now(), used());
    until("it could have spun", || since.elapsed() > LOOKED_AT_FOR);
    let (used, passed) = (used().saturating_sub(before), since.elapsed());
    assert!(used < passed / 4, "{used:?} of processor time in {passed:?}");
}

/// Sets the limit of a process that runs. False: there is no program for that.
fn limit(pid: i32, files: usize) -> bool {
    let line = format!("prlimit --pid={pid} --nofile={files}:{LIMIT}");
    fork(Command::new("sh").args(["-c", &line])).wait().unwrap().success()
}

#[test]
fn s16_6_without_files_clients_wait_and_none_is_lost() {
    let (app, port) = (App::new("web: exec sleep 1000\nn: exec sleep 1000\n"), free_base());
    let call = app.dyno(["start", "--router", "-p", &port.to_string(), "--log-dir", "log"]);
    let running = call.after(&format!("ulimit -n {LIMIT}")).spawn();
    running.until_shown("web.1  | started with pid ");
    running.until_shown("n.1    | started with pid ");
    serve(port + 100);
    let files = || process_table::count(running.main(), "fd");
    // One for the pipe and one for the file of the log.
    let dynos = 1 + (OTHERS - files()) / 2;
    app.dyno(["scale", &format!("n={dynos}"), "--wait"]).run().expect_end(Ended::Code(0));
    running.until("the files are used up", || files().abs_diff(OTHERS) < 3);

    // Each could take the place that the request of another one needs.
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(port)).collect();
    running.until_shown(SHORTAGE);
    assert_waits(&running);
    for client in &mut clients {
        ask(client, "close");
    }
    for (at, client) in clients.iter_mut().enumerate() {
        let answer = answer(client);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{at}: {answer}\n{}", running.report());
    }
    drop(clients);

    // The same if there is not even one file.
    let mut kept = connect(port);
    ask(&mut kept, "keep-alive");
    assert!(answer(&mut kept).starts_with("HTTP/1.1 200 OK\r\n"));
    if limit(running.main(), 3) {
        ask(&mut kept, "close");
        let mut waiting = connect(port);
        ask(&mut waiting, "close");
        assert_waits(&running);
        for client in [&mut kept, &mut waiting] {
            client.set_nonblocking(true).unwrap();
            assert!(client.peek(&mut [0]).is_err(), "it waits");
            client.set_nonblocking(false).unwrap();
        }
        assert!(limit(running.main(), LIMIT));
        for mut client in [kept, waiting] {
            assert!(answer(&mut client).starts_with("HTTP/1.1 200 OK\r\n"));
        }
    } else {
        note("not tested: a limit that becomes lower, because `prlimit` cannot set it");
    }

    assert_eq!(running.of_dynos().len(), 1 + dynos);
    let finished = end(running);
    assert_eq!(finished.stdout().matches("Too many open files").count(), 1, "{}", finished.stdout());
    assert_eq!(finished.lines_of("router").iter().filter(|line| line.contains(" 503 ")).count(), 0);
}
