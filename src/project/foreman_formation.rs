//! Problems of the formation in `.foreman` (S4.5).

use super::findings::{Finding, Findings};
use crate::app::{ForemanFile, Formation, FormationRequest, Severity};
use crate::model::ProcessType;
use crate::settings::{NOTHING_TO_START, RequestedFormation, quantity_hint, without_repeats};

/// Finds them. `types`: the process types in the Procfile.
pub(super) fn find(file: &ForemanFile, file_name: &str, types: &[ProcessType], findings: &mut Findings) {
    let whole =
        |list: &String| Formation::resolve(types, &FormationRequest { whole: Some(list), ..Default::default() });
    let changed = |list: &String| {
        let changed = std::slice::from_ref(list);
        Formation::resolve(types, &FormationRequest { changed, ..FormationRequest::default() })
    };
    let formation = file.formation.iter().map(|setting| ("formation", setting.line, whole(&setting.value)));
    let concurrency = file.concurrency.iter().map(|setting| ("concurrency", setting.line, changed(&setting.value)));
    for (key, line, resolved) in formation.chain(concurrency) {
        let found =
            |severity, message: String, hint: String| Finding::new(severity, file_name, line, message, hint).about(key);
        let all: Vec<Finding> = match resolved {
            Ok((_, warnings)) => {
                warnings.iter().map(|warning| found(Severity::Warning, warning.to_string(), warning.hint())).collect()
            }
            Err(errors) => errors.iter().map(|error| found(Severity::Error, error.to_string(), error.hint())).collect(),
        };
        for finding in without_repeats(all) {
            findings.push(finding);
        }
    }
    let (Some(setting), Some(first)) = (file.formation.as_ref().or(file.concurrency.as_ref()), types.first()) else {
        return;
    };
    let of_file = RequestedFormation::of_file(file).resolved(types);
    if of_file.is_some_and(|formation| formation.is_empty()) {
        let key = if file.formation.is_some() { "formation" } else { "concurrency" };
        let hint = quantity_hint(first);
        findings.push(Finding::new(Severity::Error, file_name, setting.line, NOTHING_TO_START, hint).about(key));
    }
}
