//! The spawns and signals that have not been sent to the guardian yet.
//!
//! A signal waits for nothing: neither for the spawns of other runs, which may hang, nor for that of its own run. A run
//! that has to end before its spawn was sent never starts.

use std::collections::VecDeque;

use crate::model::{RunId, RunOrder, SpawnSpec};

/// Maximum number of spawns that are sent to the guardian before the first is answered. It starts them one after the
/// other, and with several requests pending it never has to wait for us in between. Each holds its descriptors twice
/// until the guardian has answered.
const MAX_SPAWNS_IN_FLIGHT: usize = 32;

/// The orders to send.
#[derive(Debug, Default)]
pub(super) struct GuardianOrders {
    /// In the order of their runs.
    spawns: VecDeque<SpawnSpec>,
    signals: VecDeque<(RunId, RunOrder)>,
    /// Spawns that the guardian has not answered yet.
    in_flight: usize,
}

/// What becomes of the run of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signalled {
    /// It was started, and the signal will be sent. Or it does not run yet, and the signal does not end it.
    Continues,
    /// It was to end before it was started: nothing of it exists.
    NeverStarts,
}

impl GuardianOrders {
    /// Starts a run. Its number is higher than that of all earlier ones.
    pub(super) fn spawn(&mut self, spec: SpawnSpec) {
        self.spawns.push_back(spec);
    }

    /// Signals a run.
    #[must_use]
    pub(super) fn signal(&mut self, run: RunId, signal: RunOrder) -> Signalled {
        let Ok(unsent) = self.spawns.binary_search_by_key(&run, |spec| spec.run) else {
            self.signals.push_back((run, signal));
            return Signalled::Continues;
        };
        match signal {
            RunOrder::Stop { .. } | RunOrder::StopRest | RunOrder::Kill => {
                self.spawns.remove(unsent);
                Signalled::NeverStarts
            }
            // There is no process yet that could get it.
            RunOrder::Pause
            | RunOrder::Continue
            | RunOrder::Resized
            | RunOrder::FromTerminal { .. }
            | RunOrder::Usr1
            | RunOrder::Usr2 => Signalled::Continues,
        }
    }

    /// Whether nothing is left to send.
    pub(super) fn is_empty(&self) -> bool {
        self.spawns.is_empty() && self.signals.is_empty()
    }

    /// The next signal to send.
    pub(super) fn next_signal(&mut self) -> Option<(RunId, RunOrder)> {
        self.signals.pop_front()
    }

    /// The next spawn to send, of those that are ready for it. None if too many are not answered yet.
    pub(super) fn next_spawn(&mut self, is_ready: impl Fn(&SpawnSpec) -> bool) -> Option<SpawnSpec> {
        if self.in_flight >= MAX_SPAWNS_IN_FLIGHT {
            return None;
        }
        let next = self.spawns.iter().position(is_ready)?;
        self.spawns.remove(next)
    }

    /// A spawn was sent.
    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// The guardian has answered a spawn.
    pub(super) fn answered(&mut self) {
        self.in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::model::{DynoName, DynoSpec, Environment, Focus, Io, Launch, ProcessType, Readiness, Shell};

    const STOP: RunOrder = RunOrder::Stop { signal: 15, everything: false };

    fn spawn(run: u64) -> SpawnSpec {
        let spec = DynoSpec {
            dyno: DynoName::new(ProcessType::new("web").unwrap(), u32::try_from(run).unwrap()),
            command_line: "true".into(),
            launch: Launch::Shell { shell: Shell::Sh, line: b"true".to_vec(), leads: false },
            port: None,
            readiness: Readiness::Runs,
            expected_port: None,
            environment: Environment::default(),
            directory: PathBuf::from("/"),
            io: Io::Pipe,
            focus: Focus::Elsewhere,
            stdin_is_empty: false,
        };
        SpawnSpec { run: RunId(run), spec: Arc::new(spec) }
    }

    fn with_spawns(count: u64) -> GuardianOrders {
        let mut orders = GuardianOrders::default();
        (1..=count).for_each(|run| orders.spawn(spawn(run)));
        orders
    }

    fn send_spawns(orders: &mut GuardianOrders) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(spawn) = orders.next_spawn(|_| true) {
            orders.sent();
            sent.push(spawn.run.0);
        }
        sent
    }

    #[test]
    fn s6_6_a_signal_does_not_wait_for_spawns_that_hang() {
        let mut orders = with_spawns(40);
        let sent = send_spawns(&mut orders);

        let signalled = orders.signal(RunId(1), STOP);

        assert_eq!(sent.len(), MAX_SPAWNS_IN_FLIGHT);
        assert_eq!(signalled, Signalled::Continues);
        assert_eq!(orders.next_signal(), Some((RunId(1), STOP)));
        assert_eq!(send_spawns(&mut orders), [0; 0]);
        orders.answered();
        assert_eq!(send_spawns(&mut orders), [33]);
    }

    #[test]
    fn s6_6_a_run_that_is_stopped_before_its_spawn_is_sent_never_starts() {
        for signal in [STOP, RunOrder::Kill] {
            let mut orders = with_spawns(3);

            assert_eq!(orders.signal(RunId(2), signal), Signalled::NeverStarts);

            assert_eq!(orders.next_signal(), None);
            assert_eq!(send_spawns(&mut orders), [1, 3]);
        }
    }

    #[test]
    fn s7_5_a_dyno_whose_last_output_is_not_shown_waits_alone() {
        let mut orders = with_spawns(3);

        let next = orders.next_spawn(|spawn| spawn.spec.dyno.index != 1).map(|spawn| spawn.run);

        assert_eq!(next, Some(RunId(2)));
        assert_eq!(send_spawns(&mut orders), [1, 3]);
    }

    #[test]
    fn a_run_that_does_not_exist_yet_gets_no_other_signal() {
        let mut orders = with_spawns(1);

        assert_eq!(orders.signal(RunId(1), RunOrder::Pause), Signalled::Continues);

        assert_eq!(orders.next_signal(), None);
        assert_eq!(send_spawns(&mut orders), [1]);
    }
}
