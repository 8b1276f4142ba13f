//! Parses the arguments of `ps:scale` and applies them to a quantity.

use super::error::FormationError;
use super::{MAX_QUANTITY, read_quantity, unknown_type};
use crate::model::ProcessType;

/// A change to the quantity of one process type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// `web=3`.
    To(u16),
    /// `web+1`.
    Up(u16),
    /// `web-1`.
    Down(u16),
}

impl Scale {
    /// Parses `web=3`, `web+1` or `web-1`. `types`: the process types of the Procfile. Unlike in `start`, an unknown
    /// type is an error even with quantity 0.
    ///
    /// Names may contain dashes: `my-clock-1` reduces `my-clock` by one.
    ///
    /// # Errors
    /// [`FormationError`] if the text has none of these forms, or the name is not among `types`.
    pub fn parse(text: &str, types: &[ProcessType]) -> Result<(ProcessType, Self), FormationError> {
        let text = text.trim();
        // `my-clock` alone does not reduce `my` by `clock`.
        if types.iter().any(|known| known.as_str() == text) {
            return Err(FormationError::NoQuantity { name: text.to_owned() });
        }
        let operator = text.rfind(['=', '+']).or_else(|| text.rfind('-'));
        let (name, rest) = operator
            .and_then(|at| text.split_at_checked(at))
            .ok_or_else(|| FormationError::NoQuantity { name: text.to_owned() })?;
        let name = name.trim();
        if name.is_empty() {
            return Err(FormationError::NoName { item: text.to_owned() });
        }
        let mut rest = rest.chars();
        let operator = rest.next();
        let amount = read_quantity(name, rest.as_str().trim())?;
        let process_type =
            types.iter().find(|known| known.as_str() == name).ok_or_else(|| unknown_type(name, types))?;
        if process_type.is_release() {
            return Err(FormationError::Release);
        }
        let scale = match operator {
            Some('+') => Self::Up(amount),
            Some('-') => Self::Down(amount),
            Some(_) | None => Self::To(amount),
        };
        Ok((process_type.clone(), scale))
    }

    /// The new quantity, at least 0. None if it would be over [`MAX_QUANTITY`].
    #[must_use]
    pub fn apply(self, current: u16) -> Option<u16> {
        let quantity = match self {
            Self::To(quantity) => quantity,
            Self::Up(more) => current.saturating_add(more),
            Self::Down(fewer) => current.saturating_sub(fewer),
        };
        (quantity <= MAX_QUANTITY).then_some(quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Vec<ProcessType> {
        ["web", "release", "my-clock"].iter().map(|name| ProcessType::new(name).unwrap()).collect()
    }

    #[test]
    fn a_quantity_is_set_increased_or_decreased() {
        let parse = |text: &str| Scale::parse(text, &types()).map(|(name, scale)| (name.to_string(), scale));

        assert_eq!(parse("web=3"), Ok(("web".to_owned(), Scale::To(3))));
        assert_eq!(parse(" web = 0 "), Ok(("web".to_owned(), Scale::To(0))));
        assert_eq!(parse("my-clock+2"), Ok(("my-clock".to_owned(), Scale::Up(2))));
        assert_eq!(parse("my-clock-1"), Ok(("my-clock".to_owned(), Scale::Down(1))));
    }

    #[test]
    fn an_error_names_the_mistake_in_an_invalid_argument() {
        let error = |text: &str| Scale::parse(text, &types()).unwrap_err().to_string();

        assert_eq!(error("web"), "`web` has no quantity");
        assert_eq!(error("my-clock"), "`my-clock` has no quantity");
        assert_eq!(error("my-cloc"), "`cloc` is not a quantity for `my`");
        assert_eq!(error("wbe=0"), "the Procfile has no process type `wbe`");
        assert_eq!(error("release=1"), "`release` is the release phase and never part of the formation");
        assert_eq!(error("=1"), "`=1` has no process type before the `=`");
        assert_eq!(error("web=1001"), "`1001` is too many dynos of `web`: the limit is 1000");
    }

    #[test]
    fn a_quantity_stays_between_0_and_1000() {
        assert_eq!(Scale::Down(3).apply(2), Some(0));
        assert_eq!(Scale::Up(2).apply(998), Some(1_000));
        assert_eq!(Scale::Up(1).apply(1_000), None);
        assert_eq!(Scale::To(5).apply(1), Some(5));
    }
}
