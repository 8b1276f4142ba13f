//! The `PORT` of every dyno (S5.1, S5.2) and the arithmetic of `-p auto` (S5.4).
//!
//! Pure: whether a port is in use and who holds a block is found out in `runtime`.

use std::collections::HashMap;

use super::{DynoName, Formation, ProcessType};

/// First port where nothing says otherwise (foreman).
pub const DEFAULT_BASE: u16 = 5_000;

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
    /// `port` of `.foreman`, a default of `-p`, with the words that say where it stands: `.foreman:3`.
    pub foreman_file: Option<(&'a str, u16)>,
    /// `PORT` of the `.env` files, with the words that say where it stands: `.env:7`.
    pub env_file: Option<(&'a str, &'a [u8])>,
    /// `PORT` of the shell.
    pub shell: Option<&'a [u8]>,
    /// With `--prefer-shell` the shell's comes before the file's.
    pub prefer_shell: bool,
}

/// Where the ports begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortBase {
    /// At this port.
    Fixed(u16),
    /// At the first free block (S5.4).
    Auto,
}

impl PortBase {
    /// The first source that is set: `-p`, `.foreman`, `.env`, the shell, else 5000 (S5.2). An empty text counts as
    /// not set.
    ///
    /// # Errors
    /// [`PortError::BadBase`] naming the source.
    pub fn choose(sources: &BaseSources<'_>) -> Result<Self, PortError> {
        if let Some(text) = sources.option {
            if text == "auto" {
                return Ok(Self::Auto);
            }
            return fixed(text.as_bytes(), || format!("`-p {text}`"));
        }
        if let Some((_, port)) = sources.foreman_file {
            return Ok(Self::Fixed(port));
        }
        let set = |text: &&[u8]| !text.trim_ascii().is_empty();
        let file = || {
            let (at, text) = sources.env_file.filter(|(_, text)| set(text))?;
            Some(fixed(text, || format!("`PORT` of {at}")))
        };
        let shell = || sources.shell.filter(set).map(|text| fixed(text, || "`PORT` of the shell".to_owned()));
        let found = if sources.prefer_shell { shell().or_else(file) } else { file().or_else(shell) };
        found.unwrap_or(Ok(Self::Fixed(DEFAULT_BASE)))
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
    types: Vec<ProcessType>,
}

impl Ports {
    /// `types`: all process types of the Procfile in its order, also those that are not started; `release` takes no
    /// place. `step`: ports from one type to the next; 0: all share the base.
    #[must_use]
    pub fn new(base: u16, step: u16, types: &[ProcessType]) -> Self {
        Self { base, step, types: types.iter().filter(|known| !known.is_release()).cloned().collect() }
    }

