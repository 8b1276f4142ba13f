//! What an exit that nothing asked for means.

use super::dyno::Kind;
use super::model::{Model, Verdict};
use super::*;

impl Model {
    /// S6.3, S6.4, S8.2.
    pub(super) fn judge(&mut self, id: RunId, exit: ExitStatus, mono: Duration) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let dyno = &mut self.dynos[run.dyno];
        let stops_all = self.policy.on_exit == OnExit::StopAll;
        let may_exit = match can_die(&self.policy, &self.order, &dyno.name.process_type) {
            _ if dyno.kind == Kind::OneOff => true,
            _ if dyno.kind == Kind::Release => exit == code(0),
            Some(CanDie::Any) if stops_all => true,
            Some(CanDie::Any | CanDie::Success) => exit == code(0),
            None => false,
        };
        run.verdict = Some(if may_exit { Verdict::Done } else { Verdict::Crashed(exit) });
        if may_exit {
            (dyno.retired, dyno.wanted) = (true, false);
            dyno.leaving |= dyno.kind != Kind::Formation;
            if exit != code(0) && dyno.kind == Kind::Formation {
                self.failures.push((run.dyno, exit));
            }
        } else if dyno.kind == Kind::Release {
            let at = run.dyno;
            self.on_release_failed(at, exit);
        } else if stops_all {
            self.stop_for(Outcome::Code(exit.shell_code()));
        } else if let OnExit::Restart(policy) = self.policy.on_exit {
            let healthy_window = policy.min_healthy.max(2 * dyno.in_a_row.1);
            if run.up.map_or(Duration::ZERO, |since| mono.saturating_sub(since)) >= healthy_window {
                dyno.in_a_row = (0, Duration::ZERO);
            }
        }
    }
}

/// Whether a type may exit: because the policy says so, or because others wait for its end.
fn can_die(policy: &Policy, order: &StartOrder, process_type: &ProcessType) -> Option<CanDie> {
    let is_awaited = order.awaits_end_of(process_type).then_some(CanDie::Success);
    policy.can_die.get(process_type).copied().or(is_awaited)
}
