//! `dyno wait`: waits for dynos of the app that runs here, and then becomes the command after `--`, if there is one
//! (S10.2).

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::api::{DynoResource, RestartedDyno, StartDescription, WaitUntil};
use crate::app::launch;
use crate::cli::{Cli, WaitForArgs};
use crate::client::{Failure, RunningApp, SeenApp, Silent, Waiting, finish};
use crate::error::{Error, Status};
use crate::model::{Environment, Shell};
use crate::project::reason;
use crate::runtime;
use crate::supervisor::Outcome;

/// Something to wait for: `db`, `web.1` or `db:5433`.
struct WaitFor<'a> {
    start: &'a StartDescription,
    name: String,
    port: Option<u16>,
}

pub(super) fn run(cli: &Cli, args: &WaitForArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match wait(cli, args) {
        Ok(()) if !args.command.is_empty() => Err(become_command(&args.command)),
        waited => Ok(finish(&args.running, waited.map(|()| Outcome::Code(0)))),
    }
}

fn wait(cli: &Cli, args: &WaitForArgs) -> Result<(), Failure> {
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    let wanted = wanted(&app, args)?;
    let until = if args.exit { WaitUntil::Exit } else { WaitUntil::Up };
    let mut waiting = Waiting::new(&app, until, args.timeout, args.running.json);
    if wanted.is_empty() {
        let all: Vec<_> = app.starts().iter().map(|start| (start, Vec::new())).collect();
        return waiting.wait(&all);
    }
    let (listeners, others): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|wanted| args.listening || wanted.port.is_some());
    waiting.wait_and_listen(&by_start(&others), &by_start(&listeners), || first_silent(&app, &listeners))
}

/// What the command line names, with the start of each.
fn wanted<'a>(app: &'a RunningApp, args: &WaitForArgs) -> Result<Vec<WaitFor<'a>>, Failure> {
    if args.dynos.all().next().is_none() {
        return Ok(Vec::new());
    }
    let look = app.look(args.dynos.all().map(|text| name_and_port(text).0))?;
    let one = |text: &str| {
        let (name, port) = if args.exit { (text, None) } else { name_and_port(text) };
        let start = start_of(app, &look, name, args.exit)?;
        Ok(WaitFor { start, name: name.to_owned(), port })
    };
    args.dynos.all().map(one).collect()
}

/// `db:5433` names a port.
fn name_and_port(text: &str) -> (&str, Option<u16>) {
    let with_port = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    with_port.map_or((text, None), |(name, port)| (name, Some(port)))
}

/// The start that a name belongs to. With `--exit`, the dyno may have ended already.
fn start_of<'a>(
    app: &'a RunningApp,
    look: &SeenApp<'a>,
    name: &str,
    is_exit: bool,
) -> Result<&'a StartDescription, Failure> {
    let (dynos, formation) = (look.seen.iter().flat_map(|it| &it.dynos), look.seen.iter().flat_map(|it| &it.formation));
    let quantities: Vec<u32> =
        formation.clone().filter(|entry| entry.process_type == name).map(|entry| entry.quantity).collect();
    if !is_exit && !quantities.is_empty() && quantities.iter().all(|quantity| *quantity == 0) {
        let hint = format!("`dyno scale {name}=1` starts one");
        return Err(Failure::new(Status::Unavailable, "not_wanted", format!("`{name}` has quantity 0"), hint));
    }
    if !quantities.is_empty() || dynos.clone().any(|dyno| dyno.name == name || dyno.process_type == name) {
        return look.owner_or_oldest(name);
    }
    if is_exit {
        for start in look.starts.iter().copied() {
            match app.why(start, Some(name)) {
                Ok(known) if !known.is_empty() => return Ok(start),
                Ok(_) => {}
                Err(failure) if failure.is_unknown() => {}
                Err(failure) => return Err(failure),
            }
        }
        if name.strip_prefix("run.").is_some_and(|number| number.parse::<u32>().is_ok()) {
            let message = format!("`{name}` is no longer remembered");
            return Err(Failure::new(
                Status::Usage,
                "not_found",
                message,
                "only the last 100 dynos that have ended are remembered",
            ));
        }
    }
    let types = formation.map(|entry| entry.process_type.as_str());
    Err(Failure::unknown_name(name, types.chain(dynos.map(|dyno| dyno.name.as_str()))))
}

/// The dynos of each start.
fn by_start<'a>(wanted: &[WaitFor<'a>]) -> Vec<(&'a StartDescription, Vec<RestartedDyno>)> {
    let mut of_starts: Vec<(&StartDescription, Vec<RestartedDyno>)> = Vec::new();
    for WaitFor { start, name, .. } in wanted {
        let dyno = RestartedDyno { name: name.clone(), run: None };
        match of_starts.iter_mut().find(|(known, _)| known.session == start.session) {
            Some((_, dynos)) => dynos.push(dyno),
            None => of_starts.push((start, vec![dyno])),
        }
    }
    of_starts
}

/// The first listener that does not listen yet. Without a port, all dynos of a process type must listen; on a given
/// port, only one of them must.
fn first_silent<'w>(app: &RunningApp, listeners: &'w [WaitFor<'_>]) -> Result<Option<Silent<'w>>, Failure> {
    if listeners.is_empty() {
        return Ok(None);
    }
    let mut seen = HashSet::new();
    let starts = listeners.iter().map(|wanted| wanted.start).filter(|start| seen.insert(start.session.as_str()));
    let seen = match app.dynos_of(starts) {
        Ok(seen) => seen,
        // The request that is still open reports why.
        Err(failure) if failure.is_over() => Vec::new(),
        Err(failure) => return Err(failure),
    };
    let silent = |wanted: &'w WaitFor<'_>| {
        let WaitFor { start, name, port } = wanted;
        // Dynos of the same name in other starts do not matter.
        let of_start = seen.iter().filter(|(seen, _)| seen.session == start.session).flat_map(|(_, dynos)| dynos);
        let dynos: Vec<_> = of_start.filter(|dyno| dyno.name == *name || dyno.process_type == *name).collect();
        let is_silent = |dyno: &&&DynoResource| dyno.pid.is_none_or(|pid| runtime::ports_of_dyno(pid).is_empty());
        let silent = match port {
            _ if dynos.is_empty() => Some(name),
            Some(port) => {
                let pids: Vec<i32> = dynos.iter().filter_map(|dyno| dyno.pid).collect();
                (!runtime::listens_on(&pids, *port)).then_some(name)
            }
            None => dynos.iter().find(is_silent).map(|dyno| &dyno.name),
        };
        silent.map(|name| Silent { start, name: name.clone(), port: *port })
    };
    Ok(listeners.iter().find_map(silent))
}

/// Becomes the command, and returns only if that fails. As in `dyno run`, one word is run by the shell, and several are
/// passed on as they are.
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
        assert_eq!(name_and_port("db:5433"), ("db", Some(5433)));
        assert_eq!(name_and_port("web.1"), ("web.1", None));
        assert_eq!(name_and_port("web:70000"), ("web:70000", None));
    }
}
