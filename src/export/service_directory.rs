//! What the service directories of runit and s6 have in common: scripts that run in the directory, as the user of the engine.
//!
//! `supervise/` is the engine's own directory. The scripts keep two files there: `last-run` has the process group of the dyno and
//! the second in which it began, and `restarts` the next pause and the number of restarts in a row.

use std::path::Path;
use std::time::Duration;

use super::run_script::{keep_open, wait};
use super::sh_text::{ShText, exports};
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportedApp, ExportedCommand, ExportedDyno, ExportedType,
    ExportedVariable, Marker, RestartRule,
};
use crate::model::DynoName;

/// What distinguishes the two engines.
pub(super) struct DirectoryEngine {
    /// The name of the format.
    pub name: &'static str,
    /// The first argument of `finish` if a signal ended the dyno.
    pub ended_by_signal: &'static str,
    /// What `finish` does so that the dyno is not started again.
    pub stay_down: &'static str,
    /// A test of `sh`: somebody has asked for a stop.
    pub is_stopped: &'static str,
    /// The last line of the script of the log, before the directory.
    pub logger: &'static str,
    /// What a script that runs a command does first, so that its processes have a session of their own.
    pub begin: &'static [&'static str],
}

/// An executable file of a service.
pub(super) fn script(marker: &Marker, service: &str, name: &str, text: ShText) -> ExportFile {
    ExportFile::new(format!("{service}/{name}"), marker, CommentStyle::Hash, text.into_bytes()).executable()
}

/// The script of the log of a dyno. `dyno`: its name in the directory of logs.
pub(super) fn log(engine: &DirectoryEngine, app: &ExportedApp, dyno: &str) -> ShText {
    let directory =
        app.options.log_dir.as_deref().map_or_else(|| Path::new("./main").to_owned(), |logs| logs.join(dyno));
    let directory = directory.as_os_str().as_encoded_bytes();
    let mut text = ShText::executable();
    text.comment(&format!(
        "Writes the log of {dyno} to the file `current` in a directory, and keeps older ones there."
    ));
    text.command("mkdir -p ", &[directory], " || exit 1");
    text.command(&format!("exec {} ", engine.logger), &[directory], "");
    text
}

/// The script that runs a dyno. `execute` writes its last lines, which run the command; they use `programs` of the engine.
pub(super) fn run(
    engine: &DirectoryEngine,
    app: &ExportedApp,
    (exported, dyno): (&ExportedType, &ExportedDyno),
    (notes, programs): (&[String], &[&str]),
    execute: impl FnOnce(&mut ShText),
) -> Result<ShText, ExportFailure> {
    let mut text = begun(engine, app, &dyno.name.to_string(), &exported.command, notes);
    wait(&mut text, app, exported, &fifo(app));
    if app.release.is_some() || !exported.after.is_empty() {
        record(&mut text);
    }
    find_programs(&mut text, programs);
    set_variables(engine, &mut text, app, &app.own_variables(dyno))?;
    execute(&mut text);
    Ok(text)
}

/// The script that runs the release command, and then keeps the fifo open.
pub(super) fn run_release(
    engine: &DirectoryEngine,
    app: &ExportedApp,
    command: &ExportedCommand,
    (notes, programs): (&[String], &[&str]),
    execute: impl FnOnce(&mut ShText),
) -> Result<ShText, ExportFailure> {
    let mut text = begun(engine, app, "release", command, notes);
    find_programs(&mut text, programs);
    text.line("(");
    set_variables(engine, &mut text, app, &app.release_variables())?;
    execute(&mut text);
    text.line(") || exit");
    keep_open(&mut text, &fifo(app));
    Ok(text)
}

/// The first lines of a script that runs a command.
fn begun(
    engine: &DirectoryEngine,
    app: &ExportedApp,
    name: &str,
    command: &ExportedCommand,
    notes: &[String],
) -> ShText {
    let mut text = ShText::executable();
    text.comment(&format!("{name} of {}: {}", app.name, command.shown));
    for note in notes {
        text.comment(note);
    }
    text.line("exec 2>&1");
    for line in engine.begin {
        text.line(line);
    }
    record(&mut text);
    text
}

/// Notes which processes belong to the dyno, and when it began. They must have a process group of their own.
fn record(text: &mut ShText) {
    text.line("echo \"$$ $(date +%s)\" >supervise/last-run");
}

/// Finds these programs before the variables of the app are set.
fn find_programs(text: &mut ShText, programs: &[&str]) {
    for program in programs {
        text.line(format!("{}=$(command -v {program}) || exit 1", program.replace('-', "_")));
    }
}

