//! `dyno config`: the config vars that the files give, and where one comes from (S3.2).
//!
//! The only command that prints values, since it was asked to; `--explain` prints none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::diagnostics::warn;
use super::files::{self, Settings};
use super::findings::Findings;
use super::places::Places;
use super::stdout;
use crate::app::{DEFAULT_BASE, DynoName, DynoVariables, EnvEntry, Given, Layers, PortVariable, ProcessType};
use crate::cli::{Cli, ConfigArgs};
use crate::error::{Complaint, Error, Status};
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &ConfigArgs) -> Result<Outcome, Error> {
    crate::runtime::unblock_all();
    let mut findings = Findings::default();
    let places = Places::find(cli.project(&args.project), cli.dialect, &mut findings)?;
    let settings = Settings { set: &args.variables.set, prefer_shell: args.variables.prefer_shell };
    let layers = files::layers(&places, &settings, &mut findings)?;
    findings.settle()?;
    match &args.explain {
        Some(key) => explain(key, &layers),
        None if args.json => json(&layers),
        None => lines(&layers),
    }
}

/// As lines of a `.env` file: read again, they give the same.
fn lines(layers: &Layers) -> Result<Outcome, Error> {
    let mut text = Vec::new();
    for (key, given) in layers.config_vars() {
        if let Some(value) = given.value {
            text.extend(EnvEntry { key, value, line: 1, span: 0..0 }.write_entry());
        }
    }
    stdout::write_bytes(&text)
}

/// One flat object of strings. A value that is not UTF-8 has U+FFFD in place of what is none, and that is told.
fn json(layers: &Layers) -> Result<Outcome, Error> {
    let vars = layers.config_vars();
    let object: BTreeMap<&str, String> = vars
        .iter()
        .filter_map(|(key, given)| {
            let value = String::from_utf8_lossy(given.value.as_ref()?.reveal());
            if let Cow::Owned(_) = value {
                let fact =
                    format!("{}: the value of `{key}` is not UTF-8, and JSON has U+FFFD in its place", given.origin);
                warn(&Complaint::new(fact, "`dyno config` without `--json` prints its bytes"));
            }
            Some((key.as_str(), value.into_owned()))
        })
        .collect();
    let text = serde_json::to_string(&object).map_err(|error| {
        Error::new(Status::Internal, format!("the config vars cannot be written as JSON: {error}"), "")
    })?;
    stdout::write(&(text + "\n"))
}

/// Every value of a variable in a dyno, the one in force first: some, such as `PORT`, a dyno has of its own.
fn given_to_a_dyno(key: &str, layers: &Layers) -> Vec<Given> {
    let Ok(process_type) = ProcessType::new("web") else { return Vec::new() };
    let dyno = DynoName::new(process_type, 1);
    let variables = DynoVariables { dyno: &dyno, port: PortVariable::Assigned(DEFAULT_BASE), session: "" };
    layers.explain(key.as_bytes(), Some(&variables))
}

fn explain(key: &str, layers: &Layers) -> Result<Outcome, Error> {
    let given = given_to_a_dyno(key, layers);
    let Some((winner, shadowed)) = given.split_first() else {
        let hint = "neither the files, nor `--set`, nor the shell have it";
        return Err(Error::new(Status::Config, format!("`{key}` is not set"), hint));
    };
    let mut text = format!("{key} comes from {}\n", winner.origin);
    for other in shadowed {
        let _ = writeln!(text, "  and shadows {}", other.origin);
    }
    stdout::write(&text)
}
