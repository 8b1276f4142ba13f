//! Files that the app writes into its own directory, which is a new copy at each start.

use super::{MoveFinding, MoveTarget, MovedType};

/// Directories whose files only the app itself writes.
const WRITTEN: [&str; 2] = ["log/", "tmp/"];

/// Programs that read or create what they name there.
const HARMLESS: [&str; 4] = ["mkdir", "rm", "touch", "chmod"];

pub(super) fn of_command(target: MoveTarget, moved: &MovedType<'_>) -> Vec<MoveFinding> {
    if !target.loses_files() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let name = moved.process_type;
    let is_heroku = target == MoveTarget::Heroku;
    let lost = if is_heroku { "heroku loses it at each restart" } else { "it is lost with the container" };
    for file in moved.read.commands.iter().flat_map(|command| &command.written).filter(|file| is_of_app(file)) {
        let message = format!("`{name}` writes to `{file}`, and {lost}");
        let hint = format!("remove the redirection: `{}` shows what it prints", target.log_command());
        // Elsewhere it may be the directory of a volume.
        findings.push(moved.finding(is_heroku, message, hint));
    }
    for command in &moved.read.commands {
        let is_harmless = command.words.first().is_some_and(|program| HARMLESS.contains(&program.as_str()));
        let Some(path) = command.words.iter().skip(1).find_map(|word| written_path(word)).filter(|_| !is_harmless)
        else {
            continue;
        };
        let message = format!("`{name}` uses `{path}`: its directory may be missing at each start, and {lost}");
        let hint = if extension(path) == Some("pid") {
            "leave the option out: a dyno needs no file with its process id".to_owned()
        } else {
            format!("write to stdout, or to /dev/stdout: `{}` shows it", target.log_command())
        };
        findings.push(moved.finding(false, message, hint));
    }
    findings
}

/// Whether a redirection to this file writes into the app's directory.
fn is_of_app(file: &str) -> bool {
    !file.is_empty() && (!file.starts_with(['/', '$', '~']) || file.starts_with("/app/"))
}

/// The path of a log or pid file in a word such as `--pidfile=tmp/pids/server.pid`.
fn written_path(word: &str) -> Option<&str> {
    let path = word.rsplit_once('=').map_or(word, |(_, value)| value);
    let path = path.strip_prefix("./").unwrap_or(path);
    let is_file = matches!(extension(path), Some("log" | "pid"));
    (is_file && WRITTEN.iter().any(|directory| path.starts_with(directory))).then_some(path)
}

fn extension(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.rsplit_once('.').map(|(_, extension)| extension)
}
