//! A Caddyfile with a site for `web`, and one for each other type that listens. Caddy runs nothing of the app itself.

use std::fmt::Write as _;

use super::containers::{awaited_port, comment, has_default_statuses, host, is_label, listed, note_lines, running};
use super::{CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedType, Marker};
use crate::model::{HttpCheck, ProcessType, Readiness};

const NAME: &str = "caddy";

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::Caddy, &app.name);
    let notes = notes(app);
    let mut text = format!(
        "#\n# Sends requests to the dynos on this machine. Caddy gets certificates for the names by itself.\n\
         #   caddy validate --config {name}\n#   caddy run --config {name}\n# or, in a Caddyfile that exists:\n#   import {name}\n#\n{}",
        note_lines(&notes),
        name = file_name(app)
    );
    for exported in running(app, is_site) {
        text.push('\n');
        text.push_str(&site(app, exported)?);
    }
    Ok(Exported { files: vec![ExportFile::new(file_name(app), &marker, CommentStyle::Hash, text)], notes })
}

/// Caddy recognises the format of such a file by its name.
fn file_name(app: &ExportedApp) -> String {
    format!("{}.caddyfile", app.name)
}

/// What Caddy does not do.
fn notes(app: &ExportedApp) -> Vec<String> {
    let mut notes =
        vec!["caddy only sends requests: run the dynos with `dyno start`, or with another format".to_owned()];
    let idle: Vec<&ExportedType> =
        app.types.iter().filter(|exported| is_site(exported) && exported.dynos.is_empty()).collect();
    if !idle.is_empty() {
        notes.push(format!("there is no site for {}, which has no dynos", listed(idle)));
    }
    if !app.types.iter().any(is_site) {
        notes.push("no process type listens, so there is no site: name those that do with `--ready`".to_owned());
    }
    let statuses = running(app, |exported| {
        is_site(exported) && exported.readiness.check().is_some_and(|check| health_status(check).is_none())
    });
    if !statuses.is_empty() {
        notes.push(format!("caddy accepts every status from 200 to 399 of {}", listed(statuses)));
    }
    notes
}

fn is_site(exported: &ExportedType) -> bool {
    exported.listens || exported.process_type.as_str() == ProcessType::WEB
}

/// The host name of a type: that of the app for `web`, else a name below it.
fn site_name(app: &ExportedApp, process_type: &ProcessType) -> Result<String, ExportFailure> {
    let host = host(NAME, app)?;
    if process_type.as_str() == ProcessType::WEB {
        return Ok(host);
    }
    let label = process_type.as_str().to_ascii_lowercase();
    let reason = "it becomes a part of a host name, which may only have a-z 0-9 -, and no - at its ends";
    if is_label(&label) {
        Ok(format!("{label}.{host}"))
    } else {
        Err(ExportFailure::Type { format: NAME, process_type: process_type.clone(), reason })
    }
}

fn site(app: &ExportedApp, exported: &ExportedType) -> Result<String, ExportFailure> {
    let dynos: Vec<String> = exported.dynos.iter().map(|dyno| format!("127.0.0.1:{}", dyno.port)).collect();
    let mut text = comment(&exported.command.shown);
    let _ = write!(text, "{} {{\n\treverse_proxy {} {{\n", site_name(app, &exported.process_type)?, dynos.join(" "));
    if let (Readiness::Answers { check, .. }, Some(_)) = (&exported.readiness, awaited_port(app, exported)) {
        let _ = writeln!(text, "\t\thealth_uri {}", encoded(check.path()));
        if let Some(status) = health_status(check).filter(|status| !status.is_empty()) {
            let _ = writeln!(text, "\t\thealth_status {status}");
        }
        text.push_str("\t\thealth_interval 5s\n\t\thealth_timeout 5s\n");
    }
    // Random like the router of the platform; a dyno that refuses a connection gets none for a while.
    text.push_str("\t\tlb_policy random\n\t\tlb_try_duration 10s\n\t\tfail_duration 5s\n\t}\n}\n");
    Ok(text)
}

/// The statuses as Caddy writes them: empty for its default. None: it has no word for them.
fn health_status(check: &HttpCheck) -> Option<String> {
    let (first, last) = check.statuses();
    if has_default_statuses(check) {
        Some(String::new())
    } else if first == last {
        Some(first.to_string())
    } else {
        (first % 100 == 0 && last == first + 99).then(|| format!("{}xx", first / 100))
    }
}

/// A path as a word of a Caddyfile, where `{` would begin a variable: percent-encoded if it has such characters.
fn encoded(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~%=&?+,:@!".contains(&byte);
    let encoded =
        path.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}
