//! `dyno config:get`: prints single config vars (S15.3).

use std::collections::BTreeMap;

use super::config;
use super::start::expected_ports::siblings;
use crate::app::{SourcedValue, did_you_mean, nearest};
use crate::cli::{Cli, ConfigGetArgs};
use crate::console::{diagnostics, stdout};
use crate::error::{Complaint, Error, Status};
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &ConfigGetArgs) -> Result<Outcome, Error> {
    crate::runtime::unblock_all();
    args.keys.iter().try_for_each(|key| config::check_key(key, "write `dyno config:get KEY`"))?;
    let (places, layers) = config::read(cli, &args.project, &args.variables)?;
    let vars = layers.config_vars();
    let value = |key: &String| vars.get(key).and_then(|given| given.value.as_ref());
    let written = if args.json {
        let text = |key| value(key).map(|value| String::from_utf8_lossy(value.reveal()).into_owned());
        let object: BTreeMap<&str, Option<String>> = args.keys.iter().map(|key| (key.as_str(), text(key))).collect();
        stdout::write_json(&object)?
    } else {
        let mut text = Vec::new();
        // Among several, an empty line keeps the place of one that is not set.
        for value in args.keys.iter().map(value).filter(|value| value.is_some() || args.keys.len() > 1) {
            text.extend_from_slice(value.map_or(&[][..], |value| value.reveal()));
            text.push(b'\n');
        }
        stdout::write_bytes(&text)?
    };
    let missing: Vec<&String> = args.keys.iter().filter(|key| value(key).is_none()).collect();
    if missing.is_empty() {
        return Ok(written);
    }
    let siblings = siblings(&layers, &places);
    for key in missing {
        let is_explained = config::is_explained(key, &layers, &siblings)?;
        diagnostics::show_complaint(&if is_explained { not_of_app(key) } else { not_set(key, &vars) });
    }
    Ok(Outcome::Code(Status::Failed.code()))
}

/// The shell or `dyno` itself sets the variable, but neither a file nor an option.
fn not_of_app(key: &str) -> Complaint {
    let hint = format!("`dyno config --explain {key}` shows where the dynos get it from");
    Complaint::new(format!("`{key}` is not a config var"), hint)
}

fn not_set(key: &str, vars: &BTreeMap<String, SourcedValue>) -> Complaint {
    let hint = did_you_mean(&nearest(key, vars.keys().map(String::as_str)));
    let hint = hint.unwrap_or_else(|| "`dyno config` lists the config vars".to_owned());
    Complaint::new(format!("`{key}` is not set"), hint)
}
