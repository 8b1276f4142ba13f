//! Names of process types that an engine refuses or changes.

use super::{MoveFinding, MoveTarget, MovedType};
use crate::export::containers::{LABEL_BYTES, not_a_label};

/// The longest name of a unit of systemd.
const UNIT_BYTES: usize = 255;

pub(super) fn find(target: MoveTarget, types: &[MovedType<'_>]) -> Vec<MoveFinding> {
    types.iter().filter_map(|moved| of_type(target, moved)).collect()
}

fn of_type(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    let name = moved.process_type.as_str();
    match target {
        MoveTarget::Dokku | MoveTarget::Kubernetes => {
            let why = not_a_label(moved.process_type)?;
            let message = format!("{target} refuses the name `{name}`: {why}");
            Some(moved.finding(true, message, rename(name, &moved.command)))
        }
        MoveTarget::Cnb if name.len() > LABEL_BYTES => {
            let message = format!("buildpacks refuse the name `{name}`: it has more than {LABEL_BYTES} characters");
            Some(moved.finding(true, message, rename(name, &moved.command)))
        }
        MoveTarget::Cnb if as_label(name) != name => {
            let message =
                format!("heroku's buildpack calls `{name}` `{}` in the image, others keep the name", as_label(name));
            Some(moved.finding(false, message, rename(name, &moved.command)))
        }
        MoveTarget::Systemd if name.len() + ".1.service".len() > UNIT_BYTES => {
            let message =
                format!("systemd refuses the name `{name}`: its unit would have more than {UNIT_BYTES} bytes");
            Some(moved.finding(true, message, rename(name, &moved.command)))
        }
        // Both accept every name that a Procfile may have.
        MoveTarget::Heroku | MoveTarget::Compose | MoveTarget::Cnb | MoveTarget::Systemd => None,
    }
}

/// The nearest name that is a label of DNS.
fn as_label(name: &str) -> String {
    let label: String = name.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect();
    let label = label.trim_matches('-');
    let label = label.get(..LABEL_BYTES).unwrap_or(label).trim_end_matches('-');
    if label.is_empty() { "app".to_owned() } else { label.to_owned() }
}

fn rename(name: &str, command: &str) -> String {
    let label = as_label(name);
    let shown: String = command.chars().take(60).collect();
    let more = if shown.len() < command.len() { "…" } else { "" };
    format!("rename it: `{label}: {shown}{more}`")
}
