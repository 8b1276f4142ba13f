//! Decides the `PORT` of every dyno (S5.1) and which blocks `-p auto` tries (S5.4).
//!
//! Pure: `runtime` finds out whether a port is in use and which run holds a block.

use std::collections::HashMap;

use crate::app::Formation;
use crate::model::{DynoName, ProcessType};

mod router_port;
#[cfg(test)]
mod tests;

pub use router_port::{PortOwner, RouterPort};

/// First port if nothing sets another (foreman).
pub const DEFAULT_BASE: u16 = 5_000;

/// The first port of the blocks that `-p auto` tries (S5.4). Not [`DEFAULT_BASE`]: a smoke test beside a running app would
/// take the app's usual ports, and browsers refuse some ports between 5000 and 10000.
const FIRST_BLOCK: u16 = 20_000;

/// If the ports for outgoing connections begin below this, hardly any block fits before them, so blocks end at
/// [`LAST_BLOCK_END`] instead.
const LOW_EPHEMERAL: u16 = 21_000;

/// The end (exclusive) of the blocks if the ports for outgoing connections begin below [`LOW_EPHEMERAL`].
const LAST_BLOCK_END: u16 = 32_768;

/// Distance in ports from one process type to the next (foreman).
pub const DEFAULT_STEP: u16 = 100;

/// Number of ports that one lock of `-p auto` reserves. Blocks begin and end at multiples of it, so that two runs with
/// blocks of different sizes compete for the same locks.
pub const BLOCK_UNIT: u16 = 10;

/// Why the dynos cannot be given ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The base is not a port number. The text is kept only if it comes from `-p`: any other may be a secret.
    #[error("{from} is not a port number from 1 to 65535")]
    BadBase {
        /// Where it comes from, such as `` `-p 0` `` or `` `PORT` in the shell ``.
        from: String,
    },
    /// A port is over 65535.
    #[error("`{dyno}` would get port {port}, but the highest port is 65535")]
    OutOfRange {
        /// The dyno that would get the port.
        dyno: DynoName,
        /// The port that the rule gives.
        port: u64,
    },
    /// A port is outside of the block that the run has reserved (S5.4).
    #[error("`{dyno}` would get port {port}, but only ports below {end} are reserved")]
    OutsideBlock {
        /// The dyno that would get the port.
        dyno: DynoName,
        /// The port that the rule gives.
        port: u16,
        /// The end of the block.
        end: u32,
    },
    /// A dyno would get the port of the router.
    #[error("the router and `{dyno}` would both get port {port}")]
    Router {
        /// The dyno.
        dyno: DynoName,
        /// The port.
        port: u16,
    },
    /// Two dynos would get the same port.
    #[error("`{first}` and `{second}` would both get port {port}")]
    Collision {
        /// The dyno whose type is earlier in the Procfile.
        first: DynoName,
        /// The other dyno.
        second: DynoName,
        /// Their port.
        port: u16,
    },
}

impl PortError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadBase { .. } => "give a port such as `-p 5000`, or `-p auto`",
            Self::OutOfRange { .. } => "start from a lower port with `-p`, or set a smaller `--port-step`",
            Self::OutsideBlock { .. } => "start the app with that many dynos, so that enough ports are reserved",
            Self::Router { .. } => "choose another port for the router, such as `--router=8080`",
            Self::Collision { .. } => "set a larger `--port-step`, or `--port-step 0` to share one port",
        }
    }
}

/// The base port: fixed, or to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortBase {
    /// The ports begin here.
    Fixed(u16),
    /// The ports begin at the first free block (S5.4).
    Auto,
    /// No setting names a port: ports begin at [`DEFAULT_BASE`], or at the checkout's own block (S5.5).
    Checkout,
}

/// Parses a port number, 1..=65535. Surrounding blanks are ignored.
#[must_use]
pub fn parse_port(text: &[u8]) -> Option<u16> {
    let text = text.trim_ascii();
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok().filter(|port| *port > 0)
}

