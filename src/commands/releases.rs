//! `dyno releases` and `dyno releases:info`: the releases of the app that runs here (S15.1).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::deployed::start_name;
use super::ps::span;
use crate::api::{EXPIRED, ReleaseResource, StartDescription};
use crate::cli::{Cli, ReleasesArgs, ReleasesInfoArgs};
use crate::client::{Failure, RunningApp, finish, of_each};
use crate::console::stdout;
use crate::console::table::{Side, cell, table};
use crate::error::Error;
use crate::runtime;
use crate::supervisor::Outcome;

const COLUMNS: [(&str, Side); 5] = [
    ("VERSION", Side::Left),
    ("DESCRIPTION", Side::Left),
    ("USER", Side::Left),
    ("MADE", Side::Left),
    ("STATUS", Side::Left),
];

/// A release of one start.
#[derive(Serialize)]
struct ListedRelease<'a> {
    /// The process id of its `dyno`.
    pid: i32,
    #[serde(flatten)]
    release: ReleaseResource,
    /// Its config vars; None in place of a value that is not to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    config_vars: Option<BTreeMap<String, Option<String>>>,
    #[serde(skip)]
    start: &'a StartDescription,
}

pub(super) fn run(cli: &Cli, args: &ReleasesArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = RunningApp::find(cli.project_before(), &args.running);
    let listed = app.as_ref().map_err(Clone::clone).and_then(|app| {
        let all = of_each(app.starts().iter(), |start| {
            let mut releases = app.releases(start)?;
            releases.truncate(args.number);
            let listed = |release| ListedRelease { pid: start.pid, release, config_vars: None, start };
            Ok(releases.into_iter().map(listed).collect::<Vec<_>>())
        })?;
        Ok(all.into_iter().flatten().collect::<Vec<_>>())
    });
    match listed {
        Ok(listed) if args.running.json => {
            stdout::write(&format!("{}\n", serde_json::to_string(&listed).unwrap_or_default()))
        }
        Ok(listed) => stdout::write(&shown(&listed, jiff::Timestamp::now())),
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

pub(super) fn run_info(cli: &Cli, args: &ReleasesInfoArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = RunningApp::find(cli.project_before(), &args.running);
    let found = app.as_ref().map_err(Clone::clone).and_then(|app| {
        // A start that does not know the version is left out, unless none does.
        let (mut found, mut unknown) = (Vec::new(), None);
        for start in app.starts() {
            match info(app, start, args) {
                Ok(listed) => found.push(listed),
                Err(failure) if failure.is_unknown() => unknown = unknown.or(Some(failure)),
                Err(failure) => return Err(failure),
            }
        }
        unknown.filter(|_| found.is_empty()).map_or(Ok(found), Err)
    });
    match found {
        Ok(found) if args.running.json => {
            stdout::write(&format!("{}\n", serde_json::to_string(&found).unwrap_or_default()))
        }
        Ok(found) => {
            let now = jiff::Timestamp::now();
            let texts: Vec<String> = found.iter().map(|listed| about(listed, found.len() > 1, now)).collect();
            stdout::write(&texts.join("\n"))
        }
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

fn info<'a>(
    app: &RunningApp,
    start: &'a StartDescription,
    args: &ReleasesInfoArgs,
) -> Result<ListedRelease<'a>, Failure> {
    let version = if let Some(version) = args.version {
        version.into()
    } else {
        let releases = app.releases(start)?;
        let current = releases.iter().find(|release| release.current).or(releases.first());
        current.map_or(1, |release| release.version)
    };
    let release = app.ask(start, "GET", &format!("releases/{version}"), &[])?;
    let vars: BTreeMap<String, String> = app.ask(start, "GET", &format!("releases/{version}/config-vars"), &[])?;
    let vars = vars.into_iter().map(|(key, value)| (key, args.values.then_some(value))).collect();
    Ok(ListedRelease { pid: start.pid, release, config_vars: Some(vars), start })
}

fn shown(all: &[ListedRelease<'_>], now: jiff::Timestamp) -> String {
    let has_several = all.iter().any(|listed| all.first().is_some_and(|first| first.pid != listed.pid));
    let start = has_several.then_some(("START", Side::Left));
    let columns: Vec<_> = start.into_iter().chain(COLUMNS).collect();
    let row = |listed: &ListedRelease<'_>| {
        let start = has_several.then(|| start_name(listed.start));
        start.into_iter().chain(cells(&listed.release, now)).collect()
    };
    table(&columns, all.iter().map(row))
}

fn cells(release: &ReleaseResource, now: jiff::Timestamp) -> [String; 5] {
    [
        format!("v{}", release.version),
        cell(&release.description),
        user(release),
        ago(release, now),
        status(release).to_owned(),
    ]
}

/// One release with its config vars and process types.
fn about(listed: &ListedRelease<'_>, names_start: bool, now: jiff::Timestamp) -> String {
    let release = &listed.release;
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{:<13}{}", format!("{label}:"), cell(value));
    };
    line("release", &format!("v{}", release.version));
    if names_start {
        line("start", &start_name(listed.start));
    }
    line("description", &release.description);
    if release.description != release.difference && !release.difference.is_empty() {
        line("changes", &release.difference);
    }
    line("user", &user(release));
    line("made", &format!("{} ({})", ago(release, now), release.created_at));
    line("status", if release.current { "current" } else { outcome(release) });
    let vars = listed.config_vars.iter().flatten();
    let vars = vars.map(|(key, value)| match value {
        Some(value) => format!("{key}={}", cell(value)),
        None => key.clone(),
    });
    section(&mut text, "config vars", vars);
    let types = release.process_types.iter().flatten().map(|(name, command)| format!("{name}: {}", cell(command)));
    section(&mut text, "process types", types);
    text
}

fn section(text: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    let _ = writeln!(text, "{heading}:{}", if lines.is_empty() { " none" } else { "" });
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

fn user(release: &ReleaseResource) -> String {
    let name = release.user.email.split('@').next().unwrap_or_default();
    if runtime::identity::is_user(name) { "you".to_owned() } else { cell(name) }
}

fn status(release: &ReleaseResource) -> &str {
    match release.status.as_str() {
        _ if release.current => "current",
        "succeeded" => "",
        _ => outcome(release),
    }
}

/// How it has turned out, in our words.
fn outcome(release: &ReleaseResource) -> &str {
    if release.status == EXPIRED { "superseded" } else { &release.status }
}

/// `12 s ago`
fn ago(release: &ReleaseResource, now: jiff::Timestamp) -> String {
    let Ok(at) = release.created_at.parse::<jiff::Timestamp>() else { return String::new() };
    let mut text = String::new();
    for letter in span(u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0)).chars() {
        if letter.is_ascii_lowercase() {
            text.push(' ');
        }
        text.push(letter);
    }
    format!("{text} ago")
}
