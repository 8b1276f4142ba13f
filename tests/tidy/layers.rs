//! The table of layers, read from the documentation of the crate: each exists once.
//!
//! A row is `a, b  <-  c  <-  d   note`: `c` may use `a` and `b`, and `d` all three. `all of these` means every layer of
//! the rows above.

use std::sync::LazyLock;

const CRATE: &str = include_str!("../../src/lib.rs");

/// A layer and its rules.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    /// Which other layers it may use.
    pub(crate) may_use: Vec<&'static str>,
    /// No files, processes, network, threads or clocks.
    pub(crate) is_pure: bool,
    /// Neither threads nor tokio.
    pub(crate) has_no_threads: bool,
}

static LAYERS: LazyLock<Vec<Layer>> = LazyLock::new(|| table(CRATE));

/// The rules of a layer. None: there is no such layer.
pub(crate) fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// The names of the pure layers.
pub(crate) fn pure() -> impl Iterator<Item = &'static str> {
    LAYERS.iter().filter(|layer| layer.is_pure).map(|layer| layer.name)
}

fn table(text: &'static str) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("//! ")).filter(|line| line.contains("  <-  ")) {
        let (row, note) = row.split_once("   ").map_or((row, ""), |(row, note)| (row, note.trim_start()));
        let mut before: Vec<&'static str> = Vec::new();
        for (at, names) in row.trim_end().split("  <-  ").enumerate() {
            let names: Vec<&'static str> = match names {
                "all of these" => layers.iter().map(|layer| layer.name).collect(),
                names => names.split(", ").collect(),
            };
            // The first layer uses no other.
            let is_defined_here = at > 0 || layers.is_empty();
            for name in names.iter().filter(|_| is_defined_here) {
                assert!(layers.iter().all(|known| known.name != *name), "`{name}` has two rows");
                let is_pure = note.starts_with("pure");
                let has_no_threads = is_pure || note.contains("no threads");
                layers.push(Layer { name, may_use: before.clone(), is_pure, has_no_threads });
            }
            let unknown = names.iter().find(|name| layers.iter().all(|known| known.name != **name));
            assert_eq!(unknown, None, "a layer is used above its own row");
            before.extend(names);
        }
    }
    layers
}
