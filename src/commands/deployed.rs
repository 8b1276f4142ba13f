//! Shows what became of releases: those of `dyno reload`, `rollback` and `config:set` (S14.1, S15).

use serde::Serialize;

use crate::api::{ReloadAnswer, ReloadProblem, ReloadResult, StartDescription};
use crate::cli::RunningArgs;
use crate::client::{Failure, finish};
use crate::console::diagnostics;
use crate::console::stdout;
use crate::error::{Complaint, Error};
use crate::settings::without_repeats;
use crate::supervisor::{Outcome, release_line};

/// The answer of one start.
#[derive(Serialize)]
pub(super) struct StartAnswer<'a> {
    /// The process id of its `dyno`.
    pub(super) pid: i32,
    #[serde(flatten)]
    pub(super) answer: ReloadAnswer,
    /// What made the release, unless that is the difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip)]
    pub(super) start: &'a StartDescription,
}

/// Shows the answers of all starts, and why others have not answered. The first outcome that is not a success wins.
pub(super) fn show_all(
    running: &RunningArgs,
    answers: &[StartAnswer<'_>],
    failures: Vec<Failure>,
) -> Result<Outcome, Error> {
    let mut outcomes = Vec::new();
    if running.json {
        // Without an answer there is nothing to print.
        if !answers.is_empty() {
            outcomes.push(stdout::write(&format!("{}\n", serde_json::to_string(answers).unwrap_or_default()))?);
        }
        outcomes.extend(answers.iter().map(|answered| Outcome::Code(answered.answer.status)));
    } else {
        outcomes = show(answers)?;
    }
    outcomes.extend(failures.into_iter().map(|failure| finish(running, Err(failure))));
    let bad = outcomes.iter().find(|outcome| **outcome != Outcome::Code(0));
    Ok(bad.copied().unwrap_or(Outcome::Code(0)))
}

fn show(answers: &[StartAnswer<'_>]) -> Result<Vec<Outcome>, Error> {
    show_warnings(answers);
    let is_one_of_several = answers.len() > 1;
    let lines = answers.iter().filter_map(|answered| {
        let line = line(answered)?;
        Some(if is_one_of_several { format!("{}: {line}\n", start_name(answered.start)) } else { format!("{line}\n") })
    });
    let written = stdout::write(&lines.collect::<String>())?;
    diagnostics::show_all(all(answers, |answer| &answer.problems));
    for StartAnswer { answer, start, .. } in
        answers.iter().filter(|answered| answered.answer.result == ReloadResult::Failed)
    {
        for line in &answer.lines {
            diagnostics::print_line(line);
        }
        let of = if is_one_of_several { format!(" of {}", start_name(start)) } else { String::new() };
        let fact = format!("release v{}{of} failed: its command {}", answer.version, answer.ending());
        let hint = "the app stays on the previous release; `dyno why release` says more";
        diagnostics::show_complaint(&Complaint::new(fact, hint));
    }
    let codes = answers.iter().map(|answered| Outcome::Code(answered.answer.status));
    Ok([written].into_iter().chain(codes).collect())
}

/// Shows what a start with these files would warn about, and what else is new.
pub(super) fn show_warnings(answers: &[StartAnswer<'_>]) {
    all(answers, |answer| &answer.warnings).for_each(|warning| diagnostics::warn(&warning));
    all(answers, |answer| &answer.notes).for_each(|note| diagnostics::note(&note));
}

/// The different problems of one kind in all answers: several starts of an app read the same files.
pub(super) fn all(
    answers: &[StartAnswer<'_>],
    of: fn(&ReloadAnswer) -> &Vec<ReloadProblem>,
) -> impl Iterator<Item = Complaint> {
    without_repeats(answers.iter().flat_map(move |answered| of(&answered.answer))).into_iter().map(complaint)
}

fn complaint(ReloadProblem { message, hint }: &ReloadProblem) -> Complaint {
    Complaint::new(message.clone(), hint.clone())
}

/// The name of one of several starts.
pub(super) fn start_name(start: &StartDescription) -> String {
    format!("{} (dyno pid {})", start.types.join(", "), start.pid)
}

/// What a release has changed. None: an error says what became of it.
fn line(StartAnswer { answer, description, .. }: &StartAnswer<'_>) -> Option<String> {
    let ReloadAnswer { result, version, difference, .. } = answer;
    let release = release_line(*version, description.as_deref(), difference);
    match result {
        ReloadResult::Unchanged => Some(format!("nothing to apply: the app stays on release v{version}")),
        ReloadResult::Succeeded => Some(release),
        ReloadResult::Superseded => Some(format!("{release}; a later release replaced it")),
        ReloadResult::Failed | ReloadResult::Invalid => None,
    }
}
