//! Which process types start after others (S6.12): `--after`, else `after` in `.foreman`.

use crate::app::{ForemanFile, StartOrder, StartOrderError};
use crate::cli::OrderArgs;
use crate::model::ProcessType;

/// The order that was asked for, as text: which process types exist depends on the Procfile.
#[derive(Debug, Default)]
pub(crate) struct RequestedOrder {
    /// `TYPE=TYPE`, or `TYPE=TYPE+TYPE`.
    items: Vec<String>,
    /// The line of `.foreman` that sets the order. None: no line sets it, or the option wins.
    pub(crate) line: Option<usize>,
}

impl RequestedOrder {
    pub(super) fn new(option: &OrderArgs, file: &ForemanFile) -> Self {
        let items = &option.after;
        match &file.after {
            Some(setting) if items.is_empty() => Self { items: setting.value.clone(), line: Some(setting.line) },
            Some(_) | None => Self { items: items.clone(), line: None },
        }
    }

    /// The order. `types`: the process types in the Procfile without `release`.
    pub(crate) fn resolve(&self, types: &[ProcessType]) -> Result<StartOrder, StartOrderError> {
        StartOrder::parse(self.items.iter().map(String::as_str), types)
    }
}
