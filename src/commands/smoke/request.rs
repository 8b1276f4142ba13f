//! The options of a smoke test beyond those of a start: what to probe, and the command with its environment.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nix::sys::stat::{SFlag, fstat};

use crate::app::{PortVariable, nearest, shown_words};
use crate::cli::{ProjectArgs, SmokeArgs};
use crate::commands::start::look;
use crate::error::{Error, Status};
use crate::model::{DynoName, DynoSpec, Environment, Focus, Io, ProcessType, http_url};
use crate::project::TypeSource;
use crate::project::program_lookup::is_program;
use crate::project::size;
use crate::release::{Blueprint, DynoStreams, OneOff};
use crate::reports::github::Groups;
use crate::runtime::{PhaseMark, SmokeStart, Tails};
use crate::settings::file_option;
use crate::smoke::SmokeRules;

/// The process type in the name of the command, like that of every one-off dyno.
const ONE_OFF: &str = "run";

/// The smoke test that the command line requests.
pub(in crate::commands) struct SmokeRequest<'a> {
    pub(in crate::commands) args: &'a SmokeArgs,
    /// The last lines of each dyno.
    pub(in crate::commands) tails: Tails,
}

impl<'a> SmokeRequest<'a> {
    /// Checks what `clap` cannot check. `project`: the options that name files, from before and after `smoke`.
    ///
    /// # Errors
    /// Status 2: they contradict each other, or the value of one cannot be used.
    pub(in crate::commands) fn new(args: &'a SmokeArgs, project: &ProjectArgs) -> Result<Self, Error> {
        if args.start.is_some() && project.procfile.is_some() {
            let fact = "`--start` cannot be used with `--procfile`";
            return Err(Error::new(Status::Usage, fact, "leave out `-f`: `--start` replaces the Procfile"));
        }
        if line(&args.command).is_some_and(|line| line.trim_ascii().is_empty()) {
            let hint = "a variable in the command may be empty; leave `--` out to run no command";
            return Err(Error::new(Status::Usage, "the command after `--` is empty", hint));
        }
        Ok(Self { args, tails: Tails::default() })
    }

    /// The source of the process types.
    pub(in crate::commands) fn type_source(&self) -> TypeSource<'a> {
        self.args.start.as_deref().map_or(TypeSource::ProcfileUnless("dyno smoke --start"), TypeSource::Command)
    }

    /// Refuses a command that is written without `--` among the process types. `known`: the types in the Procfile.
    ///
    /// # Errors
    /// Status 2, with the line to type.
    pub(in crate::commands) fn check_types(&self, known: &[ProcessType]) -> Result<(), Error> {
        let words = &self.args.formation.types;
        let names = || known.iter().map(ProcessType::as_str);
        let is_command = |(at, word): (usize, &String)| {
            let name = word.split(['=', ',']).next().unwrap_or(word);
            let is_known = names().chain(["all", "release"]).any(|known| known == name);
            // A single word, or one that resembles a process type, is a mistake of another kind.
            let has_arguments = || at + 1 < words.len() && nearest(name, names()).is_empty();
            let is_option = file_option(name).is_some();
            !is_known && !is_option && (is_url(word) || is_program(name) || has_arguments())
        };
        let first = words.iter().enumerate().position(is_command);
        let Some(at) = first.filter(|_| self.args.command.is_empty()) else { return Ok(()) };
        let (types, command) = words.split_at(at);
        let line = |words: Vec<&str>| {
            shown_words(&["dyno", "smoke"].into_iter().chain(words).map(OsString::from).collect::<Vec<_>>())
        };
        let fact = format!("the Procfile has no process type `{}`", command.first().map_or("", String::as_str));
        let types = types.iter().map(String::as_str);
        let hint = if let Some(words) = start_server_and_test(words) {
            format!("did you mean `{}`?", line(words))
        } else {
            let words = types.chain(["--"]).chain(command.iter().map(String::as_str)).collect();
            format!("to run a command, write `--` before it: `{}`", line(words))
        };
        Err(Error::new(Status::Usage, fact, hint))
    }

    /// The part that the runtime needs.
    pub(in crate::commands) fn smoke_start(&self, ports: &[(DynoName, u16)]) -> SmokeStart {
        let words = self.args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let base = first_web(ports).map(|(dyno, _)| dyno.clone());
        let rules = SmokeRules { settle: self.args.settle(), base, words };
        let phase_mark = look::is_read_by_github().then(|| {
            let mut groups = Groups::default();
            Box::new(move |phase| groups.enter(phase)) as PhaseMark
        });
        SmokeStart { rules, tails: self.tails.clone(), phase_mark }
    }

    /// The command as one more dyno, with the environment of the formation and the address of `web.1`.
    pub(in crate::commands) fn command(
        &self,
        blueprint: &Blueprint,
        ports: &[(DynoName, u16)],
    ) -> Result<Option<Arc<DynoSpec>>, Error> {
        let Some(line) = line(&self.args.command) else { return Ok(None) };
        let port = first_web(ports).map(|(_, port)| *port);
        let mut variables = Environment::default();
        if let Some(port) = port {
            variables.set("WEB_PORT", port.to_string());
            // The real address is known only when it is up: `Smoke` sets this again.
            variables.set("BASE_URL", http_url(Ipv4Addr::LOCALHOST.into(), port));
        }
        let reads_stdin = is_meant_for_the_command(std::io::stdin());
        let focus = if reads_stdin { Focus::Stdin } else { Focus::Elsewhere };
        let streams = Some(DynoStreams { io: Io::Inherit, focus, stdin_is_empty: !reads_stdin });
        let port = port.map_or(PortVariable::Kept, PortVariable::Assigned);
        let spec = blueprint.one_off(&own_name(ports)?, &OneOff { line, port, variables, streams });
        size::check(&spec.environment)?;
        Ok(Some(Arc::new(spec)))
    }
}

