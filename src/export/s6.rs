//! Service directories for s6: one for each dyno, and one for the release command.
//!
//! s6-supervise makes the first process of a service the leader of a session. It gives that process the signal in `down-signal`,
//! and SIGKILL after `timeout-kill`; `finish` stops what is left. Of a file with a number s6 reads the first line only.

use std::slice::from_ref;

use super::run_script::{order_notes, pass_on};
use super::service_directory::{DirectoryEngine, finish, finish_release, log, run, run_release, script};
use super::sh_text::{ShText, exports};
use super::stop_signal::signal_name;
use super::values_file::{values_file, values_note};
use super::waiting::is_ready;
use super::{CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedCommand, Marker};

const ENGINE: DirectoryEngine = DirectoryEngine {
    name: "s6",
    ended_by_signal: "256",
    stay_down: "exit 125",
    is_stopped: "[ \"$(s6-svstat -o wantedup .)\" = false ]",
    logger: "s6-log -b -- n10 s1000000 T",
    begin: &[],
};

/// The program that tells s6 when a dyno is ready.
const NOTIFIER: &str = "s6-notifyoncheck";

/// The program with which a script changes to another user.
const USER_CHANGER: &str = "s6-setuidgid";

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::S6, &app.name);
    let notes = notes(app);
    let number = |service: &str, name: &str, value: String| {
        ExportFile::new(format!("{service}/{name}"), &marker, CommentStyle::HashBelow, value + "\n")
    };
    // 0 would mean that there is no limit.
    let grace = || app.grace.as_millis().max(1).to_string();
    let mut files = vec![values_file(app, &marker, |variable| exports(ENGINE.name, from_ref(variable)))?];
    if let Some(command) = &app.release {
        let service = app.release_service();
        let run = run_release(&ENGINE, app, command, (&notes, &programs(app, false)), |text| {
            execute(text, app, command, ("exec ", false, ""));
        })?;
        files.push(script(&marker, &service, "run", run));
        files.push(script(&marker, &service, "finish", finish_release(&ENGINE, app)));
        files.push(number(&service, "timeout-kill", grace()));
        files.push(number(&service, "timeout-finish", "0".to_owned()));
        files.push(script(&marker, &service, "log/run", log(&ENGINE, app, "release")));
    }
    for exported in &app.types {
        for dyno in &exported.dynos {
            let service = app.service(&dyno.name);
            let ready = is_ready(exported, dyno.port);
            let is_notified = ready.is_some();
            let run = run(&ENGINE, app, (exported, dyno), (&notes, &programs(app, is_notified)), |text| {
                if exported.stops_all {
                    pass_on(text, &signal_name(exported.stop_signal), |text, before, after| {
                        execute(text, app, &exported.command, (before, is_notified, after));
                    });
                } else {
                    execute(text, app, &exported.command, ("exec ", is_notified, ""));
                }
            })?;
            files.push(script(&marker, &service, "run", run));
            files.push(script(&marker, &service, "finish", finish(&ENGINE, app, exported, &dyno.name)));
            files.push(number(&service, "down-signal", exported.stop_signal.to_string()));
            files.push(number(&service, "timeout-kill", grace()));
            files.push(number(&service, "timeout-finish", "0".to_owned()));
            if let Some(ready) = ready {
                let mut text = ShText::executable();
                text.comment("s6-notifyoncheck runs this until it succeeds: then the dyno is ready.");
                text.command("exec /bin/bash -c ", &[ready], "");
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
    notes.extend(values_note(app));
    notes
}

/// The programs of s6 that a script needs.
fn programs(app: &ExportedApp, is_notified: bool) -> Vec<&'static str> {
    let notifier = is_notified.then_some(NOTIFIER);
    notifier.into_iter().chain(app.options.user.as_ref().map(|_| USER_CHANGER)).collect()
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
