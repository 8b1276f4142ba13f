//! Tests of what `.foreman` sets, and of its problems.

use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> Vec<String> {
    let file = ForemanFile::parse(text.as_bytes());
    assert_eq!(ForemanFile { problems: Vec::new(), ..file.clone() }, ForemanFile::default());
    let errors = file.problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
}

#[test]
fn all_keys_are_read_with_their_lines() {
    let text = "# vi: ft=yaml\n---\nport: 7000\nformation: web=2, worker=1 # two\nprocfile: 'Procfile.dev'\n\
                env: .env.shared,.env \nroot: \"app dir\"\ntimeout: 10\ntimestamp: false\ncolor: Yes\n\
                after: worker=web, clock=web+db:5433 # last\n";

    let file = ForemanFile::parse(text.as_bytes());

    assert_eq!(file.port, Some(Setting { value: 7000, line: 3 }));
    assert_eq!(file.formation, Some(Setting { value: "web=2, worker=1".to_owned(), line: 4 }));
    assert_eq!(file.procfile, Some(Setting { value: "Procfile.dev".to_owned(), line: 5 }));
    assert_eq!(file.env, Some(Setting { value: vec![".env.shared".to_owned(), ".env".to_owned()], line: 6 }));
    assert_eq!(file.root, Some(Setting { value: "app dir".to_owned(), line: 7 }));
    let after = ["worker=web", "clock=web+db:5433"].map(str::to_owned).to_vec();
    assert_eq!(file.after, Some(Setting { value: after, line: 11 }));
    assert_eq!(file.timeout, Some(Setting { value: Duration::from_secs(10), line: 8 }));
    assert_eq!(file.timestamp, Some(Setting { value: false, line: 9 }));
    assert_eq!(file.color, Some(Setting { value: true, line: 10 }));
    assert_eq!(file.problems, []);
}

#[test]
fn concurrency_the_old_name_of_formation_is_read() {
    let file = ForemanFile::parse(b"concurrency: medium=1, mailers=1\r\n");

    assert_eq!(file.concurrency.unwrap().value, "medium=1, mailers=1");
}

#[test]
fn s4_5_an_unknown_key_and_an_invalid_line_are_defects() {
    let file = ForemanFile::parse(b"app: x\nprot: 1\nnonsense\n  nested: x\nport:7000\nport:\n");

    let problems: Vec<_> = file.problems.iter().map(|problem| (problem.severity, problem.line)).collect();
    assert_eq!(
        problems,
        [
            (Severity::Defect, 2),
            (Severity::Defect, 3),
            (Severity::Defect, 4),
            (Severity::Defect, 5),
            (Severity::Defect, 6),
        ]
    );
    assert_eq!(file.port, None);
}

#[test]
fn s4_5_foremans_own_keys_are_ignored_without_a_message() {
    let keys = OTHER_KEYS_OF_FOREMAN.map(|key| format!("{key}: x\n")).concat();

    assert_eq!(ForemanFile::parse(keys.as_bytes()), ForemanFile::default());
}

#[test]
fn all_invalid_values_are_reported_as_errors() {
    assert_eq!(
        refused("port: 0\ntimeout: soon\nenv: [a, b]\nroot: 'a\nprocfile: 'a' b\ncolor: red\n"),
        [
            "1: `0` is not a port number from 1 to 65535",
            "2: `soon` is not a valid value for `timeout`",
            "3: the value of `env` uses YAML syntax that is not supported",
            "4: the value of `root` has no closing quote",
            "5: the value of `procfile` continues after its closing quote",
            "6: `red` is not a valid value for `color`",
        ]
    );
}

#[test]
fn s4_5_valid_values_are_kept_next_to_invalid_ones() {
    let file = ForemanFile::parse(b"procfile: P1\nport: abc\ntimeout: x\nroot: app\n");

    assert_eq!(file.procfile, Some(Setting { value: "P1".to_owned(), line: 1 }));
    assert_eq!(file.root, Some(Setting { value: "app".to_owned(), line: 4 }));
    assert_eq!((file.port, file.timeout, file.problems.len()), (None, None, 2));
}

#[test]
fn quotes_inside_quotes_are_read_as_in_yaml() {
    let file = ForemanFile::parse(b"root: 'it''s' # x\nprocfile: \"a \\\"b\\\" # c\"\n");

    assert_eq!(file.root.unwrap().value, "it's");
    assert_eq!(file.procfile.unwrap().value, "a \"b\" # c");
}

#[test]
fn the_last_of_two_values_is_used_and_the_problem_names_both_lines() {
    let file = ForemanFile::parse(b"port: 1\nport: 2\n");

    assert_eq!(file.port, Some(Setting { value: 2, line: 2 }));
    assert_eq!(file.problems[0].message, "`port` is set on line 1 and again here; this value is used");
}

#[test]
fn a_repeated_key_without_a_usable_value_leaves_the_earlier_one() {
    for (again, message) in [
        ("port: abc", "`abc` is not a port number from 1 to 65535"),
        ("port:", "`port` has no value and is ignored"),
        ("port: 'x", "the value of `port` has no closing quote"),
    ] {
        let file = ForemanFile::parse(format!("port: 1\n{again}\n").as_bytes());

        assert_eq!(file.port, Some(Setting { value: 1, line: 1 }), "{again}");
        let messages: Vec<_> = file.problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, [message], "{again}");
    }
    let file = ForemanFile::parse(b"port: 0\nport: 2\nprot: a\nprot: b\n");

    let messages: Vec<_> = file.problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    let unused = "`prot` has no effect";
    assert_eq!(messages, [(1, "`0` is not a port number from 1 to 65535"), (3, unused), (4, unused)]);
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ForemanFile::parse(&bytes);
    }

    #[test]
    fn parsing_any_keys_and_quotes_never_panics(text in "((port|env|root|x): ?['\"a-c0-9,# \\\\]{0,8}\n){0,6}") {
        let _ = ForemanFile::parse(text.as_bytes());
    }
}
