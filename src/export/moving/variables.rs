//! Config vars that a platform refuses, or whose values mean something else there. Their values are never shown.

use super::{MoveFinding, MovePlace, MoveTarget};
use crate::export::ExportedVariable;

/// The most bytes that all config vars of an app on Heroku may have.
const HEROKU_BYTES: usize = 64 * 1024;

/// Names of this machine.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

pub(super) fn find(target: MoveTarget, variables: &[ExportedVariable]) -> Vec<MoveFinding> {
    let mut findings: Vec<MoveFinding> = variables.iter().flat_map(|variable| of_variable(target, variable)).collect();
    let bytes: usize = variables.iter().map(|variable| variable.key.len() + variable.value.reveal().len()).sum();
    if target == MoveTarget::Heroku && bytes > HEROKU_BYTES {
        let message = format!("the config vars have {bytes} bytes, and heroku accepts {HEROKU_BYTES}");
        let hint = "move long values to files or to a service: `dyno config` lists them".to_owned();
        findings.push(MoveFinding { is_certain: true, place: MovePlace::App, message, hint });
    }
    findings
}

fn of_variable(target: MoveTarget, variable: &ExportedVariable) -> Vec<MoveFinding> {
    let found = |is_certain, message: String, hint: String| MoveFinding {
        is_certain,
        place: MovePlace::Variable(variable.key.clone()),
        message,
        hint,
    };
    let key = &variable.key;
    let is_heroku = target == MoveTarget::Heroku;
    let mut findings = Vec::new();
    if is_heroku {
        findings.extend(of_heroku(variable).map(|(is_certain, message, hint)| found(is_certain, message, hint)));
    }
    if target == MoveTarget::Cnb && variable.value.reveal().contains(&b'\n') {
        let message = format!("`{key}` has several lines, which an `--env-file` of docker cannot have");
        findings.push(found(false, message, format!("hand it over on its own: `docker run --env {key} IMAGE`")));
    }
    if !target.loses_files() {
        return findings;
    }
    let Ok(value) = std::str::from_utf8(variable.value.reveal()) else { return findings };
    if is_sqlite(value) {
        let lost = if is_heroku {
            "heroku loses its file at each restart"
        } else {
            "its file is lost with the container, unless it is on a volume"
        };
        let message = format!("`{key}` names an SQLite database, and {lost}");
        findings.push(found(is_heroku, message, database_hint(target)));
    } else if let Some(host) = local_host(value) {
        let place = if is_heroku { "dyno" } else { "container" };
        let message = format!("`{key}` leads to `{host}`, which is the {place} itself after the move");
        findings.push(found(false, message, set_hint(target, key)));
    }
    findings
}

/// What Heroku's API refuses or its dynos hide.
fn of_heroku(variable: &ExportedVariable) -> Option<(bool, String, String)> {
    let key = &variable.key;
    let rename = || format!("rename it, here and in the app: only A-Z a-z 0-9 _, such as `{}`", word(key));
    if key.contains(['.', '-']) {
        return Some((true, format!("heroku refuses the name `{key}`"), rename()));
    }
    if std::str::from_utf8(variable.value.reveal()).is_err() {
        let hint = "encode it, for example with base64, and decode it in the app".to_owned();
        return Some((true, format!("heroku refuses the value of `{key}`: it is not UTF-8"), hint));
    }
    if key == "PORT" {
        let message = "heroku chooses `PORT` for each dyno, and a config var of this name can hide that".to_owned();
        return Some((false, message, "do not take it along: `heroku config:unset PORT`".to_owned()));
    }
    if key.starts_with(|first: char| first.is_ascii_digit()) {
        return Some((false, format!("heroku advises against `{key}`: it begins with a digit"), rename()));
    }
    if key.starts_with("HEROKU_") || key.contains("__") {
        let message = format!("heroku keeps names such as `{key}` for itself");
        return Some((false, message, "rename it, here and in the app".to_owned()));
    }
    None
}

/// The name with `_` in the place of other characters.
fn word(key: &str) -> String {
    let word = key.replace(['.', '-'], "_");
    if word.starts_with(|first: char| first.is_ascii_digit()) { format!("_{word}") } else { word }
}

fn is_sqlite(value: &str) -> bool {
    let path = value.split('?').next().unwrap_or_default();
    let is_url = ["sqlite:", "sqlite3:", "sqlite+", "jdbc:sqlite:"].iter().any(|scheme| value.starts_with(scheme));
    // That of Prisma: `file:./dev.db`.
    let is_file = path.starts_with("file:") && path.rsplit_once('.').is_some_and(|(_, extension)| extension == "db");
    let is_memory = value.contains(":memory:");
    !is_memory && (is_url || is_file || path.ends_with(".sqlite3") || path.ends_with(".sqlite"))
}

fn database_hint(target: MoveTarget) -> String {
    match target {
        MoveTarget::Heroku => "use a database: `heroku addons:create heroku-postgresql`",
        MoveTarget::Dokku => "keep the file: `dokku storage:mount APP /var/lib/dokku/data/storage/APP:/app/storage`",
        MoveTarget::Kubernetes => {
            "use a database, or mount a volume: `kubectl explain pod.spec.volumes.persistentVolumeClaim` says how"
        }
        MoveTarget::Compose => "mount a volume at its directory: `volumes: [\"data:/app/storage\"]`",
        MoveTarget::Systemd | MoveTarget::Cnb => "keep the file: `docker run --volume data:/app/storage IMAGE`",
    }
    .to_owned()
}

/// The host of a URL, if it is this machine.
fn local_host(value: &str) -> Option<&'static str> {
    let (scheme, rest) = value.split_once("://")?;
    let is_scheme =
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    LOCAL_HOSTS
        .into_iter()
        .filter(|_| is_scheme)
        .find(|known| host.strip_prefix(known).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

fn set_hint(target: MoveTarget, key: &str) -> String {
    let there = match target {
        MoveTarget::Heroku => format!("heroku config:set {key}=…"),
        MoveTarget::Dokku => format!("dokku config:set APP {key}=…"),
        MoveTarget::Kubernetes | MoveTarget::Compose | MoveTarget::Systemd => {
            format!("dyno export {target} --set {key}=…")
        }
        MoveTarget::Cnb => format!("docker run --env {key}=… IMAGE"),
    };
    format!("give it the address of the service there: `{there}`")
}
