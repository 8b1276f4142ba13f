//! Which locks a start holds while its formation changes.

use super::*;

/// The request that sets the quantity of a process type.
fn scale(name: &str, quantity: u32) -> Vec<u8> {
    let body = format!("{{\"quantity\":{quantity}}}");
    let head = format!("PATCH /apps/app/formation/{name} HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
    [head, body].concat().into()
}

#[test]
fn s10_1_a_scale_of_a_client_that_has_gone_leaves_the_right_locks() {
    with_server(|server| async move {
        for (request, types) in [(scale("worker", 1), &["web", "worker"][..]), (scale("worker", 0), &["web"])] {
            let before = server.app.commands.borrow().len();
            let mut stream = server.connect().await;
            stream.write_all(&request).await.expect("written");
            while server.app.commands.borrow().len() == before {
                yield_now().await;
            }
            drop(stream);

            // Answered after the change of the client that has gone.
            assert_eq!(server.send(&scale("web", 1)).await.0, 200);
            server.settle().await;
            assert_eq!(server.api.registered.types(), types);
        }
    });
}

#[test]
fn s10_1_a_refused_change_keeps_the_locks_of_one_at_the_same_time() {
    with_server(|server| async move {
        let (refused, accepted) = (scale("web", 7), scale("worker", 1));

        let (refused, accepted) = tokio::join!(server.send(&refused), server.send(&accepted));

        assert_eq!((refused.0, accepted.0), (422, 200));
        server.settle().await;
        assert_eq!(server.api.registered.types(), ["web", "worker"]);
    });
}

#[test]
fn s10_1_a_type_that_does_not_exist_or_is_refused_is_not_locked() {
    with_server(|server| async move {
        assert_eq!(server.send(&scale("ghost", 1)).await.0, 404);
        assert_eq!(server.send(&scale("worker", 7)).await.0, 422);

        server.settle().await;
        assert_eq!(server.api.registered.types(), ["web"]);
    });
}

#[test]
fn s10_1_a_type_stays_locked_until_its_last_dyno_has_ended() {
    with_server(|server| async move {
        server.send(&scale("worker", 1)).await;
        server.app.snapshot.borrow_mut().rows.push(row(process_type("worker")));
        server.send(&scale("worker", 0)).await;
        server.settle().await;
        assert_eq!(server.api.registered.types(), ["web", "worker"]);

        server.app.snapshot.borrow_mut().rows.pop();
        server.settle().await;
        assert_eq!(server.api.registered.types(), ["web"]);
    });
}
