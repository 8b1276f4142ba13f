//! `dyno export`: writes the files with which another engine runs the app (S18).
//!
//! The files of the app become the plan of a start, the plan an [`ExportedApp`], and that the files of a format. Prints values
//! of config vars nowhere: files that contain them are only named.

mod directory;
mod shown;

use std::path::{Path, PathBuf};

use self::directory::ExportDirectory;
use super::start::checkout::Checkout;
use crate::cli::{Cli, ExportArgs};
use crate::console::diagnostics::{note, print_line, settled, warn};
use crate::console::stdout;
use crate::error::{Complaint, Error, Status};
use crate::export::{
    ExportChanges, ExportFailure, ExportObstacle, ExportOptions, Exported, ExportedApp, Marker, changes, export,
};
use crate::model::Dialect;
use crate::project::{
    AppJsonFile, FileReader, Findings, Places, PlanFiles, Project, Purpose, StartPlan, Surroundings, TypeSource,
};
use crate::settings::{Settings, restart_policy};
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &ExportArgs) -> Result<Outcome, Error> {
    crate::runtime::unblock_all();
    if cli.dialect == Dialect::Honcho {
        let fact = "under the name `honcho` there is no `export`: the files of honcho have other names than those of `dyno export`";
        let hint = "type `dyno export systemd DIR`; `dyno help export` lists the formats";
        return Err(Error::new(Status::Failed, fact, hint));
    }
    if args.has_template {
        let hint = "leave `-t` out, and change the files that are written";
        return Err(Error::usage("`-t`: `dyno export` has no templates", hint));
    }
    let app = exported_app(cli, args)?;
    let Exported { files, notes } = export(args.format, &app).map_err(|failure| refused(&failure))?;
    let ignored = args.format.ignored_options(&app.options).into_iter();
    let ignored = ignored.map(|option| format!("`{option}` has no effect on the files for {}", args.format));
    let notes: Vec<String> = ignored.chain(notes).collect();
    let marker = Marker::new(args.format, &app.name);
    let Some(path) = &args.directory else {
        tell(&notes);
        let text = if args.stdout { shown::texts(&files) } else { shown::list(&files, args.format) };
        return stdout::write_bytes(&text);
    };
    if args.stdout {
        tell(&notes);
        return stdout::write_bytes(&shown::texts(&files));
    }
    let directory = ExportDirectory::new(path.clone());
    let found = directory.find(&app.name, &files)?;
    let is_foreman = cli.dialect == Dialect::Foreman;
    let changes = changes(&marker, files, &found, args.force || is_foreman);
    refuse_obstacles(path, &changes)?;
    if args.diff {
        let differs = !(changes.write.is_empty() && changes.remove.is_empty());
        stdout::write_bytes(&shown::diff(&changes, &found))?;
        return Ok(Outcome::Code(u8::from(differs)));
    }
    directory.apply(&changes)?;
    tell(&notes);
    let text = if is_foreman { shown::as_foreman(path, &changes) } else { shown::done(path, &changes) };
    stdout::write(&text)
}

/// What has no effect, and what the engine cannot keep.
fn tell(notes: &[String]) {
    for text in notes {
        note(&Complaint::new(text.clone(), ""));
    }
}

fn refused(failure: &ExportFailure) -> Error {
    let status = match failure {
        ExportFailure::Missing { .. } | ExportFailure::Option { .. } => Status::Usage,
        ExportFailure::Variable { .. }
        | ExportFailure::VariableName { .. }
        | ExportFailure::App { .. }
        | ExportFailure::Type { .. }
        | ExportFailure::Command { .. }
        | ExportFailure::Path { .. } => Status::Config,
    };
    Error::new(status, failure.to_string(), failure.hint())
}

