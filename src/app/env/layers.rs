//! Decides which value of a variable a dyno gets, and where that value comes from (S3.1, S3.2).
//!
//! Pure: the caller passes the inherited environment and the parsed files. Layers from lowest to highest: the addresses
//! of other dynos, the default of `PYTHONUNBUFFERED`, the shell, the `.env` files, `--set`, the variables of the dyno.
//! With `--prefer-shell`, the files are below the shell.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::siblings::sibling_keys;
use crate::app::{EnvFile, EnvScope, is_env_key};
use crate::model::{DynoName, Environment, Secret};

#[cfg(test)]
mod tests;

/// Heroku's Python runtime sets it. Without it, a Python program shows its output only when its buffer is full.
const PYTHONUNBUFFERED: &[u8] = b"PYTHONUNBUFFERED";

/// Marks every process of a run, so its presence shows that `dyno` was started inside one.
const DYNO_SESSION: &str = "DYNO_SESSION";

/// The name of the app.
const DYNO_APP: &str = "DYNO_APP";

/// Variables in which other tools pass the dyno name. A dyno gets them unless the user sets them.
const NAMES_OF_OTHER_TOOLS: [&str; 2] = ["FOREMAN_WORKER_NAME", "HONCHO_PROCESS_NAME"];

/// The working directory. A shell would set it, too.
const PWD: &[u8] = b"PWD";

/// The layers from which the environments of all dynos of one start are built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    inherited: Environment,
    names: Vec<String>,
    files: Vec<EnvFile>,
    set: Vec<(String, Secret)>,
    directory: Option<Vec<u8>>,
    prefer_shell: bool,
}

/// The part of the environment that differs between dynos.
#[derive(Debug, Clone, Copy)]
pub struct DynoVariables<'a> {
    /// The dyno name, for `DYNO`, `PS` and the variables of other tools.
    pub dyno: &'a DynoName,
    /// How `PORT` is set.
    pub port: PortVariable,
    /// 128 random bits as text, the same for all dynos of one start. The sweep at the end finds processes by it.
    pub session: &'a str,
    /// The name of the app.
    pub app: &'a str,
    /// The ports and addresses of other dynos (S5.6), which every layer overrides.
    pub siblings: &'a [(String, Secret)],
}

/// How `PORT` of a dyno is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortVariable {
    /// A dyno of the formation gets its own port (S5.1).
    Assigned(u16),
    /// A one-off dyno gets the value of the layers, if any (S9.1).
    Kept,
    /// The release phase has no `PORT` (S8.1).
    Removed,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The environment that `dyno` was started with.
    Shell,
    /// A default of `dyno`, used because nothing else sets the variable.
    Default,
    /// A `.env` file.
    File {
        /// Its name as the user knows it.
        name: String,
        /// 1-based line.
        line: usize,
    },
    /// `--set KEY=VALUE`.
    Option,
    /// The dyno itself: `PORT`, `DYNO` and similar variables.
    Dyno,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell => f.write_str("the shell"),
            Self::Default => f.write_str("the default of `dyno`"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Option => f.write_str("`--set`"),
            Self::Dyno => f.write_str("the dyno"),
        }
    }
}

/// One value of a variable and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcedValue {
    /// The value, or None if the dyno removes the variable.
    pub value: Option<Secret>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The value of `--set` is not `KEY=VALUE`. The text is not shown, because it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`--set` expects `KEY=VALUE`, with only A-Z a-z 0-9 _ . - in the key")]
pub struct InvalidSetting;

impl Layers {
    /// Begins with the environment that `dyno` was started with. With `prefer_shell` it wins over the files.
    #[must_use]
    pub fn new(mut inherited: Environment, prefer_shell: bool) -> Self {
        // If `dyno` runs inside a dyno, what the outer run has set does not come from the user (S3.1).
        if inherited.get(DYNO_SESSION.as_bytes()).is_some() {
            let outer = inherited.get(b"DYNO").cloned();
            for name in NAMES_OF_OTHER_TOOLS {
                if inherited.get(name.as_bytes()) == outer.as_ref() {
                    inherited.remove(name.as_bytes());
                }
            }
            for key in sibling_keys(&inherited) {
                inherited.remove(&key);
            }
        }
        Self { inherited, prefer_shell, ..Self::default() }
    }

