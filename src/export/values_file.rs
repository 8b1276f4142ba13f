//! The file with the values of the config vars, for engines that read one: `APP.env`, or an example of it that has only the names
//! (S18.3).

use super::{CommentStyle, ExportFailure, ExportFile, ExportedApp, ExportedVariable, Marker};

/// The file. `line`: how the engine writes a variable.
pub(super) fn values_file(
    app: &ExportedApp,
    marker: &Marker,
    line: impl Fn(&ExportedVariable) -> Result<Vec<u8>, ExportFailure>,
) -> Result<ExportFile, ExportFailure> {
    let text = |variables: &[ExportedVariable]| variables.iter().map(&line).collect::<Result<Vec<_>, _>>();
    if !app.lacks_values() {
        let text = text(&app.config_vars)?.concat();
        return Ok(ExportFile::new(app.env_file(), marker, CommentStyle::Hash, text).secret());
    }
    let names: Vec<ExportedVariable> =
        app.config_vars.iter().map(|variable| ExportedVariable::plain(&variable.key, "")).collect();
    Ok(ExportFile::new(example(app), marker, CommentStyle::Hash, text(&names)?.concat()))
}

/// What to do about values that were left out.
pub(super) fn values_note(app: &ExportedApp) -> Option<String> {
    let (file, example) = (app.env_file(), example(app));
    app.lacks_values().then(|| {
        format!(
            "the values of the config vars are left out: type `install -m 600 {example} {file}`, and write them into {file}"
        )
    })
}

fn example(app: &ExportedApp) -> String {
    format!("{}.example", app.env_file())
}
