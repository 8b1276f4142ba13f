//! Which option reads a file of that name.

use std::path::Path;

/// `-f` for a name like that of a Procfile, `-e` for one like that of a `.env` file.
pub(crate) fn file_option(name: &str) -> Option<&'static str> {
    let path = Path::new(name);
    let file_name = path.file_name()?.to_str()?;
    if file_name.starts_with(".env") || path.extension().is_some_and(|extension| extension == "env") {
        Some("-e")
    } else {
        file_name.contains("Procfile").then_some("-f")
    }
}
