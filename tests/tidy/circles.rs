//! Files of different folders that use each other in a circle: none of them can be understood or moved without the others.
//!
//! A module with a folder of its own (`lines.rs` and `lines/`) belongs to that folder. A folder may use the one around it
//! and the other way round, because a module and its parts are one thing; so may files of the same folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Source, rust, test_modules_of};

type Module = Vec<String>;

/// The files below `src` and what each of them uses.
struct Uses {
    /// Each module with the position of its file.
    files: BTreeMap<Module, usize>,
    /// The names that a module only passes on, with what they name.
    passed_on: BTreeMap<(Module, String), Module>,
    /// The modules that each module uses. Names that are passed on lead to the file that defines them.
    targets: BTreeMap<Module, BTreeSet<Module>>,
}

/// Every circle, reported once, at its first file.
pub(crate) fn circles(tree: &[Source]) -> Vec<String> {
    let uses = Uses::of(tree);
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.files.keys().map(|module| (module, uses.reached_from(module))).collect();
    let mut known: BTreeSet<&Module> = BTreeSet::new();
    let mut found = Vec::new();
    for (module, at) in &uses.files {
        let mutual = reached[module].iter().filter(|other| reached[*other].contains(module));
        let circle: Vec<&Module> = mutual.copied().collect();
        let folders: BTreeSet<Module> = circle.iter().map(|module| uses.folder(module)).collect();
        let is_one = |one: &Module, other: &Module| one.starts_with(other) || other.starts_with(one);
        let is_apart = folders.iter().any(|one| folders.iter().any(|other| !is_one(one, other)));
        if is_apart && !known.contains(module) {
            let paths: Vec<&str> = circle.iter().map(|module| tree[uses.files[*module]].path.as_str()).collect();
            found.push(tree[*at].at(1, &format!("these files use each other: {}", paths.join(", "))));
        }
        known.extend(circle);
    }
    found
}

impl Uses {
    fn of(tree: &[Source]) -> Self {
        let only_in_tests: Vec<Module> = tree.iter().flat_map(test_modules_of).collect();
        let module = |source: &Source| source.module().iter().map(|&part| part.to_owned()).collect::<Module>();
        let is_production = |module: &Module| !only_in_tests.iter().any(|prefix| module.starts_with(prefix));
        let sources = tree.iter().enumerate().filter(|(_, source)| source.is_rust() && source.path.starts_with("src/"));
        let files = sources.map(|(at, source)| (module(source), at)).filter(|(module, _)| is_production(module));
        let files: BTreeMap<Module, usize> = files.collect();
        let mut uses = Self { files, passed_on: BTreeMap::new(), targets: BTreeMap::new() };
        let mut named = Vec::new();
        for (module, at) in &uses.files {
            let (tokens, _) = rust::without_tests(&rust::tokens(&tree[*at].text));
            for path in rust::paths(&tokens) {
                let Some(full) = uses.absolute(module, &path.segments) else { continue };
                match full.last() {
                    Some(last) if path.is_passed_on => {
                        uses.passed_on.insert((module.clone(), last.clone()), full);
                    }
                    Some(_) => named.push((module.clone(), full)),
                    None => {}
                }
            }
        }
        for (module, path) in named {
            let target = uses.file_of(&path);
            // The root of the crate only lists the layers.
            if target != module && !target.is_empty() {
                uses.targets.entry(module).or_default().insert(target);
            }
        }
        uses
    }

    /// The path from the root of the crate. None: it leads out of it, or to something of the same file.
    fn absolute(&self, module: &Module, segments: &[String]) -> Option<Module> {
        // A single name is a keyword of `pub(super)`, or that of a part in `mod part;`.
        let first = segments.first().filter(|_| segments.len() > 1)?;
        let ups = segments.iter().take_while(|segment| *segment == "super").count();
        let (start, rest) = match first.as_str() {
            "crate" | "dynorun" => (&module[..0], &segments[1..]),
            "self" => (&module[..], &segments[1..]),
            "super" => (&module[..module.len().checked_sub(ups)?], &segments[ups..]),
            _ if self.files.contains_key(&[&module[..], &segments[..1]].concat()) => (&module[..], segments),
            _ => return None,
        };
        let rest = rest.iter().filter(|segment| *segment != "self" && *segment != "*");
        Some(start.iter().chain(rest).cloned().collect())
    }

    /// The module whose file defines what a path names.
    fn file_of(&self, path: &Module) -> Module {
        let mut path = path.clone();
        // A name is passed on a few times at most.
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length])).unwrap_or(0);
            let (module, rest) = path.split_at(length);
            let passed = rest.first().and_then(|name| self.passed_on.get(&(module.to_vec(), name.clone())));
            match passed {
                Some(passed) => path = [passed, &rest[1..]].concat(),
                None => return module.to_vec(),
            }
        }
        path
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Module> = self.targets.get(module).into_iter().flatten().collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(self.targets.get(module).into_iter().flatten());
            }
        }
        reached
    }

    /// The folder that a module belongs to.
    fn folder(&self, module: &Module) -> Module {
        let has_own = self.files.keys().any(|other| other.len() > module.len() && other.starts_with(module));
        let length = if has_own { module.len() } else { module.len().saturating_sub(1) };
        module[..length].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
        circles(&files.iter().map(source).collect::<Vec<_>>())
    }

    #[test]
    fn a_circle_between_two_folders_is_found_in_every_spelling() {
        let both = "src/logs/lines.rs:1: these files use each other: src/logs/lines.rs, src/logs/screen/show.rs";
        for (lines, show) in [
            ("use super::screen::show::Show;", "use crate::logs::lines::Lines;"),
            ("use crate::logs::{screen::show::{self, Show}};", "fn f() { super::super::lines::f() }"),
        ] {
            let parts = [("src/logs/screen.rs", "mod show;"), ("src/logs/lines/prompt.rs", "")];
            let files = [&[("src/logs/lines.rs", lines), ("src/logs/screen/show.rs", show)][..], &parts].concat();
            assert_eq!(found(&files), [both], "{lines}");
        }
    }

    #[test]
    fn a_name_that_a_module_passes_on_leads_to_the_file_that_defines_it() {
        let passing = "mod one;\nmod other;\npub use one::inner::One;\npub(crate) use self::other::inner::Other;";
        let files = [
            ("src/app/mod.rs", passing),
            ("src/app/one.rs", "pub mod inner;"),
            ("src/app/one/inner.rs", "use crate::app::Other;"),
            ("src/app/other.rs", "pub mod inner;"),
            ("src/app/other/inner.rs", "use super::super::One;"),
        ];
        let both = "src/app/one/inner.rs:1: these files use each other: src/app/one/inner.rs, src/app/other/inner.rs";
        assert_eq!(found(&files), [both]);
    }

    #[test]
    fn files_of_a_folder_and_parts_of_a_module_form_no_circle() {
        let one =
            ("src/app/one.rs", "use super::two::Two; mod part; #[cfg(test)] mod tests { use crate::logs::x::X; }");
        let two = ("src/app/two.rs", "use super::one::One;");
        let part = ("src/app/one/part.rs", "use super::One;");
        let x = ("src/logs/x.rs", "use crate::app::one::One;");
        assert_eq!(found(&[one, two, part, x]), [""; 0]);
    }
}
