//! Receives signals of the operating system, and stops or ends this process by a signal.
//!
//! Decides only which signals are caught; the supervisor decides what they do.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as StdStream;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ,
};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::guardian::is_ignored;
use crate::supervisor::UserSignal;

/// What a signal means to the run loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
    /// A signal for the supervisor.
    User(UserSignal),
    /// The terminal has a new size.
    Resized,
    /// We were continued after a stop.
    Continued,
    /// A child of ours has ended: one that we have adopted, or the guardian.
    ChildEnded,
}

/// Blocks every signal for this process. Call it first, so that no signal arrives between two steps of the start.
pub fn block_all() {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
}

/// Unblocks all signals.
pub fn unblock_all() {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Unblocks the signals that may end a start before its handlers are installed. SIGXFSZ stays blocked: a write over the
/// limit of the user (`ulimit -f`) then fails, as if the disk were full.
pub fn unblock_for_start() {
    let mut blocked = SigSet::empty();
    blocked.add(nix::sys::signal::Signal::SIGXFSZ);
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None);
}

/// The stream of arriving signals, in order.
pub(super) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    arrived: VecDeque<i32>,
}

impl Signals {
    /// Installs the handlers. SIGHUP stays ignored if it already is, as after `nohup` (S12).
    ///
    /// # Errors
    /// The system refused a socket pair or a handler.
    pub(super) fn install() -> io::Result<Self> {
        let (read, write) = StdStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        // SIGXFSZ: one that is pending must not end us when it is unblocked (`unblock_for_start`).
        let mut wanted = vec![SIGINT, SIGTERM, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ, SIGCHLD];
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        // `signal_hook` installs a handler before it records what the handler has to do. A signal in between would be lost.
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let delivery = SignalDelivery::with_pipe(UnixStream::from_std(read)?, write, SignalOnly, &wanted);
        mask.thread_set_mask()?;
        let delivery = delivery?;
        // Children may have ended before there was a handler.
        Ok(Self { delivery, arrived: VecDeque::from([SIGCHLD]) })
    }

    /// The next signal. Cancel safe.
    pub(super) async fn next(&mut self) -> Arrived {
        loop {
            while let Some(signal) = self.arrived.pop_front() {
                if let Some(arrived) = meaning(signal) {
                    return arrived;
                }
            }
            if self.delivery.get_read().readable().await.is_err() {
                // Only fails if tokio's event queue fails.
                std::future::pending::<()>().await;
            }
            self.arrived.extend(self.delivery.pending());
            // `pending` reads the socket without tokio. This makes tokio notice that it is empty.
            let _ = self
                .delivery
                .get_read()
                .try_io(Interest::READABLE, || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock)));
            self.arrived.extend(self.delivery.pending());
        }
    }
}

fn meaning(signal: i32) -> Option<Arrived> {
    Some(match signal {
        SIGINT => Arrived::User(UserSignal::Int),
        SIGTERM => Arrived::User(UserSignal::Term),
        SIGHUP => Arrived::User(UserSignal::Hup),
        SIGQUIT => Arrived::User(UserSignal::Quit),
        SIGTSTP => Arrived::User(UserSignal::Tstp),
        SIGUSR1 => Arrived::User(UserSignal::Usr1),
        SIGUSR2 => Arrived::User(UserSignal::Usr2),
        SIGWINCH => Arrived::Resized,
        SIGCONT => Arrived::Continued,
        SIGCHLD => Arrived::ChildEnded,
        // SIGXFSZ: the write reports the error. No other signal has a handler.
        _ => return None,
    })
}

/// The system's number of a signal.
#[must_use]
pub fn number(signal: UserSignal) -> i32 {
    match signal {
        UserSignal::Int => SIGINT,
        UserSignal::Term => SIGTERM,
        UserSignal::Hup => SIGHUP,
        UserSignal::Quit => SIGQUIT,
        UserSignal::Tstp => SIGTSTP,
        UserSignal::Usr1 => SIGUSR1,
        UserSignal::Usr2 => SIGUSR2,
    }
}

/// Stops this process as Ctrl-Z does without a handler. Returns when it is continued.
pub(super) fn stop_ourselves() {
    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
}

/// Ends this process by a signal, so that the calling shell sees the cause. Returns if we are PID 1, because the kernel
/// ignores the signal then.
pub fn die_by(signal: UserSignal) {
    if std::process::id() == 1 {
        return;
    }
    unblock_all();
    let _ = signal_hook::low_level::emulate_default_handler(number(signal));
}
