//! One client of `dyno attach` on the unix socket, after the HTTP exchange (S10.5): frames in, frames out.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use tokio::task::yield_now;

use super::attached_terminal::AttachedTerminal;
use super::dyno_terminal::TerminalEvent;
use crate::model::DynoName;
use crate::runtime::client_socket::ClientSocket;
use crate::terminal::{AttachFrame, FrameDecoder, TerminalFrame};

/// Bytes per read.
const READ_BYTES: usize = 8 << 10;

/// A client and the terminal that it is attached to.
pub(in crate::runtime) struct AttachSession {
    dyno: DynoName,
    terminal: AttachedTerminal,
    /// Bytes that it has sent and that are not a whole frame yet.
    received: FrameDecoder,
    /// What it gets next, and how much of that is sent.
    sending: Vec<u8>,
    sent: usize,
    /// How many bytes all clients have taken.
    taken: Rc<Cell<u64>>,
    has_begun: bool,
    is_over: bool,
}

impl AttachSession {
    pub(in crate::runtime) fn new(dyno: DynoName, terminal: AttachedTerminal, taken: Rc<Cell<u64>>) -> Self {
        let (received, sending) = (FrameDecoder::default(), Vec::new());
        Self { dyno, terminal, received, sending, sent: 0, taken, has_begun: false, is_over: false }
    }

    /// Runs until the client is gone, sends something that is not a frame, or has nothing to be attached to any more.
    pub(in crate::runtime) async fn run(mut self, socket: &ClientSocket) {
        while !(self.is_over && self.is_all_sent()) {
            let is_all_sent = self.is_all_sent();
            tokio::select! {
                // Even if the dyno reads none of its keys: the next one may interrupt it, and the client may be gone.
                readable = socket.readable() => {
                    if readable.is_err() || !self.receive(socket).await {
                        return;
                    }
                    // A client that sends all the time must not keep everything else waiting.
                    yield_now().await;
                }
                writable = poll_fn(|cx| socket.poll_write_ready(cx)), if !is_all_sent => {
                    if writable.is_err() || !self.send(socket) {
                        return;
                    }
                }
                // It also writes held keys, so it runs while the client does not read, too.
                event = self.terminal.next(is_all_sent && !self.is_over) => self.prepare(event),
            }
        }
    }

    fn is_all_sent(&self) -> bool {
        self.sent >= self.sending.len()
    }

    /// Reads once. False: the client is gone, or sent something that is not a frame.
    async fn receive(&mut self, socket: &ClientSocket) -> bool {
        let mut bytes = [0; READ_BYTES];
        match socket.try_read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => self.received.feed(bytes.get(..count).unwrap_or_default()),
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
        loop {
            match self.received.attach_frame() {
                Ok(Some(AttachFrame::Keys(keys))) => self.terminal.type_keys(&keys).await,
                Ok(Some(AttachFrame::Size(size))) => self.terminal.resize(size).await,
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Writes once. False: the client is gone.
    fn send(&mut self, socket: &ClientSocket) -> bool {
        match socket.try_write(self.sending.get(self.sent..).unwrap_or_default()) {
            Ok(count) => {
                self.sent += count;
                self.taken.set(self.taken.get() + count as u64);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn prepare(&mut self, event: TerminalEvent) {
        (self.sent, self.sending) = (0, Vec::new());
        if matches!(event, TerminalEvent::Redraw(_)) {
            TerminalFrame::Redraw.encode(&mut self.sending);
        }
        if let Some(frame) = self.frame(event) {
            frame.encode(&mut self.sending);
        }
    }

    fn frame(&mut self, event: TerminalEvent) -> Option<TerminalFrame> {
        let dyno = &self.dyno;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        Some(match event {
            TerminalEvent::Output(bytes) | TerminalEvent::Redraw(bytes) => TerminalFrame::Output(bytes),
            TerminalEvent::RunBegan if is_first && self.terminal.is_refused_keys() => {
                TerminalFrame::Line(format!("`dyno start --focus` has the keyboard of {dyno}: you can only watch"))
            }
            TerminalEvent::RunBegan if is_first => return None,
            TerminalEvent::RunBegan => TerminalFrame::RunBegan(format!("{dyno} has started again")),
            TerminalEvent::RunEnded => {
                let what = if is_first { "is not running" } else { "has ended" };
                TerminalFrame::RunEnded(format!("{dyno} {what}; waiting for its next run"))
            }
            TerminalEvent::LostKeys(by) => {
                let by = by.map_or_else(|| "another client".to_owned(), |pid| format!("`dyno attach` (pid {pid})"));
                let back = format!("`dyno attach {dyno} --take` takes it back");
                TerminalFrame::Line(format!("{by} has taken the keyboard: you can only watch; {back}"))
            }
            TerminalEvent::Gone(why) => {
                self.is_over = true;
                TerminalFrame::End(why)
            }
        })
    }
}
