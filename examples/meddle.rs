//! Does to its streams what programs do, for tests: `meddle wide LINES` makes the pipe behind its stdout as large as every
//! user may and writes so many lines into it; `meddle deaf` sets `O_NONBLOCK` on its stdin and says so.

use std::env;
use std::error::Error;
use std::io::{Write, stdin, stdout};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

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
        _ => return Err("wide LINES, or deaf".into()),
    }
    Ok(())
}
