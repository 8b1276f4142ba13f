//! Where a message about a file that cannot be used points: at the line that names it, if there is one.

use super::findings::Finding;
use crate::app::{Origin, Severity};
use crate::settings::SetBy;

impl SetBy {
    /// The finding that the file `name` cannot be used. `what`: such as `the Procfile`; `why`: goes after its name.
    pub(crate) fn finding(&self, severity: Severity, what: &str, name: &str, why: &str, hint: &str) -> Finding {
        if let Some((file, line, key)) = self.line() {
            return Finding::new(severity, file, line, format!("{what} `{name}` {why}"), hint).about(key);
        }
        match self {
            Self::Default | Self::Option(_) | Self::Foreman { .. } => Finding::new(severity, name, None, why, hint),
            Self::Variable { name: variable, origin } => {
                let place = if *origin == Origin::Option { "given with `--set`" } else { "in the shell" };
                let message = format!("{why} (named by `{variable}` {place})");
                Finding::new(severity, name, None, message, hint).about(*variable)
            }
        }
    }
}
