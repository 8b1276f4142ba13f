//! The options that change the config vars (S3.1).

use crate::cli::VariableArgs;

/// What `--set` and `--prefer-shell` ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct VariableOptions {
    /// `--set KEY=VALUE`, in order.
    pub(crate) set: Vec<String>,
    /// `--prefer-shell`.
    pub(crate) prefer_shell: bool,
}

impl From<&VariableArgs> for VariableOptions {
    fn from(args: &VariableArgs) -> Self {
        Self { set: args.set.clone(), prefer_shell: args.prefer_shell }
    }
}
