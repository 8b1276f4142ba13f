//! `dyno run`: this process becomes the command (S9).
//!
//! No guardian, no pipe: terminal, job control, status and death by a signal are the command's own. This module decides the
//! line for the shell, and looks for the program first, so that `dyno` itself reports a missing one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::start::checkout::{Checkout, Need};
use super::start::expected_ports::siblings;
use crate::app::{
    DynoVariables, Layers, PortVariable, ProcfileEntry, Severity, append_words, did_you_mean, join_words, launch,
    nearest, shown_words,
};
use crate::cli::{Cli, RunArgs, TypeWord};
use crate::console::diagnostics::{print_line, settle, settled};
use crate::error::{Complaint, Error, Status};
use crate::model::{Dialect, DynoName, Environment, Launch, ProcessType, Shell};
use crate::project::bash;
use crate::project::files;
use crate::project::missing_procfile::another_with;
use crate::project::program_lookup::{ObstacleKind, ProgramLookup, is_executable, nearest_program, program_of};
use crate::project::size;
use crate::project::{FileReader, Finding, Findings};
use crate::project::{Places, reason};
use crate::runtime;
use crate::runtime::identity;
use crate::settings::NameSettings;
use crate::supervisor::Outcome;

/// Returns only if the command could not be started.
pub(super) fn run(cli: &Cli, args: &RunArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    // `dyno run "$CMD"` with an empty `CMD`: the shell would do nothing and succeed.
    if args.words.first().is_some_and(|word| word.as_bytes().trim_ascii().is_empty()) {
        let hint = "a variable in the command may be empty; write a command such as `dyno run rails console`";
        return Err(Error::new(Status::Usage, "the command is empty", hint));
    }
    let mut findings = Findings::default();
    let Some(places) = Places::find(cli.project(&args.project).into(), cli.dialect, &mut findings) else {
        return settled(None, &findings);
    };
    let layers =
        files::layers(&places, &(&args.variables).into(), &FileReader::announcing(&print_line), &mut findings)?;
    let words: Vec<&[u8]> = args.words.iter().map(|word| word.as_bytes()).collect();
    let entry = type_entry(args, &places, &layers, &mut findings);
    settle(&findings)?;

    let line = command_line(cli.dialect, &words, entry.as_ref().map(|(file, entry)| (file.as_str(), entry)))?;
    let process_type = ProcessType::new("run")
        .map_err(|error| Error::new(Status::Internal, format!("cannot name the dyno: {error}"), ""))?;
    let dyno = DynoName::new(process_type, identity::one_off_number()?);
    let session = identity::random_hex()?;
    let procfile = files::procfile_path(&places, &layers).path;
    let siblings = siblings(&layers, &places);
    let names = NameSettings::of_file(&places.foreman);
    let app = Checkout::of(&places, &procfile, &names, Need::Look).app_name();
    let variables =
        DynoVariables { dyno: &dyno, port: PortVariable::Kept, session: &session, app: &app, siblings: &siblings };
    let environment = layers.environment(&variables);
    size::check_one_off(&environment, &layers)?;
    // The profile may change `PATH`.
    if !args.profile {
        look_up(&line, &environment, places.dyno_directory()).map_err(|error| {
            let meant = || {
                meant_type(args, &places, &layers)
                    .or_else(|| meant_program(args, &environment, places.dyno_directory()))
                    .or_else(|| files::is_missing(&files::procfile_path(&places, &layers).path).then(no_procfile))
            };
            let looked_up = error.status() == Status::NotFound && !error.to_string().contains('/');
            match looked_up.then(meant).flatten() {
                Some(hint) => Error::new(error.status(), error.to_string(), hint),
                None => error,
            }
        })?;
    }
    bash::check_shell_of_run(args.profile)?;
    let launch = launch(&line, if args.profile { Shell::Bash } else { Shell::Sh }, &environment);
    Err(become_command(&launch, &environment, places.dyno_directory()))
}

