//! What is kept, what is dropped, and in which order lines are read.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::model::{DynoName, ProcessType};

fn source(name: &str) -> Source {
    Source::App(DynoName::new(ProcessType::new(name).unwrap(), 1))
}

fn block(name: &str, second: i64, text: &str) -> LogBlock {
    let time = Timestamp::from_second(second).unwrap();
    LogBlock { source: source(name), time, bytes: text.into(), continued: false }
}

/// A line for each number.
fn numbered(numbers: Range<u64>, more: usize) -> String {
    let mut text = String::new();
    for number in numbers {
        let _ = writeln!(text, "{number}{}", "x".repeat(more));
    }
    text
}

fn read(history: &History, filter: &LogFilter, from: u64) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    history.read(filter, from..history.next(), usize::MAX, |block, number| {
        let text = block.lines().map(|line| String::from_utf8_lossy(line).into_owned());
        lines.extend((number..).zip(text));
    });
    lines
}

fn last(history: &History, filter: &LogFilter, lines: u64) -> Vec<String> {
    let start = history.start(filter, lines, None);
    read(history, filter, start).into_iter().map(|(_, text)| text).collect()
}

fn only(name: &str) -> LogFilter {
    LogFilter { process_types: vec![ProcessType::new(name).unwrap()], ..LogFilter::default() }
}

#[test]
fn s10_4_since_finds_the_newest_lines_after_the_clock_was_set() {
    let since = |seconds: &[i64], since: i64| -> Vec<String> {
        let mut history = History::default();
        for second in seconds {
            history.push(&block("web", *second, &format!("{second}\n")));
        }
        let start = history.start(&LogFilter::default(), 99, Some(Timestamp::from_second(since).unwrap()));
        read(&history, &LogFilter::default(), start).into_iter().map(|(_, text)| text).collect()
    };

    // Set back by an hour.
    assert_eq!(since(&[3_600, 3_700, 3_800, 100, 200, 300], 150), ["200", "300"]);
    assert_eq!(since(&[3_600, 3_700, 3_800, 3_900, 3_950, 100, 200], 150), ["200"]);
    assert_eq!(since(&[3_600, 100], 50), ["3600", "100"]);
    assert_eq!(since(&[3_600, 100], 4_000), [""; 0]);
    // One source has no line since then.
    let mut history = History::default();
    for (name, second) in [("web", 3_600), ("worker", 3_700), ("worker", 100), ("worker", 200)] {
        history.push(&block(name, second, &format!("{second}\n")));
    }
    let start = history.start(&LogFilter::default(), 99, Some(Timestamp::from_second(150).unwrap()));
    assert_eq!(read(&history, &LogFilter::default(), start).len(), 1);
    // Set forward, and back again.
    assert_eq!(since(&[10, 20, 9_000, 30], 15), ["20", "9000", "30"]);
}

