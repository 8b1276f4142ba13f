//! `dyno config --explain PORT`: the base port, where it comes from, and the port of each dyno (S3.2, S5.2).
//!
//! Decides only the wording: the ports are those of the plan of a start.

use std::fmt::Write;

use crate::app::{Layers, PortBase};
use crate::console::diagnostics::settled;
use crate::error::Error;
use crate::model::DynoName;
use crate::project::{Findings, Places, PlanFiles, files, ports};
use crate::settings::{PortSettings, SetBy, Settings, port_list};

/// The explanation for a start with this `-p` and no other option.
///
/// # Errors
/// The same errors as in a start: a base that is not a port, or a dyno whose port is too high.
pub(super) fn explain(option: Option<&str>, layers: Layers, places: &Places) -> Result<String, Error> {
    let of_option = PortSettings { base: option.map(str::to_owned), ..PortSettings::default() };
    let settings = Settings { ports: of_option, ..Settings::of_files(&places.foreman) };
    let mut findings = Findings::default();
    let base = ports::base(&settings.ports, places, &layers, &mut findings);
    let (base_port, base) = settled(base, &findings)?;
    let from = match base_port.set_by() {
        SetBy::Default => "by default".to_owned(),
        by @ (SetBy::Option(_) | SetBy::Foreman { .. } | SetBy::Variable { .. }) => format!("from {by}"),
    };
    let mut text = match base {
        PortBase::Auto => format!("base {from}: free ports are chosen when the app starts\n"),
        PortBase::Fixed(base) => {
            let dynos = dynos(&settings, layers, places)?;
            let dynos = if dynos.is_empty() { String::new() } else { format!("; {}", port_list(&dynos)) };
            format!("base {base} {from}{dynos}\n")
        }
    };
    for overridden in base_port.overridden() {
        let _ = writeln!(text, "  and overrides {overridden}");
    }
    Ok(text)
}

/// The port of each dyno of the formation; empty without a usable Procfile.
fn dynos(settings: &Settings, layers: Layers, places: &Places) -> Result<Vec<(DynoName, u16)>, Error> {
    let found = files::procfile_path(places, &layers);
    // `check` reports what is wrong with it.
    let Some(procfile) = files::procfile(places, &found, &mut Findings::default()) else { return Ok(Vec::new()) };
    let files = PlanFiles::new(places, &found.name, procfile, layers);
    let Some(formation) = settings.formation.resolved(&files.types) else { return Ok(Vec::new()) };
    let mut findings = Findings::default();
    let assigned = ports::assign(settings, &files, &formation, None, &mut findings);
    settled(assigned, &findings).map(|assigned| assigned.ports)
}
