//! The formation of a start: from the options, else from `.foreman` (S4).

use super::file_option;
use crate::app::{DeclaredQuantity, ForemanFile, Formation, FormationError, FormationRequest, Setting, list_items};
use crate::cli::FormationArgs;
use crate::error::{Complaint, Error, Status};
use crate::model::{Dialect, ProcessType};

/// The formation that the options or `.foreman` request.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestedFormation {
    by_option: bool,
    whole: Option<String>,
    changed: Option<String>,
    only: Vec<String>,
    except: Vec<String>,
}

impl RequestedFormation {
    /// If an option sets the formation, the one in the file is ignored.
    pub(crate) fn new(args: &FormationArgs, file: &ForemanFile) -> Self {
        let only: Vec<String> = args.types.iter().chain(&args.processes).cloned().collect();
        let by_option = args.formation.is_some() || args.concurrency.is_some() || !only.is_empty();
        let of_file = |setting: &Option<Setting<String>>| setting.as_ref().map(|setting| setting.value.clone());
        let (whole, changed) = if by_option {
            (args.formation.clone(), args.concurrency.clone())
        } else {
            (of_file(&file.formation), of_file(&file.concurrency))
        };
        Self { by_option, whole, changed, only, except: args.except.clone() }
    }

    /// The formation of a start without options.
    pub(crate) fn of_file(file: &ForemanFile) -> Self {
        Self::new(&FormationArgs::default(), file)
    }

    /// Takes the quantities of `app.json`, if neither an option nor `.foreman` sets any. Types that it does not name run once.
    pub(crate) fn or_app_json(&mut self, declared: &[DeclaredQuantity], types: &[ProcessType]) {
        if self.by_option || self.is_of_file() {
            return;
        }
        let known = declared.iter().filter(|one| types.iter().any(|known| known.as_str() == one.process_type));
        let item = |one: &DeclaredQuantity| Some(format!("{}={}", one.process_type, one.quantity?));
        let items: Vec<String> = known.filter_map(item).collect();
        self.changed = (!items.is_empty()).then(|| items.join(","));
    }

    /// Whether an option sets it.
    pub(crate) fn is_of_option(&self) -> bool {
        self.by_option
    }

    /// Whether `.foreman` sets it: no option does.
    pub(crate) fn is_of_file(&self) -> bool {
        !self.by_option && (self.whole.is_some() || self.changed.is_some())
    }

    /// How many dynos of each type run, and the warnings. `types`: the process types in the Procfile.
    ///
    /// # Errors
    /// Status 2: an unknown type, a bad quantity, or options that exclude each other.
    pub(crate) fn formation(
        &self,
        types: &[ProcessType],
        dialect: Dialect,
    ) -> Result<(Formation, Vec<Complaint>), Error> {
        // foreman runs the named process and ignores `-m`.
        if dialect != Dialect::Foreman {
            self.refuse_types_with_formation()?;
        }
        let (formation, warnings) = Formation::resolve(types, &self.request()).map_err(|errors| {
            let complaints = errors.iter().map(|error| Complaint::new(error.to_string(), self.hint(error)));
            Error::all(Status::Usage, without_repeats(complaints))
        })?;
        let warnings = warnings.iter().map(|warning| Complaint::new(warning.to_string(), warning.hint()));
        Ok((formation, warnings.collect()))
    }

    /// The error for a formation in which every type has quantity 0. `first`: the first type of the Procfile.
    pub(crate) fn runs_nothing(&self, first: &ProcessType) -> Error {
        if self.except.is_empty() {
            return Error::usage(NOTHING_TO_START, quantity_hint(first));
        }
        let fact = "nothing to start: `-x` excludes every type that would run";
        let kept = self.except.first().map_or("", |name| name.trim());
        let others: Vec<&str> = self.except.iter().map(|name| name.trim()).filter(|name| *name != kept).collect();
        let hint = if others.is_empty() {
            "leave out `-x`".to_owned()
        } else {
            format!("to run only `{kept}`, write `-x {}`", others.join(","))
        };
        Error::usage(fact, hint)
    }

    /// How many dynos of each type run. None: the request is wrong. `types`: the process types in the Procfile.
    pub(crate) fn resolved(&self, types: &[ProcessType]) -> Option<Formation> {
        Formation::resolve(types, &self.request()).ok().map(|(formation, _)| formation)
    }

