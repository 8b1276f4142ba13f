//! The engines that an app can be exported to.

use std::fmt;

use super::ExportOptions;

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
    pub const ALL: [Self; 9] = [
        Self::Systemd,
        Self::Supervisord,
        Self::Runit,
        Self::S6,
        Self::Launchd,
        Self::Compose,
        Self::Kubernetes,
        Self::Dokku,
        Self::Caddy,
    ];

    /// What a user types.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Supervisord => "supervisord",
            Self::Runit => "runit",
            Self::S6 => "s6",
            Self::Launchd => "launchd",
            Self::Compose => "compose",
            Self::Kubernetes => "kubernetes",
            Self::Dokku => "dokku",
            Self::Caddy => "caddy",
        }
    }

    /// The options that are set, and say nothing in the files of this format.
    #[must_use]
    pub fn ignored_options(self, options: &ExportOptions) -> Vec<&'static str> {
        let runs_containers = matches!(self, Self::Compose | Self::Kubernetes | Self::Dokku);
        let has_host = matches!(self, Self::Kubernetes | Self::Dokku | Self::Caddy);
        let all = [
            ("--user", options.user.is_some() && self == Self::Caddy),
            ("--log-dir", options.log_dir.is_some() && self == Self::Caddy),
            ("--image", options.image.is_some() && !runs_containers),
            ("--host", options.host.is_some() && !has_host),
            ("--user-units", options.user_units && self != Self::Systemd),
        ];
        all.into_iter().filter(|(_, is_ignored)| *is_ignored).map(|(option, _)| option).collect()
    }

    /// The format of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
