//! What the format of an export cannot carry: each config var, process type and command is exported alone, so that every one
//! that is refused is found, and not only the first.

use super::{MoveFinding, MovePlace, MoveTarget};
use crate::export::{ExportFailure, ExportedApp, ExportedDyno, export};
use crate::model::DynoName;

/// A name that every format accepts.
const SOME_NAME: &str = "app";

pub(super) fn find(target: MoveTarget, exported: &ExportedApp) -> Vec<MoveFinding> {
    let Some(format) = target.format() else { return Vec::new() };
    let mut bare = ExportedApp { name: SOME_NAME.to_owned(), ..exported.clone() };
    // What is missing here can be given later.
    bare.options.image.get_or_insert_with(|| "image".to_owned());
    bare.options.without_values = false;
    let (config_vars, types) = (std::mem::take(&mut bare.config_vars), std::mem::take(&mut bare.types));
    let release = bare.release.take();
    let refused = |app: &ExportedApp| export(format, app).err().filter(|failure| !is_missing(failure));
    if let Some(failure) = refused(&bare) {
        return vec![finding(&failure, MovePlace::App)];
    }
    let mut findings = Vec::new();
    for variable in config_vars {
        let place = MovePlace::Variable(variable.key.clone());
        bare.config_vars = vec![variable];
        findings.extend(refused(&bare).map(|failure| finding(&failure, place)));
    }
    bare.config_vars.clear();
    for mut moved in types {
        let place = MovePlace::Type(moved.process_type.clone());
        if moved.dynos.is_empty() {
            let name = DynoName::new(moved.process_type.clone(), 1);
            moved.dynos.push(ExportedDyno { name, port: moved.port });
        }
        // Another one that it waits for is not there.
        moved.after.clear();
        bare.types = vec![moved];
        findings.extend(refused(&bare).map(|failure| finding(&failure, place)));
    }
    bare.types.clear();
    bare.release = release;
    findings.extend(refused(&bare).map(|failure| finding(&failure, MovePlace::App)));
    bare.release = None;
    bare.name.clone_from(&exported.name);
    findings.extend(refused(&bare).map(|failure| finding(&failure, MovePlace::App)));
    findings
}

/// Whether an option of the export is missing, which `check` does not have.
fn is_missing(failure: &ExportFailure) -> bool {
    matches!(failure, ExportFailure::Missing { .. })
}

fn finding(failure: &ExportFailure, place: MovePlace) -> MoveFinding {
    MoveFinding { is_certain: true, place, message: failure.to_string(), hint: failure.hint() }
}
