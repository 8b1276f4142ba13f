//! What `start`, `release` and `smoke` have in common, and where they differ. Decides nothing about dynos.

use std::io::IsTerminal;
use std::sync::Arc;

use clap::ColorChoice;

use super::checkout::Need;
use super::look::ShownOn;
use super::reload::{Reloader, StartFiles};
use crate::api::StartKind;
use crate::app::ForemanFile;
use crate::cli::{ProjectArgs, ReleaseArgs, StartArgs};
use crate::commands::smoke::SmokeRequest;
use crate::error::{Complaint, Error};
use crate::model::{Dialect, DynoName, ProcessType};
use crate::project::{Purpose, TypeSource};
use crate::release::Blueprint;
use crate::runtime::{self, OnChange, Reload};
use crate::settings::Settings;
use crate::supervisor::{FocusAdvice, StopAdvice};

/// Which part of the app runs.
#[derive(Clone, Copy)]
pub(in crate::commands) enum Scope<'a> {
    /// The release command, then the formation.
    App(&'a StartArgs),
    /// The release command alone (S8.2).
    Release(&'a ReleaseArgs),
    /// The same as `App`, for a smoke test.
    Smoke(&'a SmokeRequest<'a>),
}

impl<'a> Scope<'a> {
    pub(super) fn shown(self) -> ShownOn {
        match self {
            Self::App(_) | Self::Release(_) => ShownOn::Stdout,
            Self::Smoke(_) => ShownOn::StderrForSmoke,
        }
    }

    pub(super) fn project(self) -> &'a ProjectArgs {
        match self {
            Self::App(args) => &args.project,
            Self::Release(args) => &args.project,
            Self::Smoke(request) => &request.args.project,
        }
    }

    pub(super) fn settings(self, color: ColorChoice, file: &ForemanFile) -> Settings {
        match self {
            Self::App(args) => Settings::of_start(args, color, file),
            Self::Release(args) => Settings::of_release(args, color, file),
            Self::Smoke(request) => Settings::of_smoke(request.args, color, file),
        }
    }

    /// Whether the front door can hand connections over to it.
    pub(super) fn has_router(self) -> bool {
        match self {
            Self::App(_) => true,
            Self::Release(_) | Self::Smoke(_) => false,
        }
    }

    pub(super) fn need(self, kind: StartKind) -> Need {
        match (self, kind) {
            (Self::App(_), StartKind::Start) => Need::Start,
            (Self::App(_) | Self::Release(_) | Self::Smoke(_), _) => Need::Beside,
        }
    }

    pub(super) fn purpose(self) -> Purpose {
        match self {
            Self::App(_) | Self::Smoke(_) => Purpose::Start,
            Self::Release(_) => Purpose::Release,
        }
    }

    /// How the files are read again while the app runs. None: they are read only once.
    pub(super) fn reload(self, color: ColorChoice, files: StartFiles, blueprint: &Blueprint) -> Option<Reload> {
        let Self::App(args) = self else { return None };
        let reloader = Arc::new(Reloader::new(args.clone(), color, files, blueprint.release()));
        let changer = Arc::clone(&reloader);
        Some(Reload {
            read: Arc::new(move |reading| reloader.read(reading)),
            change: Arc::new(move |changes| changer.change(changes)),
        })
    }

    /// What a change of the files does. None: they are not watched. Under the names of the other tools, no line
    /// mentions a change.
    pub(super) fn on_change(self, dialect: Dialect) -> Option<OnChange> {
        match (self, dialect) {
            (Self::App(args), _) if args.reload || args.heroku => Some(OnChange::Reload),
            (Self::App(args), Dialect::Dyno | Dialect::HerokuLocal) => {
                let is_watched = args.detach.is_none() && std::io::stdout().is_terminal();
                is_watched.then_some(OnChange::Mention)
            }
            (Self::App(_) | Self::Release(_) | Self::Smoke(_), _) => None,
        }
    }

    pub(super) fn type_source(self) -> TypeSource<'a> {
        match self {
            Self::App(args) => args.start_cmd.as_deref().map_or(TypeSource::Procfile, TypeSource::ProcfileOr),
            Self::Release(_) => TypeSource::Procfile,
            Self::Smoke(request) => request.type_source(),
        }
    }

    /// A person may have meant the other Procfile; a smoke test runs unattended, and the same way every time.
    pub(super) fn mentions_procfile_dev(self) -> bool {
        match self {
            Self::App(_) | Self::Release(_) => true,
            Self::Smoke(_) => false,
        }
    }

    /// A smoke test needs no advice: its last line says what ended it.
    pub(super) fn stop_advice(self, dialect: Dialect) -> Option<StopAdvice> {
        let options = match dialect {
            Dialect::Dyno | Dialect::HerokuLocal => true,
            Dialect::Foreman | Dialect::Honcho => false,
        };
        let is_detached = matches!(self, Self::App(args) if args.detach.is_some());
        let keys = std::io::stdin().is_terminal() && !is_detached;
        match self {
            Self::App(_) | Self::Release(_) => Some(StopAdvice { keys, options }),
            Self::Smoke(_) => None,
        }
    }

    /// Whether the log says where `web` listens (S6.11). It does if a person probably watches it, but not under the
    /// names of the other tools, which have no such line.
    pub(super) fn shows_addresses(self, dialect: Dialect) -> bool {
        match (self, dialect) {
            (Self::App(args), Dialect::Dyno | Dialect::HerokuLocal) => {
                args.urls || args.detach.is_none() && std::io::stdout().is_terminal()
            }
            (Self::App(_), Dialect::Foreman | Dialect::Honcho) | (Self::Release(_) | Self::Smoke(_), _) => false,
        }
    }

    /// The TCP port on which the API is served. None: it is only served on the unix socket.
    pub(super) fn api_port(self) -> Option<u16> {
        match self {
            Self::App(args) => args.api,
            Self::Release(_) | Self::Smoke(_) => None,
        }
    }

    /// Whether `dyno attach` finds the start. Under the names of the other tools there is no such command.
    pub(super) fn can_attach(self, dialect: Dialect) -> bool {
        match (self, dialect) {
            (Self::App(_), Dialect::Dyno | Dialect::HerokuLocal) => true,
            (Self::App(_), Dialect::Foreman | Dialect::Honcho) | (Self::Release(_) | Self::Smoke(_), _) => false,
        }
    }

    pub(super) fn focus_advice(self, dialect: Dialect) -> FocusAdvice {
        match (self, dialect) {
            (_, Dialect::Foreman | Dialect::Honcho) => FocusAdvice::None,
            (Self::App(args), Dialect::Dyno | Dialect::HerokuLocal) if args.detach.is_none() => FocusAdvice::Option,
            (Self::App(_) | Self::Release(_) | Self::Smoke(_), Dialect::Dyno | Dialect::HerokuLocal) => {
                FocusAdvice::Command
            }
        }
    }

    /// The warning if nothing is expected to listen, in a smoke test or with `--http`.
    pub(super) fn check_ready(
        self,
        settings: &Settings,
        ready: &[ProcessType],
        dynos: &[DynoName],
    ) -> Result<Option<Complaint>, Error> {
        match self {
            Self::App(args) if args.http.is_none() => Ok(None),
            Self::App(_) | Self::Smoke(_) => settings.life.check_ready(ready, dynos),
            Self::Release(_) => Ok(None),
        }
    }

    pub(super) fn smoke_start(self, ports: &[(DynoName, u16)]) -> Option<runtime::SmokeStart> {
        match self {
            Self::App(_) | Self::Release(_) => None,
            Self::Smoke(request) => Some(request.smoke_start(ports)),
        }
    }
}
