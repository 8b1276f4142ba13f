//! Checks the file, as parsed by `roxmltree`, against the rules of the schemas of Jenkins and Ant.

use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::*;
use crate::reports::examples::{Example, dying_web, passing};

#[test]
fn s19_6_phases_and_dynos_are_test_cases_with_times_and_reasons() {
    let lines = [b"boom".to_vec(), b"\x1b[31m<&>\x07\xff".to_vec()];

    assert_eq!(
        render(&dying_web().smoke(&lines)),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="dyno smoke" package="dyno" id="0" timestamp="2025-09-16T02:55:24" hostname="localhost" tests="8" failures="2" errors="0" time="1.250" skipped="3">
    <properties>
      <property name="status" value="3"/>
      <property name="reason" value="web.1 exited with code 3"/>
      <property name="command" value="npm test"/>
    </properties>
    <testcase classname="smoke.phase" name="release" time="0.500"/>
    <testcase classname="smoke.phase" name="boot" time="0.250">
      <failure message="web.1 exited with code 3" type="phase">web.1 exited with code 3</failure>
    </testcase>
    <testcase classname="smoke.phase" name="settle" time="0.000">
      <skipped>not reached</skipped>
    </testcase>
    <testcase classname="smoke.phase" name="command" time="0.000">
      <skipped>not reached</skipped>
    </testcase>
    <testcase classname="smoke.phase" name="stop" time="0.500"/>
    <testcase classname="smoke.dyno" name="release.1" time="0.001"/>
    <testcase classname="smoke.dyno" name="web.1" time="0.002">
      <failure message="web.1 exited with code 3" type="dyno">web.1 exited with code 3

last 2 lines of web.1:
web.1 | boom
web.1 | &lt;&amp;&gt;\x07�
</failure>
    </testcase>
    <testcase classname="smoke.dyno" name="worker.1" time="0.003">
      <skipped>stopped before it was up</skipped>
    </testcase>
    <system-out/>
    <system-err/>
  </testsuite>
</testsuites>
"#
    );
}

#[test]
fn a_passed_smoke_test_is_valid_even_for_ant_which_lacks_skipped() {
    let text = render(&passing().smoke(&[]));

    let document = Document::parse(&text).unwrap();
    assert_eq!(problem(&document), None);
    let names: Vec<&str> = cases(&document).iter().map(|case| attribute(case, "name")).collect();
    assert_eq!(names, ["boot", "settle", "stop", "web.1", "worker.1"]);
    assert!(!text.contains("skipped") && !text.contains("<failure"), "{text}");
}

#[test]
fn the_validator_rejects_what_the_schemas_reject() {
    let good = render(&dying_web().smoke(&[]));
    let bad = [
        ("tests=\"8\"", "tests=\"7\""),
        ("failures=\"2\"", "failures=\"1\""),
        ("skipped=\"3\"", "skipped=\"2\""),
        ("time=\"1.250\"", "time=\"1.2500\""),
        (" hostname=\"localhost\"", ""),
        ("<system-out/>", ""),
        (" type=\"dyno\"", ""),
        ("2025-09-16T02:55:24", "2025-09-16T02:55:24Z"),
        ("<property name=\"status\" value=\"3\"/>", "<property name=\"status\"/>"),
        ("<testcase classname=\"smoke.phase\" name=\"stop\" time=\"0.500\"/>", "<case/>"),
        ("name=\"stop\"", "name=\"release\""),
    ];
    for (from, to) in bad {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        assert!(problem(&Document::parse(&text).unwrap()).is_some(), "{to:?} instead of {from:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_a_valid_file_that_contains_them(
        lines in prop::collection::vec(
            prop::collection::vec(
                prop_oneof![prop::sample::select(&b"<>&\"']]>\x00\x1b[m\x08\xc2\x9b\xef\xbf\xbe\xbf\r\t"[..]), any::<u8>()],
                0..40,
            ),
            0..4,
        ),
        reason in "([<>&\"'\\]\r\n\t\0\u{1b}]|\u{fffe}|\\PC){0,12}",
        word: String,
        results in prop::collection::vec(0..4_usize, 3),
    ) {
        let example = changed(&reason, word, &results);

        let text = render(&example.smoke(&lines));

        let document = Document::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(problem(&document), None);
        let shown_text = |text: &str| printable(text.as_bytes(), false).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        let web = cases(&document).into_iter().find(|case| attribute(case, "name") == "web.1").unwrap();
        match web.first_element_child() {
            Some(failure) if failure.has_tag_name("failure") => {
                prop_assert_eq!(attribute(&failure, "message"), shown_text(&reason));
                let shown = last_words::lines(name_of_web(), &lines, false).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
                prop_assert!(failure.text().unwrap_or_default().ends_with(&shown));
            }
            Some(_) | None => prop_assert_ne!(results[1], 3),
        }
    }
}

fn name_of_web() -> crate::model::DynoName {
    dying_web().report.culprit.unwrap()
}

/// The example with this reason, one more word in its command, and these results of its dynos.
fn changed(reason: &str, word: String, results: &[usize]) -> Example {
    let mut example = dying_web();
    reason.clone_into(&mut example.report.reason);
    example.report.command.as_mut().unwrap().words.push(word);
    for (dyno, result) in example.report.dynos.iter_mut().zip(results) {
        dyno.result = match result {
            0 => DynoResult::Passed,
            1 => DynoResult::NotStarted,
            2 => DynoResult::StoppedBeforeUp,
            _ => DynoResult::Failed(reason.to_owned()),
        };
    }
    example
}

fn cases<'d>(document: &'d Document<'d>) -> Vec<Node<'d, 'd>> {
    document.descendants().filter(|node| node.has_tag_name("testcase")).collect()
}

