//! What this program does when it runs as a dyno, or as the same command without `dyno`.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};

/// Bytes of a line, including its newline.
pub(crate) const LINE_BYTES: usize = 100;

/// The byte that fills each line up to its newline. It occurs in no prefix and no notice.
pub(crate) const FILLER: u8 = b'Z';

/// Bytes of one write: the capacity of a pipe.
const BLOCK_BYTES: usize = 64 << 10;

/// After this many blocks, the end of a line is also the end of a block.
const BLOCKS: usize = 25;

/// The command line of a process that writes `lines` lines and exits.
pub(crate) fn produce(lines: usize) -> String {
    format!("{} produce {lines}", program())
}

/// The command line of a process that writes lines without end.
pub(crate) fn flood() -> String {
    produce(usize::MAX / LINE_BYTES)
}

/// The command line of a process that writes the time of its exec and its pid to this fifo, then waits for SIGTERM.
pub(crate) fn report_and_wait(fifo: &str) -> String {
    format!("{} report-and-wait {fifo}", program())
}

/// The same for a process that also listens on its `PORT`.
pub(crate) fn listen_and_wait(fifo: &str) -> String {
    format!("{} listen-and-wait {fifo}", program())
}

/// The command line of a web server that listens on its `PORT`.
pub(crate) fn web_server() -> String {
    format!("{} web-server", program())
}

fn program() -> String {
    let path = std::env::current_exe().unwrap();
    let path = path.to_str().expect("the path of this program is UTF-8");
    assert!(!path.contains([' ', '\'', '"', '$', '\\']), "the path of this program needs no quoting: {path}");
    path.to_owned()
}

/// Nanoseconds since 1970.
pub(crate) fn nanoseconds(moment: SystemTime) -> u128 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since: Duration| since.as_nanos())
}

/// Nanoseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "less than a minute")]
pub(crate) fn milliseconds(nanoseconds: u128) -> f64 {
    nanoseconds as f64 / 1e6
}

/// Plays the role that these words name. False: they are not a role.
pub(crate) fn play(words: &[String], begun: SystemTime) -> bool {
    match words {
        [role, lines] if role == "produce" => write_lines(lines.parse().unwrap()),
        [role, fifo] if role == "report-and-wait" => report_until_signalled(begun, fifo),
        [role, fifo] if role == "listen-and-wait" => {
            let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
            let _server = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
            report_until_signalled(begun, fifo);
        }
        [role] if role == "web-server" => crate::router::serve(),
        _ => return false,
    }
    true
}

fn report_until_signalled(begun: SystemTime, fifo: &str) {
    let report = format!("{} {}\n", nanoseconds(begun), std::process::id());
    // One short write, which stays in one piece even if many processes write at once.
    OpenOptions::new().write(true).open(fifo).unwrap().write_all(report.as_bytes()).unwrap();
    while poll(&mut [], PollTimeout::NONE) == Err(Errno::EINTR) {}
}

/// Writes straight to the descriptor: the standard library's stdout would look for line ends first.
fn write_lines(lines: usize) {
    let mut line = [FILLER; LINE_BYTES];
    *line.last_mut().unwrap() = b'\n';
    let text = line.repeat(BLOCKS * BLOCK_BYTES / LINE_BYTES);
    let stdout = std::io::stdout();
    let mut left = lines * LINE_BYTES;
    for block in text.chunks(BLOCK_BYTES).cycle() {
        let mut rest = block.get(..left.min(block.len())).unwrap();
        if rest.is_empty() {
            return;
        }
        left -= rest.len();
        while !rest.is_empty() {
            match nix::unistd::write(stdout.as_fd(), rest) {
                Ok(written) => rest = rest.get(written..).unwrap(),
                Err(Errno::EINTR) => {}
                // The reader has closed the pipe.
                Err(_) => return,
            }
        }
    }
}
