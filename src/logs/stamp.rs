//! Writes the time at which a block was received: as time of day, or as date and time with microseconds.
//!
//! Many blocks arrive in one second, so the text of the current second is cached. Called by the log formats, once per
//! block.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Writes times in one time zone.
#[derive(Debug)]
pub(super) struct Stamp {
    zone: TimeZone,
    /// The second that `text` shows, counted from 1970.
    second: Option<i64>,
    text: Vec<u8>,
}

impl Stamp {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, second: None, text: Vec::new() }
    }

    /// `10:00:00`, the time of day in the zone.
    pub(super) fn time_of_day(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.refresh(time, |zone, text| {
            let time = zone.to_datetime(time);
            let _ = write!(text, "{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
        });
        out.extend_from_slice(&self.text);
    }

    /// `2025-09-16T02:55:24.741657`, date and time in the zone, without its offset.
    pub(super) fn date_and_time(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.refresh(time, |zone, text| {
            let time = zone.to_datetime(time);
            let _ = write!(text, "{:04}-{:02}-{:02}", time.year(), time.month(), time.day());
            let _ = write!(text, "T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
        });
        out.extend_from_slice(&self.text);
        let _ = write!(out, ".{:06}", time.as_microsecond().rem_euclid(1_000_000));
    }

    fn refresh(&mut self, time: Timestamp, write: impl FnOnce(&TimeZone, &mut Vec<u8>)) {
        let second = time.as_microsecond().div_euclid(1_000_000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            write(&self.zone, &mut self.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz;

    use super::*;

    fn at(microsecond: i64) -> Timestamp {
        Timestamp::from_microsecond(microsecond).unwrap()
    }

    #[test]
    fn the_time_of_day_is_local_and_changes_every_second() {
        let mut stamp = Stamp::new(TimeZone::fixed(tz::offset(2)));
        let mut out = Vec::new();

        for microsecond in [0, 999_999, 1_000_000, 86_399_000_000] {
            stamp.time_of_day(at(microsecond), &mut out);
            out.push(b' ');
        }

        assert_eq!(String::from_utf8(out).unwrap(), "02:00:00 02:00:00 02:00:01 01:59:59 ");
    }

    // S7.3: six digits of microseconds.
    #[test]
    fn date_and_time_have_microseconds() {
        let mut stamp = Stamp::new(TimeZone::UTC);
        let mut out = Vec::new();

        for microsecond in [1_757_991_324_741_657, 1_757_991_324_000_000, -1] {
            stamp.date_and_time(at(microsecond), &mut out);
            out.push(b' ');
        }

        assert_eq!(
            String::from_utf8(out).unwrap(),
            "2025-09-16T02:55:24.741657 2025-09-16T02:55:24.000000 1969-12-31T23:59:59.999999 "
        );
    }
}
