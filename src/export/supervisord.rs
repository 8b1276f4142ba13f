//! A file for supervisord: `APP.conf`, with a program for each dyno and a group for the app.
//!
//! `sh` reads the values of the config vars from `APP.env` and then executes the command. supervisord knows no order, so `sh` also
//! waits for the release command.

use std::fmt::Write as _;
use std::path::Path;
use std::slice::from_ref;

use super::run_script::{keep_open, order_notes, wait};
use super::service_directory::home_of;
use super::sh_text::{ShText, exports};
use super::stop_signal::signal_name;
use super::values_file::{values_file, values_note};
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedCommand, ExportedDyno,
    ExportedType, ExportedVariable, Marker, RestartRule,
};
use crate::model::{ProcessType, Readiness};

const NAME: &str = "supervisord";

/// Where the files are, if the directory is not known.
const DIRECTORY: &str = "/etc/supervisor/conf.d";

/// supervisord has no word for `without a limit`.
const MANY: u32 = 1_000_000_000;

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::Supervisord, &app.name);
    let notes = notes(app);
    let mut files = vec![values_file(app, &marker, |variable| exports(NAME, from_ref(variable)))?];
    let mut text = String::new();
    for note in &notes {
        let _ = writeln!(text, "; {note}");
    }
    let mut programs = Vec::new();
    if let Some(command) = &app.release {
        programs.push(app.release_service());
        text.push_str(&release(app, command)?);
    }
    for exported in &app.types {
        for dyno in &exported.dynos {
            programs.push(app.service(&dyno.name));
            text.push_str(&program(app, exported, dyno)?);
        }
    }
    let _ = writeln!(text, "\n[group:{}]\nprograms={}", app.name, programs.join(","));
    files.push(ExportFile::new(format!("{}.conf", app.name), &marker, CommentStyle::Semicolon, text));
    Ok(Exported { files, notes })
}

/// What supervisord cannot keep.
fn notes(app: &ExportedApp) -> Vec<String> {
    let runs = || app.types.iter().filter(|exported| !exported.dynos.is_empty());
    let mut notes = Vec::new();
    if runs().any(|exported| exported.restart == RestartRule::Always) {
        let healthy = app.options.restarts.min_healthy.as_secs();
        notes.push(format!(
            "supervisord waits 1 s longer before each restart of a dyno that was up for less than {healthy} s, without a longest pause; \
             its status is STARTING for {healthy} s"
        ));
    }
    let limit = if app.options.restarts.max_restarts.is_some() { ", without a limit" } else { "" };
    for exported in runs().filter(|exported| exported.restart == RestartRule::OnFailure) {
        notes.push(format!("supervisord restarts `{}` at once each time it fails{limit}", exported.process_type));
    }
    notes.push("supervisord leaves the other processes of a dyno running when its first process ends".to_owned());
    if runs().any(|exported| !matches!(exported.readiness, Readiness::Runs)) {
        notes.push("supervisord does not ask whether a dyno listens".to_owned());
    }
    if app.grace.subsec_nanos() > 0 {
        notes.push(format!("supervisord counts whole seconds: the grace period is {} s", grace(app)));
    }
    notes.extend(order_notes(NAME, app));
    if let Some(user) = &app.options.user {
        let file = app.env_file();
        notes.push(format!("supervisord starts everything as `{user}`, who has to own {file}: `chown {user} {file}`"));
    }
    match &app.options.log_dir {
        Some(logs) => notes.push(format!("supervisord does not start unless {} exists", logs.display())),
        None => notes.push(
            "supervisord deletes the log files of the dynos when it starts, unless `--log-dir DIR` says where they are"
                .to_owned(),
        ),
    }
    notes.extend(values_note(app));
    notes
}

/// The grace period in whole seconds.
fn grace(app: &ExportedApp) -> u128 {
    app.grace.as_millis().div_ceil(1000)
}

