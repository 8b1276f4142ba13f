//! Services for Docker Compose: one for each process type, and one for the release command.
//!
//! The values of config vars are in `APP.env`, which the containers get as `env_file`.

use super::containers::{
    arguments, awaited_port, common_notes, image, label, listed, note_lines, only_dyno, place_note, running,
    shared_variables, value,
};
use super::stop_signal::{SIGTERM, signal_name};
use super::values_file::{values_file, values_note};
use super::yaml::{Yaml, YamlMap};
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedCommand, ExportedType,
    ExportedVariable, Marker, RestartRule,
};
use crate::app::{Prerequisite, Until, quote_word};
use crate::model::{HttpCheck, ProcessType, Readiness};

const NAME: &str = "compose";

/// Compose finds a file of this name by itself.
const FILE: &str = "compose.yaml";

/// The service of the release command.
const RELEASE: &str = "release";

/// Between two checks of a container that is up, in seconds.
const CHECK_SECONDS: u64 = 10;

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    check_name(app)?;
    let marker = Marker::new(ExportFormat::Compose, &app.name);
    let file = |name: String, text: String| ExportFile::new(name, &marker, CommentStyle::Hash, text);
    let notes = notes(app);
    let mut files = Vec::new();
    if has_values(app) {
        files.push(values_file(app, &marker, env_line)?);
    }
    let text = format!("{}{}", header(app, &notes), project(app)?.text());
    files.push(file(FILE.to_owned(), text));
    Ok(Exported { files, notes })
}

/// The name of the project becomes a part of the names of containers.
fn check_name(app: &ExportedApp) -> Result<(), ExportFailure> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_good = app.name.bytes().all(is_part) && app.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let reason = "names there may only have a-z 0-9 _ -, and begin with a letter or a digit";
    if is_good { Ok(()) } else { Err(ExportFailure::App { format: NAME, app: app.name.clone(), reason }) }
}

fn has_values(app: &ExportedApp) -> bool {
    !app.config_vars.is_empty()
}

fn header(app: &ExportedApp, notes: &[String]) -> String {
    let release = if app.release.is_some() {
        "# Each `up` runs the release command first. If it fails, nothing else starts.\n"
    } else {
        ""
    };
    format!(
        "#\n# The app as containers, in this directory:\n#   docker compose up --detach\n#   docker compose logs --follow\n\
         #   docker compose stop\n{release}#\n{}\n",
        note_lines(notes)
    )
}

/// What compose cannot keep, and what it needs.
fn notes(app: &ExportedApp) -> Vec<String> {
    let mut notes = vec![place_note()];
    notes.extend(common_notes(app, NAME, "docker compose logs"));
    let several = running(app, |exported| exported.dynos.len() > 1);
    if let Some(first) = several.first() {
        notes.push(format!(
            "containers of one service have the same variables: `DYNO` is `{}` in each, without a number, and `PORT` is {}",
            first.process_type, first.port
        ));
    }
    let asked = running(app, |exported| matches!(exported.readiness, Readiness::Answers { .. }));
    if !asked.is_empty() {
        notes.push(format!("the health check of {} needs bash in the image", listed(asked)));
    }
    let listens = running(app, |exported| {
        !matches!(exported.readiness, Readiness::Answers { .. }) && awaited_port(app, exported).is_some()
    });
    if !listens.is_empty() {
        notes.push(format!("the health check of {} needs grep in the image", listed(listens)));
    }
    notes.extend(values_note(app));
    notes
}

fn project(app: &ExportedApp) -> Result<YamlMap, ExportFailure> {
    let mut common = YamlMap::anchored("app").with("image", image(NAME, app)?);
    if has_values(app) {
        common = common.with("env_file", vec![app.env_file()]);
    }
    if let Some(user) = &app.options.user {
        common = common.with("user", literal(user));
    }
    // As first process of a container, a program that does not handle a signal would ignore it.
    common = common.with("init", true);
    let mut variables = YamlMap::anchored("variables");
    for variable in shared_variables(app, host_of) {
        variables = variables.with(&variable.key, literal(&value(NAME, &variable)?));
    }
    let mut services = YamlMap::new();
    if let Some(command) = &app.release {
        services = services.gap().with(RELEASE, release(app, command)?);
    }
    for exported in &app.types {
        services = services.gap().with(exported.process_type.as_str(), service(app, exported)?);
    }
    Ok(YamlMap::new()
        .with("name", app.name.as_str())
        .gap()
        .with("x-app", common)
        .gap()
        .with("x-variables", variables)
        .gap()
        .with("services", services))
}

fn release(app: &ExportedApp, command: &ExportedCommand) -> Result<YamlMap, ExportFailure> {
    Ok(YamlMap::new()
        .comment(&command.shown)
        .merged("app")
        .with("command", literals(&arguments(NAME, (&ProcessType::release(), command), SIGTERM)?))
        .with("environment", environment("release.1", None, command.shell_leads))
        .with("stop_grace_period", duration(app.grace.as_millis()))
        .with("restart", "no"))
}

