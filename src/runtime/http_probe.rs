//! Asks a server that listens for an answer over HTTP/1.1, until it is the right one.
//!
//! Looks at the first line of an answer, within limits of time and bytes. What an answer means is decided by `supervisor`;
//! which statuses are right, by [`HttpCheck`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, spawn, spawn_local};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::listening::listened_on;
use crate::app::{HttpCheck, RunId, reachable_at};
use crate::supervisor::{Event, HttpAnswer, HttpSilence};

/// How long the first attempt waits for a first byte. Each later one that gets none waits twice as long: a first page may
/// take a compiler to make, and a server that was not ready may never answer what it took too early.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// How long the first line may take from its first byte on.
const LINE_PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes that are read of an answer: a first line of any sane length, and the hints that may stand before it.
const ANSWER_BYTES: usize = 8192;
/// How long the rest of an answer is taken, once its status is known: a server that is cut off says so in its log, where
/// that would be taken for the reason of what fails later. Nobody waits for it.
const REST_PATIENCE: Duration = Duration::from_secs(1);
/// Pause after the first attempt; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Where a server is looked for if the system does not say where it listens.
const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The servers that are asked.
pub(super) struct HttpProbes {
    check: Option<Arc<HttpCheck>>,
    tasks: HashMap<RunId, AbortHandle>,
    /// At most a few a second from each server, because only changes are sent.
    sender: UnboundedSender<Answered>,
    answers: UnboundedReceiver<Answered>,
}

/// What a server answered, and at which address.
type Answered = (RunId, IpAddr, HttpAnswer);

impl HttpProbes {
    pub(super) fn new(check: Option<HttpCheck>) -> Self {
        let (sender, answers) = unbounded_channel();
        Self { check: check.map(Arc::new), tasks: HashMap::new(), sender, answers }
    }

    /// Begins to ask the server on this port.
    pub(super) fn ask(&mut self, run: RunId, port: u16) {
        let Some(check) = self.check.clone() else { return };
        let task = spawn_local(ask_until_right(check, run, port, self.sender.clone()));
        self.tasks.insert(run, task.abort_handle());
    }

    /// The run has ended: nobody is asked any more.
    pub(super) fn forget(&mut self, run: RunId) {
        if let Some(task) = self.tasks.remove(&run) {
            task.abort();
        }
    }

    /// The next answer. Cancel safe.
    pub(super) async fn next(&mut self) -> Event {
        match self.answers.recv().await {
            Some((run, address, answer)) => Event::Answer { run, address, answer },
            // A sender is ours.
            None => std::future::pending().await,
        }
    }
}

