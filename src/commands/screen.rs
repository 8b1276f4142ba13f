//! `dyno screen`: prints what the terminal of a dyno shows, for scripts and programs (S10.5).

use std::fmt::Write as _;
use std::io::IsTerminal;

use crate::api::{DynoResource, ScreenResource, StartDescription};
use crate::cli::{Cli, ScreenArgs};
use crate::client::{Failure, RunningApp, finish, in_path};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::runtime;
use crate::supervisor::{Outcome, Target};

pub(super) fn run(cli: &Cli, args: &ScreenArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let screen = RunningApp::find(cli.project_before(), &args.running).and_then(|app| {
        let (start, dyno) = the_dyno(&app, &args.dyno)?;
        app.ask::<ScreenResource>(start, "GET", &format!("dynos/{}/screen", in_path(&dyno)), &[])
    });
    match screen {
        Ok(screen) if args.running.json => {
            stdout::write(&format!("{}\n", serde_json::to_string(&screen).unwrap_or_default()))
        }
        Ok(screen) => stdout::write(&text(&screen)),
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

/// The rows up to the last one that is not empty. With colours only on a terminal.
fn text(screen: &ScreenResource) -> String {
    let is_terminal = std::io::stdout().is_terminal();
    let used = screen.lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let rows = if is_terminal { &screen.colored_lines } else { &screen.lines };
    let reset = if is_terminal { "\x1b[m" } else { "" };
    rows.iter().take(used).fold(String::new(), |mut all, row| {
        let _ = writeln!(all, "{row}{reset}");
        all
    })
}

/// The start and the name of the dyno that is meant: `web` means the only dyno of that type.
pub(super) fn the_dyno<'a>(app: &'a RunningApp, name: &str) -> Result<(&'a StartDescription, String), Failure> {
    let look = app.look(std::iter::once(name))?;
    let owners = look.owners(std::iter::once(name))?;
    let Some((start, target)) = owners.into_iter().next() else { return Err(Failure::not_running()) };
    let process_type = match target {
        Target::Dyno(dyno) => return Ok((start, dyno.to_string())),
        Target::Type(process_type) => process_type.to_string(),
        Target::All => name.to_owned(),
    };
    let dynos: Vec<DynoResource> = app.ask(start, "GET", "dynos", &[])?;
    let mut names = dynos
        .into_iter()
        .map(|dyno| dyno.name)
        .filter(|dyno| dyno.rsplit_once('.').is_some_and(|(of, _)| of == process_type));
    match (names.next(), names.next()) {
        (Some(only), None) => Ok((start, only)),
        (Some(first), Some(_)) => {
            let message = format!("`{process_type}` has several dynos");
            Err(Failure::new(Status::Usage, "ambiguous", message, format!("name one of them, such as `{first}`")))
        }
        (None, _) => {
            let hint = format!("`dyno scale {process_type}=1` starts one");
            Err(Failure::new(Status::Unavailable, "conflict", format!("no dyno of `{process_type}` runs"), hint))
        }
    }
}
