//! An `app.json` and a script with the commands to type for Dokku, which reads the Procfile itself. Dokku reads this `app.json`
//! instead of that of the app, so it has all of that as well.
//!
//! The values of config vars are in `APP.env`, each in base64. The script reads them from there.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::containers::{
    awaited_port, common_notes, has_default_statuses, host, listed, names_note, not_a_label, note_lines, running,
};
use super::marker::MARKER_KEY;
use super::stop_signal::{SIGTERM, signal_name};
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedType, ExportedVariable,
    Marker, RestartRule,
};
use crate::app::quote_word;
use crate::model::{ProcessType, Readiness};

const NAME: &str = "dokku";

/// Dokku looks for a file of this name in the repository.
const APP_JSON: &str = "app.json";

/// The longest line of `APP.env`: it is an argument of a command, for which Linux has a limit of 128 KiB.
const LONGEST_PAIR: usize = 130_000;

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    check_names(app)?;
    let marker = Marker::new(ExportFormat::Dokku, &app.name);
    let notes = notes(app);
    let mut files = Vec::new();
    if has_values(app) {
        let lines: String = app.config_vars.iter().map(env_line).collect::<Result<_, _>>()?;
        files.push(ExportFile::new(app.env_file(), &marker, CommentStyle::Hash, lines).secret());
    }
    files.push(ExportFile::new(APP_JSON, &marker, CommentStyle::Json, app_json(app)));
    let script = format!("{}.dokku.sh", app.name);
    files.push(ExportFile::new(script, &marker, CommentStyle::Hash, self::script(app, &notes)?).executable());
    Ok(Exported { files, notes })
}

fn check_names(app: &ExportedApp) -> Result<(), ExportFailure> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_good = app.name.bytes().all(is_part) && app.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let reason = "names there may only have a-z 0-9 - and dots, and begin with a letter or a digit";
    if !is_good {
        return Err(ExportFailure::App { format: NAME, app: app.name.clone(), reason });
    }
    let mut types = app.types.iter().map(|exported| &exported.process_type);
    match types.find_map(|process_type| Some((process_type, not_a_label(process_type)?))) {
        Some((process_type, reason)) => {
            Err(ExportFailure::Type { format: NAME, process_type: process_type.clone(), reason })
        }
        None => Ok(()),
    }
}

/// Whether there is a file with values.
fn has_values(app: &ExportedApp) -> bool {
    !app.config_vars.is_empty() && !app.options.without_values
}

fn env_line(variable: &ExportedVariable) -> Result<String, ExportFailure> {
    let (format, key) = (NAME, variable.key.clone());
    if key.contains(['.', '-']) || key.starts_with(|first: char| first.is_ascii_digit()) {
        let reason = "its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
        return Err(ExportFailure::VariableName { format, key, reason });
    }
    let value = super::containers::value(NAME, variable)?;
    let line = format!("{}={}\n", variable.key, STANDARD.encode(value));
    if line.len() > LONGEST_PAIR {
        let reason = "its value is longer than about 97000 bytes";
        return Err(ExportFailure::Variable { format, key, reason });
    }
    Ok(line)
}