    /// The port of a dyno: `base + step × position + (index − 1)` (S5.1). None for a type that has no place.
    ///
    /// # Errors
    /// [`PortError::OutOfRange`] over 65535.
    pub fn port_of(&self, dyno: &DynoName) -> Result<Option<u16>, PortError> {
        let Some(position) = self.types.iter().position(|known| *known == dyno.process_type) else {
            return Ok(None);
        };
        let places = u64::try_from(position).unwrap_or(u64::MAX).saturating_mul(u64::from(self.step));
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

    /// The first ports of the blocks to try, from 5000 up; every block ends below `ephemeral`, the first port that
    /// the system gives to outgoing connections.
    pub fn candidates(self, ephemeral: u16) -> impl Iterator<Item = u16> {
        let step = usize::try_from(self.size).unwrap_or(usize::MAX);
        let fits = move |base: &u16| u32::from(*base) + self.size <= u32::from(ephemeral);
        (DEFAULT_BASE..ephemeral).step_by(step).take_while(fits)
    }

    /// The units of ten ports that the block at `base` is made of, by their first ports: the block is ours while we
    /// hold the lock of every one.
    pub fn units(self, base: u16) -> impl Iterator<Item = u16> {
        let end = u32::from(base) + self.size;
        (base..=u16::MAX).step_by(usize::from(BLOCK_UNIT)).take_while(move |unit| u32::from(*unit) < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::app::FormationRequest;

    fn types(names: &[&str]) -> Vec<ProcessType> {
        names.iter().map(|name| ProcessType::new(name).unwrap()).collect()
    }

    fn formation(types: &[ProcessType], whole: &str) -> Formation {
        let request = FormationRequest { whole: Some(whole), ..FormationRequest::default() };
        Formation::resolve(types, &request).unwrap().0
    }

    fn assigned(base: u16, step: u16, names: &[&str], whole: &str) -> Result<Vec<String>, String> {
        let types = types(names);
        let ports = Ports::new(base, step, &types).assign(&formation(&types, whole));
        let shown = |ports: Vec<(DynoName, u16)>| ports.iter().map(|(dyno, port)| format!("{dyno} {port}")).collect();
        ports.map(shown).map_err(|error| error.to_string())
    }

    #[test]
    fn the_position_counts_every_process_type_of_the_procfile_but_release() {
        let names = ["web", "release", "worker", "clock"];

        assert_eq!(assigned(5000, 100, &names, "all=1").unwrap(), ["web.1 5000", "worker.1 5100", "clock.1 5200"]);
        assert_eq!(assigned(5000, 100, &names, "worker=2").unwrap(), ["worker.1 5100", "worker.2 5101"]);
    }

    #[test]
    fn with_step_0_all_process_types_share_the_base() {
        assert_eq!(
            assigned(3000, 0, &["web", "css"], "all=2").unwrap(),
            ["web.1 3000", "web.2 3001", "css.1 3000", "css.2 3001"]
        );
    }

    #[test]
    fn two_dynos_with_one_port_are_both_named() {
        let collision = assigned(5000, 1, &["web", "worker"], "web=2,worker=1").unwrap_err();

        assert_eq!(collision, "`web.2` and `worker.1` would both get port 5001");
    }

    #[test]
    fn a_port_over_65535_names_the_dyno() {
        assert_eq!(assigned(65_535, 100, &["web"], "web=1").unwrap(), ["web.1 65535"]);
        assert_eq!(
            assigned(65_500, 100, &["web", "worker"], "all=1").unwrap_err(),
            "`worker.1` would get port 65600, and the last one is 65535"
        );
    }

    #[test]
    fn the_base_is_the_option_then_the_file_then_the_shell_then_5000() {
        let all = BaseSources {
            option: Some("9000"),
            foreman_file: Some((".foreman:1", 8000)),
            env_file: Some((".env:2", b"7000")),
            shell: Some(b"6000"),
            prefer_shell: false,
        };
        let choose = |sources: BaseSources<'_>| PortBase::choose(&sources).unwrap();

        assert_eq!(choose(all.clone()), PortBase::Fixed(9000));
        let without = BaseSources { option: None, ..all };
        assert_eq!(choose(without.clone()), PortBase::Fixed(8000));
        let without = BaseSources { foreman_file: None, ..without };
        assert_eq!(choose(without.clone()), PortBase::Fixed(7000));
        assert_eq!(choose(BaseSources { prefer_shell: true, ..without.clone() }), PortBase::Fixed(6000));
        assert_eq!(choose(BaseSources { env_file: Some((".env:2", b"")), ..without }), PortBase::Fixed(6000));
        assert_eq!(choose(BaseSources::default()), PortBase::Fixed(DEFAULT_BASE));
        assert_eq!(choose(BaseSources { option: Some("auto"), ..BaseSources::default() }), PortBase::Auto);
    }

    #[test]
    fn a_text_that_is_no_port_names_where_it_came_from_and_shows_only_an_option() {
        let told = |sources: BaseSources<'_>| PortBase::choose(&sources).unwrap_err().to_string();

        assert_eq!(
            told(BaseSources { option: Some("abc"), ..BaseSources::default() }),
            "`-p abc` is no port number from 1 to 65535"
        );
        assert_eq!(
            told(BaseSources { env_file: Some((".env:2", b"0")), ..BaseSources::default() }),
            "`PORT` of .env:2 is no port number from 1 to 65535"
        );
        assert_eq!(
            told(BaseSources { shell: Some(b"65536"), ..BaseSources::default() }),
            "`PORT` of the shell is no port number from 1 to 65535"
        );
    }

    #[test]
    fn a_block_is_ten_ports_a_type_or_as_many_as_its_largest_quantity_needs() {
        let types = types(&["web", "worker"]);

        let one = PortBlock::for_formation(&formation(&types, "all=1"), 2);
        let many = PortBlock::for_formation(&formation(&types, "web=11"), 2);

        assert_eq!(one, PortBlock { step: 10, size: 20 });
        assert_eq!(many, PortBlock { step: 20, size: 40 });
        assert_eq!(one.candidates(32_768).take(3).collect::<Vec<_>>(), [5000, 5020, 5040]);
        assert_eq!(one.candidates(5_045).collect::<Vec<_>>(), [5000, 5020]);
        assert_eq!(one.units(5020).collect::<Vec<_>>(), [5020, 5030]);
    }

    #[test]
    fn no_block_fits_where_there_are_too_few_ports() {
        let block = PortBlock { step: 1_000, size: 100_000 };

        assert_eq!(block.candidates(32_768).next(), None);
        assert_eq!(block.candidates(0).next(), None);
    }

    proptest! {
        #[test]
        fn no_port_is_given_twice_unless_the_step_is_0(base in 1_u16.., step in 0_u16..300, a in 0..400, b in 0..400) {
            let types = types(&["a", "b"]);
            let given = Ports::new(base, step, &types).assign(&formation(&types, &format!("a={a},b={b}")));

            if let (Ok(given), true) = (given, step > 0) {
                let ports: std::collections::BTreeSet<u16> = given.iter().map(|(_, port)| *port).collect();
                prop_assert_eq!(ports.len(), given.len());
                prop_assert!(ports.iter().all(|port| *port >= base));
            }
        }

        #[test]
        fn every_block_ends_below_the_ephemeral_ports(step in 1_u16..100, types in 1_u32..50, ephemeral in 0_u16..) {
            let block = PortBlock { step: step * 10, size: u32::from(step) * 10 * types };

            for base in block.candidates(ephemeral) {
                prop_assert!(base >= DEFAULT_BASE && u32::from(base) + block.size <= u32::from(ephemeral));
            }
        }
    }
}
