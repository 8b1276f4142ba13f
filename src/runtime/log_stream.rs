//! Where the log is shown.

use std::io::IsTerminal;

use super::outlet::Outlet;

/// The stream that shows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogStream {
    Stdout,
    Stderr,
}

impl LogStream {
    pub(super) fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => std::io::stdout().is_terminal(),
            Self::Stderr => std::io::stderr().is_terminal(),
        }
    }

    pub(super) fn outlet(self) -> Outlet {
        match self {
            Self::Stdout => Outlet::new(std::io::stdout()),
            Self::Stderr => Outlet::new(std::io::stderr()),
        }
    }
}
