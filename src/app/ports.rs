//! The `PORT` of every dyno (S5.1, S5.2) and the arithmetic of `-p auto` (S5.4).
//!
//! Pure: whether a port is in use and who holds a block is found out in `runtime`.

use std::collections::HashMap;

use super::{DynoName, Formation, ProcessType};

#[cfg(test)]
mod tests;

/// First port where nothing says otherwise (foreman).
pub const DEFAULT_BASE: u16 = 5_000;

/// The first port of the blocks that `-p auto` tries (S5.4). Not [`DEFAULT_BASE`]: a smoke beside a running app would
/// drive the app from its usual ports, and browsers refuse some of those between 5000 and 10000.
const FIRST_BLOCK: u16 = 20_000;

/// If the ports for outgoing connections begin so low that hardly a block fits below them, blocks end at
/// [`LAST_BLOCK_END`] instead.
const LOW_EPHEMERAL: u16 = 21_000;

/// The port after the last one of the blocks on a system whose ports for outgoing connections begin low.
const LAST_BLOCK_END: u16 = 32_768;

/// Ports from one process type to the next (foreman).
pub const DEFAULT_STEP: u16 = 100;

/// Ports that `-p auto` reserves as one: blocks begin and end at multiples of it, so that two runs with blocks of
/// different sizes meet at the same locks.
pub const BLOCK_UNIT: u16 = 10;

/// Why the dynos cannot be given ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The base is no port number. The text itself may be a secret and is not kept, except an option's.
    #[error("{from} is no port number from 1 to 65535")]
    BadBase {
        /// Where it came from, such as `` `-p 0` `` or `` `PORT` in the shell ``.
        from: String,
    },
    /// A port over 65535.
    #[error("`{dyno}` would get port {port}, and the last one is 65535")]
    OutOfRange {
        /// Whose port.
        dyno: DynoName,
        /// The sum of the rule.
        port: u64,
    },
    /// Two dynos with one port.
    #[error("`{first}` and `{second}` would both get port {port}")]
    Collision {
        /// The one earlier in the Procfile.
        first: DynoName,
        /// The other one.
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
            Self::Collision { .. } => "set a larger `--port-step`, or `--port-step 0` to share one port",
        }
    }
}

/// The texts that may name the first port, each as it was found.
#[derive(Debug, Clone, Default)]
pub struct BaseSources<'a> {
    /// `-p`.
    pub option: Option<&'a str>,
    /// `PORT` of `--set`.
    pub setting: Option<&'a [u8]>,
    /// `port` of `.foreman`, a default of `-p`.
    pub foreman_file: Option<u16>,
    /// `PORT` of the `.env` files, with the words that say where it stands: `.env:7`.
    pub env_file: Option<(&'a str, &'a [u8])>,
    /// `PORT` of the shell.
    pub shell: Option<&'a [u8]>,
    /// With `--prefer-shell` the shell's comes before the file's.
    pub prefer_shell: bool,
}

/// The one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseSource<'a> {
    /// `-p`.
    Option(&'a str),
    /// `PORT` of `--set`.
    Setting(&'a [u8]),
    /// `port` of `.foreman`.
    ForemanFile(u16),
    /// `PORT` of a `.env` file, and where it stands.
    EnvFile(&'a str, &'a [u8]),
    /// `PORT` of the shell.
    Shell(&'a [u8]),
    /// None is set.
    Default,
}

/// Where the ports begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortBase {
    /// At this port.
    Fixed(u16),
    /// At the first free block (S5.4).
    Auto,
}

impl<'a> BaseSources<'a> {
    /// The first that is set: `-p`, `--set`, `.foreman`, `.env`, the shell (S5.2, S3.1). An empty text of a variable
    /// counts as not set.
    #[must_use]
    pub fn first(&self) -> BaseSource<'a> {
        let is_set = |text: &[u8]| !text.trim_ascii().is_empty();
        let file = self.env_file.filter(|(_, text)| is_set(text)).map(|(at, text)| BaseSource::EnvFile(at, text));
        let shell = self.shell.filter(|text| is_set(text)).map(BaseSource::Shell);
        let variable = if self.prefer_shell { shell.or(file) } else { file.or(shell) };
        let option = self.option.map(BaseSource::Option);
        let setting = self.setting.filter(|text| is_set(text)).map(BaseSource::Setting);
        let foreman_file = self.foreman_file.map(BaseSource::ForemanFile);
        option.or(setting).or(foreman_file).or(variable).unwrap_or(BaseSource::Default)
    }
}

