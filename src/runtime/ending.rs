//! The last steps: sweep, show everything that was written, end the log thread.
//!
//! In this order, and each with a time limit: neither a process that cannot be killed nor a reader that stopped reading
//! may keep `dyno` alive. Called by `runtime::run` when the loop has finished.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::launch::{FailedLaunch, StoppedLaunch};
use super::log_hub::HubEvent;
use super::patience::{CHECK_INTERVAL, Patience, STALLED_AFTER};
use super::run_loop::{Finished, Runtime};
use super::signal_number;
use super::signals::Arrived;
use crate::error::Status;
use crate::guardian::Message;
use crate::model::RunId;
use crate::smoke::SmokeReport;
use crate::supervisor::{Outcome, UserSignal};

/// Why the clients of a terminal have nothing to be attached to any more.
const APP_ENDED: &str = "the app has ended";

/// A signal this soon after the end began is the same keypress as the one that caused the end (S12).
const SAME_KEYPRESS: Duration = Duration::from_millis(300);

/// How the formation ended. `commands` turns this into the exit status and the messages on stderr.
#[derive(Debug)]
pub struct Ending {
    /// The outcome of the formation. [`Ending::outcome`] also considers the fields below.
    outcome: Outcome,
    /// The guardian was killed or did not answer.
    pub guardian_lost: bool,
    /// Processes that could not be killed, as `4711 (name)`.
    pub survivors: Vec<String>,
    /// Which output could not be written and why. None if all was written or the reader of stdout just closed it.
    pub output_error: Option<String>,
    /// The result of a smoke test.
    pub smoke: Option<SmokeReport>,
    /// Why a detached start was stopped before its caller returned.
    pub stopped_launch: Option<StoppedLaunch>,
    /// Bytes of output that were lost because the reader stopped reading.
    pub unwritten_bytes: u64,
}

impl Ending {
    /// An ending in which nothing else went wrong.
    #[cfg(test)]
    pub(crate) fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            guardian_lost: false,
            survivors: Vec::new(),
            output_error: None,
            smoke: None,
            stopped_launch: None,
            unwritten_bytes: 0,
        }
    }

    /// How `dyno` ends (S11): with `Status::Internal` if the guardian was lost or a process survived, with
    /// `Status::Output` if only the output failed, else as the formation did.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.guardian_lost || !self.survivors.is_empty() {
            Outcome::Code(Status::Internal.code())
        } else if let Some(failed) = self.decisive_launch() {
            Outcome::Code(failed.status)
        } else if (self.output_error.is_some() || self.unwritten_bytes > 0) && self.outcome == Outcome::Code(0) {
            Outcome::Code(Status::Output.code())
        } else {
            self.outcome
        }
    }
}

impl Ending {
    /// Its exit status, as a shell would report it.
    pub(super) fn shell_status(&self) -> u8 {
        match self.outcome() {
            Outcome::Code(code) => code,
            Outcome::Signal(signal) => 128_u8.saturating_add(u8::try_from(signal_number(signal)).unwrap_or(u8::MAX)),
        }
    }

    /// Why a detached start is not up, unless something else is the reason.
    #[must_use]
    pub fn decisive_launch(&self) -> Option<&FailedLaunch> {
        match self.decisive_stop()? {
            StoppedLaunch::Failed(failed) => Some(failed),
            StoppedLaunch::Abandoned(_) => None,
        }
    }

    /// Why a detached start was stopped before its caller returned, as `dyno why` says it.
    pub(super) fn reason(&self) -> Option<&str> {
        Some(match self.decisive_stop()? {
            StoppedLaunch::Failed(failed) => &failed.message,
            StoppedLaunch::Abandoned(reason) => reason,
        })
    }

    /// None if something else is the reason: a signal, or a failure of our own.
    fn decisive_stop(&self) -> Option<&StoppedLaunch> {
        let is_own_failure = self.guardian_lost || !self.survivors.is_empty();
        self.stopped_launch.as_ref().filter(|_| !is_own_failure && matches!(self.outcome, Outcome::Code(_)))
    }
}

impl Runtime {
    pub(super) async fn end(mut self, finished: Finished) -> Ending {
        let (outcome, mut guardian_lost) = match finished {
            Finished::Outcome(outcome) => (outcome, false),
            Finished::GuardianLost => (Outcome::Code(Status::Internal.code()), true),
        };
        // The last event may have decided a wait.
        self.calls.take_waits();
        self.calls.answer_waits(|| self.supervisor.snapshot());
        self.calls.end();
        self.keyboard_in_use(false);
        self.keyboard = None;
        let at = self.now().mono;
        let smoke = self.smoke.as_ref().map(|smoke| smoke.report(outcome, at));
        let swept = if guardian_lost { None } else { self.swept_by_guardian().await };
        let survivors = if let Some((left, survivors)) = swept {
            let left = left.saturating_sub(u32::try_from(survivors.len()).unwrap_or(u32::MAX));
            if left > 0 {
                let processes = if left == 1 { "process" } else { "processes" };
                self.system_line(format!("killed {left} {processes} left behind"));
            }
            survivors
        } else {
            guardian_lost = true;
            self.link.guardian.sweep_in_its_place().into_iter().map(|survivor| survivor.description).collect()
        };
        if let Some(router) = &self.router {
            let began = Instant::now();
            let signals = &mut self.signals;
            router.finish(async { while !gives_up(signals.next().await, began.elapsed()) {} }).await;
        }
        let unwritten_bytes = self.flush().await;
        // Those that `flush` has not reached.
        self.terminals.values().for_each(|terminal| terminal.retire(APP_ENDED));
        let output_error = self.lost_output;
        Ending { outcome, guardian_lost, survivors, output_error, smoke, stopped_launch: None, unwritten_bytes }
    }

