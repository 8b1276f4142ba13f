//! What the client refuses to send, and how it handles invalid messages.

use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::sys::socket::{Shutdown, shutdown};

use super::*;
use crate::model::{DynoSpec, Environment, Focus, Launch, Readiness, RunReport, Shell};

/// A guardian without a process: the test holds its end of the socket.
fn guardian() -> (ManuallyDrop<Guardian>, OwnedFd) {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_NONBLOCK).unwrap();
    let (queue, sending, received) = (VecDeque::new(), Vec::new(), Vec::new());
    let (pid, spared) = (nix::unistd::getpid(), Spared::default());
    // Dropped, it would wait for the process.
    (ManuallyDrop::new(Guardian { socket: ours, pid, spared, queue, sending, received }), theirs)
}

fn spec(environment: Environment) -> DynoSpec {
    let process_type = crate::model::ProcessType::new("web").expect("a name");
    DynoSpec {
        dyno: crate::model::DynoName::new(process_type, 1),
        command_line: "web".into(),
        launch: Launch::Shell { shell: Shell::Sh, line: b"exec web".to_vec(), leads: false },
        environment,
        port: None,
        readiness: Readiness::Runs,
        expected_port: None,
        directory: "/app".into(),
        io: crate::model::Io::Pipe,
        focus: Focus::Elsewhere,
        stdin_is_empty: false,
    }
}

#[test]
fn reports_are_returned_as_soon_as_they_are_complete() {
    let (mut guardian, theirs) = guardian();
    let mut reports = Vec::new();
    let [spawned, gone] = [RunReport::Spawned { pid: 9 }, RunReport::Gone].map(|report| Message::Run(RunId(7), report));
    let bytes = [spawned.encode(), gone.encode()].concat();
    let (first, rest) = bytes.split_at(bytes.len() - 1);

    nix::unistd::write(&theirs, first).unwrap();
    assert_eq!((guardian.receive(&mut reports), reports.as_slice()), (Ok(()), &[spawned][..]));
    nix::unistd::write(&theirs, rest).unwrap();
    assert_eq!((guardian.receive(&mut reports), reports.last()), (Ok(()), Some(&gone)));
    // Not `drop`: a program that another test has just forked may still have it open.
    shutdown(theirs.as_raw_fd(), Shutdown::Both).unwrap();
    assert_eq!((guardian.receive(&mut reports), reports.len()), (Err(Lost), 2));
}

#[test]
fn bytes_that_are_not_a_report_mean_that_the_guardian_is_lost() {
    let too_large = Header { kind: 14, payload_bytes: u32::MAX, run: RunId(7) }.encode().to_vec();
    let unknown_kind = frame(RunId(7), 99, Vec::new());
    let cut_payload = frame(RunId(7), 11, vec![1]);
    for invalid in [too_large, unknown_kind, cut_payload] {
        let (mut guardian, theirs) = guardian();
        let mut reports = Vec::new();

        let gone = Message::Run(RunId(7), RunReport::Gone);
        nix::unistd::write(&theirs, &[gone.encode(), invalid].concat()).unwrap();

        assert_eq!((guardian.receive(&mut reports), reports.as_slice()), (Err(Lost), &[gone][..]));
    }
}

#[test]
fn a_request_that_is_too_large_fails_and_the_guardian_still_works() {
    let (mut guardian, theirs) = guardian();
    let mut environment = Environment::default();
    environment.set("BIG", vec![b'x'; MAX_PAYLOAD_BYTES]);
    let spawn = |environment| SpawnSpec { run: RunId(7), spec: Arc::new(spec(environment)) };

    let refused = guardian.spawn(&spawn(environment), Vec::new());

    assert_eq!(refused, Err(too_long()));
    assert!(!guardian.has_queued());
    assert_eq!(guardian.spawn(&spawn(Environment::default()), Vec::new()), Ok(()));
    assert_eq!(guardian.flush(), Ok(()));
    let mut head = [0; HEADER_BYTES];
    assert_eq!(nix::unistd::read(&theirs, &mut head), Ok(HEADER_BYTES));
    assert!(Header::decode(head).is_some_and(|header| header.payload_bytes > 0));
}
