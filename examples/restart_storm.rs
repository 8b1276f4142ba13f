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

use dynorun::app::{DynoVariables, Layers, PortVariable, Procfile};
use dynorun::guardian::{Guardian, Limits};
use dynorun::logs::{Formatter, LogFormat, Palette, Passing, TextOptions, View, name_width};
use dynorun::model::{DynoName, DynoSpec, Environment, Focus, Io, Shell};
use dynorun::runtime::{self, Start};
use dynorun::supervisor::{NoticeStyle, OnExit, Outcome, Plan, Policy, ReleaseRecord, RestartPolicy};

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
        null_stdin: false,
        prefix_columns: 0,
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
    let layers = Layers::new(inherited, false);
    let session = fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim_end().replace('-', "");
    let directory = env::current_dir()?;
    let mut formation = Vec::new();
    for process_type in procfile.formation_types() {
        let Some(entry) = procfile.get(&process_type) else { continue };
        let dyno = DynoName::new(process_type, 1);
        let variables = DynoVariables { dyno: &dyno, port: PortVariable::Removed, session: &session };
        let environment = layers.environment(&variables);
        let line = entry.shell_line();
        formation.push(Arc::new(DynoSpec {
            dyno,
            command_line: entry.command_line().into_owned(),
            shell: Shell::Sh,
            shell_line: line.line,
            own_shell: line.own_shell,
            environment,
            awaited_port: None,
            directory: directory.clone(),
            io: Io::Pipe,
            focus: Focus::Elsewhere,
            stdin_is_empty: false,
        }));
    }
    Ok(Plan { record: ReleaseRecord::default(), release: None, formation, command: None })
}