/// What Dokku cannot keep, and what it does by itself.
fn notes(app: &ExportedApp) -> Vec<String> {
    let mut notes = common_notes(app, NAME, &format!("dokku logs {} --tail", app.name));
    notes.push("dokku reads the commands from the Procfile in the repository; bash runs them".to_owned());
    if app.release.is_some() {
        notes.push(
            "dokku runs the `release` line of the Procfile by itself at each deploy, before anything starts; it is not in app.json, \
             where it would run twice"
                .to_owned(),
        );
    } else if app.skips_release {
        notes.push(
            "dokku runs the `release` line of the Procfile at each deploy, also with `--no-release`: remove the line if it shall not \
             run"
                .to_owned(),
        );
    }
    if running(app, is_web).iter().any(|web| web.port != DOKKU_PORT) {
        notes.push(format!("dokku sets `PORT` to {DOKKU_PORT} for `web`, whatever the base port is"));
    }
    let others = running(app, |exported| exported.listens && !is_web(exported));
    if !others.is_empty() {
        notes.push(format!(
            "dokku sends requests to `web` alone: there is no port and no address for {}",
            listed(others)
        ));
    }
    notes.push(
        "dokku does not set `DYNO_URL`, `WEB_URL` and the like: add those that the app reads with `dokku config:set`"
            .to_owned(),
    );
    let rules = rules(app);
    if rules.len() > 1 {
        notes.push(
            "dokku has one restart policy for the whole app: the one of the types that are always restarted".to_owned(),
        );
    }
    let signals = running(app, |exported| exported.stop_signal != stop_signal(app));
    if !signals.is_empty() {
        notes.push(format!("dokku has one stop signal for the whole app: {} gets it, too", listed(signals)));
    }
    let alone = running(app, |exported| exported.stops_all);
    if !alone.is_empty() && !all_stop_together(app) {
        notes.push(format!("dokku sends the stop signal only to the first process of {}", listed(alone)));
    }
    let waits = running(app, |exported| !exported.after.is_empty());
    if !waits.is_empty() {
        notes.push(format!("dokku starts {} without waiting for others", listed(waits)));
    }
    let statuses =
        running(app, |exported| exported.readiness.check().is_some_and(|check| !has_default_statuses(check)));
    if !statuses.is_empty() {
        notes.push(format!("dokku accepts every status from 200 to 399 of {}", listed(statuses)));
    }
    if let Some(user) = &app.options.user {
        notes.push(format!("dokku runs the app as the user of its image, so that `--user {user}` has no effect"));
    }
    notes.extend(numbers_note(app));
    notes.extend(names_note(app, &format!("them with `dokku config:set {}`", app.name)));
    notes
}

/// The port that Dokku gives to `web`.
const DOKKU_PORT: u16 = 5000;

/// Dokku keeps a whole number as a number.
fn numbers_note(app: &ExportedApp) -> Option<String> {
    let is_odd = |variable: &&ExportedVariable| {
        let value = variable.value.reveal();
        let digits = value.strip_prefix(b"+").or_else(|| value.strip_prefix(b"-")).unwrap_or(value);
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        is_number && (value.starts_with(b"+") || digits.len() > 1 && digits.starts_with(b"0"))
    };
    let odd: Vec<String> =
        app.config_vars.iter().filter(is_odd).map(|variable| format!("`{}`", variable.key)).collect();
    let names = odd.join(", ");
    (!odd.is_empty())
        .then(|| format!("dokku may store {names} without leading zeros or `+`: check with `dokku config:get`"))
}

fn is_web(exported: &ExportedType) -> bool {
    exported.process_type.as_str() == ProcessType::WEB
}

/// The stop signal of the app: that of `web`, or of the first type.
fn stop_signal(app: &ExportedApp) -> i32 {
    let types = running(app, |_| true);
    let first = types.iter().find(|exported| is_web(exported)).or_else(|| types.first());
    first.map_or(SIGTERM, |exported| exported.stop_signal)
}

fn all_stop_together(app: &ExportedApp) -> bool {
    running(app, |exported| !exported.stops_all).is_empty()
}

/// The restart rules of all types, each once.
fn rules(app: &ExportedApp) -> Vec<RestartRule> {
    let mut rules = Vec::new();
    for exported in running(app, |_| true) {
        if !rules.contains(&exported.restart) {
            rules.push(exported.restart);
        }
    }
    rules
}

/// The `app.json` of the app with other quantities and, if an option asks for it, another health check.
fn app_json(app: &ExportedApp) -> String {
    let mut members: Map<String, Value> = serde_json::from_str(&app.app_json).unwrap_or_default();
    // The marker is a member of this name.
    members.remove(MARKER_KEY);
    let mut formation = object(members.remove("formation"));
    let types = app.types.iter().map(|exported| {
        let name = exported.process_type.to_string();
        let mut of_type = object(formation.remove(&name));
        of_type.insert("quantity".to_owned(), json!(exported.dynos.len()));
        (name, Value::Object(of_type))
    });
    let types = types.collect();
    members.insert("formation".to_owned(), Value::Object(types));
    let mut checks = object(members.remove("healthchecks"));
    if app.options.sets_readiness || !checks.contains_key(ProcessType::WEB) {
        let web = app.types.iter().find(|exported| is_web(exported));
        if let Some(check) = web.and_then(|web| health_check(app, web)) {
            checks.insert(ProcessType::WEB.to_owned(), json!([check]));
        }
    }
    if !checks.is_empty() {
        members.insert("healthchecks".to_owned(), Value::Object(checks));
    }
    format!("{:#}\n", Value::Object(members))
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members,
        Some(_) | None => Map::new(),
    }
}

