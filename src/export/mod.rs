//! The files with which another engine runs the same app (S18).
//!
//! Pure: an [`ExportedApp`] in, [`ExportFile`]s out, one file of this module for each [`ExportFormat`]. What an engine cannot do
//! is a note, which is shown once, and is a comment in the files. Not here: reading the app (`project`), and writing the
//! files (`commands::export`).

mod caddy;
mod changes;
mod compose;
mod containers;
mod dokku;
mod exported_app;
mod failure;
mod file;
mod format;
mod kubernetes;
mod launchd;
mod marker;
mod moving;
mod plain_names;
mod run_script;
mod runit;
mod s6;
mod service_directory;
mod sh_text;
mod stop_signal;
mod supervisord;
mod systemd;
mod values_file;
mod waiting;
mod yaml;

pub use changes::{ExportChanges, ExportObstacle, FoundFile, changes};
pub use exported_app::{
    ExportOptions, ExportedApp, ExportedCommand, ExportedDyno, ExportedType, ExportedVariable, RestartRule,
};
pub use failure::ExportFailure;
pub use file::{ExportFile, Exported};
pub use format::ExportFormat;
pub use marker::{CommentStyle, Marker};
pub use moving::{MoveFinding, MovePlace, MoveTarget, MovedApp, move_findings};

/// The files of a format for an app.
///
/// # Errors
/// What the format cannot carry.
pub fn export(format: ExportFormat, app: &ExportedApp) -> Result<Exported, ExportFailure> {
    plain_names::check(format, app)?;
    match format {
        ExportFormat::Systemd => systemd::files(app),
        ExportFormat::Supervisord => supervisord::files(app),
        ExportFormat::Runit => runit::files(app),
        ExportFormat::S6 => s6::files(app),
        ExportFormat::Launchd => launchd::files(app),
        ExportFormat::Compose => compose::files(app),
        ExportFormat::Kubernetes => kubernetes::files(app),
        ExportFormat::Dokku => dokku::files(app),
        ExportFormat::Caddy => caddy::files(app),
    }
}
