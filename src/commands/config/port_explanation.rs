//! `dyno config --explain PORT`: the base port, where it comes from, and the port of each dyno (S3.2, S5.2).
//!
//! Decides only the wording; `ports` decides the base and the ports, also for `start`.

use std::fmt::Write;

use crate::app::{DEFAULT_STEP, Layers, Origin, PortBase, Ports};
use crate::error::Error;
use crate::model::DynoName;
use crate::project::Findings;
use crate::project::Places;
use crate::project::files;
use crate::project::ports::{self, Given};
use crate::settings::of_file;

/// The explanation for a start with this `-p` and no other option.
///
/// # Errors
/// The same errors as in a start: a base that is not a port, or a dyno whose port is too high.
pub(super) fn explain(
    option: Option<&str>,
    prefer_shell: bool,
    layers: &Layers,
    places: &Places,
) -> Result<String, Error> {
    let (base, given) = ports::base(option, prefer_shell, layers, places);
    let winner = winner(option, &given, layers);
    let from = winner.as_ref().map_or_else(|| "by default".to_owned(), |source| format!("from {source}"));
    let mut text = match base.map_err(|error| given.refused(&error))? {
        PortBase::Auto => format!("base {from}: free ports are chosen when the app starts\n"),
        PortBase::Fixed(base) => {
            let dynos = dynos(base, &given, layers, places)?;
            let dynos = if dynos.is_empty() { String::new() } else { format!("; {}", ports::list(&dynos)) };
            format!("base {base} {from}{dynos}\n")
        }
    };
    let sources = sources(option, layers, places);
    let place = sources.iter().position(|source| Some(source) == winner.as_ref()).map_or(sources.len(), |at| at + 1);
    for overridden in sources.iter().skip(place) {
        let _ = writeln!(text, "  and overrides {overridden}");
    }
    Ok(text)
}

/// The source of the base. None: the default.
fn winner(option: Option<&str>, given: &Given, layers: &Layers) -> Option<String> {
    match given {
        Given::File { name, line, .. } => Some(place(name, *line)),
        Given::Shell => Some(Origin::Shell.to_string()),
        Given::OptionOrDefault if option.is_some() => Some(OPTION.to_owned()),
        // `--set`, unless its value is empty, which is treated as unset.
        Given::OptionOrDefault => {
            let setting = layers.get_from_options("PORT")?;
            let is_set = setting.value.is_some_and(|value| !value.reveal().trim_ascii().is_empty());
            is_set.then(|| setting.origin.to_string())
        }
    }
}

const OPTION: &str = "`-p`";

fn place(file: &str, line: usize) -> String {
    Origin::File { name: file.to_owned(), line }.to_string()
}

/// Everything that sets a base, the strongest first.
fn sources(option: Option<&str>, layers: &Layers, places: &Places) -> Vec<String> {
    let (settings, variables): (Vec<Origin>, Vec<Origin>) =
        layers.explain(b"PORT", None).into_iter().map(|given| given.origin).partition(|it| *it == Origin::Option);
    let foreman = places.foreman.port.as_ref().map(|setting| place(&places.foreman_name, setting.line));
    let shown = |origins: Vec<Origin>| origins.into_iter().map(|origin| origin.to_string());
    let option = option.map(|_| OPTION.to_owned());
    option.into_iter().chain(shown(settings)).chain(foreman).chain(shown(variables)).collect()
}

/// The port of each dyno of the formation; empty without a usable Procfile.
fn dynos(base: u16, given: &Given, layers: &Layers, places: &Places) -> Result<Vec<(DynoName, u16)>, Error> {
    let found = files::procfile_path(places, layers);
    // `check` reports what is wrong with it.
    let Some(procfile) = files::procfile(places, &found, &mut Findings::default()) else { return Ok(Vec::new()) };
    let types = procfile.formation_types();
    let Some(formation) = of_file(&places.foreman, &types) else { return Ok(Vec::new()) };
    Ports::new(base, DEFAULT_STEP, &types).assign(&formation).map_err(|error| given.refused(&error))
}
