//! Decides which start of an app each name means, before anything is asked of one of them (S10.2).
//!
//! An app may be run by several starts, such as one of `web` and one of `worker`. Pure: the caller has asked each of them
//! what it runs.

use super::error::ApiError;
use super::request::target;
use super::resources::{DynoResource, FormationResource};
use crate::model::{DynoName, ProcessType};
use crate::supervisor::{Refusal, Target};

/// What a start has answered about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeenStart {
    /// Its dynos.
    pub dynos: Vec<DynoResource>,
    /// The quantity of each process type of its Procfile.
    pub formation: Vec<FormationResource>,
}

/// Why no start is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOwner {
    /// It cannot be the name of a dyno or a process type.
    Malformed(ApiError),
    /// There is no such dyno or process type.
    Unknown(Refusal),
    /// Several starts run it: their positions.
    Several {
        /// The name.
        name: String,
        /// Their positions.
        starts: Vec<usize>,
    },
}

/// The dynos and process types that these names mean, each with the position of its start. `starts`: oldest first. A dyno
/// that is named twice, or of which the process type is named as well, is meant once.
///
/// # Errors
/// [`NoOwner`] for the first name that means nothing.
pub fn owners<'a>(starts: &[SeenStart], names: impl Iterator<Item = &'a str>) -> Result<Vec<(usize, Target)>, NoOwner> {
    let mut all: Vec<(usize, Target)> = Vec::new();
    for name in names {
        let target = target(name).map_err(NoOwner::Malformed)?;
        let owned = (owner(starts, &target)?, target);
        if !all.contains(&owned) {
            all.push(owned);
        }
    }
    let whole: Vec<(usize, ProcessType)> =
        all.iter().filter_map(|(start, target)| Some((*start, type_of(target)?))).collect();
    all.retain(|(start, target)| match target {
        Target::Dyno(dyno) => !whole.iter().any(|(at, name)| at == start && *name == dyno.process_type),
        Target::All | Target::Type(_) => true,
    });
    Ok(all)
}

fn type_of(target: &Target) -> Option<ProcessType> {
    match target {
        Target::Type(name) => Some(name.clone()),
        Target::All | Target::Dyno(_) => None,
    }
}

/// The position of the start that runs a dyno or dynos of a process type; if none runs such, of the oldest one whose
/// Procfile has that type.
///
/// # Errors
/// [`NoOwner`].
pub fn owner(starts: &[SeenStart], target: &Target) -> Result<usize, NoOwner> {
    let (running, known, unknown) = match target {
        Target::All => return Ok(0),
        Target::Type(name) => {
            let runs = |start: &SeenStart| {
                start.dynos.iter().any(|dyno| dyno.process_type == name.as_str())
                    || start.formation.iter().any(|entry| entry.process_type == name.as_str() && entry.quantity > 0)
            };
            let knows = |start: &SeenStart| start.formation.iter().any(|entry| entry.process_type == name.as_str());
            let unknown = Refusal::UnknownType { name: name.clone(), known: types(starts) };
            (positions(starts, runs), starts.iter().position(knows), unknown)
        }
        Target::Dyno(name) => {
            let text = name.to_string();
            let runs = |start: &SeenStart| start.dynos.iter().any(|dyno| dyno.name == text);
            (positions(starts, runs), None, Refusal::UnknownDyno { name: name.clone(), known: dynos(starts) })
        }
    };
    match (running.as_slice(), known) {
        (&[owner], _) | (&[], Some(owner)) => Ok(owner),
        ([], None) => Err(NoOwner::Unknown(unknown)),
        (several, _) => Err(NoOwner::Several { name: target.to_string(), starts: several.to_vec() }),
    }
}

fn positions(starts: &[SeenStart], runs: impl Fn(&SeenStart) -> bool) -> Vec<usize> {
    starts.iter().enumerate().filter(|(_, start)| runs(start)).map(|(at, _)| at).collect()
}

fn types(starts: &[SeenStart]) -> Vec<ProcessType> {
    let mut types: Vec<ProcessType> = Vec::new();
    for entry in starts.iter().flat_map(|start| &start.formation) {
        types.extend(ProcessType::new(&entry.process_type).ok().filter(|name| !types.contains(name)));
    }
    types
}

