//! Which process types restart when files change (S14.3): `--watch`, else `watch` in `.foreman`.

use std::time::Duration;

use crate::app::{ForemanFile, WatchList, WatchListError};
use crate::cli::WatchArgs;
use crate::model::ProcessType;

/// The `delay` without `--watch-delay`.
const DEFAULT_DELAY: Duration = Duration::from_millis(200);

/// What was asked for, as text: which process types exist depends on the Procfile.
#[derive(Debug)]
pub(crate) struct RequestedWatch {
    /// `TYPE`, or `TYPE=PATTERN,PATTERN`.
    lists: Vec<String>,
    /// The line of `.foreman` that asks for it. None: no line does, or the option wins.
    pub(crate) line: Option<usize>,
    /// How long all files must stay unchanged before a change has an effect.
    pub(crate) delay: Duration,
}

/// Nothing is watched.
impl Default for RequestedWatch {
    fn default() -> Self {
        Self { lists: Vec::new(), line: None, delay: DEFAULT_DELAY }
    }
}

impl RequestedWatch {
    pub(super) fn new(option: &WatchArgs, file: &ForemanFile) -> Self {
        let delay = option.watch_delay.map_or(DEFAULT_DELAY, |milliseconds| Duration::from_millis(milliseconds.into()));
        match &file.watch {
            Some(setting) if option.watch.is_empty() => {
                Self { lists: vec![setting.value.clone()], line: Some(setting.line), delay }
            }
            Some(_) | None => Self { lists: option.watch.clone(), line: None, delay },
        }
    }

    /// The list. `types`: the process types in the Procfile without `release`.
    pub(crate) fn resolve(&self, types: &[ProcessType]) -> Result<WatchList, WatchListError> {
        WatchList::parse(self.lists.iter().map(String::as_str), types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_3_the_delay_is_200_ms_unless_the_option_says_otherwise() {
        let delay = |watch_delay| {
            let option = WatchArgs { watch: Vec::new(), watch_delay };
            RequestedWatch::new(&option, &ForemanFile::parse(b"watch: web\n")).delay.as_millis()
        };

        assert_eq!((delay(None), delay(Some(0)), delay(Some(1500))), (200, 0, 1500));
    }
}
