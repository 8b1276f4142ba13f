//! Limits of the system on the size of an environment, checked before anything starts (S2.9).

use crate::app::text::source::MAX_FILE_BYTES;
use crate::model::Environment;

/// Longest variable in bytes, counted as `KEY=value` with its terminating NUL: `MAX_ARG_STRLEN` of Linux.
pub const MAX_VARIABLE_BYTES: usize = 128 * 1024;

/// Limit for all keys and values of one `.env` file together, in bytes. A file without references cannot exceed it;
/// with references, a few lines could fill the memory. The limit of the system for a whole environment is lower anyway.
pub(crate) const MAX_VALUES_BYTES: usize = MAX_FILE_BYTES;

/// A shorter variable does not make an environment too big, so naming it would not help.
const NOTABLE_BYTES: usize = 4 * 1024;

/// The system also counts a pointer for each variable.
const POINTER_BYTES: usize = size_of::<usize>();

/// Why the system would refuse to start a process with this environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentTooBig {
    /// One variable is too long.
    #[error("`{key}` is {bytes} bytes long; the limit for a variable is {MAX_VARIABLE_BYTES}")]
    Variable {
        /// Its name.
        key: String,
        /// Its length as `KEY=value` with the terminating NUL.
        bytes: usize,
    },
    /// All variables together are too long.
    #[error(
        "the environment is {bytes} bytes long, over the system limit of {limit}; the longest variable is `{longest}`"
    )]
    Total {
        /// The size of all variables as `KEY=value` with the terminating NUL, plus a pointer each.
        bytes: usize,
        /// The limit of the system, as passed by the caller.
        limit: usize,
        /// The name of the longest variable.
        longest: String,
    },
    /// All together are too long, and none of them is long: there are too many.
    #[error("the environment has {count} variables with {bytes} bytes, over the system limit of {limit} bytes")]
    Count {
        /// How many variables there are.
        count: usize,
        /// The size of all variables as `KEY=value` with the terminating NUL, plus a pointer each.
        bytes: usize,
        /// The limit of the system, as passed by the caller.
        limit: usize,
    },
}

impl EnvironmentTooBig {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Variable { .. } | Self::Total { .. } => "write the value to a file and set the variable to its path",
            Self::Count { .. } => "remove variables that the app does not read, or let it read them from a file",
        }
    }

    /// The variable that is too long, or the longest one. None if there are too many variables.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable { key, .. } | Self::Total { longest: key, .. } => Some(key),
            Self::Count { .. } => None,
        }
    }
}

impl Environment {
    /// Checks the size against the limits of the system. `limit_bytes`: `ARG_MAX` of the system. Rule: S2.9.
    ///
    /// # Errors
    /// [`EnvironmentTooBig`], which names the longest variable.
    pub fn check_size(&self, limit_bytes: usize) -> Result<(), EnvironmentTooBig> {
        let (mut total, mut count) = (0, 0);
        let mut longest: (usize, &[u8]) = (0, b"");
        for (key, value) in self.iter() {
            let bytes = key.len() + 1 + value.reveal().len() + 1;
            total += bytes + POINTER_BYTES;
            count += 1;
            longest = longest.max((bytes, key));
        }
        let (bytes, key) = longest;
        let key = String::from_utf8_lossy(key).into_owned();
        if bytes > MAX_VARIABLE_BYTES {
            return Err(EnvironmentTooBig::Variable { key, bytes });
        }
        if total > limit_bytes && bytes < NOTABLE_BYTES {
            return Err(EnvironmentTooBig::Count { count, bytes: total, limit: limit_bytes });
        }
        if total > limit_bytes {
            return Err(EnvironmentTooBig::Total { bytes: total, limit: limit_bytes, longest: key });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_MEBIBYTES: usize = 2 * 1024 * 1024;

    fn with(key: &str, length: usize) -> Environment {
        let mut environment = Environment::default();
        environment.set(key, vec![b'x'; length]);
        environment
    }

    #[test]
    fn a_variable_can_be_up_to_128_kibibytes_long() {
        assert_eq!(with("BIG", MAX_VARIABLE_BYTES - 5).check_size(TWO_MEBIBYTES), Ok(()));

        let too_big = with("BIG", MAX_VARIABLE_BYTES - 4).check_size(TWO_MEBIBYTES).unwrap_err();

        assert_eq!(too_big.to_string(), "`BIG` is 131073 bytes long; the limit for a variable is 131072");
    }

    #[test]
    fn the_total_is_checked_and_names_the_longest_variable() {
        let mut environment = with("LONGEST", NOTABLE_BYTES);
        environment.set("A", "1");

        let too_big = environment.check_size(NOTABLE_BYTES + 20).unwrap_err();

        assert!(too_big.to_string().ends_with("the longest variable is `LONGEST`"), "{too_big}");
        assert_eq!(environment.check_size(NOTABLE_BYTES + 9 + 8 + 4 + 8), Ok(()));
    }

    #[test]
    fn too_many_short_variables_are_counted() {
        let mut environment = with("LONGEST", 100);
        environment.set("A", "1");

        let too_big = environment.check_size(120).unwrap_err();

        assert_eq!(too_big, EnvironmentTooBig::Count { count: 2, bytes: 109 + 8 + 4 + 8, limit: 120 });
        assert_eq!(too_big.variable(), None);
    }
}
