//! `dyno scale`: changes or shows how many dynos of each process type run.

use serde::Serialize;

use super::running::{Failure, RunningApp, finish};
use super::waiting::Waiting;
use crate::api::{FormationResource, RestartedDyno, StartDescription, WaitUntil};
use crate::cli::{Cli, ScaleArgs};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::runtime;
use crate::supervisor::Outcome;

/// The body of the request.
#[derive(Serialize)]
struct Updates<'a> {
    updates: Vec<Update<'a>>,
}

/// `web=2`, `web+1` or `web-1`. The server checks the name and the quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Update<'a> {
    #[serde(rename = "type")]
    process_type: &'a str,
    quantity: &'a str,
}

pub(super) fn run(cli: &Cli, args: &ScaleArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match scale(cli, args) {
        Ok((formation, waited)) => {
            let written = stdout::write(&shown(&formation, args.running.json))?;
            Ok(finish(&args.running, waited.map(|()| written)))
        }
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

/// The formation, and how the wait for it ended.
fn scale(cli: &Cli, args: &ScaleArgs) -> Result<(Vec<FormationResource>, Result<(), Failure>), Failure> {
    let updates = args.changes.iter().map(|text| update(text)).collect::<Result<Vec<_>, Failure>>()?;
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    // All changes of one start in one request: all of them are made or none.
    let mut of_starts: Vec<(&StartDescription, Vec<Update<'_>>)> = Vec::new();
    for update in updates {
        let owner = app.owner(update.process_type)?;
        match of_starts.iter_mut().find(|(start, _)| start.session == owner.session) {
            Some((_, updates)) => updates.push(update),
            None => of_starts.push((owner, vec![update])),
        }
    }
    for (start, updates) in &of_starts {
        let body = serde_json::to_vec(&Updates { updates: updates.clone() }).unwrap_or_default();
        let _: Vec<FormationResource> = app.ask(start, "PATCH", "formation", &body)?;
    }
    let formation = app.formation()?;
    let Some(seconds) = args.wait.seconds else { return Ok((formation, Ok(()))) };
    let mut waiting = Waiting::new(&app, WaitUntil::Up, seconds, args.running.json);
    let name = |update: &Update<'_>| RestartedDyno { name: update.process_type.to_owned(), run: None };
    let waited = of_starts.iter().try_for_each(|(start, updates)| {
        let dynos: Vec<RestartedDyno> = updates.iter().map(name).collect();
        waiting.wait(start, &dynos).map(drop)
    });
    Ok((formation, waited))
}

/// Splits `web=3`, `web+1` or `my-job-1`: a name may contain a `-`, and the last one counts.
fn update(text: &str) -> Result<Update<'_>, Failure> {
    let at = text.rfind(['=', '+']).or_else(|| text.rfind('-'));
    let parts =
        at.and_then(|at| text.split_at_checked(at)).filter(|(name, quantity)| !name.is_empty() && quantity.len() > 1);
    let Some((process_type, quantity)) = parts else {
        let name = text.trim_end_matches(['=', '+', '-']);
        let name = if name.is_empty() { "web" } else { name };
        let message = format!("`{text}` has no quantity");
        return Err(Failure::new(Status::Usage, "invalid_params", message, format!("write `{name}=1`")));
    };
    let quantity = quantity.strip_prefix('=').unwrap_or(quantity);
    Ok(Update { process_type, quantity })
}

/// `web=3 worker=1`, or the same as JSON.
fn shown(formation: &[FormationResource], json: bool) -> String {
    if json {
        return format!("{}\n", serde_json::to_string(formation).unwrap_or_default());
    }
    let entries: Vec<String> =
        formation.iter().map(|entry| format!("{}={}", entry.process_type, entry.quantity)).collect();
    format!("{}\n", entries.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_2_a_change_is_split_at_its_sign() {
        let split = |text: &'static str| update(text).map(|update| (update.process_type, update.quantity)).ok();

        assert_eq!(split("web=3"), Some(("web", "3")));
        assert_eq!(split("web+1"), Some(("web", "+1")));
        assert_eq!(split("my-job-1"), Some(("my-job", "-1")));
        assert_eq!(split("web=-1"), Some(("web", "-1")));
        for text in ["web", "=1", "web=", "web+", "web-", "", "-"] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
