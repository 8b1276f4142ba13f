//! `dyno start`: the files become a plan, the options a policy, and the runtime runs them.
//!
//! Nothing is started before all of it is known to be right; what the run itself decides is the supervisor's.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::sync::Arc;

use nix::unistd::{SysconfVar, sysconf};

use super::color;
use super::diagnostics::warn;
use super::policy::{known_type, policy};
use super::project::{Project, Settings};
use crate::app::{
    BaseSources, DynoName, DynoSpec, DynoVariables, Formation, FormationRequest, Io, PortBase, PortVariable, Ports,
    ProcessType, ProcfileEntry, PtySize,
};
use crate::cli::{Cli, PtyMode, StartArgs, StdinMode};
use crate::error::{Complaint, Error, Status};
use crate::guardian::{Guardian, Limits};
use crate::logs::{Formatter, LogFormat, Palette, Source, TextOptions, View, name_width};
use crate::runtime::{self, Ending};
use crate::supervisor::{Outcome, Plan};

/// The size of a dyno's terminal where `dyno` has none itself.
const DEFAULT_TERMINAL: PtySize = PtySize { rows: 24, cols: 80 };

/// Descriptors `dyno` needs besides one for each dyno: its own streams, sockets, the event queue, and those of the
/// runs that are being started.
const OWN_DESCRIPTORS: u64 = 80;

/// `10:00:00 ` and ` | ` round the name.
const TIME_COLUMNS: usize = 9;
const BAR_COLUMNS: usize = 3;

pub(super) fn run(cli: &Cli, args: &StartArgs) -> Result<Outcome, Error> {
    let limits = Limits::raise().map_err(|errno| internal("cannot read its resource limits", errno))?;
    // Before any file is read and any thread exists: a fork copies as little as possible.
    let guardian = Guardian::start(limits).map_err(|errno| internal("cannot start its guardian process", errno))?;
    // Until the first dyno is asked for, a signal may simply end us: the guardian follows.
    runtime::unblock_all();

    let settings = Settings { set: &args.set, prefer_shell: args.prefer_shell };
    let project = Project::load(&cli.project(&args.project), &settings)?;
    let types = project.procfile.formation_types();
    let policy = policy(args, &types)?;
    let formation = formation(args, &types)?;
    let plan = plan(args, &project, &types, &formation)?;
    check_open_files(limits, plan.formation.len())?;

    let start = runtime::Start {
        prefix_columns: prefix_columns(args, &plan),
        formatter: formatter(args, &plan, &types),
        quiet: quiet(args, &types)?,
        files: None,
        null_stdin: args.stdin == StdinMode::Null,
        plan,
        policy,
    };
    let ending = runtime::run(start, guardian).map_err(|error| {
        let fact = format!("cannot start: {error}");
        Error::new(Status::Internal, fact, "the system's or the user's limits may be reached: `ulimit -a` shows them")
    })?;
    tell(&ending);
    Ok(ending.outcome())
}

fn internal(what: &str, errno: nix::errno::Errno) -> Error {
    let hint = "the system's or the user's limits may be reached: `ulimit -a` shows them";
    Error::new(Status::Internal, format!("{what}: {}", errno.desc()), hint)
}

fn formation(args: &StartArgs, types: &[ProcessType]) -> Result<Formation, Error> {
    let changed: Vec<String> = args.concurrency.iter().cloned().collect();
    let request = FormationRequest {
        whole: args.formation.as_deref(),
        changed: &changed,
        only: &args.types,
        except: &args.except,
    };
    match Formation::resolve(types, &request) {
        Ok((formation, warnings)) => {
            for warning in warnings {
                warn(&Complaint::new(warning.to_string(), warning.hint()));
            }
            if formation.is_empty() {
                let fact = "the formation is empty: no process type has a quantity above 0";
                return Err(Error::new(Status::Usage, fact, "name at least one, such as `dyno start web`"));
            }
            Ok(formation)
        }
        Err(errors) => {
            let complaints = errors.iter().map(|error| Complaint::new(error.to_string(), error.hint()));
            Err(Error::all(Status::Usage, complaints))
        }
    }
}

