//! `dyno reload`: asks the app that runs here to read its files again and to apply what is different (S14.1).

use std::time::Duration;

use serde::Serialize;

use crate::api::{ReloadAnswer, ReloadProblem, ReloadResult, StartDescription};
use crate::cli::{Cli, ReloadArgs};
use crate::client::{Failure, RunningApp, finish};
use crate::console::diagnostics;
use crate::console::stdout;
use crate::error::{Complaint, Error};
use crate::runtime;
use crate::settings::without_repeats;
use crate::supervisor::Outcome;

/// How long a release command may take.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// The answer of one start.
#[derive(Serialize)]
struct Answered<'a> {
    /// The process id of its `dyno`.
    pid: i32,
    #[serde(flatten)]
    answer: ReloadAnswer,
    #[serde(skip)]
    start: &'a StartDescription,
}

pub(super) fn run(cli: &Cli, args: &ReloadArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = match RunningApp::find(cli.project_before(), &args.running) {
        Ok(app) => app,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let (answers, failures) = ask_all(&app, args.running.json);
    let mut outcomes = Vec::new();
    if args.running.json {
        // Without an answer there is nothing to print.
        if !answers.is_empty() {
            outcomes.push(stdout::write(&format!("{}\n", serde_json::to_string(&answers).unwrap_or_default()))?);
        }
        outcomes.extend(answers.iter().map(|answered| Outcome::Code(answered.answer.status)));
    } else {
        outcomes = show(&answers)?;
    }
    outcomes.extend(failures.into_iter().map(|failure| finish(&args.running, Err(failure))));
    // The first one that is not a success.
    let bad = outcomes.iter().find(|outcome| **outcome != Outcome::Code(0));
    Ok(bad.copied().unwrap_or(Outcome::Code(0)))
}

/// The answers of the starts, and why the others have not answered. A start that ends meanwhile is left out, unless all
/// of them end.
fn ask_all(app: &RunningApp, json: bool) -> (Vec<Answered<'_>>, Vec<Failure>) {
    let notice = if json { |_: &str| () } else { diagnostics::print_line };
    let (mut answers, mut failures, mut over) = (Vec::new(), Vec::new(), None);
    for start in app.starts() {
        match app.ask_patiently(start, "POST", "releases/actions/reload", PATIENCE, notice) {
            Ok(answer) => answers.push(Answered { pid: start.pid, answer, start }),
            Err(failure) if failure.is_over() => over = Some(failure),
            Err(failure) => failures.push(failure),
        }
    }
    if answers.is_empty() && failures.is_empty() {
        failures.extend(over);
    }
    (answers, failures)
}

/// Shows the answers. Several starts of an app read the same files, so each warning is shown once.
fn show(answers: &[Answered<'_>]) -> Result<Vec<Outcome>, Error> {
    let all = |of: fn(&ReloadAnswer) -> &Vec<ReloadProblem>| {
        without_repeats(answers.iter().flat_map(move |answered| of(&answered.answer))).into_iter().map(complaint)
    };
    all(|answer| &answer.warnings).for_each(|warning| diagnostics::warn(&warning));
    all(|answer| &answer.notes).for_each(|note| diagnostics::show_finding(false, &note));
    let is_one_of_several = answers.len() > 1;
    let lines = answers.iter().filter_map(|Answered { answer, start, .. }| {
        let line = line(answer)?;
        Some(if is_one_of_several { format!("{}: {line}\n", name(start)) } else { format!("{line}\n") })
    });
    let written = stdout::write(&lines.collect::<String>())?;
    diagnostics::show_all(all(|answer| &answer.problems));
    for Answered { answer, start, .. } in
        answers.iter().filter(|answered| answered.answer.result == ReloadResult::Failed)
    {
        for line in &answer.lines {
            diagnostics::print_line(line);
        }
        let of = if is_one_of_several { format!(" of {}", name(start)) } else { String::new() };
        let how =
            if answer.stopped { "was stopped".to_owned() } else { format!("exited with status {}", answer.status) };
        let fact = format!("release v{}{of} failed: its command {how}", answer.version);
        let hint = "the app stays on the previous release; `dyno why release` says more";
        diagnostics::show_complaint(&Complaint::new(fact, hint));
    }
    let codes = answers.iter().map(|answered| Outcome::Code(answered.answer.status));
    Ok([written].into_iter().chain(codes).collect())
}

fn complaint(ReloadProblem { message, hint }: &ReloadProblem) -> Complaint {
    Complaint::new(message.clone(), hint.clone())
}

/// The name of one of several starts.
fn name(start: &StartDescription) -> String {
    format!("{} (dyno pid {})", start.types.join(", "), start.pid)
}

/// What a reload has changed. None: it has failed, and an error says so.
fn line(answer: &ReloadAnswer) -> Option<String> {
    let ReloadAnswer { result, version, difference, .. } = answer;
    match result {
        ReloadResult::Unchanged => Some(format!("nothing to apply: the app stays on release v{version}")),
        ReloadResult::Succeeded => Some(format!("release v{version}: {difference}")),
        ReloadResult::Superseded => Some(format!("release v{version}: {difference}; a later release replaced it")),
        ReloadResult::Failed | ReloadResult::Invalid => None,
    }
}
