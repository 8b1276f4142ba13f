//! The hub without its thread.

use super::*;

fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        queue: Mutex::default(),
        wake: Condvar::new(),
        budget: Arc::new(Semaphore::new(BUFFERS)),
        pool: Mutex::default(),
        delivery: Delivery::new(LogStream::Stdout.outlet().unwrap()).unwrap(),
    })
}

fn writer(shared: &Arc<Shared>) -> Writer<impl Fn(&Source) -> bool + use<>> {
    let formatter = Formatter::plain();
    let stream = LogStream::Stdout;
    // Nothing is shown: stdout belongs to the test runner.
    let receivers = Receivers { formatter, quiet: |_: &Source| true, files: None, tails: None, stream, focused: None };
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    Writer { shared: Arc::clone(shared), receivers, events, out: Vec::new(), shows: true }
}

fn block() -> LogBlock {
    let (source, time) = (Source::System, jiff::Timestamp::UNIX_EPOCH);
    LogBlock { source, time, bytes: b"restarting\n".to_vec(), continued: false }
}

#[tokio::test]
async fn s7_6_the_last_piece_of_a_buffer_keeps_its_place_until_written() {
    let shared = shared();
    let hub = LogHub { shared: Arc::clone(&shared), archive: None };
    let free = || shared.budget.available_permits();

    hub.push(block(), Audience::All, None);
    hub.push(block(), Audience::All, Some(hub.place().await));
    hub.show_raw(b"raw", hub.place().await);
    hub.show_raw(b"", hub.place().await);
    assert_eq!(free(), BUFFERS - 2);
    hub.close();
    writer(&shared).run();

    assert_eq!(free(), BUFFERS);
}

#[test]
fn s7_6_buffers_that_come_back_twice_do_not_pile_up() {
    let shared = shared();

    (0..3 * BUFFERS).for_each(|_| shared.keep(Vec::with_capacity(READ_BYTES)));

    assert_eq!(lock(&shared.pool).len(), BUFFERS);
}

#[test]
fn s7_5_skipped_notices_are_not_counted_as_lost_output() {
    let shared = shared();
    let hub = LogHub { shared: Arc::clone(&shared), archive: None };
    (0..=MAX_NOTICES).for_each(|_| hub.notice(block()));
    hub.close();

    writer(&shared).run();

    assert_eq!(hub.unwritten_bytes(), 0);
}