/// Whether the command reads our stdin (S19.3): a pipe, a socket or a file is meant for it. A terminal is not: Ctrl-C is
/// ours, and no user answers questions in the middle of a smoke test. Nor is another device, such as `/dev/zero`, or a
/// directory.
fn is_meant_for_the_command(stdin: impl AsFd) -> bool {
    let kind = fstat(stdin).map(|found| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT);
    kind.is_ok_and(|kind| [SFlag::S_IFIFO, SFlag::S_IFSOCK, SFlag::S_IFREG].contains(&kind))
}

/// The words of `dyno smoke` for those of start-server-and-test: `[start] URL [test]`, where `start` and `test` are scripts of
/// npm. None: there is no URL among the words.
fn start_server_and_test(words: &[String]) -> Option<Vec<&str>> {
    let at = words.iter().position(|word| is_url(word))?;
    let url = words.get(at)?;
    let mut line = Vec::new();
    if let Some((_, address)) = url.split_once("://") {
        line.extend(["--http", address.find('/').and_then(|slash| address.get(slash..)).unwrap_or("/")]);
    }
    match words.get(at + 1..)? {
        [] => {}
        [script] if script == "test" => line.extend(["--", "npm", "test"]),
        [script] if !script.contains(' ') => line.extend(["--", "npm", "run", script]),
        command => line.extend(["--"].into_iter().chain(command.iter().map(String::as_str))),
    }
    Some(line)
}

/// Whether start-server-and-test would wait for this: a URL, or a port of four digits or more.
fn is_url(word: &str) -> bool {
    let port = word.trim_start_matches("localhost").trim_start_matches(':');
    word.contains("://") || port.len() > 3 && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `web.1`, which the command tests.
fn first_web(ports: &[(DynoName, u16)]) -> Option<&(DynoName, u16)> {
    ports.iter().find(|(dyno, _)| dyno.process_type.as_str() == ProcessType::WEB && dyno.index == 1)
}

/// The command line, like that of `dyno run`.
fn line(words: &[OsString]) -> Option<Vec<u8>> {
    OneOff::line_of(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>())
}

/// `run.1`, or the next name that is not in the formation.
fn own_name(ports: &[(DynoName, u16)]) -> Result<DynoName, Error> {
    let process_type = ProcessType::new(ONE_OFF)
        .map_err(|error| Error::new(Status::Internal, format!("cannot name the command: {error}"), ""))?;
    let taken = ports.iter().filter(|(dyno, _)| dyno.process_type == process_type).map(|(dyno, _)| dyno.index).max();
    Ok(DynoName::new(process_type, taken.unwrap_or(0).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(process_type: &str, index: u32) -> DynoName {
        DynoName::new(ProcessType::new(process_type).expect("a name"), index)
    }

    #[test]
    fn the_command_has_a_unique_name() {
        assert_eq!(own_name(&[(name("web", 1), 5000)]).expect("a name"), name("run", 1));
        assert_eq!(own_name(&[(name("run", 1), 5000), (name("run", 2), 5001)]).expect("a name"), name("run", 3));
    }
}
