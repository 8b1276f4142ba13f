//! Signals of the operating system as events, and dying or stopping by one.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as StdStream;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::guardian::is_ignored;
use crate::supervisor::UserSignal;

/// What a signal means to the run loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
    /// Something for the supervisor to decide.
    User(UserSignal),
    /// The terminal has another size.
    Resized,
    /// Somebody let us go on after a stop.
    Continued,
}

/// Blocks every signal of this process. Call it first of all, so that none comes between two steps of the start.
pub fn block_all() {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
}

/// Lets signals through again.
pub fn unblock_all() {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Signals that arrive, in order.
pub(super) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    arrived: VecDeque<i32>,
}

impl Signals {
    /// Installs the handlers. SIGHUP stays ignored where `nohup` made it so (S12).
    ///
    /// # Errors
    /// No socket pair could be made.
    pub(super) fn install() -> io::Result<Self> {
        let (read, write) = StdStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        // SIGXFSZ alone would end us: with a handler, the write that reached the limit fails like that of a full disk.
        let mut wanted = vec![SIGINT, SIGTERM, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ];
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let delivery = SignalDelivery::with_pipe(UnixStream::from_std(read)?, write, SignalOnly, &wanted)?;
        Ok(Self { delivery, arrived: VecDeque::new() })
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
                // The descriptor belongs to this process alone; it can only fail with the runtime itself.
                std::future::pending::<()>().await;
            }
            self.arrived.extend(self.delivery.pending());
            // `pending` has read the socket behind tokio's back; this lets tokio see that it is empty.
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
        // SIGXFSZ: the write says so itself. No other was asked for.
        _ => return None,
    })
}

/// Number of a signal.
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

/// Stops this process as Ctrl-Z does without a handler; returns when somebody lets it go on.
pub(super) fn stop_ourselves() {
    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
}

/// Dies by a signal, so that the shell sees the truth. Returns where that cannot end us: PID 1 is spared by the kernel.
pub fn die_by(signal: UserSignal) {
    if std::process::id() == 1 {
        return;
    }
    unblock_all();
    let _ = signal_hook::low_level::emulate_default_handler(number(signal));
}
