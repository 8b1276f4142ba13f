//! Service directories for s6: one for each dyno, and one for the release command.
//!
//! s6-supervise makes the first process of a service the leader of a session. It gives that process the signal in `down-signal`,
//! and SIGKILL after `timeout-kill`; `finish` stops what is left. Of a file with a number s6 reads the first line only.

use super::run_script::{keep_open, order_notes, pass_on, wait};
use super::service_directory::{
    DirectoryEngine, fifo, find_programs, finish, finish_release, head, log, record, script, set_variables, values,
};
use super::sh_text::{ShText, missing_values, release_service, service, signal_name};
use super::systemd::stops_all;
use super::waiting::is_ready;
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedCommand, ExportedDyno,
    ExportedType, Marker,
};

const ENGINE: DirectoryEngine = DirectoryEngine {
    name: "s6",
    ended_by_signal: "256",
    stay_down: "exit 125",
    is_stopped: "[ \"$(s6-svstat -o wantedup .)\" = false ]",
    logger: "s6-log -b -- n10 s1000000 T",
};

/// The program that tells s6 when a dyno is ready.
const NOTIFIER: &str = "s6-notifyoncheck";

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::S6, &app.name);
    let notes = notes(app);
    let number = |service: &str, name: &str, value: String| {
        ExportFile::new(format!("{service}/{name}"), &marker, CommentStyle::HashBelow, value + "\n")
    };
    // 0 would mean that there is no limit.
    let grace = || app.grace.as_millis().max(1).to_string();
    let mut files: Vec<ExportFile> = values(&ENGINE, app, &marker)?.into_iter().collect();
    if let Some(command) = &app.release {
        let service = release_service(app);
        files.push(script(&marker, &service, "run", run_release(app, command, &notes)?));
        files.push(script(&marker, &service, "finish", finish_release(&ENGINE, app)));
        files.push(number(&service, "timeout-kill", grace()));
        files.push(number(&service, "timeout-finish", "0".to_owned()));
        files.push(script(&marker, &service, "log/run", log(&ENGINE, app, "release")));
    }
    for exported in &app.types {
        for dyno in &exported.dynos {
            let service = service(app, &dyno.name);
            files.push(script(&marker, &service, "run", run(app, exported, dyno, &notes)?));
            files.push(script(&marker, &service, "finish", finish(&ENGINE, app, exported, &dyno.name)));
            files.push(number(&service, "down-signal", exported.stop_signal.to_string()));
            files.push(number(&service, "timeout-kill", grace()));
            files.push(number(&service, "timeout-finish", "0".to_owned()));
            if let Some(test) = is_ready(exported, dyno.port) {
                let mut text = ShText::executable();
                text.comment("s6-notifyoncheck runs this until it succeeds: then the dyno is ready.");
                text.command("exec /bin/bash -c ", &[test], "");
                files.push(script(&marker, &service, "data/check", text));
                files.push(number(&service, "notification-fd", "3".to_owned()));
            }
            files.push(script(&marker, &service, "log/run", log(&ENGINE, app, &dyno.name.to_string())));
        }
    }
    Ok(Exported { files, notes })
}

/// What s6 cannot keep.
fn notes(app: &ExportedApp) -> Vec<String> {
    let mut notes = order_notes(ENGINE.name, app);
    notes.extend(missing_values(app));
    notes
}

fn begun(app: &ExportedApp, name: &str, command: &ExportedCommand, notes: &[String]) -> ShText {
    let mut text = head(app, name, command);
    for note in notes {
        text.comment(note);
    }
    record(&mut text);
    text
}

fn run(
    app: &ExportedApp,
    exported: &ExportedType,
    dyno: &ExportedDyno,
    notes: &[String],
) -> Result<ShText, ExportFailure> {
    let mut text = begun(app, &dyno.name.to_string(), &exported.command, notes);
    wait(&mut text, app, exported, &fifo(app));
    if app.release.is_some() || !exported.after.is_empty() {
        record(&mut text);
    }
    let is_notified = is_ready(exported, dyno.port).is_some();
    find(&mut text, app, is_notified);
    set_variables(&ENGINE, &mut text, app, &app.own_variables(dyno))?;
    if stops_all(exported) {
        pass_on(&mut text, &signal_name(exported.stop_signal), |text, before, after| {
            execute(text, app, &exported.command, (before, is_notified, after));
        });
    } else {
        execute(&mut text, app, &exported.command, ("exec ", is_notified, ""));
    }
    Ok(text)
}

/// Finds the programs of s6 before the app sets `PATH`.
fn find(text: &mut ShText, app: &ExportedApp, is_notified: bool) {
    if is_notified {
        find_programs(text, &[NOTIFIER]);
    }
    if app.options.user.is_some() {
        find_programs(text, &["s6-setuidgid"]);
    }
}

/// Runs the command in the directory of the app. s6-notifyoncheck has to be started in the directory of the service.
fn execute(
    text: &mut ShText,
    app: &ExportedApp,
    command: &ExportedCommand,
    (before, is_notified, after): (&str, bool, &str),
) {
    let mut before = before.to_owned();
    if is_notified {
        before.push_str("\"$s6_notifyoncheck\" -d -n 0 -w 500 -t 10000 ");
    }
    if let Some(user) = &app.options.user {
        before.push_str("\"$s6_setuidgid\" ");
        before.push_str(&String::from_utf8_lossy(&crate::app::quote_word(user.as_bytes())));
        before.push(' ');
    }
    let shell = command.shell.as_bytes();
    let go = [b"cd \"$0\" && exec ".as_slice(), shell, b" -c \"$1\""].concat();
    let words = [b"/bin/sh".as_slice(), b"-c", &go, app.directory.as_os_str().as_encoded_bytes(), &command.line];
    text.command(&before, &words, after);
}

fn run_release(app: &ExportedApp, command: &ExportedCommand, notes: &[String]) -> Result<ShText, ExportFailure> {
    let mut text = begun(app, "release", command, notes);
    find(&mut text, app, false);
    text.line("(");
    set_variables(&ENGINE, &mut text, app, &app.release_variables())?;
    execute(&mut text, app, command, ("exec ", false, ""));
    text.line(") || exit");
    keep_open(&mut text, &fifo(app));
    Ok(text)
}
