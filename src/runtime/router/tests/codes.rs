//! Codes of the platform that need an odd dyno or many requests (S16.3, S16.4, S16.5).

use super::*;

const GET: &str = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// So many other requests, of which each has its place at a dyno.
fn occupy(router: &TestRouter, run: u64, count: usize) {
    router.ask(move |router| {
        let places: Vec<_> = (0..count).map(|_| router.drains.occupy(RunId(run))).collect();
        Box::leak(Box::new(places));
    });
}

#[test]
fn s16_5_more_than_200_requests_for_one_dyno_are_h11_on_the_platform() {
    for (is_platform, last) in [(true, "HTTP/1.1 503 Service Unavailable\r\n"), (false, "HTTP/1.1 200 OK\r\n")] {
        let router = TestRouter::with_rules(|rules| rules.is_platform = is_platform);
        router.publish(vec![web(1, 1, dyno(says("hi")), LifeStage::Up)]);

        occupy(&router, 1, 199);
        assert!(router.exchange(GET).starts_with("HTTP/1.1 200 OK\r\n"));
        occupy(&router, 1, 1);
        let answer = router.exchange(GET);

        assert!(answer.starts_with(last), "{answer}");
        assert_eq!(router.log_when(2)[1] == "GET /a 503 H11 Backlog too deep", is_platform, "{:?}", router.log());
    }
}

#[test]
fn s16_6_requests_for_another_process_type_do_not_count_for_h11() {
    let router = TestRouter::with_rules(|rules| rules.is_platform = true);
    let api = Row { dyno: DynoName::new(process_type("api"), 1), ..web(1, 2, dyno(says("api")), LifeStage::Up) };
    router.publish(vec![web(1, 1, dyno(says("web")), LifeStage::Up), api]);

    occupy(&router, 1, 199);
    occupy(&router, 2, 199);
    assert!(router.exchange(GET).ends_with("\r\n\r\nweb"));
    occupy(&router, 1, 1);
    assert!(router.exchange(GET).starts_with("HTTP/1.1 503 "));

    assert!(router.exchange(&GET.replace("localhost", "shop-api.localhost")).ends_with("\r\n\r\napi"));
}

#[test]
fn s16_5_a_dyno_that_does_not_accept_in_5_s_is_h19() {
    let quiet = QuietPort::new();
    let port = quiet.port;
    // Its queue is full: the system drops the packets of further connections.
    let _listener = quiet.listen(0);
    let _waiting = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let router = TestRouter::with_rules(|rules| rules.writes_platform_lines = true);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();
    router
        .until("the dyno is dialled", |router| router.exchanges.any(|exchange| exchange.entry.borrow().dyno.is_some()));
    let began = router.ask(|_| tokio::time::Instant::now());

    router.let_time_pass();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    let line = &router.log_when(1)[0];
    assert!(line.starts_with("at=error code=H19 desc=\"Backend connection timeout\" method=GET "), "{line}");
    assert_eq!(["dyno", "service", "status"].map(|name| field(line, name)), ["web.1", "", "503"], "{line}");
    assert!(ms_of(line, "connect") >= 5000, "{line}");
    assert!(router.ask(move |_| began.elapsed()) >= Duration::from_secs(4));
}

#[test]
fn s16_5_a_request_without_an_answer_for_30_s_has_its_time_in_the_log() {
    let (port, requests) = silent();
    let router = TestRouter::with_rules(|rules| {
        (rules.enforces_timeouts, rules.writes_platform_lines) = (true, true);
    });
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(GET.as_bytes()).unwrap();
    requests.recv().unwrap();

    router.let_time_pass();

    let line = &router.log_when(1)[0];
    assert!(line.starts_with("at=error code=H12 desc=\"Request timeout\" method=GET "), "{line}");
    assert_eq!(["dyno", "status"].map(|name| field(line, name)), ["web.1", "503"], "{line}");
    // The clock of the router has steps of a millisecond.
    assert!((30_000..=30_001).contains(&ms_of(line, "service")), "{line}");
}

#[test]
fn s16_5_if_all_dynos_are_left_out_for_the_whole_hold_it_is_h99() {
    let router = TestRouter::with_rules(|rules| rules.hold = Duration::from_millis(1));
    router.publish(vec![web(1, 1, dyno(says("hi")), LifeStage::Up)]);
    router.ask(|router| {
        let later = router.now() + Duration::from_secs(3600);
        router.quarantine.borrow_mut().refused(1, later);
    });

    let answer = router.exchange(GET);

    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert_eq!(router.log_when(1), ["GET /a 503 H99 Platform error"]);
}

#[test]
fn s16_5_an_own_shortage_of_files_or_ports_does_not_leave_a_dyno_out() {
    let is_of_dyno = |errno| super::super::answer::is_of_peer(std::io::Error::from_raw_os_error(errno).kind());

    for errno in [libc::ECONNREFUSED, libc::ECONNRESET, libc::ETIMEDOUT, libc::ECONNABORTED] {
        assert!(is_of_dyno(errno), "{errno}");
    }
    for errno in [libc::EMFILE, libc::ENFILE, libc::EADDRNOTAVAIL, libc::ENOBUFS, libc::ENOMEM] {
        assert!(!is_of_dyno(errno), "{errno}");
    }
}

#[test]
fn s16_4_a_dyno_that_does_not_read_an_upload_is_h15_after_55_s() {
    let (port, requests) = stuck();
    let router = TestRouter::with_rules(|rules| rules.enforces_timeouts = true);
    router.publish(vec![web(1, 1, port, LifeStage::Up)]);
    let mut client = router.connect();
    client.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n").unwrap();
    requests.recv().unwrap();
    client.set_nonblocking(true).unwrap();
    let piece = vec![b'x'; 100_000];
    router.until_stuck(|| client.write(&piece).unwrap_or_default());

    router.let_time_pass();

    assert!(router.log_when(1)[0].ends_with(" H15 Idle connection"), "{:?}", router.log());
}

#[test]
fn s16_5_the_fields_of_the_platform_say_the_code() {
    let router = TestRouter::with_rules(|rules| rules.writes_platform_lines = true);
    router.publish(Vec::new());

    router.exchange(
        "GET /a?b HTTP/1.1\r\nHost: localhost:1\r\nX-Request-Id: 01234567890123456789\r\nConnection: close\r\n\r\n",
    );

    let fields = "at=error code=H14 desc=\"No web processes running\" method=GET path=\"/a?b\" host=localhost:1 \
                  request_id=01234567890123456789 fwd=\"127.0.0.1\" dyno= connect= service= status=503 bytes= \
                  protocol=http1.1 tls=false";
    assert_eq!(router.log_when(1), [fields]);
}
