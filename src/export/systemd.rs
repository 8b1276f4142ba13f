//! Units for systemd: a target for the app, a service for each dyno, and one for the release command.
//!
//! The names are those of foreman: `APP.target`, `APP-web.1.service`.

mod quoting;

use std::fmt::Write as _;
use std::time::Duration;

use self::quoting::{assignment, env_line, path, word};
use super::run_script::order_notes;
use super::values_file::{values_file, values_note};
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
    let line = |variable: &ExportedVariable| env_line(&variable.key, variable.value.reveal()).map(String::into_bytes);
    let mut files = vec![values_file(app, &marker, line)?];
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
        let (base, cap) = (pause(app).as_secs_f64(), app.options.restarts.cap.as_secs_f64());
        notes.push(if pause(app) < app.options.restarts.cap {
            format!(
                "systemd always waits {base} s before a restart; from version 254 on, `RestartSteps=6` and \
                 `RestartMaxDelaySec={cap}` in `[Service]` make it wait longer each time: add them with `systemctl edit`"
            )
        } else {
            format!("systemd waits {base} s before each restart")
        });
        if let Some(most) = app.options.restarts.max_restarts {
            let (starts, interval) = (most.saturating_add(1), limit_interval(app, most).as_secs_f64());
            let starts = if starts == 1 { "1 start".to_owned() } else { format!("{starts} starts") };
            notes.push(format!(
                "systemd gives up after {starts} of a dyno within {interval} s; starts by hand count, too: `systemctl reset-failed` \
                 lets it start again"
            ));
        }
    }
    if runs().any(|exported| !exported.stops_all) {
        notes.push(
            "systemd sends the stop signal to the first process of a dyno, and then SIGKILL to those that outlive it"
                .to_owned(),
        );
    }
    notes.extend(order_notes(NAME, app));
    if let Some(user) = app.options.user.as_deref().filter(|_| app.options.user_units) {
        notes.push(format!(
            "`systemctl --user` starts nothing as `{user}` unless root calls it: leave `--user {user}` out"
        ));
    }
    notes.extend(values_note(app));
    notes
}

/// The pause before each restart.
fn pause(app: &ExportedApp) -> Duration {
    app.options.restarts.base.min(app.options.restarts.cap)
}

/// systemd counts the starts within a time. This one is as long as a dyno takes to use up its restarts if it never stays up long
/// enough for the count to begin again (S6.4).
fn limit_interval(app: &ExportedApp, most: u32) -> Duration {
    (app.options.restarts.min_healthy + pause(app)).saturating_mul(most.saturating_add(1))
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
    match app.options.restarts.max_restarts {
        None => text.push_str("StartLimitIntervalSec=0\n"),
        Some(most) => {
            let (interval, burst) = (limit_interval(app, most).as_secs_f64(), most.saturating_add(1));
            let _ = write!(text, "StartLimitIntervalSec={interval}\nStartLimitBurst={burst}\n");
        }
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
        pause(app).as_secs_f64(),
        if exported.stops_all { "control-group" } else { "mixed" },
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
    let _ = writeln!(text, "EnvironmentFile={}", path(&directory.join(app.env_file()))?);
    let _ = writeln!(text, "ExecStart={} -c {}", command.shell, word(&command.line));
    let _ = writeln!(text, "SyslogIdentifier={}-{name}", app.name);
    if let Some(logs) = &app.options.log_dir {
        let file = path(&logs.join(format!("{name}.log")))?;
        let _ = write!(text, "StandardOutput=append:{file}\nStandardError=append:{file}\n");
    }
    Ok(text)
}
