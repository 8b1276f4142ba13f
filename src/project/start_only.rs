//! What a start takes from the files and keeps until its end (S14.1).
//!
//! A reload changes everything else, and names these settings if they have changed.

use super::files::{self, ProcfilePath};
use super::places::Places;
use crate::app::{ForemanFile, Layers, Setting};
use crate::error::Complaint;
use crate::settings::{BasePort, Given, PortSettings, SetBy};

/// The settings that only a start applies.
#[derive(Debug)]
pub(crate) struct StartOnly {
    foreman: ForemanFile,
    foreman_name: String,
    base: Option<Given<Vec<u8>>>,
    procfile: ProcfilePath,
}

impl StartOnly {
    /// What the files say.
    pub(crate) fn of(places: &Places, layers: &Layers, ports: &PortSettings) -> Self {
        Self {
            foreman: places.foreman.clone(),
            foreman_name: places.foreman_name.clone(),
            base: BasePort::new(ports, &places.foreman, &places.foreman_name, layers).into_given(),
            procfile: files::procfile_path(places, layers),
        }
    }

    /// What to say if these settings are different now.
    pub(crate) fn note(&self, now: &Self) -> Option<Complaint> {
        let changed = self.changed(now);
        let subject = if changed.len() > 1 { "these changes need" } else { "this change needs" };
        let fact = format!("{subject} a new start: {}", changed.join(", "));
        (!changed.is_empty()).then(|| Complaint::new(fact, "`dyno stop`, then `dyno start`"))
    }

    /// The settings that are different now, such as `` `port` (.foreman:2) ``.
    fn changed(&self, now: &Self) -> Vec<String> {
        let ForemanFile { app, root, timeout, timestamp, color, router, .. } = &self.foreman;
        let file = &now.foreman_name;
        let of_foreman = [
            of_key("app", file, app.as_ref(), now.foreman.app.as_ref()),
            of_key("root", file, root.as_ref(), now.foreman.root.as_ref()),
            of_key("timeout", file, timeout.as_ref(), now.foreman.timeout.as_ref()),
            of_key("timestamp", file, timestamp.as_ref(), now.foreman.timestamp.as_ref()),
            of_key("color", file, color.as_ref(), now.foreman.color.as_ref()),
            of_key("router", file, router.as_ref(), now.foreman.router.as_ref()),
        ];
        let is_other_base = self.base.as_ref().map(|base| &base.value) != now.base.as_ref().map(|base| &base.value);
        let by = |base: &Option<Given<Vec<u8>>>| base.as_ref().map_or(SetBy::Default, |base| base.by.clone());
        let base = is_other_base.then(|| set_in(&by(&self.base), &by(&now.base)));
        let is_other_procfile = self.procfile.path != now.procfile.path;
        let procfile = is_other_procfile.then(|| set_in(&self.procfile.named_by, &now.procfile.named_by));
        of_foreman.into_iter().flatten().chain(base.flatten()).chain(procfile.flatten()).collect()
    }
}

/// A setting of `.foreman` that has changed. None: it is the same.
fn of_key<T: PartialEq>(
    key: &str,
    file: &str,
    before: Option<&Setting<T>>,
    now: Option<&Setting<T>>,
) -> Option<String> {
    let is_same = before.map(|setting| &setting.value) == now.map(|setting| &setting.value);
    (!is_same).then(|| place(key, file, now.map(|setting| setting.line)))
}

/// The place that sets the value now, or if there is none, the place that no longer sets it.
fn set_in(before: &SetBy, now: &SetBy) -> Option<String> {
    let of_now = now.line().map(|(file, line, key)| place(key, file, Some(line)));
    of_now.or_else(|| before.line().map(|(file, _, key)| place(key, file, None)))
}

fn place(key: &str, file: &str, line: Option<usize>) -> String {
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    format!("`{key}` ({file}{line})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::EnvFile;
    use crate::model::Environment;

    fn start_only(foreman: &str, env: &str, option: Option<&str>) -> StartOnly {
        let mut layers = Layers::new(Environment::default(), false);
        let file = EnvFile::parse(env.as_bytes(), &layers.scope()).unwrap();
        layers.add_file(".env", file);
        let ports = PortSettings { base: option.map(str::to_owned), ..PortSettings::default() };
        StartOnly::of(&Places::with_foreman(foreman.as_bytes()), &layers, &ports)
    }

    #[test]
    fn s14_1_changed_settings_that_only_a_start_applies_are_named() {
        let before = start_only("port: 6000\nroot: a\napp: shop\n", "LEVEL=1\n", None);
        let changed = |foreman, env| before.changed(&start_only(foreman, env, None)).join(", ");

        let applied = "app: shop\nport: 6000\nroot: a\nformation: web=2\nwatch: web\nafter: worker=web\n";
        assert_eq!(changed(applied, "LEVEL=2\nPORT=7000\n"), "");
        assert_eq!(
            changed("port: 6000\nroot: b\ntimeout: 3\n", ""),
            "`app` (.foreman), `root` (.foreman:2), `timeout` (.foreman:3)"
        );
        assert_eq!(changed("root: a\napp: shop\n", ""), "`port` (.foreman)");
        assert_eq!(changed("root: a\napp: shop\n", "PORT=7000\n"), "`PORT` (.env:1)");
        assert_eq!(changed("port: 6000\nroot: a\napp: shop\nprocfile: b/P\n", ""), "`procfile` (.foreman:4)");
        assert_eq!(changed("port: 6000\nroot: a\napp: shop\nprocfile: b/P\n", "PROCFILE=P\n"), "`PROCFILE` (.env:1)");
    }

    #[test]
    fn s14_1_a_port_that_an_option_overrides_needs_no_new_start() {
        let with_option = |env| start_only("", env, Some("9000"));

        assert_eq!(with_option("PORT=1000\n").note(&with_option("PORT=2000\n")), None);
    }
}