/// The Procfile entry that the first word names, and the name of that file. Without a usable Procfile every word is a
/// command, because `run` is also used to repair the app.
fn type_entry(
    args: &RunArgs,
    places: &Places,
    layers: &Layers,
    findings: &mut Findings,
) -> Option<(String, ProcfileEntry)> {
    let name = match (args.type_word, args.words.as_slice()) {
        (TypeWord::First, [first, ..]) | (TypeWord::Alone, [first]) => first,
        (TypeWord::First | TypeWord::Alone | TypeWord::Never, _) => return None,
    };
    let process_type = ProcessType::new(name.to_str()?).ok()?;
    let found = files::procfile_path(places, layers);
    let named = args.project.procfile.is_some();
    if !named && files::is_missing(&found.path) {
        return None;
    }
    let mut of_procfile = Findings::default();
    let procfile = files::procfile(places, &found, &mut of_procfile);
    if procfile.is_none() {
        for finding in of_procfile.iter().filter(|finding| finding.severity == Severity::Error) {
            let severity = if named { Severity::Error } else { Severity::Warning };
            findings.push(Finding { severity, ..finding.clone() });
        }
    }
    let entry = procfile?.get(&process_type)?.clone();
    Some((found.name, entry))
}

/// The hint for a word that is not a command: how to run the process type of that name, or the nearest types.
fn meant_type(args: &RunArgs, places: &Places, layers: &Layers) -> Option<String> {
    let found = files::procfile_path(places, layers);
    let line = args.words.first()?.to_str()?.trim();
    let (word, _) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let no_program = || (!word.contains('/')).then(|| NO_PROGRAM_HINT.to_owned());
    let Some(procfile) = files::procfile(places, &found, &mut Findings::default()) else {
        if args.type_word == TypeWord::Never {
            return no_program();
        }
        let file = another_with(places, &[word]).filter(|_| args.type_word == TypeWord::First)?;
        let words = ["dyno", "run", "-f", &file].map(OsString::from).into_iter().chain(args.words.iter().cloned());
        return did_you_mean(&[shown_words(&words.collect::<Vec<_>>())]);
    };
    let names = || procfile.entries().iter().map(|entry| entry.process_type.as_str());
    match (args.type_word, names().any(|name| name == word)) {
        (TypeWord::First, true) => {
            Some(format!("the shell runs a single quoted word; to run the process type, write `dyno run {line}`"))
        }
        (TypeWord::Alone, true) => Some(format!("`{word}` is a process type; to run it, leave out the words after it")),
        (TypeWord::Never, true) => {
            Some(format!("`{word}` is a process type, and this tool runs only commands; use `dyno run {word}`"))
        }
        (TypeWord::First | TypeWord::Alone, false) => did_you_mean(&nearest(word, names())),
        (TypeWord::Never, false) => no_program(),
    }
}

/// The hint for a program that is in the app but not on `PATH`, or for the program with the most similar name.
fn meant_program(args: &RunArgs, environment: &Environment, directory: &Path) -> Option<String> {
    let first = args.words.first()?.to_str()?;
    let (word, rest) = first.split_once(char::is_whitespace).map_or((first, None), |(word, rest)| (word, Some(rest)));
    let of_app = PROGRAM_FOLDERS.iter().map(|folder| format!("{folder}/{word}"));
    let of_app = of_app.into_iter().find(|path| is_executable(&directory.join(path)));
    let program = of_app.or_else(|| nearest_program(word, environment))?;
    let line = rest.map_or_else(|| program.clone(), |rest| format!("{program} {rest}"));
    let words = ["dyno", "run", &line].map(OsString::from).into_iter().chain(args.words.iter().skip(1).cloned());
    did_you_mean(&[shown_words(&words.collect::<Vec<_>>())])
}

/// Where apps keep their own programs.
const PROGRAM_FOLDERS: [&str; 3] = ["bin", "node_modules/.bin", "vendor/bin"];

/// The line for the shell. `entry`: the one that the first word names, with the name of its file.
fn command_line(dialect: Dialect, words: &[&[u8]], entry: Option<(&str, &ProcfileEntry)>) -> Result<Vec<u8>, Error> {
    if let (Some((file, entry)), Some(others)) = (entry, words.get(1..)) {
        return append_words(&entry.command, others).map_err(|error| {
            let name = &entry.process_type;
            let fact = format!("{file}:{}: cannot pass the arguments to `{name}`: {error}", entry.line);
            Error::new(Status::Config, fact, error.hint())
        });
    }
    match (dialect, words) {
        // foreman and honcho quote a single word as well.
        (Dialect::Dyno | Dialect::HerokuLocal, [line]) => Ok(line.to_vec()),
        (Dialect::Dyno | Dialect::HerokuLocal | Dialect::Foreman | Dialect::Honcho, _) => Ok(join_words(words)),
    }
}

