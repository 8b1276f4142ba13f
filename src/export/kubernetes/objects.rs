//! The objects, each as a document.

use super::super::containers::{arguments, label, shared_variables, value};
use super::super::stop_signal::SIGTERM;
use super::super::yaml::{Yaml, YamlMap};
use super::super::{ExportFailure, ExportedApp, ExportedCommand, ExportedType};
use super::pod::{of_release, of_type};
use super::{NAME, check_variables, object_name};
use crate::model::ProcessType;

/// The variables that all dynos share and that are not secret.
pub(super) fn config_map(app: &ExportedApp) -> Result<YamlMap, ExportFailure> {
    let variables = shared_variables(app, |process_type| object_name(app, process_type));
    check_variables(&variables)?;
    let mut data = YamlMap::new();
    for variable in variables {
        data = data.with(&variable.key, value(NAME, &variable)?);
    }
    Ok(object("v1", "ConfigMap", &app.name, labels(app, None)).with("data", data))
}

/// The config vars.
pub(super) fn secret(app: &ExportedApp) -> Result<YamlMap, ExportFailure> {
    check_variables(&app.config_vars)?;
    let mut data = YamlMap::new();
    for variable in &app.config_vars {
        data = data.with(&variable.key, value(NAME, variable)?);
    }
    Ok(object("v1", "Secret", &app.name, labels(app, None)).with("type", "Opaque").with("stringData", data))
}

pub(super) fn release_job(app: &ExportedApp, command: &ExportedCommand, image: &str) -> Result<YamlMap, ExportFailure> {
    let labels = labels(app, Some("release"));
    let arguments = arguments(NAME, (&ProcessType::release(), command), SIGTERM)?;
    let template =
        YamlMap::new().with("metadata", labelled(labels.clone())).with("spec", of_release(app, image, &arguments));
    let spec = YamlMap::new().comment("A release command that fails is not repeated.").with("backoffLimit", 0_u64);
    Ok(object("batch/v1", "Job", &app.release_service(), labels).with("spec", spec.with("template", template)))
}

pub(super) fn deployment(app: &ExportedApp, exported: &ExportedType, image: &str) -> Result<YamlMap, ExportFailure> {
    let process_type = &exported.process_type;
    let labels = labels(app, Some(process_type.as_str()));
    let arguments = arguments(NAME, (process_type, &exported.command), exported.stop_signal)?;
    let template = YamlMap::new()
        .with("metadata", labelled(labels.clone()))
        .with("spec", of_type(app, exported, image, &arguments));
    let spec = YamlMap::new()
        .with("replicas", u64::try_from(exported.dynos.len()).unwrap_or(u64::MAX))
        .with("selector", YamlMap::new().with("matchLabels", labels.clone()))
        .with("template", template);
    Ok(object("apps/v1", "Deployment", &object_name(app, process_type), labels).with("spec", spec))
}

pub(super) fn service(app: &ExportedApp, exported: &ExportedType) -> YamlMap {
    let labels = labels(app, Some(exported.process_type.as_str()));
    let port = YamlMap::new().with("name", "http").with("port", exported.port).with("targetPort", exported.port);
    let spec = YamlMap::new().with("selector", labels.clone()).with("ports", vec![port]);
    object("v1", "Service", &object_name(app, &exported.process_type), labels).with("spec", spec)
}

pub(super) fn ingress(app: &ExportedApp, exported: &ExportedType, host: String) -> YamlMap {
    let name = object_name(app, &exported.process_type);
    let port = YamlMap::new().with("number", exported.port);
    let service = YamlMap::new().with("name", name.as_str()).with("port", port);
    let path = YamlMap::new()
        .with("path", "/")
        .with("pathType", "Prefix")
        .with("backend", YamlMap::new().with("service", service));
    let rule = YamlMap::new().with("host", host).with("http", YamlMap::new().with("paths", vec![path]));
    object("networking.k8s.io/v1", "Ingress", &name, labels(app, Some(exported.process_type.as_str())))
        .with("spec", YamlMap::new().with("rules", vec![rule]))
}

pub(super) fn kustomization(resources: Vec<String>) -> YamlMap {
    YamlMap::new()
        .with("apiVersion", "kustomize.config.k8s.io/v1beta1")
        .with("kind", "Kustomization")
        .with("resources", Yaml::Rows(resources))
}

fn object(version: &str, kind: &str, name: &str, labels: YamlMap) -> YamlMap {
    let metadata = YamlMap::new().with("name", name).with("labels", labels);
    YamlMap::new().with("apiVersion", version).with("kind", kind).with("metadata", metadata)
}

fn labelled(labels: YamlMap) -> YamlMap {
    YamlMap::new().with("labels", labels)
}

/// What all objects of the app, and of one process type, have in common.
fn labels(app: &ExportedApp, component: Option<&str>) -> YamlMap {
    YamlMap::new().with("app.kubernetes.io/name", label(&app.name)).with_some("app.kubernetes.io/component", component)
}
