//! `dyno ls`: all apps of this user that run (S10.2).

mod branch;

use std::collections::BTreeMap;

use serde::Serialize;

use self::branch::branch;
use super::ps::span;
use crate::api::{AppResource, StartDescription};
use crate::cli::{LsArgs, RunningArgs};
use crate::client::{AllApps, Failure, SeenStartState, finish};
use crate::console::diagnostics::{print_line, warn};
use crate::console::stdout;
use crate::console::table::{Side, cell, table};
use crate::error::{Complaint, Error};
use crate::release::Release;
use crate::runtime::{self, ListeningSockets};
use crate::supervisor::Outcome;

const COLUMNS: [(&str, Side); 6] = [
    ("NAME", Side::Left),
    ("STATE", Side::Left),
    ("URL", Side::Left),
    ("ROOT", Side::Left),
    ("BRANCH", Side::Left),
    ("SINCE", Side::Left),
];

/// An app, with the fields of the platform's object and ours.
#[derive(Serialize)]
struct ListedApp {
    #[serde(flatten)]
    app: AppResource,
    /// The branch that is checked out in its root, or the commit if there is no branch. None: the root is not in a
    /// checkout.
    branch: Option<String>,
    #[serde(skip)]
    since: jiff::Timestamp,
    #[serde(skip)]
    url: Option<String>,
}

pub(super) fn run(args: &LsArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let apps = match listed() {
        Ok(apps) => apps,
        Err(failure) => return Ok(finish(&RunningArgs { json: args.json, ..RunningArgs::default() }, Err(failure))),
    };
    if args.json {
        return stdout::write_json(&apps);
    }
    if apps.is_empty() {
        print_line("no app is running");
        return Ok(Outcome::Code(0));
    }
    stdout::write(&shown(&apps, jiff::Timestamp::now()))
}

/// The apps, sorted by name. Several starts of one app are listed as one, as in all other commands.
fn listed() -> Result<Vec<ListedApp>, Failure> {
    let all = AllApps::find()?;
    for path in &all.unreadable {
        let fact = format!("`{}` describes a running app, but cannot be read", path.display());
        warn(&Complaint::new(fact, "use the version of `dyno` that started the app"));
    }
    let mut apps: BTreeMap<(String, String, bool), Vec<(StartDescription, SeenStartState)>> = BTreeMap::new();
    let listening = ListeningSockets::default();
    for (mut start, state) in all.starts {
        start.url = start.url.map(|url| listening.answering_url(url));
        let key = (start.app.clone(), start.root.clone(), state == SeenStartState::Smoke);
        apps.entry(key).or_default().push((start, state));
    }
    Ok(apps.into_values().filter_map(|starts| app(&starts)).collect())
}

fn app(starts: &[(StartDescription, SeenStartState)]) -> Option<ListedApp> {
    let (first, _) = starts.iter().min_by_key(|(start, _)| start.started_at_ms)?;
    // The most important one: see `SeenStartState`.
    let state = starts.iter().map(|(_, state)| *state).max()?;
    let url = starts.iter().find_map(|(start, _)| start.url.clone());
    let since = jiff::Timestamp::from_millisecond(first.started_at_ms).unwrap_or_default();
    let email = format!("{}@localhost", Release::LOCAL_USER);
    let app = AppResource::of_start(first, url.as_deref(), &state.to_string(), &email);
    Some(ListedApp { app, branch: branch(&StartDescription::path(&first.root)), since, url })
}

fn shown(apps: &[ListedApp], now: jiff::Timestamp) -> String {
    let row = |listed: &ListedApp| {
        let age = u64::try_from(now.duration_since(listed.since).as_secs()).unwrap_or(0);
        let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), cell);
        vec![
            cell(listed.app.name()),
            listed.app.state().to_owned(),
            or_none(&listed.url),
            cell(listed.app.root()),
            or_none(&listed.branch),
            format!("{} ago", span(age)),
        ]
    };
    table(&COLUMNS, apps.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::StartKind;

    fn start(types: &[&str], started_at_ms: i64, url: Option<&str>) -> StartDescription {
        StartDescription {
            pid: 1,
            session: String::new(),
            kind: StartKind::Start,
            app: "shop".to_owned(),
            name: None,
            root: "/srv/shop".to_owned(),
            directory: "/srv/shop".to_owned(),
            procfile: "/srv/shop/Procfile".to_owned(),
            types: types.iter().map(|&name| name.to_owned()).collect(),
            started_at_ms,
            url: url.map(str::to_owned),
            web_port: None,
            files: Vec::new(),
            log_directory: None,
        }
    }

    #[test]
    fn s10_2_several_starts_of_one_app_are_one_row() {
        let starts = [
            (start(&["worker"], 60_000, None), SeenStartState::Crashed),
            (start(&["web"], 0, Some("http://127.0.0.1:5000")), SeenStartState::Up),
        ];

        let app = app(&starts).expect("an app");

        let expected = "\
NAME  STATE    URL                    ROOT       BRANCH  SINCE
shop  crashed  http://127.0.0.1:5000  /srv/shop  -       2m ago
";
        let now = jiff::Timestamp::from_millisecond(120_000).expect("a time");
        assert_eq!(shown(&[app], now), expected);
    }

    #[test]
    fn s10_2_no_age_is_negative_after_the_clock_was_set_back() {
        let app = app(&[(start(&["web"], 120_000, None), SeenStartState::Up)]).expect("an app");

        let text = shown(&[app], jiff::Timestamp::from_millisecond(60_000).expect("a time"));

        assert!(text.ends_with(" 0s ago\n"), "{text}");
    }
}
