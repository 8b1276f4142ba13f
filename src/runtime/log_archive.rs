//! The history of the log and the clients that read it (S10.4).
//!
//! Belongs to the thread of the run loop: the lines are added where they are queued for the hub, so that a stopped terminal
//! does not hide them from other clients. Adding a line and waking the clients is one step, and so is asking for lines and
//! being registered for later ones.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::time::Instant;

use crate::logs::{Audience, Follower, History, LogBlock, LogEncoder, LogFilter, LogQuery, Moment, Source, Turn};

/// Cheap to clone; all clones are the same archive.
#[derive(Clone)]
pub(super) struct LogArchive(Rc<RefCell<Archive>>);

/// A client that reads the log. Dropping it ends the reading.
pub(super) struct Reader {
    archive: LogArchive,
    id: u64,
}

struct Archive {
    history: History,
    readers: Vec<Registered>,
    last_id: u64,
    is_closing: bool,
    began: Instant,
}

struct Registered {
    id: u64,
    follower: Follower,
    /// Set while it waits for lines.
    waker: Option<Waker>,
}

impl LogArchive {
    pub(super) fn new() -> Self {
        let (history, readers) = (History::default(), Vec::new());
        let archive = Archive { history, readers, last_id: 0, is_closing: false, began: Instant::now() };
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
        for reader in &mut archive.readers {
            if reader.follower.note(&block.source, lines)
                && let Some(waker) = reader.waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Begins to read.
    pub(super) fn read(&self, query: LogQuery) -> Reader {
        let archive = &mut *self.0.borrow_mut();
        let follower = Follower::new(query, &archive.history);
        archive.last_id += 1;
        archive.readers.push(Registered { id: archive.last_id, follower, waker: None });
        archive.note_followers();
        Reader { archive: self.clone(), id: archive.last_id }
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
    fn followers(&self) -> usize {
        self.readers.iter().filter(|reader| reader.follower.follows()).count()
    }

    fn note_followers(&mut self) {
        let is_followed = self.followers() > 0;
        self.history.set_followed(is_followed);
    }
}

impl Reader {
    /// Appends what the client gets next to `out`. If it has to wait for lines, the task is woken when they come.
    pub(super) fn turn(&self, cx: &Context<'_>, encoder: &mut LogEncoder, out: &mut Vec<u8>) -> Turn {
        let archive = &mut *self.archive.0.borrow_mut();
        let moment = Moment {
            followers: u32::try_from(archive.followers()).unwrap_or(u32::MAX),
            is_closing: archive.is_closing,
            now: archive.began.elapsed(),
            wall: jiff::Timestamp::now(),
        };
        let Some(reader) = archive.readers.iter_mut().find(|reader| reader.id == self.id) else { return Turn::End };
        let turn = reader.follower.turn(&archive.history, moment, encoder, out);
        match turn {
            // Also while it pauses: the end of everything cuts the pause short.
            Turn::Wait | Turn::Pause(_) => reader.waker = Some(cx.waker().clone()),
            Turn::Send | Turn::End => {}
        }
        turn
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let archive = &mut *self.archive.0.borrow_mut();
        archive.readers.retain(|reader| reader.id != self.id);
        archive.note_followers();
    }
}
