//! The errors and warnings about a requested formation, with their messages (S4.4).

use super::MAX_QUANTITY;
use crate::app::parse_port;
use crate::app::text::nearest::{did_you_mean, some_of};

/// Why a formation cannot be used. `Status::Usage`, or `Status::Config` if the formation comes from `.foreman`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormationError {
    /// The Procfile has no such process type.
    #[error("the Procfile has no process type `{name}`")]
    UnknownType {
        /// The name that was given.
        name: String,
        /// The most similar names.
        nearest: Vec<String>,
        /// All names that could have been given, in the order of the Procfile.
        known: Vec<String>,
    },
    /// `release` runs before the formation, never in it (S1.8).
    #[error("`release` is the release phase and never part of the formation")]
    Release,
    /// There is nothing between two commas.
    #[error("`{list}` has an empty item")]
    EmptyItem {
        /// The whole list.
        list: String,
    },
    /// `=1`.
    #[error("`{item}` has no process type before the `=`")]
    NoName {
        /// The item.
        item: String,
    },
    /// `web` or `web=` where a quantity is needed.
    #[error("`{name}` has no quantity")]
    NoQuantity {
        /// The process type.
        name: String,
    },
    /// The quantity is not a number.
    #[error("`{text}` is not a quantity for `{name}`")]
    BadQuantity {
        /// The process type.
        name: String,
        /// The text after the `=`.
        text: String,
    },
    /// The quantity is over [`MAX_QUANTITY`].
    #[error("`{text}` is too many dynos of `{name}`: the limit is {MAX_QUANTITY}")]
    TooMany {
        /// The process type.
        name: String,
        /// The text after the `=`.
        text: String,
    },
}

impl FormationError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownType { name, .. } if with_equals(name).is_some() => {
                format!("write `{}`", with_equals(name).unwrap_or_default())
            }
            // `dyno start --router 8080`.
            Self::UnknownType { name, nearest, .. } if nearest.is_empty() && parse_port(name.as_bytes()).is_some() => {
                format!("for a port, write `--router={name}` or `-p {name}`")
            }
            Self::UnknownType { nearest, known, .. } => did_you_mean(nearest).unwrap_or_else(|| known_types(known)),
            Self::Release => {
                "leave it out: it runs before the formation anyway; `dyno release` runs it alone".to_owned()
            }
            Self::EmptyItem { .. } | Self::NoName { .. } => "write a list such as `web=2,worker=1`".to_owned(),
            Self::NoQuantity { name } => {
                format!("write `{}`", with_equals(name).unwrap_or_else(|| format!("{name}=1")))
            }
            Self::BadQuantity { name, .. } => format!("write a number, such as `{name}=1`"),
            Self::TooMany { name, .. } => format!("write at most `{name}={MAX_QUANTITY}`"),
        }
    }
}

/// Something odd about a formation that is used nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormationWarning {
    /// Quantity 0 for a process type that is not in the Procfile. Scripts that several apps share do that.
    #[error("the Procfile has no process type `{name}` to leave out")]
    UnknownType {
        /// The name that was given.
        name: String,
        /// The most similar names. If the name is a typo, one of these runs although the user excluded it.
        nearest: Vec<String>,
        /// All names that could have been given, in the order of the Procfile.
        known: Vec<String>,
    },
    /// `-m web=1,web=2`.
    #[error("`{name}` has more than one quantity; `{name}={quantity}` is used")]
    Twice {
        /// The process type.
        name: String,
        /// The last one.
        quantity: u16,
    },
    /// `start web -c worker=2`: only `web` runs.
    #[error("the quantity of `{name}` has no effect: it is not among the process types to start")]
    NotAmongTheNamed {
        /// The process type.
        name: String,
    },
}

impl FormationWarning {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            // `dyno start --router 8080`.
            Self::UnknownType { name, nearest, .. } if nearest.is_empty() && parse_port(name.as_bytes()).is_some() => {
                format!("for a port, write `--router={name}` or `-p {name}`")
            }
            Self::UnknownType { nearest, known, .. } => did_you_mean(nearest).unwrap_or_else(|| known_types(known)),
            Self::Twice { name, .. } => format!("write `{name}` once"),
            Self::NotAmongTheNamed { name } => {
                format!("add `{name}` to the process types to start, or leave out its quantity")
            }
        }
    }
}

fn known_types(known: &[String]) -> String {
    if known.is_empty() { "it defines no process types".to_owned() } else { format!("it has {}", some_of(known)) }
}

/// `web=2` for `web:2`.
fn with_equals(item: &str) -> Option<String> {
    let (name, quantity) = item.split_once(':')?;
    let is_quantity = !name.is_empty() && !quantity.is_empty() && quantity.bytes().all(|byte| byte.is_ascii_digit());
    is_quantity.then(|| format!("{name}={quantity}"))
}