    /// Refuses `-m web=1 worker`, because both say what runs.
    fn refuse_types_with_formation(&self) -> Result<(), Error> {
        let (Some(whole), false) = (&self.whole, self.only.is_empty()) else { return Ok(()) };
        let named = self.only.join(",");
        let name_of = |item: &str| item.split('=').next().unwrap_or(item).to_owned();
        let mut items: Vec<String> = list_items(whole).map(str::to_owned).collect();
        for item in list_items(&named) {
            let given = items.iter().position(|known| name_of(known) == name_of(item));
            match (given, item.contains('=')) {
                (Some(at), true) => drop(items.splice(at..=at, [item.to_owned()])),
                (Some(_), false) => {}
                (None, true) => items.push(item.to_owned()),
                (None, false) => items.push(format!("{item}=1")),
            }
        }
        let fact = format!("`-m` sets the whole formation, so `{named}` cannot be named as well");
        let hint = format!("write `-m {}`", items.join(","));
        Err(Error::new(Status::Usage, fact, hint))
    }

    /// What to write instead: for the name of a file the option that reads it, and `web=2` for `web 2`.
    fn hint(&self, error: &FormationError) -> String {
        match error {
            FormationError::UnknownType { name, .. } => {
                let of_file = file_option(name).map(|option| format!("did you mean `{option} {name}`?"));
                of_file.or_else(|| self.with_quantity(name)).unwrap_or_else(|| error.hint())
            }
            FormationError::Release
            | FormationError::EmptyItem { .. }
            | FormationError::NoName { .. }
            | FormationError::NoQuantity { .. }
            | FormationError::BadQuantity { .. }
            | FormationError::TooMany { .. } => error.hint(),
        }
    }

    /// The hint for a number that follows a process type as a word of its own.
    fn with_quantity(&self, number: &str) -> Option<String> {
        let at = self.only.iter().position(|word| word == number)?;
        let process_type = self.only.get(at.checked_sub(1)?)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !process_type.contains(['=', ',']);
        is_number.then(|| format!("write `{process_type}={number}`"))
    }

    fn request(&self) -> FormationRequest<'_> {
        FormationRequest {
            whole: self.whole.as_deref(),
            changed: self.changed.as_slice(),
            only: &self.only,
            except: &self.except,
        }
    }
}

/// The message if a list of quantities has only zeros.
pub(crate) const NOTHING_TO_START: &str = "nothing to start: every type has quantity 0";

/// The hint to give a type a quantity.
pub(crate) fn quantity_hint(process_type: &ProcessType) -> String {
    format!("give a type a quantity, such as `{process_type}=1`")
}

/// Drops repeated items: `wbe=1,wbe=2` is one mistake.
pub(crate) fn without_repeats<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Vec<ProcessType> {
        ["web", "worker"].map(|name| ProcessType::new(name).expect("a name")).into()
    }

    fn quantities(args: &FormationArgs, file: &ForemanFile) -> Vec<u16> {
        let formation = RequestedFormation::new(args, file).formation(&types(), Dialect::Dyno).expect("a formation");
        formation.0.iter().map(|(_, quantity)| quantity).collect()
    }

    fn file(formation: &str) -> ForemanFile {
        ForemanFile { formation: Some(Setting { value: formation.to_owned(), line: 1 }), ..ForemanFile::default() }
    }

    #[test]
    fn foreman_defaults_apply_unless_an_option_overrides_them() {
        let none = FormationArgs::default();
        let named = FormationArgs { types: vec!["worker".to_owned()], ..FormationArgs::default() };
        let whole = FormationArgs { formation: Some("all=3".to_owned()), ..FormationArgs::default() };

        assert_eq!(quantities(&none, &file("web=2, worker=1")), [2, 1]);
        assert_eq!(quantities(&none, &file("web=2")), [2, 0]);
        assert_eq!(quantities(&named, &file("web=2")), [0, 1]);
        assert_eq!(quantities(&whole, &file("web=2")), [3, 3]);
    }

    #[test]
    fn the_processes_option_means_the_same_as_positional_types() {
        let args = FormationArgs { processes: vec!["web=2,worker".to_owned()], ..FormationArgs::default() };

        assert_eq!(quantities(&args, &ForemanFile::default()), [2, 1]);
    }

    #[test]
    fn release_with_quantity_0_does_not_run() {
        let with = |list: &str| FormationArgs { formation: Some(list.to_owned()), ..FormationArgs::default() };
        let except = FormationArgs { except: vec!["release".to_owned()], ..FormationArgs::default() };
        let keeps = |args: &FormationArgs, file: &ForemanFile| {
            RequestedFormation::new(args, file)
                .formation(&types(), Dialect::Dyno)
                .expect("a formation")
                .0
                .keeps_release()
        };

        assert!(keeps(&FormationArgs::default(), &file("all=1")));
        assert!(!keeps(&FormationArgs::default(), &file("all=1,release=0")) && !keeps(&except, &file("all=1")));
        // An option replaces everything in the file.
        assert!(keeps(&with("all=1"), &file("all=1,release=0")));
    }
}
