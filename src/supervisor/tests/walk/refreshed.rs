//! Dynos that are replaced because their files have changed (S14.3).

use super::dyno::Kind;
use super::model::Model;
use super::*;

impl Model {
    pub(super) fn on_refresh(&mut self, process_type: &ProcessType) -> Reply {
        let is_meant = |at: &usize| {
            let dyno = &self.dynos[*at];
            dyno.kind == Kind::Formation && dyno.name.process_type == *process_type && self.is_replaceable(*at)
        };
        let replaced: Vec<usize> = self.in_order().filter(is_meant).collect();
        let restarted = |at: &usize| Restarted { dyno: self.dynos[*at].name.clone(), run: self.dynos[*at].last_run };
        let reply = Reply::Restarting(replaced.iter().map(restarted).collect());
        for at in replaced {
            self.replace(at);
        }
        reply
    }

    /// Whether a dyno is replaced if its command or its files change.
    pub(super) fn is_replaceable(&self, at: usize) -> bool {
        let has_run = self.runs.values().any(|run| run.dyno == at);
        let dyno = &self.dynos[at];
        let has_crashed = !has_run && !dyno.lost && dyno.without_run == PublicState::Crashed;
        let is_active = dyno.wanted && (has_run || dyno.restart_due.is_some());
        !dyno.leaving && (is_active || has_crashed)
    }
}
