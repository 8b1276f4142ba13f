//! Remembers the answers to recent changes, so that a request that is sent again is not carried out again (S10.3).
//!
//! The platform's client sends a request up to six times if the connection is lost before the answer, each time with the
//! same first id in `Request-Id`. Pure: the caller passes the time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::ApiAnswer;

/// How long an answer is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// The most answers that are remembered.
const MAX_ANSWERS: usize = 1_000;
/// The most bytes of answers that are remembered. One answer is kept even if it is longer.
const MAX_BYTES: usize = 4 << 20;
/// The longest id in bytes; a UUID has 36. A request with a longer one is not remembered.
const MAX_ID: usize = 200;

/// What makes two requests the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayKey {
    id: String,
    method: String,
    path: String,
}

impl ReplayKey {
    /// The key of a request. None if it has no id and therefore cannot be recognised. `header`: the value of
    /// `Request-Id`, a list of which only the first entry identifies this request.
    #[must_use]
    pub fn new(header: Option<&str>, method: &str, path: &str) -> Option<Self> {
        let id = header?.split(',').next()?.trim();
        let is_usable = !id.is_empty() && id.len() <= MAX_ID;
        is_usable.then(|| Self { id: id.to_owned(), method: method.to_owned(), path: path.to_owned() })
    }
}

/// What is known about a request that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It is new: carry it out, then call [`Replays::finish`].
    New,
    /// It is being carried out.
    Running,
    /// It was carried out.
    Answered(ApiAnswer),
}

#[derive(Debug)]
enum ReplayEntry {
    Running,
    Answered { answer: ApiAnswer, at: Duration },
}

/// The changes of the last minute.
#[derive(Debug, Default)]
pub struct Replays {
    entries: HashMap<ReplayKey, ReplayEntry>,
    /// The answered ones, oldest first.
    answered: VecDeque<ReplayKey>,
    /// The bytes of their answers.
    bytes: usize,
}

impl Replays {
    /// Says whether a request was seen before, and remembers it. `now`: the time since any fixed moment.
    pub fn begin(&mut self, key: &ReplayKey, now: Duration) -> Arrival {
        self.forget_old(now);
        match self.entries.get(key) {
            Some(ReplayEntry::Running) => Arrival::Running,
            Some(ReplayEntry::Answered { answer, .. }) => Arrival::Answered(answer.clone()),
            None => {
                self.entries.insert(key.clone(), ReplayEntry::Running);
                Arrival::New
            }
        }
    }

    /// Remembers the answer to a request.
    pub fn finish(&mut self, key: ReplayKey, answer: &ApiAnswer, now: Duration) {
        self.bytes += answer.body.len();
        self.entries.insert(key.clone(), ReplayEntry::Answered { answer: answer.clone(), at: now });
        self.answered.push_back(key);
        while self.answered.len() > 1 && (self.answered.len() > MAX_ANSWERS || self.bytes > MAX_BYTES) {
            self.forget_oldest();
        }
    }

    fn forget_old(&mut self, now: Duration) {
        while let Some(ReplayEntry::Answered { at, .. }) = self.answered.front().and_then(|key| self.entries.get(key)) {
            if now.saturating_sub(*at) < REMEMBERED_FOR {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(ReplayEntry::Answered { answer, .. }) =
            self.answered.pop_front().and_then(|key| self.entries.remove(&key))
        {
            self.bytes -= answer.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> ReplayKey {
        ReplayKey::new(Some(id), "PATCH", "/apps/app/formation").expect("a key")
    }

    fn answer(length: usize) -> ApiAnswer {
        ApiAnswer { status: 200, body: vec![b'x'; length] }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn s10_3_a_request_that_is_sent_again_gets_the_same_answer() {
        let mut replays = Replays::default();

        assert_eq!(replays.begin(&key("ID1"), at(0)), Arrival::New);
        assert_eq!(replays.begin(&key("ID1"), at(1)), Arrival::Running);
        replays.finish(key("ID1"), &answer(2), at(30));
        assert_eq!(replays.begin(&key("ID1,ID0"), at(89)), Arrival::Answered(answer(2)));
        assert_eq!(replays.begin(&key("ID2,ID1"), at(89)), Arrival::New);
    }

    #[test]
    fn s10_3_an_answer_is_remembered_for_60_seconds() {
        let mut replays = Replays::default();
        replays.begin(&key("ID1"), at(0));
        replays.finish(key("ID1"), &answer(2), at(0));

        assert_eq!(replays.begin(&key("ID1"), at(60)), Arrival::New);
        assert_eq!(replays.bytes, 0);
    }

    #[test]
    fn s10_3_another_method_or_path_is_another_request() {
        let mut replays = Replays::default();
        replays.begin(&key("ID1"), at(0));

        for (method, path) in [("DELETE", "/apps/app/formation"), ("PATCH", "/apps/app/dynos")] {
            let other = ReplayKey::new(Some("ID1"), method, path).expect("a key");
            assert_eq!(replays.begin(&other, at(0)), Arrival::New);
        }
        for header in [None, Some(""), Some(" , ID1"), Some(&*"x".repeat(MAX_ID + 1))] {
            assert_eq!(ReplayKey::new(header, "PATCH", "/"), None);
        }
    }

    #[test]
    fn s10_3_the_oldest_answers_are_forgotten_beyond_the_limits() {
        let mut replays = Replays::default();
        for number in 0..=MAX_ANSWERS {
            replays.begin(&key(&number.to_string()), at(0));
            replays.finish(key(&number.to_string()), &answer(1), at(0));
        }
        assert_eq!(replays.begin(&key("0"), at(0)), Arrival::New);
        assert_eq!(replays.begin(&key("1"), at(0)), Arrival::Answered(answer(1)));

        replays.finish(key("long"), &answer(MAX_BYTES + 1), at(0));
        assert_eq!((replays.answered.len(), replays.bytes), (1, MAX_BYTES + 1));
    }
}
