//! `dyno config --explain PORT`: the base port, where it comes from, and the port of each dyno (S3.2, S5.2, S5.5).
//!
//! Decides only the wording: the ports are chosen as in a start (`start::expected_ports`).

use std::fmt::Write;

use crate::app::{DEFAULT_BASE, Layers, PortBase};
use crate::cli::ConfigArgs;
use crate::commands::start::expected_ports::ExpectedPorts;
use crate::console::diagnostics::settled;
use crate::error::Error;
use crate::project::{Findings, Places, ports};
use crate::settings::{NameSettings, PortSettings, SetBy, Settings, port_list};

/// The explanation for a start with these options and no other ones.
///
/// # Errors
/// The same errors as in a start: a base that is not a port, or a dyno whose port is too high.
pub(super) fn explain(args: &ConfigArgs, layers: Layers, places: &Places) -> Result<String, Error> {
    let of_options = PortSettings { base: args.port.clone(), fixed: args.fixed_ports, ..PortSettings::default() };
    let names = NameSettings::new(None, args.name.as_ref(), &places.foreman);
    let settings = Settings { ports: of_options, names, ..Settings::of_files(&places.foreman) };
    let mut findings = Findings::default();
    let base = ports::base(&settings.ports, places, &layers, &mut findings);
    let (base_port, base) = settled(base, &findings)?;
    let from = match base_port.set_by() {
        SetBy::Default if args.fixed_ports => "from `--fixed-ports`".to_owned(),
        SetBy::Default => "by default".to_owned(),
        by @ (SetBy::Option(_) | SetBy::Foreman { .. } | SetBy::Variable { .. }) => format!("from {by}"),
    };
    let (usual, why) = match base {
        PortBase::Auto => (None, None),
        PortBase::Fixed(base) => (Some(base), ExpectedPorts::look(&settings, layers, places)?),
        PortBase::Checkout => (Some(DEFAULT_BASE), ExpectedPorts::look(&settings, layers, places)?),
    };
    let mut text = match (usual, why) {
        (None, _) => format!("base {from}: free ports are chosen when the app starts\n"),
        (Some(base), None) => format!("base {base} {from}\n"),
        (Some(_), Some(ExpectedPorts { assigned, line, source, .. })) => {
            let from = source.unwrap_or(from);
            let line = line.map_or_else(String::new, |line| format!("  {line}\n"));
            format!("base {} {from}; {}\n{line}", assigned.rule.base(), port_list(&assigned.owners()))
        }
    };
    for overridden in base_port.overridden() {
        let _ = writeln!(text, "  and overrides {overridden}");
    }
    Ok(text)
}
