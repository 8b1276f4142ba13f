//! A change of one config var.

use super::Secret;

/// What to do with one config var.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvChange {
    /// Its name: `[A-Za-z_0-9.-]+` (S2.2).
    pub key: String,
    /// Its new value. None removes it.
    pub value: Option<Secret>,
}
