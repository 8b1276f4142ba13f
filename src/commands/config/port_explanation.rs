//! `dyno config --explain PORT`: the base port, where it comes from, and the port of each dyno (S3.2, S5.2).
//!
//! Decides only the wording; `settings` decides the base, also for `start`.

use std::fmt::Write;

use crate::app::{DEFAULT_STEP, Layers, PortBase, Ports};
use crate::error::Error;
use crate::model::DynoName;
use crate::project::{Findings, Places, files};
use crate::settings::{BasePort, SetBy, of_file, port_list};

/// The explanation for a start with this `-p` and no other option.
///
/// # Errors
/// The same errors as in a start: a base that is not a port, or a dyno whose port is too high.
pub(super) fn explain(option: Option<&str>, layers: &Layers, places: &Places) -> Result<String, Error> {
    let base_port = BasePort::new(option, &places.foreman, &places.foreman_name, layers);
    let from = match base_port.set_by() {
        SetBy::Default => "by default".to_owned(),
        by @ (SetBy::Option(_) | SetBy::Foreman { .. } | SetBy::Variable { .. }) => format!("from {by}"),
    };
    let mut text = match base_port.base().map_err(|error| base_port.refused(&error))? {
        PortBase::Auto => format!("base {from}: free ports are chosen when the app starts\n"),
        PortBase::Fixed(base) => {
            let dynos = dynos(base, &base_port, layers, places)?;
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
fn dynos(base: u16, base_port: &BasePort, layers: &Layers, places: &Places) -> Result<Vec<(DynoName, u16)>, Error> {
    let found = files::procfile_path(places, layers);
    // `check` reports what is wrong with it.
    let Some(procfile) = files::procfile(places, &found, &mut Findings::default()) else { return Ok(Vec::new()) };
    let types = procfile.formation_types();
    let Some(formation) = of_file(&places.foreman, &types) else { return Ok(Vec::new()) };
    Ports::new(base, DEFAULT_STEP, &types).assign(&formation).map_err(|error| base_port.refused(&error))
}
