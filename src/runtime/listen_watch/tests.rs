//! How often, and for how long, a `ListenWatch` looks for the address of a run.

use super::*;

/// A pid that no process can have, as if the leader were gone.
const GONE: i32 = i32::MAX;

/// The watch of a run that was spawned at `now` and is not expected to use any port.
fn spawned(now: Instant) -> ListenWatch {
    let mut watch = ListenWatch::new(Vec::new(), BTreeSet::new(), now);
    watch.begin(GONE, now);
    watch
}

/// Calls `look` each time it is due until it is never due again. Returns the times of the looks.
fn all_looks(watch: &mut ListenWatch) -> Vec<Instant> {
    let mut looks = Vec::new();
    while let Some(next) = watch.next() {
        assert_eq!(watch.look(RunId(1), &[], next), None);
        looks.push(next);
        assert!(looks.len() <= 1000, "it never stops looking");
    }
    looks
}

#[test]
fn s6_11_it_looks_for_the_address_once_a_second_for_a_minute() {
    let start = Instant::now();
    let mut watch = spawned(start);

    watch.observe(ListenInterest::Address, start);

    let looks = all_looks(&mut watch);
    let seconds: Vec<Duration> = looks.iter().map(|look| *look - start).collect();
    assert_eq!(seconds, (1..=60).map(Duration::from_secs).collect::<Vec<_>>());
    // The event loop calls `observe` and `hurry` after each event of the app. Nothing becomes due again.
    let later = start + 2 * ADDRESS_PATIENCE;
    watch.observe(ListenInterest::Address, later);
    watch.hurry(later);
    assert_eq!((watch.next(), watch.look(RunId(1), &[], later)), (None, None));
}

#[test]
fn s6_11_the_minute_begins_with_the_start_of_the_run() {
    let start = Instant::now();
    let mut watch = spawned(start);

    // Other dynos wait for this one during the first 57.5 seconds.
    watch.observe(ListenInterest::Order, start);
    watch.observe(ListenInterest::Address, start + Duration::from_millis(57_500));

    let looks = all_looks(&mut watch);
    let before_the_end: Vec<Duration> = looks.iter().map(|look| start + ADDRESS_PATIENCE - *look).collect();
    assert_eq!(before_the_end, [1500, 500].map(Duration::from_millis));
    watch.observe(ListenInterest::Order, start + ADDRESS_PATIENCE);
    watch.observe(ListenInterest::Address, start + ADDRESS_PATIENCE);
    assert_eq!(watch.next(), None, "the minute is over");
}

#[test]
fn s6_11_a_suspension_does_not_shorten_the_minute() {
    let start = Instant::now();
    let mut watch = spawned(start);
    watch.observe(ListenInterest::Address, start);

    watch.postpone(10 * ADDRESS_PATIENCE);

    let looks = all_looks(&mut watch);
    let (first, last) = (looks[0] - start, looks[looks.len() - 1] - start);
    assert_eq!((first, last), (10 * ADDRESS_PATIENCE + ADDRESS_PAUSE, 11 * ADDRESS_PATIENCE));
}

#[test]
fn s6_11_it_stops_looking_when_the_line_has_been_shown() {
    let start = Instant::now();
    let mut watch = spawned(start);
    watch.observe(ListenInterest::Address, start);

    watch.observe(ListenInterest::None, start + ADDRESS_PAUSE);

    assert_eq!((watch.next(), watch.look(RunId(1), &[], start + ADDRESS_PAUSE)), (None, None));
}
