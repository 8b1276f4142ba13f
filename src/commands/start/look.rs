//! How the lines of a start look: colours, time zone, width of the names (S7.1, S7.2).

use std::io::IsTerminal;

use clap::ColorChoice;

use crate::api::{LogLook, LookFormat};
use crate::cli::LogFormatName;
use crate::console::color;
use crate::console::diagnostics::warn;
use crate::error::{Complaint, Error, Status};
use crate::logs::{Formatter, LogFormat, Palette, Passing, TextOptions, View, name_width};
use crate::model::{DynoName, Focus, ProcessType};
use crate::runtime::{LogFileError, LogFiles};
use crate::settings::Look;
use crate::supervisor::Plan;

/// `10:00:00 ` and ` | ` around the name.
const TIME_COLUMNS: usize = 9;
const BAR_COLUMNS: usize = 3;

/// `2025-09-16T02:55:24.741657+00:00 app[` and `]: ` around the name.
const HEROKU_COLUMNS: usize = 40;

/// Warns about options that have no effect because the log format has its own prefix.
pub(in crate::commands) fn check(look: &Look) {
    let format = match look.format {
        LogFormatName::Text => "text",
        LogFormatName::Heroku => "heroku",
        LogFormatName::Json => "json",
    };
    for option in &look.unused_options {
        let fact = format!("`{option}` has no effect: lines of the log format `{format}` always have time and source");
        warn(&Complaint::new(fact, "leave it out, or add `--log-format text`"));
    }
}

/// Where the lines of the log are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum ShownOn {
    /// On stdout.
    Stdout,
    /// On stderr. They look the same everywhere, so a terminal does not turn colours on.
    StderrForSmoke,
}

/// The formatter of the lines.
pub(in crate::commands) fn formatter(look: &Look, shown: ShownOn, plan: &Plan, types: &[ProcessType]) -> Formatter {
    let passing = match shown {
        ShownOn::Stdout if std::io::stdout().is_terminal() => Passing::Terminal,
        ShownOn::Stdout => Passing::All,
        ShownOn::StderrForSmoke if is_read_by_github() => Passing::GitHub,
        ShownOn::StderrForSmoke => Passing::Text,
    };
    let focused = plan.release.iter().chain(&plan.formation).find(|spec| spec.focus != Focus::Elsewhere);
    render(look, has_colors(look.color, shown), passing, focused.map(|spec| &spec.dyno), plan, types)
}

/// Whether the lines are coloured.
pub(in crate::commands) fn has_colors(choice: ColorChoice, shown: ShownOn) -> bool {
    let shows_colors = match shown {
        ShownOn::Stdout => std::io::stdout().is_terminal(),
        ShownOn::StderrForSmoke => false,
    };
    color::is_wanted(choice, |name| std::env::var(name).ok(), shows_colors)
}

/// Whether this is a job of GitHub's CI, whose runner reads the log for commands.
pub(in crate::commands) fn is_read_by_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The log files: without colours, and with the bytes of the dynos unchanged.
///
/// # Errors
/// Status 74: the directory or a file in it cannot be created.
pub(in crate::commands) fn log_files(
    look: &Look,
    plan: &Plan,
    types: &[ProcessType],
) -> Result<Option<LogFiles>, Error> {
    let Some(directory) = &look.log_dir else { return Ok(None) };
    let dynos = plan.release.iter().chain(&plan.formation).chain(&plan.command).map(|spec| &spec.dyno);
    // The merged file would be useless without the names.
    let formatter = render(look, false, Passing::All, None, plan, types).with_prefix();
    let files = LogFiles::open(directory, dynos, formatter);
    files.map(Some).map_err(|error| {
        let hint = match error {
            LogFileError::Directory { .. } => "name a directory that you can write to",
            LogFileError::File { .. } | LogFileError::Write { .. } => "move it away, or name another directory",
        };
        Error::new(Status::Output, error.to_string(), hint)
    })
}

fn render(
    look: &Look,
    color: bool,
    passing: Passing,
    unprefixed: Option<&DynoName>,
    plan: &Plan,
    types: &[ProcessType],
) -> Formatter {
    let view = View {
        color,
        passing,
        name_width: width(plan),
        unprefixed: unprefixed.cloned(),
        palette: Palette::new(all_types(plan, types)),
        zone: local_zone(),
    };
    let format = match look.format {
        LogFormatName::Text => LogFormat::Text(TextOptions { timestamps: look.timestamps, prefix: look.prefix }),
        LogFormatName::Heroku => LogFormat::Heroku,
        LogFormatName::Json => LogFormat::Json,
    };
    Formatter::new(format, view)
}

/// All process types, in the order of their colours.
fn all_types(plan: &Plan, types: &[ProcessType]) -> impl Iterator<Item = ProcessType> {
    let others = plan.release.iter().chain(&plan.command).map(|spec| spec.dyno.process_type.clone());
    types.iter().cloned().chain(others)
}

/// What `dyno logs` needs to show the lines with the same look in another terminal (S10.4).
pub(in crate::commands) fn log_look(look: &Look, plan: &Plan, types: &[ProcessType]) -> LogLook {
    LogLook {
        format: match look.format {
            LogFormatName::Text => LookFormat::Text,
            LogFormatName::Heroku => LookFormat::Heroku,
            LogFormatName::Json => LookFormat::Json,
        },
        timestamps: look.timestamps,
        prefix: look.prefix,
        name_width: width(plan),
        types: all_types(plan, types).map(|name| name.to_string()).collect(),
    }
}

/// The formatter for the log of another start that has, or had, this look.
pub(in crate::commands) fn formatter_of(look: &LogLook, choice: ColorChoice) -> Formatter {
    let view = View {
        color: has_colors(choice, ShownOn::Stdout),
        passing: if std::io::stdout().is_terminal() { Passing::Terminal } else { Passing::All },
        name_width: look.name_width,
        unprefixed: None,
        palette: Palette::new(look.types.iter().filter_map(|name| ProcessType::new(name).ok())),
        zone: local_zone(),
    };
    let format = match look.format {
        LookFormat::Text => LogFormat::Text(TextOptions { timestamps: look.timestamps, prefix: look.prefix }),
        LookFormat::Heroku => LogFormat::Heroku,
        LookFormat::Json => LogFormat::Json,
    };
    Formatter::new(format, view)
}

fn width(plan: &Plan) -> usize {
    name_width(plan.release.iter().chain(&plan.formation).chain(&plan.command).map(|spec| &spec.dyno))
}

/// How many columns of the terminal the prefix takes.
pub(in crate::commands) fn prefix_columns(look: &Look, plan: &Plan) -> u16 {
    let columns = match look.format {
        // A program reads the objects, so their text may be as wide as the terminal.
        LogFormatName::Json => 0,
        LogFormatName::Heroku => HEROKU_COLUMNS + width(plan),
        LogFormatName::Text if !look.prefix => 0,
        LogFormatName::Text if !look.timestamps => width(plan) + BAR_COLUMNS,
        LogFormatName::Text => TIME_COLUMNS + width(plan) + BAR_COLUMNS,
    };
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// The zone of the user. Without `TZ` it is read from one file; finding its name in the database takes 20 times longer
/// than starting a dyno.
fn local_zone() -> jiff::tz::TimeZone {
    if std::env::var_os("TZ").is_some_and(|zone| !zone.is_empty()) {
        return jiff::tz::TimeZone::system();
    }
    let file = std::fs::read("/etc/localtime").ok();
    file.and_then(|bytes| jiff::tz::TimeZone::tzif("local", &bytes).ok()).unwrap_or(jiff::tz::TimeZone::UTC)
}
