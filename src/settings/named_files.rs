//! The files that the options name (S1.7, S2.1).

use std::path::PathBuf;

use crate::cli::ProjectArgs;

/// What `-f`, `-d` and `-e` name.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedFiles {
    /// `-f`.
    pub(crate) procfile: Option<PathBuf>,
    /// `-d`.
    pub(crate) root: Option<PathBuf>,
    /// `-e`: the files in order; later ones win. An empty path means no file.
    pub(crate) env: Vec<PathBuf>,
}

impl From<ProjectArgs> for NamedFiles {
    fn from(args: ProjectArgs) -> Self {
        let ProjectArgs { procfile, root, env, no_color: _ } = args;
        Self { procfile, root, env }
    }
}
