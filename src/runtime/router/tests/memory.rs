//! What connections keep while they have nothing to do.

use tokio::time::Instant;

use super::super::client::ClientConnection;
use super::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn answers(client: &mut TcpStream, text: &str) {
    client.write_all(GET).unwrap();
    read_until(client, text);
}

#[test]
fn s16_6_a_client_that_has_been_idle_has_no_buffers_and_may_ask_again() {
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, dyno(says("hello")), LifeStage::Up)]);
    let mut client = router.connect();
    for _ in 0..3 {
        answers(&mut client, "hello");
        assert!(router.ask(|router| router.clients.any(ClientConnection::is_speaking)));

        router.until("the answer is over", |router| router.exchanges.len() == 0);
        router.ask(|router| router.review(Instant::now() + Duration::from_secs(1)));

        router.until("it rests", |router| !router.clients.any(ClientConnection::is_speaking));
    }
    // The rest of a head finds what was read before.
    client.write_all(&GET[..9]).unwrap();
    router.until("the head has begun", |router| router.clients.any(ClientConnection::is_in_head));
    router.ask(|router| router.review(Instant::now() + Duration::from_secs(1)));
    client.write_all(&GET[9..]).unwrap();
    read_until(&mut client, "hello");
    assert_eq!(router.log_when(4).len(), 4);
}

#[test]
fn s16_6_a_kept_connection_with_large_buffers_is_closed_after_2_s() {
    let (closed, ends) = mpsc::channel();
    let port = dyno(move |mut socket| {
        while has_next(&socket) {
            read_until(&mut socket, "\r\n\r\n");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 20001\r\n\r\n{}.", "a".repeat(20_000));
            socket.write_all(answer.as_bytes()).unwrap();
        }
        closed.send(()).unwrap();
    });
    let small = dyno(says("hello"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    answers(&mut client, ".");
    router.until("the answer is over", |router| router.exchanges.len() == 0);
    router.ask(|router| router.review(Instant::now() + Duration::from_secs(1)));
    answers(&mut client, ".");
    assert!(ends.try_recv().is_err());
    router.until("the answer is over", |router| router.exchanges.len() == 0);

    router.ask(|router| router.review(Instant::now() + Duration::from_secs(2)));

    ends.recv_timeout(Duration::from_secs(60)).unwrap();
    router.publish(vec![web(1, 2, small, LifeStage::Up)]);
    answers(&mut client, "hello");
    router.until("the answer is over", |router| router.exchanges.len() == 0);
    router.ask(|router| router.review(Instant::now() + Duration::from_secs(2)));
    assert_eq!(router.ask(|router| router.pool.len()), 1);
}
