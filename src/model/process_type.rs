//! The validated name of a process type (S1.2).

use std::fmt;
use std::sync::Arc;

/// The name of a process type, such as `web`: 1 to 128 characters from `A-Z a-z 0-9 _ -`.
///
/// Rule: S1.2. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessType(Arc<str>);

/// Why a text is not the name of a process type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProcessType {
    /// Nothing before the colon.
    #[error("the name is empty")]
    Empty,
    /// More than [`ProcessType::MAX_LEN`] characters.
    #[error("the name is longer than {} characters", ProcessType::MAX_LEN)]
    TooLong,
    /// A character other than `A-Z a-z 0-9 _ -`.
    #[error("use only A-Z a-z 0-9 _ -")]
    Character,
}

impl ProcessType {
    /// Longest name, in characters. With an index and a suffix it must fit in a file name, which can have up to 255
    /// bytes.
    pub const MAX_LEN: usize = 128;

    /// The type that the platform's router sends requests to.
    pub const WEB: &str = "web";

    /// Validates a name.
    ///
    /// # Errors
    /// [`InvalidProcessType`] if it is empty, too long or contains any other character.
    pub fn new(name: &str) -> Result<Self, InvalidProcessType> {
        if name.is_empty() {
            return Err(InvalidProcessType::Empty);
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err(InvalidProcessType::Character);
        }
        if name.len() > Self::MAX_LEN {
            return Err(InvalidProcessType::TooLong);
        }
        Ok(Self(name.into()))
    }

    /// Whether this is the release phase, which must succeed before anything else starts (S8).
    #[must_use]
    pub fn is_release(&self) -> bool {
        self.as_str() == "release"
    }

    /// The release phase.
    #[must_use]
    pub fn release() -> Self {
        Self("release".into())
    }

    /// The process type of one-off dynos.
    #[must_use]
    pub fn one_off() -> Self {
        Self("run".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_consists_of_letters_digits_underscores_and_dashes() {
        for name in ["web", "WEB", "_x", "-x", "worker_1", "a-b", "123"] {
            assert_eq!(ProcessType::new(name).map(|name| name.to_string()), Ok(name.to_string()));
        }
    }

    #[test]
    fn a_name_can_have_up_to_128_characters() {
        assert!(ProcessType::new(&"a".repeat(128)).is_ok());
        assert_eq!(ProcessType::new(&"a".repeat(129)), Err(InvalidProcessType::TooLong));
    }

    #[test]
    fn other_characters_are_refused() {
        assert_eq!(ProcessType::new(""), Err(InvalidProcessType::Empty));
        for name in ["a b", "a.b", "a/b", "wéb", "a:b", "+web"] {
            assert_eq!(ProcessType::new(name), Err(InvalidProcessType::Character));
        }
    }
}
