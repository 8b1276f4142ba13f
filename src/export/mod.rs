//! The files with which another engine runs the same app (S18).
//!
//! Pure: an [`ExportedApp`] in, [`ExportFile`]s out, one file of this module for each [`ExportFormat`]. What an engine cannot do
//! is a note, which is shown once and stands in the files as a comment. Not here: reading the app (`project`), and writing the
//! files (`commands::export`).

mod changes;
mod exported_app;
mod failure;
mod file;
mod format;
mod marker;
mod moving;
mod systemd;

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
    match format {
        ExportFormat::Systemd => systemd::files(app),
    }
}
