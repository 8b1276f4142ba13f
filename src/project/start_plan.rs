//! What a start would do: which dynos run, on which ports, with which specification, and what is wrong with that.
//!
//! Built from settings and files for `start`, `release`, `smoke` and `check`, so that whatever prevents a start is also
//! reported by a check. Nothing is started or shown here. Only free ports, the session and the streams come from outside;
//! what else depends on the machine is checked by `commands`.

use std::collections::HashMap;

use super::findings::{Finding, Findings};
use super::places::Places;
use super::ports::{self, AssignedPorts, FindPorts};
use super::{foreman_formation, size};
use crate::app::{Formation, Layers, Procfile, Severity, StartOrder, WatchList};
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, Focus, Io, ProcessType};
use crate::release::{Blueprint, HttpChecks, Release, RunSettings};
use crate::settings::{Settings, focused};

#[cfg(test)]
mod tests;

/// As long as a real `DYNO_SESSION`.
const NO_SESSION: &str = "0123456789abcdef0123456789abcdef";

/// What the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To start the app. The first step that prevents it is the last one.
    Start,
    /// To run the release command alone (S8.2), otherwise the same.
    Release,
    /// To apply the present files to an app that is running: every dyno keeps its port.
    Reload,
    /// To report everything that is wrong, also with process types that have quantity 0.
    Check,
}

/// The files of the app.
pub(crate) struct PlanFiles<'a> {
    pub(crate) places: &'a Places,
    /// The name of the Procfile in messages.
    pub(crate) procfile_name: &'a str,
    pub(crate) procfile: Procfile,
    pub(crate) layers: Layers,
    /// The process types of the formation, in the order of the Procfile.
    pub(crate) types: Vec<ProcessType>,
}

/// What neither settings nor files decide.
pub(crate) struct Surroundings<'a> {
    /// The author of the release.
    pub(crate) user: String,
    /// The mark on every process of this start.
    pub(crate) session: String,
    /// The streams of most dynos.
    pub(crate) io: Io,
    /// The streams of the dyno with the focus.
    pub(crate) focused: (Io, Focus),
    /// Whether our own stdin is a terminal.
    pub(crate) stdin_is_terminal: bool,
    /// The name of the app.
    pub(crate) app: String,
    /// Finds the ports if no option or file names them. None: no port is checked, and `-p auto` cannot be given.
    pub(crate) find_ports: Option<&'a mut FindPorts<'a>>,
}

/// What a start would do.
pub(crate) struct StartPlan {
    /// The specification of any dyno.
    pub(crate) blueprint: Blueprint,
    /// What runs. None: a finding prevents the start.
    pub(crate) dynos: Option<PlannedDynos>,
    /// In the order of the steps.
    pub(crate) findings: Findings,
}

/// What a start runs. The blueprint has a specification of each of these dynos.
pub(crate) struct PlannedDynos {
    /// The dyno of the release command, which runs first.
    pub(crate) release: Option<DynoName>,
    /// How many dynos of each process type run.
    pub(crate) formation: Formation,
    /// The formation in start order, with ports.
    pub(crate) ports: Vec<(DynoName, u16)>,
    /// The process types that are up only when they listen.
    pub(crate) ready: Vec<ProcessType>,
}

/// Which dynos the options and `.foreman` choose.
struct Chosen {
    release: Option<DynoName>,
    formation: Formation,
}

/// Which process types must listen, and answer.
#[derive(Default)]
struct Listening {
    expected: Vec<ProcessType>,
    ready: Vec<ProcessType>,
    http: HttpChecks,
}

impl<'a> PlanFiles<'a> {
    pub(crate) fn new(places: &'a Places, procfile_name: &'a str, procfile: Procfile, layers: Layers) -> Self {
        let types = procfile.formation_types();
        Self { places, procfile_name, procfile, layers, types }
    }
}

impl Surroundings<'_> {
    /// The surroundings of a plan that is only checked.
    pub(crate) fn none() -> Self {
        Self {
            user: Release::LOCAL_USER.to_owned(),
            session: NO_SESSION.to_owned(),
            io: Io::Pipe,
            focused: (Io::Pipe, Focus::Stdin),
            stdin_is_terminal: false,
            app: String::new(),
            find_ports: None,
        }
    }
}

