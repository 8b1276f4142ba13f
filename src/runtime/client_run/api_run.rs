//! A one-off dyno whose streams belong to the client (S17.3): starts it once the client has come, and ends it when the client
//! is gone.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout;

use super::attached_run::AttachedRun;
use super::attached_session::{Conversation, converse};
use super::rendezvous::{ATTACHES_WITHIN, Rendezvous};
use crate::api::{ApiAnswer, ApiError, AttachedOneOff};
use crate::model::{DynoName, Io};
use crate::runtime::api_server::ApiServer;
use crate::runtime::calls::ApiCall;
use crate::supervisor::{Command, Reply, Target};

/// The most dynos whose streams belong to clients.
const MAX_ATTACHED: usize = 100;

/// How long a program may take to end after its terminal is gone, before it is stopped like any other.
const AFTER_HANGUP: Duration = Duration::from_secs(5);

/// One of the places for such dynos. Dropping it frees it.
struct AttachedPlace(Rc<Cell<usize>>);

impl AttachedPlace {
    /// # Errors
    /// 503: all are taken.
    fn take(taken: &Rc<Cell<usize>>) -> Result<Self, ApiError> {
        if taken.get() >= MAX_ATTACHED {
            return Err(ApiError::unavailable(format!(
                "{MAX_ATTACHED} one-off dynos are attached already; `dyno ps` lists them"
            )));
        }
        taken.set(taken.get() + 1);
        Ok(Self(Rc::clone(taken)))
    }
}

impl Drop for AttachedPlace {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Counts a client that is to get something. The end of everything waits for it.
pub(in crate::runtime) struct Talking(Rc<ApiServer>);

impl Drop for Talking {
    fn drop(&mut self) {
        self.0.talking.set(self.0.talking.get() - 1);
        self.0.has_room.notify_waiters();
    }
}

/// A run and how its client wants it.
struct AttendedRun {
    run: Rc<AttachedRun>,
    has_terminal: bool,
    reports_exit: bool,
    place: AttachedPlace,
}

impl ApiServer {
    /// Adds the dyno, which begins when its client connects, and answers with the address for that.
    pub(in crate::runtime) async fn run_attached(
        self: &Rc<Self>,
        number: u32,
        attached: AttachedOneOff,
    ) -> Result<ApiAnswer, ApiError> {
        let identity = self.tls.clone().ok_or_else(AttachedOneOff::unavailable)?;
        // Before anything that waits: other requests go on meanwhile.
        let place = AttachedPlace::take(&self.attached)?;
        let AttachedOneOff { one_off, reports_exit } = attached;
        let has_terminal = one_off.streams.is_some_and(|streams| matches!(streams.io, Io::Pty(_)));
        let rendezvous = Rendezvous::open(identity).await?;
        let command = Command::RunOneOff { number, one_off };
        let dyno = match self.ask(|answer| ApiCall::Command(command, answer)).await? {
            Ok(Reply::Started(dyno)) => dyno,
            Ok(
                Reply::Scaled(_)
                | Reply::Restarting(_)
                | Reply::Stopping(_)
                | Reply::Deploying { .. }
                | Reply::Unchanged,
            ) => return Err(ApiError::unavailable("the one-off dyno was not started")),
            Err(refusal) => return Err(ApiError::of_refusal(&refusal, false)),
        };
        let run = self.ask(|answer| ApiCall::TakeAttached(dyno.clone(), answer)).await?.ok_or_else(ApiError::ending)?;
        let after = self.ask(ApiCall::Snapshot).await?;
        let answer = self.app.attached(&dyno, &after, rendezvous.url.clone());
        tokio::task::spawn_local(Rc::clone(self).attend(
            rendezvous,
            dyno,
            AttendedRun { run, has_terminal, reports_exit, place },
        ));
        Ok(answer)
    }

    /// Waits for the client and talks to it. If it does not come, or leaves before the end, the dyno is stopped.
    async fn attend(self: Rc<Self>, rendezvous: Rendezvous, dyno: DynoName, attended: AttendedRun) {
        let AttendedRun { run, has_terminal, reports_exit, place } = attended;
        let conversation = if let Some(client) = rendezvous.client().await {
            let _ = self.ask(|answer| ApiCall::BeginAttached(Rc::clone(&run), answer)).await;
            self.talking.set(self.talking.get() + 1);
            converse(client, &run, reports_exit, &self.taken, Talking(Rc::clone(&self))).await
        } else {
            // Otherwise it was stopped meanwhile.
            if !run.is_gone() {
                let line = format!(
                    "{dyno} was not started: its client did not connect within {} s",
                    ATTACHES_WITHIN.as_secs()
                );
                let _ = self.ask(|answer| ApiCall::Say(line, answer)).await;
            }
            Conversation::Abandoned
        };
        drop(place);
        run.hang_up();
        if conversation == Conversation::Abandoned {
            if has_terminal && run.is_open() {
                // Its terminal is closed, so its foreground processes got SIGHUP.
                let _ = timeout(AFTER_HANGUP, run.status()).await;
            }
            if !run.is_gone() {
                // An error: everything is being stopped.
                let command = Command::Stop(Target::Dyno(dyno), None);
                let _ = self.ask(|answer| ApiCall::Command(command, answer)).await;
            }
        }
        self.attended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s17_3_a_place_is_taken_at_once_and_freed_at_the_end() {
        let taken = Rc::default();
        let mut places: Vec<AttachedPlace> =
            (0..MAX_ATTACHED).filter_map(|_| AttachedPlace::take(&taken).ok()).collect();

        assert_eq!((places.len(), taken.get()), (MAX_ATTACHED, MAX_ATTACHED));
        assert!(AttachedPlace::take(&taken).is_err());
        places.pop();
        assert!(AttachedPlace::take(&taken).is_ok());
        places.clear();
        assert_eq!(taken.get(), 0);
    }
}
