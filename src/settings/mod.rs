//! What options and `.foreman` decide, resolved once.

mod file_option;
mod focus;
mod formation;
mod named_files;
pub(crate) mod platform;
mod policy;
mod variable_options;

pub(crate) use file_option::file_option;
pub(crate) use focus::focused;
pub(crate) use formation::{NOTHING_TO_START, RequestedFormation, of_file, quantity_hint, without_repeats};
pub(crate) use named_files::NamedFiles;
pub(crate) use policy::{known_types, policy};
pub(crate) use variable_options::VariableOptions;
