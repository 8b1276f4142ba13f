//! `dyno wait`: waits for dynos of the app that runs here, and then becomes another command if one is given (S10.2).

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crate::api::{DynoResource, RestartedDyno, StartDescription, WaitUntil};
use crate::app::launch;
use crate::cli::{Cli, WaitForArgs};
use crate::client::{Failure, RunningApp, Waiting, failed_wait, finish};
use crate::error::{Error, Status};
use crate::model::{Environment, Shell};
use crate::project::reason;
use crate::runtime;
use crate::supervisor::Outcome;

/// The pause after the first check of the ports of a dyno. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause between two checks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Something to wait for: `db`, `web.1` or `db:5433`.
struct WaitFor {
    name: String,
    port: Option<u16>,
}

pub(super) fn run(cli: &Cli, args: &WaitForArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match wait(cli, args) {
        Ok(0) if !args.command.is_empty() => Err(become_command(&args.command)),
        waited => Ok(finish(&args.running, waited.map(Outcome::Code))),
    }
}

/// Waits, and returns the status of the first dyno that ended with a status other than 0.
fn wait(cli: &Cli, args: &WaitForArgs) -> Result<u8, Failure> {
    let wanted: Vec<WaitFor> = args.dynos.all().map(wait_for).collect();
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    check_names(&app, &wanted, args)?;
    let until = match (args.exit, args.listening) {
        (true, _) => WaitUntil::Exit,
        (false, true) => WaitUntil::Running,
        (false, false) => WaitUntil::Up,
    };
    let mut waiting = Waiting::new(&app, until, args.timeout, args.running.json);
    let of_starts = by_start(&app, &wanted)?;
    let listeners: Vec<_> = wanted.iter().filter(|wanted| args.listening || wanted.port.is_some()).collect();
    let mut pause = FIRST_PAUSE;
    loop {
        // Each time, because one of them may crash while others do not listen yet.
        let status = waiting.wait(&of_starts)?;
        let Some(silent) = first_silent(&app, &of_starts, &listeners)? else { return Ok(status) };
        let WaitFor { name, port } = silent;
        let where_to = port.map_or_else(|| "a port".to_owned(), |port| format!("port {port}"));
        if waiting.is_over() {
            return Err(failed_wait("not_up", format!("`{name}` did not listen on {where_to} in time"), name));
        }
        waiting.say(&format!("waiting for {name} to listen on {where_to}"));
        std::thread::park_timeout(pause);
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// `db:5433` names a port.
fn wait_for(text: &str) -> WaitFor {
    let with_port = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    match with_port {
        Some((name, port)) => WaitFor { name: name.to_owned(), port: Some(port) },
        None => WaitFor { name: text.to_owned(), port: None },
    }
}

/// A dyno that has ended may be forgotten; every other name must exist.
fn check_names(app: &RunningApp, wanted: &[WaitFor], args: &WaitForArgs) -> Result<(), Failure> {
    if wanted.is_empty() || args.exit {
        return Ok(());
    }
    let (dynos, formation) = (app.dynos()?, app.formation()?);
    let types = || formation.iter().map(|entry| entry.process_type.as_str());
    let names = || dynos.iter().map(|dyno| dyno.name.as_str());
    match wanted.iter().find(|wanted| !types().chain(names()).any(|known| known == wanted.name)) {
        Some(unknown) => Err(Failure::unknown_name(&unknown.name, types().chain(names()))),
        None => Ok(()),
    }
}

/// The dynos to wait for in each start; everything in each of them without names.
fn by_start<'a>(
    app: &'a RunningApp,
    wanted: &[WaitFor],
) -> Result<Vec<(&'a StartDescription, Vec<RestartedDyno>)>, Failure> {
    if wanted.is_empty() {
        return Ok(app.starts().iter().map(|start| (start, Vec::new())).collect());
    }
    let mut of_starts: Vec<(&StartDescription, Vec<RestartedDyno>)> = Vec::new();
    let look = app.look()?;
    for WaitFor { name, .. } in wanted {
        let owner = look.owner_or_oldest(name)?;
        let dyno = RestartedDyno { name: name.clone(), run: None };
        match of_starts.iter_mut().find(|(start, _)| start.session == owner.session) {
            Some((_, dynos)) => dynos.push(dyno),
            None => of_starts.push((owner, vec![dyno])),
        }
    }
    Ok(of_starts)
}

/// The first that does not listen yet. A port may belong to a process that the system does not show, such as that of a
/// container.
fn first_silent<'w>(
    app: &RunningApp,
    of_starts: &[(&StartDescription, Vec<RestartedDyno>)],
    listeners: &[&'w WaitFor],
) -> Result<Option<&'w WaitFor>, Failure> {
    let any_port = listeners.iter().any(|wanted| wanted.port.is_none());
    let seen = if any_port { app.dynos_of_starts()? } else { Vec::new() };
    let listens = |dyno: &DynoResource| dyno.pid.is_some_and(|pid| !runtime::ports_of_dyno(pid).is_empty());
    let all_listen = |name: &str| {
        // A dyno of the same name in another start does not matter.
        let owner = of_starts.iter().find(|(_, dynos)| dynos.iter().any(|dyno| dyno.name == name));
        let is_owner = |start: &StartDescription| owner.is_some_and(|(owner, _)| owner.session == start.session);
        let dynos = seen.iter().filter(|(start, _)| is_owner(start)).flat_map(|(_, dynos)| dynos);
        dynos.filter(|dyno| dyno.name == name || dyno.process_type == name).all(listens)
    };
    let is_silent = |wanted: &&&WaitFor| match wanted.port {
        Some(port) => !runtime::is_listened_on(port),
        None => !all_listen(&wanted.name),
    };
    Ok(listeners.iter().find(is_silent).copied())
}

/// Becomes the command. As with `dyno run`, one word is a line for the shell, and several are kept apart.
fn become_command(words: &[OsString]) -> Error {
    let error = match words {
        [line] => {
            let line = launch(line.as_bytes(), Shell::Sh, &Environment::default());
            Command::new(Shell::Sh.path()).arg("-c").arg(OsStr::from_bytes(line.line())).exec()
        }
        [program, words @ ..] => Command::new(program).args(words).exec(),
        [] => return Error::new(Status::Internal, "there is no command", ""),
    };
    let program = words.first().map(|word| word.display().to_string()).unwrap_or_default();
    if error.kind() == ErrorKind::NotFound {
        return Error::new(Status::NotFound, format!("`{program}` was not found"), "check the spelling and `PATH`");
    }
    Error::new(Status::NotExecutable, format!("`{program}` cannot be executed: {}", reason(&error)), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_2_a_name_may_have_a_port() {
        let parsed = |text: &str| {
            let WaitFor { name, port } = wait_for(text);
            (name, port)
        };

        assert_eq!(parsed("db:5433"), ("db".to_owned(), Some(5433)));
        assert_eq!(parsed("web.1"), ("web.1".to_owned(), None));
        assert_eq!(parsed("web:70000"), ("web:70000".to_owned(), None));
    }
}
