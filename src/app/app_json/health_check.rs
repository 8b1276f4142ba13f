//! The health checks of `app.json`, in the shape of dokku.

use super::json_value::{JsonMember, JsonValue};
use super::reader::AppJsonReader;
use crate::model::HttpCheck;

/// What a health check is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthCheckKind {
    /// Whether it has started.
    Startup,
    /// Whether it can get requests.
    Readiness,
    /// Whether it still works.
    Liveness,
}

/// A health check of a process type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// The name of the process type.
    pub process_type: String,
    /// 1-based line.
    pub line: usize,
    /// What it is for. None: the file does not say it.
    pub kind: Option<HealthCheckKind>,
    /// The request that is sent. None: it is another check, or one that cannot be sent.
    pub http: Option<HttpCheck>,
    /// The port that is asked, if not that of the dyno.
    pub port: Option<u16>,
    /// Whether it is enough that something listens.
    pub listening: bool,
    /// How often it is tried.
    pub attempts: Option<u64>,
    /// Seconds between two tries.
    pub wait: Option<u64>,
    /// Seconds that an answer may take.
    pub timeout: Option<u64>,
    /// Seconds before the first try.
    pub initial_delay: Option<u64>,
    /// Its keys that `dyno` cannot do, such as `command`, in the order of the file.
    pub left_out: Vec<&'static str>,
}

/// Keys that change what is checked.
const NOT_DONE: [&str; 5] = ["command", "content", "uptime", "httpHeaders", "port"];

impl HealthCheck {
    /// Whether it tells when a dyno is ready, better than most. None: it does not tell that.
    pub(super) fn rank(&self) -> Option<u8> {
        let says_it = self.http.is_some() || self.listening;
        match self.kind.filter(|_| says_it) {
            Some(HealthCheckKind::Readiness) => Some(0),
            Some(HealthCheckKind::Startup) => Some(1),
            None if says_it => Some(2),
            Some(HealthCheckKind::Liveness) | None => None,
        }
    }
}

/// The health checks of all process types.
pub(super) fn read(value: JsonValue<'_>, reader: &mut AppJsonReader) -> Vec<HealthCheck> {
    let hint = "write `\"healthchecks\": {\"web\": [{\"type\": \"readiness\", \"path\": \"/health\"}]}`";
    let mut checks = Vec::new();
    for member in reader.members("healthchecks", value, hint) {
        let Some(items) = member.value.items() else {
            let what = format!("`{}` in `healthchecks`", member.name);
            reader.refuse(&member, &what, "a list", hint);
            continue;
        };
        for item in items {
            if let Some(members) = item.members() {
                checks.push(check(&member.name, item.line(), &members, reader));
            } else {
                let what = format!("a health check of `{}`", member.name);
                reader.refuse_value(item, &member.name, &what, "an object", hint);
            }
        }
    }
    checks
}

fn check(process_type: &str, line: usize, members: &[JsonMember<'_>], reader: &mut AppJsonReader) -> HealthCheck {
    let mut check = HealthCheck { process_type: process_type.to_owned(), line, ..HealthCheck::default() };
    let mut is_https = false;
    for member in members {
        check.left_out.extend(NOT_DONE.into_iter().find(|key| *key == member.name));
        match member.name.as_str() {
            "type" => check.kind = kind(member, reader).or(check.kind),
            "path" => check.http = path(member, reader),
            "scheme" => is_https = member.value.text().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
            "listening" => check.listening = member.value.switch().unwrap_or(false),
            "port" => {
                let number = member.value.number().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
                if number.is_none() {
                    let hint = "write a number, such as 5000, or leave it out: each dyno has a port of its own";
                    reader.refuse_text(member, "`port` of a health check is not a number from 1 to 65535", hint);
                }
                check.port = number;
            }
            "attempts" => check.attempts = number(member, reader),
            "wait" => check.wait = number(member, reader),
            "timeout" => check.timeout = number(member, reader),
            "initialDelay" => check.initial_delay = number(member, reader),
            _ => {}
        }
    }
    if is_https {
        check.http = None;
        check.left_out.push("scheme");
    }
    check
}

fn kind(member: &JsonMember<'_>, reader: &mut AppJsonReader) -> Option<HealthCheckKind> {
    match member.value.text().as_deref() {
        Some("startup") => Some(HealthCheckKind::Startup),
        Some("readiness") => Some(HealthCheckKind::Readiness),
        Some("liveness") => Some(HealthCheckKind::Liveness),
        Some("") => None,
        Some(_) | None => {
            let hint = "write `startup`, `readiness` or `liveness`";
            reader.refuse_text(member, "`type` of a health check is not one that exists", hint);
            None
        }
    }
}

fn path(member: &JsonMember<'_>, reader: &mut AppJsonReader) -> Option<HttpCheck> {
    if member.value.is_null() {
        return None;
    }
    let text = member.value.text();
    // dokku requests `/` then.
    let text = text.map(|path| if path.is_empty() { "/".to_owned() } else { path });
    let check = text.as_deref().and_then(HttpCheck::of_path);
    if check.is_none() {
        let hint = "write a path that begins with `/`, such as `\"path\": \"/health\"`, and encode blanks as `%20`";
        reader.refuse_text(member, "`path` of a health check cannot be requested", hint);
    }
    check
}

fn number(member: &JsonMember<'_>, reader: &mut AppJsonReader) -> Option<u64> {
    let number = member.value.number();
    if number.is_none() && !member.value.is_null() {
        let what = format!("`{}` of a health check", member.name);
        reader.refuse(member, &what, "a whole number", "write a number without quotes, such as 5");
    }
    number
}
