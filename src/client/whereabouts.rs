//! Where a command was typed: the directories that are searched for the running app (S10.2).

use std::env;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::api::{StartDescription, Whereabouts};
use crate::cli::{ProjectArgs, RunningArgs};
use crate::error::Status;
use crate::project::reason;

/// Where the command was typed, and what its options name.
pub(crate) fn whereabouts(before: &ProjectArgs, args: &RunningArgs) -> Result<Whereabouts, Failure> {
    let project = args.project().over(before);
    let current = env::current_dir().map_err(|error| {
        let message = format!("the current directory cannot be used: {}", reason(&error));
        Failure::new(Status::Config, "no_directory", message, "change to a directory that exists")
    })?;
    let text = |path: &Path| StartDescription::path_text(&real(&current.join(path)));
    Ok(Whereabouts {
        session: env::var("DYNO_SESSION").ok(),
        directories: searched(&current).iter().map(|path| text(path)).collect(),
        root: project.root.as_deref().map(text),
        procfile: project.procfile.as_deref().map(text),
        app: args.which.app.clone(),
        name: args.which.name.clone(),
        pid: args.which.pid,
    })
}

/// The current directory and its parents, up to the first one that is the top of a project.
fn searched(current: &Path) -> Vec<PathBuf> {
    let is_top = |path: &&Path| [".git", "Procfile"].iter().any(|name| path.join(name).exists());
    let below_top = current.ancestors().take_while(|path| !is_top(path));
    let top = current.ancestors().find(is_top);
    below_top.chain(top).map(Path::to_owned).collect()
}

/// The path without symbolic links, as far as it exists.
pub(crate) fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
