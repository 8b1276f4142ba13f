//! Tests which layer wins, and which variables a dyno adds.

use super::*;
use crate::model::ProcessType;

fn layers(shell: &[(&str, &str)], files: &[(&str, &str)], prefer_shell: bool) -> Layers {
    let mut inherited = Environment::default();
    for (key, value) in shell {
        inherited.set(*key, *value);
    }
    let mut layers = Layers::new(inherited, prefer_shell);
    for (name, text) in files {
        let file = EnvFile::parse(text.as_bytes(), &layers.scope()).unwrap();
        layers.add_file(*name, file);
    }
    layers
}

fn web_1(layers: &Layers, port: PortVariable) -> Environment {
    let dyno = DynoName::new(ProcessType::new("web").unwrap(), 1);
    layers.environment(&DynoVariables { dyno: &dyno, port, session: "abc", app: "shop", siblings: &[] })
}

fn value<'a>(environment: &'a Environment, key: &str) -> Option<&'a str> {
    environment.get(key.as_bytes()).map(|value| std::str::from_utf8(value.reveal()).unwrap())
}

fn explained(layers: &Layers, key: &str) -> Vec<String> {
    let dyno = DynoName::new(ProcessType::new("web").unwrap(), 1);
    let port = PortVariable::Assigned(5000);
    let variables = DynoVariables { dyno: &dyno, port, session: "abc", app: "shop", siblings: &[] };
    let shown = |sourced: &SourcedValue| {
        let value = sourced.value.as_ref().map_or("nothing".into(), |value| String::from_utf8_lossy(value.reveal()));
        format!("{value} from {}", sourced.origin)
    };
    layers.explain(key.as_bytes(), Some(&variables)).iter().map(shown).collect()
}

#[test]
fn set_wins_over_files_later_files_over_earlier_and_files_over_the_shell() {
    let mut layers = layers(&[("K", "shell")], &[(".env", "K=a\nK=b\n"), (".env.local", "\nK=c\n")], false);
    layers.add_setting(b"K=d=e").unwrap();

    assert_eq!(value(&web_1(&layers, PortVariable::Kept), "K"), Some("d=e"));
    assert_eq!(
        explained(&layers, "K"),
        ["d=e from `--set`", "c from .env.local:2", "b from .env:2", "a from .env:1", "shell from the shell"]
    );
}

#[test]
fn with_prefer_shell_the_shell_wins_over_files_but_not_over_set() {
    let mut layers = layers(&[("K", "shell"), ("S", "shell")], &[(".env", "K=file\nF=file\n")], true);
    layers.add_setting(b"S=set").unwrap();

    let environment = web_1(&layers, PortVariable::Kept);

    assert_eq!(value(&environment, "K"), Some("shell"));
    assert_eq!(value(&environment, "F"), Some("file"));
    assert_eq!(value(&environment, "S"), Some("set"));
    assert_eq!(explained(&layers, "K"), ["shell from the shell", "file from .env:1"]);
}

#[test]
fn a_dyno_gets_its_name_port_and_session() {
    let environment = web_1(&layers(&[("PORT", "1"), ("DYNO", "x")], &[], false), PortVariable::Assigned(5000));

    for (key, expected) in [
        ("PORT", "5000"),
        ("DYNO", "web.1"),
        ("PS", "web.1"),
        ("FOREMAN_WORKER_NAME", "web.1"),
        ("HONCHO_PROCESS_NAME", "web.1"),
        ("DYNO_SESSION", "abc"),
        ("PYTHONUNBUFFERED", "1"),
    ] {
        assert_eq!(value(&environment, key), Some(expected), "{key}");
    }
}

