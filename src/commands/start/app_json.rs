//! What `app.json` does for a start (S18.4): a smoke test asks what its health checks ask, and with `--heroku` a line names the
//! config vars that are missing. Any other start does not open it.

use super::scope::Scope;
use crate::cli::Cli;
use crate::error::{Complaint, Error};
use crate::model::Dialect;
use crate::project::{AppJsonFile, Findings, Places};
use crate::release::Blueprint;
use crate::settings::Settings;

/// The `app.json` of a start that looks for required config vars. None: it does not look for them.
pub(super) struct StartAppJson(Option<AppJsonFile>);

/// The settings of a start, with what `app.json` adds to them.
///
/// # Errors
/// Status 2: the options for the router contradict each other.
pub(super) fn settings(
    scope: Scope<'_>,
    cli: &Cli,
    places: &Places,
    findings: &mut Findings,
) -> Result<(Settings, StartAppJson), Error> {
    let mut settings = scope.settings(cli.color(), &places.foreman);
    settings.router.check()?;
    let is_of_other_tool = matches!(cli.dialect, Dialect::Foreman | Dialect::Honcho);
    let wants_variables = matches!(scope, Scope::App(args) if args.heroku);
    let is_smoke = matches!(scope, Scope::Smoke(_));
    let is_read = !is_of_other_tool && (wants_variables || is_smoke);
    let file = is_read.then(|| AppJsonFile::read(places, findings));
    if let Some(file) = file.as_ref().filter(|_| is_smoke) {
        settings.life.or_app_json(&file.declared);
    }
    Ok((settings, StartAppJson(file.filter(|_| wants_variables))))
}

impl StartAppJson {
    /// The line about required config vars that are not set.
    pub(super) fn missing_line(&self, blueprint: &Blueprint) -> Option<Complaint> {
        self.0.as_ref()?.missing_line(&blueprint.release().layers)
    }
}
