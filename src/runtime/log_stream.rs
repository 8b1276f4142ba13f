//! Where the log is shown.

use std::fs::File;
use std::io::{self, IsTerminal};

use super::outlet::Outlet;

/// The stream that shows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogStream {
    Stdout,
    Stderr,
    /// It is not shown.
    Nowhere,
}

impl LogStream {
    pub(super) fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
            Self::Nowhere => false,
        }
    }

    /// # Errors
    /// `/dev/null` cannot be opened.
    pub(super) fn outlet(self) -> io::Result<Outlet> {
        Ok(match self {
            Self::Stdout => Outlet::new(io::stdout()),
            Self::Stderr => Outlet::new(io::stderr()),
            Self::Nowhere => Outlet::new(File::options().write(true).open("/dev/null")?),
        })
    }
}
