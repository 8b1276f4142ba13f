//! Decides which block of ports a checkout gets (S5.5).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Checkouts, RegisteredCheckout};
use crate::api::id::stable_hash;
use crate::app::OwnBlock;

/// The block that a checkout gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenBlock {
    /// The block.
    pub block: OwnBlock,
    /// Why it is this one.
    pub origin: BlockOrigin,
}

/// Why a checkout gets the block that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockOrigin {
    /// The checkout had this one last time.
    Remembered,
    /// The checkout had no block, or one that is too small now. This block is to be remembered.
    New,
    /// The remembered block, which this value contains, is in use by another program. It stays the remembered one.
    InsteadOf(OwnBlock),
    /// It belongs to a copy (`--name`). Blocks of copies are not remembered.
    Copy,
}

impl Checkouts {
    /// The block that this directory had last time.
    #[must_use]
    pub fn block_of(&self, root: &Path) -> Option<OwnBlock> {
        self.of(root)?.block
    }

    /// Whether this directory has a block of at least `blocks` × 100 ports.
    #[must_use]
    pub fn has_block(&self, root: &Path, blocks: u16) -> bool {
        self.own_block(root, blocks, &|_| true).is_some_and(|(_, origin)| origin == BlockOrigin::Remembered)
    }

    /// A block of `blocks` × 100 ports for this directory: the one that it had, else the one that its path hashes to,
    /// else the next one that no existing directory has. None: all are taken. `is_free`: whether no other program uses
    /// a block; its second argument says whether that block is the remembered one.
    pub fn block_for(
        &self,
        root: &Path,
        blocks: u16,
        exists: impl Fn(&Path) -> bool,
        mut is_free: impl FnMut(OwnBlock, bool) -> bool,
    ) -> Option<GivenBlock> {
        let own = self.own_block(root, blocks, &exists);
        if let Some((block, origin)) = own
            && is_free(block, true)
        {
            return Some(GivenBlock { block, origin });
        }
        let hash = stable_hash(root.as_os_str().as_bytes().iter().copied());
        let origin = own.map_or(BlockOrigin::New, |(block, _)| BlockOrigin::InsteadOf(block));
        let mut others = OwnBlock::candidates(blocks, hash)
            .filter(|candidate| own.is_none_or(|(block, _)| block != *candidate))
            .filter(|candidate| !self.is_taken(*candidate, root, &exists));
        let block = others.find(|candidate| is_free(*candidate, false))?;
        Some(GivenBlock { block, origin })
    }

    /// A block of `blocks` × 100 ports for a copy (`--name`) of the app in this directory: the one in which the copy is
    /// running now, else the one that path and name hash to, else the next one that no existing directory has. It is
    /// never the block of the directory itself, even if that has not been used yet, so that the order of starts does
    /// not matter. None: all are taken. `is_free`: as in [`Checkouts::block_for`], but its second argument says whether
    /// the copy is running in that block.
    pub fn block_for_copy(
        &self,
        (root, copy): (&Path, &str),
        blocks: u16,
        exists: impl Fn(&Path) -> bool,
        runs_in: impl Fn(OwnBlock) -> bool,
        mut is_free: impl FnMut(OwnBlock, bool) -> bool,
    ) -> Option<GivenBlock> {
        let path = || root.as_os_str().as_bytes().iter().copied();
        let all = |hash| OwnBlock::candidates(blocks, hash).filter(|block| !self.is_taken(*block, root, &exists));
        let of_checkout = self.block_of(root).or_else(|| all(stable_hash(path())).next());
        let hash = stable_hash(path().chain([0]).chain(copy.bytes()));
        let others = || all(hash).filter(|block| of_checkout.is_none_or(|own| !own.overlaps(*block)));
        let current = others().filter(|block| runs_in(*block)).map(|block| (block, true));
        let mut tried = current.chain(others().map(|block| (block, false)));
        let (block, _) = tried.find(|(block, is_current)| is_free(*block, *is_current))?;
        Some(GivenBlock { block, origin: BlockOrigin::Copy })
    }

