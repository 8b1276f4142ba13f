//! The names that every format writes as they are: of the app, which begins the names of files, and of its user (S18.3).
//!
//! A line break in one of them would add a line to a unit.

use super::{ExportFailure, ExportFormat, ExportedApp};

/// # Errors
/// One of the names is more than letters, digits and a few marks.
pub(super) fn check(format: ExportFormat, app: &ExportedApp) -> Result<(), ExportFailure> {
    if !is_plain(&app.name, "_-.") || app.name.starts_with(['.', '-']) {
        let reason = "it may only have A-Z a-z 0-9 _ - ., and may not begin with - or .";
        return Err(ExportFailure::App { format: format.name(), app: app.name.clone(), reason });
    }
    // Compose reads `1000:1000` as user and group.
    let marks = if format == ExportFormat::Compose { "_-.:" } else { "_-." };
    match &app.options.user {
        Some(user) if !is_plain(user, marks) || user.starts_with('-') => {
            let reason = "that is not the name of a user";
            Err(ExportFailure::Option { format: format.name(), option: "--user", value: user.clone(), reason })
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a name is not empty, and has only ASCII letters, digits and these marks.
fn is_plain(name: &str, marks: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}
