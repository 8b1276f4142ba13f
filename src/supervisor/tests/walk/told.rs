//! What the log says of the dynos: every change that is to be seen is told once and in order, every order in its words.

#![expect(clippy::wildcard_enum_match_arm, reason = "a rule is about some notices and silent about all others")]

use super::model::{Model, Run, Seen};
use super::*;

impl Model {
    /// A line about one dyno, as far as it tells its state.
    pub(super) fn hear(&mut self, index: usize, kind: &NoticeKind) -> Result<(), Broken> {
        let stopping = self.cause.is_some();
        let dyno = &mut self.dynos[index];
        if let NoticeKind::Starting { .. } = kind {
            // A new dyno is created in that state.
            if dyno.told == PublicState::Down {
                dyno.told = PublicState::Starting;
            }
            rule!(dyno.told == PublicState::Starting, "{} starts, but was told to be {}", dyno.name, dyno.told);
        }
        let change = match kind {
            NoticeKind::StateChanged { from, to } => Some((*from, *to)),
            NoticeKind::Completed { from } if dyno.is_release => Some((*from, PublicState::Down)),
            _ => None,
        };
        let Some((from, to)) = change else { return Ok(()) };
        rule!(dyno.told == from, "{} was told to be {}, not {from}", dyno.name, dyno.told);
        rule!(from != to && from != PublicState::Down, "{} changes from {from} to {to}", dyno.name);
        let gives_up = from == PublicState::Crashed && to == PublicState::Down;
        rule!(stopping || !gives_up, "{} goes down although it is to start again", dyno.name);
        dyno.told = to;
        Ok(())
    }

    /// What the probe found may be said only where somebody wants to know.
    pub(super) fn allow_hint(&self, kind: &NoticeKind, event: &Event) -> Result<(), Broken> {
        let has_limit = self.policy.boot_timeout.is_some();
        let may = match kind {
            NoticeKind::LoopbackOnly => {
                self.policy.notes_loopback && matches!(event, Event::Ready { loopback_only: true, .. })
            }
            NoticeKind::NotListening { .. } => !has_limit && matches!(event, Event::NotReady { .. }),
            NoticeKind::ListensElsewhere { .. } => matches!(event, Event::ListensElsewhere { .. }),
            _ => true,
        };
        rule!(may, "nobody asked for {kind:?} at {event:?}");
        Ok(())
    }

    /// Whoever is stopped or killed is told of right before.
    pub(super) fn demand_words(&self, before: Option<&Effect>, effect: &Effect) -> Result<(), Broken> {
        let Effect::Signal { run: id, signal } = effect else { return Ok(()) };
        let Some(run) = self.runs.get(id) else { return Ok(()) };
        let kind = match signal {
            // What a dead leader left behind is stopped in silence: mostly nothing is left.
            GroupSignal::Stop { .. } if run.seen == Seen::Group => return Ok(()),
            GroupSignal::Stop { signal, .. } => NoticeKind::StoppingProcesses { signal: *signal },
            GroupSignal::Kill if run.stopped => NoticeKind::KillingRemaining,
            GroupSignal::Kill => NoticeKind::KillingProcess,
            GroupSignal::StopRest | GroupSignal::Pause | GroupSignal::Continue | GroupSignal::User(_) => return Ok(()),
        };
        let words = Effect::Notify(Notice { about: About::Dyno(self.dynos[run.dyno].name.clone()), kind });
        rule!(before == Some(&words), "before {effect:?} stands {before:?}, not {words:?}");
        Ok(())
    }

    /// What was told last is what is the case.
    pub(super) fn compare_told(&self) -> Result<(), Broken> {
        for (index, dyno) in self.dynos.iter().enumerate() {
            let run = self.runs.values().find(|run| run.dyno == index);
            let state = run.map_or(dyno.rest, Run::visible);
            // A release phase is complete, however it ended; and what cannot be killed says so in other words.
            let is_over = state == PublicState::Crashed && (dyno.is_release || (run.is_none() && dyno.retired));
            let is_told = dyno.told == state || (is_over && dyno.told == PublicState::Down);
            rule!(is_told, "{} is {state}, but was told to be {}", dyno.name, dyno.told);
        }
        Ok(())
    }
}
