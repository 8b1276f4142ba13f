//! A web server that uses only the standard library, for tests and examples. It binds `PORT` and answers every request
//! with 200 until a signal ends it.
//!
//! Usage: `listen [ADDRESS [MANNER]]`. The default ADDRESS is `0.0.0.0`, all interfaces. With `PORT=0`, it gets a free
//! port. It prints its address as soon as it listens. MANNER is a status other than 200, or a kind of misbehaviour: see
//! [`Manner`].

use std::env;
use std::error::Error;
use std::io::{ErrorKind, Read, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Longest part of a request that is read, in bytes. The rest is ignored.
const REQUEST_BYTES: usize = 8192;

/// How long to wait for a request before the client is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause between two bytes with `drip`.
const DRIP: Duration = Duration::from_secs(1);

/// How long a request takes with `log`.
const WORK: Duration = Duration::from_millis(10);

/// Exit status with `die`.
const DIE_STATUS: i32 = 3;

/// How the server treats a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Answers with this status; 302 redirects to itself forever.
    Answer(u16),
    /// `mute`: sends nothing until the client disconnects.
    Mute,
    /// `drip`: sends the answer one byte per second.
    Drip,
    /// `close`: closes the connection without an answer.
    Close,
    /// `noise`: answers with something that is not HTTP.
    Noise,
    /// `echo`: changes the protocol, then sends back whatever arrives.
    Echo,
    /// `mirror`: sends the request back as its answer.
    Mirror,
    /// `log`: prints the first line of each request, and pauses before it answers.
    Log,
    /// `die`: exits with status 3 at the first request, while the client is connected.
    Die,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "0.0.0.0".to_owned());
    let manner = match env::args().nth(2).as_deref() {
        None => Manner::Answer(200),
        Some("mute") => Manner::Mute,
        Some("drip") => Manner::Drip,
        Some("close") => Manner::Close,
        Some("noise") => Manner::Noise,
        Some("echo") => Manner::Echo,
        Some("mirror") => Manner::Mirror,
        Some("log") => Manner::Log,
        Some("die") => Manner::Die,
        Some(status) => Manner::Answer(status.parse()?),
    };
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = TcpListener::bind((address.as_str(), port))?;
    writeln!(stdout(), "Listening on {}", listener.local_addr()?)?;
    for client in listener.incoming() {
        // A client that disconnects early must not stop the server.
        let Ok(client) = client else { continue };
        if manner == Manner::Echo {
            thread::spawn(move || serve(manner, client));
        } else {
            let _ = serve(manner, client);
        }
    }
    Ok(())
}

fn serve(manner: Manner, mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; REQUEST_BYTES];
    let count = client.read(&mut request)?;
    match manner {
        Manner::Answer(status) => client.write_all(answer(status).as_bytes()),
        Manner::Mute => {
            client.set_read_timeout(None)?;
            client.read(&mut request).map(drop)
        }
        Manner::Drip => drip(&mut client),
        Manner::Echo => echo(client),
        Manner::Mirror => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\nConnection: close\r\n\r\n");
            client.write_all(&[head.as_bytes(), request.get(..count).unwrap_or_default()].concat())
        }
        Manner::Log => {
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            stdout().write_all(&[line, b"\n"].concat())?;
            pause(&mut client, WORK)?;
            client.write_all(answer(200).as_bytes())
        }
        Manner::Close => Ok(()),
        Manner::Die => die(),
        Manner::Noise => client.write_all(b"SSH-2.0-noise\r\n"),
    }
}

/// Exits like a program that crashes: the system closes the listener before the connection, unlike a normal return.
#[expect(clippy::disallowed_methods, reason = "a crash runs no destructors")]
fn die() -> ! {
    std::process::exit(DIE_STATUS)
}

fn answer(status: u16) -> String {
    let location = if status == 302 { "Location: /\r\n" } else { "" };
    let head = "Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n";
    format!("HTTP/1.1 {status} As asked\r\n{location}{head}\r\nok\n")
}

/// Sends back whatever arrives, until the client disconnects.
fn echo(mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(None)?;
    client.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")?;
    std::io::copy(&mut client.try_clone()?, &mut client).map(drop)
}

fn drip(client: &mut TcpStream) -> std::io::Result<()> {
    for byte in answer(200).bytes() {
        client.write_all(&[byte])?;
        pause(client, DRIP)?;
    }
    Ok(())
}

/// Waits by reading with a timeout, so that it notices when the client disconnects, which is an error.
fn pause(client: &mut TcpStream, length: Duration) -> std::io::Result<()> {
    client.set_read_timeout(Some(length))?;
    match client.read(&mut [0]) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        _ => Err(ErrorKind::ConnectionAborted.into()),
    }
}
