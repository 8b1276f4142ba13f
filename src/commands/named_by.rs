//! Who named a file of the app, and so where a message about it stands.

use super::findings::Finding;
use crate::app::{Origin, Severity};

/// Who named a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// Nobody: it has the name that is looked for.
    Nobody,
    /// `-f` or `-e`.
    Option,
    /// A line of `.foreman`.
    Foreman {
        file: String,
        /// 1-based.
        line: usize,
        key: &'static str,
    },
    /// The variable `PROCFILE`, which comes from here.
    Variable(Origin),
}

impl NamedBy {
    /// The file `name` cannot be used. `what` it is: `the Procfile`; `why`: goes on after its name.
    pub(super) fn finding(&self, severity: Severity, what: &str, name: &str, why: &str, hint: &str) -> Finding {
        let found = |file: &str, line, key: Option<&str>, message| Finding {
            severity,
            file: file.to_owned(),
            line,
            is_sentence: line.is_some(),
            key: key.map(str::to_owned),
            message,
            hint: hint.to_owned(),
        };
        let at_line = |file, line, key| found(file, Some(line), Some(key), format!("{what} `{name}` {why}"));
        match self {
            Self::Nobody | Self::Option => found(name, None, None, why.to_owned()),
            Self::Foreman { file, line, key } => at_line(file, *line, key),
            Self::Variable(Origin::File { name: file, line }) => at_line(file, *line, "PROCFILE"),
            Self::Variable(origin @ (Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno)) => {
                found(name, None, Some("PROCFILE"), format!("{why}; `PROCFILE` of {origin} names it"))
            }
        }
    }
}
