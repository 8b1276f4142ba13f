//! The formation of a start: what the options ask for, else what `.foreman` does (S4).

use super::diagnostics::warn;
use crate::app::{ForemanFile, Formation, FormationRequest, ProcessType};
use crate::cli::FormationArgs;
use crate::error::{Complaint, Error, Status};

/// How many dynos of each type run. `types`: those of the Procfile.
///
/// # Errors
/// Status 2: an unknown type, a bad quantity, or nothing is left to run; 78 if `.foreman` asks for it.
pub(super) fn formation(
    args: &FormationArgs,
    file: &ForemanFile,
    file_name: &str,
    types: &[ProcessType],
) -> Result<Formation, Error> {
    let only: Vec<String> = args.types.iter().chain(&args.processes).cloned().collect();
    let by_option = args.formation.is_some() || args.concurrency.is_some() || !only.is_empty();
    let setting = |setting: &Option<crate::app::Setting<String>>| {
        setting.as_ref().filter(|_| !by_option).map(|setting| setting.value.clone())
    };
    let whole = args.formation.clone().or_else(|| setting(&file.formation));
    let changed: Vec<String> = args.concurrency.clone().or_else(|| setting(&file.concurrency)).into_iter().collect();
    let request = FormationRequest { whole: whole.as_deref(), changed: &changed, only: &only, except: &args.except };
    match Formation::resolve(types, &request) {
        Ok((formation, warnings)) => {
            for warning in warnings {
                warn(&Complaint::new(warning.to_string(), warning.hint()));
            }
            if formation.is_empty() {
                return Err(empty(args, types));
            }
            Ok(formation)
        }
        Err(errors) => {
            let of_file = [&file.formation, &file.concurrency].into_iter().flatten().next().filter(|_| !by_option);
            let (status, place) = match of_file {
                Some(setting) => (Status::Config, format!("{file_name}:{}: ", setting.line)),
                None => (Status::Usage, String::new()),
            };
            let mut complaints: Vec<Complaint> = Vec::new();
            for complaint in errors.iter().map(|error| Complaint::new(format!("{place}{error}"), error.hint())) {
                if !complaints.contains(&complaint) {
                    complaints.push(complaint);
                }
            }
            Err(Error::all(status, complaints))
        }
    }
}

/// Nothing would run. `types`: those of the Procfile that can.
fn empty(args: &FormationArgs, types: &[ProcessType]) -> Error {
    let Some(first) = types.first() else {
        let fact = "the formation is empty: the Procfile defines `release` only";
        return Error::new(Status::Usage, fact, "`dyno release` runs it alone");
    };
    let fact = "the formation is empty: no process type has a quantity above 0";
    let hint = if args.except.is_empty() {
        format!("give one a quantity, such as `{first}=1`")
    } else {
        "`-x` leaves out all that would run: name fewer".to_owned()
    };
    Error::new(Status::Usage, fact, hint)
}

/// Whether the release command may run first: `release=0` and `-x release` say the same as `--no-release`.
pub(super) fn keeps_release(args: &FormationArgs) -> bool {
    let lists = args.formation.iter().chain(&args.types).chain(&args.processes);
    let is_zero =
        |item: &str| item.split_once('=').is_some_and(|(name, n)| name.trim() == "release" && n.trim() == "0");
    let left_out = lists.flat_map(|list| list.split(',')).any(is_zero);
    !left_out && !args.except.iter().any(|name| name.trim() == "release")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Setting;

    fn types() -> Vec<ProcessType> {
        ["web", "worker"].map(|name| ProcessType::new(name).expect("a name")).into()
    }

    fn quantities(args: &FormationArgs, file: &ForemanFile) -> Vec<u16> {
        formation(args, file, ".foreman", &types()).expect("a formation").iter().map(|(_, quantity)| quantity).collect()
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
        let with =
            |formation: &str| FormationArgs { formation: Some(formation.to_owned()), ..FormationArgs::default() };

        assert!(keeps_release(&with("all=1")));
        assert!(!keeps_release(&with("all=1, release=0")));
        assert!(!keeps_release(&FormationArgs { except: vec!["release".to_owned()], ..FormationArgs::default() }));
    }
}
