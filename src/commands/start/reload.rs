//! Reads the files again while the app runs, with the options that it was started with (S14.1).

use clap::ColorChoice;

use super::registration::files_of;
use super::spare_ports::SparePorts;
use crate::api::PortClaim;
use crate::app::Severity;
use crate::cli::StartArgs;
use crate::error::{Complaint, Error, Status};
use crate::model::EnvChange;
use crate::project::files::{self, ProcfilePath};
use crate::project::{ConfigFile, FileReader, Finding, Findings, Places, PlanFiles, Project, Purpose};
use crate::project::{StartOnly, StartPlan, StreamTexts, Surroundings, TypeSource};
use crate::release::{Blueprint, Release};
use crate::runtime::{FileReading, ReadFiles};
use crate::settings::Settings;
use crate::supervisor::{Deploy, DeployOrigin};

/// What a start has found. Its root and its Procfile stay the same until its end, because its locks are about them.
pub(super) struct StartFiles {
    places: Places,
    procfile: ProcfilePath,
    /// Texts that were read and cannot be read again.
    streams: StreamTexts,
    /// Where process types that are added find ports.
    spare_ports: SparePorts,
}

impl StartFiles {
    /// `claim`: the app, as other runs identify it.
    pub(super) fn new(
        places: &Places,
        procfile: ProcfilePath,
        streams: StreamTexts,
        claim: &PortClaim,
        blueprint: &Blueprint,
    ) -> Self {
        let spare_ports = SparePorts::new(claim.clone(), blueprint.ports().clone());
        Self { places: places.clone(), procfile, streams, spare_ports }
    }
}

/// What a start needs to read its files again.
pub(super) struct Reloader {
    args: StartArgs,
    color: ColorChoice,
    user: String,
    files: StartFiles,
    used: StartOnly,
}

impl Reloader {
    /// `first`: the release of the start.
    pub(super) fn new(args: StartArgs, color: ColorChoice, files: StartFiles, first: &Release) -> Self {
        let settings = Settings::of_start(&args, color, &files.places.foreman);
        let used = StartOnly::of(&files.places, &first.layers, &settings.ports);
        Self { args, color, user: first.user.clone(), files, used }
    }

    /// Reads the files as they are now.
    pub(super) fn read(&self, reading: &FileReading) -> ReadFiles {
        let announce = |line: &str| reading.announce(line);
        let reader = FileReader::announcing(&announce).until_abandoned(reading.abandoned());
        let reader = reader.keeping(&self.files.streams);
        let reader = match reading.origin() {
            // The values of a named pipe belong to the person who types a reload: its writer may ask for permission.
            DeployOrigin::Files | DeployOrigin::Rollback { .. } => reader,
            DeployOrigin::SavedFile => reader.reusing_pipes(),
        };
        let (mut findings, mut notes) = (Findings::default(), Vec::new());
        let places = self.files.places.read_again(&mut findings);
        let procfile = &self.files.procfile.path;
        let release = self.release(places.clone(), &reader, reading.origin(), &mut findings, &mut notes);
        let (files, paths) = (files::watched(&places, procfile, &reader), files_of(&places, procfile));
        let warnings = findings.warnings().collect();
        ReadFiles { release, files, paths, warnings, notes, note_if_unchanged: self.not_read_again() }
    }

    /// Changes config vars in the `.env` in use.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub(super) fn change(&self, changes: &[EnvChange]) -> Result<(), Error> {
        let places = self.files.places.read_again(&mut Findings::default());
        ConfigFile::find(&places)?.change(changes).map(|_| ())
    }

    /// The release that the files describe. `origin`: why they are read.
    ///
    /// # Errors
    /// Whatever would prevent a start.
    fn release(
        &self,
        places: Places,
        reader: &FileReader<'_>,
        origin: DeployOrigin,
        findings: &mut Findings,
        notes: &mut Vec<Complaint>,
    ) -> Result<Deploy, Error> {
        let settings = Settings::of_start(&self.args, self.color, &places.foreman);
        let types = self.args.start_cmd.as_deref().map_or(TypeSource::Procfile, TypeSource::ProcfileOr);
        let project = Project::load(places, Some(&self.files.procfile), &settings.variables, types, reader, findings)?;
        let Some(project) = project.filter(|_| !findings.prevent_start()) else { return Err(prevented(findings)) };
        let Project { places, procfile_name, procfile, layers, .. } = project;
        notes.extend(self.used.note(&StartOnly::of(&places, &layers, &settings.ports)));
        let files = PlanFiles::new(&places, &procfile_name, procfile, layers);
        let surroundings = Surroundings { user: self.user.clone(), ..Surroundings::none() };
        let plan = StartPlan::build(&settings, files, Purpose::Reload, surroundings);
        findings.append(plan.findings);
        let planned = plan.dynos.ok_or_else(|| prevented(findings))?;
        Ok(Deploy {
            listeners: plan.blueprint.listeners(),
            release: plan.blueprint.into_release(),
            spare_ports: self.files.spare_ports.find(&planned.formation),
            added: planned.formation,
            runs_release_command: planned.release.is_some(),
            origin,
        })
    }

    /// What to say about files that can be read only once. None: there are none.
    fn not_read_again(&self) -> Option<Complaint> {
        let paths = self.files.streams.paths();
        let names: Vec<String> = paths.iter().map(|path| self.files.places.shown(path)).collect();
        let verb = if names.len() > 1 { "were" } else { "was" };
        let fact = format!("{} {verb} read at the start and cannot be read again", names.join(", "));
        (!names.is_empty())
            .then(|| Complaint::new(fact, "use a regular file if you want to change it while the app runs"))
    }
}

/// The error with everything that prevents a start. If it is about options, it says that they are those of the start,
/// because the user has just typed `dyno reload`.
fn prevented(findings: &Findings) -> Error {
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let complaint = |finding: &&Finding| {
        let complaint = finding.complaint();
        if finding.status != Status::Usage || !finding.file.is_empty() {
            return complaint;
        }
        let fact = format!("the options that the app was started with are no longer valid: {}", complaint.fact);
        Complaint::new(fact, "`dyno stop`, then start the app with other options")
    };
    let status = errors.first().map_or(Status::Config, |finding| finding.status);
    Error::all(status, errors.iter().map(complaint))
}