/// Fails with 127 or 126 if the line plainly runs a program that is missing or cannot be executed. Other lines are left
/// to the shell.
fn look_up(line: &[u8], environment: &Environment, directory: &Path) -> Result<(), Error> {
    let Some(program) = program_of(line) else { return Ok(()) };
    let Some(obstacle) = (ProgramLookup { environment, directory }).obstacle(&program) else { return Ok(()) };
    let shown = String::from_utf8_lossy(&program);
    let fact = format!("`{shown}` {obstacle}");
    let (status, fact, hint) = match obstacle.kind {
        ObstacleKind::Missing if program.contains(&b'/') => {
            let hint = "check the path: it is relative to the root of the app".to_owned();
            (Status::NotFound, format!("`{shown}` was not found"), hint)
        }
        ObstacleKind::Missing => (Status::NotFound, format!("`{shown}` was not found"), NOT_FOUND_HINT.to_owned()),
        ObstacleKind::Directory | ObstacleKind::NotExecutable => (Status::NotExecutable, fact, obstacle.hint()),
        // The shell's status for both.
        ObstacleKind::WindowsLineEnds | ObstacleKind::NoInterpreter(_) => (Status::NotFound, fact, obstacle.hint()),
    };
    Err(Error::new(status, fact, hint))
}

const NOT_FOUND_HINT: &str = "it is neither a process type of the Procfile nor a program on `PATH`; \
                              a program of the app needs its path, such as `bin/rails`";

/// For honcho, where `run` never means a process type.
const NO_PROGRAM_HINT: &str = "it is not a program on `PATH`";

fn no_procfile() -> String {
    "it is not a program on `PATH`, and there is no Procfile with a process type of that name; create one with a line such \
     as `web: npm start`"
        .to_owned()
}

/// Executes the shell with the line. The standard library clears the signal mask and restores SIGPIPE, which Rust's
/// runtime ignores; nothing else was changed in this process.
fn become_command(launch: &Launch, environment: &Environment, directory: &Path) -> Error {
    let shell = launch.shell().path();
    let variables = environment.iter().map(|(key, value)| (OsStr::from_bytes(key), OsStr::from_bytes(value.reveal())));
    let error = Command::new(shell)
        .arg("-c")
        .arg(OsString::from(OsStr::from_bytes(launch.line())))
        .env_clear()
        .envs(variables)
        .current_dir(directory)
        .exec();
    not_executed(&error, shell, directory)
}

/// Why the shell could not be executed.
fn not_executed(error: &io::Error, shell: &str, directory: &Path) -> Error {
    let why = reason(error);
    let kind = error.kind();
    let (status, fact, hint) = if !directory.is_dir() {
        (
            Status::Config,
            format!("the directory `{}` cannot be used: {why}", directory.display()),
            "name another directory with `-d`",
        )
    } else if kind == io::ErrorKind::ArgumentListTooLong {
        (Status::NotExecutable, format!("the command is too long: {why}"), "give fewer or shorter arguments")
    } else if kind == io::ErrorKind::NotFound {
        (Status::NotFound, format!("`{shell}` was not found"), "`dyno` runs every command with it")
    } else {
        (Status::NotExecutable, format!("`{shell}` cannot be executed: {why}"), "")
    };
    Error::all(status, [Complaint::new(fact, hint)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_3_the_error_says_why_the_shell_cannot_be_executed() {
        let reported = |errno: i32, directory: &str| {
            let error = not_executed(&io::Error::from_raw_os_error(errno), "/bin/sh", Path::new(directory));
            let complaint = &error.complaints()[0];
            (error.status() as u8, complaint.fact.clone(), complaint.hint.clone())
        };
        let expected = |status, fact: &str, hint: &str| (status, fact.to_owned(), hint.to_owned());

        let gone = "the directory `/nowhere` cannot be used: No such file or directory";
        assert_eq!(reported(libc::ENOENT, "/nowhere"), expected(78, gone, "name another directory with `-d`"));
        assert_eq!(
            reported(libc::ENOENT, "/"),
            expected(127, "`/bin/sh` was not found", "`dyno` runs every command with it")
        );
        let refused = "`/bin/sh` cannot be executed: Permission denied";
        assert_eq!(reported(libc::EACCES, "/"), expected(126, refused, ""));
        let long = "the command is too long: Argument list too long";
        assert_eq!(reported(libc::E2BIG, "/"), expected(126, long, "give fewer or shorter arguments"));
    }
}