impl BaseSource<'_> {
    /// What it says.
    ///
    /// # Errors
    /// [`PortError::BadBase`] naming the source.
    pub fn base(self) -> Result<PortBase, PortError> {
        match self {
            Self::Option("auto") => Ok(PortBase::Auto),
            Self::Option(text) => fixed(text.as_bytes(), || format!("`-p {text}`")),
            Self::Setting(text) => fixed(text, || "`PORT` of `--set`".to_owned()),
            Self::ForemanFile(port) => Ok(PortBase::Fixed(port)),
            Self::EnvFile(at, text) => fixed(text, || format!("`PORT` of {at}")),
            Self::Shell(text) => fixed(text, || "`PORT` of the shell".to_owned()),
            Self::Default => Ok(PortBase::Fixed(DEFAULT_BASE)),
        }
    }
}

fn fixed(text: &[u8], from: impl Fn() -> String) -> Result<PortBase, PortError> {
    parse_port(text).map(PortBase::Fixed).ok_or_else(|| PortError::BadBase { from: from() })
}

/// Reads a port number, 1..=65535, with blanks round it.
#[must_use]
pub fn parse_port(text: &[u8]) -> Option<u16> {
    let text = text.trim_ascii();
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok().filter(|port| *port > 0)
}

/// The port rule of one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    base: u16,
    step: u16,
    /// A map, not a list: a Procfile of any length may be given, and each dyno looks itself up.
    positions: HashMap<ProcessType, u64>,
}

impl Ports {
    /// `types`: all process types of the Procfile in its order, also those that are not started; `release` takes no
    /// place. `step`: ports from one type to the next; 0: all share the base.
    #[must_use]
    pub fn new(base: u16, step: u16, types: &[ProcessType]) -> Self {
        let counted = types.iter().filter(|known| !known.is_release()).cloned();
        Self { base, step, positions: counted.zip(0..).collect() }
    }

    /// The port of a dyno: `base + step × position + (index − 1)` (S5.1). None for a type that has no place.
    ///
    /// # Errors
    /// [`PortError::OutOfRange`] over 65535.
    pub fn port_of(&self, dyno: &DynoName) -> Result<Option<u16>, PortError> {
        let Some(position) = self.positions.get(&dyno.process_type) else { return Ok(None) };
        let places = position.saturating_mul(u64::from(self.step));
        let port = places.saturating_add(u64::from(self.base)).saturating_add(u64::from(dyno.index.saturating_sub(1)));
        match u16::try_from(port) {
            Ok(port) => Ok(Some(port)),
            Err(_) => Err(PortError::OutOfRange { dyno: dyno.clone(), port }),
        }
    }

    /// The ports of all dynos in start order.
    ///
    /// # Errors
    /// [`PortError`] for a port over 65535, or two dynos with one port unless the step is 0.
    pub fn assign(&self, formation: &Formation) -> Result<Vec<(DynoName, u16)>, PortError> {
        let mut assigned = Vec::new();
        let mut holders: HashMap<u16, DynoName> = HashMap::new();
        for dyno in formation.dynos() {
            let Some(port) = self.port_of(&dyno)? else { continue };
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

/// Size and step of the block of ports of one run of `-p auto` (S5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBlock {
    /// Ports from one process type to the next: the largest quantity, rounded up to a multiple of ten.
    pub step: u16,
    /// Ports of the whole block: step × number of process types.
    pub size: u32,
}

impl PortBlock {
    /// The block that a formation needs; `types`: how many process types the Procfile has, without `release`.
    #[must_use]
    pub fn for_formation(formation: &Formation, types: usize) -> Self {
        let step = formation.largest_quantity().max(1).next_multiple_of(BLOCK_UNIT);
        let types = u32::try_from(types.max(1)).unwrap_or(u32::MAX);
        Self { step, size: u32::from(step).saturating_mul(types) }
    }

    /// The first ports of the blocks to try, from 20000 up. Every block ends below `ephemeral`, the first port that the
    /// system gives to outgoing connections, unless that is lower than 21000: then it ends below 32768.
    pub fn candidates(self, ephemeral: u16) -> impl Iterator<Item = u16> {
        let end = if ephemeral < LOW_EPHEMERAL { LAST_BLOCK_END } else { ephemeral };
        let step = usize::try_from(self.size).unwrap_or(usize::MAX);
        let fits = move |base: &u16| u32::from(*base) + self.size <= u32::from(end);
        (FIRST_BLOCK..end).step_by(step).take_while(fits)
    }

    /// The units of ten ports that the block at `base` is made of, by their first ports: the block is ours while we
    /// hold the lock of every one.
    pub fn units(self, base: u16) -> impl Iterator<Item = u16> {
        let end = u32::from(base) + self.size;
        (base..=u16::MAX).step_by(usize::from(BLOCK_UNIT)).take_while(move |unit| u32::from(*unit) < end)
    }
}
