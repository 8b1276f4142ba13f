//! Property lists for launchd: one for each dyno, and one for the release command.
//!
//! The names are those of foreman: `APP-web-1.plist`. `sh` reads the values of the config vars from `APP.env` and then executes
//! the command. launchd knows no order, so `sh` also waits for the release command.

use std::fmt::Write as _;
use std::path::Path;
use std::slice::from_ref;

use super::run_script::{keep_open, order_notes, pass_on, wait};
use super::service_directory::home_of;
use super::sh_text::{ShText, exports};
use super::stop_signal::SIGTERM;
use super::supervisord::fifo;
use super::values_file::{values_file, values_note};
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedCommand, ExportedVariable,
    Marker, RestartRule,
};
use crate::model::{ProcessType, Readiness};

const NAME: &str = "launchd";

/// Where the files are, if the directory is not known.
const DIRECTORY: &str = "/Library/LaunchDaemons";

/// The shortest time between two starts, if a plist does not say otherwise.
const THROTTLE_SECONDS: u64 = 10;

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    let marker = Marker::new(ExportFormat::Launchd, &app.name);
    let notes = notes(app);
    let mut files = vec![values_file(app, &marker, |variable| exports(NAME, from_ref(variable)))?];
    let mut add = |job: &Job<'_>, script: ShText| {
        let text = job.plist(app, script, &notes)?;
        files.push(ExportFile::new(format!("{}.plist", job.service), &marker, CommentStyle::Xml, text));
        Ok(())
    };
    if let Some(command) = &app.release {
        let mut script = ShText::default();
        script.line("(");
        read_values(&mut script, app);
        script.line("exec \"$1\" -c \"$2\"\n) || exit");
        keep_open(&mut script, &fifo(app));
        let job = Job {
            service: app.release_service(),
            name: "release".to_owned(),
            process_type: &ProcessType::release(),
            command,
            variables: app.release_variables(),
            keep_alive: "<false/>",
        };
        add(&job, script)?;
    }
    for exported in &app.types {
        for dyno in &exported.dynos {
            let mut script = ShText::default();
            wait(&mut script, app, exported, &fifo(app));
            read_values(&mut script, app);
            if exported.stops_all {
                pass_on(&mut script, "TERM", |text, before, after| {
                    text.line(format!("{before}\"$1\" -c \"$2\"{after}"));
                });
            } else {
                script.line("exec \"$1\" -c \"$2\"");
            }
            let job = Job {
                service: app.service(&dyno.name),
                name: dyno.name.to_string(),
                process_type: &exported.process_type,
                command: &exported.command,
                variables: app.own_variables(dyno),
                keep_alive: match exported.restart {
                    RestartRule::Always => "<true/>",
                    RestartRule::OnFailure => "<dict>\n\t\t<key>SuccessfulExit</key>\n\t\t<false/>\n\t</dict>",
                    RestartRule::Never => "<false/>",
                },
            };
            add(&job, script)?;
        }
    }
    Ok(Exported { files, notes })
}

/// What launchd cannot keep.
fn notes(app: &ExportedApp) -> Vec<String> {
    let runs = || app.types.iter().filter(|exported| !exported.dynos.is_empty());
    let mut notes = Vec::new();
    if runs().any(|exported| exported.restart != RestartRule::Never) {
        notes.push(format!(
            "launchd restarts a dyno once {THROTTLE_SECONDS} s have passed since its last start; the pause never grows"
        ));
    }
    for exported in runs().filter(|exported| exported.stop_signal != SIGTERM) {
        notes.push(format!("launchd stops `{}` with SIGTERM: it has no other stop signal", exported.process_type));
    }
    if runs().any(|exported| !matches!(exported.readiness, Readiness::Runs)) {
        notes.push("launchd does not ask whether a dyno listens".to_owned());
    }
    if app.grace.subsec_nanos() > 0 || app.grace.is_zero() {
        notes.push(format!("launchd counts whole seconds: the grace period is {} s", grace(app)));
    }
    if app.options.restarts.max_restarts.is_some() {
        notes.push("launchd restarts a dyno without a limit".to_owned());
    }
    notes.extend(order_notes(NAME, app));
    if let Some(user) = &app.options.user {
        let file = app.env_file();
        notes.push(format!("launchd starts everything as `{user}`, who has to own {file}: `chown {user} {file}`"));
    }
    if app.options.log_dir.is_none() {
        // An option with two hyphens cannot be in a comment of XML.
        notes.push("launchd discards the output unless `-l DIR` names a directory for it".to_owned());
    }
    notes.extend(values_note(app));
    notes
}

