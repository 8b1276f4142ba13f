//! Service directories for runit: one for each dyno, and one for the release command.
//!
//! The names are those of foreman: `APP-web-1/run`, `APP-web-1/log/run`. runsv itself sends SIGTERM to one process and waits for
//! ever, so `control/t` does what `dyno` does: the right signal, to the right processes, and SIGKILL after the grace period.

use std::slice::from_ref;

use super::run_script::order_notes;
use super::service_directory::{DirectoryEngine, finish, finish_release, log, run, run_release, script};
use super::sh_text::{ShText, exports};
use super::stop_signal::signal_name;
use super::values_file::{values_file, values_note};
use super::waiting::is_ready;
use super::{ExportFailure, ExportFormat, Exported, ExportedApp, ExportedCommand, Marker};

const ENGINE: DirectoryEngine = DirectoryEngine {
    name: "runit",
    ended_by_signal: "-1",
    stay_down: "exec sv down .",
    is_stopped: "[ -e supervise/stopped ] || grep -q want supervise/stat",
    logger: "svlogd -tt",
    begin: &[
        "# A session of its own, so that all its processes can be stopped together.",
        "[ \"$1\" = leader ] || exec chpst -P ./run leader",
        "rm -f supervise/stopped",
    ],
};

/// The program with which a script changes to another user.
const USER_CHANGER: &str = "chpst";

/// How long `sv` waits for a dyno to stop.
const SV_SECONDS: u64 = 7;

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::Runit, &app.name);
    let notes = notes(app);
    let programs: &[&str] = if app.options.user.is_some() { &[USER_CHANGER] } else { &[] };
    let about = (notes.as_slice(), programs);
    let mut files = vec![values_file(app, &marker, |variable| exports(ENGINE.name, from_ref(variable)))?];
    if let Some(command) = &app.release {
        let service = app.release_service();
        let run = run_release(&ENGINE, app, command, about, |text| execute(text, app, command))?;
        files.push(script(&marker, &service, "run", run));
        files.push(script(&marker, &service, "finish", finish_release(&ENGINE, app)));
        files.push(script(&marker, &service, "control/t", control(app, "TERM", true)));
        files.push(script(&marker, &service, "log/run", log(&ENGINE, app, "release")));
    }
    for exported in &app.types {
        let signal = signal_name(exported.stop_signal);
        for dyno in &exported.dynos {
            let service = app.service(&dyno.name);
            let run = run(&ENGINE, app, (exported, dyno), about, |text| execute(text, app, &exported.command))?;
            files.push(script(&marker, &service, "run", run));
            files.push(script(&marker, &service, "finish", finish(&ENGINE, app, exported, &dyno.name)));
            files.push(script(&marker, &service, "control/t", control(app, &signal, exported.stops_all)));
            if let Some(test) = is_ready(exported, dyno.port) {
                let mut text = ShText::executable();
                text.comment("`sv check` and `sv start` ask this whether the dyno is ready.");
                text.command("exec /bin/bash -c ", &[test], "");
                files.push(script(&marker, &service, "check", text));
            }
            files.push(script(&marker, &service, "log/run", log(&ENGINE, app, &dyno.name.to_string())));
        }
    }
    Ok(Exported { files, notes })
}

/// What runit cannot keep.
fn notes(app: &ExportedApp) -> Vec<String> {
    let mut notes = order_notes(ENGINE.name, app);
    let seconds = app.grace.as_millis().div_ceil(1000) + 1;
    if seconds > SV_SECONDS.into() {
        notes.push(format!("`sv stop` reports a failure after {SV_SECONDS} s: type `sv -w {seconds} stop`"));
    }
    notes.extend(values_note(app));
    notes
}

/// Goes to the directory of the app, and runs the command there.
fn execute(text: &mut ShText, app: &ExportedApp, command: &ExportedCommand) {
    text.command("cd ", &[app.directory.as_os_str().as_encoded_bytes()], " || exit 1");
    let mut before = "exec ".to_owned();
    if let Some(user) = &app.options.user {
        before.push_str("\"$chpst\" -u ");
        before.push_str(&String::from_utf8_lossy(&crate::app::quote_word(user.as_bytes())));
        before.push(' ');
    }
    text.command(&before, &[command.shell.as_bytes(), b"-c", &command.line], "");
}

/// What is done instead of a SIGTERM.
fn control(app: &ExportedApp, signal: &str, stops_all: bool) -> ShText {
    let mut text = ShText::executable();
    let whom = if stops_all { "all its processes" } else { "its first process" };
    let grace = app.grace.as_secs_f64();
    text.comment(&format!(
        "Runs when the dyno is to stop: SIG{signal} to {whom}, and SIGKILL to what is left after {grace} s."
    ));
    text.line("group=$(cat supervise/pid)\n[ \"$group\" ] || exit 1\n: >supervise/stopped");
    if stops_all {
        text.line(format!("kill -s {signal} -- \"-$group\" || kill -s {signal} \"$group\""));
    } else {
        text.line(format!("kill -s {signal} \"$group\""));
    }
    text.line(format!("(\n    sleep {grace}"));
    text.line("    [ \"$(cat supervise/pid)\" = \"$group\" ] && kill -s KILL -- \"-$group\"\n) >/dev/null 2>&1 &");
    text
}