    /// Adds a `.env` file, which wins over those added before. `name`: the name shown in messages.
    pub fn add_file(&mut self, name: impl Into<String>, file: EnvFile) {
        self.names.push(name.into());
        self.files.push(file);
    }

    /// Sets the absolute path of the dynos' working directory, which becomes their `PWD`.
    pub fn set_directory(&mut self, name: impl Into<Vec<u8>>) {
        self.directory = Some(name.into());
    }

    /// Adds one `--set KEY=VALUE`; later ones win.
    ///
    /// # Errors
    /// [`InvalidSetting`] if there is no `=`, or the key is invalid.
    pub fn add_setting(&mut self, setting: &[u8]) -> Result<(), InvalidSetting> {
        let equals = memchr::memchr(b'=', setting).ok_or(InvalidSetting)?;
        let (key, value) = setting.split_at_checked(equals).ok_or(InvalidSetting)?;
        let key = std::str::from_utf8(key).ok().filter(|key| is_env_key(key.as_bytes())).ok_or(InvalidSetting)?;
        self.set.push((key.to_owned(), Secret::new(value.strip_prefix(b"=").unwrap_or(value))));
        Ok(())
    }

    /// Where `${NAME}` in the next file is looked up.
    #[must_use]
    pub fn scope(&self) -> EnvScope<'_> {
        EnvScope { earlier: &self.files, inherited: &self.inherited, inherited_first: self.prefer_shell }
    }

    /// The whole environment of one dyno.
    #[must_use]
    pub fn environment(&self, variables: &DynoVariables<'_>) -> Environment {
        let mut environment = Environment::default();
        for (key, value) in variables.siblings {
            environment.set(key.as_bytes(), value.reveal());
        }
        for (key, value, _) in self.layered_values() {
            environment.set(key, value.reveal());
        }
        if let Some(directory) = &self.directory {
            environment.set(PWD, directory.as_slice());
        }
        for (key, change) in dyno_changes(variables, |key| environment.get(key).is_some()) {
            match change {
                Some(value) => environment.set(key, value),
                None => environment.remove(key.as_bytes()),
            }
        }
        environment
    }

    /// Every value of a variable with its origin: first the one that is used, then those it hides (S3.2). Empty if the
    /// variable is not set. If `variables` is given, the values that this dyno adds are included.
    #[must_use]
    pub fn explain(&self, key: &[u8], variables: Option<&DynoVariables<'_>>) -> Vec<SourcedValue> {
        let siblings = variables.map(|variables| variables.siblings).unwrap_or_default();
        let sibling = |(name, value): &(String, Secret)| {
            (name.as_bytes() == key).then(|| SourcedValue { value: Some(value.clone()), origin: Origin::Default })
        };
        let mut values: Vec<SourcedValue> = siblings.iter().filter_map(sibling).collect();
        let layered = self.layered_values().filter(|(known, _, _)| *known == key);
        values.extend(layered.map(|(_, value, origin)| SourcedValue { value: Some(value.clone()), origin }));
        if let Some(variables) = variables {
            let is_set = |known: &[u8]| self.layered_values().any(|(other, _, _)| other == known);
            let changes = dyno_changes(variables, is_set).into_iter().filter(|(known, _)| known.as_bytes() == key);
            let directory = self.directory.as_ref().filter(|_| key == PWD);
            values.extend(
                directory.map(|name| SourcedValue { value: Some(Secret::new(name.clone())), origin: Origin::Dyno }),
            );
            values
                .extend(changes.map(|(_, value)| SourcedValue { value: value.map(Secret::new), origin: Origin::Dyno }));
        }
        values.reverse();
        values
    }

    /// The value that is used before a dyno adds its own variables.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<SourcedValue> {
        self.explain(key.as_bytes(), None).into_iter().next()
    }

    /// The config vars of the app: the variables that files or `--set` define, sorted by name. A variable that only the
    /// shell sets is not listed, but with `--prefer-shell` the value of a listed one may be that of the shell.
    #[must_use]
    pub fn config_vars(&self) -> BTreeMap<String, SourcedValue> {
        let from_files = self.files.iter().flat_map(|file| file.entries().iter().map(|entry| &entry.key));
        let keys = from_files.chain(self.set.iter().map(|(key, _)| key));
        // One pass over all layers, with later ones replacing earlier ones: searching for each key would be quadratic.
        let mut values: HashMap<&[u8], SourcedValue> = self
            .layered_values()
            .map(|(key, value, origin)| (key, SourcedValue { value: Some(value.clone()), origin }))
            .collect();
        keys.filter_map(|key| Some((key.clone(), values.remove(key.as_bytes())?))).collect()
    }

    /// Every value of every layer, lowest first.
    fn layered_values(&self) -> impl Iterator<Item = (&[u8], &Secret, Origin)> {
        let inherited = || self.inherited.iter().map(|(key, value)| (key, value, Origin::Shell));
        let files = || {
            self.names.iter().zip(&self.files).flat_map(|(name, file)| {
                file.entries().iter().map(|entry| {
                    let origin = Origin::File { name: name.clone(), line: entry.line };
                    (entry.key.as_bytes(), &entry.value, origin)
                })
            })
        };
        let below = self.prefer_shell.then(files).into_iter().flatten();
        let above = (!self.prefer_shell).then(files).into_iter().flatten();
        let set = self.set.iter().map(|(key, value)| (key.as_bytes(), value, Origin::Option));
        below.chain(self.python_default()).chain(inherited()).chain(above).chain(set)
    }

    /// `PYTHONUNBUFFERED=1`, unless the shell sets it. With `--prefer-shell` the files are below this default, so it is
    /// left out if they set it.
    fn python_default(&self) -> Option<(&'static [u8], &'static Secret, Origin)> {
        static ONE: std::sync::LazyLock<Secret> = std::sync::LazyLock::new(|| Secret::new("1"));
        let in_files = self.files.iter().any(|file| file.get("PYTHONUNBUFFERED").is_some());
        let set = self.inherited.get(PYTHONUNBUFFERED).is_some() || (self.prefer_shell && in_files);
        (!set).then(|| (PYTHONUNBUFFERED, &*ONE, Origin::Default))
    }
}

