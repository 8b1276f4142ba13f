//! `dyno check --for`: what will differ elsewhere, as findings with file and line.

use crate::app::{Layers, Origin, Procfile, Severity, is_set_by_dyno};
use crate::error::Error;
use crate::export::{
    ExportOptions, ExportedApp, ExportedVariable, MoveFinding, MovePlace, MoveTarget, MovedApp, move_findings,
};
use crate::project::{Finding, Findings, PlannedDynos};
use crate::release::Blueprint;
use crate::settings::Settings;

/// Adds the findings. `file`: the name of the Procfile; `strict`: notes fail the check, too.
pub(super) fn find(
    (target, strict): (MoveTarget, bool),
    (file, blueprint, dynos): (&str, &Blueprint, Option<&PlannedDynos>),
    (settings, app_name): (&Settings, &str),
    findings: &mut Findings,
) -> Result<(), Error> {
    let release = blueprint.release();
    let (procfile, layers) = (&release.procfile, &release.layers);
    let policy = settings.life.policy(&settings.look, &procfile.formation_types())?;
    let exported = dynos.and_then(|dynos| {
        let chosen = (app_name, &dynos.formation, dynos.release.is_some());
        ExportedApp::of(blueprint, chosen, &policy, ExportOptions::default()).ok()
    });
    let config_vars: Vec<ExportedVariable> = layers
        .config_vars()
        .into_iter()
        .filter(|(key, _)| !is_set_by_dyno(key.as_bytes()))
        .filter_map(|(key, found)| Some(ExportedVariable { key, value: found.value? }))
        .collect();
    let app = MovedApp { procfile, config_vars: &config_vars, exported: exported.as_ref() };
    let found = move_findings(target, app);
    let is_of_variable = |one: &&MoveFinding| matches!(one.place, MovePlace::Variable(_));
    let to_finding = |one: &MoveFinding| finding(one, strict, (file, procfile), layers);
    findings.push_limited(found.iter().filter(|one| !is_of_variable(one)).map(to_finding));
    findings.push_limited(found.iter().filter(is_of_variable).map(to_finding));
    Ok(())
}

fn finding(found: &MoveFinding, strict: bool, (file, procfile): (&str, &Procfile), layers: &Layers) -> Finding {
    let severity = if found.is_certain || strict { Severity::Defect } else { Severity::Warning };
    let (message, hint) = (found.message.as_str(), found.hint.as_str());
    match &found.place {
        MovePlace::Type(process_type) => {
            let line = procfile.get(process_type).map(|entry| entry.line);
            Finding::new(severity, file, line, message, hint).about(process_type.as_str())
        }
        MovePlace::Variable(key) => {
            let (file, line) = match layers.get(key).map(|found| found.origin) {
                Some(Origin::File { name, line }) => (name, Some(line)),
                Some(Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno) | None => (String::new(), None),
            };
            Finding::new(severity, file, line, message, hint).in_a_sentence().about(key)
        }
        MovePlace::App => Finding::new(severity, file, None, message, hint).in_a_sentence(),
    }
}