    /// The remembered block. If the app has grown, it is extended, provided that the next blocks belong to no other
    /// directory.
    fn own_block(&self, root: &Path, blocks: u16, exists: &impl Fn(&Path) -> bool) -> Option<(OwnBlock, BlockOrigin)> {
        let own = self.of(root)?.block?;
        if own.blocks() >= blocks {
            return Some((own, BlockOrigin::Remembered));
        }
        let extended = OwnBlock::new(own.first(), blocks).filter(|block| !self.is_taken(*block, root, exists))?;
        Some((extended, BlockOrigin::New))
    }

    /// Whether a part of this block belongs to another directory that exists.
    fn is_taken(&self, block: OwnBlock, root: &Path, exists: &impl Fn(&Path) -> bool) -> bool {
        let has_part =
            |other: &&RegisteredCheckout| other.path != root && other.block.is_some_and(|own| own.overlaps(block));
        self.0.iter().filter(has_part).any(|other| exists(&other.path))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SHOP: &str = "/srv/shop";

    fn known(text: &str) -> Checkouts {
        Checkouts::parse(text.as_bytes())
    }

    fn block(first: u16, blocks: u16) -> OwnBlock {
        OwnBlock::new(first, blocks).unwrap()
    }

    fn is_there(path: &Path) -> bool {
        !path.ends_with("gone")
    }

    /// The block of the shop if the blocks in `busy` are in use.
    fn given(known: &Checkouts, blocks: u16, busy: &[OwnBlock]) -> Option<GivenBlock> {
        let is_free = |block: OwnBlock, _| !busy.iter().any(|busy| busy.overlaps(block));
        known.block_for(Path::new(SHOP), blocks, is_there, is_free)
    }

    fn first(blocks: u16) -> OwnBlock {
        given(&Checkouts::default(), blocks, &[]).unwrap().block
    }

    fn next(of: OwnBlock) -> OwnBlock {
        block(if of.first() == 19_900 { 10_100 } else { of.first() + 100 }, 1)
    }

    #[test]
    fn s5_5_a_checkout_keeps_the_block_it_had() {
        let known = known("10700 shop /srv/shop\n");

        let expected = GivenBlock { block: block(10_700, 1), origin: BlockOrigin::Remembered };
        assert_eq!(given(&known, 1, &[]), Some(expected));
        assert!(known.has_block(Path::new(SHOP), 1) && !known.has_block(Path::new(SHOP), 2));
    }

    #[test]
    fn s5_5_a_new_checkout_gets_the_block_of_its_hash_or_the_next_free_one() {
        let (hashed, new) = (first(1), |block| Some(GivenBlock { block, origin: BlockOrigin::New }));
        let taken = known(&format!("{hashed} other /srv/other\n"));
        let gone = known(&format!("{hashed} other /srv/gone\n"));

        assert_eq!(given(&Checkouts::default(), 1, &[hashed]), new(next(hashed)));
        assert_eq!(given(&taken, 1, &[next(hashed)]), new(next(next(hashed))));
        assert_eq!(given(&gone, 1, &[]), new(hashed));
    }

    #[test]
    fn s5_5_a_remembered_block_in_use_is_replaced_for_one_run() {
        let own = block(10_700, 1);

        let given = given(&known("10700 shop /srv/shop\n"), 1, &[own]).unwrap();

        assert_eq!(given, GivenBlock { block: first(1), origin: BlockOrigin::InsteadOf(own) });
    }

    #[test]
    fn s5_5_an_app_that_grows_keeps_its_first_port_if_there_is_room() {
        let grown = GivenBlock { block: block(10_700, 2), origin: BlockOrigin::New };
        let neighbour = known("10700 shop /srv/shop\n10800 other /srv/other\n");

        assert_eq!(given(&known("10700 shop /srv/shop\n"), 2, &[]), Some(grown));
        assert_eq!(given(&neighbour, 2, &[]), Some(GivenBlock { block: first(2), origin: BlockOrigin::New }));
        let wide = block(10_700, 2);
        let expected = GivenBlock { block: wide, origin: BlockOrigin::Remembered };
        assert_eq!(given(&known("10700-10899 shop /srv/shop\n"), 1, &[]), Some(expected));
    }

    #[test]
    fn s5_5_there_is_no_block_if_all_are_taken() {
        let lines: Vec<String> = (101..200).map(|block| format!("{block}00 n{block} /srv/{block}\n")).collect();

        assert_eq!(given(&known(&lines.concat()), 1, &[]), None);
        assert_eq!(given(&Checkouts::default(), 1, &[block(10_100, 99)]), None);
        assert_eq!(given(&Checkouts::default(), 99, &[]).map(|given| given.block), Some(block(10_100, 99)));
    }

    /// The block of a copy of the shop if the blocks in `busy` are in use.
    fn of_copy(known: &Checkouts, copy: &str, runs_in: Option<OwnBlock>, busy: &[OwnBlock]) -> OwnBlock {
        let is_free = |block: OwnBlock, _| !busy.iter().any(|busy| busy.overlaps(block));
        let runs_in = |block| runs_in == Some(block);
        known.block_for_copy((Path::new(SHOP), copy), 1, is_there, runs_in, is_free).unwrap().block
    }

    #[test]
    fn s5_5_no_copy_gets_the_block_of_its_checkout() {
        let nothing = Checkouts::default();
        let copies: Vec<String> = (0..300).map(|number| format!("copy-{number}")).collect();
        let own = first(1);

        for copy in &copies {
            let given = of_copy(&nothing, copy, None, &[]);
            assert_ne!(given, own);
            // Whether the checkout has started before does not matter.
            assert_eq!(of_copy(&known(&format!("{own} shop {SHOP}\n")), copy, None, &[]), given);
            assert_ne!(of_copy(&known(&format!("{given} shop {SHOP}\n")), copy, None, &[]), given);
            assert_ne!(of_copy(&known(&format!("{given} other /srv/other\n")), copy, None, &[]), given);
        }
    }

    #[test]
    fn s5_5_starts_of_a_copy_share_the_block_in_which_it_runs() {
        let nothing = Checkouts::default();
        let usual = of_copy(&nothing, "copy", None, &[]);
        let other = of_copy(&nothing, "copy", None, &[usual]);

        assert_ne!(usual, other);
        assert_eq!(of_copy(&nothing, "copy", Some(other), &[]), other);
    }

    proptest! {
        /// Checkouts come, grow, lose their directories and find their blocks in use, in any order.
        #[test]
        fn s5_5_two_existing_checkouts_never_have_the_same_block(
            steps in prop::collection::vec((0_u8..20, 1_u16..4, 0_u16..99, any::<bool>()), 1..40),
        ) {
            let mut known = Checkouts::default();
            let mut gone = BTreeSet::new();
            for (checkout, blocks, busy, is_removed) in steps {
                let root = format!("/srv/{checkout}");
                gone.remove(&root);
                let busy = block(10_100 + busy * 100, 1);
                let exists = |path: &Path| !gone.contains(path.to_str().unwrap());
                let before = known.block_of(Path::new(&root));
                let given = known.block_for(Path::new(&root), blocks, exists, |block, _| !block.overlaps(busy));
                let Some(GivenBlock { block, origin }) = given else { continue };
                prop_assert!(block.blocks() >= blocks && !block.overlaps(busy));
                match origin {
                    BlockOrigin::Remembered => prop_assert_eq!(before, Some(block)),
                    BlockOrigin::New => drop(known.remember(Path::new(&root), &root[5..], Some(block), exists)),
                    BlockOrigin::InsteadOf(own) => prop_assert!(own.overlaps(busy)),
                    BlockOrigin::Copy => prop_assert!(false, "it is not a copy"),
                }
                let others = known.0.iter().filter(|other| other.path != Path::new(&root) && exists(&other.path));
                prop_assert!(others.filter_map(|other| other.block).all(|other| !other.overlaps(block)));
                if is_removed {
                    gone.insert(root);
                }
                prop_assert_eq!(Checkouts::parse(known.to_text().as_bytes()), known.clone());
            }
        }
    }
}
