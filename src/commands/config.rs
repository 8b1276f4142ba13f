//! `dyno config`: shows the config vars, and where one comes from (S3.2).
//!
//! The only command that prints values, because that is its purpose; `--explain` prints only ports.

mod port_explanation;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::start::expected_ports::siblings;
use crate::app::{DynoVariables, Layers, PortVariable, did_you_mean, env_line, is_env_key, nearest};
use crate::cli::{Cli, ConfigArgs, ProjectArgs, VariableArgs};
use crate::console::diagnostics::{print_line, settle, settled, warn};
use crate::console::stdout;
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, ProcessType, Secret};
use crate::project::files;
use crate::project::{FileReader, Findings, Places};
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &ConfigArgs) -> Result<Outcome, Error> {
    crate::runtime::unblock_all();
    if let Some(word) = args.keys.first() {
        return Err(unexpected_word(&word.to_string_lossy()));
    }
    let (places, layers) = read(cli, &args.project, &args.variables)?;
    match args.explain.as_deref() {
        Some("PORT") => stdout::write(&port_explanation::explain(args, layers, &places)?),
        Some(key) => explain(key, &layers, &siblings(&layers, &places)),
        None if args.json => json(&layers),
        None => lines(&layers),
    }
}

/// The places of the app, and all its variables.
pub(super) fn read(cli: &Cli, project: &ProjectArgs, variables: &VariableArgs) -> Result<(Places, Layers), Error> {
    let mut findings = Findings::default();
    let places = Places::find(cli.project(project).into(), cli.dialect, &mut findings);
    let Some(places) = places else { return settled(None, &findings) };
    let layers = files::layers(&places, &variables.into(), &FileReader::announcing(&print_line), &mut findings)?;
    settle(&findings)?;
    Ok((places, layers))
}

/// Checks the name of a variable. It is not repeated, because it may be `KEY=VALUE`.
pub(super) fn check_key(key: &str, hint: &str) -> Result<(), Error> {
    if is_env_key(key.as_bytes()) {
        return Ok(());
    }
    let hint = format!("{hint}, with only A-Z a-z 0-9 _ . - in the key");
    Err(Error::usage("an argument is not a valid variable name", hint))
}

/// Prints the config vars as lines of a `.env` file, which are read back as the same values.
fn lines(layers: &Layers) -> Result<Outcome, Error> {
    let mut text = Vec::new();
    for (key, given) in layers.config_vars() {
        if let Some(value) = given.value {
            text.extend(env_line(&key, value.reveal()));
        }
    }
    stdout::write_bytes(&text)
}

/// Prints one flat JSON object of strings. Bytes that are not UTF-8 become U+FFFD, with a warning.
fn json(layers: &Layers) -> Result<Outcome, Error> {
    let vars = layers.config_vars();
    let object: BTreeMap<&str, String> = vars
        .iter()
        .filter_map(|(key, given)| {
            let value = String::from_utf8_lossy(given.value.as_ref()?.reveal());
            if let Cow::Owned(_) = value {
                let fact = format!(
                    "{}: the value of `{key}` has bytes that are not UTF-8; JSON shows `\u{fffd}` for them",
                    given.origin
                );
                warn(&Complaint::new(fact, "`dyno config` without `--json` prints it unchanged"));
            }
            Some((key.as_str(), value.into_owned()))
        })
        .collect();
    stdout::write_json(&object)
}

/// The error for `dyno config KEY`. It does not repeat a word that may contain a value.
fn unexpected_word(word: &str) -> Error {
    let key = if is_env_key(word.as_bytes()) { word } else { "KEY" };
    let hint = format!("`dyno config:get {key}` prints it; `dyno config --explain {key}` shows where it comes from");
    Error::usage("`dyno config` does not accept a key: it shows every config var", hint)
}

/// Whether `dyno config --explain KEY` says where a dyno gets this variable from.
pub(super) fn is_explained(key: &str, layers: &Layers, siblings: &[(String, Secret)]) -> Result<bool, Error> {
    let dyno = web_1()?;
    Ok(key == "PORT" || !layers.explain(key.as_bytes(), Some(&variables_of(&dyno, siblings))).is_empty())
}

fn web_1() -> Result<DynoName, Error> {
    let process_type = ProcessType::new(ProcessType::WEB)
        .map_err(|error| Error::new(Status::Internal, format!("cannot name a dyno: {error}"), ""))?;
    Ok(DynoName::new(process_type, 1))
}

/// What a dyno adds to the variables of the app, such as `PS`.
fn variables_of<'a>(dyno: &'a DynoName, siblings: &'a [(String, Secret)]) -> DynoVariables<'a> {
    DynoVariables { dyno, port: PortVariable::Kept, session: "", app: "", siblings }
}

fn explain(key: &str, layers: &Layers, siblings: &[(String, Secret)]) -> Result<Outcome, Error> {
    let dyno = web_1()?;
    let variables = variables_of(&dyno, siblings);
    let given = layers.explain(key.as_bytes(), Some(&variables));
    let Some((winner, overridden)) = given.split_first() else {
        return Err(not_set(key, layers, &variables));
    };
    let mut text = format!("{key} comes from {}\n", winner.origin);
    for other in overridden {
        let _ = writeln!(text, "  and overrides {}", other.origin);
    }
    stdout::write(&text)
}

/// The error for a variable that is not set. It suggests the nearest config vars and variables that every dyno has.
fn not_set(key: &str, layers: &Layers, variables: &DynoVariables<'_>) -> Error {
    let of_app = layers.config_vars();
    let of_dyno = Layers::default().environment(variables);
    let of_dyno = of_dyno.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok()).chain(["PORT"]);
    let known = of_app.keys().map(String::as_str).chain(of_dyno.filter(|name| !of_app.contains_key(*name)));
    let hint = did_you_mean(&nearest(key, known));
    let hint = hint.unwrap_or_else(|| {
        let key = if is_env_key(key.as_bytes()) { key } else { "KEY" };
        format!("`dyno config` lists the config vars; `--set {key}=VALUE` or a line in .env adds one")
    });
    Error::new(Status::Config, format!("`{key}` is not set"), hint)
}
