//! Checks the rules of the code base: which layer may import which, that no circle joins files of different folders, what
//! a pure layer may use, that type names are unique, file sizes, where `unsafe` is allowed, that no test sleeps or is
//! skipped, that no unfinished work is left, that cited rules exist, and wording.
//!
//! The table of layers is the one in the crate documentation. Every broken rule is reported with file and line. The
//! second half of this file feeds the checks with code that breaks them, to prove that they can fail.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken checker should say where")]

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/wording.rs"]
mod wording;

use std::path::Path;

/// The most lines that a file can have, with its unit tests. A longer one holds two ideas.
const MAX_LINES: usize = 400;

/// Not allowed in pure layers: files, environment, processes, network, threads, clocks.
const IMPURE: [&str; 11] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::thread",
    "tokio",
    "nix",
    "libc",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
];

/// Macros that panic on a closed pipe.
const PRINTS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// The only files with `unsafe`: mapped code, code between fork and exec, and received descriptors.
const UNSAFE: [&str; 3] = ["src/guardian/mapped_code.rs", "src/guardian/spawn.rs", "src/guardian/sys.rs"];

/// The only file with a sleep, which `until` uses.
const SLEEP: &str = "tests/it/harness.rs";

/// A file: its path from the root of the repository, and its text.
#[derive(Clone)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// `["app", "dyno"]` for `src/app/dyno.rs`, `["main"]` for the binary, and empty for the root of the crate.
    fn module(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        inner.split('/').filter(|part| *part != "mod" && *part != "lib").collect()
    }

    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|end| end == "rs")
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Every broken rule of these files, one line each.
fn broken_rules(tree: &[Source]) -> Vec<String> {
    let mut broken: Vec<String> = production_code(tree).flat_map(layer_rules).collect();
    broken.extend(tree.iter().filter(|source| source.is_rust()).flat_map(file_rules));
    broken.extend(tree.iter().flat_map(leftovers));
    broken
}

/// The Rust files of `src`, without those that only tests use.
fn production_code(tree: &[Source]) -> impl Iterator<Item = &Source> {
    let rust = || tree.iter().filter(|source| source.is_rust() && source.path.starts_with("src/"));
    let only_in_tests: Vec<Vec<String>> = rust().flat_map(test_modules_of).collect();
    rust().filter(move |source| {
        let module = source.module();
        !only_in_tests.iter().any(|prefix| module.len() >= prefix.len() && prefix == &module[..prefix.len()])
    })
}

fn test_modules_of(source: &Source) -> Vec<Vec<String>> {
    let (_, names) = rust::without_tests(&rust::tokens(&source.text));
    let module = source.module();
    let inside = |name: String| module.iter().map(|&part| part.to_owned()).chain([name]).collect();
    names.into_iter().map(inside).collect()
}

/// Checks what production code uses against the rules of its layer.
fn layer_rules(source: &Source) -> Vec<String> {
    let (tokens, _) = rust::without_tests(&rust::tokens(&source.text));
    let mut broken = Vec::new();
    for pair in tokens.windows(2) {
        if pair[1].text == "!" && PRINTS.contains(&pair[0].text.as_str()) {
            broken.push(source.at(pair[0].line, &format!("`{}!` panics on a closed pipe", pair[0].text)));
        }
    }
    let module = source.module();
    let Some(layer) = module.first() else { return broken };
    let Some(rules) = layers::layer(layer) else {
        broken.push(source.at(1, &format!("`{layer}` is not a layer of the table")));
        return broken;
    };
    for path in rust::paths(&tokens) {
        if rules.is_pure
            && let Some(word) = IMPURE.iter().find(|word| names(&path.segments, word))
        {
            broken.push(source.at(path.line, &format!("`{layer}` is pure and may not use `{word}`")));
        }
        let async_or_threads = ["tokio", "std::thread"].iter().any(|word| names(&path.segments, word));
        if rules.has_no_threads && async_or_threads {
            broken.push(source.at(path.line, &format!("`{layer}` has no threads and no tokio")));
        }
        match target_layer(&path.segments, &module) {
            Some(target) if target == *layer || rules.may_use.contains(&target.as_str()) => {}
            Some(target) => broken.push(source.at(path.line, &format!("`{layer}` may not use `{target}`"))),
            None => {}
        }
    }
    broken
}

/// Whether a path is `word` or begins with it. A type with a method (`Instant::now`) is found anywhere in the path.
fn names(segments: &[String], word: &str) -> bool {
    let word: Vec<&str> = word.split("::").collect();
    segments.starts_with(&word.iter().map(|&part| part.to_owned()).collect::<Vec<_>>())
        || word[0].starts_with(char::is_uppercase) && segments.windows(word.len()).any(|part| part == word)
}

/// The layer of this crate that a path leads to, if any.
fn target_layer(segments: &[String], module: &[&str]) -> Option<String> {
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    match segments[0].as_str() {
        "crate" | "dynorun" => segments.get(1).cloned(),
        "super" if ups >= module.len() => segments.get(ups).cloned(),
        _ => None,
    }
}

