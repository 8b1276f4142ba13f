//! What only the machine decides about the ports of a start: whether those of the web dynos are free, and which ports are
//! (S5.3, S5.4).
//!
//! Decides what a taken port means; `runtime::ports` finds out whether it is taken and by whom.

use crate::app::{Formation, PortBlock, Ports};
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, ProcessType};
use crate::project::ports::AssignedPorts;
use crate::runtime::{self, BindMode, PortLocks};

/// The warnings about ports of web dynos that are in use; with `--strict-ports` that is an error (S5.3).
///
/// # Errors
/// Status 69: with `strict` one is in use.
pub(super) fn probe(strict: bool, ports: &[(DynoName, u16)]) -> Result<Vec<Complaint>, Error> {
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
    if strict && !complaints.is_empty() {
        return Err(Error::all(Status::Unavailable, complaints));
    }
    Ok(complaints)
}

const PORT_HINT: &str = "stop that process, or choose another port with `-p`; `-p auto` finds a free one";

/// S5.4: the first block that is not reserved and whose ports are free. It is ours until the locks are dropped.
///
/// # Errors
/// Status 69: there is none.
pub(super) fn automatic(types: &[ProcessType], formation: &Formation) -> Result<(AssignedPorts, PortLocks), Error> {
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
            return Ok((AssignedPorts { rule, ports }, locks));
        }
    }
    let fact = format!("no block of {} free ports was found from 20000 up", block.size);
    Err(Error::new(Status::Unavailable, fact, "stop programs that use these ports, or choose the ports with `-p`"))
}
