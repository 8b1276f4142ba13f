//! `dyno rollback`: an earlier release runs again, as a new one (S15.2).

use super::deployed::{StartAnswer, show_all, start_name};
use crate::api::{ReleaseResource, ReloadAnswer, RollbackAnswer, StartDescription};
use crate::cli::{Cli, RollbackArgs};
use crate::client::{Failure, PATIENCE, RunningApp, finish, of_each};
use crate::console::diagnostics;
use crate::error::{Error, Status};
use crate::runtime;
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &RollbackArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = RunningApp::find(cli.project_before(), &args.running);
    let targets = app.as_ref().map_err(Clone::clone).and_then(|app| Ok((app, targets(app, args.version)?)));
    let (app, targets) = match targets {
        Ok(found) => found,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    for (start, version) in targets {
        match roll_back(app, start, version, args.running.json) {
            Ok(answered) => answers.push(answered),
            Err(failure) => failures.push(failure),
        }
    }
    show_all(&args.running, &answers, failures)
}

/// The release that each start goes back to. Each start counts its own, so all are looked up before anything changes.
fn targets(app: &RunningApp, version: Option<u32>) -> Result<Vec<(&StartDescription, u64)>, Failure> {
    if let ([start], Some(version)) = (app.starts(), version) {
        // The error of the start itself is the most precise one.
        return Ok(vec![(start, version.into())]);
    }
    let is_one_of_several = app.starts().len() > 1;
    of_each(app.starts().iter(), |start| {
        let releases = app.releases(start)?;
        let found = match version {
            Some(version) => eligible(&releases, |known| known == u64::from(version)),
            None => previous(&releases),
        };
        let of = if is_one_of_several { format!(" of {}", start_name(start)) } else { String::new() };
        let fact = match version {
            Some(version) => format!("no release v{version}{of} can be rolled back to"),
            None => format!("there is no earlier release{of} to roll back to"),
        };
        let hint = if is_one_of_several {
            format!("`dyno releases` lists them; to roll back another start, not {}, add its `--run PID`", start.pid)
        } else {
            "`dyno releases` lists the releases".to_owned()
        };
        let found = found.ok_or_else(|| Failure::new(Status::Usage, "not_found", fact, hint))?;
        Ok((start, found))
    })
}

/// The newest release before the one that runs that the app has run on.
fn previous(releases: &[ReleaseResource]) -> Option<u64> {
    let current = releases.iter().find(|release| release.current)?.version;
    eligible(releases, |version| version < current)
}

fn eligible(releases: &[ReleaseResource], is_meant: impl Fn(u64) -> bool) -> Option<u64> {
    let found = releases.iter().filter(|release| release.eligible_for_rollback && is_meant(release.version));
    found.map(|release| release.version).max()
}

fn roll_back<'a>(
    app: &RunningApp,
    start: &'a StartDescription,
    version: u64,
    json: bool,
) -> Result<StartAnswer<'a>, Failure> {
    let body = serde_json::json!({ "release": version.to_string() }).to_string();
    let accepted: RollbackAnswer = app.ask(start, "POST", "releases", body.as_bytes())?;
    let RollbackAnswer { release, unchanged, notes } = accepted;
    let mut answer = if unchanged {
        ReloadAnswer::unchanged(u32::try_from(release.version).unwrap_or_default())
    } else {
        let path = format!("releases/{}/actions/wait", release.version);
        let notice = if json { |_: &str| () } else { diagnostics::print_line };
        app.ask_patiently(start, "POST", &path, PATIENCE, notice)?
    };
    answer.notes.splice(0..0, notes);
    let description = (!unchanged).then_some(release.description);
    Ok(StartAnswer { pid: start.pid, answer, description, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_2_the_release_before_the_current_one_is_the_last_that_worked() {
        let release = |version, eligible_for_rollback, current| ReleaseResource {
            version,
            current,
            eligible_for_rollback,
            ..ReleaseResource::default()
        };
        let releases = [
            release(5, false, false),
            release(4, true, true),
            release(3, false, false),
            release(2, true, false),
            release(1, true, false),
        ];

        assert_eq!(previous(&releases), Some(2));
        assert_eq!(previous(&releases[..3]), None);
        assert_eq!(previous(&releases[2..]), None, "nothing runs yet");
        assert_eq!(eligible(&releases, |version| version == 3), None);
    }
}
