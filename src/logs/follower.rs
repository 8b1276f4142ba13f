//! Decides what one client of the log gets next, and when (S10.4).
//!
//! Pure: the caller passes the time, and wakes the client when lines were added. A client reads from the [`History`] at its
//! own speed; it has no queue. What the history has dropped before the client came to it is reported as one line.

use std::time::Duration;

use jiff::Timestamp;

use super::{History, LogEncoder, LogFilter, Source};

/// Bytes a second that all clients together get once they have caught up.
const BYTES_PER_SECOND: u32 = 16_000_000;

/// Bytes that are sent at once; a piece ends after the line that reaches this limit.
const PIECE_BYTES: usize = 64 << 10;

/// A client that was idle may get more at once: its share of one second if it is the only client, of half a second if
/// there are two, and so on down to this part of a second. A burst of lines goes to all clients at the same time. If
/// each of many clients could get more, the app would have to wait for them.
const SMALLEST_SAVED_PART: u32 = 8;

/// A client whose bytes are used up waits until it may get this many, so that pieces are not small.
const ENOUGH_BYTES: i64 = 64 << 10;

/// At most this often a client is informed that lines were skipped; until then it gets no further lines.
const SKIP_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a small piece, for each client that follows: many small pieces cost more than one.
const REST: Duration = Duration::from_millis(1);

/// When no more lines come, a client gets at most this many of those that it has not read.
const LINES_AT_END: u64 = 1_500;

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Which lines.
    pub filter: LogFilter,
    /// At most this many of those that are kept. None: all of them.
    pub lines: Option<u64>,
    /// Only lines that are not older.
    pub since: Option<Timestamp>,
    /// Only lines after the one with this number.
    pub after: Option<u64>,
    /// Whether later lines are wanted as well.
    pub tail: bool,
}

/// One client that reads the log.
#[derive(Debug)]
pub struct Follower {
    filter: LogFilter,
    /// The number of the next line to read.
    next: u64,
    /// The number of the line before which it ends. None: it goes on with new lines.
    end: Option<u64>,
    /// How many wanted lines were added that it has not read.
    unread: u64,
    has_caught_up: bool,
    /// Bytes that it may still get. Negative after a piece that was larger.
    allowance: i64,
    refilled: Duration,
    skipped: Option<Duration>,
    rests_until: Duration,
}

/// What a client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowTurn {
    /// Sends what was appended, and asks again.
    Send,
    /// Waits until lines are added.
    Wait,
    /// Waits for this long.
    Pause(Duration),
    /// Has got everything.
    End,
}

/// The circumstances of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// How many clients follow the log.
    pub followers: u32,
    /// Whether no more lines will come.
    pub is_closing: bool,
    /// Monotonic time.
    pub now: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

impl Follower {
    /// A client that asks now.
    #[must_use]
    pub fn new(query: LogQuery, history: &History) -> Self {
        let LogQuery { filter, lines, since, after, tail } = query;
        let start = history.start(&filter, lines.unwrap_or(u64::MAX), since);
        let next = after.map_or(start, |after| after.saturating_add(1)).min(history.next());
        let unread = history.count(&filter, next..history.next());
        Self {
            filter,
            next,
            end: (!tail).then(|| history.next()),
            unread,
            has_caught_up: false,
            allowance: BYTES_PER_SECOND.into(),
            refilled: Duration::ZERO,
            skipped: None,
            rests_until: Duration::ZERO,
        }
    }

