//! Finds out on which ports the processes of a run listen, as long as something depends on it (S6.11, S6.12).
//!
//! A socket belongs to the run if one of its processes has it open. On a port that the run is expected to use, it may
//! belong to any process: `docker-proxy` listens for a dyno without being its child. Part of `readiness`, which does
//! the waiting.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::listening::{Listener, answers_at};
use super::ports::sockets_of;
use crate::guardian::family_of;
use crate::model::RunId;
use crate::supervisor::{Event, ListenInterest};

/// Pause after the first look if other dynos wait for this one. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two looks if other dynos wait for this one.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Pause between two looks for the line with the address. It may be long, because only a person reads that line.
const ADDRESS_PAUSE: Duration = Duration::from_secs(1);
/// How long to look for the line with the address.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(60);

/// What is known about the sockets of one run.
pub(super) struct ListenWatch {
    /// The pid of its leader. None: it has not been spawned yet.
    leader: Option<i32>,
    /// The ports that it is expected to use.
    ports: Vec<u16>,
    /// The sockets that already listened on those ports before it was spawned.
    older: BTreeSet<u64>,
    interest: ListenInterest,
    began: Instant,
    pause: Duration,
    /// When to look next. None: nothing depends on it.
    next: Option<Instant>,
    /// The addresses that were reported last.
    last: Vec<SocketAddr>,
}

impl ListenWatch {
    pub(super) fn new(ports: Vec<u16>, older: BTreeSet<u64>, now: Instant) -> Self {
        Self {
            leader: None,
            ports,
            older,
            interest: ListenInterest::None,
            began: now,
            pause: FIRST_PAUSE,
            next: None,
            last: Vec::new(),
        }
    }

    /// The run was spawned.
    pub(super) fn begin(&mut self, leader: i32, now: Instant) {
        (self.leader, self.began) = (Some(leader), now);
    }

    /// Looks from now on if something depends on it, otherwise stops looking.
    pub(super) fn observe(&mut self, interest: ListenInterest, now: Instant) {
        if self.leader.is_none() || self.interest == interest {
            return;
        }
        (self.interest, self.pause) = (interest, FIRST_PAUSE);
        self.next = match interest {
            ListenInterest::None => None,
            ListenInterest::Address if now >= self.began + ADDRESS_PATIENCE => None,
            ListenInterest::Address => Some(now + ADDRESS_PAUSE),
            ListenInterest::Order => Some(now + FIRST_PAUSE),
        };
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Makes the next look due now, if there is one.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.next = self.next.map(|next| next.min(now));
    }

    /// Postpones the next look by the time during which we and the dynos were stopped.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.began += by;
        self.next = self.next.map(|next| next + by);
    }

    /// Looks if that is due, and reports a change. `listeners`: all listening sockets of the system.
    pub(super) fn look(&mut self, run: RunId, listeners: &[Listener], now: Instant) -> Option<Event> {
        let leader = self.leader.filter(|_| self.next.is_some_and(|next| next <= now))?;
        self.next = match self.interest {
            ListenInterest::None => None,
            ListenInterest::Address => Some(now + ADDRESS_PAUSE).filter(|next| *next <= self.began + ADDRESS_PATIENCE),
            ListenInterest::Order => {
                self.pause = (2 * self.pause).min(LONGEST_PAUSE);
                Some(now + self.pause)
            }
        };
        let own = sockets_of(&family_of(leader));
        let at = addresses(listeners, |socket| {
            own.contains(&socket.inode) || self.ports.contains(&socket.port) && !self.older.contains(&socket.inode)
        });
        if at == self.last {
            return None;
        }
        self.last.clone_from(&at);
        Some(Event::Listens { run, at })
    }
}

/// The best address for each port of these sockets, sorted by port.
fn addresses(listeners: &[Listener], is_own: impl Fn(&Listener) -> bool) -> Vec<SocketAddr> {
    let mut by_port: BTreeMap<u16, Vec<Listener>> = BTreeMap::new();
    for listener in listeners.iter().filter(|listener| is_own(listener)) {
        by_port.entry(listener.port).or_default().push(*listener);
    }
    let best = |(port, sockets): (u16, Vec<Listener>)| Some(SocketAddr::new(*answers_at(&sockets).first()?, port));
    by_port.into_iter().filter_map(best).collect()
}

#[cfg(test)]
mod tests;