#[test]
fn s10_4_the_last_lines_come_in_the_order_of_their_arrival() {
    let mut history = History::default();
    for (name, text) in [("web", "1\n2\n"), ("worker", "3\n"), ("web", "4\n"), ("worker", "5\n6\n")] {
        history.push(&block(name, 0, text));
    }

    assert_eq!(last(&history, &LogFilter::default(), 4), ["3", "4", "5", "6"]);
    assert_eq!(last(&history, &LogFilter::default(), 99), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(last(&history, &LogFilter::default(), 0), [""; 0]);
    assert_eq!(last(&history, &only("web"), 2), ["2", "4"]);
    assert_eq!(last(&history, &only("clock"), 2), [""; 0]);
}

#[test]
fn s10_4_only_lines_since_a_moment() {
    let mut history = History::default();
    for (second, name) in [(1, "web"), (2, "worker"), (3, "web")] {
        history.push(&block(name, second, &format!("{second}\n")));
    }
    let since = |filter: &LogFilter, second| {
        let start = history.start(filter, 100, Some(Timestamp::from_second(second).unwrap()));
        read(&history, filter, start).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };

    assert_eq!(since(&LogFilter::default(), 2), ["2", "3"]);
    assert_eq!(since(&only("web"), 2), ["3"]);
    assert_eq!(since(&only("worker"), 3), [""; 0]);
}

#[test]
fn s10_4_a_flood_does_not_push_out_the_lines_of_other_dynos() {
    let mut history = History::default();
    history.push(&block("worker", 0, "only line\n"));
    for _ in 0..200 {
        history.push(&block("web", 0, &"flood\n".repeat(1_000)));
        history.push(&block("clock", 0, &format!("{}\n", "x".repeat(60_000))));
    }

    assert_eq!(last(&history, &only("worker"), 10), ["only line"]);
    let kept = last(&history, &only("web"), u64::MAX).len();
    assert!((HISTORY_LINES..=HISTORY_LINES + 1_000).contains(&kept), "{kept} lines");
    assert!(history.size <= HISTORY_BYTES);
    let held: usize = history.rings.values().map(|ring| ring.bytes.capacity()).sum();
    assert!(held <= HISTORY_BYTES * 3 / 2, "{held} bytes");
}

#[test]
fn s10_4_of_a_huge_block_only_the_last_lines_are_kept() {
    let mut history = History::default();

    let lines = history.push(&LogBlock { continued: true, ..block("web", 0, &numbered(1..5_001, 0)) });

    assert_eq!((lines, history.next()), (5_000, 5_001));
    let kept = read(&history, &LogFilter::default(), 0);
    assert_eq!((kept.len(), kept[0].clone()), (HISTORY_LINES, (3_501, "3501".to_owned())));
    assert_eq!(history.count(&LogFilter::default(), 1..4_001), 500);
}

#[test]
fn s10_4_clients_that_follow_can_read_a_burst_of_short_lines() {
    let mut history = History::default();
    history.set_followed(true);
    for _ in 0..10 {
        history.push(&block("web", 0, &"x\n".repeat(30_000)));
    }
    assert_eq!(history.count(&LogFilter::default(), 1..history.next()), 300_000);

    history.set_followed(false);

    assert_eq!(history.count(&LogFilter::default(), 1..history.next()), 30_000);
    assert!(history.rings.values().all(|ring| ring.bytes.capacity() < 4 * 60_000 + SPARE_BYTES + 1));
}

#[test]
fn a_cut_line_is_no_longer_marked_as_continued() {
    let mut history = History::default();
    history.push(&LogBlock { continued: true, ..block("web", 0, "rest\nnext\n") });
    let continued = |from| {
        let mut all = Vec::new();
        history.read(&LogFilter::default(), from..history.next(), 1, |block, _| all.push(block.continued));
        all
    };

    assert_eq!((continued(1), continued(2)), (vec![true], vec![false]));
}

proptest! {
    #![proptest_config(ProptestConfig {
        // Each case fills megabytes, in up to 40 steps.
        cases: ProptestConfig::default().cases.min(5_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever comes and however it is read: a reader gets every line once and in order, or knows how many it missed.
    #[test]
    fn s10_4_a_reader_that_knows_its_next_line_misses_none(
        steps in prop::collection::vec((0..3_usize, 1..40_usize, prop::sample::select(vec![1, 90, 30_000_usize]), 0..5_usize), 1..40),
        filter in prop::sample::select(vec![LogFilter::default(), only("web")]),
    ) {
        let mut history = History::default();
        history.set_followed(true);
        let (mut expected, mut got, mut missed, mut next, mut unread) = (Vec::new(), Vec::new(), 0, 1, 0);
        for (name, lines, length, reads) in steps {
            let name = ["web", "worker", "clock"][name];
            let first = history.next();
            let text: String = numbered(first..first + lines as u64, length);
            let added = history.push(&block(name, 0, &text));
            if filter.wants(&source(name)) {
                expected.extend(first..first + added);
                unread += added;
            }
            for _ in 0..reads {
                missed += unread - history.count(&filter, next..history.next());
                next = history.read(&filter, next..history.next(), 5_000, |block, number| {
                    for (number, line) in (number..).zip(block.lines()) {
                        assert!(line.starts_with(number.to_string().as_bytes()));
                        got.push(number);
                    }
                });
                unread = history.count(&filter, next..history.next());
            }
            prop_assert!(history.size <= HISTORY_BYTES);
            let real: usize = history.rings.values().map(|ring| ring.size() + SOURCE_BYTES).sum();
            prop_assert_eq!(real, history.size);
        }
        prop_assert_eq!(got.len() as u64 + missed + unread, expected.len() as u64);
        prop_assert!(got.is_sorted() && got.iter().all(|number| expected.binary_search(number).is_ok()));
        if missed == 0 {
            prop_assert_eq!(&got, &expected[..got.len()]);
        }
    }
}
