//! What the engines that run containers have in common.

use std::fmt::Write as _;

use super::stop_signal::signal_name;
use super::{ExportFailure, ExportedApp, ExportedCommand, ExportedType, ExportedVariable, RestartRule};
use crate::app::Until;
use crate::model::{HttpCheck, ProcessType, Readiness};

/// Why a value or a command is refused.
pub(super) const NOT_UTF8: &str = "it is not UTF-8";
pub(super) const VALUE_NOT_UTF8: &str = "its value is not UTF-8";

/// The longest part of a host name (RFC 1123).
pub(super) const LABEL_BYTES: usize = 63;

/// How long a dyno may take until it is ready, in seconds.
pub(super) const BOOT_SECONDS: u64 = 60;

/// The words of a program, or of a shell with a command line, as arguments of the image. `stop_signal`: what all its processes
/// get.
///
/// A container ends with its first process. If that is the shell, which gets the stop signal as well, it waits for its programs.
pub(super) fn arguments(
    format: &'static str,
    (process_type, command): (&ProcessType, &ExportedCommand),
    stop_signal: i32,
) -> Result<Vec<String>, ExportFailure> {
    let line = |command: &ExportedCommand| {
        let trap = format!("trap 'wait; exit {}' {}; ", 128 + stop_signal, signal_name(stop_signal));
        let trap = if command.shell_leads { trap.into_bytes() } else { Vec::new() };
        [trap, command.line.clone()].concat()
    };
    let words = match &command.words {
        Some(words) => words.clone(),
        None => vec![command.shell.into(), b"-c".to_vec(), line(command)],
    };
    let refused = |_| ExportFailure::Command { format, process_type: process_type.clone(), reason: NOT_UTF8 };
    words.into_iter().map(|word| String::from_utf8(word).map_err(refused)).collect()
}

/// The value of a variable as text.
pub(super) fn value(format: &'static str, variable: &ExportedVariable) -> Result<String, ExportFailure> {
    let refused = |_| ExportFailure::Variable { format, key: variable.key.clone(), reason: VALUE_NOT_UTF8 };
    std::str::from_utf8(variable.value.reveal()).map(str::to_owned).map_err(refused)
}

/// The variables that all dynos share and that are not secret. `host`: the name under which containers reach a type.
pub(super) fn shared_variables(app: &ExportedApp, host: impl Fn(&ProcessType) -> String) -> Vec<ExportedVariable> {
    let siblings = app.siblings(|process_type, port| format!("http://{}:{port}", host(process_type)));
    app.shared_variables.iter().cloned().chain(siblings).collect()
}

/// The image.
pub(super) fn image<'app>(format: &'static str, app: &'app ExportedApp) -> Result<&'app str, ExportFailure> {
    let missing = ExportFailure::Missing { format, what: "the name of an image", option: "--image IMAGE" };
    app.options.image.as_deref().filter(|image| !image.is_empty()).ok_or(missing)
}

/// The host name of the app. The name of the app becomes a part of it if none was given.
pub(super) fn host(format: &'static str, app: &ExportedApp) -> Result<String, ExportFailure> {
    let Some(host) = &app.options.host else {
        return Ok(format!("{}.example.com", label(&app.name)));
    };
    let host = host.to_ascii_lowercase();
    if host.len() <= 253 && host.split('.').all(is_label) {
        return Ok(host);
    }
    let reason = "it may only have a-z 0-9 - and dots";
    Err(ExportFailure::Option { format, option: "--host", value: host, reason })
}

/// Whether this is one part of a host name.
pub(super) fn is_label(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES).contains(&text.len())
        && text.bytes().all(is_part)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Why the name of a process type cannot be one part of a host name.
pub(super) fn not_a_label(process_type: &ProcessType) -> Option<&'static str> {
    let name = process_type.as_str();
    if name.contains('_') {
        Some("it may not contain `_`")
    } else if name.contains(|c: char| c.is_ascii_uppercase()) {
        Some("it may not contain capitals")
    } else if name.starts_with('-') || name.ends_with('-') {
        Some("it may not begin or end with `-`")
    } else if name.len() > LABEL_BYTES {
        Some("it may not have more than 63 characters")
    } else {
        None
    }
}

/// A text as one part of a host name.
pub(super) fn label(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label: String = text.to_ascii_lowercase().chars().map(|c| if is_part(c) { c } else { '-' }).collect();
    label.trim_matches('-').to_owned()
}