/// Whether every dyno sets this variable itself and nothing else can: it identifies the processes of the dyno (S3.1).
#[must_use]
pub fn is_set_by_dyno(key: &[u8]) -> bool {
    ["DYNO", "PS", DYNO_SESSION, DYNO_APP].iter().any(|known| known.as_bytes() == key)
}

/// The variables that one dyno sets (`Some`) or removes (`None`). `is_set`: whether the layers set a variable.
fn dyno_changes(variables: &DynoVariables<'_>, is_set: impl Fn(&[u8]) -> bool) -> Vec<(&'static str, Option<String>)> {
    let name = variables.dyno.to_string();
    let mut changes = match variables.port {
        PortVariable::Assigned(port) => vec![("PORT", Some(port.to_string()))],
        PortVariable::Kept => Vec::new(),
        PortVariable::Removed => vec![("PORT", None)],
    };
    changes.push(("DYNO", Some(name.clone())));
    changes.push(("PS", Some(name.clone())));
    for key in NAMES_OF_OTHER_TOOLS {
        if !is_set(key.as_bytes()) {
            changes.push((key, Some(name.clone())));
        }
    }
    changes.push((DYNO_SESSION, Some(variables.session.to_owned())));
    changes.push((DYNO_APP, Some(variables.app.to_owned())));
    changes
}
