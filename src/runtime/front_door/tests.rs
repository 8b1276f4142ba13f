//! Clients that do not finish a head. The clock is paused: it jumps to the next deadline as soon as nothing else can happen.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener as StdListener, TcpStream as StdStream};

use tokio::time::Instant;

use super::*;

/// What a client that sends this and then nothing gets, and after how long.
async fn answer_to(sent: &[u8]) -> (String, Duration) {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(sent).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    let front = Rc::new(FrontDoor {
        list: Arc::new(Vec::new),
        connections: Cell::new(1),
        has_room: Notify::new(),
        turns: RefCell::default(),
    });
    let began = Instant::now();

    FrontDoor::serve(Seat(Rc::clone(&front)), TcpStream::from_std(accepted).unwrap()).await;

    assert_eq!(front.connections.get(), 0);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    (answer, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn s16_7_a_head_that_is_not_complete_after_30_seconds_is_408() {
    let (answer, after) = answer_to(b"GET / HTTP/1.1\r\nHost: shop.local").await;

    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(after >= HEAD_WITHIN && after < HEAD_WITHIN + 2 * LEAVES_WITHIN, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn s16_7_a_client_that_sends_nothing_gets_no_answer() {
    assert_eq!(answer_to(b"").await, (String::new(), HEAD_WITHIN));
}
