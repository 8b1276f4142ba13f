//! `dyno start`: the files become a plan, the options a policy, and the runtime runs them.
//!
//! Nothing is started until all of these have been checked. After that, the supervisor decides.

mod app_json;
pub(super) mod checkout;
pub(super) mod detached;
pub(super) mod expected_ports;
pub(super) mod look;
mod port_line;
pub(super) mod ports;
mod process_table;
mod registration;
mod reload;
pub(super) mod report;
pub(super) mod router;
mod scope;
mod spare_ports;
mod tcp_api;
mod watched;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Arc;

use nix::errno::Errno;

use self::checkout::Checkout;
use self::look::{formatter, log_files, prefix_columns};
use self::ports::PortFinder;
use self::registration::StartOrigin;
use self::reload::StartFiles;
use self::report::report;
use self::router::OpenedRouter;
pub(super) use self::scope::Scope;
use self::tcp_api::TcpApi;
use self::watched::Watched;
use crate::cli::{Cli, PtyMode, ReleaseArgs, StartArgs};
use crate::console::diagnostics::{print_line, settled, show_finding, warn};
use crate::error::{Error, Status};
use crate::guardian::{CallerLink, Detached, Guardian, Limits, detach, fork_failure};
use crate::logs::Source;
use crate::model::{Dialect, DynoName, Focus, Io, ProcessType, PtySize, Shell};
use crate::project::bash;
use crate::project::files;
use crate::project::ports::PortSearch;
use crate::project::program_lookup::hint_after_failure;
use crate::project::reason;
use crate::project::{FileReader, Findings, Places, Project, StreamTexts};
use crate::project::{PlanFiles, PlannedDynos, StartPlan, Surroundings, WatchedFile};
use crate::release::Blueprint;
use crate::runtime::identity::{random_hex, release_user};
use crate::runtime::{self, ApiStart, DetachedLaunch, Ending, PortLocks};
use crate::settings::{Look, Settings, known_types};
use crate::supervisor::{FocusAdvice, Lifetime, Outcome, Plan, Policy};

/// The size of a dyno's terminal if `dyno` itself has no terminal.
const DEFAULT_TERMINAL: PtySize = PtySize { rows: 24, cols: 80 };

/// Descriptors `dyno` needs besides those of each dyno: its own streams, sockets, the event queue, and the descriptors
/// of starts in progress.
const OWN_DESCRIPTORS: u64 = 96;

/// The fact if [`Limits::raise`] fails.
const NO_LIMITS: &str = "cannot read the resource limits";

/// `dyno start`.
pub(super) fn run(cli: &Cli, args: &StartArgs) -> Result<Outcome, Error> {
    let Some(seconds) = args.detach else { return carry_out(Scope::App(args), None, cli).map(|ending| end(&ending)) };
    match detach().map_err(|errno| refused("cannot start a process in the background", fork_failure(errno)))? {
        Detached::Caller(caller) => detached::wait(caller),
        Detached::Start(link) => {
            carry_out(Scope::App(args), Some(LaunchRequest { link, seconds }), cli).map(|ending| end(&ending))
        }
    }
}

/// `dyno release`: a start that ends after the release phase.
pub(super) fn run_release(cli: &Cli, args: &ReleaseArgs) -> Result<Outcome, Error> {
    carry_out(Scope::Release(args), None, cli).map(|ending| end(&ending))
}

fn end(ending: &Ending) -> Outcome {
    report(ending);
    ending.outcome()
}

/// What only a detached start needs.
pub(super) struct LaunchRequest {
    /// The connection to the process that waits for it.
    link: CallerLink,
    /// How long that process waits, in seconds.
    seconds: u64,
}

