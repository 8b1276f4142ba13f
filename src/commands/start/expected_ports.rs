//! The ports that `dyno start` would choose, for commands that do not start the app: `dyno config --explain` and
//! `dyno run`.
//!
//! They are chosen as in a start (S5.1 to S5.6), but not reserved or remembered.

use super::checkout::{Checkout, Need};
use super::ports::PortFinder;
use crate::api::StartDescription;
use crate::app::{Layers, app_url_variable, sibling_variables};
use crate::console::diagnostics::settled;
use crate::error::Error;
use crate::model::{DynoName, ProcessType, Secret};
use crate::project::ports::{AssignedPorts, PortSearch};
use crate::project::{Findings, Places, PlanFiles, files, ports};
use crate::release::app_url;
use crate::runtime::RuntimeDirectory;
use crate::settings::{PortSettings, Settings};

/// What a start would decide about ports.
pub(in crate::commands) struct ExpectedPorts {
    /// The port of each dyno.
    pub(in crate::commands) assigned: AssignedPorts,
    /// The line that explains them. None: a start would not show one.
    pub(in crate::commands) line: Option<String>,
    /// Where the base port comes from (see [`PortFinder::source`]).
    pub(in crate::commands) source: Option<String>,
    /// The process types that are expected to listen.
    expected: Vec<ProcessType>,
}

impl ExpectedPorts {
    /// Chooses the ports for these settings. None: there is no usable Procfile, or nothing would run.
    ///
    /// # Errors
    /// The same errors as in a start.
    pub(in crate::commands) fn look(
        settings: &Settings,
        layers: Layers,
        places: &Places,
    ) -> Result<Option<Self>, Error> {
        let found = files::procfile_path(places, &layers);
        // `check` reports what is wrong with it.
        let Some(procfile) = files::procfile(places, &found, &mut Findings::default()) else { return Ok(None) };
        let files = PlanFiles::new(places, &found.name, procfile, layers);
        let Some(formation) = settings.formation.resolved(&files.types) else { return Ok(None) };
        let expected = settings.life.expected_to_listen(&files.types)?;
        let mut checkout = Checkout::of(places, &found.path, &settings.names, Need::Look);
        let mut finder = PortFinder::looking(&mut checkout);
        let mut findings = Findings::default();
        let mut find = |search: &PortSearch<'_>| finder.find(search);
        let assigned = ports::assign(settings, &files, (&formation, &expected), Some(&mut find), &mut findings);
        let assigned = settled(assigned, &findings)?;
        let (line, source) = (finder.line(&assigned.owners()), finder.source());
        Ok((!assigned.ports.is_empty()).then_some(Self { assigned, line, source, expected }))
    }
}

/// The addresses of other dynos, for a dyno outside any start (S5.6). If the app is running, the address of `web` is
/// its present one.
pub(in crate::commands) fn siblings(layers: &Layers, places: &Places) -> Vec<(String, Secret)> {
    if places.dialect.is_of_another_tool() {
        return Vec::new();
    }
    let settings = Settings { ports: PortSettings::default(), ..Settings::of_files(&places.foreman) };
    // An error in the files must not prevent a command that may repair them.
    let Ok(Some(ExpectedPorts { assigned, expected, .. })) = ExpectedPorts::look(&settings, layers.clone(), places)
    else {
        return Vec::new();
    };
    let now = running_web(places);
    let (url, web_port) = match now {
        Some((url, port)) => (Some(url), Some(port)),
        None => (app_url(&assigned.rule), None),
    };
    let port = |name: &ProcessType| match web_port.filter(|_| name.as_str() == ProcessType::WEB) {
        Some(port) => Some(port),
        None => assigned.rule.port_of(&DynoName::new(name.clone(), 1)).ok().flatten(),
    };
    let pairs = expected.iter().filter_map(|name| Some(sibling_variables(name, port(name)?, url.as_deref()))).flatten();
    pairs.chain(url.as_deref().map(app_url_variable)).collect()
}

/// The address of the app and the port of `web.1` in a start that is running here.
fn running_web(places: &Places) -> Option<(String, u16)> {
    let root = StartDescription::path_text(&crate::client::real(&places.root));
    let living = RuntimeDirectory::open_existing().ok()??.starts().ok()?;
    let mut here = living.starts.into_iter().filter(|start| start.root == root && start.kind.is_exclusive());
    here.find_map(|start| {
        let url = start.url?;
        let port = start.web_port.or_else(|| url.rsplit_once(':')?.1.parse().ok())?;
        Some((url, port))
    })
}