/// The name of a dyno, if it is the only one of its type: containers of one type have the same variables.
pub(super) fn only_dyno(exported: &ExportedType) -> Option<String> {
    (exported.dynos.len() <= 1).then(|| format!("{}.1", exported.process_type))
}

/// The port that must listen before a dyno is ready. None: it is ready as soon as its program runs.
pub(super) fn awaited_port(app: &ExportedApp, exported: &ExportedType) -> Option<u16> {
    let mut waits = app.types.iter().flat_map(|other| &other.after);
    let awaited = waits.find_map(|one| match one.until {
        Until::ListensOn(port) if one.process_type == exported.process_type => Some(port),
        Until::Listens if one.process_type == exported.process_type => Some(exported.port),
        Until::Listens | Until::ListensOn(_) | Until::Done | Until::Started => None,
    });
    match &exported.readiness {
        Readiness::Runs => awaited,
        Readiness::Listens { .. } => awaited.or(Some(exported.port)),
        Readiness::Answers { .. } => Some(exported.port),
    }
}

/// The types that match, as a list for people: `web`, `api`.
pub(super) fn listed<'app>(types: impl IntoIterator<Item = &'app ExportedType>) -> String {
    let names: Vec<String> = types.into_iter().map(|exported| format!("`{}`", exported.process_type)).collect();
    names.join(", ")
}

/// The types of which at least one dyno runs and that match.
pub(super) fn running(app: &ExportedApp, matches: impl Fn(&ExportedType) -> bool) -> Vec<&ExportedType> {
    app.types.iter().filter(|exported| !exported.dynos.is_empty() && matches(exported)).collect()
}

/// Whether these are the statuses that engines accept by default.
pub(super) fn has_default_statuses(check: &HttpCheck) -> bool {
    check.statuses() == (200, 399)
}

/// What is different in every container.
pub(super) fn common_notes(app: &ExportedApp, format: &'static str, log_command: &str) -> Vec<String> {
    let mut notes =
        vec!["a container ends with the first process of its dyno, and other processes are killed then".to_owned()];
    let listening = running(app, |exported| exported.listens);
    if !listening.is_empty() {
        let types = listed(listening);
        notes.push(format!(
            "{types} must listen on all addresses (0.0.0.0): only its own container reaches it on 127.0.0.1"
        ));
    }
    if app.config_vars.iter().any(|variable| variable.key == "PATH") {
        notes.push(
            "the config var `PATH` names directories of this machine: remove it if programs are not found".to_owned(),
        );
    }
    if let Some(logs) = &app.options.log_dir {
        notes.push(format!("{format} keeps the log itself, so that {} stays empty: `{log_command}`", logs.display()));
    }
    let others = running(app, |exported| exported.restart == RestartRule::Always);
    if let (Some(most), false) = (app.options.restarts.max_restarts, others.is_empty()) {
        notes.push(format!("{format} restarts {} without a limit, not at most {most} times", listed(others)));
    }
    notes
}

/// Where commands run, if the engine does not take them from the Procfile.
pub(super) fn place_note() -> String {
    "commands run in the working directory of the image, as arguments of its entry point; the directory of the app on this \
     machine means nothing there"
        .to_owned()
}

/// The names of the config vars, for a file without their values.
pub(super) fn names_note(app: &ExportedApp, place: &str) -> Option<String> {
    if !app.options.without_values || app.config_vars.is_empty() {
        return None;
    }
    let names: Vec<&str> = app.config_vars.iter().map(|variable| variable.key.as_str()).collect();
    Some(format!("the values of the config vars are missing: write {place}: {}", names.join(", ")))
}

/// A text as comment lines, wrapped; what is indented stays on its line.
pub(super) fn comment(text: &str) -> String {
    const WIDTH: usize = 98;
    let mut lines = String::new();
    for paragraph in text.lines() {
        if paragraph.starts_with(' ') {
            let _ = writeln!(lines, "# {paragraph}");
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(lines, "# {line}");
                // The next lines of a list item are below its text.
                line = if paragraph.starts_with("- ") { " ".to_owned() } else { String::new() };
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push_str(format!("# {line}").trim_end());
        lines.push('\n');
    }
    lines
}

/// The notes as a list of comments.
pub(super) fn note_lines(notes: &[String]) -> String {
    notes.iter().map(|note| comment(&format!("- {note}"))).collect()
}
