//! The formation of a start: what the options ask for, else what `.foreman` does (S4).

use super::diagnostics::warn;
use super::findings::{Finding, Findings};
use crate::app::{ForemanFile, Formation, FormationRequest, ProcessType, Setting, Severity};
use crate::cli::FormationArgs;
use crate::error::{Complaint, Error, Status};

/// Who asks for what.
pub(super) struct Asked<'a> {
    args: &'a FormationArgs,
    file: &'a ForemanFile,
    by_option: bool,
    whole: Option<&'a str>,
    changed: &'a [String],
    only: Vec<String>,
}

impl<'a> Asked<'a> {
    /// Where an option asks for a formation, nothing of the file's counts.
    pub(super) fn new(args: &'a FormationArgs, file: &'a ForemanFile) -> Self {
        let only: Vec<String> = args.types.iter().chain(&args.processes).cloned().collect();
        let by_option = args.formation.is_some() || args.concurrency.is_some() || !only.is_empty();
        let of_file = |setting: &'a Option<Setting<String>>| setting.as_ref().map(|setting| &setting.value);
        let (whole, changed) = if by_option {
            (args.formation.as_ref(), args.concurrency.as_ref())
        } else {
            (of_file(&file.formation), of_file(&file.concurrency))
        };
        let changed = changed.map(std::slice::from_ref).unwrap_or_default();
        Self { args, file, by_option, whole: whole.map(String::as_str), changed, only }
    }

    /// How many dynos of each type run. `types`: those of the Procfile.
    ///
    /// # Errors
    /// Status 2: an unknown type, a bad quantity, or nothing is left to run; 78 if `.foreman` asks for it.
    pub(super) fn formation(&self, file_name: &str, types: &[ProcessType]) -> Result<Formation, Error> {
        let mut findings = Findings::default();
        if !self.by_option {
            find(self.file, file_name, types, &mut findings);
            findings.settle()?;
        }
        let (formation, warnings) = Formation::resolve(types, &self.request()).map_err(|errors| {
            let complaints = errors.iter().map(|error| Complaint::new(error.to_string(), error.hint()));
            Error::all(Status::Usage, without_repeats(complaints))
        })?;
        for warning in warnings {
            let text = warning.to_string();
            // `.foreman` has been reported with its line.
            if !findings.iter().any(|finding| finding.message == text) {
                warn(&Complaint::new(text, warning.hint()));
            }
        }
        if formation.is_empty() { Err(empty(self.args, types)) } else { Ok(formation) }
    }

    /// How many dynos of each type run, if that can be known. `types`: those of the Procfile.
    pub(super) fn resolved(&self, types: &[ProcessType]) -> Option<Formation> {
        Formation::resolve(types, &self.request()).ok().map(|(formation, _)| formation)
    }

    fn request(&self) -> FormationRequest<'_> {
        FormationRequest { whole: self.whole, changed: self.changed, only: &self.only, except: &self.args.except }
    }
}

/// The formation of a start without options. `types`: those of the Procfile. None if that cannot be used.
pub(super) fn of_file(file: &ForemanFile, types: &[ProcessType]) -> Option<Formation> {
    let none = FormationArgs::default();
    Asked::new(&none, file).resolved(types)
}

/// What is wrong or odd with the formation of `.foreman` (S4.5). `types`: those of the Procfile.
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
        let found = |severity, message: String, hint: String| Finding {
            severity,
            file: file_name.to_owned(),
            line: Some(line),
            is_sentence: true,
            key: Some(key.to_owned()),
            message,
            hint,
        };
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
    let line = file.formation.as_ref().or(file.concurrency.as_ref()).map(|setting| setting.line);
    let is_empty = || of_file(file, types).is_some_and(|formation| formation.is_empty());
    if line.is_some() && !types.is_empty() && is_empty() {
        findings.push(Finding {
            severity: Severity::Error,
            file: file_name.to_owned(),
            line,
            is_sentence: true,
            key: Some(if file.formation.is_some() { "formation" } else { "concurrency" }.to_owned()),
            message: NOTHING_TO_START.to_owned(),
            hint: types.first().map(one_of).unwrap_or_default(),
        });
    }
}

/// The message if a list of quantities has only zeros.
const NOTHING_TO_START: &str = "nothing to start: every type has quantity 0";

/// How to start something.
fn one_of(process_type: &ProcessType) -> String {
    format!("give a type a quantity, such as `{process_type}=1`")
}

/// `wbe=1,wbe=2` is one typing error.
fn without_repeats<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

/// Nothing would run. `types`: those of the Procfile that can.
fn empty(args: &FormationArgs, types: &[ProcessType]) -> Error {
    let Some(first) = types.first() else {
        let fact = "nothing to start: the Procfile has no process type but `release`";
        return Error::new(Status::Usage, fact, "`dyno release` runs it alone");
    };
    if args.except.is_empty() {
        Error::new(Status::Usage, NOTHING_TO_START, one_of(first))
    } else {
        let fact = "nothing to start: `-x` excludes every type that would run";
        Error::new(Status::Usage, fact, "exclude fewer types")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Vec<ProcessType> {
        ["web", "worker"].map(|name| ProcessType::new(name).expect("a name")).into()
    }

    fn quantities(args: &FormationArgs, file: &ForemanFile) -> Vec<u16> {
        let formation = Asked::new(args, file).formation(".foreman", &types()).expect("a formation");
        formation.iter().map(|(_, quantity)| quantity).collect()
    }

    fn file(formation: &str) -> ForemanFile {
        ForemanFile { formation: Some(Setting { value: formation.to_owned(), line: 1 }), ..ForemanFile::default() }
    }

    #[test]
    fn the_defaults_file_counts_where_no_option_says_otherwise() {
        let none = FormationArgs::default();
        let named = FormationArgs { types: vec!["worker".to_owned()], ..FormationArgs::default() };
        let whole = FormationArgs { formation: Some("all=3".to_owned()), ..FormationArgs::default() };

        assert_eq!(quantities(&none, &file("web=2, worker=1")), [2, 1]);
        assert_eq!(quantities(&none, &file("web=2")), [2, 0]);
        assert_eq!(quantities(&named, &file("web=2")), [0, 1]);
        assert_eq!(quantities(&whole, &file("web=2")), [3, 3]);
    }

    #[test]
    fn processes_are_the_types_without_an_option() {
        let args = FormationArgs { processes: vec!["web=2,worker".to_owned()], ..FormationArgs::default() };

        assert_eq!(quantities(&args, &ForemanFile::default()), [2, 1]);
    }

    #[test]
    fn a_release_of_quantity_0_is_not_run() {
        let with = |list: &str| FormationArgs { formation: Some(list.to_owned()), ..FormationArgs::default() };
        let except = FormationArgs { except: vec!["release".to_owned()], ..FormationArgs::default() };
        let keeps = |args: &FormationArgs, file: &ForemanFile| {
            Asked::new(args, file).formation(".foreman", &types()).expect("a formation").keeps_release()
        };

        assert!(keeps(&FormationArgs::default(), &file("all=1")));
        assert!(!keeps(&FormationArgs::default(), &file("all=1,release=0")) && !keeps(&except, &file("all=1")));
        // An option replaces everything in the file.
        assert!(keeps(&with("all=1"), &file("all=1,release=0")));
    }
}
