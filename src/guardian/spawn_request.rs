//! Turns the specification of a dyno into a request to the guardian, with all texts NUL-terminated.

use std::os::unix::ffi::OsStrExt;

use super::protocol::SpawnRequest;
use crate::model::{DynoSpec, Focus, Io, Launch};

pub(super) fn spawn_request(spec: &DynoSpec) -> SpawnRequest {
    let terminated = |parts: &[&[u8]]| {
        let mut text = parts.concat();
        text.push(0);
        text
    };
    let all_terminated = |texts: &[Vec<u8>]| texts.iter().map(|text| terminated(&[text])).collect();
    let (programs, words) = match &spec.launch {
        Launch::Program { paths, words, .. } => (all_terminated(paths), all_terminated(words)),
        Launch::Shell { .. } => Default::default(),
    };
    SpawnRequest {
        own_shell: spec.launch.shell_leads(),
        controlling: match (spec.focus, spec.io) {
            (Focus::Keyboard, _) | (Focus::Client, Io::Pty(_)) => true,
            (Focus::Client, Io::Pipe | Io::Inherit) | (Focus::Elsewhere | Focus::Stdin, _) => false,
        },
        dyno: spec.dyno.to_string(),
        port: spec
            .environment
            .iter()
            .find(|(key, _)| *key == b"PORT")
            .and_then(|(_, port)| std::str::from_utf8(port.reveal()).ok()?.parse().ok()),
        directory: terminated(&[spec.directory.as_os_str().as_bytes()]),
        arguments: vec![
            terminated(&[spec.launch.shell().path().as_bytes()]),
            terminated(&[b"-c"]),
            terminated(&[spec.launch.line()]),
        ],
        programs,
        words,
        environment: spec.environment.iter().map(|(key, value)| terminated(&[key, b"=", value.reveal()])).collect(),
    }
}