#[test]
fn names_for_other_tools_and_pythonunbuffered_are_kept_if_set() {
    let shell = [("PYTHONUNBUFFERED", ""), ("HONCHO_PROCESS_NAME", "mine")];
    let layers = layers(&shell, &[(".env", "FOREMAN_WORKER_NAME=its\n")], false);

    let environment = web_1(&layers, PortVariable::Kept);

    assert_eq!(value(&environment, "PYTHONUNBUFFERED"), Some(""));
    assert_eq!(value(&environment, "HONCHO_PROCESS_NAME"), Some("mine"));
    assert_eq!(value(&environment, "FOREMAN_WORKER_NAME"), Some("its"));
}

#[test]
fn s3_1_a_nested_run_replaces_the_names_of_the_outer_dyno() {
    let names = [("FOREMAN_WORKER_NAME", "outer.1"), ("HONCHO_PROCESS_NAME", "outer.1")];
    let shell = [&[("DYNO_SESSION", "outer"), ("DYNO", "outer.1")][..], &names].concat();
    for prefer_shell in [false, true] {
        let layers = layers(&shell, &[(".env", "FOREMAN_WORKER_NAME=its\n")], prefer_shell);

        let environment = web_1(&layers, PortVariable::Kept);

        assert_eq!(value(&environment, "FOREMAN_WORKER_NAME"), Some("its"));
        assert_eq!(value(&environment, "HONCHO_PROCESS_NAME"), Some("web.1"));
        assert_eq!(explained(&layers, "HONCHO_PROCESS_NAME"), ["web.1 from the dyno"]);
    }
}

#[test]
fn s3_1_a_nested_run_keeps_the_names_that_the_user_set_for_it() {
    for outer in [&[("DYNO_SESSION", "outer"), ("DYNO", "outer.1")][..], &[("DYNO_SESSION", "outer")]] {
        let layers = layers(&[outer, &[("FOREMAN_WORKER_NAME", "mine")]].concat(), &[], false);

        assert_eq!(value(&web_1(&layers, PortVariable::Kept), "FOREMAN_WORKER_NAME"), Some("mine"));
    }
}

#[test]
fn a_file_can_override_the_default_of_pythonunbuffered() {
    for prefer_shell in [false, true] {
        let layers = layers(&[], &[(".env", "PYTHONUNBUFFERED=\n")], prefer_shell);

        assert_eq!(value(&web_1(&layers, PortVariable::Kept), "PYTHONUNBUFFERED"), Some(""));
    }
}

#[test]
fn the_release_phase_has_no_port_and_a_one_off_dyno_keeps_the_set_one() {
    let layers = layers(&[], &[(".env", "PORT=7000\n")], false);

    assert_eq!(value(&web_1(&layers, PortVariable::Removed), "PORT"), None);
    assert_eq!(value(&web_1(&layers, PortVariable::Kept), "PORT"), Some("7000"));
    assert_eq!(explained(&layers, "PORT"), ["5000 from the dyno", "7000 from .env:1"]);
}

#[test]
fn inherited_bytes_that_are_not_utf_8_are_passed_on_unchanged() {
    let mut inherited = Environment::default();
    inherited.set(b"K\xFF".as_slice(), b"\xFE".as_slice());

    let environment = web_1(&Layers::new(inherited, false), PortVariable::Kept);

    assert_eq!(environment.get(b"K\xFF").map(Secret::reveal), Some(b"\xFE".as_slice()));
}

#[test]
fn config_vars_come_from_files_and_set() {
    let mut layers = layers(&[("HOME", "/root")], &[(".env", "B=1\nA=2\n")], false);
    layers.add_setting(b"C=3").unwrap();

    assert_eq!(layers.config_vars().into_keys().collect::<Vec<_>>(), ["A", "B", "C"]);
    assert_eq!(layers.get("HOME").map(|sourced| sourced.origin), Some(Origin::Shell));
}

#[test]
fn an_invalid_setting_is_never_shown() {
    for setting in [b"hunter2".as_slice(), b"=hunter2", b"a b=hunter2"] {
        let error = Layers::default().add_setting(setting).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
