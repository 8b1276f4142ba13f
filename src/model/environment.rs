//! The environment of a dyno: names and values as bytes.

use std::collections::BTreeMap;
use std::fmt;

/// A value that must not be printed by accident: its `Debug` output is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps the bytes of a value.
    #[must_use]
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The bytes, for code that passes them to a process or prints them because the user asked for it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The full set of variables of one dyno, as bytes: inherited variables need not be UTF-8 (S2.9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<Vec<u8>, Secret>);

impl Environment {
    /// Sets a variable, replacing an earlier value.
    pub fn set(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.0.insert(key.into(), Secret::new(value));
    }

    /// Removes a variable.
    pub fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Secret> {
        self.0.get(key)
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Secret)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_a_value() {
        let mut environment = Environment::default();
        environment.set("TOKEN", "hunter2");

        let shown = format!("{environment:?}");

        assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
    }
}
