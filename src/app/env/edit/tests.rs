use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::app::env_line;
use crate::model::Secret;

fn set(key: &str, value: impl Into<Vec<u8>>) -> EnvChange {
    EnvChange { key: key.to_owned(), value: Some(Secret::new(value)) }
}

fn unset(key: &str) -> EnvChange {
    EnvChange { key: key.to_owned(), value: None }
}

fn edited(text: &str, changes: &[EnvChange]) -> String {
    String::from_utf8(edit_env(text.as_bytes(), changes).unwrap().text).unwrap()
}

/// What `A=old`, in this spelling, becomes when `A` gets the value.
fn respelled(old: &str, value: &str) -> String {
    let text = edited(&format!("A={old}\n"), &[set("A", value)]);
    text.strip_prefix("A=").unwrap().strip_suffix('\n').unwrap().to_owned()
}

/// How a new value is written, and which programs read another one.
fn spelled(value: &str) -> (String, Vec<&'static str>) {
    let EditedEnv { text, differences, .. } = edit_env(b"", &[set("A", value)]).unwrap();
    let text = String::from_utf8(text).unwrap();
    let written = text.strip_prefix("A=").unwrap().strip_suffix('\n').unwrap().to_owned();
    (written, differences.into_iter().flat_map(|difference| difference.readers).collect())
}

fn problems(text: &[u8], changes: &[EnvChange]) -> Vec<String> {
    let problems = edit_env(text, changes).unwrap_err();
    problems.iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
}

#[test]
fn s15_3_only_the_value_changes_and_the_rest_of_the_line_stays() {
    let text = "\u{feff}# first\r\n\r\nexport A = 1 # why\r\nB: 'x'#c\r\n junk\r\nC=3";

    let changed = edited(text, &[set("B", "y"), set("A", "2"), set("C", "4")]);

    assert_eq!(changed, "\u{feff}# first\r\n\r\nexport A = 2 # why\r\nB: 'y' #c\r\n junk\r\nC=4");
}

#[test]
fn s15_3_a_new_key_is_the_last_line_and_has_the_line_ending_of_the_file() {
    assert_eq!(edited("", &[set("A", "1")]), "A=1\n");
    assert_eq!(edited("A=1\n", &[set("B", "2"), set("C", "")]), "A=1\nB=2\nC=\n");
    assert_eq!(edited("A=1", &[set("B", "2"), set("C", "3")]), "A=1\nB=2\nC=3");
    assert_eq!(edited("A=1\r\n# x", &[set("B", "2")]), "A=1\r\n# x\r\nB=2");
}

#[test]
fn s15_3_a_removed_key_takes_all_its_lines_with_it() {
    let text = "# a\nA='1\n2' # x\n\nexport A=3\r\nB=1\n A: 4";

    assert_eq!(edited(text, &[unset("A")]), "# a\n\nB=1\n");
    assert_eq!(edit_env(b"A=1\n", &[unset("B")]).unwrap().absent, ["B"]);
}

#[test]
fn s15_3_of_several_changes_of_a_key_the_last_is_made() {
    assert_eq!(edited("A=1\n", &[set("A", "2"), unset("B"), set("B", "1"), set("A", "3")]), "A=3\nB=1\n");
    assert_eq!(edited("A=1\n", &[set("A", "2"), unset("A")]), "");
}

#[test]
fn s15_3_a_key_on_several_lines_is_set_on_all_of_them_with_a_warning() {
    let EditedEnv { text, warnings, .. } = edit_env(b"A=1\nB=2\nA='1'\n", &[set("A", "x")]).unwrap();

    assert_eq!(text, b"A=x\nB=2\nA='x'\n");
    let shown: Vec<_> = warnings.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    assert_eq!(shown, [(1, "`A` is on lines 1 and 3; all of them were set")]);
}