fn dynos(starts: &[SeenStart]) -> Vec<DynoName> {
    let known = starts.iter().flat_map(|start| &start.dynos).filter_map(|dyno| target(&dyno.name).ok());
    let name = |target| match target {
        Target::Dyno(name) => Some(name),
        Target::All | Target::Type(_) => None,
    };
    known.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(dynos: &[&str], formation: &[(&str, u32)]) -> SeenStart {
        let dyno = |name: &&str| DynoResource {
            name: (*name).to_owned(),
            process_type: name.split('.').next().expect("a type").to_owned(),
            ..DynoResource::default()
        };
        let entry = |(name, quantity): &(&str, u32)| FormationResource {
            process_type: (*name).to_owned(),
            quantity: *quantity,
            ..FormationResource::default()
        };
        SeenStart { dynos: dynos.iter().map(dyno).collect(), formation: formation.iter().map(entry).collect() }
    }

    fn found(starts: &[SeenStart], names: &[&str]) -> Result<Vec<(usize, String)>, NoOwner> {
        let found = owners(starts, names.iter().copied())?;
        Ok(found.into_iter().map(|(start, target)| (start, target.to_string())).collect())
    }

    fn owned(names: &[(usize, &str)]) -> Vec<(usize, String)> {
        names.iter().map(|(start, name)| (*start, (*name).to_owned())).collect()
    }

    #[test]
    fn s10_2_a_name_means_the_start_that_runs_it() {
        let all = [("web", 1), ("worker", 0)];
        let starts = [start(&["web.1"], &all), start(&["worker.1", "worker.2"], &[("web", 0), ("worker", 2)])];

        assert_eq!(found(&starts, &["worker", "web.1"]), Ok(owned(&[(1, "worker"), (0, "web.1")])));
        assert_eq!(
            found(&starts, &["worker.2", "worker.1", "worker.2"]),
            Ok(owned(&[(1, "worker.2"), (1, "worker.1")]))
        );
        assert_eq!(found(&starts, &["worker.2", "worker", "worker.1"]), Ok(owned(&[(1, "worker")])));
    }

    #[test]
    fn s10_2_a_type_that_does_not_run_means_the_oldest_that_knows_it() {
        let starts = [start(&["web.1"], &[("web", 1)]), start(&[], &[("worker", 0)]), start(&[], &[("worker", 0)])];

        assert_eq!(found(&starts, &["worker"]), Ok(owned(&[(1, "worker")])));
    }

    #[test]
    fn s10_2_a_dyno_that_is_being_scaled_down_still_has_an_owner() {
        let starts = [start(&["web.1"], &[("web", 1), ("worker", 0)]), start(&["worker.1"], &[("worker", 0)])];

        assert_eq!(found(&starts, &["worker"]), Ok(owned(&[(1, "worker")])));
    }

    #[test]
    fn s10_2_an_unknown_name_is_an_error_before_anything_is_asked() {
        let starts = [start(&["web.1"], &[("web", 1)]), start(&["worker.1"], &[("worker", 1)])];
        let error = |names: &[&str]| match found(&starts, names) {
            Err(NoOwner::Unknown(refusal)) => {
                let error = ApiError::of_refusal(&refusal, false);
                (error.status, error.message, error.hint)
            }
            Err(NoOwner::Malformed(error)) => (error.status, error.message, error.hint),
            other => panic!("{other:?}"),
        };
        let text = |message: &str, hint: &str| (404, message.to_owned(), hint.to_owned());

        let type_error = text("the Procfile has no process type `wrker`", "did you mean `worker`?");
        assert_eq!(error(&["web.1", "wrker"]), type_error);
        assert_eq!(error(&["web.1", "a b"]), text("the Procfile has no process type `a b`", ""));
        assert_eq!(error(&["worker.2"]), text("there is no dyno `worker.2`", "did you mean `worker.1`?"));
    }

    #[test]
    fn s10_2_a_name_that_several_starts_run_is_ambiguous() {
        let starts = [start(&["web.1"], &[("web", 1)]), start(&["web.1"], &[("web", 1)])];

        let several = |name: &str| Err(NoOwner::Several { name: name.to_owned(), starts: vec![0, 1] });
        assert_eq!(found(&starts, &["web"]), several("web"));
        assert_eq!(found(&starts, &["web.1"]), several("web.1"));
    }
}
