//! The pods of Deployments and of the Job: what runs, with which variables, and how it is started and stopped.

use super::super::containers::{BOOT_SECONDS, awaited_port, only_dyno};
use super::super::stop_signal::{SIGTERM, signal_name};
use super::super::yaml::{Yaml, YamlMap};
use super::super::{ExportedApp, ExportedType};
use super::dyno_size::resources;
use super::has_values;
use crate::model::Readiness;

/// The variable with the name of the pod.
const POD: &str = "POD_NAME";

pub(super) fn of_type(app: &ExportedApp, exported: &ExportedType, image: &str, arguments: &[String]) -> YamlMap {
    let process_type = &exported.process_type;
    let (mut env, dyno) = match only_dyno(exported) {
        Some(name) => (Vec::new(), name),
        None => (vec![pod_name()], format!("{process_type}.$({POD})")),
    };
    env.extend([variable("DYNO", &dyno), variable("PS", &dyno), variable("PORT", &exported.port.to_string())]);
    let mut container = container(app, process_type.as_str(), image, arguments).with("env", env);
    if exported.listens {
        let port = YamlMap::new().with("name", "http").with("containerPort", exported.port);
        container = container.with("ports", vec![port]);
    }
    container = container.with_some("resources", exported.size.as_deref().and_then(resources));
    if let Some(port) = awaited_port(app, exported) {
        let probe = probe(exported, port);
        let startup = probe.clone().with("periodSeconds", 1_u64).with("failureThreshold", BOOT_SECONDS);
        container = container
            .with("startupProbe", startup.with("timeoutSeconds", 5_u64))
            .with("readinessProbe", probe.with("timeoutSeconds", 5_u64));
    }
    container = container.with_some("lifecycle", stop_hook(exported).map(lifecycle));
    pod(app, container, shares_processes(exported))
}

pub(super) fn of_release(app: &ExportedApp, image: &str, arguments: &[String]) -> YamlMap {
    let env = vec![variable("DYNO", "release.1"), variable("PS", "release.1")];
    let container = container(app, "release", image, arguments).with("env", env);
    pod(app, container, true).with("restartPolicy", "Never")
}

fn pod(app: &ExportedApp, container: YamlMap, shares_processes: bool) -> YamlMap {
    // Kubernetes counts whole seconds.
    let grace = app.grace.as_secs() + u64::from(app.grace.subsec_nanos() > 0);
    let mut pod = YamlMap::new().comment("No variables but those of the app.").with("enableServiceLinks", false);
    if shares_processes {
        pod = pod
            .comment("As process 1, a program that does not handle the stop signal would ignore it.")
            .with("shareProcessNamespace", true);
    }
    if let Some(user) = app.options.user.as_deref().and_then(|user| user.parse::<u32>().ok()) {
        pod = pod.with("securityContext", YamlMap::new().with("runAsUser", u64::from(user)));
    }
    pod.with("terminationGracePeriodSeconds", grace).with("containers", vec![container])
}

fn container(app: &ExportedApp, name: &str, image: &str, arguments: &[String]) -> YamlMap {
    let reference = |kind: &str| YamlMap::new().with(kind, YamlMap::new().with("name", app.name.as_str()));
    let mut sources = vec![reference("configMapRef")];
    if has_values(app) {
        sources.push(reference("secretRef"));
    }
    YamlMap::new()
        .with("name", name)
        .with("image", image)
        .with("args", arguments.iter().map(|word| literal(word)).collect::<Vec<_>>())
        .with("envFrom", sources)
}

fn variable(key: &str, value: &str) -> YamlMap {
    YamlMap::new().with("name", key).with("value", value)
}

fn pod_name() -> YamlMap {
    let field = YamlMap::new().with("fieldPath", "metadata.name");
    YamlMap::new().with("name", POD).with("valueFrom", YamlMap::new().with("fieldRef", field))
}

fn probe(exported: &ExportedType, port: u16) -> YamlMap {
    match &exported.readiness {
        Readiness::Answers { check, .. } => {
            let host = YamlMap::new().with("name", "Host").with("value", format!("127.0.0.1:{port}"));
            let request = YamlMap::new().with("path", check.path()).with("port", port);
            YamlMap::new().with("httpGet", request.with("httpHeaders", vec![host]))
        }
        Readiness::Runs | Readiness::Listens { .. } => {
            YamlMap::new().with("tcpSocket", YamlMap::new().with("port", port))
        }
    }
}

/// Whether the program may see the pod's own process 1 before it. With a signal for the first process alone, it has to be that
/// process.
fn shares_processes(exported: &ExportedType) -> bool {
    exported.stop_signal == SIGTERM || exported.stops_all
}

/// What sends the stop signal if SIGTERM to the first process does not do. It goes on until the container ends, so that SIGTERM
/// does not follow at once.
fn stop_hook(exported: &ExportedType) -> Option<String> {
    let signal = signal_name(exported.stop_signal);
    if exported.stops_all {
        return Some(format!("kill -{signal} -1; while sleep 0.1; do :; done"));
    }
    (exported.stop_signal != SIGTERM).then(|| format!("kill -{signal} 1; while sleep 0.1; do :; done"))
}

fn lifecycle(command: String) -> YamlMap {
    let exec = YamlMap::new().with("command", Yaml::from(vec!["/bin/sh".to_owned(), "-c".to_owned(), command]));
    YamlMap::new().with("preStop", YamlMap::new().with("exec", exec))
}

/// A text in which Kubernetes shall not look for variables: `$(NAME)` is one, and `$$` is a `$`.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        literal.push(c);
        if c == '$' && matches!(rest.peek(), Some('$' | '(')) {
            literal.push('$');
        }
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_3_only_what_kubernetes_would_replace_is_doubled() {
        assert_eq!(literal("$PORT ${X} $(date) $$ $$(x) $"), "$PORT ${X} $$(date) $$$ $$$$(x) $");
    }
}
