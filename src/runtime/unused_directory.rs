//! Reads `XDG_RUNTIME_DIR` and `XDG_STATE_HOME`, and says why a directory that they name is not used (S10.1, S10.3).

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// A directory that a variable names and that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedDirectory {
    variable: &'static str,
    path: PathBuf,
    why: &'static str,
    /// What is used instead.
    instead: PathBuf,
}

impl fmt::Display for UnusedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, path, why, instead } = self;
        write!(f, "`{variable}` names `{}`, which {why}: `{}` is used instead", path.display(), instead.display())
    }
}

/// The directory that a variable names, or why it is not used. None: the variable is not set, or empty. `why_not`: why
/// an absolute path is not used, or None. `instead`: the directory that is used in that case.
pub(super) fn named(
    variable: &'static str,
    why_not: impl FnOnce(&Path) -> Option<&'static str>,
    instead: &Path,
) -> Option<Result<PathBuf, UnusedDirectory>> {
    let path = env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)?;
    let why = if path.is_absolute() { why_not(&path) } else { Some("is not an absolute path") };
    Some(match why {
        None => Ok(path),
        Some(why) => Err(UnusedDirectory { variable, path, why, instead: instead.to_owned() }),
    })
}