fn elements<'a, 'd>(node: &Node<'a, 'd>) -> Vec<Node<'a, 'd>> {
    node.children().filter(Node::is_element).collect()
}

/// The value, empty if the attribute is missing.
fn attribute<'a>(node: &Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_default()
}

/// The first thing that a schema, or a reader that checks the counts, would reject.
fn problem(document: &Document<'_>) -> Option<String> {
    let root = document.root_element();
    let [suite] = elements(&root)[..] else { return Some("not exactly one suite".into()) };
    if !root.has_tag_name("testsuites") || !suite.has_tag_name("testsuite") || root.attributes().len() > 0 {
        return Some("not testsuites > testsuite".into());
    }
    let is_stray = |node: &Node<'_, '_>| {
        let has_elements = node.parent().is_some_and(|parent| parent.first_element_child().is_some());
        node.is_text() && has_elements && !node.text().unwrap_or_default().trim().is_empty()
    };
    if document.descendants().any(|node| is_stray(&node)) {
        return Some("text next to elements".into());
    }
    let needed = ["name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"];
    let known = suite.attributes().all(|known| known.name() == "skipped" || needed.contains(&known.name()));
    if !known || needed.iter().any(|key| attribute(&suite, key).is_empty()) {
        return Some(format!("wrong attributes of the suite: {:?}", suite.attributes()));
    }
    let timestamp = attribute(&suite, "timestamp");
    let pattern: String = timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if pattern != "0000-00-00T00:00:00" || !is_time(attribute(&suite, "time")) {
        return Some(format!("wrong time of the suite: {timestamp}, {}", attribute(&suite, "time")));
    }
    let inner = elements(&suite);
    let names: Vec<&str> = inner.iter().map(|child| child.tag_name().name()).collect();
    let expected = names.len().checked_sub(3).map(|count| vec!["testcase"; count]).unwrap_or_default();
    if names != [&["properties"], expected.as_slice(), &["system-out", "system-err"]].concat() {
        return Some(format!("wrong children of the suite: {names:?}"));
    }
    let properties = elements(&inner[0]);
    let is_property = |child: &Node<'_, '_>| child.has_tag_name("property") && has_only(child, &["name", "value"]);
    if properties.is_empty() || !properties.iter().all(is_property) {
        return Some("wrong property".into());
    }
    let cases = cases(document);
    if let Some(case) = cases.iter().find(|case| !is_case(case)) {
        return Some(format!("wrong case: {case:?}"));
    }
    let mut full_names: Vec<_> =
        cases.iter().map(|case| (attribute(case, "classname"), attribute(case, "name"))).collect();
    full_names.sort_unstable();
    full_names.dedup();
    let count = |name: &str| cases.iter().flat_map(elements).filter(|child| child.has_tag_name(name)).count();
    let says = |key: &str, count: usize| attribute(&suite, key) == count.to_string();
    let skipped = count("skipped");
    let counted = says("tests", cases.len())
        && says("failures", count("failure"))
        && says("errors", 0)
        && (skipped == 0 && attribute(&suite, "skipped").is_empty() || says("skipped", skipped))
        && full_names.len() == cases.len();
    (!counted).then(|| "wrong count".into())
}

fn is_case(case: &Node<'_, '_>) -> bool {
    let inner = match elements(case).as_slice() {
        [] => true,
        [only] if only.has_tag_name("skipped") => has_only(only, &[]) && elements(only).is_empty(),
        [only] => only.has_tag_name("failure") && has_only(only, &["message", "type"]) && elements(only).is_empty(),
        [..] => false,
    };
    inner && has_only(case, &["classname", "name", "time"]) && is_time(attribute(case, "time"))
}

fn has_only(node: &Node<'_, '_>, keys: &[&str]) -> bool {
    node.attributes().map(|attribute| attribute.name()).eq(keys.iter().copied())
}

/// Whether this is a number of seconds with three decimals.
fn is_time(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, rest)| digits(whole) && digits(rest) && rest.len() == 3)
}
