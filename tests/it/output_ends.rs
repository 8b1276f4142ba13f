//! Readers of stdout that stop reading or are slow when the run ends: lost bytes are counted and reported (S7.5, S11).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::socket::{setsockopt, sockopt};

use crate::app::{OTHER_USER, fork};
use crate::harness::{App, Ended, Finished, RARE_PORT, Running};
use crate::process_table;

/// Capacity of the smallest pipe: one page.
const PAGE_BYTES: i32 = 4096;

/// An app whose lines are 69 bytes long when they are shown. With `--log-dir log` the same bytes are in `log/all.log`.
fn app_with_lines(lines: u32) -> App {
    App::new(&format!("web: seq -f 'line %045.0f' 1 {lines}\n"))
}

fn pipe_of_one_page() -> (io::PipeReader, io::PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PAGE_BYTES)).unwrap();
    (reader, writer)
}

/// Each byte was accepted by the stream or is counted as lost; `all.log` has all bytes.
#[track_caller]
fn expect_all_counted(app: &App, ended: Ended, stderr: &str, shown: &[u8]) {
    let all = fs::read(app.path("log/all.log")).unwrap();
    assert!(all.ends_with(b"| exited with code 0\n"), "{}", String::from_utf8_lossy(&all));
    assert!(all.starts_with(shown) && shown.len() < all.len(), "{} of {} bytes", shown.len(), all.len());
    let fact = format!("error: {} bytes of output were lost: the reader stopped reading\n", all.len() - shown.len());
    assert_eq!((ended, stderr), (Ended::Code(74), fact.as_str()));
}

fn rest_of(mut reader: impl Read) -> Vec<u8> {
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    rest
}

#[test]
fn s7_5_bytes_lost_to_a_stopped_pipe_reader_are_counted() {
    let app = app_with_lines(100);
    let (reader, writer) = pipe_of_one_page();

    let finished = app.dyno(["start", "--log-dir", "log"]).stdout_to(writer).run();

    expect_all_counted(&app, finished.ended, &finished.stderr(), &rest_of(reader));
}

#[test]
fn s7_5_bytes_lost_to_a_pipe_of_another_user_are_counted() {
    let app = app_with_lines(100).fifo("pipe");
    fs::set_permissions(app.path(""), Permissions::from_mode(0o777)).unwrap();
    let reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(app.path("pipe")).unwrap();
    let writer = OpenOptions::new().write(true).open(app.path("pipe")).unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PAGE_BYTES)).unwrap();
    // `dyno` cannot open the pipe a second time, as after `sudo -u`.
    fs::set_permissions(app.path("pipe"), Permissions::from_mode(0o000)).unwrap();
    let call = app.dyno(["start", "--log-dir", "log", "-p", RARE_PORT]).stdout_to(writer);
    let call = if nix::unistd::geteuid().is_root() { call.user(OTHER_USER) } else { call };

    let finished = call.run();

    expect_all_counted(&app, finished.ended, &finished.stderr(), &rest_of(reader));
}

#[test]
fn s7_5_bytes_lost_to_a_stopped_socket_reader_are_counted() {
    let app = app_with_lines(5000);
    let (reader, writer) = UnixStream::pair().unwrap();

    let finished = app.dyno(["start", "--log-dir", "log"]).stdout_to(OwnedFd::from(writer)).run();

    expect_all_counted(&app, finished.ended, &finished.stderr(), &rest_of(reader));
}

#[test]
fn s7_5_bytes_lost_to_a_stopped_terminal_are_counted() {
    let app = App::new("web: echo up; read -r _ <go; seq -f 'line %045.0f' 1 5000\n").fifo("go");
    let args = ["start", "--log-dir", "log", "--pty", "never", "--color", "never", "-p", RARE_PORT];
    let call = app.dyno(args).after("exec 2>stderr");
    let dyno = call.spawn_in_terminal();
    dyno.until_shown("up\r\n");

    // Ctrl-S.
    dyno.terminal().type_keys(b"\x13");
    app.release("go");
    let finished = dyno.finish();

    let shown = String::from_utf8(finished.stdout).unwrap().replace("\r\n", "\n");
    let stderr = fs::read_to_string(app.path("stderr")).unwrap();
    expect_all_counted(&app, finished.ended, &stderr, shown.as_bytes());
}