/// Checks the rules for every Rust file, tests included.
fn file_rules(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        broken.push(source.at(lines, &format!("{lines} lines, the limit is {MAX_LINES}")));
    }
    let name = source.path.rsplit('/').next().unwrap_or_default();
    if ["util", "helper", "manager", "handler", "misc", "common"].iter().any(|word| name.contains(word)) {
        broken.push(source.at(1, "a file is named after its main type"));
    }
    let tokens = rust::tokens(&source.text);
    for (index, token) in tokens.iter().enumerate() {
        let before = |count: usize| index.checked_sub(count).map_or("", |at| tokens[at].text.as_str());
        let text = token.text.as_str();
        if (text == "unsafe" || text == "unsafe_code") && !UNSAFE.contains(&source.path.as_str()) {
            broken.push(source.at(token.line, "`unsafe` is allowed in three other files only"));
        }
        if text == "ignore" && before(1) == "[" && before(2) == "#" {
            broken.push(source.at(token.line, "a skipped test proves nothing"));
        }
        let sleeps = text == "sleep" && (source.path.starts_with("tests/") || before(2) == "thread");
        if sleeps && source.path != SLEEP {
            broken.push(source.at(token.line, "wait for a condition with a deadline, do not sleep"));
        }
    }
    broken
}

/// Finds marks of unfinished work and paths of one developer's machine, in any file.
fn leftovers(source: &Source) -> Vec<String> {
    // Split in two, so that this file does not break its own rule.
    let marks = [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")].map(|(a, b)| format!("{a}{b}"));
    let phrases = [
        ("todo", "!("),
        ("unimple", "mented!("),
        ("for n", "ow"),
        ("place", "holder"),
        ("/wo", "rk/"),
        ("/tmp/", "wt"),
    ]
    .map(|(a, b)| format!("{a}{b}"));
    let mut broken = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let is_mark = |word: &str| marks.iter().any(|mark| mark == word);
        let mark = line.split(|c: char| !c.is_alphanumeric() && c != '_').find(|word| is_mark(word));
        let phrase = phrases.iter().map(String::as_str).find(|phrase| line.contains(phrase));
        if let Some(word) = mark.or(phrase) {
            broken.push(source.at(index + 1, &format!("`{word}` must not be committed")));
        }
    }
    broken
}

