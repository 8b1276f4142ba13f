//! Connections that switch protocols.

use super::*;

const UPGRADE: &[u8] = b"GET /cable HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn echo(mut socket: TcpStream) {
    let head = read_until(&mut socket, "\r\n\r\n");
    assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello";
    socket.write_all(answer.as_bytes()).unwrap();
    let mut bytes = vec![0; 100_000];
    while let Ok(count @ 1..) = socket.read(&mut bytes) {
        socket.write_all(&bytes[..count]).unwrap();
    }
}

#[test]
fn s16_1_an_upgrade_becomes_a_tunnel_with_one_line_at_its_end() {
    let port = dyno(echo);
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    client.write_all(UPGRADE).unwrap();
    let head = read_until(&mut client, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    assert_eq!(read_until(&mut client, "hello"), "hello");
    // Bytes that no HTTP message could begin with, and more of them than any buffer holds.
    let sent: Vec<u8> = (0..4_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut writing, expected) = (client.try_clone().unwrap(), sent.clone());
    let writer = thread::spawn(move || writing.write_all(&sent).unwrap());
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).unwrap();
    writer.join().unwrap();
    assert!(received == expected);
    assert_eq!(router.log(), [] as [String; 0]);
    drop(client);

    let line = router.log_when(1);
    assert!(line[0].starts_with("GET /cable 101 web.1 ") && line[0].ends_with(" 4.0MB"), "{line:?}");
}

#[test]
fn s16_1_other_dynos_come_and_go_without_cutting_a_tunnel() {
    let port = dyno(echo);
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(UPGRADE).unwrap();
    read_until(&mut client, "hello");

    router.publish(vec![web(1, 1, port, LifeStage::Up), web(2, 2, 1, LifeStage::Starting)]);
    router.publish(vec![web(1, 1, port, LifeStage::Draining)]);
    client.write_all(b"still").unwrap();

    assert_eq!(read_until(&mut client, "still"), "still");
}

#[test]
fn s16_1_a_dyno_may_refuse_an_upgrade_with_an_ordinary_answer() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        socket.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\n\r\ngo away").unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    client.write_all(UPGRADE).unwrap();

    assert!(read_until(&mut client, "\r\n\r\ngo away").starts_with("HTTP/1.1 403 Forbidden\r\n"));
    assert!(router.log_when(1)[0].starts_with("GET /cable 403 web.1 "));
}

#[test]
fn s16_1_the_end_of_the_dyno_ends_its_tunnels() {
    let port = dyno(|mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nbye";
        socket.write_all(answer.as_bytes()).unwrap();
    });
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);

    let mut client = router.connect();
    client.write_all(UPGRADE).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();

    assert!(answer.ends_with("\r\n\r\nbye"), "{answer}");
}
