//! Decides when a request has taken longer than the platform allows (S16.4).

use std::time::Duration;

use super::{HCode, RouterEntry};

/// How long a dyno may take to begin its answer, once it has the whole request.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// How long neither side may send a byte.
const SILENT_FOR: Duration = Duration::from_secs(55);

/// How far a request has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestStage {
    /// It waits for a dyno, for which other limits apply.
    #[default]
    Choosing,
    /// It is being sent to a dyno.
    Sending,
    /// It was sent whole, and the answer has not begun.
    Awaiting,
    /// Its answer has begun, or it is a tunnel.
    Answering,
}

/// The clock of one request. Times are on a clock that never jumps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestClock {
    stage: RequestStage,
    /// When it entered this stage.
    entered: Duration,
    /// When a byte of either side was seen last.
    last_byte: Duration,
    is_announced: bool,
}

/// What a look at the clock means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockVerdict {
    /// Nothing is due before this time. None: nothing at all, unless it enters another stage.
    Next(Option<Duration>),
    /// The platform would have ended it: one line says so, and it goes on.
    Announce {
        /// The code.
        code: HCode,
        /// The limit that has passed.
        limit: Duration,
    },
    /// It ends.
    End(HCode),
}

impl RequestClock {
    /// Its stage.
    #[must_use]
    pub fn stage(&self) -> RequestStage {
        self.stage
    }

    /// It has come further.
    pub fn enter(&mut self, stage: RequestStage, now: Duration) {
        (self.stage, self.entered, self.last_byte) = (stage, now, now);
    }

    /// A byte of either side was seen.
    pub fn touch(&mut self, now: Duration) {
        self.last_byte = now;
    }

    /// Looks at the clock. `waits_for_dyno`: whether the next byte has to come from the dyno, or be taken by it.
    pub fn look(&mut self, now: Duration, waits_for_dyno: bool, enforces_timeouts: bool) -> ClockVerdict {
        let (since, limit, code) = match (self.stage, waits_for_dyno) {
            (RequestStage::Choosing, _) => return ClockVerdict::Next(None),
            (RequestStage::Awaiting, _) => (self.entered, ANSWERS_WITHIN, HCode::H12),
            (RequestStage::Sending | RequestStage::Answering, true) => (self.last_byte, SILENT_FOR, HCode::H15),
            (RequestStage::Sending | RequestStage::Answering, false) => (self.last_byte, SILENT_FOR, HCode::H28),
        };
        if self.is_announced {
            return ClockVerdict::Next(None);
        }
        let until = since.saturating_add(limit);
        if now < until {
            return ClockVerdict::Next(Some(until));
        }
        if enforces_timeouts {
            return ClockVerdict::End(code);
        }
        self.is_announced = true;
        ClockVerdict::Announce { code, limit }
    }
}

impl RouterEntry {
    /// The line that says what the platform would have done.
    #[must_use]
    pub fn announcement(&self, code: HCode, limit: Duration) -> String {
        let (request, seconds, number) = (self.request(), limit.as_secs(), code.code());
        if code == HCode::H12 {
            return format!("{request} has had no answer for {seconds} s: Heroku would have ended it with {number}");
        }
        format!("{request}: no byte has passed for {seconds} s: Heroku would have ended it with {number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn next(seconds: u64) -> ClockVerdict {
        ClockVerdict::Next(Some(at(seconds)))
    }

    #[test]
    fn s16_4_a_dyno_has_30_seconds_from_the_end_of_the_request() {
        let mut clock = RequestClock::default();
        // A hold has its own limit.
        assert_eq!(clock.look(at(1000), true, true), ClockVerdict::Next(None));
        clock.enter(RequestStage::Sending, at(100));
        // An upload may take long, if it goes on.
        for second in (100..200).step_by(50) {
            clock.touch(at(second));
            assert_eq!(clock.look(at(second + 50), false, true), next(second + 55));
        }
        clock.enter(RequestStage::Awaiting, at(200));
        assert_eq!(clock.look(at(229), true, true), next(230));
        // Bytes that are not an answer change nothing.
        clock.touch(at(229));
        assert_eq!(clock.look(at(230), true, true), ClockVerdict::End(HCode::H12));
    }

    #[test]
    fn s16_4_after_that_each_byte_gives_55_seconds() {
        let mut clock = RequestClock::default();
        clock.enter(RequestStage::Answering, at(0));
        clock.touch(at(54));
        assert_eq!(clock.look(at(55), true, true), next(109));
        clock.touch(at(108));
        assert_eq!(clock.look(at(162), true, true), next(163));
        assert_eq!(clock.look(at(163), true, true), ClockVerdict::End(HCode::H15));
        assert_eq!(clock.look(at(163), false, true), ClockVerdict::End(HCode::H28));
    }

    #[test]
    fn s16_4_a_stalled_upload_is_h28_and_a_dyno_that_does_not_read_it_h15() {
        let mut clock = RequestClock::default();
        clock.enter(RequestStage::Sending, at(10));
        assert_eq!(clock.look(at(65), false, true), ClockVerdict::End(HCode::H28));
        assert_eq!(clock.look(at(65), true, true), ClockVerdict::End(HCode::H15));
    }

    #[test]
    fn s16_4_without_time_outs_one_line_says_it_and_the_request_goes_on() {
        let mut clock = RequestClock::default();
        clock.enter(RequestStage::Awaiting, at(0));
        assert_eq!(clock.look(at(29), true, false), next(30));
        let announced = ClockVerdict::Announce { code: HCode::H12, limit: at(30) };
        assert_eq!(clock.look(at(31), true, false), announced);
        assert_eq!(clock.look(at(100), true, false), ClockVerdict::Next(None));
        clock.enter(RequestStage::Answering, at(101));
        assert_eq!(clock.look(at(500), true, false), ClockVerdict::Next(None));
    }

    #[test]
    fn s16_4_the_line_names_the_request_and_the_code() {
        let entry = RouterEntry { method: "GET".into(), path: "/slow\u{1b}".into(), ..RouterEntry::default() };
        assert_eq!(
            entry.announcement(HCode::H12, at(30)),
            "GET /slow%1B has had no answer for 30 s: Heroku would have ended it with H12"
        );
        assert_eq!(
            entry.announcement(HCode::H15, at(55)),
            "GET /slow%1B: no byte has passed for 55 s: Heroku would have ended it with H15"
        );
    }
}
