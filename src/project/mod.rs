//! Reads the files of an app (root, Procfile, `.env`, the defaults of `.foreman`) and plans its start.
//!
//! Collects all problems as findings before anything starts, and prints nothing. Below `runtime`, so that the
//! files can be read again while the app runs.

mod app_json_file;
pub(crate) mod bash;
mod config_file;
pub(crate) mod file_lock;
mod file_reader;
pub(crate) mod files;
mod findings;
mod foreman_formation;
pub(crate) mod missing_procfile;
mod named_by;
mod pipe_reader;
mod places;
pub(crate) mod ports;
pub(crate) mod program_lookup;
pub(crate) mod programs;
pub(crate) mod quick_lookup;
pub(crate) mod size;
mod source_file;
mod start_only;
mod start_plan;
pub(crate) mod strict_reader;
mod watched_file;

use self::files::ProcfilePath;
use crate::app::{Layers, Procfile, Severity};
use crate::error::{Error, Status};
use crate::model::ProcessType;
use crate::settings::{SetBy, VariableOptions};

pub(crate) use app_json_file::AppJsonFile;
pub(crate) use config_file::{ChangedConfig, ConfigFile, UNFINISHED};
pub(crate) use file_reader::{FileReader, StreamTexts};
pub(crate) use findings::{Finding, Findings};
pub(crate) use places::{Places, reason};
pub(crate) use start_only::StartOnly;
pub(crate) use start_plan::{PlanFiles, PlannedDynos, Purpose, StartPlan, Surroundings};
pub(crate) use watched_file::{FileStamp, WatchedFile};

/// The app that is run.
pub(crate) struct Project {
    /// The Procfile.
    pub(crate) procfile: Procfile,
    /// All variables and where they come from.
    pub(crate) layers: Layers,
    /// The name of the Procfile in messages.
    pub(crate) procfile_name: String,
    /// Where the Procfile is, and what names it.
    pub(crate) found_procfile: ProcfilePath,
    /// Its places, and the settings of `.foreman`.
    pub(crate) places: Places,
    /// Why another Procfile may have been meant. Shown only when everything can start: beside an error it would distract.
    pub(crate) other_procfile: Option<Finding>,
}

/// Where the process types of a start come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TypeSource<'a> {
    /// The Procfile.
    Procfile,
    /// The Procfile. The hint about a missing one names this command line, which a command can follow.
    ProcfileUnless(&'static str),
    /// The Procfile; without one, this command as `web` (`--start-cmd` of `heroku local`).
    ProcfileOr(&'a str),
    /// This command as `web`; a Procfile is not read (S19.1).
    Command(&'a str),
}

impl Project {
    /// Reads all files of the app. `kept`: the Procfile of an app that runs already. None: there is no usable Procfile, and
    /// the findings contain the reason.
    ///
    /// # Errors
    /// Status 2 for a bad `--set` or a blank command.
    pub(crate) fn load(
        places: Places,
        kept: Option<&ProcfilePath>,
        options: &VariableOptions,
        types: TypeSource<'_>,
        reader: &FileReader<'_>,
        findings: &mut Findings,
    ) -> Result<Option<Self>, Error> {
        let layers = files::layers(&places, options, reader, findings)?;
        let found = kept.cloned().unwrap_or_else(|| files::procfile_path(&places, &layers));
        let mut other_procfile = None;
        let (procfile, procfile_name) = match types {
            TypeSource::Command(command) => (Some(web_alone("--start", command)?), "--start".to_owned()),
            TypeSource::ProcfileOr(command) if found.named_by == SetBy::Default && !found.path.exists() => {
                (Some(web_alone("--start-cmd", command)?), "--start-cmd".to_owned())
            }
            TypeSource::ProcfileOr(_) => {
                let hint = "the Procfile is used; remove the option, or run the command with `dyno run`";
                findings.add_file(Severity::Warning, "`--start-cmd`", "has no effect", hint);
                (files::procfile_by(reader, &places, &found, None, findings), found.name.clone())
            }
            TypeSource::Procfile | TypeSource::ProcfileUnless(_) => {
                let option = if let TypeSource::ProcfileUnless(option) = types { Some(option) } else { None };
                other_procfile = files::procfile_dev(&places, &found);
                (files::procfile_by(reader, &places, &found, option, findings), found.name.clone())
            }
        };
        Ok(procfile.map(|procfile| Self {
            procfile,
            layers,
            procfile_name,
            found_procfile: found,
            places,
            other_procfile,
        }))
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
