//! The message if there is no Procfile: which similar files exist, and what to type (S1.7).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::findings::Finding;
use super::places::Places;
use super::source_file::{self, Unreadable};
use crate::app::{Procfile, Severity, shown_words, some_in_words};
use crate::model::ProcessType;
use crate::settings::SetBy;

/// Scripts of `package.json` that run an app, best first, and how `npm` runs them.
const SCRIPTS: [(&str, &str); 3] = [("dev", "npm run dev"), ("start", "npm start"), ("serve", "npm run serve")];

/// The finding that the Procfile `name` does not exist. `option`: the command line that runs a command without one, if any.
pub(crate) fn finding(places: &Places, named_by: &SetBy, name: &str, option: Option<&str>) -> Finding {
    let hint = hint(places, named_by, option);
    match named_by {
        SetBy::Default => {
            let message = format!("no Procfile in {}", places.root.display());
            Finding::new(Severity::Error, name, None, message, hint).in_a_sentence()
        }
        SetBy::Option(_) | SetBy::Foreman { .. } | SetBy::Variable { .. } => {
            named_by.finding(Severity::Error, "the Procfile", name, &Unreadable::Missing.to_string(), &hint)
        }
    }
}

fn hint(places: &Places, named_by: &SetBy, option: Option<&str>) -> String {
    let others = others(places);
    let verb = if others.len() == 1 { "is" } else { "are" };
    let list = some_in_words(&others);
    match (others.as_slice(), named_by) {
        ([first, ..], SetBy::Default | SetBy::Option(_)) => {
            let uses = shown_words(&["-f".into(), first.into()]);
            format!("there {verb} {list}; `{uses}` uses it")
        }
        ([_, ..], SetBy::Foreman { .. } | SetBy::Variable { .. }) => format!("check the name; there {verb} {list}"),
        ([], SetBy::Foreman { .. } | SetBy::Variable { .. }) => Unreadable::Missing.hint().to_owned(),
        ([], SetBy::Default | SetBy::Option(_)) => {
            let found = npm_script(&places.root);
            let hint = match found {
                Some((script, command)) => {
                    format!(
                        "package.json has the script `{script}`: create the Procfile with the line `web: {command}`"
                    )
                }
                None => "create it with one line for each process type, such as `web: npm start`".to_owned(),
            };
            let (_, command) = found.unwrap_or(("start", "npm start"));
            let without = option.filter(|_| *named_by == SetBy::Default);
            hint + &without.map(|option| format!("; `{option} '{command}'` needs no Procfile")).unwrap_or_default()
        }
    }
}

/// Another file that may have been meant and defines all of these process types, as the user would type it.
pub(crate) fn another_with(places: &Places, types: &[&str]) -> Option<String> {
    let has_all = |name: &String| {
        let bytes = source_file::read_if_regular(&places.current.join(name)).unwrap_or_default();
        let procfile = Procfile::parse(&bytes).ok();
        let has = |name: &str| procfile.as_ref()?.get(&ProcessType::new(name).ok()?);
        types.iter().all(|name| has(name).is_some())
    };
    others(places).into_iter().find(has_all)
}

/// The files that may have been meant: `Procfile.dev` and `procfile` in the root, else the Procfile of the directory above.
fn others(places: &Places) -> Vec<String> {
    let begins = |name: &OsStr| name.to_string_lossy().to_ascii_lowercase().starts_with("procfile");
    let entries = std::fs::read_dir(&places.root).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name()).filter(|name| begins(name));
    let mut paths: Vec<PathBuf> = names.map(|name| places.root.join(name)).filter(|path| path.is_file()).collect();
    paths.sort();
    if !paths.is_empty() {
        return paths.iter().map(|path| places.shown(path)).collect();
    }
    let above = places.root.parent().map(|parent| parent.join("Procfile")).filter(|path| path.is_file());
    // As the user would type it.
    let shown = |path: PathBuf| {
        if places.root == places.current { "../Procfile".to_owned() } else { places.shown(&path) }
    };
    above.map(shown).into_iter().collect()
}

fn npm_script(root: &Path) -> Option<(&'static str, &'static str)> {
    let bytes = source_file::read_if_regular(&root.join("package.json"))?;
    let package: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let scripts = package.get("scripts")?;
    SCRIPTS.into_iter().find(|(name, _)| scripts.get(name).is_some_and(serde_json::Value::is_string))
}