fn service(app: &ExportedApp, exported: &ExportedType) -> Result<YamlMap, ExportFailure> {
    let process_type = &exported.process_type;
    let dyno = only_dyno(exported).unwrap_or_else(|| process_type.to_string());
    let quantity = u64::try_from(exported.dynos.len()).unwrap_or(u64::MAX);
    let mut service = YamlMap::new()
        .comment(&exported.command.shown)
        .merged("app")
        .with("command", literals(&arguments(NAME, (process_type, &exported.command), exported.stop_signal)?))
        .with("environment", environment(&dyno, Some(exported.port), exported.stops_all))
        .with("deploy", YamlMap::new().with("replicas", quantity));
    if process_type.as_str() == ProcessType::WEB {
        service = service.with("ports", vec![published(exported)]);
    }
    let host = host_of(process_type);
    if exported.listens && host != process_type.as_str() {
        let aliases = YamlMap::new().with("aliases", vec![host]);
        service = service.with("networks", YamlMap::new().with("default", aliases));
    }
    service = service.with_some("healthcheck", health_check(app, exported));
    let conditions = conditions(app, exported);
    if !conditions.is_empty() {
        service = service.with("depends_on", conditions);
    }
    // Always, because an image can have a stop signal of its own.
    let signal = signal_name(exported.stop_signal);
    let has_name = signal.starts_with(|c: char| c.is_ascii_alphabetic());
    Ok(service
        .with("stop_signal", if has_name { format!("SIG{signal}") } else { signal })
        .with("stop_grace_period", duration(app.grace.as_millis()))
        .with("restart", restart(app, exported.restart)))
}

/// The variables that only this type has. Without a port, it is the release command.
fn environment(dyno: &str, port: Option<u16>, stops_all: bool) -> YamlMap {
    let mut variables = YamlMap::new().merged("variables");
    for key in ["DYNO", "PS"] {
        variables = variables.with(key, dyno);
    }
    variables = variables.with_some("PORT", port.map(|port| port.to_string()));
    if stops_all {
        variables = variables.comment("The stop signal goes to all processes.").with("TINI_KILL_PROCESS_GROUP", "1");
    }
    variables
}

/// The ports of the machine, one for each container, and the port in the containers.
fn published(exported: &ExportedType) -> String {
    let port = exported.port;
    let last = exported.dynos.last().map_or(port, |dyno| dyno.port);
    if last > port { format!("{port}-{last}:{port}") } else { format!("{port}:{port}") }
}

/// The host name of a service. Some programs refuse names that have a `_`.
fn host_of(process_type: &ProcessType) -> String {
    label(process_type.as_str())
}

fn restart(app: &ExportedApp, rule: RestartRule) -> String {
    match (rule, app.options.restarts.max_restarts) {
        (RestartRule::Always, _) => "unless-stopped".to_owned(),
        (RestartRule::OnFailure, None) => "on-failure".to_owned(),
        (RestartRule::OnFailure, Some(most)) => format!("on-failure:{most}"),
        (RestartRule::Never, _) => "no".to_owned(),
    }
}

fn duration(milliseconds: u128) -> String {
    if milliseconds.is_multiple_of(1000) { format!("{}s", milliseconds / 1000) } else { format!("{milliseconds}ms") }
}

fn health_check(app: &ExportedApp, exported: &ExportedType) -> Option<YamlMap> {
    let port = awaited_port(app, exported)?;
    let test = match &exported.readiness {
        Readiness::Answers { check, .. } => {
            vec!["CMD".to_owned(), "bash".to_owned(), "-c".to_owned(), asks(port, check)]
        }
        Readiness::Runs | Readiness::Listens { .. } => listens(port),
    };
    Some(
        YamlMap::new()
            .with("test", literals(&test))
            .with("interval", duration(u128::from(CHECK_SECONDS) * 1000))
            .with("timeout", "5s")
            .with("start_period", duration(u128::from(super::containers::BOOT_SECONDS) * 1000))
            .with("start_interval", "1s"),
    )
}

/// Looks for the port among the sockets of the container that listen. No connection is made, and no shell is needed.
fn listens(port: u16) -> Vec<String> {
    let pattern = format!(":{port:04X} 0+:0000 0A ");
    ["CMD", "grep", "-qsE", &pattern, "/proc/net/tcp", "/proc/net/tcp6"].map(str::to_owned).into()
}

/// The same request that `dyno start --http` makes.
fn asks(port: u16, check: &HttpCheck) -> String {
    let (first, last) = check.statuses();
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET %s HTTP/1.0\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n' {} >&3 && \
         read -r _ status _ <&3 && [ \"$status\" -ge {first} ] && [ \"$status\" -le {last} ]",
        String::from_utf8_lossy(&quote_word(check.path().as_bytes()))
    )
}

/// What must have happened before a service starts.
fn conditions(app: &ExportedApp, exported: &ExportedType) -> YamlMap {
    let condition = |name: &str| YamlMap::new().with("condition", name);
    let mut all = YamlMap::new();
    if app.release.is_some() {
        all = all.with(RELEASE, condition("service_completed_successfully"));
    }
    let runs = |one: &&Prerequisite| !running(app, |other| other.process_type == one.process_type).is_empty();
    for one in exported.after.iter().filter(runs) {
        let until = match one.until {
            Until::Listens | Until::ListensOn(_) => "service_healthy",
            Until::Done => "service_completed_successfully",
            Until::Started => "service_started",
        };
        all = all.with(one.process_type.as_str(), condition(until));
    }
    all
}

/// A text in which compose shall not look for variables.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn literals(words: &[String]) -> Yaml {
    words.iter().map(|word| literal(word)).collect::<Vec<_>>().into()
}

/// A line of an `env_file`: in double quotes, `$` and a backslash are special.
fn env_line(variable: &ExportedVariable) -> Result<Vec<u8>, ExportFailure> {
    let mut text = format!("{}=\"", variable.key);
    for c in value(NAME, variable)?.chars() {
        match c {
            '"' | '\\' | '$' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            c => text.push(c),
        }
    }
    text.push_str("\"\n");
    Ok(text.into_bytes())
}