/// Reads the files of the app and decides what a start without a router would run.
fn exported_app(cli: &Cli, args: &ExportArgs) -> Result<ExportedApp, Error> {
    let mut findings = Findings::default();
    let Some(places) = Places::find(cli.project(&args.project).into(), cli.dialect, &mut findings) else {
        return settled(None, &findings);
    };
    let mut settings = Settings::of_export(args, &places.foreman);
    if settings.ports.base.as_deref() == Some("auto") {
        let hint = "name a port that is free on the machine that will run the app, such as `-p 5000`";
        return Err(Error::usage("`-p auto` finds ports that are free here and now, so it cannot be exported", hint));
    }
    // foreman does not know this file.
    let app_json = (cli.dialect != Dialect::Foreman).then(|| AppJsonFile::read(&places, &mut findings));
    let reader = FileReader::announcing(&print_line);
    let project = Project::load(places, None, &settings.variables, TypeSource::Procfile, &reader, &mut findings)?;
    if let (Some(app_json), Some(project)) = (&app_json, &project) {
        app_json.note_types(&project.procfile.formation_types(), &mut findings);
    }
    let Project { procfile, layers, procfile_name, found_procfile: _, places, other_procfile } =
        settled(project, &findings)?;
    if let Some(other) = other_procfile {
        warn(&other.complaint());
    }
    let name = match (&args.app, cli.dialect) {
        (Some(name), Dialect::Foreman) => name.clone(),
        (None, Dialect::Foreman) => "app".to_owned(),
        // The same on every machine, whatever other apps are on it.
        (_, Dialect::Dyno | Dialect::HerokuLocal | Dialect::Honcho) => Checkout::usual_name(&places, &settings.names),
    };
    let types = procfile.formation_types();
    if let Some(AppJsonFile { declared, .. }) = &app_json {
        settings.life.or_app_json(declared);
        settings.formation.or_app_json(&declared.formation, &types);
    }
    let policy = settings.life.policy(&settings.look, &types)?;
    let files = PlanFiles::new(&places, &procfile_name, procfile, layers);
    let plan =
        StartPlan::build(&settings, files, Purpose::Start, Surroundings { app: name.clone(), ..Surroundings::none() });
    let dynos = settled(plan.dynos, &plan.findings)?;
    let options = ExportOptions {
        user: args.user.clone(),
        log_dir: args.log_dir.as_deref().map(|path| absolute(&places, path)),
        image: args.image.clone(),
        host: args.host.clone(),
        target: args.directory.as_deref().map(|path| absolute(&places, path)),
        without_values: args.no_values,
        user_units: args.user_units,
        restarts: restart_policy(args.max_restarts, args.max_delay),
        sets_readiness: args.http.is_some() || !args.ready.is_empty(),
    };
    let chosen = (name.as_str(), &dynos.formation, dynos.release.is_some());
    let mut app = ExportedApp::of(&plan.blueprint, chosen, &policy, options)
        .map_err(|error| Error::new(Status::Config, error.to_string(), ""))?;
    if let Some(AppJsonFile { declared, .. }) = app_json {
        for exported in &mut app.types {
            exported.size = declared.size(exported.process_type.as_str()).map(str::to_owned);
        }
        app.app_json = declared.text;
    }
    Ok(app)
}

fn absolute(places: &Places, path: &Path) -> PathBuf {
    let path: PathBuf = places.current.join(path).components().collect();
    path.canonicalize().unwrap_or(path)
}

/// # Errors
/// Status 1: a file that a person has changed is in the way, or one that is not ours.
fn refuse_obstacles(directory: &Path, changes: &ExportChanges) -> Result<(), Error> {
    let complaints: Vec<Complaint> = changes.obstacles.iter().map(|obstacle| complaint(directory, obstacle)).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Error::all(Status::Failed, complaints)) }
}

fn complaint(directory: &Path, obstacle: &ExportObstacle) -> Complaint {
    let shown = |path: &str| directory.join(path).display().to_string();
    match obstacle {
        ExportObstacle::Edited { path, was_ours: true } => {
            let fact = format!("{} has been edited, so nothing was written", shown(path));
            Complaint::new(fact, "`--diff` shows the difference; `--force` replaces the file")
        }
        ExportObstacle::Edited { path, was_ours: false } => {
            let fact = format!("{} exists and was not written by `dyno export`, so nothing was written", shown(path));
            Complaint::new(fact, "choose another directory; `--force` replaces the file")
        }
        ExportObstacle::NotAFile(path) => {
            let fact = format!("{} is not a regular file, so nothing was written", shown(path));
            Complaint::new(fact, "remove it, or choose another directory")
        }
        ExportObstacle::OfAnotherApp { path, app } => {
            let fact = format!("{} belongs to the app `{app}`, so nothing was written", shown(path));
            Complaint::new(fact, "name this app with `--app`, or choose another directory")
        }
        ExportObstacle::OfAnotherFormat { path, format } => {
            let (directory, file) = (directory.display(), shown(path));
            let fact =
                format!("{directory} has files of `dyno export {format}`, such as {file}, so nothing was written");
            Complaint::new(fact, "choose another directory: each format needs its own")
        }
    }
}
