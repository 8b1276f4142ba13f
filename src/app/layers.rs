//! Which value of a variable a dyno gets, and where it came from (S3.1, S3.2).
//!
//! Pure: the inherited environment and the files are passed in. Lowest to highest: the shell, the default of
//! `PYTHONUNBUFFERED`, the `.env` files, `--set`, the variables of the dyno.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::{DynoName, EnvFile, EnvScope, Environment, Secret, is_env_key};

#[cfg(test)]
mod tests;

/// Heroku's Python runtime sets it; without it nothing is seen of a Python program until its buffer is full.
const PYTHONUNBUFFERED: &[u8] = b"PYTHONUNBUFFERED";

/// Marks every process of a run, so its presence shows that `dyno` was started inside one.
const DYNO_SESSION: &str = "DYNO_SESSION";

/// The name of the dyno as other tools call it: a dyno gets them unless the user set them.
const NAMES_OF_OTHER_TOOLS: [&str; 2] = ["FOREMAN_WORKER_NAME", "HONCHO_PROCESS_NAME"];

/// The working directory: a shell would set it, too.
const PWD: &[u8] = b"PWD";

/// All that makes up the environments of one start, lowest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    inherited: Environment,
    names: Vec<String>,
    files: Vec<EnvFile>,
    set: Vec<(String, Secret)>,
    directory: Option<Vec<u8>>,
    prefer_shell: bool,
}

/// What is different from dyno to dyno.
#[derive(Debug, Clone, Copy)]
pub struct DynoVariables<'a> {
    /// Its name, for `DYNO`, `PS` and their like.
    pub dyno: &'a DynoName,
    /// What becomes of `PORT`.
    pub port: PortVariable,
    /// 128 random bits as text, the same for all dynos of one start: the sweep finds processes by it.
    pub session: &'a str,
}

/// What becomes of `PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortVariable {
    /// A dyno of the formation gets its own (S5.1).
    Assigned(u16),
    /// A one-off dyno has what the layers say (S9.1).
    Kept,
    /// The release phase has none (S8.1).
    Removed,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The environment that `dyno` was started with.
    Shell,
    /// Set because nothing else did.
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
    /// The dyno itself: `PORT`, `DYNO` and their like.
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

/// One value of a variable and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The value; None where the dyno has the variable taken away.
    pub value: Option<Secret>,
    /// Where it came from.
    pub origin: Origin,
}

/// `--set` was given something else than `KEY=VALUE`. The text is not shown: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`--set` needs `KEY=VALUE`, with a key of A-Z a-z 0-9 _ . -")]
pub struct InvalidSetting;

impl Layers {
    /// Begins with the environment that `dyno` was started with. `prefer_shell`: it wins over the files.
    #[must_use]
    pub fn new(mut inherited: Environment, prefer_shell: bool) -> Self {
        // Inside a run these are the outer dyno's, not the user's: a nested run has its own (S3.1).
        if inherited.get(DYNO_SESSION.as_bytes()).is_some() {
            for name in NAMES_OF_OTHER_TOOLS {
                inherited.remove(name.as_bytes());
            }
        }
        Self { inherited, prefer_shell, ..Self::default() }
    }

    /// Adds a `.env` file above those before it. `name`: as messages show it.
    pub fn add_file(&mut self, name: impl Into<String>, file: EnvFile) {
        self.names.push(name.into());
        self.files.push(file);
    }

    /// The absolute name of the dynos' working directory: their `PWD`, which a shell would set, too.
    pub fn set_directory(&mut self, name: impl Into<Vec<u8>>) {
        self.directory = Some(name.into());
    }

    /// Adds one `--set KEY=VALUE`; later ones win.
    ///
    /// # Errors
    /// [`InvalidSetting`] without `=` or with a bad key.
    pub fn add_setting(&mut self, setting: &[u8]) -> Result<(), InvalidSetting> {
        let equals = memchr::memchr(b'=', setting).ok_or(InvalidSetting)?;
        let (key, value) = setting.split_at_checked(equals).ok_or(InvalidSetting)?;
        let key = std::str::from_utf8(key).ok().filter(|key| is_env_key(key.as_bytes())).ok_or(InvalidSetting)?;
        self.set.push((key.to_owned(), Secret::new(value.strip_prefix(b"=").unwrap_or(value))));
        Ok(())
    }

