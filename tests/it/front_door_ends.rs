//! How the front door begins and ends (S16.7).

use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::front_door::{OpenDoor, end, start};
use crate::harness::{App, Ended, error, until};
use crate::smoke;

#[test]
fn s16_7_signals_end_the_front_door_at_once() {
    let app = App::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let door = OpenDoor::open(&app);
        let url = format!("http://localhost:{}\n", door.port);
        // A client that has not finished its request does not delay it.
        let _client = door.connect("GET / HTTP/1.1\r\nHost: a");

        door.running.signal(signal);

        door.running.finish().expect(Ended::Signal(signal), &url, "");
    }
}

#[test]
fn s16_7_a_detached_front_door_goes_on_until_it_is_stopped() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 201\n");
    let (running, port) = (start(&app, "", &[]), free_port());
    let on = ["--port", &port.to_string()];
    let none = error(
        &format!("no `dyno router` is running on port {port}"),
        &format!("`dyno router --detach --port {port}` starts one"),
    );
    app.dyno(["router", "--stop"]).args(&on).run().expect(Ended::Code(69), "", &none);

    let mut caller = app.dyno(["router", "--detach"]).args(&on).spawn();
    caller.returned().expect(Ended::Code(0), &format!("http://localhost:{port}\n"), "");
    let [server] = &caller.processes()[..] else { panic!("{:?}", caller.processes()) };
    let door = |name: &str| {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {name}.localhost\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut client, request.as_bytes()).unwrap();
        crate::front_door::whole(client)
    };
    assert!(door("app").starts_with("HTTP/1.1 201 "), "{}", door("app"));

    let second = error(
        &format!("`dyno router` is already running on port {port} (pid PID)"),
        &format!("it serves all of your apps; `dyno router --stop --port {port}` stops it"),
    );
    let refused = app.dyno(["router"]).args(&on).run();
    refused.expect(Ended::Code(69), "", &second);
    let shown = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(shown.contains(&format!("(pid {})", server.pid)), "{shown}");
    app.dyno(["router", "--detach"]).args(&on).run().expect(Ended::Code(69), "", &second);
    app.dyno(["router", "--stop"]).args(&on).run().expect(Ended::Code(0), "", "");

    caller.until("nothing of it is left", || caller.processes().is_empty());
    app.dyno(["router", "--stop"]).args(&on).run().expect(Ended::Code(69), "", &none);
    // Its port is free.
    OpenDoor::open(&app).close();
    end(running);
    let left: Vec<_> =
        std::fs::read_dir(app.top().join("run/dyno")).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(left.iter().all(|path| !path.display().to_string().contains("router")), "{left:?}");
}

#[test]
fn s16_7_a_port_of_another_program_is_refused_with_its_name() {
    let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port();

    let refused = App::empty().dyno(["router", "--port", &port.to_string()]).run();

    assert_eq!(refused.ended, Ended::Code(69));
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    let holder = format!("error: port {port} for the router is in use by `");
    assert!(stderr.starts_with(&holder) && stderr.contains(&format!("(pid {})", std::process::id())), "{stderr}");
    assert!(stderr.ends_with("choose another port: `--port 4900`\n"), "{stderr}");
}

#[test]
fn s16_7_without_a_port_the_front_door_takes_4900() {
    let app = App::empty();
    let mut running = app.dyno(["router"]).spawn();
    let url = "http://localhost:4900\n";
    until("it listens or is refused", || running.stdout.text() == url || running.has_ended());
    if running.stdout.text() == url {
        assert!(TcpStream::connect(("127.0.0.1", 4900)).is_ok());
        running.signal(Signal::SIGTERM);
        return running.finish().expect(Ended::Signal(Signal::SIGTERM), url, "");
    }
    // Another program, such as the same test of another run, has the port.
    let refused = running.finish();
    assert_eq!((refused.ended, refused.stdout().as_str()), (Ended::Code(69), ""));
    assert!(refused.stderr().starts_with("error: port 4900 for the router is in use"), "{}", refused.stderr());
}

#[test]
fn s16_7_options_of_the_front_door_that_contradict_are_refused() {
    let app = App::empty();
    for args in [&["--stop", "--detach"][..], &["--port", "0"], &["--port", "70000"]] {
        app.dyno(["router"]).args(args).run().expect_end(Ended::Code(2));
    }
}