/// Sets the variables of a dyno, and those of the app's user.
fn set_variables(
    engine: &DirectoryEngine,
    text: &mut ShText,
    app: &ExportedApp,
    variables: &[ExportedVariable],
) -> Result<(), ExportFailure> {
    if let Some(user) = &app.options.user {
        text.line(home_of(user));
    }
    text.line(format!(". ../{} || exit 1", app.env_file()));
    for line in exports(engine.name, variables)?.split_inclusive(|byte| *byte == b'\n') {
        text.line(line.strip_suffix(b"\n").unwrap_or(line));
    }
    Ok(())
}

/// Sets what a login of this user would set, unless the app sets it.
pub(super) fn home_of(user: &str) -> String {
    let name = String::from_utf8_lossy(&crate::app::quote_word(user.as_bytes())).into_owned();
    let is_plain = user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let home = if is_plain { format!("HOME=~{user} ") } else { String::new() };
    format!("export {home}USER={name} LOGNAME={name}")
}

/// The fifo at which the release command and the dynos meet.
fn fifo(app: &ExportedApp) -> String {
    format!("../{}/succeeded", app.release_service())
}

/// What happens after the release command has ended.
pub(super) fn finish_release(engine: &DirectoryEngine, app: &ExportedApp) -> ShText {
    let mut text = ShText::executable();
    text.comment("Runs when the release command has failed, or was stopped.");
    stop_rest(&mut text, app.grace);
    text.line(format!("[ \"$1\" = {} ] && exit", engine.ended_by_signal));
    text.line("echo \"the release command failed with status $1, so no dyno starts\"");
    text.line(engine.stay_down);
    text
}

/// What happens after a dyno has ended.
pub(super) fn finish(engine: &DirectoryEngine, app: &ExportedApp, exported: &ExportedType, dyno: &DynoName) -> ShText {
    let rules = app.options.restarts;
    let mut text = ShText::executable();
    text.comment(&format!("Runs when {dyno} has ended: stops what is left of it, and decides when it starts again."));
    stop_rest(&mut text, app.grace);
    text.line(format!("is_stopped() {{ {}; }}", engine.is_stopped));
    text.line("if is_stopped; then\n    rm -f supervise/restarts\n    exit\nfi");
    match exported.restart {
        RestartRule::Always => {}
        RestartRule::OnFailure => {
            text.comment("It may end with status 0.");
            text.line(format!("[ \"$1\" = 0 ] && {}", engine.stay_down));
        }
        RestartRule::Never => {
            text.comment("It may end with any status.");
            text.line(engine.stay_down);
            return text;
        }
    }
    let (base, cap) = (rules.base.as_secs().max(1), rules.cap.as_millis().div_ceil(1000));
    let healthy = rules.min_healthy.as_secs();
    let pauses = match cap {
        0 => String::new(),
        cap => format!(", then after {base} s, and then twice as long each time, up to {cap} s"),
    };
    text.comment(&format!("It starts again at once{pauses}. The count begins again after {healthy} s up."));
    text.line("pause=0 restarts=0");
    text.line("[ -e supervise/restarts ] && read -r pause restarts <supervise/restarts");
    text.line(format!(
        "up=$(($(date +%s) - began))\nif [ \"$up\" -ge {healthy} ] && [ \"$up\" -ge \"$pause\" ]; then\n    pause=0 restarts=0\nfi"
    ));
    if let Some(most) = rules.max_restarts {
        text.line(format!(
            "if [ \"$restarts\" -ge {most} ]; then\n    echo \"{dyno} stays down after $restarts restarts\"\n    rm -f \
             supervise/restarts\n    {}\nfi",
            engine.stay_down
        ));
    }
    text.line(format!(
        "next=$((pause * 2))\n[ \"$next\" -gt 0 ] || next={base}\n[ \"$next\" -le {cap} ] || next={cap}\n\
         echo \"$next $((restarts + 1))\" >supervise/restarts"
    ));
    text.line("while [ \"$pause\" -gt 0 ] && ! is_stopped; do\n    sleep 1\n    pause=$((pause - 1))\ndone");
    text
}

/// Stops the processes that a dyno has left.
fn stop_rest(text: &mut ShText, grace: Duration) {
    let tenths = grace.as_millis().div_ceil(100);
    text.line("read -r group began <supervise/last-run || exit 0");
    text.line(format!(
        "if kill -s TERM -- \"-$group\" 2>/dev/null; then\n    left={tenths}\n    while [ \"$left\" -gt 0 ] && kill -s 0 -- \
         \"-$group\" 2>/dev/null; do\n        sleep 0.1\n        left=$((left - 1))\n    done\n    kill -s KILL -- \"-$group\" \
         2>/dev/null\nfi"
    ));
}
