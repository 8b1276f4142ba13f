//! The history of the log and the clients that read it (S10.4).
//!
//! Belongs to the thread of the run loop: the lines are added where they are queued for the hub, so that a stopped terminal
//! does not hide them from other clients. Adding a line and waking the clients is one step, and so is asking for lines and
//! being registered for later ones.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::time::Instant;

use crate::logs::{
    Audience, FollowTurn, Follower, History, LogBlock, LogEncoder, LogFilter, LogQuery, Moment, Source, Speaker,
    printable,
};

/// The number of lines in which the last words of a dyno are looked for.
const LINES_WITH_LAST_WORDS: usize = 20;

/// The longest last words in characters.
const LONGEST_WORDS: usize = 200;

/// Cheap to clone; all clones are the same archive.
#[derive(Clone)]
pub(super) struct LogArchive(Rc<RefCell<Archive>>);

/// A client that reads the log. Dropping it ends the reading.
pub(super) struct ArchiveReader {
    archive: LogArchive,
    id: u64,
}

struct Archive {
    history: History,
    readers: Vec<Registered>,
    /// Lines that were added, and that the readers do not know of yet. Each of them is informed before anyone reads, and at
    /// once if one waits for lines: in a flood, when all of them pause, that would be work for every block and client.
    unannounced: Vec<(Source, u64)>,
    /// How many readers wait for lines.
    waiting: usize,
    last_id: u64,
    is_closing: bool,
    began: Instant,
}

struct Registered {
    id: u64,
    follower: Follower,
    /// Set while it waits.
    waker: Option<Waker>,
    /// Whether later lines end its wait. Otherwise it has lines already, and a timer ends it.
    waits_for_lines: bool,
}

impl LogArchive {
    pub(super) fn new() -> Self {
        let archive = Archive {
            history: History::default(),
            readers: Vec::new(),
            unannounced: Vec::new(),
            waiting: 0,
            last_id: 0,
            is_closing: false,
            began: Instant::now(),
        };
        Self(Rc::new(RefCell::new(archive)))
    }

    /// Adds lines, and wakes the clients that wait for them.
    pub(super) fn add(&self, block: &LogBlock, audience: Audience) {
        match audience {
            Audience::All | Audience::Screens => {}
            Audience::Files => return,
        }
        let archive = &mut *self.0.borrow_mut();
        let lines = archive.history.push(block);
        if archive.readers.is_empty() {
            return;
        }
        match archive.unannounced.iter_mut().find(|(source, _)| *source == block.source) {
            Some((_, count)) => *count += lines,
            None => archive.unannounced.push((block.source.clone(), lines)),
        }
        if archive.waiting > 0 {
            archive.announce();
        }
    }

    /// Begins to read.
    pub(super) fn read(&self, query: LogQuery) -> ArchiveReader {
        let archive = &mut *self.0.borrow_mut();
        // The new one counts what is in the history already.
        archive.announce();
        let follower = Follower::new(query, &archive.history);
        archive.last_id += 1;
        archive.readers.push(Registered { id: archive.last_id, follower, waker: None, waits_for_lines: false });
        archive.note_followers();
        ArchiveReader { archive: self.clone(), id: archive.last_id }
    }

    /// The last `count` lines that the dyno with this name wrote, oldest first, without control characters.
    pub(super) fn last_lines(&self, name: &str, count: usize) -> Vec<String> {
        self.last_lines_since(name, count, None)
    }

    /// The same without lines that are older than `since`.
    pub(super) fn last_lines_since(&self, name: &str, count: usize, since: Option<jiff::Timestamp>) -> Vec<String> {
        let archive = self.0.borrow();
        let named = archive.history.sources().find_map(|source| match source {
            Source::App(dyno) if dyno.to_string() == name => Some(dyno.clone()),
            Source::App(_) | Source::Notice(_) | Source::System | Source::Router => None,
        });
        let Some(dyno) = named else { return Vec::new() };
        let filter = LogFilter { dynos: vec![dyno], speaker: Some(Speaker::App), ..LogFilter::default() };
        let first = archive.history.start(&filter, u64::try_from(count).unwrap_or(u64::MAX), since);
        let mut bytes = Vec::new();
        let numbers = first..archive.history.next();
        archive.history.read(&filter, numbers, usize::MAX, |block, _| bytes.extend_from_slice(&block.bytes));
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let lines = lines.strip_suffix(&[&[][..]]).unwrap_or(&lines);
        lines.iter().skip(lines.len().saturating_sub(count)).map(|line| printable(line, false)).collect()
    }

    /// All lines of the router that the history has.
    #[cfg(test)]
    pub(super) fn last_router_lines(&self) -> Vec<String> {
        let archive = self.0.borrow();
        let mut bytes = Vec::new();
        let numbers = 0..archive.history.next();
        archive.history.read(&LogFilter::default(), numbers, usize::MAX, |block, _| {
            if block.source == Source::Router {
                bytes.extend_from_slice(&block.bytes);
            }
        });
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// The last line that a dyno wrote, unless it is blank, shortened.
    pub(super) fn last_words(&self, name: &str) -> Option<String> {
        let lines = self.last_lines(name, LINES_WITH_LAST_WORDS);
        let last = lines.iter().map(|line| line.trim()).rfind(|line| !line.is_empty())?;
        Some(last.chars().take(LONGEST_WORDS).collect())
    }

    /// No more lines will come: clients get what is left, and end.
    pub(super) fn close(&self) {
        let archive = &mut *self.0.borrow_mut();
        archive.is_closing = true;
        archive.readers.iter_mut().filter_map(|reader| reader.waker.take()).for_each(Waker::wake);
    }

    /// Whether there are lines of sources that this filter wants.
    pub(super) fn has_any(&self, filter: &LogFilter) -> bool {
        self.0.borrow().history.sources().any(|source: &Source| filter.wants(source))
    }
}

impl Archive {
    /// Informs the readers of the lines that were added, and wakes those that wait for them.
    fn announce(&mut self) {
        for (source, lines) in self.unannounced.drain(..) {
            for reader in &mut self.readers {
                if reader.follower.note(&source, lines) && reader.waits_for_lines {
                    reader.waits_for_lines = false;
                    self.waiting -= 1;
                    reader.waker.take().into_iter().for_each(Waker::wake);
                }
            }
        }
    }