fn program(app: &ExportedApp, exported: &ExportedType, dyno: &ExportedDyno) -> Result<String, ExportFailure> {
    let mut script = ShText::default();
    wait(&mut script, app, exported, &fifo(app));
    read_values(&mut script, app);
    script.line("exec \"$1\" -c \"$2\"");
    let name = dyno.name.to_string();
    let supervised = SupervisedProgram {
        service: app.service(&dyno.name),
        name: &name,
        process_type: &exported.process_type,
        command: &exported.command,
        variables: &app.own_variables(dyno),
    };
    let mut text = supervised.section(app, script)?;
    let (autorestart, healthy) = match exported.restart {
        RestartRule::Always => ("true", app.options.restarts.min_healthy.as_secs()),
        // An exit before `startsecs` would always be a failure.
        RestartRule::OnFailure => ("unexpected\nexitcodes=0", 0),
        RestartRule::Never => ("false", 0),
    };
    let retries = app.options.restarts.max_restarts.unwrap_or(MANY);
    let _ = write!(
        text,
        "autostart=true\nautorestart={autorestart}\nstartsecs={healthy}\nstartretries={retries}\nstopsignal={}\n\
         stopwaitsecs={}\nstopasgroup={}\nkillasgroup=true\n",
        signal_name(exported.stop_signal),
        grace(app),
        exported.stops_all
    );
    Ok(text)
}

fn release(app: &ExportedApp, command: &ExportedCommand) -> Result<String, ExportFailure> {
    let mut script = ShText::default();
    script.line("(");
    read_values(&mut script, app);
    script.line("exec \"$1\" -c \"$2\"\n) || exit");
    keep_open(&mut script, &fifo(app));
    let supervised = SupervisedProgram {
        service: app.release_service(),
        name: "release",
        process_type: &ProcessType::release(),
        command,
        variables: &app.release_variables(),
    };
    let mut text = supervised.section(app, script)?;
    let _ = write!(
        text,
        "priority=1\nautostart=true\nautorestart=false\nstartsecs=0\nstartretries=0\nstopwaitsecs={}\nstopasgroup=true\n\
         killasgroup=true\n",
        grace(app)
    );
    Ok(text)
}

/// Reads the values of the config vars.
fn read_values(script: &mut ShText, app: &ExportedApp) {
    if let Some(user) = &app.options.user {
        script.line(home_of(user));
    }
    script.line(". \"$0\" || exit 1");
}

/// The fifo at which the release command and the dynos meet, in the directory of the app.
pub(super) fn fifo(app: &ExportedApp) -> String {
    format!(".{}", app.release_service())
}

/// What a program runs, and in which surroundings.
struct SupervisedProgram<'a> {
    service: String,
    name: &'a str,
    process_type: &'a ProcessType,
    command: &'a ExportedCommand,
    variables: &'a [ExportedVariable],
}

impl SupervisedProgram<'_> {
    /// The section of the program, without the rules for its life.
    fn section(&self, app: &ExportedApp, script: ShText) -> Result<String, ExportFailure> {
        let refuse = |reason| ExportFailure::Command { format: NAME, process_type: self.process_type.clone(), reason };
        let line = String::from_utf8(self.command.line.clone()).map_err(|_| refuse("it is not UTF-8"))?;
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(refuse("it has control characters"));
        }
        let script = String::from_utf8(script.into_bytes()).map_err(|_| refuse("it is not UTF-8"))?;
        let directory = app.options.target.as_deref().unwrap_or_else(|| Path::new(DIRECTORY));
        let env = path(&directory.join(app.env_file()))?;
        let mut text = format!("\n[program:{}]\n; {}: {}\n", self.service, self.name, self.command.shown);
        // The file cannot have comments inside of a value.
        let (comments, lines): (Vec<&str>, Vec<&str>) = script.lines().partition(|line| line.starts_with("# "));
        for comment in comments {
            let _ = writeln!(text, ";{}", comment.trim_start_matches('#'));
        }
        text.push_str("command=/bin/sh -c '\n");
        for line in lines {
            let _ = writeln!(text, "    {}", in_word(line));
        }
        let _ = writeln!(text, "    ' {} {} {}", word(&env), self.command.shell, word(&line));
        text.push_str("environment=\n");
        let assignments: Vec<String> = self.variables.iter().map(assignment).collect::<Result<_, _>>()?;
        let _ = writeln!(text, "    {}", assignments.join(",\n    "));
        let _ = writeln!(text, "directory={}", path(&app.directory)?.replace('%', "%%"));
        if let Some(user) = &app.options.user {
            let _ = writeln!(text, "user={user}");
        }
        text.push_str("redirect_stderr=true\n");
        if let Some(logs) = &app.options.log_dir {
            let file = path(&logs.join(format!("{}.log", self.name)))?;
            let _ = writeln!(text, "stdout_logfile={}", file.replace('%', "%%"));
        }
        Ok(text)
    }
}