/// All text files of the repository that people write by hand.
fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && (!name.starts_with('.') || name == ".ci") {
                    folders.push(path);
                }
            } else if name != "Cargo.lock"
                && name != ".git"
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                found.push(Source { path: path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

#[test]
fn the_repository_keeps_its_rules() {
    let tree = tree();

    assert!(tree.iter().any(|source| source.path == "src/lib.rs"), "found no sources: {}", tree.len());
    let mut broken = broken_rules(&tree);
    broken.extend(circles::circles(&tree));
    broken.extend(names::repeated_types(&tree));
    broken.extend(rules::unknown_citations(&tree));
    broken.extend(rules::uncited_rules(&tree));
    broken.extend(tree.iter().flat_map(wording::faults));

    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn broken(path: &str, text: &str) -> Vec<String> {
    broken_rules(&[Source { path: path.to_owned(), text: text.to_owned() }])
}

fn assert_breaks(path: &str, text: &str, line: usize) {
    let broken = broken(path, text);
    assert!(broken.iter().any(|message| message.starts_with(&format!("{path}:{line}: "))), "{text:?}: {broken:?}");
}

#[test]
fn a_pure_layer_that_uses_the_system_is_found() {
    assert!(layers::pure().any(|layer| layer == "supervisor"));
    for layer in layers::pure() {
        let path = format!("src/{layer}/x.rs");
        assert_breaks(&path, "\nuse std::fs;", 2);
        assert_breaks(&path, "use std::{fmt, io::{self}, env::{self, var}};", 1);
        assert_breaks(&path, "fn f() {\n  std::process::exit(1)\n}", 2);
        assert_breaks(&path, "fn f() { ::std::net::TcpListener::bind(a); }", 1);
        assert_breaks(&path, "use std::thread as t;", 1);
        assert_breaks(&path, "use tokio::sync::mpsc;", 1);
        assert_breaks(&path, "type P = nix::unistd::Pid; type L = libc::c_int;", 1);
        assert_breaks(&path, "fn f() { let a = Instant::now(); }", 1);
        assert_breaks(&path, "fn f() { let a = std::time::SystemTime::now(); }", 1);
        assert_breaks(&path, "fn f() { let a = jiff::Timestamp::now(); }", 1);
        assert_breaks(&path, "fn f() { println!(\"x\"); }", 1);
    }
}

#[test]
fn tests_comments_and_strings_of_a_pure_layer_may_name_the_system() {
    assert_eq!(broken("src/app/x.rs", "//! Not `std::fs`.\n/* libc::c_int */ const A: &str = \"std::env\";"), [""; 0]);
    assert_eq!(broken("src/app/x.rs", "const A: &str = r#\"a \" std::env::var\"#; const C: char = '\"';"), [""; 0]);
    assert_eq!(broken("src/app/x.rs", "#[cfg(test)]\nmod tests {\n use std::fs; fn f() { {} }\n}\n"), [""; 0]);
    assert_breaks("src/app/x.rs", "#[cfg(test)]\nmod tests {\n fn f() { {} }\n}\nuse std::fs;", 5);
    assert_breaks("src/app/x.rs", "fn f<'a>(a: &'a str) { std::fs::read(\"'\"); }", 1);
}

#[test]
fn a_test_only_module_may_do_what_tests_do() {
    let module = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let parent = module("src/supervisor/mod.rs", "#[cfg(test)]\nmod histories;\nmod walk;\n");
    let clock = "fn f() { std::time::Instant::now(); }";
    let (test, production) = (module("src/supervisor/histories.rs", clock), module("src/supervisor/walk.rs", clock));

    assert_eq!(broken_rules(&[parent.clone(), test]), [""; 0]);
    assert_eq!(broken_rules(&[parent, production]).len(), 1);
}

#[test]
fn a_forbidden_import_is_found_in_every_spelling() {
    assert_breaks("src/app/x.rs", "use crate::logs::LogBlock;", 1);
    assert_breaks("src/app/mod.rs", "use super::logs::LogBlock;", 1);
    assert_breaks("src/app/x.rs", "use super::super::logs::LogBlock;", 1);
    assert_breaks("src/app/x.rs", "use crate::{app::Now,\n  supervisor::{Effect, Event}};", 2);
    assert_breaks("src/logs/x.rs", "fn f(e: &crate::supervisor::Effect) {}", 1);
    assert_breaks("src/supervisor/x.rs", "use crate::logs;", 1);
    assert_breaks("src/guardian/x.rs", "use crate::supervisor::Event;", 1);
    assert_breaks("src/runtime/x.rs", "use crate::commands::start;", 1);
    assert_breaks("src/runtime/x.rs", "use crate::cli::Start;", 1);
    assert_breaks("src/error.rs", "use crate::commands::start;", 1);
    assert_breaks("src/app/x.rs", "use crate::*;", 1);
    assert_breaks("src/app/x.rs", "fn f() -> impl A + use<> { a; }\nuse crate::logs;", 2);
    assert_breaks("src/helpful/x.rs", "", 1);
}

#[test]
fn the_imports_of_the_table_are_allowed() {
    assert_eq!(broken("src/app/x.rs", "use super::Now; use self::a::b; use crate::model::Now;"), [""; 0]);
    assert_eq!(broken("src/supervisor/x.rs", "use crate::model::{Now, RunId}; use super::Effect;"), [""; 0]);
    assert_eq!(
        broken("src/runtime/x.rs", "use crate::{model, guardian, logs, supervisor}; use tokio::select;"),
        [""; 0]
    );
    assert_eq!(broken("src/main.rs", "use dynorun::{cli::Cli, commands, error::Error};"), [""; 0]);
    assert_breaks("src/guardian/x.rs", "use tokio::net::UnixStream;", 1);
    assert_breaks("src/guardian/x.rs", "fn f() { std::thread::spawn(|| {}); }", 1);
    assert_breaks("src/guardian/x.rs", "use std::thread;\nfn f() { thread::spawn(|| {}); }", 1);
}

#[test]
fn long_files_unsafe_code_skipped_tests_and_sleeps_are_found() {
    assert_breaks("tests/it/x.rs", &"\n".repeat(MAX_LINES + 1), MAX_LINES + 1);
    assert_eq!(broken("tests/it/x.rs", &"\n".repeat(MAX_LINES)), [""; 0]);
    assert_breaks("src/runtime/pty.rs", "fn f() {\n unsafe { g() } }", 2);
    assert_breaks("src/runtime/pty.rs", "#[expect(unsafe_code, reason = \"x\")]", 1);
    assert_eq!(broken("src/guardian/spawn.rs", "fn f() { unsafe { g() } }"), [""; 0]);
    assert_breaks("tests/it/x.rs", "#[ignore = \"slow\"]", 1);
    assert_breaks("tests/it/x.rs", "fn f() { std::thread::sleep(d); }", 1);
    assert_breaks("tests/it/x.rs", "use std::thread::sleep as pause;", 1);
    assert_eq!(broken("tests/it/x.rs", "const SH: &str = \"sleep 1000\";"), [""; 0]);
    assert_breaks("src/app/string_utils.rs", "", 1);
}

#[test]
fn unfinished_work_is_found_in_any_file() {
    let later = ["TO", "DO"].concat();
    assert_breaks("README.md", &format!("a\n{later}: the rest"), 2);
    assert_breaks("src/app/x.rs", &format!("// {later} later"), 1);
    assert_eq!(broken("README.md", &format!("{later}S is another word")), [""; 0]);
}
