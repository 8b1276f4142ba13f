//! The lines of the router on their way to the log (S16.5).

use super::*;

const GET: &str = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The lines that clients find who read the log.
fn kept(router: &TestRouter) -> Vec<String> {
    router.ask(|router| router.archive.as_ref().unwrap().last_router_lines())
}

#[test]
fn s16_5_who_reads_the_log_finds_every_request_that_was_answered() {
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, dyno(says("hi")), LifeStage::Up)]);
    // The log takes nothing for as long as someone has all places in it.
    let (taken, has_taken) = mpsc::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    router.ask(move |router| {
        let hub = router.log.hub();
        tokio::task::spawn_local(async move {
            let mut places = Vec::new();
            for _ in 0..64 {
                places.push(hub.place().await);
            }
            taken.send(()).unwrap();
            let _ = released.await;
        });
    });
    has_taken.recv().unwrap();

    for count in 1..=3 {
        assert!(router.exchange(GET).ends_with("\r\n\r\nhi"));
        assert_eq!(kept(&router).len(), count - 1);
        router.ask(|router| router.settle_log());
        assert_eq!(kept(&router).len(), count);
        // Once is enough.
        router.ask(|router| router.settle_log());
        assert_eq!(kept(&router).len(), count);
    }
    assert!(router.exchange(GET).ends_with("\r\n\r\nhi"));
    release.send(()).unwrap();

    assert_eq!(router.log_when(4).len(), 4);
    router.until("all are passed on", |router| router.log.is_empty());
    assert_eq!(router.log().len(), 4);
}