impl StartPlan {
    /// Decides everything, step by step.
    pub(crate) fn build(
        settings: &Settings,
        files: PlanFiles<'_>,
        purpose: Purpose,
        surroundings: Surroundings<'_>,
    ) -> Self {
        let mut findings = Findings::default();
        let listening = findings.accept(listening(settings, &files.types));
        let order = order(settings, &files, &mut findings);
        let watch = watch(settings, &files, &mut findings);
        let chosen = listening.as_ref().and_then(|_| choose(settings, &files, purpose, &mut findings));
        let Listening { expected, ready, http } = listening.unwrap_or_default();
        let assigned = match (&chosen, purpose) {
            (Some(_), Purpose::Release | Purpose::Reload) => Some(AssignedPorts::default()),
            (Some(chosen), Purpose::Start | Purpose::Check) => {
                let dynos = (&chosen.formation, expected.as_slice());
                ports::assign(settings, &files, dynos, surroundings.find_ports, &mut findings)
            }
            (None, Purpose::Check) => {
                // The base is wrong no matter which dynos run.
                ports::base(&settings.ports, files.places, &files.layers, &mut findings);
                None
            }
            (None, Purpose::Start | Purpose::Release | Purpose::Reload) => None,
        };
        let focus = match (&chosen, &assigned) {
            // The focus stays where it is.
            (Some(_), Some(_)) if purpose == Purpose::Reload => None,
            (Some(chosen), Some(assigned)) => {
                let dynos = chosen.release.iter().chain(assigned.ports.iter().map(|(dyno, _)| dyno)).cloned();
                let dynos: Vec<DynoName> = dynos.collect();
                let focus =
                    focused(&settings.streams, &settings.look, &files.types, &dynos, surroundings.stdin_is_terminal);
                findings.accept(focus)
            }
            (None, _) | (_, None) => None,
        };
        let measured = match purpose {
            Purpose::Start | Purpose::Release if focus.is_none() => Vec::new(),
            Purpose::Start | Purpose::Release | Purpose::Reload | Purpose::Check => {
                longest_names(&files.procfile, chosen.as_ref(), purpose)
            }
        };

        let procfile_name = files.procfile_name;
        let (rule, ports) = assigned.map(|assigned| (assigned.rule, assigned.ports)).unwrap_or_default();
        let (io, of_focused) = surroundings.focused;
        let run = RunSettings {
            ports: rule,
            expected,
            ready: ready.clone(),
            http,
            shell: settings.shell,
            directory: files.places.dyno_directory().to_owned(),
            session: surroundings.session,
            app: surroundings.app,
            names_siblings: !files.places.dialect.is_of_another_tool(),
            io: surroundings.io,
            focused: focus.flatten().map(|dyno| (dyno, io, of_focused)),
        };
        let release = Release::first(surroundings.user, files.procfile, files.layers);
        let blueprint = Blueprint::new(Release { order, watch, ..release }, run);
        size::find(procfile_name, &blueprint, settings.shell, &measured, &mut findings);
        let dynos = chosen.filter(|_| !findings.prevent_start()).map(|Chosen { release, formation }| PlannedDynos {
            release,
            formation,
            ports,
            ready,
        });
        Self { blueprint, dynos, findings }
    }
}

fn listening(settings: &Settings, types: &[ProcessType]) -> Result<Listening, Error> {
    Ok(Listening {
        expected: settings.life.expected_to_listen(types)?,
        ready: settings.life.ready_types(&settings.look, types)?,
        http: settings.life.http_checks(types)?,
    })
}

/// Which process types start after others; none if a finding says why that is not possible.
fn order(settings: &Settings, files: &PlanFiles<'_>, findings: &mut Findings) -> StartOrder {
    let after = &settings.life.after;
    after.resolve(&files.types).unwrap_or_else(|error| {
        refuse_list("after", after.line, (error.to_string(), error.hint()), files, findings);
        StartOrder::default()
    })
}

