//! Checks the wording: phrases that readers stumble over, each with a better one, and the length of the README and of the
//! names of tests.
//!
//! Names are checked like text: `_` separates words. A phrase is also found if it goes on in the next line.

use std::ops::Range;

use super::Source;
use super::rust::{Token, tokens};

/// Files and folders that are not checked, by the beginning of their path: the list of phrases itself, and real files of
/// other people.
const EXEMPT: &[&str] = &["tests/tidy/wording.rs", "tests/data/"];

/// The most lines that the README can have. Text that does not fit belongs in `docs`.
const MAX_README_LINES: usize = 200;

/// The most characters that the name of a test can have.
const MAX_NAME_CHARACTERS: usize = 70;

/// Words that must not come back, and what to write instead.
struct Phrase {
    /// Separated by single blanks.
    words: &'static str,
    better: &'static str,
    /// After one of these words, the phrase is plain English.
    not_after: &'static [&'static str],
    /// Before one of these words, the phrase is plain English.
    not_before: &'static [&'static str],
}

const PHRASES: &[Phrase] = &[
    phrase("told", "`reported`, `shown`, `asked` or `ordered`"),
    phrase("untold", "`not reported`"),
    negation("is no", "`is not a`"),
    negation("are no", "`are not`"),
    negation("was no", "`was not a`"),
    negation("were no", "`were not`"),
    negation("is none", "`is not one`, or name it"),
    negation("are none", "`are not`, or name them"),
    phrase("whoever", "the name of the subject"),
    phrase("nobody", "the name of the subject, or `no reader`"),
    Phrase { not_before: &["for", "alone"], ..phrase("stands", "`is` or `comes`") },
    Phrase { not_before: &["for", "in", "ins", "alone"], ..phrase("stand", "`be` or `come`") },
    phrase("stood", "`was`, or `was stopped`"),
    phrase("as foreman does", "`like foreman`"),
    phrase("as honcho does", "`like honcho`"),
    phrase("counts as", "`is`, or `is treated as`"),
    Phrase { not_before: &["u64", "usize"], ..phrase("count as", "`are`, or `are treated as`") },
    phrase("can tell nothing", "`does not know`"),
    phrase("is said", "`is reported`, or who says it"),
    phrase("are said", "`are reported`, or who says it"),
    phrase("was said", "`was reported`, or who said it"),
    phrase("be said", "`be reported`"),
    phrase("is waited for", "`waits for`, with its subject"),
    phrase("are waited for", "`wait for`, with their subject"),
    phrase("lines of others", "`the other dynos' lines`"),
    phrase("those of others", "`those of the other dynos`"),
    phrase("as it may", "`as allowed`"),
    phrase("as they may", "`as allowed`"),
    phrase("also if", "`even if`"),
    phrase("another reason than", "`a reason other than`"),
    phrase("another status than", "`a status other than`"),
    phrase("another port than", "`a port other than`"),
    phrase("as by", "`like`"),
    phrase("not as wanted", "what failed"),
    phrase("what is there", "`what exists`, or its name"),
    phrase("anew", "`again`"),
    phrase("passed over", "`skipped`"),
    phrase("belongs into", "`belongs in`"),
    phrase("belong into", "`belong in`"),
];

const fn phrase(words: &'static str, better: &'static str) -> Phrase {
    Phrase { words, better, not_after: &[], not_before: &[] }
}

/// `there is no file` and `it is no longer there` are plain English; `it is no file` is not.
const fn negation(words: &'static str, better: &'static str) -> Phrase {
    Phrase { words, better, not_after: &["there"], not_before: &["longer", "more", "less", "better", "other", "of"] }
}

/// A README that is too long, and every phrase of the list in any text that is not exempt, one line each.
pub(super) fn faults(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if source.path == "README.md" && lines > MAX_README_LINES {
        broken.push(source.at(lines, &format!("{lines} lines, the limit is {MAX_README_LINES}: move text to docs/")));
    }
    if !EXEMPT.iter().any(|start| source.path.starts_with(start)) {
        broken.extend(phrases(source));
    }
    if source.is_rust() {
        broken.extend(long_names(source));
    }
    broken
}

/// Functions, and thus tests, whose name cannot be read at a glance, wherever they are.
fn long_names(source: &Source) -> Vec<String> {
    let tokens = tokens(&source.text);
    let names = tokens.windows(2).filter(|pair| pair[0].text == "fn").map(|pair| &pair[1]);
    let fault =
        |name: &Token| source.at(name.line, &format!("`{}` has more than {MAX_NAME_CHARACTERS} characters", name.text));
    names.filter(|name| name.text.chars().count() > MAX_NAME_CHARACTERS).map(fault).collect()
}

