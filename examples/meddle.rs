//! Changes its streams or its process group like real programs do, for tests.
//!
//! `meddle wide LINES` enlarges the pipe of its stdout as far as an ordinary user may, and writes that many lines.
//! `meddle deaf` sets `O_NONBLOCK` on its stdin and prints `deaf`. `meddle leave` keeps running on SIGTERM: it moves to
//! its own process group and prints `TERM`.

use std::env;
use std::error::Error;
use std::io::{Write, stdin, stdout};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Pid, setpgid};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

/// The default of `/proc/sys/fs/pipe-max-size`.
const LARGE_BYTES: i32 = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["wide", lines] => {
            fcntl(stdout(), FcntlArg::F_SETPIPE_SZ(LARGE_BYTES))?;
            let mut text = String::new();
            for line in 1..=lines.parse::<u32>()? {
                text.extend(["line ", &format!("{line:06}"), "\n"]);
            }
            stdout().write_all(text.as_bytes())?;
        }
        ["deaf"] => {
            fcntl(stdin(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            stdout().write_all(b"deaf\n")?;
        }
        ["leave"] => {
            let mut signals = Signals::new([SIGTERM])?;
            stdout().write_all(b"up\n")?;
            for _ in signals.forever() {
                setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
                stdout().write_all(b"TERM\n")?;
            }
        }
        _ => return Err("usage: meddle wide LINES | deaf | leave".into()),
    }
    Ok(())
}
