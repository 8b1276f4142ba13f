//! All files of an app, read for a start: root, Procfile, `.env`, the defaults of `.foreman`.
//!
//! Reports all of their problems at once, before anything starts.

use std::path::PathBuf;

use super::files::{self, Settings};
use super::findings::{Finding, Findings};
use super::named_by::NamedBy;
use super::places::Places;
use crate::app::{Layers, Procfile, Severity};
use crate::cli::{Cli, ProjectArgs};
use crate::error::{Error, Status};
use crate::model::ProcessType;

/// The app that is run.
pub(super) struct Project {
    /// Working directory of the dynos, absolute.
    pub(super) directory: PathBuf,
    /// The Procfile.
    pub(super) procfile: Procfile,
    /// All variables and where they come from.
    pub(super) layers: Layers,
    /// The name of the Procfile in messages.
    pub(super) procfile_name: String,
    /// Its path.
    pub(super) procfile_path: PathBuf,
    /// Its places, and the settings of `.foreman`.
    pub(super) places: Places,
    /// Why another Procfile may have been meant. Shown only when everything can start: beside an error it would distract.
    pub(super) other_procfile: Option<Finding>,
}

/// Where the process types of a start come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum TypeSource<'a> {
    /// The Procfile.
    Procfile,
    /// The Procfile; without one, this command as `web` (`--start-cmd` of `heroku local`).
    ProcfileOr(&'a str),
    /// This command as `web`; a Procfile is not read (S19.1).
    Command(&'a str),
}

impl Project {
    /// Reads all files of the app and shows their warnings.
    ///
    /// # Errors
    /// Status 78 with everything that makes a file unusable; 2 for a bad `--set` or a blank command.
    pub(super) fn load(
        cli: &Cli,
        args: &ProjectArgs,
        settings: &Settings<'_>,
        types: TypeSource<'_>,
    ) -> Result<Self, Error> {
        let mut findings = Findings::default();
        let mut places = match Places::find(cli.project(args), cli.dialect, &mut findings) {
            Ok(places) => places,
            Err(no_directory) => return Err(no_directory.settle(findings)),
        };
        let layers = files::layers(&places, settings, &mut findings)?;
        let found = files::procfile_path(&places, &layers);
        let procfile_path = found.path.clone();
        let mut other_procfile = None;
        let (procfile, procfile_name) = match types {
            TypeSource::Command(command) => {
                // These settings choose from the types of a Procfile, which is not read.
                (places.foreman.formation, places.foreman.concurrency) = (None, None);
                (Some(web_alone("--start", command)?), "--start".to_owned())
            }
            TypeSource::ProcfileOr(command) if found.named_by == NamedBy::Default && !found.path.exists() => {
                (Some(web_alone("--start-cmd", command)?), "--start-cmd".to_owned())
            }
            TypeSource::ProcfileOr(_) => {
                let hint = "the Procfile is used; remove the option, or run the command with `dyno run`";
                findings.add_file(Severity::Warning, "`--start-cmd`", "has no effect", hint);
                (files::procfile(&places, &found, &mut findings), found.name)
            }
            TypeSource::Procfile => {
                other_procfile = files::procfile_dev(&places, &found);
                (files::procfile(&places, &found, &mut findings), found.name)
            }
        };
        findings.settle()?;
        match procfile {
            Some(procfile) => {
                let directory = places.dyno_directory().to_owned();
                Ok(Self { directory, procfile, layers, procfile_name, procfile_path, places, other_procfile })
            }
            // `settle` has returned the reasons, which are among the findings.
            None => Err(Error::all(Status::Config, [])),
        }
    }
}

/// The only process type of an app that a command line describes.
fn web_alone(option: &str, command: &str) -> Result<Procfile, Error> {
    let web = ProcessType::new(ProcessType::WEB).ok();
    web.and_then(|web| Procfile::single(web, command)).ok_or_else(|| {
        let hint = format!("a variable in the command may be empty; write a command, such as `{option} 'npm start'`");
        Error::new(Status::Usage, format!("the command of `{option}` is empty"), hint)
    })
}
