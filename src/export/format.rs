//! The engines that an app can be exported to.

use std::fmt;

/// An engine, by the name of its format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// Units for systemd.
    #[default]
    Systemd,
    /// A file of programs for supervisord.
    Supervisord,
    /// Service directories for runit.
    Runit,
    /// Service directories for s6.
    S6,
    /// Property lists for launchd.
    Launchd,
}

impl ExportFormat {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::Systemd, Self::Supervisord, Self::Runit, Self::S6, Self::Launchd];

    /// What a user types.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Supervisord => "supervisord",
            Self::Runit => "runit",
            Self::S6 => "s6",
            Self::Launchd => "launchd",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether the app runs in containers: each dyno has an address of its own, and paths of this machine mean nothing there.
    #[must_use]
    pub fn is_of_containers(self) -> bool {
        match self {
            Self::Systemd | Self::Supervisord | Self::Runit | Self::S6 | Self::Launchd => false,
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
