//! All files of an app, read for a start: root, Procfile, `.env`, the defaults of `.foreman`.
//!
//! All that is wrong with them is told at once, before anything is started.

use std::path::PathBuf;

use super::files::{self, Settings};
use super::findings::Findings;
use super::named_by::NamedBy;
use super::places::Places;
use crate::app::{Layers, Procfile};
use crate::cli::{Cli, ProjectArgs};
use crate::error::Error;

/// The app that is run.
pub(super) struct Project {
    /// Working directory of the dynos, absolute.
    pub(super) directory: PathBuf,
    /// What the Procfile says.
    pub(super) procfile: Procfile,
    /// All variables and where they came from.
    pub(super) layers: Layers,
    /// The name of the Procfile as the user knows it.
    pub(super) procfile_name: String,
    /// Where it is, and what `.foreman` says.
    pub(super) places: Places,
}

impl Project {
    /// Reads all files of the app and shows their warnings. `start_command`: what is run as `web` where there is no
    /// Procfile.
    ///
    /// # Errors
    /// Status 78 with everything that makes a file unusable; 2 for a bad `--set`.
    pub(super) fn load(
        cli: &Cli,
        args: &ProjectArgs,
        settings: &Settings<'_>,
        start_command: Option<&str>,
    ) -> Result<Self, Error> {
        let mut findings = Findings::default();
        let places = Places::find(cli.project(args), cli.dialect, &mut findings)?;
        let layers = files::layers(&places, settings, &mut findings)?;
        let found = files::procfile_path(&places, &layers);
        let mut procfile_name = found.name.clone();
        let procfile = match start_command {
            Some(command) if found.named_by == NamedBy::Nobody && !found.path.exists() => {
                "--start-cmd".clone_into(&mut procfile_name);
                let read = Procfile::parse(format!("web: {command}\n").as_bytes());
                read.map_err(|problems| findings.add(&procfile_name, &problems)).ok()
            }
            Some(_) => {
                let hint = "the Procfile counts; remove the option, or run the command with `dyno run`";
                findings.add_file(crate::app::Severity::Warning, "`--start-cmd`", "has no effect", hint);
                files::procfile(&places, &found, &mut findings)
            }
            None => files::procfile(&places, &found, &mut findings),
        };
        findings.settle()?;
        match procfile {
            Some(procfile) => {
                Ok(Self { directory: places.dyno_directory().to_owned(), procfile, procfile_name, layers, places })
            }
            // Every reason is among the findings, and `settle` has told them.
            None => Err(Error::all(crate::error::Status::Config, [])),
        }
    }
}
