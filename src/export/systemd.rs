//! Units for systemd: a target for the app, a service for each dyno, and one for the release command.
//!
//! The names are those of foreman: `APP.target`, `APP-web.1.service`.

mod quoting;

use std::fmt::Write as _;

use self::quoting::{assignment, env_line, path, word};
use super::run_script::order_notes;
use super::waiting::wait_until_ready;
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedCommand, ExportedType,
    ExportedVariable, Marker, RestartRule,
};

const NAME: &str = "systemd";

/// Where the files are, if the directory is not known.
const UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// How long a dyno may take to listen.
const BOOT_SECONDS: u64 = 60;

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::Systemd, &app.name);
    let notes = notes(app);
    let file = |name: String, text: String| ExportFile::new(name, &marker, CommentStyle::Hash, text);
    let mut files = Vec::new();
    if app.options.without_values {
        let names: Vec<&str> = app.config_vars.iter().flat_map(|variable| [variable.key.as_str(), "=\n"]).collect();
        let text = names.concat();
        files.push(file(format!("{}.example", env_file(app)), text));
    } else {
        let lines = app.config_vars.iter().map(|variable| env_line(&variable.key, variable.value.reveal()));
        let text: String = lines.collect::<Result<_, _>>()?;
        files.push(file(env_file(app), text).secret());
    }
    if let Some(command) = &app.release {
        files.push(file(release_unit(app), release_service(app, command)?));
    }
    for exported in &app.types {
        for dyno in &exported.dynos {
            let unit = format!("{}-{}.service", app.name, dyno.name);
            files
                .push(file(unit, service(app, exported, &dyno.name.to_string(), &app.own_variables(dyno), dyno.port)?));
        }
    }
    files.push(file(target(app), target_unit(app, &notes)));
    Ok(Exported { files, notes })
}

/// The name of the file with the values of the config vars.
fn env_file(app: &ExportedApp) -> String {
    format!("{}.env", app.name)
}

fn target(app: &ExportedApp) -> String {
    format!("{}.target", app.name)
}

fn release_unit(app: &ExportedApp) -> String {
    format!("{}-release.service", app.name)
}

/// The services of a process type, separated by blanks.
fn units(app: &ExportedApp, exported: &ExportedType) -> String {
    let units: Vec<String> = exported.dynos.iter().map(|dyno| format!("{}-{}.service", app.name, dyno.name)).collect();
    units.join(" ")
}

/// What systemd cannot keep.
fn notes(app: &ExportedApp) -> Vec<String> {
    let runs = || app.types.iter().filter(|exported| !exported.dynos.is_empty());
    let mut notes = Vec::new();
    if runs().any(|exported| exported.restart != RestartRule::Never) {
        let (base, cap) = (app.restarts.base.as_secs(), app.restarts.cap.as_secs());
        notes.push(format!(
            "systemd before version 254 always waits {base} s before a restart; later ones wait longer each time if \
             you add `RestartSteps=6` and `RestartMaxDelaySec={cap}`"
        ));
    }
    if runs().any(|exported| !stops_all(exported)) {
        notes.push(
            "systemd stops the first process of a dyno, and kills those that outlive it without a stop signal"
                .to_owned(),
        );
    }
    notes.extend(order_notes(NAME, app));
    if app.options.without_values {
        let file = env_file(app);
        notes.push(format!("the values of config vars are left out: copy {file}.example to {file} and fill it in"));
    }
    notes
}

pub(super) fn stops_all(exported: &ExportedType) -> bool {
    exported.stops_all || exported.command.shell_leads
}

fn target_unit(app: &ExportedApp, notes: &[String]) -> String {
    let mut text = String::new();
    for note in notes {
        let _ = writeln!(text, "# {note}");
    }
    let all: Vec<String> =
        app.types.iter().map(|exported| units(app, exported)).filter(|units| !units.is_empty()).collect();
    let wanted_by = if app.options.user_units { "default.target" } else { "multi-user.target" };
    let _ =
        write!(text, "[Unit]\nDescription={}\nWants={}\n\n[Install]\nWantedBy={wanted_by}\n", app.name, all.join(" "));
    text
}

