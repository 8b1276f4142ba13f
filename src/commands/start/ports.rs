//! The ports of a start: assignment, and whether those of the web dynos are free (S5).
//!
//! Decides what a taken port means; `runtime::ports` finds out whether it is taken and by whom.

use crate::app::{DEFAULT_STEP, Formation, PortBase, PortBlock, Ports};
use crate::console::diagnostics::{print_line, warn};
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, ProcessType};
use crate::project::Project;
use crate::runtime::{self, BindMode, PortLocks};
use crate::settings::{BasePort, PortSettings, port_list};

/// The ports of all dynos.
#[derive(Default)]
pub(super) struct Assigned {
    /// In start order.
    pub(super) ports: Vec<(DynoName, u16)>,
    /// The rule that gives each dyno its port, also those that are added later.
    pub(super) rule: Ports,
    /// With `-p auto` the block is ours until this is dropped.
    pub(super) locks: Option<PortLocks>,
    /// The warnings about ports that are in use.
    pub(super) in_use: Vec<Complaint>,
}

impl Assigned {
    /// Shows the ports that were chosen automatically, and the warnings. Call it when nothing can prevent the start any more.
    pub(super) fn report(&self) {
        if self.locks.is_some() {
            print_line(&format!("ports: {}", port_list(&self.ports)));
        }
        self.in_use.iter().for_each(warn);
    }
}

/// Gives every dyno its port.
///
/// # Errors
/// Status 2: a bad base, a port above 65535, two dynos with one port; 78 if the base comes from a file. 69: with
/// `--strict-ports` a port is in use, or no block is free.
pub(super) fn assign(
    settings: &PortSettings,
    project: &Project,
    types: &[ProcessType],
    formation: &Formation,
) -> Result<Assigned, Error> {
    let places = &project.places;
    let base_port = BasePort::new(settings.base.as_deref(), &places.foreman, &places.foreman_name, &project.layers);
    match base_port.base().map_err(|error| base_port.refused(&error))? {
        PortBase::Fixed(base) => {
            let step = settings.step.unwrap_or(DEFAULT_STEP);
            let rule = Ports::new(base, step, types);
            let ports = rule.assign(formation).map_err(|error| base_port.refused(&error))?;
            let in_use = probe(settings, &ports)?;
            Ok(Assigned { ports, rule, locks: None, in_use })
        }
        PortBase::Auto if settings.step.is_some() => {
            let fact = "`--port-step` has no effect with `-p auto`, which chooses the step itself";
            Err(Error::new(Status::Usage, fact, "leave it out, or name the base, such as `-p 5000`"))
        }
        PortBase::Auto => automatic(types, formation),
    }
}

/// The warnings about ports of web dynos that are in use; with `--strict-ports` that is an error (S5.3).
fn probe(settings: &PortSettings, ports: &[(DynoName, u16)]) -> Result<Vec<Complaint>, Error> {
    let mut taken = Vec::new();
    for (dyno, port) in ports.iter().filter(|(dyno, _)| dyno.process_type.as_str() == ProcessType::WEB) {
        // With `--port-step 0` many dynos share one port: one message is enough.
        if taken.iter().any(|(known, _)| known == port) || runtime::is_port_free(*port, BindMode::ReuseAddress) {
            continue;
        }
        let holder = runtime::port_holder(*port);
        let by = holder.map_or_else(String::new, |holder| format!(" by `{}` (pid {})", holder.command, holder.pid));
        taken.push((*port, Complaint::new(format!("port {port} for `{dyno}` is in use{by}"), PORT_HINT)));
    }
    let complaints: Vec<Complaint> = taken.into_iter().map(|(_, complaint)| complaint).collect();
    if settings.strict && !complaints.is_empty() {
        return Err(Error::all(Status::Unavailable, complaints));
    }
    Ok(complaints)
}

const PORT_HINT: &str = "stop that process, or choose another port with `-p`; `-p auto` finds a free one";

/// S5.4: the first block that is not reserved and whose ports are free.
fn automatic(types: &[ProcessType], formation: &Formation) -> Result<Assigned, Error> {
    let block = PortBlock::for_formation(formation, types.len());
    let directory = runtime::RuntimeDirectory::open().map_err(|error| {
        let hint = "set `XDG_RUNTIME_DIR` to a directory that you own, or choose the ports with `-p`";
        Error::new(Status::Unavailable, error.to_string(), hint)
    })?;
    for base in block.candidates(runtime::first_ephemeral_port()) {
        let Some(locks) = directory.lock_ports(block.units(base)) else { continue };
        let rule = Ports::in_block(base, block, types);
        let Ok(ports) = rule.assign(formation) else { continue };
        // The block must suit every server, even one that does not set `SO_REUSEADDR`.
        if ports.iter().all(|(_, port)| runtime::is_port_free(*port, BindMode::Plain)) {
            return Ok(Assigned { ports, rule, locks: Some(locks), in_use: Vec::new() });
        }
    }
    let fact = format!("no block of {} free ports was found from 20000 up", block.size);
    Err(Error::new(Status::Unavailable, fact, "stop programs that use these ports, or choose the ports with `-p`"))
}