    fn followers(&self) -> usize {
        self.readers.iter().filter(|reader| reader.follower.follows()).count()
    }

    fn note_followers(&mut self) {
        let is_followed = self.followers() > 0;
        self.history.set_followed(is_followed);
    }
}

impl ArchiveReader {
    /// Appends what the client gets next to `out`. If it has to wait for lines, the task is woken when they come.
    pub(super) fn turn(&self, cx: &Context<'_>, encoder: &mut LogEncoder, out: &mut Vec<u8>) -> FollowTurn {
        let archive = &mut *self.archive.0.borrow_mut();
        archive.announce();
        let moment = Moment {
            followers: u32::try_from(archive.followers()).unwrap_or(u32::MAX),
            is_closing: archive.is_closing,
            now: archive.began.elapsed(),
            wall: jiff::Timestamp::now(),
        };
        let Some(reader) = archive.readers.iter_mut().find(|reader| reader.id == self.id) else {
            return FollowTurn::End;
        };
        let turn = reader.follower.turn(&archive.history, moment, encoder, out);
        archive.waiting -= usize::from(reader.waits_for_lines);
        reader.waits_for_lines = turn == FollowTurn::Wait;
        archive.waiting += usize::from(reader.waits_for_lines);
        match turn {
            // Also while it pauses: the end of everything cuts the pause short.
            FollowTurn::Wait | FollowTurn::Pause(_) => reader.waker = Some(cx.waker().clone()),
            FollowTurn::Send | FollowTurn::End => {}
        }
        turn
    }
}

impl Drop for ArchiveReader {
    fn drop(&mut self) {
        let archive = &mut *self.archive.0.borrow_mut();
        archive.readers.retain(|reader| reader.id != self.id);
        archive.waiting = archive.readers.iter().filter(|reader| reader.waits_for_lines).count();
        archive.note_followers();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::logs::LogEncoding;
    use crate::model::{DynoName, ProcessType};

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn s10_4_later_lines_do_not_wake_a_client_that_pauses() {
        let archive = LogArchive::new();
        let web = Source::App(DynoName::new(ProcessType::new("web").unwrap(), 1));
        let block = |bytes: Vec<u8>| LogBlock {
            source: web.clone(),
            time: jiff::Timestamp::UNIX_EPOCH,
            bytes,
            continued: false,
        };
        let add = |bytes: Vec<u8>| archive.add(&block(bytes), Audience::All);
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let woken = || count.0.swap(0, Ordering::Relaxed);
        let reader = archive.read(LogQuery { tail: true, ..LogQuery::default() });
        let mut encoder = LogEncoder::new(LogEncoding::JsonLines);
        let mut turn = || reader.turn(&Context::from_waker(&waker), &mut encoder, &mut Vec::new());
        let wait = |turn: &mut dyn FnMut() -> FollowTurn| {
            std::iter::repeat_with(turn).find(|turn| *turn != FollowTurn::Send).unwrap()
        };
        assert_eq!(wait(&mut turn), FollowTurn::Wait);
        add(b"one\n".to_vec());
        assert_eq!(woken(), 1);

        // More lines than are kept: the client is informed once a second that lines were skipped, and pauses until
        // then.
        let is_pausing = std::iter::repeat_with(|| {
            add(b"0123456789abcde\n".repeat(1 << 20));
            matches!(wait(&mut turn), FollowTurn::Pause(_))
        });
        assert!(is_pausing.take(100).any(|pauses| pauses));
        woken();
        add(b"two\n".to_vec());
        assert_eq!(woken(), 0);
        archive.close();
        assert_eq!(woken(), 1);
    }

    #[test]
    fn s10_2_the_last_words_are_the_last_line_that_is_not_blank() {
        let archive = LogArchive::new();
        let web = DynoName::new(ProcessType::new("web").unwrap(), 1);
        let add = |source: Source, text: &str| {
            let (time, bytes) = (jiff::Timestamp::UNIX_EPOCH, text.as_bytes().to_vec());
            archive.add(&LogBlock { source, time, bytes, continued: false }, Audience::All);
        };
        add(Source::App(web.clone()), "zero\none\n");
        add(Source::App(web.clone()), "\u{1b}[31mboom\u{1b}[0m\n \n");
        add(Source::Notice(web), "exited with code 1\n");

        assert_eq!(archive.last_words("web.1").as_deref(), Some("boom"));
        assert_eq!(archive.last_lines("web.1", 3).len(), 3);
        assert_eq!(archive.last_lines("web.1", 3)[0], "one");
        assert_eq!(archive.last_lines("web.2", 3).len(), 0);
    }
}
