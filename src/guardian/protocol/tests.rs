//! Every frame is decoded as it was encoded, and no bytes make the decoder panic.

use super::*;
use crate::model::LeftRunning;
use proptest::prelude::*;

fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)
}

proptest! {
    #[test]
    fn a_spawn_request_is_decoded_as_it_was_encoded(
        flags: [bool; 2], dyno: String, port in proptest::option::of(1_u16..), directory: Vec<u8>,
        lists in [words(), words(), words(), words()],
    ) {
        let [own_shell, controlling] = flags;
        let [arguments, programs, words, environment] = lists;
        let request = Request::Spawn(SpawnRequest {
            own_shell, controlling, dyno, port, directory, arguments, programs, words, environment,
        });

        let (kind, payload) = request.encode();

        prop_assert_eq!(Request::decode(kind, &payload), Some(request));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(kind in 0_u32..20, payload: Vec<u8>) {
        let header = Header { kind, payload_bytes: 0, run: NO_RUN };
        let _ = Request::decode(kind, &payload);
        let _ = Message::decode(header, &payload);
    }
}

fn nginx() -> LeftRunning {
    LeftRunning { pid: 812, name: "nginx".to_owned(), port: Some(5000) }
}

#[test]
fn every_message_is_decoded_as_it_was_encoded() {
    let reports = [
        RunReport::Spawned { pid: 7 },
        RunReport::SpawnFailed(SpawnFailure("no memory".to_owned())),
        RunReport::Exited { exit: ExitStatus::Code(3), left: Vec::new() },
        RunReport::Exited { exit: ExitStatus::Signal(34), left: vec![nginx(), LeftRunning { port: None, ..nginx() }] },
        RunReport::LeftBehind { dynos: vec!["web.1".to_owned(), "worker.1".to_owned()], process: nginx() },
        RunReport::Gone,
        RunReport::Unkillable { survivor: "7 (sh)".to_owned() },
    ];
    let swept = Message::Swept { left: 2, survivors: vec!["8 (x)".to_owned(), "9 (y)".to_owned()] };
    for message in reports.map(|report| Message::Run(RunId(9), report)).into_iter().chain([swept]) {
        let frame = message.encode();
        let (header, payload) = frame.split_first_chunk().unwrap();
        assert_eq!(Message::decode(Header::decode(*header).unwrap(), payload), Some(message));
    }
    for order in [
        RunOrder::Stop { signal: 15, everything: false },
        RunOrder::Stop { signal: 37, everything: true },
        RunOrder::StopRest,
        RunOrder::Kill,
        RunOrder::Pause,
        RunOrder::Continue,
        RunOrder::Resized,
        RunOrder::FromTerminal { signal: libc::SIGINT },
        RunOrder::Usr1,
        RunOrder::Usr2,
    ] {
        let (kind, payload) = Request::Signal(order).encode();
        assert_eq!(Request::decode(kind, &payload), Some(Request::Signal(order)));
    }
}

#[test]
fn a_header_with_a_payload_over_the_limit_is_rejected() {
    let header = Header { kind: SPAWN, payload_bytes: u32::MAX, run: RunId(1) };
    assert_eq!(Header::decode(header.encode()), None);
}
