//! The engines that an app can be exported to.

use std::fmt;

/// An engine, by the name of its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Units for systemd.
    Systemd,
    /// Services for Docker Compose.
    Compose,
    /// Objects for Kubernetes.
    Kubernetes,
    /// Commands and an `app.json` for Dokku.
    Dokku,
    /// Sites for the web server Caddy, which runs nothing itself.
    Caddy,
}

impl ExportFormat {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::Systemd, Self::Compose, Self::Kubernetes, Self::Dokku, Self::Caddy];

    /// What a user types.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Compose => "compose",
            Self::Kubernetes => "kubernetes",
            Self::Dokku => "dokku",
            Self::Caddy => "caddy",
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
            Self::Systemd | Self::Caddy => false,
            Self::Compose | Self::Kubernetes | Self::Dokku => true,
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
