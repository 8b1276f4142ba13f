//! A command that runs once: the settings in which one-off dynos differ.

use crate::app::{PortVariable, join_words};
use crate::model::Environment;

use super::DynoStreams;

/// A one-off dyno without its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOff {
    /// Its command line, as the bytes that the shell gets.
    pub line: Vec<u8>,
    /// How `PORT` is set.
    pub port: PortVariable,
    /// Variables in addition to those of the release. They win.
    pub variables: Environment,
    /// Its streams. None: those of the other dynos, with an empty stdin.
    pub streams: Option<DynoStreams>,
}

impl OneOff {
    /// A one-off dyno that runs in the background.
    #[must_use]
    pub fn detached(line: Vec<u8>) -> Self {
        Self { line, port: PortVariable::Kept, variables: Environment::default(), streams: None }
    }

    /// The command line for these words: a single word is a line for the shell, several words are kept apart (S9.1).
    /// None: there are no words.
    #[must_use]
    pub fn line_of(words: &[&[u8]]) -> Option<Vec<u8>> {
        match words {
            [] => None,
            [line] => Some(line.to_vec()),
            words => Some(join_words(words)),
        }
    }
}