fn plan(args: &StartArgs, project: &Project, types: &[ProcessType], formation: &Formation) -> Result<Plan, Error> {
    let ports = Ports::new(base_port(args, project)?, args.port_step, types);
    let assigned =
        ports.assign(formation).map_err(|error| Error::new(Status::Usage, error.to_string(), error.hint()))?;
    let session = session()?;
    let mut specs = Vec::new();
    for (dyno, port) in assigned {
        let Some(entry) = project.procfile.get(&dyno.process_type) else { continue };
        let variables = DynoVariables { dyno: &dyno, port: PortVariable::Assigned(port), session: &session };
        specs.push(Arc::new(spec(args, project, entry, &variables)?));
    }
    let release = match project.procfile.release().filter(|_| !args.no_release) {
        None => None,
        Some(entry) => {
            let dyno = DynoName::new(entry.process_type.clone(), 1);
            let variables = DynoVariables { dyno: &dyno, port: PortVariable::Removed, session: &session };
            Some(Arc::new(spec(args, project, entry, &variables)?))
        }
    };
    Ok(Plan { release, formation: specs })
}

fn base_port(args: &StartArgs, project: &Project) -> Result<u16, Error> {
    let from_files = project.layers.get_from_files("PORT");
    let file = from_files.as_ref().and_then(|given| Some((given.origin.to_string(), given.value.as_ref()?)));
    let sources = BaseSources {
        option: args.port.as_deref(),
        foreman_file: None,
        env_file: file.as_ref().map(|(at, value)| (at.as_str(), value.reveal())),
        shell: project.layers.scope().inherited.get(b"PORT").map(crate::app::Secret::reveal),
        prefer_shell: args.prefer_shell,
    };
    match PortBase::choose(&sources) {
        Ok(PortBase::Fixed(port)) => Ok(port),
        Ok(PortBase::Auto) => {
            Err(Error::new(Status::Usage, "`-p auto` is not supported", "give the base port, such as `-p 5000`"))
        }
        Err(error) => Err(Error::new(Status::Usage, error.to_string(), error.hint())),
    }
}

/// 128 random bits in hexadecimal digits: they mark every process of this start (S3.1).
fn session() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let mut source = std::fs::File::open("/dev/urandom").map_err(|error| {
        Error::new(Status::Internal, format!("cannot read random bytes from `/dev/urandom`: {error}"), "")
    })?;
    source.read_exact(&mut bytes).map_err(|error| {
        Error::new(Status::Internal, format!("cannot read random bytes from `/dev/urandom`: {error}"), "")
    })?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn spec(
    args: &StartArgs,
    project: &Project,
    entry: &ProcfileEntry,
    variables: &DynoVariables<'_>,
) -> Result<DynoSpec, Error> {
    let environment = project.layers.environment(variables);
    let limit = sysconf(SysconfVar::ARG_MAX).ok().flatten().and_then(|limit| usize::try_from(limit).ok());
    environment
        .check_size(limit.unwrap_or(usize::MAX))
        .map_err(|error| Error::new(Status::Config, error.to_string(), error.hint()))?;
    let shell_line = entry.shell_line();
    Ok(DynoSpec {
        dyno: variables.dyno.clone(),
        command_line: entry.command_line().into_owned(),
        shell_line: shell_line.line,
        own_shell: shell_line.own_shell,
        environment,
        awaited_port: None,
        directory: project.root.clone(),
        io: io(args.pty),
    })
}

