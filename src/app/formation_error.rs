//! What can be wrong with a formation that was asked for, and the words for it (S4.4).

use super::formation::MAX_QUANTITY;
use super::nearest::did_you_mean;

/// Why a formation cannot be used. Exit status 2 (S11).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormationError {
    /// The Procfile has no such process type.
    #[error("the Procfile has no process type `{name}`")]
    UnknownType {
        /// What was asked for.
        name: String,
        /// The names most like it.
        nearest: Vec<String>,
        /// All that could have been asked for, in the order of the Procfile.
        known: Vec<String>,
    },
    /// `release` runs before the formation, never in it (S1.8).
    #[error("`release` is the release phase and never joins the formation")]
    Release,
    /// Nothing between two commas.
    #[error("an item of `{list}` is empty")]
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
    /// Not a number.
    #[error("`{text}` is no quantity of `{name}`")]
    BadQuantity {
        /// The process type.
        name: String,
        /// What stands after the `=`.
        text: String,
    },
    /// More than [`MAX_QUANTITY`].
    #[error("`{text}` dynos of `{name}` are more than {MAX_QUANTITY}")]
    TooMany {
        /// The process type.
        name: String,
        /// What stands after the `=`.
        text: String,
    },
}

impl FormationError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownType { nearest, known, .. } => did_you_mean(nearest).unwrap_or_else(|| {
                let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                if quoted.is_empty() { "it defines none".to_owned() } else { format!("it has {}", quoted.join(", ")) }
            }),
            Self::Release => {
                "leave it out: it runs by itself before the formation; `dyno release` runs it alone".to_owned()
            }
            Self::EmptyItem { .. } | Self::NoName { .. } => "write a list such as `web=2,worker=1`".to_owned(),
            Self::NoQuantity { name } => format!("write `{name}=1`"),
            Self::BadQuantity { name, .. } => format!("write a number, such as `{name}=1`"),
            Self::TooMany { name, .. } => format!("write at most `{name}={MAX_QUANTITY}`"),
        }
    }
}

/// What is odd about a formation that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormationWarning {
    /// Quantity 0 of a process type that the Procfile does not have: scripts shared by several apps do that.
    #[error("the Procfile has no process type `{name}` to leave out")]
    UnknownType {
        /// What was left out.
        name: String,
        /// The names most like it: then that one runs, which was not meant.
        nearest: Vec<String>,
    },
    /// `-m web=1,web=2`.
    #[error("`{name}` is given another quantity before `{name}={quantity}`, which counts")]
    Twice {
        /// The process type.
        name: String,
        /// The last one.
        quantity: u16,
    },
    /// `start web -c worker=2`: only the named ones run.
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
            Self::UnknownType { nearest, .. } => {
                did_you_mean(nearest).unwrap_or_else(|| "check the name, or leave it as it is".to_owned())
            }
            Self::Twice { name, .. } => format!("write `{name}` once"),
            Self::NotAmongTheNamed { name } => format!("name `{name}` too, or leave out its quantity"),
        }
    }
}