async fn ask_until_right(check: Arc<HttpCheck>, run: RunId, port: u16, sender: UnboundedSender<Answered>) {
    let (mut patience, mut pause, mut last, mut sent) = (FIRST_PATIENCE, FIRST_PAUSE, None, None);
    loop {
        let answer = ask(&check, port, patience).await;
        let is_certain = match answer.1 {
            // A server that exits closes its connections, too: it is not reported for that, its exit is.
            HttpAnswer::None(HttpSilence::Closed) => last == Some(answer),
            HttpAnswer::Status(_)
            | HttpAnswer::None(HttpSilence::Refused | HttpSilence::NotHttp | HttpSilence::Slow) => true,
        };
        last = Some(answer);
        if is_certain && sent != last {
            sent = last;
            if sender.send((run, answer.0, answer.1)).is_err() {
                return;
            }
        }
        match answer.1 {
            HttpAnswer::Status(status) if check.accepts(status) => return,
            HttpAnswer::None(HttpSilence::Slow) => patience *= 2,
            HttpAnswer::Status(_)
            | HttpAnswer::None(HttpSilence::Refused | HttpSilence::Closed | HttpSilence::NotHttp) => {}
        }
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// Sends one request, to the address where the server can be reached now. Returns the address with the answer.
async fn ask(check: &HttpCheck, port: u16, patience: Duration) -> (IpAddr, HttpAnswer) {
    let mut addresses = reachable_at(&listened_on(port));
    if addresses.is_empty() {
        addresses.extend(LOCALHOST);
    }
    let patient_until = Instant::now() + patience;
    let (mut address, mut silence) = (IpAddr::V4(Ipv4Addr::LOCALHOST), HttpSilence::Refused);
    for candidate in addresses {
        address = candidate;
        match timeout_at(patient_until, TcpStream::connect((address, port))).await {
            // The next one may take the connection: `::` may or may not include IPv4.
            Ok(Err(_)) => {}
            Ok(Ok(server)) => {
                return (address, exchange(server, check, SocketAddr::new(address, port), patient_until).await);
            }
            Err(_) => {
                silence = HttpSilence::Slow;
                break;
            }
        }
    }
    (address, HttpAnswer::None(silence))
}

/// Sends the request and reads the first line of the answer.
async fn exchange(mut server: TcpStream, check: &HttpCheck, host: SocketAddr, patient_until: Instant) -> HttpAnswer {
    let silence = match timeout_at(patient_until, begin(&mut server, check, host)).await {
        Err(_) => HttpSilence::Slow,
        Ok(None) => HttpSilence::Closed,
        Ok(Some(answer)) => match timeout(LINE_PATIENCE, rest(&mut server, answer)).await {
            Err(_) => HttpSilence::Slow,
            Ok(None) => HttpSilence::NotHttp,
            Ok(Some(status)) => {
                spawn(timeout(REST_PATIENCE, take_all(server)));
                return HttpAnswer::Status(status);
            }
        },
    };
    HttpAnswer::None(silence)
}

/// Sends the request and waits for the first bytes of the answer. None: the connection was closed before.
async fn begin(server: &mut TcpStream, check: &HttpCheck, host: SocketAddr) -> Option<Vec<u8>> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: dyno\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        check.path()
    );
    // A server may answer before it has read everything, and close: its answer is still there to be read.
    let _ = server.write_all(request.as_bytes()).await;
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    match server.read_buf(&mut answer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(answer),
    }
}

/// Reads on until the status of the answer is there, or certainly none. `answer`: what came first.
async fn rest(server: &mut TcpStream, mut answer: Vec<u8>) -> Option<u16> {
    loop {
        if answer.contains(&b'\n') {
            match status(&answer)? {
                // Said before the answer, such as `103 Early Hints`: another head follows.
                100..=199 => {
                    if let Some(end) = end_of_head(&answer) {
                        answer.drain(..end);
                        continue;
                    }
                }
                status => return Some(status),
            }
        }
        let has_room = answer.len() < ANSWER_BYTES;
        if !has_room || !matches!(server.read_buf(&mut answer).await, Ok(1..)) {
            return None;
        }
    }
}

/// Takes what comes to its end.
async fn take_all(mut server: TcpStream) {
    let mut taken = vec![0; ANSWER_BYTES];
    while matches!(server.read(&mut taken).await, Ok(1..)) {}
}

/// Where the lines before the first empty one end, with that.
fn end_of_head(answer: &[u8]) -> Option<usize> {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = |mark: &[u8]| answer.windows(mark.len()).position(|bytes| bytes == mark).map(|at| at + mark.len());
    ends.into_iter().filter_map(end).min()
}