/// A word of `command=`, in single quotes, which have no escapes.
fn word(text: &str) -> String {
    format!("'{}'", in_word(text))
}

/// The inside of a word in single quotes. A blank and `;` or `#` would begin a comment even there.
fn in_word(text: &str) -> String {
    let mut quoted = String::new();
    let mut after_blank = true;
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("'\"'\"'"),
            '%' => quoted.push_str("%%"),
            ';' | '#' if after_blank => quoted.extend(['\'', '\'', c]),
            c => quoted.push(c),
        }
        after_blank = c.is_whitespace();
    }
    quoted
}

/// An item of `environment=`, whose quotes have no escapes.
fn assignment(variable: &ExportedVariable) -> Result<String, ExportFailure> {
    let refuse = |reason| ExportFailure::Variable { format: NAME, key: variable.key.clone(), reason };
    let value = std::str::from_utf8(variable.value.reveal()).map_err(|_| refuse("its value is not UTF-8"))?;
    if !is_plain(value) || value.contains('"') || value.ends_with('\'') || value.starts_with('\'') {
        return Err(refuse("double quotes, control characters, and # or ; after a blank cannot be written"));
    }
    Ok(format!("{}=\"{}\"", variable.key, value.replace('%', "%%")))
}

/// Whether the file can have this as the rest of a line.
fn is_plain(text: &str) -> bool {
    let has_comment = text.chars().zip(text.chars().skip(1)).any(|(a, b)| a.is_whitespace() && matches!(b, ';' | '#'));
    !has_comment && !text.chars().any(char::is_control)
}

/// A path as the rest of a line.
fn path(path: &Path) -> Result<String, ExportFailure> {
    let refuse = |reason| ExportFailure::Path { format: NAME, path: path.display().to_string(), reason };
    let text = path.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
    if !is_plain(text) || text.trim() != text {
        return Err(refuse("control characters, blanks at its ends, and # or ; after a blank cannot be written"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_3_what_is_special_in_a_command_is_written_otherwise() {
        assert_eq!(word("it's 100% a;b ;c #d"), "'it'\"'\"'s 100%% a;b '';c ''#d'");
        assert_eq!(word("#"), "'''#'");
    }

    #[test]
    fn s18_3_a_value_that_the_file_cannot_have_is_an_error() {
        let of = |value: &str| assignment(&ExportedVariable::plain("PATH", value));

        assert_eq!(of("/a b:/it's%").unwrap(), "PATH=\"/a b:/it's%%\"");
        let reason = "double quotes, control characters, and # or ; after a blank cannot be written";
        for value in ["\"", "a #b", "'a'", "a\nb"] {
            let refused = of(value).unwrap_err().to_string();
            assert_eq!(refused, format!("supervisord cannot have the config var `PATH`: {reason}"));
        }
        assert!(path(Path::new("/a ;b")).is_err());
        assert_eq!(path(Path::new("/a;b c")).unwrap(), "/a;b c");
    }
}