/// A comment, which cannot have two hyphens in a row.
fn comment(line: &str) -> String {
    let mut line = line.to_owned();
    while line.contains("--") {
        line = line.replace("--", "- -");
    }
    format!("<!-- {line} -->\n")
}

/// The grace period in whole seconds. 0 would mean that there is no limit.
fn grace(app: &ExportedApp) -> u128 {
    app.grace.as_millis().div_ceil(1000).max(1)
}

/// Reads the values of the config vars.
fn read_values(script: &mut ShText, app: &ExportedApp) {
    if let Some(user) = &app.options.user {
        script.line(home_of(user));
    }
    script.line(". \"$0\" || exit 1");
}

/// What a property list starts.
struct Job<'a> {
    service: String,
    name: String,
    process_type: &'a ProcessType,
    command: &'a ExportedCommand,
    variables: Vec<ExportedVariable>,
    keep_alive: &'static str,
}

impl Job<'_> {
    fn plist(&self, app: &ExportedApp, script: ShText, notes: &[String]) -> Result<String, ExportFailure> {
        let refuse = |reason| ExportFailure::Command { format: NAME, process_type: self.process_type.clone(), reason };
        let text_of = |bytes: &[u8]| text(bytes).map_err(refuse);
        let directory = app.options.target.as_deref().unwrap_or_else(|| Path::new(DIRECTORY));
        let mut plist = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n",
        );
        plist.push_str(&comment(&format!("{}: {}", self.name, self.command.shown)));
        for note in notes {
            plist.push_str(&comment(note));
        }
        plist.push_str("<plist version=\"1.0\">\n<dict>\n");
        let mut member = |key: &str, value: String| {
            let _ = writeln!(plist, "\t<key>{key}</key>\n\t{value}");
        };
        let string = |text: String| format!("<string>{text}</string>");
        member("Label", string(text_of(self.service.as_bytes())?));
        let env = path(&directory.join(app.env_file()))?;
        let script = text_of(&script.into_bytes())?;
        let arguments =
            ["/bin/sh".into(), "-c".into(), script, env, self.command.shell.into(), text_of(&self.command.line)?];
        let arguments = arguments.map(|argument| format!("\t\t{}\n", string(argument))).concat();
        member("ProgramArguments", format!("<array>\n{arguments}\t</array>"));
        let mut variables = String::new();
        for ExportedVariable { key, value } in &self.variables {
            let refuse = |reason| ExportFailure::Variable { format: NAME, key: key.clone(), reason };
            let value = string(text(value.reveal()).map_err(refuse)?);
            let _ = writeln!(variables, "\t\t<key>{key}</key>\n\t\t{value}");
        }
        member("EnvironmentVariables", format!("<dict>\n{variables}\t</dict>"));
        member("WorkingDirectory", string(path(&app.directory)?));
        if let Some(user) = &app.options.user {
            member("UserName", string(text_of(user.as_bytes())?));
        }
        member("RunAtLoad", "<true/>".to_owned());
        member("KeepAlive", self.keep_alive.to_owned());
        member("ExitTimeOut", format!("<integer>{}</integer>", grace(app)));
        if let Some(logs) = &app.options.log_dir {
            let file = path(&logs.join(format!("{}.log", self.name)))?;
            member("StandardOutPath", string(file.clone()));
            member("StandardErrorPath", string(file));
        }
        plist.push_str("</dict>\n</plist>\n");
        Ok(plist)
    }
}

fn path(path: &Path) -> Result<String, ExportFailure> {
    text(path.as_os_str().as_encoded_bytes()).map_err(|reason| ExportFailure::Path {
        format: NAME,
        path: path.display().to_string(),
        reason,
    })
}

/// A text in XML, which can have no other control characters than these, not even as references.
fn text(bytes: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let mut quoted = String::new();
    for c in text.chars() {
        match c {
            '&' => quoted.push_str("&amp;"),
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '\r' => quoted.push_str("&#13;"),
            '\n' | '\t' => quoted.push(c),
            c if c.is_ascii_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                return Err("it has control characters");
            }
            c => quoted.push(c),
        }
    }
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_3_text_in_xml_has_no_markup_and_no_control_characters() {
        assert_eq!(text(b"a <b> & \"c\"\r\n\t").unwrap(), "a &lt;b&gt; &amp; \"c\"&#13;\n\t");
        assert_eq!(text(b"\x01"), Err("it has control characters"));
        assert_eq!(text(b"\xff"), Err("it is not UTF-8"));
        assert_eq!(comment("a --- b-"), "<!-- a - - - b- -->\n");
    }
}
