//! What the system takes as an environment: checked before anything starts (S2.9).

use super::Environment;
use super::source_text::MAX_FILE_BYTES;

/// Longest variable, as `KEY=value` with the zero after it, in bytes: Linux' `MAX_ARG_STRLEN`.
pub const MAX_VARIABLE_BYTES: usize = 128 * 1024;

/// Most bytes that all keys and values of one `.env` file have together. Without references no file has more; with them a
/// few lines would fill the memory, and no system takes a half of it.
pub(crate) const MAX_VALUES_BYTES: usize = MAX_FILE_BYTES;

/// What the system needs for each variable besides its bytes: a pointer.
const POINTER_BYTES: usize = size_of::<usize>();

/// Why no process can be started with an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentTooBig {
    /// One variable is too long.
    #[error("`{key}` is {bytes} bytes long, and a variable has at most {MAX_VARIABLE_BYTES}")]
    Variable {
        /// Its name.
        key: String,
        /// Its length as `KEY=value` with the zero after it.
        bytes: usize,
    },
    /// All together are too long.
    #[error(
        "the environment has {bytes} bytes, and the system takes at most {limit}; the longest variable is `{longest}`"
    )]
    Total {
        /// All variables as `KEY=value` with the zeros, and a pointer each.
        bytes: usize,
        /// What the caller said the system takes.
        limit: usize,
        /// The name of the longest variable.
        longest: String,
    },
}

impl EnvironmentTooBig {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "write the value into a file and its path into the variable"
    }
}

impl Environment {
    /// Checks that the system would take it. `limit_bytes`: the system's `ARG_MAX`. Rule: S2.9.
    ///
    /// # Errors
    /// [`EnvironmentTooBig`] naming the variable.
    pub fn check_size(&self, limit_bytes: usize) -> Result<(), EnvironmentTooBig> {
        let mut total = 0;
        let mut longest: (usize, &[u8]) = (0, b"");
        for (key, value) in self.iter() {
            let bytes = key.len() + 1 + value.reveal().len() + 1;
            total += bytes + POINTER_BYTES;
            longest = longest.max((bytes, key));
        }
        let (bytes, key) = longest;
        let key = String::from_utf8_lossy(key).into_owned();
        if bytes > MAX_VARIABLE_BYTES {
            return Err(EnvironmentTooBig::Variable { key, bytes });
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
    fn a_variable_of_128_kibibytes_is_the_longest() {
        assert_eq!(with("BIG", MAX_VARIABLE_BYTES - 5).check_size(TWO_MEBIBYTES), Ok(()));

        let too_big = with("BIG", MAX_VARIABLE_BYTES - 4).check_size(TWO_MEBIBYTES).unwrap_err();

        assert_eq!(too_big.to_string(), "`BIG` is 131073 bytes long, and a variable has at most 131072");
    }

    #[test]
    fn the_total_is_checked_and_names_the_longest_variable() {
        let mut environment = with("LONGEST", 100);
        environment.set("A", "1");

        let too_big = environment.check_size(120).unwrap_err();

        assert!(too_big.to_string().ends_with("the longest variable is `LONGEST`"), "{too_big}");
        assert_eq!(environment.check_size(109 + 8 + 4 + 8), Ok(()));
    }
}
