//! Looks at what would stop dynos that are about to be added: a log file that cannot be opened, a port that is in use
//! (S5.3). The start has looked at the ports of the first dynos.
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
        let added = self.supervisor.added_by(command);
        let blocked = |spec: &DynoSpec, why: String| Refusal::Blocked { dyno: spec.dyno.clone(), why };
        let is_web = |spec: &&DynoSpec| spec.dyno.process_type.as_str() == ProcessType::WEB;
        let in_use = added.iter().map(|spec| &**spec).filter(is_web).filter_map(|spec| Some((spec, holder_of(spec)?)));
        let in_use: Vec<_> = in_use.collect();
        if let Some((spec, (port, by))) = in_use.first().filter(|_| self.preflight.strict_ports) {
            return Err(blocked(spec, format!("port {port} is in use{by}")));
        }
        // After the ports: the check creates the files.
        if let Some(directory) = &self.preflight.log_directory {
            for spec in &added {
                LogFiles::check(directory, &spec.dyno).map_err(|error| blocked(spec, error.to_string()))?;
            }
        }
        for (spec, (port, by)) in in_use {
            self.system_line(format!("warning: port {port} for `{}` is in use{by}", spec.dyno));
        }
        Ok(())
    }
}

/// The port of a dyno if it is in use, and by which process, such as `` by `nginx` (pid 812)``; empty if unknown.
fn holder_of(spec: &DynoSpec) -> Option<(u16, String)> {
    let port = spec.port.filter(|port| !is_port_free(*port, BindMode::ReuseAddress))?;
    let by = port_holder(port);
    Some((port, by.map_or_else(String::new, |by| format!(" by `{}` (pid {})", by.command, by.pid))))
}
