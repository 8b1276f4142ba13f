//! Clients that go away, close their half, read slowly or wait until the end.

use super::*;

#[test]
fn s10_3_a_client_that_has_closed_its_half_gets_its_answer() {
    with_server(|server| async move {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /account HTTP/1.1\r\n\r\n").await.expect("written");
        stream.shutdown().await.expect("closed");

        assert_eq!(answer(stream).await.0, 200);
    });
}

#[test]
fn s10_3_a_client_that_is_gone_keeps_no_place() {
    with_server(|server| async move {
        let body = r#"{"timeout":86400}"#;
        // More bytes than the request has: they do not hide that the client is gone.
        let request = format!("POST /dyno/wait HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}x", body.len());
        for _ in 0..MAX_WAITING {
            let mut stream = server.connect().await;
            stream.write_all(request.as_bytes()).await.expect("written");
            while server.api.count(ConnectionProgress::Waiting) == 0 {
                yield_now().await;
            }
            drop(stream);
            while server.api.count(ConnectionProgress::Waiting) > 0 {
                yield_now().await;
            }
        }
        let mut half = server.connect().await;
        half.write_all(request.as_bytes()).await.expect("written");
        half.shutdown().await.expect("closed");

        let (status, end) = answer(half).await;
        assert_eq!((status, &end["result"]), (200, &id("late")));
    });
}

#[test]
fn s10_3_a_client_that_reads_slowly_is_cut_off() {
    with_server(|server| async move {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /apps/app/formation HTTP/1.1\r\n\r\n").await.expect("written");
        let (mut bytes, mut part) = (0, [0; 8 << 10]);

        // Each part in time, but not the whole.
        while let Ok(count @ 1..) = stream.read(&mut part).await {
            bytes += count;
            sleep(Duration::from_secs(1)).await;
        }

        assert!(bytes < 500_000, "the whole answer: {bytes} bytes");
    });
}

#[test]
fn s10_3_clients_that_wait_are_answered_at_the_end() {
    with_server(|server| async move {
        let body = r#"{"timeout":60}"#;
        let request = format!("POST /dyno/wait HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.expect("written");
        while server.api.count(ConnectionProgress::Waiting) == 0 {
            yield_now().await;
        }

        // The run loop ends without an answer.
        server.run_loop.abort();
        server.api.finish().await;

        assert_eq!(server.api.count(ConnectionProgress::Waiting), 0);
        let (status, error) = answer(stream).await;
        assert_eq!((status, &error["id"]), (503, &id("ending")));
    });
}

#[test]
fn s10_3_clients_that_disconnect_during_an_answer_leave_nothing() {
    with_server(|server| async move {
        for _ in 0..2 * MAX_CONNECTIONS {
            let mut stream = server.connect().await;
            stream.write_all(b"GET /apps/app/formation HTTP/1.1\r\n\r\n").await.expect("written");
            stream.read_exact(&mut [0; 100]).await.expect("a part of the answer");
        }

        assert_eq!(server.get("/account").await, 200);
        while !server.api.connections.borrow().is_empty() {
            yield_now().await;
        }
    });
}