/// Runs the part of the app that `scope` selects until it has ended. `launch`: a caller waits until the app is up.
pub(super) fn carry_out(scope: Scope<'_>, launch: Option<LaunchRequest>, cli: &Cli) -> Result<Ending, Error> {
    let limits = Limits::raise().map_err(|errno| refused(NO_LIMITS, errno.desc()))?;
    // Before any file is read and any thread exists: a fork copies as little as possible.
    let guardian = Guardian::start(limits)
        .map_err(|errno| refused("cannot start `dyno`'s helper process (the guardian)", fork_failure(errno)))?;
    // Until the first dyno is started, a signal can simply end this process: the guardian then exits, too.
    runtime::unblock_for_start();
    let no_process_table = process_table::check(matches!(scope, Scope::Smoke(_)))?;

    let mut findings = Findings::default();
    let Some(places) = Places::find(cli.project(scope.project()).into(), cli.dialect, &mut findings) else {
        return settled(None, &findings);
    };
    let (settings, app_json) = app_json::settings(scope, cli, &places, &mut findings)?;
    let stream_texts = StreamTexts::default();
    let (project, watched_files) = load(scope, places, &settings, &stream_texts, findings)?;
    let Project { places, procfile_name, found_procfile, procfile, layers, other_procfile } = project;
    let files = PlanFiles::new(&places, &procfile_name, procfile, layers);
    let types = files.types.clone();
    let mut policy = policy(scope, &settings, &types, cli.dialect, launch.is_some())?;
    if let Scope::Smoke(request) = scope {
        request.check_types(&types)?;
    }
    let tcp = scope.api_port().map(TcpApi::listen).transpose()?;
    let kind = registration::kind(matches!(scope, Scope::Smoke(_)), cli.dialect);
    let mut checkout = Checkout::of(&places, &found_procfile.path, &settings.names, scope.need(kind));
    let app = checkout.app_name();
    let mut finder = PortFinder::new(&mut checkout, settings.ports.strict);
    let mut find_ports = |search: &PortSearch<'_>| finder.find(search);
    let (io, focused) = streams(settings.streams.pty);
    let surroundings = Surroundings {
        user: release_user(settings.look.notice_style()),
        session: random_hex()?,
        io,
        focused,
        stdin_is_terminal: std::io::stdin().is_terminal(),
        app: app.clone(),
        find_ports: Some(&mut find_ports),
    };
    let planned = StartPlan::build(&settings, files, scope.purpose(), surroundings);
    let PlannedDynos { release, ports, ready, formation: _ } = settled(planned.dynos, &planned.findings)?;
    let in_use = finder.probe(&ports)?;
    bash::check_shell(settings.shell == Shell::Bash)?;
    check_open_files(limits, ports.len(), open_files_of_a_dyno(&settings), &finder)?;
    let dynos: Vec<DynoName> = ports.iter().map(|(dyno, _)| dyno.clone()).collect();
    let nothing_listens = scope.check_ready(&settings, &ready, &dynos)?;
    let mut plan = specified(planned.blueprint, release.as_ref(), &dynos)?;
    if let Scope::Smoke(request) = scope {
        plan.command = request.command(&plan.blueprint, &ports)?;
    }
    let quiet = quiet(&settings.look, &types, scope.has_router())?;
    let files = log_files(&settings.look, &plan, &types)?;
    let (ports_line, _held_until_the_end) = reserved(finder, &plan, &ports);
    let router = OpenedRouter::open(&plan.blueprint, app, &settings, &mut policy);
    let api = match scope {
        Scope::App(_) | Scope::Smoke(_) => {
            let origin = StartOrigin::of(&places, &found_procfile.path, &checkout, &settings.names);
            let look = look::log_look(&settings.look, &plan, &types);
            let log_directory = settings.look.log_dir.as_deref();
            let api = registration::register(kind, origin, &plan.blueprint, &ports, look, log_directory)?;
            let api = TcpApi::added(tcp, api)?;
            let watched = Watched::new(&places, watched_files, &settings);
            let files =
                StartFiles::new(&places, found_procfile.clone(), stream_texts, checkout.claim(), &plan.blueprint);
            let reload = scope.reload(cli.color(), files, &plan.blueprint);
            watched.added_to(api.map(|api| ApiStart { reload, ..api }), scope, &plan.blueprint.release().watch)
        }
        Scope::Release(_) => None,
    };
    let router = router.into_start()?;
    if api.is_some() && scope.can_attach(cli.dialect) {
        policy.terminal_advice = FocusAdvice::Attach;
    }
    let forgotten = checkout.remember();
    let missing_line = app_json.missing_line(&plan.blueprint);
    // Only now: after these lines about the start, no error may prevent it.
    no_process_table.iter().for_each(warn);
    if let Some(note) = checkout.name_note() {
        show_finding(false, note);
    }
    if let Some(line) = ports_line {
        print_line(&line);
    }
    forgotten.iter().chain(&in_use).chain(&nothing_listens).chain(&missing_line).for_each(warn);
    look::check(&settings.look);
    if let Some(finding) = other_procfile.filter(|_| scope.mentions_procfile_dev()) {
        warn(&finding.complaint());
    }

    let start = runtime::Start {
        prefix_columns: prefix_columns(&settings.look, &plan),
        formatter: formatter(&settings.look, scope.shown(), &plan, &types),
        quiet,
        files,
        strict_ports: settings.ports.strict,
        notices: settings.look.notice_style(),
        null_stdin: settings.streams.null_stdin,
        plan,
        policy,
        smoke: scope.smoke_start(&ports),
        hint_after_failure: hint_after_failure(cli.dialect),
        router: Some(router).filter(|_| scope.has_router()),
        launch: launch.map(|request| request.launch(api.as_ref())).transpose()?,
        api,
    };
    runtime::run(start, guardian).map_err(|error| refused("cannot start", why_not_run(&error)))
}

