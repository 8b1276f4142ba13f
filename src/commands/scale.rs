//! `dyno scale`: changes or shows how many dynos of each process type run.

use serde::Serialize;

use crate::api::{FormationResource, RestartedDyno, StartDescription, WaitUntil, updates as updates_in};
use crate::cli::{Cli, ScaleArgs};
use crate::client::{Failure, RunningApp, Waiting, change_each, finish};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::runtime;
use crate::supervisor::Outcome;

/// The body of the request.
#[derive(Serialize)]
struct UpdateBody<'a> {
    updates: &'a [QuantityUpdate<'a>],
}

/// `web=2`, `web+1` or `web-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct QuantityUpdate<'a> {
    #[serde(rename = "type")]
    process_type: &'a str,
    quantity: &'a str,
}

impl UpdateBody<'_> {
    fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The changes of each start.
type UpdatesByStart<'a, 'u> = Vec<(&'a StartDescription, Vec<QuantityUpdate<'u>>)>;

pub(super) fn run(cli: &Cli, args: &ScaleArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = update_all(args).and_then(|updates| {
        let app = RunningApp::find(cli.project_before(), &args.running)?;
        Ok((app, updates))
    });
    let (app, updates) = match app {
        Ok(app) => app,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let (changes, formation) = match scale(&app, &updates) {
        Ok(scaled) => scaled,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    // Before the wait, which may take long.
    let written = stdout::write(&shown(&formation, args.running.json))?;
    let Some(seconds) = args.wait.seconds else { return Ok(written) };
    let mut waiting = Waiting::new(&app, WaitUntil::Up, seconds, args.running.json);
    let name = |update: &QuantityUpdate<'_>| RestartedDyno { name: update.process_type.to_owned(), run: None };
    let scaled: Vec<_> = changes.iter().map(|(start, updates)| (*start, updates.iter().map(name).collect())).collect();
    Ok(finish(&args.running, waiting.wait(&scaled).map(|()| written)))
}

/// The changes that were made, and the formation after them.
fn scale<'a, 'u>(
    app: &'a RunningApp,
    updates: &[QuantityUpdate<'u>],
) -> Result<(UpdatesByStart<'a, 'u>, Vec<FormationResource>), Failure> {
    let look = app.look(updates.iter().map(|update| update.process_type))?;
    // All names and quantities are checked before anything is done.
    let parsed = updates_in(&UpdateBody { updates }.body()).map_err(Failure::usage)?;
    let mut changes: UpdatesByStart<'a, 'u> = Vec::new();
    for ((process_type, _), update) in parsed.iter().zip(updates) {
        let owner = look.owner_of_type(process_type)?;
        // All changes of one start in one request: all of them are made or none.
        match changes.iter_mut().find(|(start, _)| start.session == owner.session) {
            Some((_, updates)) => updates.push(*update),
            None => changes.push((owner, vec![*update])),
        }
    }
    let scale = |(start, updates): &(&'a StartDescription, Vec<QuantityUpdate<'u>>)| {
        Ok((*start, updates.clone(), app.ask(start, "PATCH", "formation", &UpdateBody { updates }.body())?))
    };
    let answers = change_each(changes.iter(), scale, |done| quantities_of(&done))?;
    let answers = answers.into_iter().map(|(start, _, formation)| (start, formation)).collect();
    Ok((changes, look.formation(answers)))
}

/// What was changed before a start has refused: `web=3 worker=0`.
fn quantities_of(done: &[(&StartDescription, Vec<QuantityUpdate<'_>>, Vec<FormationResource>)]) -> String {
    let of_start = |(_, updates, formation): &(_, Vec<QuantityUpdate<'_>>, Vec<FormationResource>)| {
        let is_changed = |entry: &&FormationResource| updates.iter().any(|it| it.process_type == entry.process_type);
        let changed = formation.iter().filter(is_changed);
        changed.map(|entry| format!("{}={}", entry.process_type, entry.quantity)).collect::<Vec<_>>()
    };
    done.iter().flat_map(of_start).collect::<Vec<_>>().join(" ")
}

fn update_all(args: &ScaleArgs) -> Result<Vec<QuantityUpdate<'_>>, Failure> {
    args.changes.iter().map(|text| update(text)).collect()
}

/// Splits `web=3`, `web+1` or `my-job-1`: a name may contain a `-`, and the last one counts. The size in `web=1:basic` has no
/// effect here.
fn update(text: &str) -> Result<QuantityUpdate<'_>, Failure> {
    let at = text.find('=').or_else(|| text.rfind('+')).or_else(|| text.rfind('-'));
    let parts = at.and_then(|at| text.split_at_checked(at));
    let (process_type, quantity) = match parts.map(|(name, rest)| (name, rest.strip_prefix('=').unwrap_or(rest), rest))
    {
        Some((name, quantity, rest)) if !name.is_empty() && rest.len() > 1 => {
            let is_set = quantity.len() < rest.len();
            (name, if is_set { quantity.split(':').next().unwrap_or_default() } else { quantity })
        }
        Some(_) | None => {
            let name = text.trim_end_matches(['=', '+', '-']);
            let name = if name.is_empty() { "web" } else { name };
            let message = format!("`{text}` has no quantity");
            return Err(Failure::new(Status::Usage, "invalid_params", message, format!("write `{name}=1`")));
        }
    };
    let digits = match at.and_then(|at| text.get(at..=at)) {
        Some("+" | "-") => quantity.get(1..).unwrap_or_default(),
        Some(_) | None => quantity,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("the quantity of `{process_type}` is not a number");
        let hint = format!("write a number such as `{process_type}=2`, or a change such as `{process_type}+1`");
        return Err(Failure::new(Status::Usage, "invalid_params", message, hint));
    }
    Ok(QuantityUpdate { process_type, quantity })
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
        assert_eq!(split("web=1:Standard-2X"), Some(("web", "1")));
        let wrong = ["web=-1", "web=+1", "web=x", "web==1", "web+x", "web=:basic", "web+1:basic"];
        for text in ["web", "=1", "web=", "web+", "web-", "", "-"].into_iter().chain(wrong) {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
