//! Objects for Kubernetes: a Deployment for each process type, a Job for the release command, a Service for each type that
//! listens and an Ingress for `web`.
//!
//! What is not secret is in a `ConfigMap`, the values of config vars are in a Secret. `kustomization.yaml` names all objects but
//! the Job, which has to succeed before the others are applied: its header has the commands.

mod dyno_size;
mod objects;
mod pod;

use self::dyno_size::resources;
use self::objects::{config_map, deployment, ingress, kustomization, release_job, secret, service};
use super::containers::{
    common_notes, has_default_statuses, host, image, is_label, listed, names_note, note_lines, place_note, running,
};
use super::stop_signal::SIGTERM;
use super::{
    CommentStyle, ExportFailure, ExportFile, ExportFormat, Exported, ExportedApp, ExportedType, ExportedVariable,
    Marker, RestartRule,
};
use crate::model::ProcessType;

const NAME: &str = "kubernetes";

/// The most bytes that a Secret can have.
const MAX_SECRET: usize = 1 << 20;

/// The longest name of an object: Kubernetes adds up to 17 characters for a pod.
const LONGEST_NAME: usize = 46;

/// Why a name is refused. That of the release command has 8 characters more than that of the app.
const NOT_AN_APP: &str =
    "it may have at most 38 characters: a-z 0-9 -, with a letter at the beginning, and a letter or a digit at the end";
const NOT_A_TYPE: &str = "it may only have a-z 0-9 -, with a letter or a digit at both ends, and at most 46 characters together with \
                          the name of the app and a hyphen";

/// The files for an app.
pub(super) fn files(app: &ExportedApp) -> Result<Exported, ExportFailure> {
    check_names(app)?;
    let image = image(NAME, app)?;
    let marker = Marker::new(ExportFormat::Kubernetes, &app.name);
    let file = |name: String, text: String| ExportFile::new(name, &marker, CommentStyle::Hash, text);
    let notes = notes(app);
    let mut files = vec![file(config_map_file(app), config_map(app)?.text())];
    if has_values(app) && !app.options.without_values {
        files.push(file(secret_file(app), secret(app)?.text()).secret());
    }
    if let Some(command) = &app.release {
        let text = format!("# {}\n{}", command.shown, release_job(app, command, image)?.text());
        files.push(file(release_file(app), text));
    }
    for exported in &app.types {
        let mut documents = vec![deployment(app, exported, image)?.text()];
        if exported.listens {
            documents.push(service(app, exported).text());
        }
        if is_web(exported) {
            documents.push(ingress(app, exported, host(NAME, app)?).text());
        }
        let text = format!("# {}\n{}", exported.command.shown, documents.join("---\n"));
        files.push(file(type_file(app, exported), text));
    }
    let resources: Vec<String> =
        files.iter().map(|file| file.path.clone()).filter(|path| *path != release_file(app)).collect();
    let text = format!("{}{}", header(app, &notes), kustomization(resources).text());
    files.push(file("kustomization.yaml".to_owned(), text));
    Ok(Exported { files, notes })
}

fn has_values(app: &ExportedApp) -> bool {
    !app.config_vars.is_empty()
}

fn is_web(exported: &ExportedType) -> bool {
    exported.process_type.as_str() == ProcessType::WEB
}

/// The name of a Deployment and of a Service, and thus the host name of the Service.
fn object_name(app: &ExportedApp, process_type: &ProcessType) -> String {
    format!("{}-{process_type}", app.name)
}

// No process type has a dot in its name.
fn config_map_file(app: &ExportedApp) -> String {
    format!("{}.config.yaml", app.name)
}

fn secret_file(app: &ExportedApp) -> String {
    format!("{}.secret.yaml", app.name)
}

fn release_file(app: &ExportedApp) -> String {
    format!("{}.yaml", app.release_service())
}

fn type_file(app: &ExportedApp, exported: &ExportedType) -> String {
    format!("{}.yaml", object_name(app, &exported.process_type))
}

fn check_names(app: &ExportedApp) -> Result<(), ExportFailure> {
    // A Service must begin with a letter.
    let is_app = is_label(&app.name) && app.name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_app || app.release_service().len() > LONGEST_NAME {
        return Err(ExportFailure::App { format: NAME, app: app.name.clone(), reason: NOT_AN_APP });
    }
    let bad =
        app.types.iter().map(|exported| &exported.process_type).find(|process_type| {
            !is_label(process_type.as_str()) || object_name(app, process_type).len() > LONGEST_NAME
        });
    match bad {
        None => Ok(()),
        Some(process_type) => {
            Err(ExportFailure::Type { format: NAME, process_type: process_type.clone(), reason: NOT_A_TYPE })
        }
    }
}

