//! Ids that stay the same from one start to the next.

/// The start value and the multiplier of FNV-1a with 128 bits. The hash has to be stable and well spread, not secret:
/// it only tells apart the apps of one user.
const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// An id in the form of a UUID, made from these texts. The same texts always give the same id.
#[must_use]
pub fn stable_id(texts: &[&str]) -> String {
    // A byte that never occurs in UTF-8 separates the texts, so that `a`, `bc` and `ab`, `c` differ.
    let hash = stable_hash(texts.iter().flat_map(|text| text.bytes().chain([0xff])));
    // Version 8 (custom) and the variant of RFC 9562.
    let hash = hash & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let digits = format!("{hash:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// A hash of these bytes that is the same on every machine.
pub(super) fn stable_hash(bytes: impl Iterator<Item = u8>) -> u128 {
    bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_3_an_id_is_stable_and_depends_on_every_text() {
        let id = stable_id(&["app", "/srv/shop"]);

        assert_eq!(id, stable_id(&["app", "/srv/shop"]));
        assert_ne!(id, stable_id(&["app/", "srv/shop"]));
        assert_ne!(stable_id(&["a", "bc"]), stable_id(&["ab", "c"]));
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(
            (parts, id.as_bytes()[14], b"89ab".contains(&id.as_bytes()[19])),
            (vec![8, 4, 4, 4, 12], b'8', true)
        );
    }
}
