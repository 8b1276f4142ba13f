//! What options and `.foreman` decide, resolved once.

mod file_option;
mod named_files;
mod variable_options;

pub(crate) use file_option::file_option;
pub(crate) use named_files::NamedFiles;
pub(crate) use variable_options::VariableOptions;
