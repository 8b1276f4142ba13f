//! The parts of a script that starts a dyno, for engines that know neither a release command nor an order.
//!
//! The release command and the dynos meet at a fifo. Opening it waits until somebody has it open at the other end; the script of
//! the release command opens it when the command has succeeded, and keeps it open. So nothing is left after a crash or a boot.

use super::sh_text::ShText;
use super::waiting::{listens, until};
use super::{ExportedApp, ExportedType};
use crate::app::Until;

/// Waits until the release command has succeeded, if there is one, and for the types that start before this one.
pub(super) fn wait(text: &mut ShText, app: &ExportedApp, exported: &ExportedType, fifo: &str) {
    if app.release.is_some() {
        text.comment("Waits for the release command: once that has succeeded, its script keeps a fifo open.");
        text.command("fifo=", &[fifo], "");
        text.line(MADE);
        text.line(": >\"$fifo\" || exit 1");
    }
    for (what, port) in awaited_ports(app, exported) {
        text.comment(&format!("Waits until {what} listens."));
        text.command("/bin/bash -c ", &[until(&listens(port))], " || exit 1");
    }
}

/// Tells the dynos that the release command has succeeded, for ever.
pub(super) fn keep_open(text: &mut ShText, fifo: &str) {
    text.comment(
        "When the release command has succeeded, this script keeps a fifo open, and that lets the dynos start.",
    );
    text.command("fifo=", &[fifo], "");
    text.line("while :; do");
    text.line(format!("    {MADE}"));
    text.line("    exec 3<>\"$fifo\"");
    // Once in a while, because somebody may have removed it.
    text.line("    sleep 10 3>&-\ndone");
}

/// Two dynos may do this at the same time.
const MADE: &str = "[ -p \"$fifo\" ] || mkfifo -m 600 \"$fifo\" 2>/dev/null || [ -p \"$fifo\" ] || \
                    { echo \"cannot make the fifo $fifo\"; exit 1; }";

/// Starts the command that is written by `command`, and passes the stop signal on to all its processes. They must have a process
/// group of their own, together with the shell.
pub(super) fn pass_on(text: &mut ShText, signal: &str, command: impl FnOnce(&mut ShText, &str, &str)) {
    text.comment("The engine gives the stop signal to this shell alone, which passes it on to the others.");
    text.line(format!("trap 'trap \"\" {signal}; kill -s {signal} 0' {signal}"));
    // A shell lets its background processes ignore these two.
    let is_ignored = ["INT", "QUIT"].contains(&signal);
    let before = if is_ignored { format!("env --default-signal={signal} ") } else { String::new() };
    command(text, &before, " &");
    text.line("dyno=$!\nwait \"$dyno\"\nstatus=$?");
    text.line("while kill -0 \"$dyno\" 2>/dev/null; do\n    wait \"$dyno\"\n    status=$?\ndone\nexit \"$status\"");
}

/// What must listen before a type starts, and where.
fn awaited_ports(app: &ExportedApp, exported: &ExportedType) -> Vec<(String, u16)> {
    let mut ports = Vec::new();
    for one in &exported.after {
        let Some(other) = app.types.iter().find(|other| other.process_type == one.process_type) else { continue };
        match one.until {
            Until::ListensOn(port) if !other.dynos.is_empty() => ports.push((other.process_type.to_string(), port)),
            Until::Listens if other.listens => {
                ports.extend(other.dynos.iter().map(|dyno| (dyno.name.to_string(), dyno.port)));
            }
            Until::ListensOn(_) | Until::Listens | Until::Done | Until::Started => {}
        }
    }
    ports
}

/// What the engines of these scripts cannot keep of the order in which types start.
pub(super) fn order_notes(engine: &str, app: &ExportedApp) -> Vec<String> {
    let mut notes = Vec::new();
    for exported in app.types.iter().filter(|exported| !exported.dynos.is_empty()) {
        for one in &exported.after {
            let (left, right) = (&exported.process_type, &one.process_type);
            let Some(other) = app.types.iter().find(|other| other.process_type == *right) else { continue };
            match one.until {
                Until::Done => notes.push(format!("{engine} starts `{left}` without waiting until `{right}` is done")),
                Until::Listens if !other.listens && !other.dynos.is_empty() => notes.push(format!(
                    "{engine} starts `{left}` without waiting for `{right}`, whose port is not known: name it with \
                     `--after {left}={right}:PORT`"
                )),
                Until::Listens | Until::ListensOn(_) | Until::Started => {}
            }
        }
    }
    notes
}
