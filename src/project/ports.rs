//! The ports of a start, as far as options and files decide them, and what is wrong with them (S5.1, S5.2).
//!
//! Not here: which ports are free (`commands`).

use super::findings::{Finding, Findings};
use super::places::Places;
use super::start_plan::PlanFiles;
use crate::app::{
    DEFAULT_BASE, DEFAULT_STEP, Formation, Layers, PortBase, PortError, PortOwner, Ports, RouterPort, Severity,
};
use crate::error::{Error, Status};
use crate::model::{DynoName, ProcessType};
use crate::settings::{BasePort, PortSettings, SetBy, Settings};

/// The port of each dyno.
#[derive(Debug, Default)]
pub(crate) struct AssignedPorts {
    /// The rule that gives each dyno its port, including dynos that are added later.
    pub(crate) rule: Ports,
    /// The dynos of the formation in start order.
    pub(crate) ports: Vec<(DynoName, u16)>,
}

impl AssignedPorts {
    /// All ports that follow from the base.
    pub(crate) fn owners(&self) -> Vec<(PortOwner, u16)> {
        self.rule.owners(&self.ports)
    }
}

/// What a start needs ports for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PortSearch<'a> {
    /// The process types of the Procfile.
    pub(crate) types: &'a [ProcessType],
    /// The dynos that start.
    pub(crate) formation: &'a Formation,
    /// The process types that are expected to listen on their port.
    pub(crate) expected: &'a [ProcessType],
    /// Whether `-p auto` asks for free ports (S5.4). Otherwise no setting names a port (S5.5).
    pub(crate) is_auto: bool,
    /// `--port-step`.
    pub(crate) step: Option<u16>,
    /// Where the router listens, if there is one.
    pub(crate) router: Option<RouterPort>,
}

impl PortSearch<'_> {
    /// How many places the block has: one for each process type, and one for a router that has the base port.
    pub(crate) fn places(&self) -> usize {
        self.types.len() + usize::from(self.router == Some(RouterPort::Base))
    }
}

/// Finds the ports of a start. None: they begin at [`DEFAULT_BASE`].
pub(crate) type FindPorts<'a> = dyn FnMut(&PortSearch<'_>) -> Result<Option<AssignedPorts>, Error> + 'a;

/// The base port. None: a finding says why it cannot be used.
pub(crate) fn base(
    settings: &PortSettings,
    places: &Places,
    layers: &Layers,
    findings: &mut Findings,
) -> Option<(BasePort, PortBase)> {
    let base_port = BasePort::new(settings, &places.foreman, &places.foreman_name, layers);
    match base_port.base() {
        // Under the names of the other tools, ports always begin at 5000 (S5.5).
        Ok(PortBase::Checkout) if settings.fixed || places.dialect.is_of_another_tool() => {
            Some((base_port, PortBase::Fixed(DEFAULT_BASE)))
        }
        Ok(base) => Some((base_port, base)),
        Err(error) => {
            let hint = if settings.only_files { "write a line such as `PORT=5000`" } else { error.hint() };
            findings.push(refused(base_port.set_by().line(), error.to_string(), hint));
            None
        }
    }
}

/// Gives every dyno of the formation its port. None: a finding says why that is impossible, or the base is `auto` and
/// nothing finds ports.
pub(crate) fn assign(
    settings: &Settings,
    files: &PlanFiles<'_>,
    (formation, expected): (&Formation, &[ProcessType]),
    find: Option<&mut FindPorts<'_>>,
    findings: &mut Findings,
) -> Option<AssignedPorts> {
    let step = settings.ports.step;
    let (base_port, base) = base(&settings.ports, files.places, &files.layers, findings)?;
    let is_auto = base == PortBase::Auto;
    if is_auto && step.is_some() {
        let fact = "`--port-step` has no effect with `-p auto`, which chooses the step itself";
        findings.refuse(&Error::usage(fact, "leave it out, or name the base, such as `-p 5000`"));
        return None;
    }
    let router = settings.router.port().filter(|_| !files.places.dialect.is_of_another_tool());
    if router == Some(RouterPort::Base) && step == Some(0) {
        let fact = "with `--port-step 0` the router and the dynos would share one port";
        findings.refuse(&Error::usage(fact, "give the router a port of its own, such as `--router=8080`"));
        return None;
    }
    let base = match (base, find) {
        (PortBase::Fixed(base), _) => base,
        (PortBase::Auto, None) => return None,
        (PortBase::Checkout, None) => DEFAULT_BASE,
        (PortBase::Auto | PortBase::Checkout, Some(find)) => {
            let search = PortSearch { types: &files.types, formation, expected, is_auto, step, router };
            match findings.accept(find(&search))? {
                Some(found) => return Some(found),
                None => DEFAULT_BASE,
            }
        }
    };
    let rule = Ports::new(base, step.unwrap_or(DEFAULT_STEP), &files.types).with_router(router);
    match rule.assign(formation) {
        Ok(ports) => Some(AssignedPorts { rule, ports }),
        Err(error) => {
            let by = base_port.set_by();
            // Otherwise an option or the shell has its part in it.
            let is_of_files = by == SetBy::Default && step.is_none() && !settings.formation.is_of_option();
            let entry = dyno(&error).filter(|_| is_of_files).and_then(|dyno| files.procfile.get(&dyno.process_type));
            let entry = entry.map(|entry| (files.procfile_name, entry.line, entry.process_type.as_str()));
            findings.push(refused(by.line().or(entry), error.to_string(), error.hint()));
            None
        }
    }
}

/// The dyno that cannot have its port.
fn dyno(error: &PortError) -> Option<&DynoName> {
    match error {
        PortError::OutOfRange { dyno, .. }
        | PortError::OutsideBlock { dyno, .. }
        | PortError::Router { dyno, .. }
        | PortError::Collision { second: dyno, .. } => Some(dyno),
        PortError::BadBase { .. } => None,
    }
}

/// The error at that file, line and key; without one, the command line or the shell is wrong.
fn refused(place: Option<(&str, usize, &str)>, message: String, hint: &str) -> Finding {
    match place {
        Some((file, line, key)) => Finding::new(Severity::Error, file, line, message, hint).about(key),
        None => Finding::new(Severity::Error, "", None, message, hint).in_a_sentence().with_status(Status::Usage),
    }
}
