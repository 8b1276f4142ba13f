//! Turns the log hub's reports that output cannot be written into events for the supervisor.

use nix::errno::Errno;
use tokio::sync::mpsc::UnboundedReceiver;

use super::log_hub::HubEvent;
use super::run_loop::Runtime;
use crate::guardian::is_ignored;
use crate::supervisor::{Event, OutputLoss, UserSignal};

/// The reports of the log hub.
pub(super) struct HubEvents {
    receiver: UnboundedReceiver<HubEvent>,
    is_over: bool,
}

impl HubEvents {
    pub(super) fn new(receiver: UnboundedReceiver<HubEvent>) -> Self {
        Self { receiver, is_over: false }
    }

    /// The next report. None, only once: the thread has ended, and no further report comes. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<HubEvent> {
        if self.is_over {
            return std::future::pending().await;
        }
        let event = self.receiver.recv().await;
        self.is_over = event.is_none();
        event
    }

    /// Whether the thread is known to have ended.
    pub(super) fn are_over(&self) -> bool {
        self.is_over
    }
}

impl Runtime {
    /// The log hub has ended while the dynos run, so nothing can be shown any more.
    pub(super) fn hub_ended(&mut self) {
        self.lost_output = Some("the output could not be written: the thread that writes it has ended".to_owned());
        self.events.push_back(Event::OutputLost(OutputLoss::Failed));
    }

    pub(super) fn hub_event(&mut self, event: HubEvent) {
        match event {
            HubEvent::Lost(errno) => self.output_lost(errno),
            HubEvent::FilesLost(error) => {
                self.lost_output = Some(error.to_string());
                self.events.push_back(Event::OutputLost(OutputLoss::Failed));
            }
            // Follows only after `close`, which `ending` calls; it handles this event itself.
            HubEvent::Done => {}
        }
    }

    fn output_lost(&mut self, errno: Errno) {
        // A closed terminal is noticed twice: as SIGHUP and as a failed write. Both must have the same result.
        let terminal_gone = errno == Errno::EIO && self.shows_on_terminal;
        let event = if terminal_gone && !is_ignored(libc::SIGHUP) {
            Event::Signal(UserSignal::Hup)
        } else if terminal_gone || errno == Errno::EPIPE {
            Event::OutputLost(OutputLoss::Closed)
        } else {
            self.lost_output = Some(format!("the output could not be written: {}", errno.desc()));
            Event::OutputLost(OutputLoss::Failed)
        };
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn the_end_of_the_hub_is_reported_once_and_wakes_nothing_afterwards() {
        let (sender, receiver) = unbounded_channel();
        let mut events = HubEvents::new(receiver);
        assert!(sender.send(HubEvent::Done).is_ok());
        drop(sender);

        assert_eq!(events.next().await, Some(HubEvent::Done));
        assert_eq!(events.next().await, None);
        assert!(events.are_over());
        let next = tokio::select! {
            biased;
            event = events.next() => Some(event),
            () = std::future::ready(()) => None,
        };
        assert_eq!(next, None, "it would spin");
    }
}
