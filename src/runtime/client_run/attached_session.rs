//! Connects the streams of a one-off dyno with its client, in the protocol of the `heroku` CLI (S17.3): a line first, then the
//! bytes as they are, both ways. Nothing is lost: a client that reads slowly makes the program wait.

use std::cell::Cell;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::unix::pipe::Receiver;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::api_run::Talking;
use super::attached_input::ClientInput;
use super::attached_run::{AttachedRun, RunStreams};
use super::client_presence::ClientPresence;
use super::rendezvous::MetClient;
use crate::api::AttachedOneOff;
use crate::runtime::output::at;
use crate::runtime::run_input::{RunInput, writable};

/// What a client gets first.
const BANNER: &[u8] = b"rendezvous\r\n";

/// The pause after that: the client throws away everything that arrives together with it.
const BANNER_ALONE: Duration = Duration::from_millis(60);

/// How long a connection stays open at least: the client types into it after it has read the first line, and does not expect
/// that to fail.
const STAYS_FOR: Duration = Duration::from_millis(250);

/// How long the client may take to close the connection after the last line.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// After an EOT without anything else for this long, the input has ended.
const NO_MORE_INPUT: Duration = Duration::from_millis(200);

/// Bytes per read.
const READ_BYTES: usize = 16 << 10;

/// The most bytes that are read after the leader has ended: more than a terminal or a pipe holds. Its children may go on
/// writing forever.
const MOST_LEFT: usize = 2 << 20;

/// How a conversation has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Conversation {
    /// The leader has ended, and the client has got everything.
    Complete,
    /// The client is gone.
    Abandoned,
}

/// Talks to a client until its run has ended or it is gone. `reports_exit`: the last line has the exit status. `taken`: counts
/// the bytes that the client has got. `talking` is dropped as soon as it has got everything.
pub(in crate::runtime) async fn converse(
    client: MetClient,
    run: &AttachedRun,
    reports_exit: bool,
    taken: &Cell<u64>,
    talking: Talking,
) -> Conversation {
    let MetClient { tls, presence } = client;
    let (mut reader, mut writer) = split(tls);
    if write(&mut writer, BANNER, taken).await.is_err() {
        return Conversation::Abandoned;
    }
    let began = Instant::now();
    sleep(BANNER_ALONE).await;
    let said = async {
        let streams = tokio::select! {
            streams = run.streams() => streams,
            // What it has typed is read only after that.
            () = presence.left() => return None,
        };
        // Without streams there is only a status.
        if let Some(RunStreams { output, input }) = streams {
            let is_pipe = input.is_some();
            // If we have run out of descriptors, what is typed is lost.
            let input = input.map_or_else(|| RunInput::of_terminal(&output), RunInput::new).ok();
            tokio::select! {
                () = listen(&mut reader, &presence, input, is_pipe) => return None,
                passed = pass(&output, run, &mut writer, taken) => passed?,
            }
        }
        let status = run.status().await;
        if let Some(why) = run.failure() {
            write(&mut writer, format!("{why}\r\n").as_bytes(), taken).await.ok()?;
        }
        if reports_exit {
            write(&mut writer, AttachedOneOff::exit_line(status).as_bytes(), taken).await.ok()?;
        }
        sleep_until(began + STAYS_FOR).await;
        writer.shutdown().await.ok()
    };
    if said.await.is_none() {
        return Conversation::Abandoned;
    }
    drop(talking);
    // Closing with unread bytes would lose the end of the output.
    let discarded = async {
        let mut bytes = vec![0; READ_BYTES];
        while reader.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    };
    let _ = timeout(LEAVES_WITHIN, discarded).await;
    Conversation::Complete
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8], taken: &Cell<u64>) -> std::io::Result<()> {
    writer.write_all(bytes).await?;
    // As a record of its own.
    writer.flush().await?;
    taken.set(taken.get().wrapping_add(bytes.len() as u64));
    Ok(())
}

/// Passes on the output until the leader has ended, and what is left of it then. None: the client is gone.
async fn pass(
    output: &Receiver,
    run: &AttachedRun,
    writer: &mut (impl AsyncWrite + Unpin),
    taken: &Cell<u64>,
) -> Option<()> {
    let mut bytes = vec![0; READ_BYTES];
    while !run.has_exited() {
        tokio::select! {
            readable = output.readable() => match readable.and_then(|()| output.try_read(&mut bytes)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Closed, while the leader may go on.
                Ok(0) | Err(_) => drop(run.status().await),
                Ok(count) => write(writer, bytes.get(..count)?, taken).await.ok()?,
            },
            _ = run.status() => {}
        }
    }
    let mut left = 0;
    while left < MOST_LEFT {
        // Directly: tokio may not know yet that there is something.
        match nix::unistd::read(output.as_fd(), &mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                left += count;
                write(writer, bytes.get(..count)?, taken).await.ok()?;
            }
            Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    Some(())
}

/// Types what the client sends, until it is gone.
async fn listen(
    reader: &mut (impl AsyncRead + Unpin),
    presence: &ClientPresence,
    mut input: Option<RunInput>,
    is_pipe: bool,
) {
    let mut protocol = ClientInput::new(is_pipe);
    let mut bytes = vec![0; READ_BYTES];
    let mut ends_at = None;
    loop {
        // Nothing may be lost: what there is no room for waits in the connection.
        let has_room = input.as_ref().is_none_or(RunInput::has_room);
        let is_waiting = input.as_ref().is_some_and(RunInput::is_waiting);
        tokio::select! {
            read = reader.read(&mut bytes), if has_room => {
                let Ok(count @ 1..) = read else { return };
                let typed = protocol.feed(bytes.get(..count).unwrap_or_default());
                ends_at = protocol.may_have_ended().then(|| Instant::now() + NO_MORE_INPUT);
                if let Some(input) = &mut input {
                    let mut rest = typed.as_slice();
                    while !rest.is_empty() {
                        (_, rest) = input.type_to_signal(rest, true);
                    }
                }
            }
            () = presence.left(), if !has_room => return,
            () = writable(input.as_ref()), if is_waiting => input.iter_mut().for_each(RunInput::write),
            () = at(ends_at), if !is_waiting => (input, ends_at) = (None, None),
        }
        // A client that sends all the time must not keep everything else waiting, nor a terminal that no program has open,
        // which is always ready.
        yield_now().await;
    }
}
