//! How a file of the app got its name, which decides where messages about it point.

use super::findings::Finding;
use crate::app::{Origin, Severity};

/// What named a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// Nothing: it has the default name.
    Default,
    /// `-f` or `-e`.
    Option,
    /// A line of `.foreman`.
    Foreman {
        file: String,
        /// 1-based.
        line: usize,
        key: &'static str,
    },
    /// The variable `PROCFILE`, with its origin.
    Variable(Origin),
}

impl NamedBy {
    /// The finding that the file `name` cannot be used. `what`: such as `the Procfile`; `why`: goes after its name.
    pub(crate) fn finding(&self, severity: Severity, what: &str, name: &str, why: &str, hint: &str) -> Finding {
        let at_line = |file: &str, line: &usize, key: &str| {
            Finding::new(severity, file, *line, format!("{what} `{name}` {why}"), hint).about(key)
        };
        match self {
            Self::Default | Self::Option => Finding::new(severity, name, None, why, hint),
            Self::Foreman { file, line, key } => at_line(file, line, key),
            Self::Variable(Origin::File { name: file, line }) => at_line(file, line, "PROCFILE"),
            Self::Variable(origin @ (Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno)) => {
                let place = if *origin == Origin::Option { "given with `--set`" } else { "in the shell" };
                let message = format!("{why} (named by `PROCFILE` {place})");
                Finding::new(severity, name, None, message, hint).about("PROCFILE")
            }
        }
    }
}