/// Keeps the ports of the router and of the dynos that are expected to listen reserved. Also returns the line about all ports.
fn reserved(finder: PortFinder<'_>, plan: &Plan, ports: &[(DynoName, u16)]) -> (Option<String>, PortLocks) {
    let rule = plan.blueprint.ports();
    let line = finder.line(&rule.owners(ports));
    let expected = plan.formation.iter().filter_map(|spec| Some((spec.dyno.clone(), spec.expected_port?)));
    (line, finder.into_locks(&rule.owners(&expected.collect::<Vec<_>>())))
}

/// What happens to dynos, and what the log says about it.
fn policy(
    scope: Scope<'_>,
    settings: &Settings,
    types: &[ProcessType],
    dialect: Dialect,
    is_detached: bool,
) -> Result<Policy, Error> {
    let mut policy = settings.life.policy(&settings.look, types)?;
    policy.stop_advice = scope.stop_advice(dialect);
    policy.focus_advice = scope.focus_advice(dialect);
    policy.terminal_advice = policy.focus_advice;
    policy.shows_addresses = scope.shows_addresses(dialect);
    if is_detached {
        policy.lifetime = Lifetime::Detached;
    }
    Ok(policy)
}

/// Reads the files, and shows what is wrong with them. Also returns the list of these files.
fn load(
    scope: Scope<'_>,
    places: Places,
    settings: &Settings,
    streams: &StreamTexts,
    mut findings: Findings,
) -> Result<(Project, Vec<WatchedFile>), Error> {
    let reader = FileReader::announcing(&print_line).keeping(streams);
    let project = Project::load(places, None, &settings.variables, scope.type_source(), &reader, &mut findings)?;
    let project = settled(project, &findings)?;
    let watched = files::watched(&project.places, &project.found_procfile.path, &reader);
    Ok((project, watched))
}

impl LaunchRequest {
    /// # Errors
    /// Status 69: no command would find the start.
    fn launch(self, api: Option<&ApiStart>) -> Result<DetachedLaunch, Error> {
        let Some(api) = api else {
            let hint = "follow the hint above first, or leave out `--detach`";
            return Err(Error::new(
                Status::Unavailable,
                "cannot run in the background, because `dyno stop` would not find the app",
                hint,
            ));
        };
        Ok(DetachedLaunch { link: self.link, seconds: self.seconds, url: api.facts.url.clone().unwrap_or_default() })
    }
}

/// The error if a system call for the wait of `--detach` fails.
fn no_helper(errno: Errno) -> Error {
    refused("cannot wait for the app", errno.desc())
}

fn refused(what: &str, why: &str) -> Error {
    let hint = "a limit of the system or of your user may have been reached; see `ulimit -a`";
    Error::new(Status::Internal, format!("{what}: {why}"), hint)
}

/// Why [`runtime::run`] failed. The limit of processes applies to the thread that it starts, too.
fn why_not_run(error: &std::io::Error) -> &'static str {
    let at_limit = error.raw_os_error() == Some(Errno::EAGAIN as i32);
    if at_limit { fork_failure(Errno::EAGAIN) } else { reason(error) }
}

