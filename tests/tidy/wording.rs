//! Phrases that readers stumble over, with the wording to use instead, and the length of the README.

use super::Source;

/// Files and folders whose text is checked.
const CHECKED: [&str; 3] = ["README.md", "CONTRIBUTING.md", "docs/"];

/// Lines of the README: what does not fit belongs into `docs`.
const MAX_README_LINES: usize = 200;

const PHRASES: [(&str, &str); 14] = [
    ("is told", "`reports`, `shows`, `says` or `warns`"),
    ("are told", "`reports`, `shows`, `says` or `warns`"),
    ("it is no", "`it is not a`"),
    ("that is no", "`that is not a`"),
    ("this is no", "`this is not a`"),
    ("which is no", "`which is not a`"),
    ("whoever", "the name of the subject"),
    ("nobody", "the name of the subject, or `no reader`"),
    ("stands in", "`is in`"),
    ("stands at", "`is at`"),
    ("as foreman does", "`like foreman`"),
    ("counts as", "`is`, or `is treated as`"),
    ("goes untold", "`is not reported`"),
    ("can tell nothing", "`does not know`"),
];

/// Every phrase of the list in the checked text, one line each, and a README that is too long.
pub(super) fn faults(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if source.path == "README.md" && lines > MAX_README_LINES {
        broken.push(source.at(lines, &format!("{lines} lines, the limit is {MAX_README_LINES}: move text to docs/")));
    }
    if !CHECKED.iter().any(|checked| source.path.starts_with(checked)) {
        return broken;
    }
    for (index, line) in source.text.lines().enumerate() {
        for (phrase, better) in PHRASES.iter().filter(|(phrase, _)| has_phrase(line, phrase)) {
            broken.push(source.at(index + 1, &format!("instead of `{phrase}` write {better}")));
        }
    }
    broken
}

/// Whether a line has these words, and not as a part of longer ones. `is no longer` is plain English.
fn has_phrase(line: &str, phrase: &str) -> bool {
    let line = line.to_lowercase();
    line.match_indices(phrase).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + phrase.len()..).unwrap_or_default();
        let is_whole = [before, after.chars().next()].into_iter().flatten().all(|char| !char.is_alphanumeric());
        is_whole && !after.starts_with(" longer")
    })
}

#[test]
fn phrases_that_must_not_come_back_are_found() {
    let faults = |path: &str, text: &str| faults(&Source { path: path.into(), text: text.into() });

    assert_eq!(faults("docs/x.md", "a\nIt is no entry.\n"), ["docs/x.md:2: instead of `it is no` write `it is not a`"]);
    assert_eq!(faults("README.md", "Whoever reads").len(), 1);
    for text in ["it is no longer there", "that is not a file", "unit is no", "it is none"] {
        assert_eq!(faults("README.md", text), [""; 0], "{text}");
    }
    assert_eq!(faults("src/x.rs", "// whoever"), [""; 0]);
}

#[test]
fn a_readme_that_is_too_long_is_found() {
    let readme = |lines: usize| Source { path: "README.md".into(), text: "\n".repeat(lines) };

    assert_eq!(faults(&readme(MAX_README_LINES)), [""; 0]);
    assert_eq!(faults(&readme(MAX_README_LINES + 1)).len(), 1);
}
