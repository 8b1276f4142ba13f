//! The memory of dynos, by their size on the platform: `formation` of app.json names it (S18.4).

use super::super::yaml::YamlMap;

/// Names of a size, its memory in MiB, and how much of it a dyno may use before the platform kills it (R15).
const SIZES: &[(&[&str], u64, u64)] = &[
    (&["free", "eco", "hobby", "basic", "standard-1x"], 512, 1_024),
    (&["standard-2x"], 1_024, 2_048),
    (&["performance-m"], 2_560, 5_120),
    (&["performance-l"], 14_336, 28_672),
    (&["performance-l-ram"], 30_720, 36_864),
    (&["performance-xl"], 63_488, 75_776),
    (&["performance-2xl"], 129_024, 154_624),
    (&["private-s", "shield-s"], 1_024, 1_024),
    (&["private-m", "shield-m"], 2_560, 2_560),
    (&["private-l", "shield-l"], 14_336, 14_336),
];

/// What a container of this size asks for, and its limit. None: the size is unknown.
pub(super) fn resources(size: &str) -> Option<YamlMap> {
    let is_named = |name: &&str| name.eq_ignore_ascii_case(size);
    let (_, memory, limit) = SIZES.iter().find(|(names, _, _)| names.iter().any(is_named))?;
    let memory_of = |mebibytes: &u64| YamlMap::new().with("memory", format!("{mebibytes}Mi"));
    Some(YamlMap::new().with("requests", memory_of(memory)).with("limits", memory_of(limit)))
}