    /// What `${NAME}` in the next file can refer to.
    #[must_use]
    pub fn scope(&self) -> EnvScope<'_> {
        EnvScope { earlier: &self.files, inherited: &self.inherited, inherited_first: self.prefer_shell }
    }

    /// The whole environment of one dyno.
    #[must_use]
    pub fn environment(&self, variables: &DynoVariables<'_>) -> Environment {
        let mut environment = Environment::default();
        for (key, value, _) in self.given() {
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

    /// Where the value of a variable comes from: the one in force first, then what it shadows (S3.2). Empty if it
    /// is not set. `variables`: also what this dyno adds.
    #[must_use]
    pub fn explain(&self, key: &[u8], variables: Option<&DynoVariables<'_>>) -> Vec<Given> {
        let mut given: Vec<Given> = self
            .given()
            .filter(|(known, _, _)| *known == key)
            .map(|(_, value, origin)| Given { value: Some(value.clone()), origin })
            .collect();
        if let Some(variables) = variables {
            let is_set = |known: &[u8]| self.given().any(|(other, _, _)| other == known);
            let changes = dyno_changes(variables, is_set).into_iter().filter(|(known, _)| known.as_bytes() == key);
            let directory = self.directory.as_ref().filter(|_| key == PWD);
            given.extend(directory.map(|name| Given { value: Some(Secret::new(name.clone())), origin: Origin::Dyno }));
            given.extend(changes.map(|(_, value)| Given { value: value.map(Secret::new), origin: Origin::Dyno }));
        }
        given.reverse();
        given
    }

    /// The value in force before any dyno adds its own, such as `PORT` and `PROCFILE` (S1.7, S5.2).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Given> {
        self.explain(key.as_bytes(), None).into_iter().next()
    }

    /// The value in force that the `.env` files give, whatever the shell says.
    #[must_use]
    pub fn get_from_files(&self, key: &str) -> Option<Given> {
        let found = self.names.iter().zip(&self.files).rev().find_map(|(name, file)| Some((name, file.get(key)?)));
        found.map(|(name, entry)| Given {
            value: Some(entry.value.clone()),
            origin: Origin::File { name: name.clone(), line: entry.line },
        })
    }

    /// The value of the environment that `dyno` was started with.
    #[must_use]
    pub fn get_from_shell(&self, key: &str) -> Option<Given> {
        let value = self.inherited.get(key.as_bytes())?.clone();
        Some(Given { value: Some(value), origin: Origin::Shell })
    }

    /// The value that `--set` gives.
    #[must_use]
    pub fn get_from_options(&self, key: &str) -> Option<Given> {
        let (_, value) = self.set.iter().rev().find(|(known, _)| known == key)?;
        Some(Given { value: Some(value.clone()), origin: Origin::Option })
    }

    /// The config vars of the app: what files and `--set` give, sorted by name. The shell's own are not listed,
    /// but with `--prefer-shell` they are what is in force.
    #[must_use]
    pub fn config_vars(&self) -> BTreeMap<String, Given> {
        let from_files = self.files.iter().flat_map(|file| file.entries().iter().map(|entry| &entry.key));
        let keys = from_files.chain(self.set.iter().map(|(key, _)| key));
        // One pass over all layers, in which later ones replace earlier ones: a search for each key would be quadratic.
        let mut in_force: HashMap<&[u8], Given> =
            self.given().map(|(key, value, origin)| (key, Given { value: Some(value.clone()), origin })).collect();
        keys.filter_map(|key| Some((key.clone(), in_force.remove(key.as_bytes())?))).collect()
    }

    /// Every value of every layer, lowest first.
    fn given(&self) -> impl Iterator<Item = (&[u8], &Secret, Origin)> {
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

    /// `PYTHONUNBUFFERED=1` if the shell does not set it; below the shell it makes no difference where it stands.
    fn python_default(&self) -> Option<(&'static [u8], &'static Secret, Origin)> {
        static ONE: std::sync::LazyLock<Secret> = std::sync::LazyLock::new(|| Secret::new("1"));
        let in_files = self.files.iter().any(|file| file.get("PYTHONUNBUFFERED").is_some());
        let set = self.inherited.get(PYTHONUNBUFFERED).is_some() || (self.prefer_shell && in_files);
        (!set).then(|| (PYTHONUNBUFFERED, &*ONE, Origin::Default))
    }
}

/// What one dyno sets, or takes away. `is_set`: whether the layers have a variable.
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
    changes
}