    /// Whether it also gets later lines.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.end.is_none()
    }

    /// Records that lines were added. Returns whether it wants them.
    pub fn note(&mut self, source: &Source, lines: u64) -> bool {
        let is_wanted = self.follows() && self.filter.wants(source);
        if is_wanted {
            self.unread += lines;
        }
        is_wanted
    }

    /// Appends what it gets next to `out`.
    pub fn turn(
        &mut self,
        history: &History,
        moment: Moment,
        encoder: &mut LogEncoder,
        out: &mut Vec<u8>,
    ) -> FollowTurn {
        let end = self.end.unwrap_or_else(|| history.next());
        if moment.is_closing && self.follows() {
            // There is little time left, and the last lines are the most important ones.
            self.next = self.next.max(history.start(&self.filter, LINES_AT_END, None));
        }
        let kept = history.count(&self.filter, self.next..end);
        let lost = self.unread.saturating_sub(kept);
        if kept + lost == 0 {
            return self.at_end(moment, encoder, out);
        }
        if let Some(pause) = self.pause(lost > 0, moment) {
            return FollowTurn::Pause(pause);
        }
        if lost > 0 {
            encoder.skipped(lost, moment.wall, out);
            self.skipped = Some(moment.now);
        }
        let encode = |block: &_, number| encoder.encode(block, number, out);
        self.next = history.read(&self.filter, self.next..end, self.piece_bytes(moment), encode);
        self.unread = history.count(&self.filter, self.next..end);
        self.allowance -= i64::try_from(out.len()).unwrap_or(i64::MAX);
        if self.unread == 0 {
            self.rests_until = moment.now + REST * moment.followers;
        }
        FollowTurn::Send
    }

    /// The most bytes that it gets at once.
    fn piece_bytes(&self, moment: Moment) -> usize {
        if self.is_limited(moment) {
            usize::try_from(self.allowance).unwrap_or(0).clamp(1, PIECE_BYTES)
        } else {
            PIECE_BYTES
        }
    }

    /// Whether its share limits what it gets. The kept lines, which come first, and the last lines have no limit.
    fn is_limited(&self, moment: Moment) -> bool {
        self.has_caught_up && !moment.is_closing
    }

    fn at_end(&mut self, moment: Moment, encoder: &mut LogEncoder, out: &mut Vec<u8>) -> FollowTurn {
        if !self.has_caught_up && self.follows() {
            self.has_caught_up = true;
            encoder.caught_up(out);
            if !out.is_empty() {
                return FollowTurn::Send;
            }
        }
        if !self.follows() || moment.is_closing { FollowTurn::End } else { FollowTurn::Wait }
    }

    /// How long it has to wait for its next piece.
    fn pause(&mut self, has_lost: bool, moment: Moment) -> Option<Duration> {
        if !self.is_limited(moment) {
            return None;
        }
        let now = moment.now;
        let followers = moment.followers.max(1);
        let per_second = i64::from(BYTES_PER_SECOND / followers);
        let most_saved = per_second / i64::from(followers.min(SMALLEST_SAVED_PART));
        let earned = per_second
            .saturating_mul(i64::try_from(now.saturating_sub(self.refilled).as_micros()).unwrap_or(i64::MAX))
            / 1_000_000;
        self.allowance = self.allowance.saturating_add(earned).min(most_saved);
        self.refilled = now;
        let missing = most_saved.min(ENOUGH_BYTES) - self.allowance;
        let for_allowance = (self.allowance <= 0)
            .then(|| Duration::from_micros((missing * 1_000_000 / per_second.max(1)).unsigned_abs()));
        let for_skip = self.skipped.filter(|_| has_lost).map(|at| (at + SKIP_INTERVAL).saturating_sub(now));
        let rest = self.rests_until.saturating_sub(now);
        [for_allowance, for_skip, Some(rest)].into_iter().flatten().max().filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogBlock, LogEncoding};
    use crate::model::{DynoName, ProcessType};

    fn web() -> Source {
        Source::App(DynoName::new(ProcessType::new("web").unwrap(), 1))
    }

    /// A history and one client.
    struct World {
        history: History,
        follower: Follower,
        encoder: LogEncoder,
        followers: u32,
        now: Duration,
        is_closing: bool,
    }

    impl World {
        fn new(query: LogQuery, before: &str) -> Self {
            let mut history = History::default();
            history.push(&block(before));
            history.set_followed(query.tail);
            let follower = Follower::new(query, &history);
            let encoder = LogEncoder::new(LogEncoding::JsonLines);
            Self { history, follower, encoder, followers: 1, now: Duration::from_secs(100), is_closing: false }
        }

        fn add(&mut self, text: &str) {
            let lines = self.history.push(&block(text));
            self.follower.note(&web(), lines);
        }

        fn turn(&mut self) -> (FollowTurn, Vec<u8>) {
            let mut out = Vec::new();
            let moment = Moment {
                followers: self.followers,
                is_closing: self.is_closing,
                now: self.now,
                wall: Timestamp::UNIX_EPOCH,
            };
            let turn = self.follower.turn(&self.history, moment, &mut self.encoder, &mut out);
            (turn, out)
        }

        /// The messages that it gets until it has to wait; `-` where it has caught up.
        fn messages(&mut self) -> (FollowTurn, Vec<String>) {
            let mut all = Vec::new();
            loop {
                let (turn, out) = self.turn();
                if turn != FollowTurn::Send {
                    let text = String::from_utf8(all).unwrap();
                    let message = |line: &str| match line.split_once("\"message\":\"") {
                        Some((_, rest)) => rest.trim_end_matches("\"}").to_owned(),
                        None => "-".to_owned(),
                    };
                    return (turn, text.lines().map(message).collect());
                }
                all.extend(out);
            }
        }
    }

    fn block(text: &str) -> LogBlock {
        LogBlock { source: web(), time: Timestamp::UNIX_EPOCH, bytes: text.into(), continued: false }
    }

    fn tail(lines: u64) -> LogQuery {
        LogQuery { lines: Some(lines), tail: true, ..LogQuery::default() }
    }

    #[test]
    fn s10_4_a_client_gets_the_last_lines_and_ends() {
        let mut world = World::new(LogQuery { lines: Some(2), ..LogQuery::default() }, "1\n2\n3\n");
        world.add("later\n");

        assert_eq!(world.messages(), (FollowTurn::End, vec!["2".into(), "3".into()]));
    }

    #[test]
    fn s10_4_history_and_tail_have_no_gap_and_no_double_line() {
        let mut world = World::new(tail(2), "1\n2\n3\n");
        world.add("4\n");

        assert_eq!(world.messages(), (FollowTurn::Wait, ["2", "3", "4", "-"].map(String::from).to_vec()));
        world.now += Duration::from_secs(1);
        world.add("5\n");
        assert_eq!(world.messages(), (FollowTurn::Wait, vec!["5".into()]));
    }

    #[test]
    fn s10_4_a_client_continues_after_the_line_that_it_has() {
        let query = LogQuery { after: Some(2), ..tail(100) };
        let mut world = World::new(query, "1\n2\n3\n");

        assert_eq!(world.messages().1, ["3", "-"]);
    }

    #[test]
    fn s10_4_lines_that_were_missed_are_counted_once_a_second_at_most() {
        let mut world = World::new(tail(0), "1\n");
        assert_eq!(world.messages().1, ["-"]);
        let megabyte = format!("{}\n", "x".repeat(99)).repeat(12_000);

        world.add(&megabyte);
        world.add(&megabyte);
        let (_, first) = world.turn();
        assert!(String::from_utf8(first).unwrap().contains("\"message\":\"... 12,000 lines skipped\""));
        while world.turn().0 == FollowTurn::Send {}
        world.now += Duration::from_millis(400);
        world.add(&megabyte);
        world.add(&megabyte);

        assert_eq!(world.turn(), (FollowTurn::Pause(Duration::from_millis(600)), Vec::new()));
        world.now += Duration::from_millis(600);
        assert!(String::from_utf8(world.turn().1).unwrap().contains("... 12,000 lines skipped"));
    }

    #[test]
    fn s10_4_a_slow_client_gets_the_last_lines_at_the_end() {
        let mut world = World::new(tail(0), "1\n");
        world.messages();
        world.add(&"x\n".repeat(5_000));
        world.is_closing = true;

        let (turn, lines) = world.messages();

        assert_eq!((turn, lines.len()), (FollowTurn::End, 1_501));
        assert_eq!((lines[0].as_str(), lines[1_500].as_str()), ("... 3,500 lines skipped", "x"));
    }

    #[test]
    fn s10_4_the_more_clients_follow_the_less_each_gets_at_once() {
        for (followers, parts) in [(1, 1), (2, 2), (10, 8), (50, 8)] {
            let mut world = World::new(tail(0), "1\n");
            world.messages();
            world.followers = followers;
            world.now += Duration::from_secs(100);
            (0..256).for_each(|_| world.add(&"x\n".repeat(2_048)));
            let mut sent = 0;

            while let (FollowTurn::Send, out) = world.turn() {
                sent += out.len();
            }

            let saved = usize::try_from(BYTES_PER_SECOND / followers).unwrap() / parts;
            assert!((saved / 2..2 * saved).contains(&sent), "{followers}: {sent} bytes of {saved}");
        }
    }

    #[test]
    fn s10_4_all_clients_share_the_bytes_of_a_second() {
        let mut world = World::new(tail(0), "1\n");
        world.messages();
        world.followers = 50;
        world.follower.allowance = 0;
        world.follower.refilled = world.now;
        let second = world.now + Duration::from_secs(1);
        let mut sent = 0;

        while world.now < second {
            world.add(&"x\n".repeat(100));
            match world.turn() {
                (FollowTurn::Send, out) => sent += out.len(),
                (FollowTurn::Pause(pause), _) => world.now += pause,
                (turn, _) => panic!("{turn:?} although there are lines"),
            }
        }

        assert!((200_000..400_000).contains(&sent), "{sent} bytes");
    }

    #[test]
    fn s10_4_small_pieces_are_gathered_if_many_clients_follow() {
        let mut world = World::new(tail(0), "1\n");
        world.messages();
        world.followers = 50;

        world.add("2\n");
        assert_eq!(world.messages().1, ["2"]);
        world.add("3\n");

        assert_eq!(world.turn(), (FollowTurn::Pause(50 * REST), Vec::new()));
    }
}