/// The plan, with the specification of each dyno to start.
fn specified(blueprint: Blueprint, release: Option<&DynoName>, dynos: &[DynoName]) -> Result<Plan, Error> {
    let spec = |dyno: &DynoName| {
        let spec = blueprint.spec(dyno).map_err(|error| Error::new(Status::Usage, error.to_string(), ""))?;
        Ok::<_, Error>(Arc::new(spec))
    };
    let formation = dynos.iter().map(spec).collect::<Result<_, _>>()?;
    let release = release.map(spec).transpose()?;
    Ok(Plan { blueprint, release, formation, command: None })
}

/// The streams of most dynos, and those of the one with the focus: a terminal if our own stdout is one, so that colours and
/// line buffering survive (S7.5). The dyno with the focus always gets one if the user types into it (S6.8).
fn streams(mode: PtyMode) -> (Io, (Io, Focus)) {
    let terminal = Io::Pty(runtime::own_terminal_size().unwrap_or(DEFAULT_TERMINAL));
    let io = match mode {
        PtyMode::Always => terminal,
        PtyMode::Auto if std::io::stdout().is_terminal() => terminal,
        PtyMode::Auto | PtyMode::Never => Io::Pipe,
    };
    let focused = if std::io::stdin().is_terminal() { (terminal, Focus::Keyboard) } else { (io, Focus::Stdin) };
    (io, focused)
}

/// How many files stay open for a dyno: both sides of its terminal or our side of its pipe, and its log file.
fn open_files_of_a_dyno(settings: &Settings) -> u64 {
    let (io, _) = streams(settings.streams.pty);
    let of_stream = match io {
        Io::Pty(_) => 2,
        Io::Pipe | Io::Inherit => 1,
    };
    of_stream + u64::from(settings.look.log_dir.is_some())
}

/// Whether the limits and the system allow the files that stay open. `each`: how many one dyno needs. `finder`: holds those
/// that reserve ports.
fn check_open_files(limits: Limits, dynos: usize, each: u64, finder: &PortFinder<'_>) -> Result<(), Error> {
    let needed = OWN_DESCRIPTORS + each * dynos as u64 + finder.open_files() as u64;
    if limits.open_files() >= needed {
        limits.make_room(needed);
        let failed = finder.refused().map(|errno| refused("cannot reserve the ports", errno.desc()));
        return failed.map_or(Ok(()), Err);
    }
    let dynos = if dynos == 1 { "1 dyno needs".to_owned() } else { format!("{dynos} dynos need") };
    let fact = format!("{dynos} {needed} open files, and the limit is {}", limits.open_files());
    Err(Error::new(Status::Internal, fact, format!("raise it with `ulimit -n {needed}`, or run fewer dynos")))
}

fn quiet(look: &Look, types: &[ProcessType], has_router: bool) -> Result<runtime::Quiet, Error> {
    let quiets_router = has_router && look.quiet.iter().any(|name| name == Source::ROUTER);
    let is_router =
        |name: &str| quiets_router && name == Source::ROUTER && types.iter().all(|known| known.as_str() != name);
    let names = look.quiet.iter().filter(|name| !is_router(name));
    let quiet = names.map(|name| known_types("--quiet", name, types)).collect::<Result<Vec<_>, _>>()?;
    let quiet: BTreeSet<ProcessType> = quiet.into_iter().flatten().collect();
    if quiet.is_empty() && !quiets_router {
        return Ok(Box::new(|_| false));
    }
    Ok(Box::new(move |source| match source {
        Source::App(dyno) => quiet.contains(&dyno.process_type),
        Source::Router => quiets_router,
        Source::Notice(_) | Source::System => false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Complaint;

    #[test]
    fn s11_a_system_limit_that_prevents_a_start_is_reported_with_status_70() {
        let error = refused(NO_LIMITS, "Operation not permitted");

        let hint = "a limit of the system or of your user may have been reached; see `ulimit -a`";
        let complaint = Complaint::new("cannot read the resource limits: Operation not permitted", hint);
        assert_eq!((error.status(), error.complaints()), (Status::Internal, &[complaint][..]));
    }
}
