//! Requests and answers pass through.

use super::*;

#[test]
fn s16_1_a_request_reaches_the_dyno_and_its_answer_the_client() {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        sender.send(read_until(&mut socket, "\r\n\r\nab=c")).unwrap();
        socket.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\ndate: now\r\n\r\nok").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let host = format!("localhost:{}", router.port);
    let request = format!("POST /a?b HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab=c");
    let answer = router.exchange(&request);

    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    let received = requests.recv().unwrap();
    assert!(received.starts_with(&format!("POST /a?b HTTP/1.1\r\nhost: {host}\r\n")), "{received}");
}
