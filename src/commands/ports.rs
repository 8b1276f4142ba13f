//! The ports of a start: base, assignment, and whether those of the web dynos are free (S5).
//!
//! Decides what a taken port means; `runtime::ports` finds out whether it is taken and by whom.

use super::formation::of_file;
use crate::app::{
    BaseSource, BaseSources, DEFAULT_STEP, Formation, Layers, Origin, PortBase, PortBlock, PortError, Ports, Procfile,
    Severity,
};
use crate::cli::StartArgs;
use crate::console::diagnostics::{print_line, warn};
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, ProcessType, Secret};
use crate::project::Places;
use crate::project::Project;
use crate::project::{Finding, Findings};
use crate::runtime::{self, BindMode, PortLocks};

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
            print_line(&format!("ports: {}", list(&self.ports)));
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
    args: &StartArgs,
    project: &Project,
    types: &[ProcessType],
    formation: &Formation,
) -> Result<Assigned, Error> {
    let (base, given) = base(args.port.as_deref(), args.variables.prefer_shell, &project.layers, &project.places);
    match base.map_err(|error| given.refused(&error))? {
        PortBase::Fixed(base) => {
            let step = args.port_step.unwrap_or(DEFAULT_STEP);
            let rule = Ports::new(base, step, types);
            let ports = rule.assign(formation).map_err(|error| given.refused(&error))?;
            let in_use = probe(args, &ports)?;
            Ok(Assigned { ports, rule, locks: None, in_use })
        }
        PortBase::Auto if args.port_step.is_some() => {
            let fact = "`--port-step` has no effect with `-p auto`, which chooses the step itself";
            Err(Error::new(Status::Usage, fact, "leave it out, or name the base, such as `-p 5000`"))
        }
        PortBase::Auto => automatic(types, formation),
    }
}

/// Where the base port comes from.
pub(super) enum Given {
    /// A line of a file, with this key.
    File { name: String, line: usize, key: &'static str },
    /// The shell: `check` ignores it, because another shell can have another value.
    Shell,
    /// An option, or the default.
    OptionOrDefault,
}

impl Given {
    fn file(&self) -> Option<(&str, usize, &'static str)> {
        match self {
            Self::File { name, line, key } => Some((name, *line, key)),
            Self::Shell | Self::OptionOrDefault => None,
        }
    }

    /// The error for a base that cannot be used.
    pub(super) fn refused(&self, error: &PortError) -> Error {
        let status = if self.file().is_some() { Status::Config } else { Status::Usage };
        let place = match (error, self.file()) {
            (PortError::OutOfRange { .. } | PortError::Collision { .. }, Some((name, line, _))) => {
                format!("{name}:{line}: ")
            }
            // The message for a bad base names its place.
            (PortError::BadBase { .. }, _) | (PortError::OutOfRange { .. } | PortError::Collision { .. }, None) => {
                String::new()
            }
        };
        Error::new(status, format!("{place}{error}"), error.hint())
    }
}

/// The base port, or why it is not a port (S5.2). `option`: `-p`.
pub(super) fn base(
    option: Option<&str>,
    prefer_shell: bool,
    layers: &Layers,
    places: &Places,
) -> (Result<PortBase, PortError>, Given) {
    let in_files = layers.get_from_files("PORT");
    let in_files = in_files.as_ref().and_then(|given| Some((given.origin.to_string(), given.value.as_ref()?)));
    let setting = layers.get_from_options("PORT").and_then(|given| given.value);
    let sources = BaseSources {
        option,
        setting: setting.as_ref().map(Secret::reveal),
        foreman_file: places.foreman.port.as_ref().map(|setting| setting.value),
        env_file: in_files.as_ref().map(|(at, value)| (at.as_str(), value.reveal())),
        shell: layers.scope().inherited.get(b"PORT").map(Secret::reveal),
        prefer_shell,
    };
    let source = sources.first();
    let given = match source {
        BaseSource::ForemanFile(_) => places.foreman.port.as_ref().map(|setting| Given::File {
            name: places.foreman_name.clone(),
            line: setting.line,
            key: "port",
        }),
        BaseSource::EnvFile(..) => layers.get_from_files("PORT").and_then(|given| match given.origin {
            Origin::File { name, line } => Some(Given::File { name, line, key: "PORT" }),
            Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno => None,
        }),
        BaseSource::Shell(_) => Some(Given::Shell),
        BaseSource::Option(_) | BaseSource::Setting(_) | BaseSource::Default => None,
    };
    (source.base(), given.unwrap_or(Given::OptionOrDefault))
}

/// For `check`: finds the settings in files that make `start` without options refuse its ports. `file`: the name of the
/// Procfile.
pub(super) fn find(file: &str, procfile: Option<&Procfile>, layers: &Layers, places: &Places, findings: &mut Findings) {
    let (base, given) = base(None, false, layers, places);
    let mut find = |name: &str, line: usize, key: &str, message: String, hint: &str| {
        findings.push(Finding::new(Severity::Error, name, line, message, hint).about(key));
    };
    let base = match (base, &given) {
        (Ok(PortBase::Fixed(base)), Given::File { .. } | Given::OptionOrDefault) => base,
        (Err(_), Given::File { name, line, key }) => {
            let message = "`PORT` is not a port number from 1 to 65535".to_owned();
            return find(name, *line, key, message, "write a line such as `PORT=5000`");
        }
        (Ok(_) | Err(_), Given::Shell) | (Ok(PortBase::Auto) | Err(_), _) => return,
    };
    let Some(procfile) = procfile else { return };
    let types = procfile.formation_types();
    // Problems of the formation itself are reported already.
    let Some(formation) = of_file(&places.foreman, &types) else { return };
    let Err(error) = Ports::new(base, DEFAULT_STEP, &types).assign(&formation) else { return };
    let dyno = match &error {
        PortError::OutOfRange { dyno, .. } | PortError::Collision { second: dyno, .. } => Some(dyno),
        PortError::BadBase { .. } => None,
    };
    let entry = dyno.and_then(|dyno| procfile.get(&dyno.process_type));
    match (given.file(), entry) {
        (Some((name, line, key)), _) => find(name, line, key, error.to_string(), error.hint()),
        (None, Some(entry)) => find(file, entry.line, entry.process_type.as_str(), error.to_string(), error.hint()),
        (None, None) => {}
    }
}

/// The warnings about ports of web dynos that are in use; with `--strict-ports` that is an error (S5.3).
fn probe(args: &StartArgs, ports: &[(DynoName, u16)]) -> Result<Vec<Complaint>, Error> {
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
    if args.strict_ports && !complaints.is_empty() {
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
        let rule = Ports::new(base, block.step, types);
        let Ok(ports) = rule.assign(formation) else { continue };
        // The block must suit every server, even one that does not set `SO_REUSEADDR`.
        if ports.iter().all(|(_, port)| runtime::is_port_free(*port, BindMode::Plain)) {
            return Ok(Assigned { ports, rule, locks: Some(locks), in_use: Vec::new() });
        }
    }
    let fact = format!("no block of {} free ports was found from 20000 up", block.size);
    Err(Error::new(Status::Unavailable, fact, "stop programs that use these ports, or choose the ports with `-p`"))
}

/// `web.1 5000, web.2 5001, worker.1 5010`.
pub(super) fn list(ports: &[(DynoName, u16)]) -> String {
    ports.iter().map(|(dyno, port)| format!("{dyno} {port}")).collect::<Vec<_>>().join(", ")
}