/// The rule that assigns ports in one start. By default, no dyno has a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports {
    base: u16,
    step: u16,
    /// The end of the reserved block, if there is one.
    block_end: Option<u32>,
    /// A map instead of a list, because every dyno is looked up and a Procfile may be very long.
    positions: HashMap<ProcessType, u64>,
    /// The ports of process types for which the block has no room.
    elsewhere: HashMap<ProcessType, PortRange>,
    /// Where the router listens, if there is one.
    router: Option<RouterPort>,
    /// Whether a new start would look for other ports.
    is_temporary: bool,
}

/// The reserved ports of one process type, outside of the block of its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The port of its first dyno.
    pub first: u16,
    /// The end (exclusive).
    pub end: u32,
}

impl Ports {
    /// `types`: all process types of the Procfile in its order, including those that are not started; `release` is not
    /// counted. `step`: the distance from one type to the next; with 0 all types share the base.
    #[must_use]
    pub fn new(base: u16, step: u16, types: &[ProcessType]) -> Self {
        let counted = types.iter().filter(|known| !known.is_release()).cloned();
        Self { base, step, positions: counted.zip(0..).collect(), ..Self::default() }
    }

    /// The rule for a block that is reserved: no dyno gets a port after it, even if dynos are added later.
    #[must_use]
    pub fn in_block(base: u16, block: PortBlock, types: &[ProcessType]) -> Self {
        Self { block_end: Some(u32::from(base).saturating_add(block.size)), ..Self::new(base, block.step, types) }
    }

    /// The same rule for a start with this router.
    #[must_use]
    pub fn with_router(self, router: Option<RouterPort>) -> Self {
        Self { router, ..self }
    }

    /// The same rule, which lasts only until the end of this start: the next one looks for other ports.
    #[must_use]
    pub fn of_one_start(self) -> Self {
        Self { is_temporary: true, ..self }
    }

    /// The same rule for a Procfile that has changed: every type that has or had a position keeps it, and new ones get the
    /// next positions. `spare`: the ports for types for which the block has no room.
    #[must_use]
    pub fn extended(mut self, types: &[ProcessType], spare: &HashMap<ProcessType, PortRange>) -> Self {
        for process_type in types.iter().filter(|known| !known.is_release()) {
            if self.positions.contains_key(process_type) {
                continue;
            }
            let position = u64::try_from(self.positions.len()).unwrap_or(u64::MAX);
            self.positions.insert(process_type.clone(), position);
            if let Some(range) = spare.get(process_type).filter(|_| !self.has_room_for(position)) {
                self.elsewhere.insert(process_type.clone(), *range);
            }
        }
        self
    }

    /// The port of the first dyno at a position. The router has the place before them.
    fn first_of(&self, position: u64) -> u64 {
        let place = position.saturating_add(u64::from(self.router == Some(RouterPort::Base)));
        place.saturating_mul(self.step.into()).saturating_add(self.base.into())
    }

    /// Whether all ports of a position are in the block, if there is one.
    fn has_room_for(&self, position: u64) -> bool {
        let end = self.first_of(position.saturating_add(1));
        self.block_end.is_none_or(|block_end| end <= block_end.into())
    }

    /// The rule of a new start with these types. None: it would look for other ports.
    #[must_use]
    pub fn of_new_start(&self, types: &[ProcessType]) -> Option<Self> {
        let rule = Self { block_end: self.block_end, router: self.router, ..Self::new(self.base, self.step, types) };
        let last = u64::try_from(rule.positions.len()).unwrap_or(u64::MAX).checked_sub(1)?;
        (!self.is_temporary && rule.has_room_for(last)).then_some(rule)
    }

    /// The first port: that of the router, or else of the first dyno of the first type.
    #[must_use]
    pub fn base(&self) -> u16 {
        self.base
    }

    /// The port of the router. None: there is no router.
    #[must_use]
    pub fn router(&self) -> Option<u16> {
        self.router.map(|router| match router {
            RouterPort::Base => self.base,
            RouterPort::At(port) => port,
        })
    }