/// Once a second, until it succeeds or a minute is over.
fn health_check(app: &ExportedApp, web: &ExportedType) -> Option<Value> {
    awaited_port(app, web)?;
    let attempts = super::containers::BOOT_SECONDS;
    Some(match &web.readiness {
        Readiness::Answers { check, .. } => json!({
            "type": "startup", "name": "web answers", "path": check.path(), "attempts": attempts, "wait": 1, "timeout": 5,
        }),
        Readiness::Runs | Readiness::Listens { .. } => json!({
            "type": "startup", "name": "web listens", "listening": true, "attempts": attempts, "wait": 1,
        }),
    })
}

fn script(app: &ExportedApp, notes: &[String]) -> Result<String, ExportFailure> {
    let name = &app.name;
    let mut text = format!(
        "#!/bin/sh\n#\n# Prepares the app on Dokku. Run it where `dokku` is a command: on the host, or with a client for it.\n\
         # The last lines say how to deploy.\n#\n{}\nset -eu\ncd \"$(dirname \"$0\")\"\n\n\
         dokku apps:exists {name} >/dev/null 2>&1 || dokku apps:create {name}\n",
        note_lines(notes)
    );
    if has_values(app) {
        let _ = write!(
            text,
            "\n# The config vars, in base64: no value has to be quoted, and none is in the history of a shell.\n\
             grep -v '^#' {} | xargs -s {} dokku config:set --no-restart --encoded {name}\n",
            app.env_file(),
            LONGEST_PAIR + 200
        );
    }
    let shared = app.shared_variables.iter().map(|variable| {
        let pair = [variable.key.as_bytes(), b"=", variable.value.reveal()].concat();
        String::from_utf8_lossy(&quote_word(&pair)).into_owned()
    });
    let shared: Vec<String> = shared.collect();
    if !shared.is_empty() {
        let _ = writeln!(text, "dokku config:set --no-restart {name} {}", shared.join(" "));
    }
    let rule = match (rules(app).as_slice(), app.options.restarts.max_restarts) {
        ([RestartRule::OnFailure], None) => "on-failure".to_owned(),
        ([RestartRule::OnFailure], Some(most)) => format!("on-failure:{most}"),
        ([RestartRule::Never], _) => "no".to_owned(),
        _ => "unless-stopped".to_owned(),
    };
    let grace = app.grace.as_secs() + u64::from(app.grace.subsec_nanos() > 0);
    let _ =
        write!(text, "\ndokku ps:set {name} restart-policy {rule}\ndokku ps:set {name} stop-timeout-seconds {grace}\n");
    if stop_signal(app) != SIGTERM {
        text.push_str(&docker_option(name, &format!("--stop-signal={}", signal_name(stop_signal(app)))));
    }
    if !running(app, |_| true).is_empty() && all_stop_together(app) {
        text.push_str("# The stop signal goes to all processes.\n");
        text.push_str(&docker_option(name, "--env=TINI_KILL_PROCESS_GROUP=1"));
    }
    if app.options.host.is_some() {
        let _ = writeln!(text, "dokku domains:set {name} {}", host(NAME, app)?);
    }
    text.push_str(&deploy(app));
    Ok(text)
}

fn docker_option(name: &str, option: &str) -> String {
    format!("dokku docker-options:add {name} deploy {option}\n")
}

/// Where Dokku finds `app.json`, and how to deploy.
fn deploy(app: &ExportedApp) -> String {
    let name = &app.name;
    let below = app.options.target.as_deref().and_then(|target| target.strip_prefix(&app.directory).ok());
    let below = below.and_then(|path| path.to_str()).filter(|path| !path.is_empty());
    let place = match below {
        Some(path) => {
            let path = quote_word(format!("{path}/{APP_JSON}").as_bytes());
            format!("dokku app-json:set {name} appjson-path {}\n", String::from_utf8_lossy(&path))
        }
        None => String::new(),
    };
    let commit = format!("# Commit {APP_JSON} with the app, but never {}.", app.env_file());
    match &app.options.image {
        Some(image) => {
            let image = quote_word(image.as_bytes());
            let image = String::from_utf8_lossy(&image);
            format!(
                "{place}\n# The image has to contain the Procfile and {APP_JSON}. Then deploy:\n#   dokku git:from-image {name} {image}\n"
            )
        }
        None => format!(
            "{place}\n{commit} Then deploy:\n#   git remote add dokku dokku@HOST:{name}\n#   git push dokku main\n"
        ),
    }
}
