//! The log of the dynos: every visible change is logged once and in order, and every order has its notice.

#![expect(clippy::wildcard_enum_match_arm, reason = "a rule is about some notices and ignores all others")]

use super::dyno::Kind;
use super::model::{Model, Run, Seen};
use super::*;

impl Model {
    /// Updates the logged state of a dyno with a notice about it.
    pub(super) fn update_logged_state(&mut self, index: usize, kind: &NoticeKind, event: &Event) -> Result<(), Broken> {
        let stopping = self.cause.is_some();
        let is_asked = matches!(event, Event::Request { .. }) || self.deployed.has_changed;
        let dyno = &mut self.dynos[index];
        if let NoticeKind::Starting { .. } = kind {
            // A new dyno starts in that state, without a change.
            if dyno.logged == PublicState::Down {
                dyno.logged = PublicState::Starting;
            }
            rule!(dyno.logged == PublicState::Starting, "{} starts, but was logged as {}", dyno.name, dyno.logged);
        }
        // The notice about a process that cannot be killed says that a dyno which was down is not.
        if let (NoticeKind::Unkillable { .. }, PublicState::Down) = (kind, dyno.logged) {
            dyno.logged = PublicState::Crashed;
        }
        let change = match kind {
            NoticeKind::StateChanged { from, to } => Some((*from, *to)),
            NoticeKind::Completed { from } if dyno.kind != Kind::Formation => Some((*from, PublicState::Down)),
            _ => None,
        };
        let Some((from, to)) = change else { return Ok(()) };
        rule!(dyno.logged == from, "{} was logged as {}, not {from}", dyno.name, dyno.logged);
        // Only a dyno that is being stopped can be asked to come back.
        let may_be_down = is_asked && to == PublicState::Starting;
        rule!(from != to && (from != PublicState::Down || may_be_down), "{} changes from {from} to {to}", dyno.name);
        let goes_down = from == PublicState::Crashed && to == PublicState::Down;
        rule!(stopping || !dyno.wanted || !goes_down, "{} goes down although it is due to restart", dyno.name);
        dyno.logged = to;
        Ok(())
    }

    /// Notices about the findings of the probe are allowed only if the policy wants them.
    pub(super) fn allow_hint(&self, kind: &NoticeKind, event: &Event) -> Result<(), Broken> {
        let has_limit = self.policy.boot_timeout.is_some();
        let may = match kind {
            NoticeKind::LoopbackOnly { .. } => {
                self.policy.notes_loopback && matches!(event, Event::Ready { loopback_only: true, .. })
            }
            NoticeKind::NotListening { .. } => !has_limit && matches!(event, Event::NotReady { .. }),
            NoticeKind::StillNotUp { .. } => !has_limit && matches!(event, Event::NotReady { .. }),
            NoticeKind::WrongAnswer { .. } => {
                matches!(event, Event::NotAnswering { answer: Some(HttpAnswer::Status(_)), .. })
            }
            NoticeKind::ListensElsewhere { .. } => matches!(event, Event::ListensElsewhere { .. }),
            _ => true,
        };
        rule!(may, "{kind:?} must not be shown at {event:?}");
        Ok(())
    }

    /// Right before a run is stopped or killed, a notice must say so.
    pub(super) fn demand_notice(&self, before: Option<&Effect>, effect: &Effect) -> Result<(), Broken> {
        let Effect::Signal { run: id, signal } = effect else { return Ok(()) };
        let Some(run) = self.runs.get(id) else { return Ok(()) };
        let kind = match signal {
            // What an exited leader left behind is stopped without a notice: usually there is nothing left.
            RunOrder::Stop { .. } if run.seen == Seen::Group => return Ok(()),
            RunOrder::Stop { signal, .. } => NoticeKind::StoppingProcesses { signal: *signal },
            RunOrder::Kill if run.stopped => NoticeKind::KillingRemaining,
            RunOrder::Kill => NoticeKind::KillingProcess,
            RunOrder::StopRest
            | RunOrder::Pause
            | RunOrder::Continue
            | RunOrder::Resized
            | RunOrder::FromTerminal { .. }
            | RunOrder::Usr1
            | RunOrder::Usr2 => return Ok(()),
        };
        let notice = Effect::Notify(Notice { about: About::Dyno(self.dynos[run.dyno].name.clone()), kind });
        rule!(before == Some(&notice), "before {effect:?} there must be {notice:?}, not {before:?}");
        Ok(())
    }

    /// The last logged state of each dyno must be its actual state.
    pub(super) fn compare_logged(&self) -> Result<(), Broken> {
        for (index, dyno) in self.dynos.iter().enumerate().filter(|(_, dyno)| dyno.present) {
            let run = self.runs.values().find(|run| run.dyno == index);
            // The log says nothing about a dyno that waits before it starts.
            let state = run.map_or(dyno.without_run, Run::visible);
            // A release phase is logged as complete, even if it failed.
            let is_over = state == PublicState::Crashed && dyno.kind != Kind::Formation;
            let is_logged = dyno.logged == state || (is_over && dyno.logged == PublicState::Down);
            rule!(is_logged, "{} is {state}, but was logged as {}", dyno.name, dyno.logged);
        }
        Ok(())
    }
}
