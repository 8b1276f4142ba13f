//! `dyno ps`: the dynos of the app that runs here, as a table or as JSON.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::api::DynoResource;
use crate::cli::{Cli, PsArgs};
use crate::client::{Failure, RunningApp, finish};
use crate::console::stdout;
use crate::console::table::{Side, cell, table};
use crate::error::Error;
use crate::runtime;
use crate::supervisor::Outcome;

/// The columns after those that identify the dyno, in order.
const COLUMNS: [(&str, Side); 8] = [
    ("STATE", Side::Left),
    ("FOR", Side::Right),
    ("PID", Side::Right),
    ("PORT", Side::Right),
    ("CPU", Side::Right),
    ("MEMORY", Side::Right),
    ("RESTARTS", Side::Right),
    ("COMMAND", Side::Left),
];

/// A dyno, and the Procfile of its start.
struct ListedDyno {
    dyno: DynoResource,
    procfile: String,
}

/// The text of one column.
type CellOf = fn(&ListedDyno) -> &str;

pub(super) fn run(cli: &Cli, args: &PsArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match dynos(cli, args) {
        Ok(dynos) if args.running.json => {
            let dynos: Vec<DynoResource> = dynos.into_iter().map(|listed| listed.dyno).collect();
            stdout::write(&format!("{}\n", serde_json::to_string(&dynos).unwrap_or_default()))
        }
        Ok(dynos) => stdout::write(&shown(&dynos, jiff::Timestamp::now())),
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

fn dynos(cli: &Cli, args: &PsArgs) -> Result<Vec<ListedDyno>, Failure> {
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    let mut listed: Vec<ListedDyno> = Vec::new();
    for (start, dynos) in app.shown_dynos(args.names.iter().map(String::as_str))? {
        let below_root = start.procfile.strip_prefix(&start.root).and_then(|path| path.strip_prefix('/'));
        let procfile = below_root.unwrap_or(&start.procfile);
        listed.extend(dynos.into_iter().map(|dyno| ListedDyno { dyno, procfile: procfile.to_owned() }));
    }
    let dynos = || listed.iter().map(|listed| &listed.dyno);
    for name in &args.names {
        if !dynos().any(|dyno| is_named(dyno, name)) {
            let names = dynos().map(|dyno| dyno.name.as_str());
            return Err(Failure::unknown_name(name, dynos().map(|dyno| dyno.process_type.as_str()).chain(names)));
        }
    }
    listed.retain(|listed| args.names.is_empty() || args.names.iter().any(|name| is_named(&listed.dyno, name)));
    Ok(listed)
}

fn is_named(dyno: &DynoResource, name: &str) -> bool {
    dyno.name == name || dyno.process_type == name
}

/// The columns that identify the dynos: more than the name if several starts are shown, as far as it is necessary.
fn identity(all: &[ListedDyno]) -> Vec<(&'static str, CellOf)> {
    let app = |listed: &ListedDyno| listed.dyno.app.name.clone();
    let mut columns: Vec<(&str, CellOf)> = vec![("DYNO", |listed| &listed.dyno.name)];
    if all.windows(2).any(|pair| pair.first().map(app) != pair.last().map(app)) {
        columns.push(("APP", |listed| &listed.dyno.app.name));
    }
    let mut seen = HashSet::new();
    if !all.iter().all(|listed| seen.insert((&listed.dyno.app.name, &listed.dyno.name))) {
        columns.push(("PROCFILE", |listed| &listed.procfile));
    }
    columns
}

fn shown(all: &[ListedDyno], now: jiff::Timestamp) -> String {
    let identity = identity(all);
    let columns: Vec<_> = identity.iter().map(|(name, _)| (*name, Side::Left)).chain(COLUMNS).collect();
    let row = |listed: &ListedDyno| -> Vec<String> {
        let own = identity.iter().map(|(_, cell)| cell(listed).to_owned());
        own.chain(cells(&listed.dyno, now)).collect()
    };
    let mut text = table(&columns, all.iter().map(row));
    for ListedDyno { dyno, .. } in all {
        if let Some(waits_for) = &dyno.waits_for {
            let _ = writeln!(text, "{} waits for {waits_for}", dyno.name);
        }
    }
    text
}

fn cells(dyno: &DynoResource, now: jiff::Timestamp) -> [String; 8] {
    let none = || "-".to_owned();
    let since = dyno.updated_at.parse::<jiff::Timestamp>();
    let seconds = since.map_or(0, |since| now.duration_since(since).as_secs());
    [
        dyno.state.clone(),
        span(u64::try_from(seconds).unwrap_or(0)),
        dyno.pid.map_or_else(none, |pid| pid.to_string()),
        dyno.port.map_or_else(none, |port| port.to_string()),
        dyno.cpu.map_or_else(none, |seconds| format!("{seconds:.1}s")),
        dyno.memory.map_or_else(none, bytes),
        dyno.restarts.to_string(),
        cell(&dyno.command),
    ]
}

/// A length of time in at most two units: `42s`, `12m`, `3h 12m`, `2d 3h`.
pub(super) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        (_, _, _) => format!("{days}d {}h", hours % 24),
    }
}

fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    let tenths = bytes.saturating_mul(10) / MIB;
    if tenths < 1_000 { format!("{}.{}M", tenths / 10, tenths % 10) } else { format!("{}M", tenths / 10) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AppRef;

    #[test]
    fn s10_2_the_table_has_a_row_for_each_dyno() {
        let dyno = |name: &str, state: &str, pid, port| DynoResource {
            name: name.to_owned(),
            state: state.to_owned(),
            command: "node\tserver.js".to_owned(),
            updated_at: "2026-11-23T05:00:00Z".to_owned(),
            pid,
            port,
            ..DynoResource::default()
        };
        let web = dyno("web.1", "up", Some(4711), Some(5000));
        let dynos = [
            DynoResource { cpu: Some(1.25), memory: Some(300 << 20), ..web },
            dyno("worker.10", "crashed", None, None),
        ]
        .map(|dyno| ListedDyno { dyno, procfile: "Procfile".to_owned() });

        let text = shown(&dynos, "2026-11-23T08:12:59Z".parse().expect("a time"));

        let expected = "\
DYNO       STATE       FOR   PID  PORT   CPU  MEMORY  RESTARTS  COMMAND
web.1      up       3h 12m  4711  5000  1.2s    300M         0  node server.js
worker.10  crashed  3h 12m     -     -     -       -         0  node server.js
";
        assert_eq!(text, expected);
    }

    #[test]
    fn s10_2_ps_shows_no_negative_time_after_the_clock_was_set_back() {
        let dyno = |updated_at: &str| DynoResource { updated_at: updated_at.to_owned(), ..DynoResource::default() };
        let shown = |updated_at: &str, now: jiff::Timestamp| cells(&dyno(updated_at), now)[1].clone();
        let now = "2026-11-23T05:00:00Z".parse().expect("a time");

        assert_eq!(shown("2026-11-23T04:59:18Z", now), "42s");
        assert_eq!(shown("2026-11-23T05:00:01Z", now), "0s");
        assert_eq!(shown("9999-12-30T00:00:00Z", now), "0s");
        assert_eq!(shown("9999-12-30T00:00:00Z", jiff::Timestamp::MIN), "0s");
    }

    #[test]
    fn s10_2_dynos_of_one_name_have_their_app_or_procfile() {
        let listed = |app: &str, procfile: &str, name: &str| {
            let app = AppRef { name: app.to_owned(), ..AppRef::default() };
            ListedDyno {
                dyno: DynoResource { name: name.to_owned(), app, ..DynoResource::default() },
                procfile: procfile.to_owned(),
            }
        };
        let columns = |all: &[ListedDyno]| identity(all).into_iter().map(|(name, _)| name).collect::<Vec<_>>();

        assert_eq!(columns(&[]), ["DYNO"]);
        assert_eq!(columns(&[listed("a", "Procfile", "web.1"), listed("a", "jobs", "job.1")]), ["DYNO"]);
        assert_eq!(columns(&[listed("a", "P", "web.1"), listed("a-copy", "P", "web.1")]), ["DYNO", "APP"]);
        assert_eq!(columns(&[listed("a", "P", "web.1"), listed("a", "jobs", "web.1")]), ["DYNO", "PROCFILE"]);
    }

    #[test]
    fn a_span_has_at_most_two_units() {
        let cases = [(0, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (3_600, "1h 0m"), (90_000, "1d 1h")];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
        assert_eq!((bytes(0), bytes(99 << 20), bytes(2 << 30)), ("0.0M".into(), "99.0M".into(), "2048M".into()));
    }
}
