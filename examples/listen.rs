//! A web server of the standard library alone, for tests and examples: it binds `PORT`, answers every request with 200
//! and ends when it is told to.
//!
//! `listen [ADDRESS]`, by default `0.0.0.0`: all that reach this machine. `PORT=0` takes a free port. It prints where
//! it listens once it does.

use std::env;
use std::error::Error;
use std::io::{Read, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// What a request may be long; the rest of it is not read.
const REQUEST_BYTES: usize = 8192;

/// A client that says nothing for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "0.0.0.0".to_owned());
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = TcpListener::bind((address.as_str(), port))?;
    writeln!(stdout(), "Listening on {}", listener.local_addr()?)?;
    for client in listener.incoming() {
        // One that went away is no reason to end.
        let _ = client.and_then(answer);
    }
    Ok(())
}

fn answer(mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; REQUEST_BYTES];
    let _ = client.read(&mut request)?;
    client
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
}
