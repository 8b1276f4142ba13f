//! Whose behaviour applies (S13.2).

use std::ffi::OsStr;
use std::path::Path;

/// Whose behaviour applies (S13.2): where the tools that `dyno` replaces disagree, the name decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Our own.
    #[default]
    Dyno,
    /// Called as `foreman`.
    Foreman,
    /// Called as `honcho`.
    Honcho,
    /// `dyno local`, as in `heroku local`.
    HerokuLocal,
}

impl Dialect {
    /// Whether it is the name of another tool, whose command line and files apply.
    #[must_use]
    pub fn is_of_another_tool(self) -> bool {
        match self {
            Self::Foreman | Self::Honcho => true,
            Self::Dyno | Self::HerokuLocal => false,
        }
    }

    /// The dialect for the name under which the program was called, such as that of a symlink or a copy.
    #[must_use]
    pub fn of_program(program: &OsStr) -> Self {
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some("foreman") => Self::Foreman,
            Some("honcho") => Self::Honcho,
            Some(_) | None => Self::Dyno,
        }
    }
}
