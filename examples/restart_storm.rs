//! Uses the runtime as a library with the worst possible restart policy: every dyno of `./Procfile` that exits is
//! restarted at once, forever.
//!
//! Run `restart_storm` in the directory of an app. `tests/it/storm.rs` checks from outside that nothing is left behind.

use std::error::Error;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use dynorun::app::{Layers, Ports, Procfile};
use dynorun::guardian::{Guardian, Limits};
use dynorun::logs::{Formatter, LogFormat, Palette, Passing, TextOptions, View, name_width};
use dynorun::model::{DynoName, Environment, Io, Shell};
use dynorun::release::{Blueprint, HttpChecks, Release, RunSettings};
use dynorun::runtime::{self, Start};
use dynorun::supervisor::{NoticeStyle, OnExit, Outcome, Plan, Policy, RestartPolicy};

/// Never pauses and never gives up: no dyno is up long enough to clear the count, and the count has no limit.
const STORM: RestartPolicy =
    RestartPolicy { base: Duration::ZERO, cap: Duration::ZERO, min_healthy: Duration::MAX, max_restarts: None };

fn main() -> Result<ExitCode, Box<dyn Error>> {
    runtime::block_all();
    let guardian = Guardian::start(Limits::raise()?)?;
    runtime::unblock_all();
    let plan = plan()?;
    let types = plan.formation.iter().map(|spec| spec.dyno.process_type.clone());
    let view = View {
        color: false,
        passing: Passing::All,
        name_width: name_width(plan.formation.iter().map(|spec| &spec.dyno)),
        unprefixed: None,
        palette: Palette::new(types),
        zone: jiff::tz::TimeZone::UTC,
    };
    let start = Start {
        plan,
        policy: Policy { on_exit: OnExit::Restart(STORM), ..Policy::default() },
        notices: NoticeStyle::Plain,
        formatter: Formatter::new(LogFormat::Text(TextOptions::default()), view),
        quiet: Box::new(|_| false),
        files: None,
        router: None,
        strict_ports: false,
        null_stdin: false,
        prefix_columns: 0,
        api: None,
        launch: None,
        smoke: None,
        hint_after_failure: |_| None,
    };
    match runtime::run(start, guardian)?.outcome() {
        Outcome::Code(code) => Ok(ExitCode::from(code)),
        Outcome::Signal(signal) => {
            runtime::die_by(signal);
            Ok(ExitCode::FAILURE)
        }
    }
}

/// One dyno of each process type.
fn plan() -> Result<Plan, Box<dyn Error>> {
    let procfile = Procfile::parse(&fs::read("Procfile")?).map_err(|_| "the Procfile cannot be read")?;
    let mut inherited = Environment::default();
    for (key, value) in env::vars_os() {
        inherited.set(key.into_vec(), value.into_vec());
    }
    let types = procfile.formation_types();
    let settings = RunSettings {
        app: "storm".to_owned(),
        names_siblings: true,
        ports: Ports::default(),
        expected: Vec::new(),
        ready: Vec::new(),
        http: HttpChecks::default(),
        shell: Shell::Sh,
        directory: env::current_dir()?,
        session: fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim_end().replace('-', ""),
        io: Io::Pipe,
        focused: None,
    };
    let release = Release::first(Release::LOCAL_USER.to_owned(), procfile, Layers::new(inherited, false));
    let blueprint = Blueprint::new(release, settings);
    let mut formation = Vec::new();
    for process_type in types {
        formation.push(Arc::new(blueprint.spec(&DynoName::new(process_type, 1))?));
    }
    Ok(Plan { blueprint, release: None, formation, command: None })
}
