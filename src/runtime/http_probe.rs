//! Probes a listening server over HTTP/1.1 until it gives the expected answer.
//!
//! Evaluates only the status line of an answer, with limits on time and bytes. The supervisor decides what an answer
//! means; [`HttpCheck`] decides which statuses are accepted. Started by `readiness` once the server listens.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::listening::{answers_at, listeners, newer};
use crate::model::HttpCheck;
use crate::supervisor::{HttpAnswer, HttpSilence};

/// How long the first request waits for a first byte. After each timeout the next one waits twice as long: the first page
/// may have to be compiled, and a server that accepted a request too early may never answer it.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// How long the status line may take after its first byte.
const LINE_PATIENCE: Duration = Duration::from_secs(2);
/// Maximum number of bytes of an answer that are read to find its status: enough for any sane status line and the
/// interim answers before it.
const ANSWER_BYTES: usize = 8192;
/// How long the rest of an answer is read in the background once its status is known. A server whose client hangs up logs
/// an error, which would look like the cause of a later failure.
const REST_PATIENCE: Duration = Duration::from_secs(1);
/// Pause after the first request. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two requests.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Probes the server on this port until it gives the expected answer. Passes on each answer that differs from the one
/// before, with the address that it came from. The last is the expected one. `older`: the sockets of other servers on the
/// port, which are not asked.
pub(super) async fn probe_until_accepted(
    check: Arc<HttpCheck>,
    port: u16,
    older: BTreeSet<u64>,
    mut pass_on: impl FnMut(IpAddr, HttpAnswer),
) {
    let (mut patience, mut pause, mut last, mut sent) = (FIRST_PATIENCE, FIRST_PAUSE, None, None);
    loop {
        let answer = send_request(&check, port, &older, patience).await;
        let is_certain = match answer.1 {
            // Reported only if it happens twice: a server that exits closes its connections, too, and the exit has its own
            // notice.
            HttpAnswer::None(HttpSilence::Closed) => last == Some(answer),
            HttpAnswer::Status(_)
            | HttpAnswer::None(HttpSilence::Refused | HttpSilence::NotHttp | HttpSilence::Slow) => true,
        };
        last = Some(answer);
        if is_certain && sent != last {
            sent = last;
            pass_on(answer.0, answer.1);
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

/// Sends one request to an address where the server can be reached now. Returns that address with the answer.
async fn send_request(check: &HttpCheck, port: u16, older: &BTreeSet<u64>, patience: Duration) -> (IpAddr, HttpAnswer) {
    // Looked up each time: a server may listen somewhere else after a reload.
    let addresses = answers_at(&newer(&listeners(), port, older));
    let patient_until = Instant::now() + patience;
    let (mut address, mut silence) = (IpAddr::V4(Ipv4Addr::LOCALHOST), HttpSilence::Refused);
    for candidate in addresses {
        address = candidate;
        match timeout_at(patient_until, TcpStream::connect((address, port))).await {
            // Try the next one: a server on `::` may or may not accept IPv4.
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

/// Sends the request and reads the status line of the answer.
async fn exchange(mut server: TcpStream, check: &HttpCheck, host: SocketAddr, patient_until: Instant) -> HttpAnswer {
    let silence = match timeout_at(patient_until, first_bytes(&mut server, check, host)).await {
        Err(_) => HttpSilence::Slow,
        Ok(None) => HttpSilence::Closed,
        Ok(Some(answer)) => match timeout(LINE_PATIENCE, read_status(&mut server, answer)).await {
            Err(_) => HttpSilence::Slow,
            Ok(None) => HttpSilence::NotHttp,
            Ok(Some(status)) => {
                spawn(timeout(REST_PATIENCE, read_to_end(server)));
                return HttpAnswer::Status(status);
            }
        },
    };
    HttpAnswer::None(silence)
}

/// Sends the request and waits for the first bytes of the answer. None if the connection was closed before that.
async fn first_bytes(server: &mut TcpStream, check: &HttpCheck, host: SocketAddr) -> Option<Vec<u8>> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: dyno\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        check.path()
    );
    // The error does not matter: a server may answer and close before it has read everything, and its answer is readable.
    let _ = server.write_all(request.as_bytes()).await;
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    match server.read_buf(&mut answer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(answer),
    }
}

/// Keeps reading until the status of the answer is known. None if it is not an HTTP answer. `answer`: its first bytes.
async fn read_status(server: &mut TcpStream, mut answer: Vec<u8>) -> Option<u16> {
    loop {
        if answer.contains(&b'\n') {
            match status(&answer)? {
                // An interim answer, such as `103 Early Hints`: another head follows.
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

async fn read_to_end(mut server: TcpStream) {
    let mut taken = vec![0; ANSWER_BYTES];
    while matches!(server.read(&mut taken).await, Ok(1..)) {}
}

/// The length of the head, including the empty line that ends it.
fn end_of_head(answer: &[u8]) -> Option<usize> {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = |mark: &[u8]| answer.windows(mark.len()).position(|bytes| bytes == mark).map(|at| at + mark.len());
    ends.into_iter().filter_map(end).min()
}

/// The 200 of `HTTP/1.1 200 OK`.
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
    use std::net::{Ipv6Addr, TcpListener};
    use std::thread;

    use super::super::listening::inodes;
    use super::*;

    /// Sends a request to a server that answers in these pieces and keeps the connection open. Returns answer and request.
    fn probed(pieces: &'static [&'static [u8]]) -> (HttpAnswer, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut request = vec![0; 1024];
            let read = client.read(&mut request).expect("a request");
            for piece in pieces {
                client.write_all(piece).expect("written");
            }
            // Waits until the client hangs up.
            let _ = client.read(&mut [0]);
            String::from_utf8_lossy(request.get(..read).expect("no more than that")).replace(&port.to_string(), "PORT")
        });
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let check = HttpCheck::new("/up?a=b", None).expect("a check");
        let answer = tokio.block_on(send_request(&check, port, &BTreeSet::new(), FIRST_PATIENCE));
        drop(tokio);
        (answer.1, server.join().expect("no panic"))
    }

    #[test]
    fn a_request_names_the_host_and_asks_to_close_the_connection() {
        let (answer, request) = probed(&[b"HTTP/1.1 204 No", b" Content\r\n"]);

        let lines = ["GET /up?a=b HTTP/1.1", "Host: 127.0.0.1:PORT", "User-Agent: dyno", "Accept: */*"];
        assert_eq!(request, lines.join("\r\n") + "\r\nConnection: close\r\n\r\n");
        assert_eq!(answer, HttpAnswer::Status(204));
    }

    #[test]
    fn a_long_answer_is_read_to_its_end() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let _ = client.read(&mut [0; 1024]).expect("a request");
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").and_then(|()| client.write_all(&vec![b'x'; 10 << 20]))
        });
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

        let answer = tokio.block_on(async {
            let check = HttpCheck::new("/", None).expect("a check");
            let answer = send_request(&check, port, &BTreeSet::new(), FIRST_PATIENCE).await;
            while !server.is_finished() {
                tokio::task::yield_now().await;
            }
            answer
        });

        assert_eq!(answer, (IpAddr::V4(Ipv4Addr::LOCALHOST), HttpAnswer::Status(200)));
        server.join().expect("no panic").expect("the client read everything");
    }

    #[test]
    fn interim_answers_are_skipped() {
        const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";

        assert_eq!(probed(&[HINTS, HINTS, b"HTTP/1.1 200 OK\r\n"]).0, HttpAnswer::Status(200));
    }

    #[test]
    fn an_answer_that_stops_in_its_status_line_is_too_slow() {
        assert_eq!(probed(&[b"H"]).0, HttpAnswer::None(HttpSilence::Slow));
    }

    #[test]
    fn an_endless_status_line_is_not_read_for_ever() {
        assert_eq!(probed(&[&[b'x'; 2 * ANSWER_BYTES]]).0, HttpAnswer::None(HttpSilence::NotHttp));
    }

    #[test]
    fn a_port_without_a_listener_refuses_the_connection() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

        let answer = tokio.block_on(send_request(
            &HttpCheck::new("/", None).expect("a check"),
            port.expect("a port").port(),
            &BTreeSet::new(),
            FIRST_PATIENCE,
        ));

        assert_eq!(answer.1, HttpAnswer::None(HttpSilence::Refused));
    }

    #[test]
    fn s19_3_a_server_is_probed_at_the_address_it_listens_on() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for address in [IpAddr::from([127, 0, 0, 2]), Ipv6Addr::LOCALHOST.into()] {
            // Skipped if this machine has no IPv6.
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
            let answer = tokio.block_on(send_request(&check, own.port(), &BTreeSet::new(), FIRST_PATIENCE));

            assert_eq!(answer, (address, HttpAnswer::Status(200)));
            let request = server.join().expect("no panic");
            assert!(request.contains(&format!("\r\nHost: {own}\r\n")), "{request}");
        }
    }

    #[test]
    fn s6_2_an_older_socket_on_the_port_is_not_asked() {
        let older = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = older.local_addr().expect("an address").port();
        let check = HttpCheck::new("/", None).expect("a check");
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

        let answer = tokio.block_on(send_request(&check, port, &inodes(port), FIRST_PATIENCE));

        assert_eq!(answer.1, HttpAnswer::None(HttpSilence::Refused));
        older.set_nonblocking(true).expect("an option");
        assert!(older.accept().is_err(), "no connection was made");
    }

    #[test]
    fn the_status_is_the_second_word_of_the_status_line() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 404 Not Found\n"), Some(404));
        assert_eq!(status(b"HTTP/1.1 302\r\n"), Some(302));
    }

    #[test]
    fn a_line_that_is_not_a_status_line_has_no_status() {
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
