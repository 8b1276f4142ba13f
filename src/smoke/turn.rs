//! One event of a smoke test: the supervisor handles it, then the commands that the smoke test sends because of it.

use crate::model::{Now, RunId};
use crate::supervisor::{Command, Effect, Event, Notice, Supervisor};

use super::{OWN_REQUEST, Smoke, SmokePhase};

/// What the runtime has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Perform an effect of the supervisor, or one of the same kind that the smoke test adds.
    Effect(Effect),
    /// Show that a phase begins.
    Begin(SmokePhase),
}

/// How a smoke test reacts to one event.
#[derive(Debug, Default)]
pub(super) struct Reaction {
    /// The runs whose other ports are looked up, before the effects stop them.
    pub(super) look_at: Vec<RunId>,
    /// The phases that begin, each with its position among the effects, in order.
    pub(super) phases: Vec<(usize, SmokePhase)>,
    /// What to show.
    pub(super) notice: Option<Notice>,
    /// The command for the supervisor.
    pub(super) command: Option<Command>,
}

impl Smoke {
    /// Lets the supervisor handle an event, and then each command that follows from it. Returns what to do, in order.
    #[must_use = "a step that is not performed never happens"]
    pub fn handle(&mut self, supervisor: &mut Supervisor, event: Event, now: Now) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let effects = supervisor.handle(event.clone(), now);
            let reaction = self.observe(&event, &effects, supervisor.snapshot(), now);
            steps.extend(reaction.look_at.into_iter().map(|run| Step::Effect(Effect::FindListener { run })));
            let mut phases = reaction.phases.into_iter().peekable();
            for (position, effect) in effects.into_iter().enumerate() {
                while let Some((_, phase)) = phases.next_if(|(at, _)| *at <= position) {
                    steps.push(Step::Begin(phase));
                }
                steps.extend(self.step(effect));
            }
            steps.extend(phases.map(|(_, phase)| Step::Begin(phase)));
            steps.extend(reaction.notice.map(|notice| Step::Effect(Effect::Notify(notice))));
            next = reaction.command.map(|command| Event::Request { id: OWN_REQUEST, command });
        }
        // Dynos are removed last, because the lines that follow from a command may still be about them.
        let is_last = |step: &Step| matches!(step, Step::Effect(Effect::Retire { .. } | Effect::Finish(_)));
        let (last, mut first): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(is_last);
        first.extend(last);
        first
    }

    fn step(&self, effect: Effect) -> Option<Step> {
        match effect {
            Effect::Finish(outcome) => Some(Step::Effect(Effect::Finish(self.outcome(outcome)))),
            // The snapshot shows the result.
            Effect::Reply { request: OWN_REQUEST, .. } => None,
            Effect::Reply { .. }
            | Effect::Spawn(_)
            | Effect::Signal { .. }
            | Effect::Drain { .. }
            | Effect::Notify(_)
            | Effect::FindListener { .. }
            | Effect::PassInterrupt { .. }
            | Effect::Retire { .. }
            | Effect::Suspend
            | Effect::ReplaceGuardian => Some(Step::Effect(effect)),
        }
    }
}
