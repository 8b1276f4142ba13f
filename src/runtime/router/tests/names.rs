//! Names of process types (S16.2).

use super::*;

/// The row of the first dyno of a type that nothing expects to listen.
fn other(name: &str, run: u64, port: u16, stage: LifeStage) -> Row {
    let life = DynoLife { stage, ..DynoLife::default() };
    Row { dyno: DynoName::new(process_type(name), 1), life, ..web(1, run, port, stage) }
}

fn get(router: &TestRouter, name: &str) -> String {
    router.exchange(&format!("GET / HTTP/1.1\r\nHost: {name}.localhost\r\nConnection: close\r\n\r\n"))
}

#[test]
fn s16_2_the_name_of_a_type_that_does_not_listen_reaches_web() {
    let (of_web, closed) = (dyno(says("web")), closed_port());
    let router = TestRouter::start();
    for stage in [LifeStage::Up, LifeStage::Starting, LifeStage::Crashed] {
        router.publish(vec![web(1, 1, of_web, LifeStage::Up), other("worker", 2, closed, stage)]);

        let answer = get(&router, "shop-worker");

        assert!(answer.ends_with("\r\n\r\nweb"), "{stage:?}: {answer}");
    }
    assert!(router.log_when(3).iter().all(|line| line.starts_with("GET / 200 web.1 ")), "{:?}", router.log());
}

#[test]
fn s16_2_a_type_that_has_listened_keeps_its_name() {
    let (of_web, of_api) = (dyno(says("web")), dyno(says("api")));
    let router = TestRouter::start();
    let with = |api| vec![web(1, 1, of_web, LifeStage::Up), api];
    router.publish(with(other("api", 2, of_api, LifeStage::Up)));
    assert!(get(&router, "shop-api").ends_with("\r\n\r\napi"));

    // It is restarted.
    router.publish(with(other("api", 2, of_api, LifeStage::Draining)));
    let mut client = router.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: shop-api.localhost\r\n\r\n").unwrap();
    router.until("the request waits", |router| router.exchanges.len() == 1);
    router.publish(with(other("api", 3, of_api, LifeStage::Up)));

    read_until(&mut client, "\r\n\r\napi");
}

/// The answer on a connection that the front door has handed over.
fn handed_over(router: &TestRouter, name: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    let first = format!("GET / HTTP/1.1\r\nHost: {name}.localhost\r\nConnection: close\r\n\r\n");
    router.ask(move |router| router.take_over(socket, first.into_bytes())).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn s16_7_the_name_of_a_type_means_it_also_before_it_has_listened() {
    let of_web = dyno(says("web"));
    let router = TestRouter::start();
    router.publish(vec![web(1, 1, of_web, LifeStage::Up), other("api", 2, closed_port(), LifeStage::Crashed)]);

    let (of_api, of_none) = (handed_over(&router, "shop-api"), handed_over(&router, "shop-clock"));

    assert!(of_api.starts_with("HTTP/1.1 503 ") && of_api.contains("api.1 is not running"), "{of_api}");
    assert!(of_none.starts_with("HTTP/1.1 421 "), "{of_none}");
}
