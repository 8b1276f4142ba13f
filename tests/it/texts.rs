//! Texts that are too long for a test, one file each, in folders below `tests/data/texts`.
//!
//! If a text changes on purpose, `DYNO_UPDATE_TEXTS=1 cargo test --test it` writes the new ones and fails; read them
//! with `git diff`, then run the tests without the variable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Asserts that a folder has exactly these texts, by the name of the file.
#[track_caller]
pub(crate) fn assert_folder<N: Into<String>>(folder: &str, seen: impl IntoIterator<Item = (N, String)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/texts").join(folder);
    let seen: BTreeMap<String, String> = seen.into_iter().map(|(name, text)| (name.into(), text)).collect();
    let differences = differences(&path, &seen);
    let is_update = env::var_os("DYNO_UPDATE_TEXTS").is_some_and(|value| !value.is_empty());
    if is_update && !differences.is_empty() {
        write(&path, &seen);
    }
    let next = if is_update {
        "written: read `git diff`, then run again without DYNO_UPDATE_TEXTS"
    } else {
        "if that is right: DYNO_UPDATE_TEXTS=1 cargo test --test it"
    };
    assert!(differences.is_empty(), "{}\n{next}", differences.join("\n"));
}

/// The texts of a folder by the name of the file.
fn kept(path: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
    let text = |file: PathBuf| (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(file));
    files.map(text).map(|(name, text)| (name, text.unwrap())).collect()
}

/// The first line of each file that differs.
fn differences(path: &Path, seen: &BTreeMap<String, String>) -> Vec<String> {
    let kept = kept(path);
    let names: BTreeSet<&String> = kept.keys().chain(seen.keys()).collect();
    let difference = |name: &String| {
        let file = path.join(name);
        match (kept.get(name), seen.get(name)) {
            (Some(kept), Some(seen)) if kept == seen => None,
            (Some(kept), Some(seen)) => {
                // Both texts with a line after the end, which differs if one is longer.
                let lines = |text: &str| text.split_inclusive('\n').chain([""]).map(str::to_owned).collect::<Vec<_>>();
                let mut pairs = lines(kept).into_iter().zip(lines(seen)).enumerate();
                let (index, (kept, seen)) = pairs.find(|(_, (kept, seen))| kept != seen).unwrap();
                Some(format!("{}:{}:\n  file: {kept:?}\n  seen: {seen:?}", file.display(), index + 1))
            }
            (Some(_), None) => Some(format!("{}: no such text any more", file.display())),
            (None, _) => Some(format!("{}: the file is missing", file.display())),
        }
    };
    names.into_iter().filter_map(difference).collect()
}

fn write(path: &Path, seen: &BTreeMap<String, String>) {
    fs::create_dir_all(path).unwrap();
    for name in kept(path).keys().filter(|name| !seen.contains_key(*name)) {
        fs::remove_file(path.join(name)).unwrap();
    }
    for (name, text) in seen {
        fs::write(path.join(name), text).unwrap();
    }
}

#[test]
fn a_text_that_differs_from_its_file_is_found() {
    let app = crate::app::App::empty().file("same", "a\n").file("longer", "a\nb\n").file("other", "a\nb\n");
    let seen = |pairs: &[(&str, &str)]| {
        let texts = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let faults = differences(&app.path(""), &texts);
        faults.iter().map(|fault| fault.rsplit_once("app/").unwrap().1.to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(seen(&[("same", "a\n"), ("longer", "a\nb\n"), ("other", "a\nb\n")]), [""; 0]);
    let expected = [
        "longer:2:\n  file: \"b\\n\"\n  seen: \"\"",
        "new: the file is missing",
        "other:1:\n  file: \"a\\n\"\n  seen: \"x\\n\"",
        "same: no such text any more",
    ];
    assert_eq!(seen(&[("longer", "a\n"), ("new", ""), ("other", "x\nb\n")]), expected);
}
