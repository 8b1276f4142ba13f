//! A web server of the standard library alone, for tests and examples: it binds `PORT`, answers every request with 200
//! and ends when it is told to.
//!
//! `listen [ADDRESS [MANNER]]`, by default `0.0.0.0`: all that reach this machine. `PORT=0` takes a free port. It prints
//! where it listens once it does. `MANNER` is another status than 200, or how it misbehaves: see [`Manner`].

use std::env;
use std::error::Error;
use std::io::{ErrorKind, Read, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// What a request may be long; the rest of it is not read.
const REQUEST_BYTES: usize = 8192;

/// A client that says nothing for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two bytes of one that drips.
const DRIP: Duration = Duration::from_secs(1);

/// The status of one that dies.
const DEATH: i32 = 3;

/// How it treats a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It answers with this status; with 302 it leads to itself for ever.
    Answer(u16),
    /// `mute`: it says nothing until the client goes.
    Mute,
    /// `drip`: one byte of the answer a second.
    Drip,
    /// `close`: it closes the connection.
    Close,
    /// `noise`: what it says is not HTTP.
    Noise,
    /// `die`: it ends with status 3 at the first request, while the client is connected.
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
        Some("die") => Manner::Die,
        Some(status) => Manner::Answer(status.parse()?),
    };
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = TcpListener::bind((address.as_str(), port))?;
    writeln!(stdout(), "Listening on {}", listener.local_addr()?)?;
    for client in listener.incoming() {
        // One that went away is no reason to end.
        let _ = client.and_then(|client| serve(manner, client));
    }
    Ok(())
}

fn serve(manner: Manner, mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; REQUEST_BYTES];
    let _ = client.read(&mut request)?;
    match manner {
        Manner::Answer(status) => client.write_all(answer(status).as_bytes()),
        Manner::Mute => {
            client.set_read_timeout(None)?;
            client.read(&mut request).map(drop)
        }
        Manner::Drip => drip(&mut client),
        Manner::Close => Ok(()),
        Manner::Die => die(),
        Manner::Noise => client.write_all(b"SSH-2.0-noise\r\n"),
    }
}

/// Like a program that crashes: the system closes the listener before the connection, which a return would not.
#[expect(clippy::disallowed_methods, reason = "a crash runs no destructors")]
fn die() -> ! {
    std::process::exit(DEATH)
}

fn answer(status: u16) -> String {
    let location = if status == 302 { "Location: /\r\n" } else { "" };
    let head = "Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n";
    format!("HTTP/1.1 {status} As asked\r\n{location}{head}\r\nok\n")
}

/// The pause is a read that nothing comes from.
fn drip(client: &mut TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(DRIP))?;
    for byte in answer(200).bytes() {
        client.write_all(&[byte])?;
        match client.read(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return Ok(()),
        }
    }
    Ok(())
}
