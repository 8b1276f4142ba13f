//! Which process types restart when files change (S14.3): the text of `--watch`, and of `watch` in `.foreman`.
//!
//! Pure. Not here: which files are ignored (`runtime`), and when a change has an effect (`watch`).

use super::text::nearest::instead_of;
use crate::model::ProcessType;

/// The process types that restart when files change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchList {
    /// Each with the patterns of its files, relative to the root. No pattern: all files.
    pub types: Vec<(ProcessType, Vec<String>)>,
}

/// Why a list cannot be used. `Status::Usage`, or `Status::Config` if it comes from `.foreman`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchListError {
    /// An item has nothing where a process type or a pattern belongs.
    #[error("`{item}` does not say which files are watched for which process type")]
    NoPattern {
        /// The item.
        item: String,
    },
    /// The Procfile has no such process type.
    #[error("the Procfile has no process type `{name}`")]
    UnknownType {
        /// The name that was given.
        name: String,
        /// What was probably meant, or which types exist.
        hint: String,
    },
    /// The release command runs once for each release (S8.1).
    #[error("`release` does not restart when files change")]
    Release,
    /// Only files of the app are watched.
    #[error("`{pattern}` is outside the root of the app")]
    Outside {
        /// The pattern.
        pattern: String,
    },
}

impl WatchListError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoPattern { .. } => "write `web=src`, `web=src,config/*.yml`, or `web` for all files".to_owned(),
            Self::UnknownType { hint, .. } => hint.clone(),
            Self::Release => "leave it out; `dyno release` runs it by hand".to_owned(),
            Self::Outside { .. } => "start the app in a directory that contains those files".to_owned(),
        }
    }
}

impl WatchList {
    /// Reads lists such as `web=src,config/*.yml` and `web,worker`: after an item with `=`, an item without `=` is
    /// another pattern; otherwise it is another process type. `types`: the process types in the Procfile
    /// without `release`.
    ///
    /// # Errors
    /// The first item that cannot be used.
    pub fn parse<'a>(lists: impl IntoIterator<Item = &'a str>, types: &[ProcessType]) -> Result<Self, WatchListError> {
        let mut read = Self::default();
        for list in lists {
            let mut takes_patterns = false;
            for item in list.split(',') {
                match (item.split_once('='), read.types.last_mut()) {
                    (Some((name, first)), _) => {
                        let process_type = known(name.trim(), types)?;
                        read.types.push((process_type, vec![pattern(first, item)?]));
                        takes_patterns = true;
                    }
                    (None, Some((_, patterns))) if takes_patterns => patterns.push(pattern(item, item)?),
                    (None, _) => read.types.push((known(item.trim(), types)?, Vec::new())),
                }
            }
        }
        Ok(read)
    }
}

fn pattern(text: &str, item: &str) -> Result<String, WatchListError> {
    let trimmed = text.trim();
    let pattern = trimmed.strip_prefix("./").unwrap_or(trimmed);
    if pattern.is_empty() {
        return Err(WatchListError::NoPattern { item: item.to_owned() });
    }
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        return Err(WatchListError::Outside { pattern: trimmed.to_owned() });
    }
    Ok(pattern.to_owned())
}

fn known(name: &str, types: &[ProcessType]) -> Result<ProcessType, WatchListError> {
    match types.iter().find(|known| known.as_str() == name) {
        Some(found) => Ok(found.clone()),
        None if name.is_empty() => Err(WatchListError::NoPattern { item: name.to_owned() }),
        None if name == "release" => Err(WatchListError::Release),
        None => {
            let hint = instead_of(name, types.iter().map(ProcessType::as_str));
            Err(WatchListError::UnknownType { name: name.to_owned(), hint })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &str) -> Result<Vec<(String, String)>, WatchListError> {
        let types: Vec<ProcessType> = ["web", "worker"].iter().map(|name| ProcessType::new(name).unwrap()).collect();
        let list = WatchList::parse([list], &types)?;
        Ok(list.types.iter().map(|(name, patterns)| (name.to_string(), patterns.join(" "))).collect())
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, patterns)| ((*name).to_owned(), (*patterns).to_owned())).collect()
    }

    #[test]
    fn s14_3_a_list_names_types_with_their_patterns() {
        assert_eq!(parsed("web"), Ok(pairs(&[("web", "")])));
        assert_eq!(parsed("web,worker"), Ok(pairs(&[("web", ""), ("worker", "")])));
        assert_eq!(parsed("web=src"), Ok(pairs(&[("web", "src")])));
        assert_eq!(parsed("web=./src, config/**/*.rb"), Ok(pairs(&[("web", "src config/**/*.rb")])));
        assert_eq!(parsed("web=src,worker=lib,bin"), Ok(pairs(&[("web", "src"), ("worker", "lib bin")])));
        assert_eq!(parsed("web,worker=lib"), Ok(pairs(&[("web", ""), ("worker", "lib")])));
    }

    #[test]
    fn s14_3_an_invalid_list_is_refused_with_a_hint() {
        let refused = |list| parsed(list).map_err(|error| (error.to_string(), error.hint())).unwrap_err();

        assert_eq!(refused("wbe").0, "the Procfile has no process type `wbe`");
        assert_eq!(refused("wbe").1, "did you mean `web`?");
        assert_eq!(refused("web=").0, "`web=` does not say which files are watched for which process type");
        assert_eq!(refused("release").0, "`release` does not restart when files change");
        assert_eq!(refused("web=../lib").0, "`../lib` is outside the root of the app");
        assert_eq!(refused("web=/etc").0, "`/etc` is outside the root of the app");
        assert_eq!(refused("=src").0, "`` does not say which files are watched for which process type");
    }
}