/// The status of `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let (line, _) = answer.split_at(answer.iter().position(|byte| *byte == b'\n')?);
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let version = words.next()?.strip_prefix(b"HTTP/1.")?;
    let digits = words.next().filter(|digits| digits.len() == 3 && digits.iter().all(u8::is_ascii_digit))?;
    if matches!(version, [b'0' | b'1']) { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of one request to a server that answers with these pieces and holds the connection, and the request.
    fn asked(pieces: &'static [&'static [u8]]) -> (HttpAnswer, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut request = vec![0; 1024];
            let read = client.read(&mut request).expect("a request");
            for piece in pieces {
                client.write_all(piece).expect("written");
            }
            // Until the client goes.
            let _ = client.read(&mut [0]);
            String::from_utf8_lossy(request.get(..read).expect("no more than that")).replace(&port.to_string(), "PORT")
        });
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let check = HttpCheck::new("/up?a=b", None).expect("a check");
        let answer = tokio.block_on(ask(&check, port, FIRST_PATIENCE));
        drop(tokio);
        (answer.1, server.join().expect("no panic"))
    }

    #[test]
    fn a_request_names_the_host_and_asks_for_no_second_one() {
        let (answer, request) = asked(&[b"HTTP/1.1 204 No", b" Content\r\n"]);

        let lines = ["GET /up?a=b HTTP/1.1", "Host: 127.0.0.1:PORT", "User-Agent: dyno", "Accept: */*"];
        assert_eq!(request, lines.join("\r\n") + "\r\nConnection: close\r\n\r\n");
        assert_eq!(answer, HttpAnswer::Status(204));
    }

    #[test]
    fn a_long_answer_is_taken_to_its_end() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let _ = client.read(&mut [0; 1024]).expect("a request");
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").and_then(|()| client.write_all(&vec![b'x'; 10 << 20]))
        });
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

        let answer = tokio.block_on(async {
            let answer = ask(&HttpCheck::new("/", None).expect("a check"), port, FIRST_PATIENCE).await;
            while !server.is_finished() {
                tokio::task::yield_now().await;
            }
            answer
        });

        assert_eq!(answer, (IpAddr::V4(Ipv4Addr::LOCALHOST), HttpAnswer::Status(200)));
        server.join().expect("no panic").expect("nobody went away");
    }

    #[test]
    fn what_is_said_before_the_answer_is_passed_over() {
        const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";

        assert_eq!(asked(&[HINTS, HINTS, b"HTTP/1.1 200 OK\r\n"]).0, HttpAnswer::Status(200));
    }

    #[test]
    fn an_answer_that_stops_in_its_first_line_is_too_slow() {
        assert_eq!(asked(&[b"H"]).0, HttpAnswer::None(HttpSilence::Slow));
    }

    #[test]
    fn a_first_line_without_end_is_not_read_for_ever() {
        assert_eq!(asked(&[&[b'x'; 2 * ANSWER_BYTES]]).0, HttpAnswer::None(HttpSilence::NotHttp));
    }

    #[test]
    fn a_port_that_nobody_listens_on_takes_no_connection() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

        let answer = tokio.block_on(ask(
            &HttpCheck::new("/", None).expect("a check"),
            port.expect("a port").port(),
            FIRST_PATIENCE,
        ));

        assert_eq!(answer.1, HttpAnswer::None(HttpSilence::Refused));
    }

    #[test]
    fn s19_3_a_server_is_asked_at_the_address_it_listens_on() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for address in [IpAddr::from([127, 0, 0, 2]), Ipv6Addr::LOCALHOST.into()] {
            // No IPv6 here.
            let Ok(listener) = TcpListener::bind((address, 0)) else { continue };
            let own = listener.local_addr().expect("an address");
            let server = thread::spawn(move || {
                let (mut client, _) = listener.accept().expect("a client");
                let mut request = vec![0; 1024];
                let read = client.read(&mut request).expect("a request");
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("written");
                String::from_utf8_lossy(request.get(..read).expect("no more than that")).into_owned()
            });

            let check = HttpCheck::new("/", None).expect("a check");
            let answer = tokio.block_on(ask(&check, own.port(), FIRST_PATIENCE));

            assert_eq!(answer, (address, HttpAnswer::Status(200)));
            let request = server.join().expect("no panic");
            assert!(request.contains(&format!("\r\nHost: {own}\r\n")), "{request}");
        }
    }

    #[test]
    fn the_status_is_the_second_word_of_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 404 Not Found\n"), Some(404));
        assert_eq!(status(b"HTTP/1.1 302\r\n"), Some(302));
    }

    #[test]
    fn what_is_no_first_line_of_an_answer_has_no_status() {
        let texts: [&[u8]; 8] = [
            b"",
            b"HTTP/1.1 200 OK",
            b"HTTP/2 200\r\n",
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1 20\r\n",
            b"HTTP/1.1 abc\r\n",
            b"HTTP/1.1\r\n",
            b"\xff\xfe\n",
        ];
        for text in texts {
            assert_eq!(status(text), None, "{text:?}");
        }
    }
}
