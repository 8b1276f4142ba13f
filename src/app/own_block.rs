//! A checkout's own block of ports (S5.5).
//!
//! Pure. Not here: which checkout has which block (`api::Checkouts`), and which ports are free (`runtime`).

use std::fmt;
use std::ops::RangeInclusive;

use super::ports::PortBlock;
use crate::app::Formation;

/// Number of ports in a block.
const BLOCK_PORTS: u16 = 100;

/// The first ports of the first and the last block.
const FIRST_BLOCK: u16 = 10_100;
const LAST_BLOCK: u16 = 19_900;

/// How many blocks there are.
const BLOCKS: u16 = (LAST_BLOCK - FIRST_BLOCK) / BLOCK_PORTS + 1;

/// The block of a checkout: 100 ports, or as many neighbouring blocks of 100 ports as the app needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnBlock {
    first: u16,
    blocks: u16,
}

impl OwnBlock {
    /// `blocks` neighbouring blocks, of which the first begins with port `first`. None: there are no such blocks.
    #[must_use]
    pub fn new(first: u16, blocks: u16) -> Option<Self> {
        let position = first.checked_sub(FIRST_BLOCK).filter(|distance| distance % BLOCK_PORTS == 0)? / BLOCK_PORTS;
        let fits = blocks > 0 && u32::from(position) + u32::from(blocks) <= u32::from(BLOCKS);
        fits.then_some(Self { first, blocks })
    }

    /// Reads `10100`, or `10100-10299` for more than one block.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((first, last)) = text.split_once('-') else { return Self::new(text.parse().ok()?, 1) };
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        let ports = last.checked_sub(first)?.checked_add(1).filter(|ports| ports % BLOCK_PORTS == 0)?;
        Self::new(first, ports / BLOCK_PORTS)
    }

    /// All places for `blocks` neighbouring blocks. The hash selects the first place; after the highest place, the
    /// lowest one follows.
    pub fn candidates(blocks: u16, hash: u128) -> impl Iterator<Item = Self> {
        let start = u16::try_from(hash % u128::from(BLOCKS)).unwrap_or_default();
        let place = move |step: u16| Self::new(FIRST_BLOCK + (start + step) % BLOCKS * BLOCK_PORTS, blocks);
        (0..BLOCKS).filter_map(place)
    }

    /// The first port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// Number of blocks of 100 ports.
    #[must_use]
    pub fn blocks(self) -> u16 {
        self.blocks
    }

    /// All ports.
    #[must_use]
    pub fn ports(self) -> RangeInclusive<u16> {
        self.first..=self.first + (self.blocks * BLOCK_PORTS - 1)
    }

    /// Whether the two share a port.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.ports().contains(&other.first) || other.ports().contains(&self.first)
    }
}

impl fmt::Display for OwnBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.blocks {
            1 => write!(f, "{}", self.first),
            _ => write!(f, "{}-{}", self.ports().start(), self.ports().end()),
        }
    }
}

impl PortBlock {
    /// The size of the block that a checkout needs for this formation, a multiple of 100 ports. Without `step`, it
    /// has the step of `-p auto`. `types`: the number of process types in the Procfile, without `release`, and one
    /// more for a router.
    #[must_use]
    pub fn for_checkout(formation: &Formation, types: usize, step: Option<u16>) -> Self {
        let automatic = Self::for_formation(formation, types);
        let step = step.unwrap_or(automatic.step);
        let before_last = u32::try_from(types.saturating_sub(1)).unwrap_or(u32::MAX).saturating_mul(u32::from(step));
        let of_last = u32::from(formation.largest_quantity().max(1));
        let size = before_last.saturating_add(of_last).div_ceil(BLOCK_PORTS.into()).saturating_mul(BLOCK_PORTS.into());
        Self { step, size }
    }

    /// How many blocks of 100 ports that is. None: it is more than there are.
    #[must_use]
    pub fn own_blocks(self) -> Option<u16> {
        u16::try_from(self.size / u32::from(BLOCK_PORTS)).ok().filter(|blocks| *blocks <= BLOCKS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::app::FormationRequest;
    use crate::model::ProcessType;

    fn block(whole: &str, types: usize, step: Option<u16>) -> (u16, u32) {
        let names: Vec<ProcessType> = (0..types).map(|at| ProcessType::new(&format!("t{at}")).unwrap()).collect();
        let request = FormationRequest { whole: Some(whole), ..FormationRequest::default() };
        let block = PortBlock::for_checkout(&Formation::resolve(&names, &request).unwrap().0, types, step);
        (block.step, block.size)
    }

    #[test]
    fn s5_5_ten_types_with_ten_dynos_each_fit_into_one_block() {
        assert_eq!(block("all=1", 1, None), (10, 100));
        assert_eq!(block("all=10", 10, None), (10, 100));
        assert_eq!(block("all=1", 11, None), (10, 200));
        assert_eq!(block("all=11", 10, None), (20, 200));
        assert_eq!(block("all=1", 5, Some(100)), (100, 500));
        assert_eq!(block("all=101", 5, Some(0)), (0, 200));
    }

    #[test]
    fn s5_5_blocks_begin_at_10100_and_end_at_19999() {
        assert_eq!(OwnBlock::new(10_100, 99).map(OwnBlock::ports), Some(10_100..=19_999));
        for (first, blocks) in [(10_000, 1), (10_150, 1), (20_000, 1), (19_900, 2), (10_100, 100), (10_100, 0)] {
            assert_eq!(OwnBlock::new(first, blocks), None, "{first} {blocks}");
        }
        assert_eq!(PortBlock { step: 100, size: 9_900 }.own_blocks(), Some(99));
        assert_eq!(PortBlock { step: 100, size: 10_000 }.own_blocks(), None);
    }

    #[test]
    fn s5_5_a_block_is_read_as_it_is_written() {
        for text in ["10100", "19900", "10100-10299", "10200-19999"] {
            assert_eq!(OwnBlock::parse(text).map(|block| block.to_string()).as_deref(), Some(text));
        }
        for text in ["", "-", "x", "5000", "10100-", "10100-10250", "10299-10100", "0-65535", "10100-20099"] {
            assert_eq!(OwnBlock::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn s5_5_every_place_is_a_candidate_once(blocks in 1_u16..=99, hash: u128) {
            let all: Vec<u16> = OwnBlock::candidates(blocks, hash).map(OwnBlock::first).collect();

            prop_assert_eq!(all.len(), usize::from(BLOCKS + 1 - blocks));
            prop_assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        }

        #[test]
        fn s5_5_blocks_overlap_if_they_share_a_port(a in 0_u16..99, b in 0_u16..99, long in 1_u16..20) {
            let [one, other] = [(a, long), (b, 1)].map(|(at, blocks)| OwnBlock::new(FIRST_BLOCK + at * 100, blocks));
            if let (Some(one), Some(other)) = (one, other) {
                let shares = one.ports().any(|port| other.ports().contains(&port));
                prop_assert_eq!((one.overlaps(other), other.overlaps(one)), (shares, shares));
            }
        }
    }
}
