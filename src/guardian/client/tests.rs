//! What the client refuses to send, how it handles invalid reports, and the reasons for a failed start.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::*;
use crate::model::{Environment, Focus, Launch, Readiness, Shell};

/// A guardian without a process: the test holds its end of the socket.
fn guardian() -> (ManuallyDrop<Guardian>, OwnedFd) {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_NONBLOCK).unwrap();
    let (queue, sending, received) = (VecDeque::new(), Vec::new(), Vec::new());
    let (pid, spared) = (nix::unistd::getpid(), Spared::default());
    // Dropped, it would wait for the process.
    (ManuallyDrop::new(Guardian { socket: ours, pid, spared, queue, sending, received }), theirs)
}

/// A whole frame from the guardian.
fn report(message: &Message) -> Vec<u8> {
    let (kind, payload) = message.encode();
    frame(RunId(7), kind, payload)
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
fn s1_6_a_failed_start_gives_the_reason() {
    let spec = spec(Environment::default());
    let described = |stage, errno| SpawnError { stage, errno }.describe(&spec);

    assert_eq!(
        described(Stage::Fork, Errno::EAGAIN),
        "cannot start another process: the process limit of this user or system is reached"
    );
    assert_eq!(described(Stage::Fork, Errno::ENOMEM), "cannot start another process: Out of memory");
    assert_eq!(described(Stage::Directory, Errno::EACCES), "cannot enter the directory `/app`: Permission denied");
    assert_eq!(
        described(Stage::Exec, Errno::E2BIG),
        "the command line and the environment together are too long for the system (Argument list too long)"
    );
    assert_eq!(described(Stage::Exec, Errno::ENOENT), "cannot execute `/bin/sh`: No such file or directory");
    assert_eq!(described(Stage::Setup, Errno::EMFILE), "cannot prepare the process: Too many open files");
}

#[test]
fn reports_are_returned_as_soon_as_they_are_complete() {
    let (mut guardian, theirs) = guardian();
    let mut reports = Vec::new();
    let (bytes, spawned) = ([report(&Message::Spawned { pid: 9 }), report(&Message::Gone)].concat(), Report::Spawned);
    let (first, rest) = bytes.split_at(bytes.len() - 1);

    nix::unistd::write(&theirs, first).unwrap();
    assert_eq!((guardian.receive(&mut reports), reports.as_slice()), (Ok(()), &[spawned(RunId(7), 9)][..]));
    nix::unistd::write(&theirs, rest).unwrap();
    assert_eq!((guardian.receive(&mut reports), reports.last()), (Ok(()), Some(&Report::Gone(RunId(7)))));
    drop(theirs);
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

        nix::unistd::write(&theirs, &[report(&Message::Gone), invalid].concat()).unwrap();

        assert_eq!((guardian.receive(&mut reports), reports.as_slice()), (Err(Lost), &[Report::Gone(RunId(7))][..]));
    }
}

#[test]
fn a_request_that_is_too_large_fails_and_the_guardian_still_works() {
    let (mut guardian, theirs) = guardian();
    let mut environment = Environment::default();
    environment.set("BIG", vec![b'x'; MAX_PAYLOAD_BYTES]);
    let spawn = |environment| SpawnSpec { run: RunId(7), spec: Arc::new(spec(environment)) };

    let refused = guardian.spawn(&spawn(environment), Vec::new());

    assert_eq!(refused, Err(SpawnError { stage: Stage::Exec, errno: Errno::E2BIG }));
    assert!(!guardian.has_queued());
    assert_eq!(guardian.spawn(&spawn(Environment::default()), Vec::new()), Ok(()));
    assert_eq!(guardian.flush(), Ok(()));
    let mut head = [0; HEADER_BYTES];
    assert_eq!(nix::unistd::read(&theirs, &mut head), Ok(HEADER_BYTES));
    assert!(Header::decode(head).is_some_and(|header| header.payload_bytes > 0));
}