fn phrases(source: &Source) -> Vec<String> {
    let words = words(&source.text);
    let mut found = Vec::new();
    for at in 0..words.len() {
        for phrase in PHRASES.iter().filter(|phrase| is_at(phrase, &source.text, &words, at)) {
            let line = 1 + source.text[..words[at].start].matches('\n').count();
            found.push(source.at(line, &format!("instead of `{}` write {}", phrase.words, phrase.better)));
        }
    }
    found
}

/// The words of a text, as ranges of bytes.
fn words(text: &str) -> Vec<Range<usize>> {
    let is_part = u8::is_ascii_alphanumeric;
    let mut at = 0;
    let parts = text.as_bytes().chunk_by(|a, b| is_part(a) == is_part(b));
    let ranges = parts.map(|part| {
        at += part.len();
        at - part.len()..at
    });
    ranges.filter(|range| is_part(&text.as_bytes()[range.start])).collect()
}

/// Whether a phrase begins at the word with this index.
fn is_at(phrase: &Phrase, text: &str, words: &[Range<usize>], at: usize) -> bool {
    let word = |index: usize| words.get(index).map_or("", |range| &text[range.clone()]);
    let is_same = |(index, expected): (usize, &str)| word(at + index).eq_ignore_ascii_case(expected);
    if !phrase.words.split(' ').enumerate().all(is_same) {
        return false;
    }
    let end = at + phrase.words.split(' ').count();
    let is_any = |word: &str, list: &[&str]| list.iter().any(|other| word.eq_ignore_ascii_case(other));
    let is_plain = at > 0 && is_any(word(at - 1), phrase.not_after) || is_any(word(end), phrase.not_before);
    // `NOBODY` is a constant, `is_none()` a method, and `None` a value.
    let whole = &text[words[at].start..words[end - 1].end];
    let is_code = whole == whole.to_uppercase() || whole == "is_none" || whole.ends_with("None");
    let between = words[at..end].windows(2).all(|pair| is_one_sentence(&text[pair[0].end..pair[1].start]));
    between && !is_plain && !is_code
}

/// Whether the text between two words is only space, also in a name, a comment or a string that goes on in the next
/// line.
fn is_one_sentence(between: &str) -> bool {
    between.chars().all(|char| char.is_whitespace() || ['_', '/', '!', '\\', '#'].contains(&char))
}

#[test]
fn a_phrase_of_the_list_is_found_in_every_file_that_is_not_exempt() {
    let faults = |path: &str, text: &str| faults(&Source { path: path.into(), text: text.into() });

    assert_eq!(faults("docs/x.md", "a\nIt is no entry.\n"), ["docs/x.md:2: instead of `is no` write `is not a`"]);
    let found =
        ["Whoever reads", "fn it_is_told() {}", "/// that is\n/// no file", "as foreman does", "is none.", "He told,"];
    for text in found {
        assert_eq!(faults("src/runtime/x.rs", text).len(), 1, "{text}");
    }
    let plain = ["no longer is no longer", "there is no file", "a.is_none()", "NOBODY", "that is. No file", "is not"];
    for text in plain {
        assert_eq!(faults("src/runtime/x.rs", text), [""; 0], "{text}");
    }
    for path in ["CHANGELOG.md", "CONTRIBUTING.md", "docs/ci.md", "clippy.toml", ".ci/run", "benches/x.rs"] {
        assert_eq!(faults(path, "whoever").len(), 1, "{path}");
    }
    for path in ["tests/data/Procfile", "tests/tidy/wording.rs"] {
        assert_eq!(faults(path, "whoever"), [""; 0], "{path}");
    }
}

#[test]
fn a_long_name_of_a_test_is_found_wherever_the_test_is() {
    let faults = |text: &str| faults(&Source { path: "src/x.rs".into(), text: text.into() });
    let (longest, too_long) = ("a".repeat(MAX_NAME_CHARACTERS), "a".repeat(MAX_NAME_CHARACTERS + 1));

    for before in
        ["fn", "  fn", "async fn", "pub(crate) const unsafe fn", "proptest! { #[test] fn", "mod x { fn", "fn "]
    {
        assert_eq!(faults(&format!("\n{before} {longest}() {{}}\n")), [""; 0], "{before}");
        let expected = format!("src/x.rs:2: `{too_long}` has more than 70 characters");
        assert_eq!(faults(&format!("\n{before} {too_long}() {{}}\n")), [expected], "{before}");
    }
    assert_eq!(faults(&format!("// fn {too_long}\nconst X: &str = \"fn {too_long}\"; let f: fn(u8);")), [""; 0]);
}

#[test]
fn a_readme_that_is_too_long_is_found() {
    let readme = |lines: usize| Source { path: "README.md".into(), text: "\n".repeat(lines) };

    assert_eq!(faults(&readme(MAX_README_LINES)), [""; 0]);
    assert_eq!(faults(&readme(MAX_README_LINES + 1)).len(), 1);
}