#[test]
fn s15_3_the_quoting_style_stays_where_it_can_hold_the_new_value() {
    for (old, value, new) in [
        ("1", "https://x.test/?a=1&b=2", "https://x.test/?a=1&b=2"),
        ("1", "a b", "'a b'"),
        ("1", "", ""),
        ("'1'", "2", "'2'"),
        ("'1'", "", "''"),
        ("'1'", "it's", r#""it's""#),
        (r#""1""#, "2", r#""2""#),
        (r#""1""#, r#"{"a": 1}"#, r#"'{"a": 1}'"#),
        ("`1`", "it's", "`it's`"),
        ("`1`", "a`b", "'a`b'"),
        ("\"1\n2\"", "3\n4", "\"3\n4\""),
        (r#""1\n2""#, "3\n4", r#""3\n4""#),
    ] {
        assert_eq!(respelled(old, value), new, "{old} {value}");
    }
}

#[test]
fn s15_3_a_line_that_has_the_value_already_is_left_as_it_is() {
    for line in ["A=a#b\n", "A=\"a\tb\"#c\n", "A=\"a\\tb\" # c\n"] {
        let file = parse(line.as_bytes()).unwrap();
        let value = file.get("A").unwrap().value.reveal();
        assert_eq!(edited(line, &[set("A", value)]), line);
    }
    assert_eq!(edited("A=${B}\n", &[set("A", "")]), "A=\n");
    assert_eq!(edited("A=${B:-x}\n", &[set("A", "x")]), "A=x\n");
}

#[test]
fn s15_3_new_values_get_the_quotes_that_every_program_reads() {
    for (value, written) in [
        ("5000", "5000"),
        ("a b", "'a b'"),
        (" a ", "' a '"),
        ("a#b", "'a#b'"),
        ("pa$$w0rd", "'pa$$w0rd'"),
        ("it's", r#""it's""#),
        (r"C:\dir", r"'C:\dir'"),
        (r"C:\dir\", r"C:\dir\"),
        (r"\\server\share", r"\\server\share"),
        (r#"{"a": "it's"}"#, r#"{"a": "it's"}"#),
        ("-----BEGIN\nx\n-----END\n", r#""-----BEGIN\nx\n-----END\n""#),
    ] {
        assert_eq!(spelled(value), (written.to_owned(), vec![]), "{value}");
    }
}

#[test]
fn s15_3_programs_that_read_another_value_are_named() {
    for (value, written, readers) in [
        ("${A}", "'${A}'", vec!["python-dotenv"]),
        ("a\r\nb", r#""a\r\nb""#, vec!["foreman"]),
        ("{\n\"a\": 1\n}", "'{\n\"a\": 1\n}'", vec!["foreman"]),
        ("it's # \"x\"", r#""it's # \"x\"""#, vec!["dotenv of Node"]),
        ("# it's \\", "\"# it's \\\\\"", vec!["python-dotenv", "dotenv of Node"]),
    ] {
        let (text, differing) = spelled(value);
        assert_eq!((text.as_str(), &differing), (written, &readers), "{value}");
    }
    for (text, key) in [("", "A.B"), ("export A=1", "A"), ("A = 1", "A"), ("A=1 # c", "A"), ("A: 1", "A")] {
        let differences = edit_env(text.as_bytes(), &[set(key, "2")]).unwrap().differences;
        assert_eq!(differences, [EnvDifference { key: key.to_owned(), line: 1, readers: vec!["foreman"] }], "{text}");
    }
}

#[test]
fn s15_3_a_file_that_cannot_be_read_is_not_edited() {
    assert_eq!(problems(b"A=1\nB='x\n", &[set("A", "2")]), ["2: `B` opens a quote that is never closed"]);
    assert_eq!(problems(b"A=\0", &[set("A", "2")]), ["1: the file has a NUL byte"]);
    assert_eq!(problems(b" {}", &[set("A", "2")]), ["1: the file is JSON, which is changed in an editor"]);
}

#[test]
fn s15_3_the_line_ending_is_the_first_that_stays() {
    let changes = [set("A", ""), set("C", "${\n"), unset("B")];
    let edited = |text: &[u8]| String::from_utf8(edit_env(text, &changes).unwrap().text).unwrap();

    assert_eq!(edited(b"A='\n'\r\nD="), "A=''\r\nD=\r\nC='${\r\n'");
    assert_eq!(edited(b"B=1\nA=\r\n"), "A=\r\nC='${\r\n'\r\n");
    assert_eq!(edited(b"B=1\r\n"), "A=\r\nC='${\r\n'\r\n");
}

#[test]
fn s15_3_a_line_of_the_key_that_is_not_an_entry_is_an_error() {
    let text = b"A=\"x\nB=1\nC=\"y\"\nD='1' 2\n";

    assert_eq!(problems(text, &[unset("A")]), ["1: `A` has a quote that closes 2 lines below, with text after it"]);
    assert_eq!(problems(text, &[set("D", "1")]), ["4: `D` has text after its closing quote"]);
    assert!(edit_env(text, &[set("E", "1")]).is_ok());
}

#[test]
fn s15_3_a_value_that_no_variable_can_hold_is_an_error() {
    let too_long = "1: `A` is longer than 128 KiB, the limit for a variable";

    assert_eq!(problems(b"", &[set("A", "a\0b")]), ["1: the new value of `A` has a NUL byte"]);
    assert_eq!(problems(b"", &[set("A", vec![b'"'; MAX_VARIABLE_BYTES + 1])]), [too_long]);
}

/// Lines as people write them, so that entries, comments and mistakes all occur.
fn file() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[a-z0-9/ #=$]{0,6}",
        "'[a-z\\\\\"# \n]{0,6}'",
        "\"[a-z'# \n]{0,6}\"",
        "`[a-z'\"\n]{0,4}`",
        Just("${B:-x}".to_owned())
    ];
    let entry = ("( |export )?", "[AB]", "( ?= ?|: )", value, "( ?#[a-z'\"]{0,3}| )?");
    let entry = entry.prop_map(|(before, key, equals, value, after)| format!("{before}{key}{equals}{value}{after}"));
    let line = prop_oneof![6 => entry, 1 => "#[a-zA=]{0,5}", 1 => "[a-z' ]{0,5}"];
    let ending = prop_oneof![Just("\n"), Just("\r\n")];
    (proptest::bool::ANY, vec(line, 0..6), ending, proptest::bool::ANY).prop_map(|(bom, lines, ending, ends)| {
        let text = lines.join(ending);
        format!("{}{text}{}", if bom { "\u{feff}" } else { "" }, if ends { ending } else { "" })
    })
}

/// Values that are hard to quote, and any bytes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => "[a-z '\"`\\\\#${}=\n\r\t]{0,12}".prop_map(String::into_bytes),
        1 => vec(1_u8.., 0..20),
    ]
}

proptest! {
    #[test]
    fn s15_3_what_was_written_is_read_back_and_the_rest_stays(text in file(), value in value(), key in "[AB]") {
        let Ok(edited) = edit_env(text.as_bytes(), &[set(&key, value.clone())]) else { return Ok(()) };
        let (before, after) = (parse(text.as_bytes()).unwrap(), parse(&edited.text).unwrap());

        prop_assert_eq!(after.get(&key).unwrap().value.reveal(), value.as_slice());
        // Without the text between two values of the key, of which the blanks before an empty value are a part.
        let texts = |file: &EnvFile, text: &[u8]| -> Vec<(String, Vec<u8>)> {
            let kept = |entry: &EnvEntry| {
                let range = if entry.key == key { entry.span.start..entry.written.start } else { entry.span.clone() };
                (entry.key.clone(), part(text, range).trim_ascii_end().to_vec())
            };
            file.entries().iter().map(kept).collect()
        };
        let was = texts(&before, text.as_bytes());
        let mut is = texts(&after, &edited.text);
        let added = if before.get(&key).is_none() { is.pop() } else { None };
        prop_assert_eq!(&is, &was);
        prop_assert_eq!(added.is_some(), before.get(&key).is_none());
        // The text without the values of this key and the blanks next to them.
        let around = |file: &EnvFile, text: &[u8]| {
            let mut text = text.to_vec();
            for entry in file.entries().iter().rev().filter(|entry| entry.key == key) {
                let before = part(&text, 0..entry.written.start).trim_ascii_end().len();
                let blanks = part(&text, entry.written.end..text.len()).iter().take_while(|byte| **byte == b' ').count();
                text.splice(before..entry.written.end + blanks, []);
            }
            text
        };
        let (was, is) = (around(&before, text.as_bytes()), around(&after, &edited.text));
        prop_assert!(is.starts_with(was.as_slice()), "{:?} {:?}", String::from_utf8_lossy(&was), String::from_utf8_lossy(&is));
        if added.is_none() {
            prop_assert_eq!(is, was);
        }
        prop_assert_eq!(text.is_empty() || text == "\u{feff}" || text.ends_with('\n'), edited.text.ends_with(b"\n"));
    }

    #[test]
    fn s15_3_removal_takes_the_lines_of_the_key_and_no_other(text in file(), key in "[AB]") {
        let Ok(edited) = edit_env(text.as_bytes(), &[unset(&key)]) else { return Ok(()) };
        let before = parse(text.as_bytes()).unwrap();

        let removed = before.entries().iter().filter(|entry| entry.key == key).flat_map(|entry| {
            let last = entry.line + memchr::memchr_iter(b'\n', part(text.as_bytes(), entry.span.clone())).count();
            entry.line..=last
        });
        let removed: Vec<usize> = removed.collect();
        // A byte order mark at the beginning belongs to the file, not to its first line.
        let (mark, lines) = text.strip_prefix('\u{feff}').map_or(("", text.as_str()), |rest| ("\u{feff}", rest));
        let stay = lines.split_inclusive('\n').enumerate().filter(|(index, _)| !removed.contains(&(index + 1)));
        let expected: String = [mark].into_iter().chain(stay.map(|(_, line)| line)).collect();
        prop_assert_eq!(String::from_utf8(edited.text).unwrap(), expected);
        prop_assert_eq!(edited.absent.is_empty(), before.get(&key).is_some());
    }

    #[test]
    fn s15_3_twice_is_the_same_as_once(text in file(), first in value(), second in value()) {
        let changes = [set("A", first), set("C", second), unset("B")];
        let Ok(once) = edit_env(text.as_bytes(), &changes) else { return Ok(()) };

        let twice = edit_env(&once.text, &changes).unwrap();

        prop_assert_eq!(once.text, twice.text);
    }

    #[test]
    fn s15_3_setting_and_removing_a_new_key_leaves_the_file_as_it_was(text in file(), value in value()) {
        let Ok(set) = edit_env(text.as_bytes(), &[set("C", value)]) else { return Ok(()) };

        let removed = edit_env(&set.text, &[unset("C")]).unwrap();

        let was = if removed.text.ends_with(b"\n") && !text.ends_with('\n') { text + if removed.text.ends_with(b"\r\n") { "\r\n" } else { "\n" } } else { text };
        prop_assert_eq!(String::from_utf8_lossy(&removed.text), was);
    }

    #[test]
    fn a_line_of_any_value_is_read_back(key in "[A-Za-z_0-9.-]{1,12}", value in vec(1_u8.., 0..60)) {
        let read = parse(&env_line(&key, &value)).unwrap();

        prop_assert_eq!(read.entries().len(), 1);
        prop_assert_eq!((&read.entries()[0].key, read.entries()[0].value.reveal()), (&key, value.as_slice()));
    }

    #[test]
    fn editing_any_bytes_never_panics(bytes in vec(any::<u8>(), 0..200), value in vec(any::<u8>(), 0..20)) {
        let _ = edit_env(&bytes, &[set("A", value), unset("B")]);
    }
}