    /// Lets the guardian sweep and end. None if it did not answer in time.
    async fn swept_by_guardian(&mut self) -> Option<(u32, Vec<String>)> {
        self.link.guardian.sweep();
        // As long as the guardian itself waits for a process to die, and the same again for the answer.
        let deadline = Instant::now() + 2 * STALLED_AFTER;
        let mut messages = Vec::new();
        let mut swept = None;
        loop {
            let lost = self.link.guardian.flush().is_err() | self.link.guardian.receive(&mut messages).is_err();
            for message in messages.drain(..) {
                if let Message::Swept { left, survivors } = message {
                    swept = Some((left, survivors));
                }
            }
            if lost {
                // The guardian has hung up, so it is ending. Reaping it leaves nothing behind.
                if swept.is_some() {
                    self.link.guardian.reap();
                }
                return swept;
            }
            if !matches!(timeout_at(deadline, self.link.ready()).await, Ok(())) {
                return swept;
            }
        }
    }

    /// Hands everything that is left in the streams to the hub and waits until it is written, as long as the reader
    /// keeps reading. Returns the number of bytes that no `write` has accepted.
    async fn flush(&mut self) -> u64 {
        // A guardian that was killed or stopped may have started runs without reporting them.
        let unreported: Vec<RunId> =
            self.runs.iter().filter(|(_, live)| live.pid.is_none()).map(|(run, _)| *run).collect();
        for run in unreported {
            self.open_stream(run);
        }
        // Without a sender each task drains its stream and ends.
        self.outputs.close();
        self.runs.clear();
        self.hub.begin_end();
        let began = Instant::now();
        let mut patience = Patience::new(self.hub.progress(), began.into_std());
        let mut given_up = false;
        let mut closing = false;
        let mut check_at = Instant::now() + CHECK_INTERVAL;
        while !self.hub_events.are_over() {
            if self.outputs.are_closed() && !closing {
                closing = true;
                self.terminals.values().for_each(|terminal| terminal.retire(APP_ENDED));
                self.hub.close();
            }
            let must_give_up = tokio::select! {
                Some(()) = self.outputs.next_closed() => false,
                event = self.hub_events.next() => match event {
                    Some(HubEvent::Done) | None => return self.hub.unwritten_bytes(),
                    Some(event @ (HubEvent::Lost(_) | HubEvent::FilesLost(_))) => {
                        self.hub_event(event);
                        false
                    }
                },
                arrived = self.signals.next() => {
                    if arrived == Arrived::ChildEnded {
                        self.link.guardian.reap_adopted();
                    }
                    gives_up(arrived, began.elapsed())
                },
                () = sleep_until(check_at) => {
                    check_at = Instant::now() + CHECK_INTERVAL;
                    patience.has_run_out(self.hub.progress(), Instant::now().into_std())
                },
            };
            if must_give_up && given_up {
                // The thread itself hangs: in a file system that does not answer, or in a blocking write.
                return self.hub.unwritten_bytes();
            }
            if must_give_up {
                given_up = true;
                // The thread still counts the rest and writes it to the log files.
                self.hub.give_up();
                patience = Patience::new(self.hub.progress(), Instant::now().into_std());
            }
        }
        self.hub.unwritten_bytes()
    }
}

/// Whether the user does not want to wait for a slow reader any longer.
fn gives_up(arrived: Arrived, after: Duration) -> bool {
    match arrived {
        Arrived::User(UserSignal::Quit) => true,
        Arrived::User(UserSignal::Int | UserSignal::Term | UserSignal::Hup) => after >= SAME_KEYPRESS,
        Arrived::User(UserSignal::Tstp | UserSignal::Usr1 | UserSignal::Usr2)
        | Arrived::Resized
        | Arrived::Continued
        | Arrived::ChildEnded => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(outcome: Outcome, output_error: Option<&str>) -> Ending {
        Ending { output_error: output_error.map(str::to_owned), ..Ending::plain(outcome) }
    }

    #[test]
    fn s11_output_that_failed_at_the_last_moment_is_not_a_success() {
        assert_eq!(ending(Outcome::Code(0), Some("No space left on device")).outcome(), Outcome::Code(74));
        assert_eq!(ending(Outcome::Code(0), None).outcome(), Outcome::Code(0));
    }

    #[test]
    fn s11_output_that_was_not_read_is_not_a_success() {
        let unwritten = Ending { unwritten_bytes: 7, ..ending(Outcome::Code(0), None) };

        assert_eq!(unwritten.outcome(), Outcome::Code(74));
    }

    #[test]
    fn s11_an_earlier_failure_keeps_its_status() {
        assert_eq!(ending(Outcome::Code(3), Some("No space left on device")).outcome(), Outcome::Code(3));
    }

    #[test]
    fn s11_a_surviving_process_decides_the_status() {
        let survivors = vec!["7 (sh)".to_owned()];
        assert_eq!(Ending { survivors, ..ending(Outcome::Code(0), Some("x")) }.outcome(), Outcome::Code(70));
    }
}
