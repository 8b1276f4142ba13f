//! Decides which dyno gets a request, whether it waits, or which error answers it (S16.1, S16.3).

use std::time::Duration;

use super::{Backend, BackendState, Backends, ChoiceInput, HCode, Quarantine, RouterRules};

/// How long a request waits for a change after each dyno has refused it. A dyno whose end has not been noticed yet refuses.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a request waits before it tries a dyno again that has never been seen listening.
const RETRY: Duration = Duration::from_millis(100);
/// On the platform, how many requests may be in flight for each dyno.
const MOST_IN_FLIGHT: usize = 200;

/// What happens to a request next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is sent to this dyno.
    Send(Backend),
    /// It waits until the dynos change, and is decided again at `until` at the latest.
    Hold {
        /// The time of the next decision.
        until: Duration,
    },
    /// It is answered with this code.
    Refuse(HCode),
}

impl Backends {
    /// Decides about a request. `random`: any number.
    #[must_use]
    pub fn choose(
        &self,
        request: &ChoiceInput,
        quarantine: &Quarantine,
        rules: &RouterRules,
        now: Duration,
        random: u64,
    ) -> Choice {
        if rules.is_platform && self.is_full(request.in_flight) {
            return Choice::Refuse(HCode::H11);
        }
        let deadline = request.since.saturating_add(rules.hold);
        let is_up = |backend: &&Backend| backend.state == BackendState::Up;
        // It is probably starting: most process types are up before they listen.
        let is_new = |backend: &Backend| !quarantine.has_listened(backend);
        let was_tried = |backend: &Backend| {
            let tried = if is_new(backend) { &request.tried_early } else { &request.tried };
            tried.contains(&backend.run)
        };
        let is_left = |backend: &Backend| is_new(backend) && request.left_to_others.contains(&backend.run);
        // When the request may try it. None: not again.
        let free_at = |backend: &Backend| match (was_tried(backend), is_new(backend)) {
            _ if is_left(backend) => Some(deadline),
            (true, true) => Some(request.last_try.saturating_add(RETRY)),
            (true, false) => None,
            (false, true) => Some(now),
            (false, false) => Some(quarantine.until(backend.run, now).unwrap_or(now)),
        };
        let is_free = |backend: &&Backend| {
            let is_late = now >= deadline && (was_tried(backend) || is_left(backend));
            !is_late && free_at(backend).is_some_and(|at| at <= now)
        };
        let free = || self.0.iter().filter(is_up).filter(is_free);
        if let Some(backend) = free().nth(pick(free().count(), random)) {
            return Choice::Send(backend.clone());
        }
        let next = self.0.iter().filter(is_up).filter_map(free_at).min();
        let is_first = request.tried.is_empty() && request.tried_early.is_empty();
        let waits = self.0.iter().filter(is_up).any(is_left);
        let refused = if request.was_refused || is_first { HCode::H21 } else { HCode::H19 };
        let is_coming = self.0.iter().any(|backend| backend.state.is_coming());
        let (until, code) = if is_coming {
            (next.unwrap_or(deadline), HCode::H20)
        } else if self.up() == 0 {
            return Choice::Refuse(self.why_none());
        } else if let Some(next) = next {
            (next, if is_first && !waits { HCode::H99 } else { refused })
        } else {
            // All that are up have refused this request.
            (request.last_try.saturating_add(SETTLE), refused)
        };
        let until = until.min(deadline);
        if now < until { Choice::Hold { until } } else { Choice::Refuse(code) }
    }

    /// Whether these requests are as many as the platform allows.
    fn is_full(&self, in_flight: usize) -> bool {
        let may_have_requests =
            |backend: &&Backend| !matches!(backend.state, BackendState::Crashed | BackendState::Down);
        let dynos = self.0.iter().filter(may_have_requests).count();
        dynos > 0 && in_flight >= MOST_IN_FLIGHT.saturating_mul(dynos)
    }

