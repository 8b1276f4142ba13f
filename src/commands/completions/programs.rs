//! The programs on the PATH.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use crate::project::program_lookup::is_executable;

/// The names of programs that start with `typed`, sorted.
pub(super) fn starting_with(typed: &str) -> BTreeSet<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).filter(|directory| directory.is_absolute());
    let entries = directories.filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    named.filter(|(name, path)| name.starts_with(typed) && is_executable(path)).map(|(name, _)| name).collect()
}