/// Refuses what a Secret, or a variable of a container, cannot have.
fn check_variables(variables: &[ExportedVariable]) -> Result<(), ExportFailure> {
    let is_bad = |variable: &&ExportedVariable| variable.key.starts_with(|first: char| first.is_ascii_digit());
    if let Some(bad) = variables.iter().find(is_bad) {
        let reason = "its name may not begin with a digit";
        return Err(ExportFailure::VariableName { format: NAME, key: bad.key.clone(), reason });
    }
    let size = |variable: &ExportedVariable| variable.key.len() + variable.value.reveal().len();
    match variables.iter().max_by_key(|variable| size(variable)) {
        Some(largest) if variables.iter().map(size).sum::<usize>() > MAX_SECRET => {
            let reason = "all values together have more than 1 MiB";
            Err(ExportFailure::Variable { format: NAME, key: largest.key.clone(), reason })
        }
        Some(_) | None => Ok(()),
    }
}

fn header(app: &ExportedApp, notes: &[String]) -> String {
    let (mut first, name) = (config_map_file(app), &app.name);
    if has_values(app) && !app.options.without_values {
        first = format!("{first} -f {}", secret_file(app));
    }
    let commands = if app.release.is_some() {
        let job = app.release_service();
        format!(
            "# Deploys the app, in this directory. The release command comes first; if it fails, nothing else changes.\n\
             #   kubectl apply --server-side -f {first} &&\n\
             #   kubectl replace --force -f {} &&\n\
             #   until [ -n \"$(kubectl get job {job} -o 'jsonpath={{.status.succeeded}}{{.status.failed}}')\" ]; do sleep 1; done &&\n\
             #   kubectl wait --for=condition=complete --timeout=10s job/{job} &&\n\
             #   kubectl apply --server-side -k .\n\
             # What the release command printed:\n#   kubectl logs job/{job}\n",
            release_file(app)
        )
    } else {
        "# Deploys the app, in this directory:\n#   kubectl apply --server-side -k .\n".to_owned()
    };
    format!(
        "#\n{commands}# After a change of config vars alone, which no dyno sees before it restarts:\n\
         #   kubectl rollout restart deployment -l app.kubernetes.io/name={name}\n#\n{}\n",
        note_lines(notes)
    )
}

/// What Kubernetes cannot keep, and what it needs.
fn notes(app: &ExportedApp) -> Vec<String> {
    let logs = format!("kubectl logs -f -l app.kubernetes.io/name={}", app.name);
    let mut notes = vec![place_note()];
    notes.extend(common_notes(app, NAME, &logs));
    if app.release.is_some() {
        notes.push(
            "kubernetes does not run the release command by itself: type the commands in kustomization.yaml".to_owned(),
        );
    }
    let may_exit = running(app, |exported| exported.restart != RestartRule::Always);
    if !may_exit.is_empty() {
        notes.push(format!(
            "kubernetes always starts {} again, even after an exit that `--can-die` allows",
            listed(may_exit)
        ));
    }
    let waits = running(app, |exported| !exported.after.is_empty());
    if !waits.is_empty() {
        notes.push(format!("kubernetes starts {} at once, not after others", listed(waits)));
    }
    let several = running(app, |exported| exported.dynos.len() > 1);
    if let Some(first) = several.first() {
        notes.push(format!(
            "dynos of {} have no numbers: `DYNO` is the type with the name of the pod, such as `{}.{}-5d8f-x7k2p`",
            listed(several.iter().copied()),
            first.process_type,
            object_name(app, &first.process_type)
        ));
    }
    let statuses =
        running(app, |exported| exported.readiness.check().is_some_and(|check| !has_default_statuses(check)));
    if !statuses.is_empty() {
        notes.push(format!("kubernetes accepts every status from 200 to 399 of {}", listed(statuses)));
    }
    let sized = running(app, |exported| exported.size.as_deref().is_some_and(|size| resources(size).is_none()));
    if !sized.is_empty() {
        notes
            .push(format!("the size of {} in app.json is not one of Heroku's, so it sets no resources", listed(sized)));
    }
    let hooks = running(app, |exported| exported.stops_all || exported.stop_signal != SIGTERM);
    if !hooks.is_empty() {
        notes.push(format!("the stop signal of {} needs sh and sleep in the image", listed(hooks)));
    }
    if let Some(user) = app.options.user.as_deref().filter(|user| user.parse::<u32>().is_err()) {
        notes.push(format!("kubernetes knows users by number, so that `--user {user}` has no effect"));
    }
    let place =
        format!("a Secret with these keys, as with `kubectl create secret generic {} --from-env-file FILE`", app.name);
    notes.extend(names_note(app, &place));
    notes
}