/// A terminal where our own stdout is one, so that colours and line buffering survive (S7.5).
fn io(mode: PtyMode) -> Io {
    let size = runtime::own_terminal_size();
    match mode {
        PtyMode::Always => Io::Pty(size.unwrap_or(DEFAULT_TERMINAL)),
        PtyMode::Auto if std::io::stdout().is_terminal() => Io::Pty(size.unwrap_or(DEFAULT_TERMINAL)),
        PtyMode::Auto | PtyMode::Never => Io::Pipe,
    }
}

fn check_open_files(limits: Limits, dynos: usize) -> Result<(), Error> {
    let needed = OWN_DESCRIPTORS + dynos as u64;
    if limits.open_files() >= needed {
        return Ok(());
    }
    let fact = format!("{dynos} dynos need {needed} open files, and the limit is {}", limits.open_files());
    Err(Error::new(Status::Internal, fact, format!("raise it with `ulimit -n {needed}`, or run fewer dynos")))
}

fn formatter(args: &StartArgs, plan: &Plan, types: &[ProcessType]) -> Formatter {
    let terminal = std::io::stdout().is_terminal();
    let variable = |name: &str| std::env::var(name).ok();
    let release = plan.release.iter().map(|spec| spec.dyno.process_type.clone());
    let view = View {
        color: color::is_wanted(args.color, variable, terminal),
        terminal,
        name_width: width(plan),
        palette: Palette::new(types.iter().cloned().chain(release)),
        zone: local_zone(),
    };
    let options = TextOptions { timestamps: !args.no_timestamps, prefix: !args.no_prefix };
    Formatter::new(LogFormat::Text(options), view)
}

fn width(plan: &Plan) -> usize {
    name_width(plan.release.iter().chain(&plan.formation).map(|spec| &spec.dyno))
}

fn prefix_columns(args: &StartArgs, plan: &Plan) -> u16 {
    if args.no_prefix {
        return 0;
    }
    let time = if args.no_timestamps { 0 } else { TIME_COLUMNS };
    u16::try_from(time + width(plan) + BAR_COLUMNS).unwrap_or(u16::MAX)
}

/// The zone of the user. Without `TZ` it is read from one file; finding its name in the database takes 20 times longer
/// than starting a dyno.
fn local_zone() -> jiff::tz::TimeZone {
    if std::env::var_os("TZ").is_some_and(|zone| !zone.is_empty()) {
        return jiff::tz::TimeZone::system();
    }
    let file = std::fs::read("/etc/localtime").ok();
    file.and_then(|bytes| jiff::tz::TimeZone::tzif("local", &bytes).ok()).unwrap_or(jiff::tz::TimeZone::UTC)
}

fn quiet(args: &StartArgs, types: &[ProcessType]) -> Result<runtime::Quiet, Error> {
    let quiet = args.quiet.iter().map(|name| known_type("--quiet", name, types)).collect::<Result<BTreeSet<_>, _>>()?;
    if quiet.is_empty() {
        return Ok(Box::new(|_| false));
    }
    Ok(Box::new(move |source| match source {
        Source::App(dyno) => quiet.contains(&dyno.process_type),
        Source::Notice(_) | Source::System => false,
    }))
}

/// Says on stderr what the log could not say.
fn tell(ending: &Ending) {
    let mut complaints = Vec::new();
    if ending.guardian_lost {
        complaints.push(Complaint::new("the guardian process was lost; all dynos were killed", ""));
    }
    for survivor in &ending.survivors {
        let hint = "it waits inside the kernel, is traced, or belongs to another user; end it by hand";
        complaints.push(Complaint::new(format!("process {survivor} could not be killed"), hint));
    }
    if let Some(reason) = &ending.output_error {
        complaints.push(Complaint::new(format!("the output could not be written: {reason}"), "all dynos were stopped"));
    }
    if ending.unwritten_bytes > 0 {
        let fact = format!("{} bytes of output were not written: nobody took them", ending.unwritten_bytes);
        complaints.push(Complaint::new(fact, ""));
    }
    if !complaints.is_empty() {
        super::show_error(&Error::all(Status::Internal, complaints));
    }
}