fn release_service(app: &ExportedApp, command: &ExportedCommand) -> Result<String, ExportFailure> {
    let mut text = format!(
        "# {}\n[Unit]\nDescription={} release\nPartOf={}\n{}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
         TimeoutStartSec=infinity\n",
        command.shown,
        app.name,
        target(app),
        if app.options.user_units { "" } else { "After=network.target\n" }
    );
    text.push_str(&program(app, "release", command, &app.release_variables())?);
    Ok(text)
}

fn service(
    app: &ExportedApp,
    exported: &ExportedType,
    dyno: &str,
    variables: &[ExportedVariable],
    port: u16,
) -> Result<String, ExportFailure> {
    let mut text =
        format!("# {}\n[Unit]\nDescription={} {dyno}\nPartOf={}\n", exported.command.shown, app.name, target(app));
    let mut after = Vec::new();
    if !app.options.user_units {
        after.push("network.target".to_owned());
    }
    if app.release.is_some() {
        let _ = writeln!(text, "Requires={}", release_unit(app));
        after.push(release_unit(app));
    }
    let awaited = exported.after.iter().filter_map(|one| {
        app.types.iter().find(|other| other.process_type == one.process_type && !other.dynos.is_empty())
    });
    for other in awaited {
        let _ = writeln!(text, "Wants={}", units(app, other));
        after.push(units(app, other));
    }
    if !after.is_empty() {
        let _ = writeln!(text, "After={}", after.join(" "));
    }
    text.push_str(match app.restarts.max_restarts {
        None => "StartLimitIntervalSec=0\n",
        Some(_) => "StartLimitIntervalSec=infinity\n",
    });
    if let Some(most) = app.restarts.max_restarts {
        let _ = writeln!(text, "StartLimitBurst={}", most.saturating_add(1));
    }
    text.push_str("\n[Service]\nType=exec\n");
    text.push_str(&program(app, dyno, &exported.command, variables)?);
    if let Some(wait) = wait_until_ready(app, exported, port) {
        let _ = write!(text, "ExecStartPost=/bin/bash -c {}\nTimeoutStartSec={BOOT_SECONDS}\n", word(wait.as_bytes()));
    }
    let restart = match exported.restart {
        RestartRule::Always => "always",
        RestartRule::OnFailure => "on-failure",
        RestartRule::Never => "no",
    };
    let _ = write!(
        text,
        "Restart={restart}\nRestartSec={}\nKillMode={}\nKillSignal={}\nTimeoutStopSec={}\n",
        app.restarts.base.as_secs_f64(),
        if stops_all(exported) { "control-group" } else { "mixed" },
        exported.stop_signal,
        // 0 would mean that there is no limit.
        app.grace.as_secs_f64().max(0.001)
    );
    Ok(text)
}

/// What a service runs, and in which surroundings. `name`: what its lines in the log are called.
fn program(
    app: &ExportedApp,
    name: &str,
    command: &ExportedCommand,
    variables: &[ExportedVariable],
) -> Result<String, ExportFailure> {
    let mut text = String::new();
    if let Some(user) = &app.options.user {
        let _ = writeln!(text, "User={user}");
    }
    let _ = writeln!(text, "WorkingDirectory={}", path(&app.directory)?);
    for variable in variables {
        let _ = writeln!(text, "Environment={}", assignment(&variable.key, variable.value.reveal()));
    }
    let directory = app.options.target.as_deref().unwrap_or_else(|| std::path::Path::new(UNIT_DIRECTORY));
    // The values of config vars are written below, and win.
    let _ = writeln!(text, "EnvironmentFile={}", path(&directory.join(env_file(app)))?);
    let _ = writeln!(text, "ExecStart={} -c {}", command.shell, word(&command.line));
    let _ = writeln!(text, "SyslogIdentifier={}-{name}", app.name);
    if let Some(logs) = &app.options.log_dir {
        let file = path(&logs.join(format!("{name}.log")))?;
        let _ = write!(text, "StandardOutput=append:{file}\nStandardError=append:{file}\n");
    }
    Ok(text)
}