/// Copies stdin to the file `out`, a piece at a time with a pause after each.
fn slow_reader(app: &App, piece_bytes: u32, stdin: impl Into<Stdio>) -> Child {
    let script = format!(
        "while dd bs={piece_bytes} count=1 of=piece 2>/dev/null && [ -s piece ]; do cat piece; sleep 0.45; done"
    );
    let out = File::create(app.path("out")).unwrap();
    fork(Command::new("sh").args(["-c", &script]).current_dir(app.path("")).stdin(stdin).stdout(out))
}

/// Runs the app with a slow reader. Returns the finished run and the text that the reader got.
fn run_into_slow_reader(app: &App, mut reader: Child, writer: impl Into<Stdio>) -> (Finished, String) {
    let finished = app.dyno(["start", "--pty", "never", "--color", "never"]).stdout_to(writer).run();
    assert!(reader.wait().unwrap().success());
    (finished, fs::read_to_string(app.path("out")).unwrap())
}

#[track_caller]
fn expect_all_shown(lines: usize, (finished, shown): (Finished, String)) {
    assert_eq!((finished.ended, finished.stderr().as_str()), (Ended::Code(0), ""));
    assert_eq!(shown.matches("| line ").count(), lines);
    assert!(shown.trim_end().ends_with("| exited with code 0"), "{shown}");
}

// A full pipe accepts no byte until a whole page has been read, which takes this reader three seconds.
#[test]
fn s7_5_a_steady_slow_reader_of_a_pipe_gets_everything() {
    let app = app_with_lines(160);
    let (reader, writer) = pipe_of_one_page();

    expect_all_shown(160, run_into_slow_reader(&app, slow_reader(&app, 600, reader), writer));
}

// The kernel reports a terminal as writable only after its reader has read all 18 KiB that were waiting.
#[test]
fn s7_5_a_steady_slow_reader_of_a_terminal_gets_everything() {
    let app = app_with_lines(400);
    let pty = openpty(None, None).unwrap();
    for side in [&pty.master, &pty.slave] {
        fcntl(side, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).unwrap();
    }

    expect_all_shown(400, run_into_slow_reader(&app, slow_reader(&app, 1500, pty.master), pty.slave));
}

// A full socket accepts no byte until a whole message has been read. A large one would take this reader five seconds.
#[test]
fn s7_5_a_steady_slow_reader_of_a_socket_gets_everything() {
    let app = app_with_lines(900);
    let (reader, writer) = UnixStream::pair().unwrap();
    setsockopt(&writer, sockopt::SndBuf, &16_384).unwrap();

    let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
    expect_all_shown(900, run_into_slow_reader(&app, slow_reader(&app, 1500, reader), writer));
}

/// Waits until `dyno` itself is blocked by its reader, or has ended.
fn until_dyno_waits(dyno: &mut Running) {
    let pid = dyno.main();
    crate::harness::until("`dyno` waits or has ended", || dyno.has_ended() || process_table::polls(pid));
}

#[test]
fn s11_config_waits_for_the_reader_of_a_non_blocking_stdout() {
    let keys: Vec<String> = (0..3000).map(|n| format!("KEY{n:04}={}\n", "v".repeat(90))).collect();
    let app = App::new("web: true\n").file(".env", keys.concat());
    let (reader, writer) = io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut dyno = app.dyno(["config"]).stdout_to(writer).spawn();
    until_dyno_waits(&mut dyno);

    let shown = String::from_utf8(rest_of(reader)).unwrap();

    dyno.finish().expect_end(Ended::Code(0));
    assert_eq!(shown.lines().filter(|line| line.starts_with("KEY")).count(), 3000);
}

#[test]
fn s11_an_error_message_waits_for_a_slow_reader_of_stderr() {
    let app = App::empty();
    let (reader, mut writer) = pipe_of_one_page();
    writer.write_all(&[b' '; PAGE_BYTES as usize]).unwrap();
    let mut dyno = app.dyno(["start"]).after("exec 2>&1").stdout_to(writer).spawn();
    until_dyno_waits(&mut dyno);

    let shown = String::from_utf8(rest_of(reader)).unwrap();

    dyno.finish().expect_end(Ended::Code(78));
    assert!(shown.trim_start().starts_with("error: "), "{shown:?}");
}
