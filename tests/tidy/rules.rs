//! Checks that every rule that code, tests and docs cite (`S6.2`, `fn s6_2_…`) is in `docs/semantics.md`, and that code or
//! tests cite every rule.

use std::collections::BTreeSet;

use super::Source;

const RULES: &str = "docs/semantics.md";

/// Every citation of a rule that does not exist, one line each.
pub(super) fn unknown_citations(tree: &[Source]) -> Vec<String> {
    let rules = tree.iter().find(|source| source.path == RULES).map(|source| rules(&source.text)).unwrap_or_default();
    let mut broken = Vec::new();
    // Real files of other people may have such words by chance.
    for source in tree.iter().filter(|source| !source.path.starts_with("tests/data/")) {
        for (index, line) in source.text.lines().enumerate() {
            for rule in cited(line).filter(|rule| !rules.contains(rule)) {
                broken.push(source.at(index + 1, &format!("`{rule}` is not in {RULES}")));
            }
        }
    }
    broken
}

/// Every rule that neither code nor a test cites, one line each.
pub(super) fn uncited_rules(tree: &[Source]) -> Vec<String> {
    let cites = |source: &Source| source.text.lines().flat_map(cited).collect::<Vec<_>>();
    let all: BTreeSet<String> = tree.iter().filter(|source| source.is_rust()).flat_map(cites).collect();
    let Some(rules) = tree.iter().find(|source| source.path == RULES) else { return Vec::new() };
    let rule = |line: &str| Some(line.strip_prefix("**")?.split_once("**")?.0.to_owned());
    let rules = rules.text.lines().enumerate().filter_map(|(index, line)| Some((index, rule(line)?)));
    let uncited = rules.filter(|(_, rule)| !all.contains(rule));
    uncited.map(|(index, rule)| format!("{RULES}:{}: no test or code cites `{rule}`", index + 1)).collect()
}

/// The rules of the document: `## S6 Life of a dyno` is `S6`, and a paragraph that begins with `**S6.2**` is `S6.2`.
fn rules(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| Some(line.strip_prefix("## ")?.split_once(' ')?.0.to_owned());
    let paragraph = |line: &str| Some(line.strip_prefix("**")?.split_once("**")?.0.to_owned());
    text.lines().filter_map(|line| heading(line).or_else(|| paragraph(line))).collect()
}

/// The rules that a line cites.
fn cited(line: &str) -> impl Iterator<Item = String> {
    let is_separator = |char: char| !char.is_alphanumeric() && char != '_' && char != '.';
    line.split(is_separator).filter_map(|word| in_text(word.trim_end_matches('.')).or_else(|| in_name(word)))
}

/// A rule in text: `S6` or `S6.2`.
fn in_text(word: &str) -> Option<String> {
    let (section, rule) = word.strip_prefix('S')?.split_once('.').map_or((word.get(1..)?, None), |(a, b)| (a, Some(b)));
    (is_number(section) && rule.is_none_or(is_number)).then(|| word.to_owned())
}

/// The rule in a test name such as `s6_2_a_dyno_is_up_when_it_listens`.
fn in_name(word: &str) -> Option<String> {
    let (section, rest) = word.strip_prefix('s')?.split_once('_')?;
    let (rule, _) = rest.split_once('_')?;
    (is_number(section) && is_number(rule)).then(|| format!("S{section}.{rule}"))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn a_cited_rule_must_exist() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    // Split in two, so that this file does not break its own rule.
    let (section, rule, name) = (["S", "98"].concat(), ["S", "98.1"].concat(), ["s", "98_1_it_works"].concat());
    let code = format!("\n// ({section}, {rule}).\nfn {name}() {{}}\nconst SHA: &str = \"S1x Ss {rule}.2\";\n");
    let missing = [format!("x.rs:2: `{section}`"), format!("x.rs:2: `{rule}`"), format!("x.rs:3: `{rule}`")];

    let found = unknown_citations(&[source(RULES, ""), source("x.rs", &code)]);

    assert_eq!(found, missing.map(|start| format!("{start} is not in {RULES}")));
    let text = format!("See {section}.\n");
    for (path, count) in [("docs/x.md", 1), (".ci/run", 1), ("tests/data/x", 0)] {
        assert_eq!(unknown_citations(&[source(RULES, ""), source(path, &text)]).len(), count, "{path}");
    }
    let rules = format!("## {section} Title\n\n**{rule}** Text.\n");
    assert_eq!(unknown_citations(&[source(RULES, &rules), source("x.rs", &code)]), [""; 0]);
}

#[test]
fn a_rule_must_be_cited_by_code_or_a_test() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let rule = ["S", "98.1"].concat();
    let rules = source(RULES, &format!("## Title\n\n**{rule}** Text.\n"));

    let found = uncited_rules(&[rules.clone(), source("docs/x.md", &rule)]);
    assert_eq!(found, [format!("{RULES}:3: no test or code cites `{rule}`")]);
    assert_eq!(uncited_rules(&[rules, source("x.rs", &format!("// {rule}."))]), [""; 0]);
}
