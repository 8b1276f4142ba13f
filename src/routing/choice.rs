//! Decides which dyno gets a request, whether it waits, or which error answers it (S16.1, S16.3).

use std::time::Duration;

use super::{Backend, BackendState, Backends, HCode, Quarantine, RouterRules};

/// How long a request waits for a change after each dyno has refused it. A dyno whose end has not been noticed yet refuses.
const SETTLE: Duration = Duration::from_secs(1);
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

/// What is known of a request that needs a dyno. Times are on a clock that never jumps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChoiceInput {
    /// When it arrived.
    pub arrived: Duration,
    /// The runs that did not accept a connection for it, in order.
    pub tried: Vec<u64>,
    /// When the last of them did that.
    pub last_try: Duration,
    /// Whether the last of them refused. Otherwise it did not answer in time.
    pub was_refused: bool,
    /// How many other requests are in flight.
    pub in_flight: usize,
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
        let most = MOST_IN_FLIGHT.saturating_mul(self.0.len().max(1));
        if rules.is_platform && request.in_flight >= most {
            return Choice::Refuse(HCode::H11);
        }
        let deadline = request.arrived.saturating_add(rules.hold);
        let is_up = |backend: &&Backend| backend.state == BackendState::Up;
        let is_free =
            |backend: &&Backend| !request.tried.contains(&backend.run) && quarantine.until(backend.run, now).is_none();
        let free: Vec<&Backend> = self.0.iter().filter(is_up).filter(is_free).collect();
        if let Some(backend) = pick(&free, random) {
            return Choice::Send(backend.clone());
        }
        let is_coming = self.0.iter().any(|backend| backend.state.is_coming());
        if is_coming {
            return if now < deadline { Choice::Hold { until: deadline } } else { Choice::Refuse(HCode::H20) };
        }
        if self.up() == 0 {
            return Choice::Refuse(self.why_none());
        }
        // All that are up have refused a connection lately.
        if !request.tried.is_empty() {
            let until = request.last_try.saturating_add(SETTLE).min(deadline);
            let code = if request.was_refused { HCode::H21 } else { HCode::H19 };
            return if now < until { Choice::Hold { until } } else { Choice::Refuse(code) };
        }
        let ends = self.0.iter().filter(is_up).filter_map(|backend| quarantine.until(backend.run, now));
        let until = ends.min().unwrap_or(deadline).min(deadline);
        if now < until { Choice::Hold { until } } else { Choice::Refuse(HCode::H99) }
    }

    /// The code if no dyno is up and none is coming.
    fn why_none(&self) -> HCode {
        let has_crashed = self.0.iter().any(|backend| backend.state == BackendState::Crashed);
        if has_crashed { HCode::H10 } else { HCode::H14 }
    }
}

fn pick<'a>(backends: &[&'a Backend], random: u64) -> Option<&'a Backend> {
    // The upper half of the product is below the length.
    let at = (u128::from(random) * backends.len() as u128) >> 64;
    backends.get(usize::try_from(at).ok()?).copied()
}
