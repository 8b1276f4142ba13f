//! Why an app cannot be exported.

use crate::model::ProcessType;

/// What a format cannot carry, or what it needs and was not given. Never contains the value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportFailure {
    /// The value of a config var. The second part says why.
    #[error("{format} cannot have the config var `{key}`: {reason}")]
    Variable {
        /// The name of the format.
        format: &'static str,
        /// The variable.
        key: String,
        /// Why, such as `its value is not UTF-8`.
        reason: &'static str,
    },
    /// The name of a config var.
    #[error("{format} cannot have the config var `{key}`: {reason}")]
    VariableName {
        /// The name of the format.
        format: &'static str,
        /// The variable.
        key: String,
        /// Why, such as `its name may not begin with a digit`.
        reason: &'static str,
    },
    /// The name of the app.
    #[error("{format} cannot have the app name `{app}`: {reason}")]
    App {
        /// The name of the format.
        format: &'static str,
        /// The name of the app.
        app: String,
        /// Why.
        reason: &'static str,
    },
    /// The name of a process type.
    #[error("{format} cannot have the process type `{process_type}`: {reason}")]
    Type {
        /// The name of the format.
        format: &'static str,
        /// The process type.
        process_type: ProcessType,
        /// Why.
        reason: &'static str,
    },
    /// The command of a process type, or of the release phase.
    #[error("{format} cannot have the command of `{process_type}`: {reason}")]
    Command {
        /// The name of the format.
        format: &'static str,
        /// The process type.
        process_type: ProcessType,
        /// Why.
        reason: &'static str,
    },
    /// The directory of the app, or another path.
    #[error("{format} cannot have the path {path}: {reason}")]
    Path {
        /// The name of the format.
        format: &'static str,
        /// The path, as shown to people.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// The value of an option.
    #[error("{format} cannot have `{option} {value}`: {reason}")]
    Option {
        /// The name of the format.
        format: &'static str,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// Why.
        reason: &'static str,
    },
    /// An option is missing.
    #[error("{format} needs {what}")]
    Missing {
        /// The name of the format.
        format: &'static str,
        /// What, such as `the name of an image`.
        what: &'static str,
        /// The option to add.
        option: &'static str,
    },
}

impl ExportFailure {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Variable { key, .. } => {
                format!("change `{key}`, or write only the names of config vars with `--no-values`")
            }
            Self::VariableName { key, .. } => format!("rename `{key}`, here and in the app"),
            Self::App { .. } => "choose another name with `--app`".to_owned(),
            Self::Type { process_type, .. } => format!("rename `{process_type}` in the Procfile"),
            Self::Command { .. } => "put the command into a script, and name the script in the Procfile".to_owned(),
            Self::Path { .. } => "move the app to a directory with a simpler name".to_owned(),
            Self::Option { option, .. } => format!("change `{option}`, or leave it out"),
            Self::Missing { option, .. } => format!("add `{option}`"),
        }
    }
}
