//! Decides when the log says where a dyno listens: the address to open in a browser, or the port that it uses instead of
//! its `PORT` (S6.11). Each run gets one such line.
//!
//! Also records the addresses of each run, for the dynos that wait for it (`order`). Not here: how they are found out
//! (`runtime::readiness`).

use core::net::SocketAddr;
use std::time::Duration;

use crate::model::{ProcessType, RunId, http_url};

use super::dyno_state::{DynoState, RunStage};
use super::slot::{Role, Slot, Turn};
use super::{NoticeKind, Supervisor};

/// How long a run may listen only on other ports before the log says so: some servers first open a port for their own
/// use.
const ELSEWHERE_AFTER: Duration = Duration::from_secs(3);

/// The line about the address of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AddressLine {
    /// The run does not listen yet.
    #[default]
    Missing,
    /// The run listens, but not on its `PORT`. The log says so at `report_at`.
    Elsewhere { report_at: Duration },
    /// The line was shown.
    Shown,
}

/// What depends on where a run listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenInterest {
    /// Nothing does.
    None,
    /// The line with its address, which has not been shown yet. `dyno` looks for a minute at most.
    Address,
    /// The start of other dynos.
    Order,
}

impl Supervisor {
    /// What depends on where a run listens.
    #[must_use]
    pub fn listen_interest(&self, run: RunId) -> ListenInterest {
        let Some(slot) = self.slots.of_run(run).filter(|slot| slot.is_running(run)) else {
            return ListenInterest::None;
        };
        if self.is_awaited_to_listen(slot) {
            ListenInterest::Order
        } else if self.shows_address(slot) && slot.address_line != AddressLine::Shown {
            ListenInterest::Address
        } else {
            ListenInterest::None
        }
    }

    /// The ports on which others wait for dynos of this type. A socket on such a port is taken as theirs, whatever
    /// process holds it.
    #[must_use]
    pub fn awaited_ports(&self, process_type: &ProcessType) -> Vec<u16> {
        self.blueprint.release().order.awaited_ports(process_type)
    }

    /// Whether the log says where this dyno listens. Only `web` is certain to speak HTTP.
    fn shows_address(&self, slot: &Slot) -> bool {
        let is_web = slot.role == Role::Formation && slot.spec.dyno.process_type.as_str() == ProcessType::WEB;
        self.policy.shows_addresses && is_web && slot.spec.port.is_some()
    }

    /// The run now listens on exactly these addresses.
    pub(super) fn on_listens(&mut self, run: RunId, at: Vec<SocketAddr>, turn: &mut Turn) {
        let Some(id) = self.slots.id_of(run) else { return };
        let shows_address = self.slots.get(id).is_some_and(|slot| self.shows_address(slot));
        let router_url = self.policy.router_url.clone();
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.is_running(run)) else { return };
        slot.listens_at = at;
        if !shows_address {
            return;
        }
        let own = slot.listens_at.iter().find(|address| Some(address.port()) == slot.spec.port);
        match (slot.address_line, own) {
            (AddressLine::Missing | AddressLine::Elsewhere { .. }, Some(own)) => {
                let url = match router_url {
                    // One line is enough for the address that they share.
                    Some(url) => (slot.spec.dyno.index == 1).then_some(url),
                    None => Some(http_url(own.ip(), own.port())),
                };
                slot.address_line = AddressLine::Shown;
                if let Some(url) = url {
                    slot.notify(NoticeKind::ListensAt { url }, turn);
                }
            }
            (AddressLine::Missing, None) if !slot.listens_at.is_empty() => {
                slot.address_line = AddressLine::Elsewhere { report_at: turn.now.mono.saturating_add(ELSEWHERE_AFTER) };
            }
            (AddressLine::Elsewhere { .. }, None) if slot.listens_at.is_empty() => {
                slot.address_line = AddressLine::Missing;
            }
            (AddressLine::Missing | AddressLine::Elsewhere { .. }, None) | (AddressLine::Shown, _) => {}
        }
    }

    /// Announces dynos that listen on a port other than their `PORT`, if that is due.
    pub(super) fn report_addresses(&mut self, turn: &mut Turn) {
        for slot in self.slots.iter_mut() {
            if slot.address_report_due().is_some_and(|at| at <= turn.now.mono)
                && let (Some(other), Some(given)) = (slot.listens_at.first(), slot.spec.port)
            {
                slot.address_line = AddressLine::Shown;
                slot.notify(NoticeKind::IgnoresPort { port: other.port(), given }, turn);
            }
        }
    }
}

impl Slot {
    /// When the line about another port is due.
    pub(super) fn address_report_due(&self) -> Option<Duration> {
        match (self.address_line, self.state) {
            (
                AddressLine::Elsewhere { report_at },
                DynoState::Alive(_, RunStage::Booting { .. } | RunStage::Up { .. }),
            ) => Some(report_at),
            (
                AddressLine::Elsewhere { .. },
                DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Stopping { .. } | RunStage::Clearing { .. })
                | DynoState::Rest(_),
            )
            | (AddressLine::Missing | AddressLine::Shown, _) => None,
        }
    }

    /// Whether this is the current run of the dyno, and its program runs and is not being stopped.
    fn is_running(&self, run: RunId) -> bool {
        match self.state {
            DynoState::Alive(current, RunStage::Booting { .. } | RunStage::Up { .. }) => current == run,
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Stopping { .. } | RunStage::Clearing { .. })
            | DynoState::Rest(_) => false,
        }
    }
}

impl AddressLine {
    /// The same after `dyno` was suspended for `by`.
    pub(super) fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Elsewhere { report_at } => Self::Elsewhere { report_at: report_at.saturating_add(by) },
            Self::Missing | Self::Shown => self,
        }
    }
}