    /// The code if no dyno is up and none is coming.
    fn why_none(&self) -> HCode {
        let has_crashed = self.0.iter().any(|backend| backend.state == BackendState::Crashed);
        if has_crashed { HCode::H10 } else { HCode::H14 }
    }
}

/// One of so many places, each of which is as likely.
fn pick(places: usize, random: u64) -> usize {
    // The upper half of the product is below the number.
    let at = (u128::from(random) * places as u128) >> 64;
    usize::try_from(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::backend::tests::{row, web};
    use super::*;
    use crate::model::ProcessType;
    use crate::supervisor::{LifeStage, Row, Snapshot};

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn rules(is_platform: bool) -> RouterRules {
        RouterRules {
            enforces_timeouts: is_platform,
            is_platform,
            writes_platform_lines: is_platform,
            ..RouterRules::plain()
        }
    }

    /// The dynos of `web` in these stages: run 1, run 2 and so on.
    fn backends(stages: &[LifeStage]) -> Backends {
        let numbered = stages.iter().zip(1..);
        let rows = numbered.map(|(stage, run)| row(&format!("web.{run}"), run, *stage)).collect();
        Backends::new(&Snapshot { rows, ..Snapshot::default() }, &web())
    }

    fn choose(backends: &Backends, request: &ChoiceInput, quarantine: &Quarantine, now: Duration) -> Choice {
        backends.choose(request, quarantine, &rules(false), now, u64::MAX / 3)
    }

    fn refused_by(runs: &[u64], ms: u64) -> ChoiceInput {
        ChoiceInput { tried: runs.to_vec(), last_try: at(ms), was_refused: true, ..ChoiceInput::default() }
    }

    fn sent_to(choice: Choice) -> Option<u64> {
        match choice {
            Choice::Send(backend) => Some(backend.run),
            Choice::Hold { .. } | Choice::Refuse(_) => None,
        }
    }

    /// Numbers that are spread evenly.
    fn numbers() -> impl Iterator<Item = u64> {
        std::iter::successors(Some(1_u64), |number| Some(number.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    fn counts(backends: &Backends, quarantine: &Quarantine) -> [usize; 3] {
        let mut counts = [0; 3];
        for number in numbers().take(3000) {
            let choice = backends.choose(&ChoiceInput::default(), quarantine, &rules(false), at(0), number);
            counts[usize::try_from(sent_to(choice).unwrap()).unwrap() - 1] += 1;
        }
        counts
    }

    #[test]
    fn s16_1_dynos_that_are_up_get_equal_shares() {
        let none = Quarantine::default();
        let all = counts(&backends(&[LifeStage::Up; 3]), &none);
        assert!(all.iter().all(|count| (900..=1100).contains(count)), "{all:?}");

        for stage in [LifeStage::Down, LifeStage::Crashed, LifeStage::Draining, LifeStage::Stopping, LifeStage::Booting]
        {
            let two = counts(&backends(&[LifeStage::Up, stage, LifeStage::Up]), &none);
            assert_eq!(two[1], 0, "{stage:?}");
            assert!(two[0] > 1350 && two[2] > 1350, "{two:?}");
        }
        let mut quarantine = Quarantine::default();
        quarantine.refused(3, at(0));
        assert_eq!(counts(&backends(&[LifeStage::Up; 3]), &quarantine)[2], 0);
    }

    #[test]
    fn s16_3_a_request_waits_while_a_dyno_is_coming_and_then_gets_h20() {
        let returning = [LifeStage::Starting, LifeStage::Booting, LifeStage::Backoff, LifeStage::Draining];
        let request = ChoiceInput { since: at(1000), ..ChoiceInput::default() };
        for stage in returning {
            let coming = backends(&[LifeStage::Crashed, stage]);
            let chosen = |ms| choose(&coming, &request, &Quarantine::default(), at(ms));
            assert_eq!(chosen(1000), Choice::Hold { until: at(31_000) }, "{stage:?}");
            assert_eq!(chosen(30_999), Choice::Hold { until: at(31_000) }, "{stage:?}");
            assert_eq!(chosen(31_000), Choice::Refuse(HCode::H20), "{stage:?}");
        }
        // Once one is up, it gets the request, however late.
        let up = choose(&backends(&[LifeStage::Crashed, LifeStage::Up]), &request, &Quarantine::default(), at(60_000));
        assert_eq!(sent_to(up), Some(2));
    }

    #[test]
    fn s16_3_a_request_that_a_dyno_has_lost_waits_as_long_as_a_new_one() {
        let mut request = ChoiceInput { since: at(1000), ..ChoiceInput::default() };
        let coming = backends(&[LifeStage::Backoff]);
        request.begin_again(at(60_000));

        let choice = choose(&coming, &request, &Quarantine::default(), at(60_000));

        assert_eq!(choice, Choice::Hold { until: at(90_000) });
    }

    #[test]
    fn s16_5_without_a_dyno_that_is_coming_the_answer_is_h10_or_h14_at_once() {
        let code =
            |stages: &[LifeStage]| choose(&backends(stages), &ChoiceInput::default(), &Quarantine::default(), at(0));
        assert_eq!(code(&[LifeStage::Crashed, LifeStage::Down]), Choice::Refuse(HCode::H10));
        assert_eq!(code(&[LifeStage::Lost]), Choice::Refuse(HCode::H10));
        assert_eq!(code(&[LifeStage::Down]), Choice::Refuse(HCode::H14));
        assert_eq!(code(&[]), Choice::Refuse(HCode::H14));
        let leaving = Row { wanted: false, ..row("web.1", 1, LifeStage::Stopping) };
        let snapshot = Snapshot { rows: vec![leaving], ..Snapshot::default() };
        let backends = Backends::new(&snapshot, &web());
        let choice = choose(&backends, &ChoiceInput::default(), &Quarantine::default(), at(0));
        assert_eq!(choice, Choice::Refuse(HCode::H14));
        assert_eq!(Backends::new(&snapshot, &ProcessType::new("api").unwrap()), Backends::default());
    }

    #[test]
    fn s16_3_a_request_that_reached_no_dyno_is_tried_on_the_next() {
        let mut quarantine = Quarantine::default();
        quarantine.refused(1, at(0));
        let two = backends(&[LifeStage::Up; 2]);

        assert_eq!(sent_to(choose(&two, &refused_by(&[1], 0), &quarantine, at(0))), Some(2));
        // The first is not tried again for the same request, even after the quarantine.
        assert_eq!(sent_to(choose(&two, &refused_by(&[1], 0), &quarantine, at(6000))), Some(2));
    }

    // The end of a process is noticed a little later than the end of its socket.
    #[test]
    fn s16_3_after_the_last_refusal_a_request_waits_a_second_for_a_change() {
        let mut quarantine = Quarantine::default();
        quarantine.refused(1, at(500));
        let request = refused_by(&[1], 500);
        let up = backends(&[LifeStage::Up]);

        assert_eq!(choose(&up, &request, &quarantine, at(500)), Choice::Hold { until: at(1500) });
        assert_eq!(choose(&up, &request, &quarantine, at(1500)), Choice::Refuse(HCode::H21));
        let slow = ChoiceInput { was_refused: false, ..request.clone() };
        assert_eq!(choose(&up, &slow, &quarantine, at(1500)), Choice::Refuse(HCode::H19));
        // The process has ended, and is started again.
        let back = backends(&[LifeStage::Starting]);
        assert_eq!(choose(&back, &request, &quarantine, at(600)), Choice::Hold { until: at(30_000) });
        let new = Backends(vec![Backend { run: 9, ..up.0[0].clone() }]);
        assert_eq!(sent_to(choose(&new, &request, &quarantine, at(700))), Some(9));
    }

    #[test]
    fn s16_3_a_request_waits_for_a_quarantine_that_it_did_not_cause() {
        let mut quarantine = Quarantine::default();
        quarantine.refused(1, at(0));
        quarantine.refused(2, at(1000));
        let request = ChoiceInput { since: at(2000), ..ChoiceInput::default() };
        let two = backends(&[LifeStage::Up; 2]);

        assert_eq!(choose(&two, &request, &quarantine, at(2000)), Choice::Hold { until: at(5000) });
        assert_eq!(sent_to(choose(&two, &request, &quarantine, at(5000))), Some(1));
        // The same while a third one is starting.
        let third = backends(&[LifeStage::Up, LifeStage::Up, LifeStage::Booting]);
        assert_eq!(choose(&third, &request, &quarantine, at(2000)), Choice::Hold { until: at(5000) });
        let impatient = RouterRules { hold: Duration::ZERO, ..rules(false) };
        let choice = two.choose(&request, &quarantine, &impatient, at(2000), 0);
        assert_eq!(choice, Choice::Refuse(HCode::H99));
    }

    // Only `--ready` types, and `web` if something depends on it, are up no sooner than they listen (S6.2).
    #[test]
    fn s16_3_a_dyno_that_has_never_listened_is_tried_until_the_hold_is_over() {
        let new = Backends(vec![Backend { listens: false, ..backends(&[LifeStage::Up]).0[0].clone() }]);
        let mut quarantine = Quarantine::default();
        quarantine.refused(1, at(0));
        // A quarantine is for dynos that have listened.
        assert_eq!(sent_to(choose(&new, &ChoiceInput::default(), &quarantine, at(1))), Some(1));
        let early = |ms| ChoiceInput { tried_early: vec![1], ..refused_by(&[], ms) };
        let request = early(1);
        assert_eq!(choose(&new, &request, &quarantine, at(1)), Choice::Hold { until: at(101) });
        assert_eq!(sent_to(choose(&new, &request, &quarantine, at(101))), Some(1));
        let late = early(29_950);
        assert_eq!(choose(&new, &late, &quarantine, at(29_950)), Choice::Hold { until: at(30_000) });
        assert_eq!(choose(&new, &late, &quarantine, at(30_000)), Choice::Refuse(HCode::H21));
        assert_eq!(choose(&new, &late, &quarantine, at(40_000)), Choice::Refuse(HCode::H21));
        // Once it has accepted a connection, it is like any other, and was not tried yet.
        quarantine.accepted(1);
        assert_eq!(sent_to(choose(&new, &request, &quarantine, at(1))), Some(1));
        let request = refused_by(&[1], 1);
        assert_eq!(choose(&new, &request, &quarantine, at(1)), Choice::Hold { until: at(1001) });
        assert_eq!(choose(&new, &request, &quarantine, at(1001)), Choice::Refuse(HCode::H21));
    }

    #[test]
    fn s16_3_requests_wait_while_another_one_tries_a_dyno_that_boots() {
        let new = |run: u64| Backend { run, listens: false, ..backends(&[LifeStage::Up]).0[0].clone() };
        let (one, two) = (Backends(vec![new(1)]), Backends(vec![new(1), new(2)]));
        let mut quarantine = Quarantine::default();
        quarantine.refused(1, at(0));
        let request = ChoiceInput { left_to_others: vec![1], ..ChoiceInput::default() };
        for tried in [ChoiceInput::default(), ChoiceInput { tried_early: vec![1], ..refused_by(&[], 0) }] {
            let request = ChoiceInput { left_to_others: vec![1], ..tried };
            assert_eq!(choose(&one, &request, &quarantine, at(100)), Choice::Hold { until: at(30_000) });
            assert_eq!(choose(&one, &request, &quarantine, at(30_000)), Choice::Refuse(HCode::H21));
        }
        assert_eq!(sent_to(choose(&two, &request, &quarantine, at(100))), Some(2));
        quarantine.accepted(1);
        assert_eq!(sent_to(choose(&one, &request, &quarantine, at(100))), Some(1));
    }

    #[test]
    fn s16_5_on_the_platform_200_requests_for_each_dyno_may_be_in_flight() {
        let two = backends(&[LifeStage::Up; 2]);
        let chosen = |in_flight, is_platform| {
            let request = ChoiceInput { in_flight, ..ChoiceInput::default() };
            two.choose(&request, &Quarantine::default(), &rules(is_platform), at(0), 0)
        };
        assert_eq!(sent_to(chosen(399, true)), Some(1));
        assert_eq!(chosen(400, true), Choice::Refuse(HCode::H11));
        assert_eq!(sent_to(chosen(400, false)), Some(1));
    }

    #[test]
    fn s16_6_dynos_that_are_down_or_crashed_take_no_part_in_h11() {
        let request = ChoiceInput { in_flight: 200, ..ChoiceInput::default() };
        let chosen = |other| {
            let two = backends(&[LifeStage::Up, other]);
            two.choose(&request, &Quarantine::default(), &rules(true), at(0), 0)
        };
        for stage in [LifeStage::Down, LifeStage::Crashed, LifeStage::Lost] {
            assert_eq!(chosen(stage), Choice::Refuse(HCode::H11), "{stage:?}");
        }
        // These get requests soon, or still answer theirs.
        for stage in [LifeStage::Booting, LifeStage::Backoff, LifeStage::Draining] {
            assert_eq!(sent_to(chosen(stage)), Some(1), "{stage:?}");
        }
        let none = backends(&[LifeStage::Crashed]);
        let choice = none.choose(&request, &Quarantine::default(), &rules(true), at(0), 0);
        assert_eq!(choice, Choice::Refuse(HCode::H10));
    }

    proptest! {
        #[test]
        fn s16_3_a_choice_is_a_dyno_that_is_up_or_a_wait_that_ends(
            dynos in vec((select(STAGES.to_vec()), any::<bool>(), any::<bool>(), any::<bool>()), 0..5),
            (arrived, last_try, now) in (0..40_000_u64, 0..40_000_u64, 0..80_000_u64),
            random in any::<u64>(),
        ) {
            let stages: Vec<LifeStage> = dynos.iter().map(|(stage, ..)| *stage).collect();
            let mut all = backends(&stages);
            let mut request = ChoiceInput { since: at(arrived), ..refused_by(&[], last_try) };
            let mut quarantine = Quarantine::default();
            for (backend, (_, listens, was_tried, is_out)) in all.0.iter_mut().zip(dynos) {
                backend.listens = listens;
                let tried = if listens { &mut request.tried } else { &mut request.tried_early };
                tried.extend(was_tried.then_some(backend.run));
                if is_out {
                    quarantine.refused(backend.run, at(now));
                }
            }
            let is_free = |backend: &Backend| {
                let is_out = request.all_tried().contains(&backend.run) || quarantine.until(backend.run, at(now)).is_some();
                backend.state == BackendState::Up && !is_out
            };
            match all.choose(&request, &quarantine, &rules(false), at(now), random) {
                Choice::Send(backend) => {
                    prop_assert_eq!(backend.state, BackendState::Up);
                    prop_assert!(is_free(&backend) || !backend.listens);
                }
                Choice::Hold { until } => {
                    prop_assert!(at(now) < until && until <= at(arrived + 30_000));
                    prop_assert!(!all.0.iter().any(is_free));
                }
                Choice::Refuse(_) => prop_assert!(!all.0.iter().any(is_free)),
            }
        }
    }

    const STAGES: [LifeStage; 5] =
        [LifeStage::Up, LifeStage::Booting, LifeStage::Stopping, LifeStage::Crashed, LifeStage::Down];
}
