//! Turns the specification of a dyno into a request to the guardian, with all texts NUL-terminated.

use std::os::unix::ffi::OsStrExt;

use super::protocol::SpawnRequest;
use crate::app::without_shell;
use crate::model::{DynoSpec, Focus, Shell};

pub(super) fn spawn_request(spec: &DynoSpec) -> SpawnRequest {
    let terminated = |parts: &[&[u8]]| {
        let mut text = parts.concat();
        text.push(0);
        text
    };
    let direct = match spec.shell {
        Shell::Sh => without_shell(&spec.shell_line, &spec.environment),
        // Bash sources the profile scripts first.
        Shell::Bash => None,
    };
    let (programs, words) = direct.map_or_else(Default::default, |direct| (direct.programs, direct.words));
    let all_terminated = |texts: Vec<Vec<u8>>| texts.iter().map(|text| terminated(&[text])).collect();
    SpawnRequest {
        own_shell: spec.own_shell,
        controlling: spec.focus == Focus::Keyboard,
        dyno: spec.dyno.to_string(),
        port: spec
            .environment
            .iter()
            .find(|(key, _)| *key == b"PORT")
            .and_then(|(_, port)| std::str::from_utf8(port.reveal()).ok()?.parse().ok()),
        directory: terminated(&[spec.directory.as_os_str().as_bytes()]),
        arguments: vec![
            terminated(&[spec.shell.path().as_bytes()]),
            terminated(&[b"-c"]),
            terminated(&[&spec.shell_line]),
        ],
        programs: all_terminated(programs),
        words: all_terminated(words),
        environment: spec.environment.iter().map(|(key, value)| terminated(&[key, b"=", value.reveal()])).collect(),
    }
}