    /// The ports that follow from the base: that of the router if it has the base port, and those of these dynos.
    #[must_use]
    pub fn owners(&self, dynos: &[(DynoName, u16)]) -> Vec<(PortOwner, u16)> {
        let router = (self.router == Some(RouterPort::Base)).then_some((PortOwner::Router, self.base));
        let dynos = dynos.iter().map(|(dyno, port)| (PortOwner::Dyno(dyno.clone()), *port));
        router.into_iter().chain(dynos).collect()
    }

    /// Whether several dynos get the same port, because all types begin with the base.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        self.step == 0
    }

    /// The port of a dyno: `base + step × position + (index − 1)` (S5.1), one step more after the router. None if the type has no position.
    ///
    /// # Errors
    /// [`PortError::OutOfRange`] if the port is over 65535; [`PortError::OutsideBlock`].
    pub fn port_of(&self, dyno: &DynoName) -> Result<Option<u16>, PortError> {
        let Some(position) = self.positions.get(&dyno.process_type) else { return Ok(None) };
        let (first, end) = match self.elsewhere.get(&dyno.process_type) {
            Some(range) => (range.first.into(), Some(range.end)),
            None => (self.first_of(*position), self.block_end),
        };
        let port = first.saturating_add(u64::from(dyno.index.saturating_sub(1)));
        match (u16::try_from(port), end) {
            (Ok(port), Some(end)) if u32::from(port) >= end => {
                Err(PortError::OutsideBlock { dyno: dyno.clone(), port, end })
            }
            (Ok(port), Some(_) | None) => Ok(Some(port)),
            (Err(_), _) => Err(PortError::OutOfRange { dyno: dyno.clone(), port }),
        }
    }

    /// The ports of all dynos in start order.
    ///
    /// # Errors
    /// [`PortError`] if a port is over 65535 or that of the router, or two dynos get the same port and the step is not 0.
    pub fn assign(&self, formation: &Formation) -> Result<Vec<(DynoName, u16)>, PortError> {
        let mut assigned = Vec::new();
        let mut holders: HashMap<u16, DynoName> = HashMap::new();
        for dyno in formation.dynos() {
            let Some(port) = self.port_of(&dyno)? else { continue };
            if self.router() == Some(port) {
                return Err(PortError::Router { dyno, port });
            }
            if let Some(first) = holders.insert(port, dyno.clone())
                && self.step > 0
            {
                return Err(PortError::Collision { first, second: dyno, port });
            }
            assigned.push((dyno, port));
        }
        Ok(assigned)
    }
}

/// The step and size of the block of ports that one run reserves with `-p auto` (S5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBlock {
    /// Distance from one process type to the next: the largest quantity, rounded up to a multiple of ten.
    pub step: u16,
    /// Number of ports in the block: step × number of process types, and of the router if it has a place there.
    pub size: u32,
}

impl PortBlock {
    /// The block that a formation needs. `types`: the number of process types in the Procfile, without `release`, and one
    /// more for a router.
    #[must_use]
    pub fn for_formation(formation: &Formation, types: usize) -> Self {
        let step = formation.largest_quantity().max(1).next_multiple_of(BLOCK_UNIT);
        let types = u32::try_from(types.max(1)).unwrap_or(u32::MAX);
        Self { step, size: u32::from(step).saturating_mul(types) }
    }

    /// The first port of each block to try, from 20000 up. Every block ends below `ephemeral`, the first port that the
    /// system uses for outgoing connections, unless that is lower than 21000: then it ends below 32768.
    pub fn candidates(self, ephemeral: u16) -> impl Iterator<Item = u16> {
        let end = if ephemeral < LOW_EPHEMERAL { LAST_BLOCK_END } else { ephemeral };
        let step = usize::try_from(self.size).unwrap_or(usize::MAX);
        let fits = move |base: &u16| u32::from(*base) + self.size <= u32::from(end);
        (FIRST_BLOCK..end).step_by(step).take_while(fits)
    }

    /// The first port of each unit of ten ports in the block at `base`. A run owns the block while it holds the lock of
    /// every unit.
    pub fn units(self, base: u16) -> impl Iterator<Item = u16> {
        let end = u32::from(base) + self.size;
        (base..=u16::MAX).step_by(usize::from(BLOCK_UNIT)).take_while(move |unit| u32::from(*unit) < end)
    }
}
