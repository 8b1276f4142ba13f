//! How a script waits until a dyno is ready: loops of bash, which can connect to a port.

use super::ExportedApp;
use super::exported_app::ExportedType;
use crate::app::Until;
use crate::model::{HttpCheck, Readiness};

/// A loop of bash that ends when the dyno is ready. None: it is ready as soon as its program runs.
pub(super) fn wait_until_ready(app: &ExportedApp, exported: &ExportedType, port: u16) -> Option<String> {
    let is_awaited =
        app.types.iter().flat_map(|other| &other.after).any(|one| one.process_type == exported.process_type);
    let awaited_port = app.types.iter().flat_map(|other| &other.after).find_map(|one| match one.until {
        Until::ListensOn(port) if one.process_type == exported.process_type => Some(port),
        Until::ListensOn(_) | Until::Listens | Until::Done | Until::Started => None,
    });
    match &exported.readiness {
        Readiness::Answers { check, .. } => Some(until(&answers(port, check))),
        Readiness::Listens { .. } => Some(until(&listens(awaited_port.unwrap_or(port)))),
        Readiness::Runs if is_awaited && exported.listens => Some(until(&listens(awaited_port.unwrap_or(port)))),
        Readiness::Runs => awaited_port.map(|port| until(&listens(port))),
    }
}

/// A loop that ends when the test succeeds.
pub(super) fn until(test: &str) -> String {
    format!("until {test}; do sleep 0.1; done")
}

/// A test that succeeds if a dyno with this port is ready. None: it is ready as soon as its program runs.
pub(super) fn is_ready(exported: &ExportedType, port: u16) -> Option<String> {
    match &exported.readiness {
        Readiness::Answers { check, .. } => Some(answers(port, check)),
        Readiness::Listens { .. } => Some(listens(port)),
        Readiness::Runs => None,
    }
}

/// A test that succeeds if something listens on this port.
pub(super) fn listens(port: u16) -> String {
    format!("(exec 3<>/dev/tcp/localhost/{port}) 2>/dev/null")
}

/// A test that succeeds if the server gives the expected answer.
fn answers(port: u16, check: &HttpCheck) -> String {
    let (first, last) = check.statuses();
    format!(
        "(exec 3<>/dev/tcp/localhost/{port} && printf 'GET %s HTTP/1.0\\r\\nHost: localhost:{port}\\r\\n\\r\\n' \
         {} >&3 && read -r -t 10 _ status _ <&3 && [ \"$status\" -ge {first} ] && [ \"$status\" -le {last} ]) 2>/dev/null",
        String::from_utf8_lossy(&crate::app::quote_word(check.path().as_bytes()))
    )
}
