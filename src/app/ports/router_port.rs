//! Where the router of a start listens, and whose each port is (S16.1).

use std::fmt;

use crate::model::DynoName;

/// Where the router of a start listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterPort {
    /// On the base port. The ports of the dynos begin one step later.
    Base,
    /// On this port. The dynos have the same ports as without a router.
    At(u16),
}

/// What a port is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortOwner {
    /// The router.
    Router,
    /// A dyno.
    Dyno(DynoName),
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router => f.pad("router"),
            Self::Dyno(dyno) => dyno.fmt(f),
        }
    }
}
