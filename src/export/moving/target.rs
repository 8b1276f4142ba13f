//! Where an app can be moved to.

use std::fmt;

use crate::export::ExportFormat;

/// An engine or platform that an app is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveTarget {
    /// Heroku.
    Heroku,
    /// dokku.
    Dokku,
    /// Kubernetes, with the files of `dyno export kubernetes`.
    Kubernetes,
    /// Docker Compose, with the files of `dyno export compose`.
    Compose,
    /// systemd, with the files of `dyno export systemd`.
    Systemd,
    /// An image that a Cloud Native Buildpack builds.
    Cnb,
}

impl MoveTarget {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] = [Self::Heroku, Self::Dokku, Self::Kubernetes, Self::Compose, Self::Systemd, Self::Cnb];

    /// What a user types, and what messages call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Heroku => "heroku",
            Self::Dokku => "dokku",
            Self::Kubernetes => "kubernetes",
            Self::Compose => "compose",
            Self::Systemd => "systemd",
            Self::Cnb => "cnb",
        }
    }

    /// The target of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// The export that writes the files for it, if there is one.
    pub(super) fn format(self) -> Option<ExportFormat> {
        ExportFormat::of_name(self.name())
    }

    /// Whether files that the app writes are gone after its next start.
    pub(super) fn loses_files(self) -> bool {
        self != Self::Systemd
    }

    /// The command that shows the log.
    pub(super) fn log_command(self) -> &'static str {
        match self {
            Self::Heroku => "heroku logs",
            Self::Dokku => "dokku logs APP",
            Self::Kubernetes => "kubectl logs",
            Self::Compose => "docker compose logs",
            Self::Systemd => "journalctl",
            Self::Cnb => "docker logs",
        }
    }
}

impl fmt::Display for MoveTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