/// Which process types restart when files change; none if a finding says why that is not possible.
fn watch(settings: &Settings, files: &PlanFiles<'_>, findings: &mut Findings) -> WatchList {
    settings.watch.resolve(&files.types).unwrap_or_else(|error| {
        refuse_list("watch", settings.watch.line, (error.to_string(), error.hint()), files, findings);
        WatchList::default()
    })
}

/// The finding about an option that is also a key of `.foreman`. `line`: that of `.foreman`, if the list comes from there.
fn refuse_list(
    key: &str,
    line: Option<usize>,
    (message, hint): (String, String),
    files: &PlanFiles<'_>,
    findings: &mut Findings,
) {
    if let Some(line) = line {
        let file = files.places.foreman_name.as_str();
        findings.push(Finding::new(Severity::Error, file, line, message, hint).about(key));
    } else {
        findings.refuse(&Error::usage(format!("`--{key}`: {message}"), hint));
    }
}

/// Chooses the dynos. None: a finding says why none can run.
fn choose(settings: &Settings, files: &PlanFiles<'_>, purpose: Purpose, findings: &mut Findings) -> Option<Chosen> {
    let release = files.procfile.release().map(|entry| DynoName::new(entry.process_type.clone(), 1));
    if purpose == Purpose::Release {
        if release.is_none() {
            let hint = "add a line such as `release: ./migrate`";
            findings.refuse(&Error::new(Status::Config, "the Procfile has no `release` command", hint));
            return None;
        }
        return Some(Chosen { release, formation: Formation::default() });
    }
    let (requested, places, types) = (&settings.formation, files.places, &files.types);
    if requested.is_of_file() {
        foreman_formation::find(&places.foreman, &places.foreman_name, types, findings);
        if findings.prevent_start() {
            return None;
        }
    }
    let (formation, warnings) = findings.accept(requested.formation(types, places.dialect))?;
    for warning in warnings {
        // Those about `.foreman` are known already, with their line.
        if findings.iter().all(|finding| finding.message != warning.fact) {
            findings.warn(warning);
        }
    }
    let has_web = types.iter().any(|process_type| process_type.as_str() == ProcessType::WEB);
    // `--heroku` alone starts a router, too.
    if settings.router.port().is_some() && !settings.life.heroku && !has_web && purpose != Purpose::Reload {
        let fact = "the router has no dyno for its address: the Procfile has no process type `web`";
        findings.warn(Complaint::new(fact, "rename the process type that answers requests to `web`"));
    }
    if formation.is_empty() {
        match types.first() {
            Some(first) => findings.refuse(&requested.runs_nothing(first)),
            None => findings.push(only_release(files.procfile_name)),
        }
        return None;
    }
    let release = release.filter(|_| settings.runs_release && formation.keeps_release());
    Some(Chosen { release, formation })
}

/// There is nothing to start, whatever the options are.
fn only_release(file: &str) -> Finding {
    let message = "nothing to start: the Procfile defines only `release`";
    let finding = Finding::new(Severity::Error, file, None, message, "run it with `dyno release`");
    finding.in_a_sentence().with_status(Status::Usage)
}

/// The dyno with the longest name of each process type that runs; in a check also of the others, which may run later.
fn longest_names(procfile: &Procfile, chosen: Option<&Chosen>, purpose: Purpose) -> Vec<DynoName> {
    let quantities: HashMap<&ProcessType, u16> = chosen.iter().flat_map(|chosen| chosen.formation.iter()).collect();
    let release = chosen.and_then(|chosen| chosen.release.as_ref());
    let of_types = procfile.entries().iter().filter_map(|entry| {
        let process_type = &entry.process_type;
        let is_release = release.is_some_and(|release| release.process_type == *process_type);
        let last = quantities.get(process_type).copied().unwrap_or(0).max(u16::from(is_release));
        let index = if purpose == Purpose::Check { last.max(1) } else { last };
        (index > 0).then(|| DynoName::new(process_type.clone(), index.into()))
    });
    of_types.collect()
}
