//! The ports that `dyno start` would choose, for commands that do not start the app: `dyno config --explain`.
//!
//! They are chosen as in a start (S5.1 to S5.5), but not reserved or remembered.

use super::checkout::{Checkout, Need};
use super::ports::PortFinder;
use crate::app::Layers;
use crate::console::diagnostics::settled;
use crate::error::Error;
use crate::project::ports::{AssignedPorts, PortSearch};
use crate::project::{Findings, Places, PlanFiles, files, ports};
use crate::settings::Settings;

/// What a start would decide about ports.
pub(in crate::commands) struct ExpectedPorts {
    /// The port of each dyno.
    pub(in crate::commands) assigned: AssignedPorts,
    /// The line that explains them. None: a start would not show one.
    pub(in crate::commands) line: Option<String>,
    /// Where the base port comes from (see [`PortFinder::source`]).
    pub(in crate::commands) source: Option<String>,
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
        let (line, source) = (finder.line(&assigned.ports), finder.source());
        Ok((!assigned.ports.is_empty()).then_some(Self { assigned, line, source }))
    }
}
