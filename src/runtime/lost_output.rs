//! Turns the log hub's reports that output cannot be written into events for the supervisor.

use nix::errno::Errno;

use super::log_hub::HubEvent;
use super::run_loop::Runtime;
use crate::guardian::is_ignored;
use crate::supervisor::{Event, OutputLoss, UserSignal};

impl Runtime {
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
