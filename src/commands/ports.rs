//! The ports of a start: base, assignment, and whether those of the web dynos are free (S5).
//!
//! Decides what a taken port means; `runtime::ports` finds out whether it is taken and by whom.

use super::diagnostics::{tell, warn};
use super::project::Project;
use crate::app::{
    BaseSources, DEFAULT_STEP, DynoName, Formation, PortBase, PortBlock, PortError, Ports, ProcessType, Secret,
};
use crate::cli::StartArgs;
use crate::error::{Complaint, Error, Status};
use crate::runtime::{self, PortLocks};

/// The process type whose port is probed: the one that listens on the platform.
const WEB: &str = "web";

/// The ports of all dynos.
#[derive(Default)]
pub(super) struct Assigned {
    /// In start order.
    pub(super) ports: Vec<(DynoName, u16)>,
    /// With `-p auto` the block is ours until this is dropped.
    pub(super) locks: Option<PortLocks>,
}

/// Gives every dyno its port.
///
/// # Errors
/// Status 2: a bad base (78 if a file gives it), a port over 65535, two dynos with one port. 69: with `--strict-ports` a port is in use, or
/// no block is free.
pub(super) fn assign(
    args: &StartArgs,
    project: &Project,
    types: &[ProcessType],
    formation: &Formation,
) -> Result<Assigned, Error> {
    match base(args, project)? {
        PortBase::Fixed(base) => {
            let step = args.port_step.unwrap_or(DEFAULT_STEP);
            let ports = Ports::new(base, step, types).assign(formation).map_err(|error| refused(&error))?;
            probe(args, &ports)?;
            Ok(Assigned { ports, locks: None })
        }
        PortBase::Auto if args.port_step.is_some() => {
            let fact = "`--port-step` has no effect with `-p auto`, which chooses the step itself";
            Err(Error::new(Status::Usage, fact, "leave it out, or name the base, such as `-p 5000`"))
        }
        PortBase::Auto => automatic(types, formation),
    }
}

/// Where the ports begin.
///
/// # Errors
/// Status 2 naming the source that is no port; 78 if that is a file.
pub(super) fn base(args: &StartArgs, project: &Project) -> Result<PortBase, Error> {
    let from_files = project.layers.get_from_files("PORT");
    let file = from_files.as_ref().and_then(|given| Some((given.origin.to_string(), given.value.as_ref()?)));
    let foreman = project.places.foreman.port.as_ref();
    let foreman = foreman.map(|port| (format!("{}:{}", project.places.foreman_name, port.line), port.value));
    let sources = BaseSources {
        option: args.port.as_deref(),
        foreman_file: foreman.as_ref().map(|(at, port)| (at.as_str(), *port)),
        env_file: file.as_ref().map(|(at, value)| (at.as_str(), value.reveal())),
        shell: project.layers.scope().inherited.get(b"PORT").map(Secret::reveal),
        prefer_shell: args.variables.prefer_shell,
    };
    let by_file =
        sources.option.is_none() && file.is_some() && !(args.variables.prefer_shell && sources.shell.is_some());
    let status = if by_file { Status::Config } else { Status::Usage };
    PortBase::choose(&sources).map_err(|error| Error::new(status, error.to_string(), error.hint()))
}

fn refused(error: &PortError) -> Error {
    Error::new(Status::Usage, error.to_string(), error.hint())
}

/// S5.3.
fn probe(args: &StartArgs, ports: &[(DynoName, u16)]) -> Result<(), Error> {
    let mut taken = Vec::new();
    for (dyno, port) in ports.iter().filter(|(dyno, _)| dyno.process_type.as_str() == WEB) {
        // With `--port-step 0` many dynos share one port: one message is enough.
        if taken.iter().any(|(known, _)| known == port) || runtime::is_port_free(*port) {
            continue;
        }
        let holder = runtime::port_holder(*port);
        let by = holder.map_or_else(String::new, |holder| format!(" by `{}` (pid {})", holder.command, holder.pid));
        taken.push((*port, Complaint::new(format!("port {port} of `{dyno}` is in use{by}"), PORT_HINT)));
    }
    let complaints = taken.into_iter().map(|(_, complaint)| complaint);
    if args.strict_ports {
        let complaints: Vec<Complaint> = complaints.collect();
        return if complaints.is_empty() { Ok(()) } else { Err(Error::all(Status::Unavailable, complaints)) };
    }
    complaints.for_each(|complaint| warn(&complaint));
    Ok(())
}

const PORT_HINT: &str = "end that process, or choose other ports with `-p`; `-p auto` finds free ones";

/// S5.4: the first block that nobody holds and whose ports are free.
fn automatic(types: &[ProcessType], formation: &Formation) -> Result<Assigned, Error> {
    let block = PortBlock::for_formation(formation, types.len());
    let directory = runtime::RuntimeDirectory::open().map_err(|error| {
        let hint = "set `XDG_RUNTIME_DIR` to a directory of your own, or name the ports with `-p`";
        Error::new(Status::Unavailable, error.to_string(), hint)
    })?;
    for base in block.candidates(runtime::first_ephemeral_port()) {
        let Some(locks) = directory.lock_ports(block.units(base)) else { continue };
        let Ok(ports) = Ports::new(base, block.step, types).assign(formation) else { continue };
        if ports.iter().all(|(_, port)| runtime::is_port_free(*port)) {
            tell(&format!("ports: {}", list(&ports)));
            return Ok(Assigned { ports, locks: Some(locks) });
        }
    }
    let fact = format!("no block of {} free ports was found from 5000 up", block.size);
    Err(Error::new(Status::Unavailable, fact, "end what holds them, or name the ports with `-p`"))
}

/// `web.1 5000, web.2 5001, worker.1 5010`.
fn list(ports: &[(DynoName, u16)]) -> String {
    ports.iter().map(|(dyno, port)| format!("{dyno} {port}")).collect::<Vec<_>>().join(", ")
}
