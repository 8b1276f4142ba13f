//! Looks at what would stop dynos that are about to be added: a log file that cannot be opened, a port that is in use
//! (S5.3). The start has looked at those of the first dynos.
//!
//! Called by `calls` before the supervisor decides.

use std::path::PathBuf;

use super::log_files::LogFiles;
use super::ports::{BindMode, is_port_free, port_holder};
use super::run_loop::Runtime;
use crate::model::{DynoSpec, ProcessType};
use crate::supervisor::{Command, Refusal};

/// What a dyno needs that is added.
pub(super) struct Preflight {
    /// The directory of `--log-dir`.
    pub(super) log_directory: Option<PathBuf>,
    /// Whether a dyno whose port is in use must not be added.
    pub(super) strict_ports: bool,
}

impl Runtime {
    /// Looks at the dynos that a command would add. Shows a warning for each port that is in use.
    ///
    /// # Errors
    /// The reason why one of them cannot run.
    pub(super) fn check_added(&self, command: &Command) -> Result<(), Refusal> {
        let Command::Scale(changes) = command else { return Ok(()) };
        let added = self.supervisor.added_by(changes);
        let blocked = |spec: &DynoSpec, why: String| Refusal::Blocked { dyno: spec.dyno.clone(), why };
        if let Some(directory) = &self.preflight.log_directory {
            for spec in &added {
                LogFiles::check(directory, &spec.dyno).map_err(|error| blocked(spec, error.to_string()))?;
            }
        }
        let is_web = |spec: &&DynoSpec| spec.dyno.process_type.as_str() == ProcessType::WEB;
        for spec in added.iter().map(|spec| &**spec).filter(is_web) {
            let Some(port) = spec.port.filter(|port| !is_port_free(*port, BindMode::ReuseAddress)) else { continue };
            let by = port_holder(port);
            let by = by.map_or_else(String::new, |by| format!(" by `{}` (pid {})", by.command, by.pid));
            if self.preflight.strict_ports {
                return Err(blocked(spec, format!("port {port} is in use{by}")));
            }
            self.system_line(format!("warning: port {port} for `{}` is in use{by}", spec.dyno));
        }
        Ok(())
    }
}
