use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::app::{PortError, PortVariable, Ports};
use crate::model::{DynoName, DynoSpec, Environment, Focus, HttpCheck, Io, ProcessType, PtySize, Readiness, Shell};

const PROCFILE: &str = "web: ./serve\nrelease: ./migrate\nworker: cd jobs && ./work\nclock: ./tick # often\n";

const TERMINAL: Io = Io::Pty(PtySize { rows: 24, cols: 80 });

fn process_type(name: &str) -> ProcessType {
    ProcessType::new(name).unwrap()
}

fn dyno(name: &str, index: u32) -> DynoName {
    DynoName::new(process_type(name), index)
}

fn blueprint_with(change: impl FnOnce(&mut RunSettings)) -> Blueprint {
    let procfile = Procfile::parse(PROCFILE.as_bytes()).unwrap();
    let mut settings = RunSettings {
        ports: Ports::new(5_000, 100, &procfile.formation_types()),
        expected: vec![process_type("web")],
        ready: vec![process_type("web")],
        http: HttpChecks::default(),
        shell: Shell::Sh,
        directory: PathBuf::from("/app"),
        session: "mark".to_owned(),
        app: "shop".to_owned(),
        names_siblings: true,
        io: Io::Pipe,
        focused: None,
    };
    change(&mut settings);
    let mut layers = Layers::default();
    layers.add_setting(b"KEY=value").unwrap();
    Blueprint::new(Release::first("ada".to_owned(), procfile, layers), settings)
}

fn blueprint() -> Blueprint {
    blueprint_with(|_| ())
}

fn variable(spec: &DynoSpec, key: &str) -> Option<String> {
    spec.environment.get(key.as_bytes()).map(|value| String::from_utf8_lossy(value.reveal()).into_owned())
}

#[test]
fn s5_1_any_dyno_of_any_type_has_its_own_port_and_name() {
    let spec = blueprint().spec(&dyno("worker", 7)).unwrap();

    assert_eq!((spec.port, &spec.readiness), (Some(5_106), &Readiness::Runs));
    assert_eq!(["PORT", "DYNO", "KEY"].map(|key| variable(&spec, key).unwrap()), ["5106", "worker.7", "value"]);
    assert_eq!((&*spec.command_line, spec.launch.shell_leads()), ("cd jobs && ./work", true));
}

#[test]
fn s6_2_a_dyno_of_a_ready_type_is_up_once_it_listens_and_answers() {
    let check = Arc::new(HttpCheck::new("/up", None).unwrap());
    let probing = blueprint_with(|settings| settings.http = HttpChecks::EveryType(Arc::clone(&check)));

    assert_eq!(blueprint().spec(&dyno("web", 2)).unwrap().readiness, Readiness::Listens { port: 5_001 });
    assert_eq!(probing.spec(&dyno("web", 2)).unwrap().readiness, Readiness::Answers { port: 5_001, check });
    assert_eq!(probing.spec(&dyno("worker", 1)).unwrap().readiness, Readiness::Runs);
}

#[test]
fn s8_1_the_release_command_has_no_port_and_no_input() {
    let spec = blueprint().spec(&blueprint().release_command().unwrap()).unwrap();

    assert_eq!((spec.dyno, spec.port, spec.stdin_is_empty), (dyno("release", 1), None, true));
    assert_eq!(spec.environment.get(b"PORT"), None);
}

#[test]
fn a_dyno_that_cannot_be_described_is_an_error() {
    assert_eq!(blueprint().spec(&dyno("wbe", 1)), Err(BlueprintError::UnknownType(process_type("wbe"))));
    let too_high = dyno("web", 60_537);
    assert_eq!(
        blueprint().spec(&too_high),
        Err(BlueprintError::Port(PortError::OutOfRange { dyno: too_high, port: 65_536 }))
    );
}

#[test]
fn s6_8_only_the_focused_dyno_gets_the_keyboard() {
    let focused = blueprint_with(|settings| {
        settings.focused = Some((dyno("web", 1), TERMINAL, Focus::Keyboard));
    });
    let streams = |name: &DynoName| {
        let spec = focused.spec(name).unwrap();
        (spec.io, spec.focus, spec.stdin_is_empty)
    };

    assert_eq!(streams(&dyno("web", 1)), (TERMINAL, Focus::Keyboard, false));
    assert_eq!(streams(&dyno("web", 2)), (Io::Pipe, Focus::Elsewhere, false));
}

#[test]
fn s3_3_bash_sources_the_profile_in_every_dyno() {
    let with_profile = blueprint_with(|settings| settings.shell = Shell::Bash);

    let one_off = with_profile.one_off(&dyno("run", 1), &OneOff::detached(b"./task".to_vec()));

    for spec in [with_profile.spec(&dyno("web", 1)).unwrap(), one_off] {
        assert!(spec.launch.shell() == Shell::Bash && spec.launch.line().starts_with(b"for dyno_profile in "));
    }
}

#[test]
fn s9_1_a_one_off_dyno_gets_config_vars_and_its_own_variables() {
    let mut variables = Environment::default();
    variables.set("KEY", "other");
    let one_off = OneOff { variables, ..OneOff::detached(b"rake jobs".to_vec()) };

    let spec = blueprint().one_off(&dyno("run", 4711), &one_off);

    assert_eq!(["KEY", "DYNO"].map(|key| variable(&spec, key).unwrap()), ["other", "run.4711"]);
    assert_eq!((&*spec.command_line, spec.port, spec.stdin_is_empty), ("rake jobs", None, true));
    let with_port = OneOff { port: PortVariable::Assigned(5_000), ..one_off };
    let spec = blueprint().one_off(&dyno("run", 1), &with_port);
    let port = variable(&spec, "PORT");
    assert_eq!((port.as_deref(), spec.port, spec.readiness), (Some("5000"), None, Readiness::Runs));
}

#[test]
fn s9_2_the_first_word_of_a_line_may_be_a_process_type() {
    let line = |line: &str| blueprint().one_off_line(line.as_bytes()).map(|line| String::from_utf8(line).unwrap());

    assert_eq!(line("web --once 'a  b'").unwrap(), "./serve --once 'a  b'");
    assert_eq!(line(" worker\n").unwrap(), "cd jobs && ./work");
    assert_eq!(line("'web' 42").unwrap(), "./serve 42");
    for other in ["webs 42", "./web", "echo web", "we'b' 42", "'"] {
        assert_eq!(line(other).unwrap(), other);
    }
    assert!(line("clock").is_ok() && line("clock 42").is_err());
}

#[test]
fn s3_1_a_one_off_dyno_cannot_change_the_marks_of_its_processes() {
    let mut variables = Environment::default();
    for key in ["DYNO", "PS", "DYNO_SESSION", "DYNO_APP", "TERM"] {
        variables.set(key, "other");
    }

    let spec = blueprint().one_off(&dyno("run", 4711), &OneOff { variables, ..OneOff::detached(b"x".to_vec()) });

    let values = ["DYNO", "PS", "DYNO_SESSION", "DYNO_APP", "TERM"].map(|key| variable(&spec, key).unwrap());
    assert_eq!(values, ["run.4711", "run.4711", "mark", "shop", "other"]);
}

#[test]
fn s9_1_one_word_is_a_line_and_several_are_kept_apart() {
    assert_eq!(OneOff::line_of(&[]), None);
    assert_eq!(OneOff::line_of(&[b"a && b"]), Some(b"a && b".to_vec()));
    assert_eq!(OneOff::line_of(&[b"a", b"&&", b"b c"]), Some(b"a '&&' 'b c'".to_vec()));
}

#[test]
fn s5_6_every_dyno_gets_the_address_of_each_type_that_must_listen() {
    let two = blueprint_with(|settings| settings.expected = ["web", "clock"].map(process_type).into());
    let addresses = |spec: &DynoSpec| {
        ["WEB_PORT", "WEB_URL", "CLOCK_PORT", "CLOCK_URL", "WORKER_PORT", "RELEASE_PORT"].map(|key| variable(spec, key))
    };

    let one_off = two.one_off(&dyno("run", 1), &OneOff::detached(b"x".to_vec()));
    for spec in [two.spec(&dyno("worker", 2)).unwrap(), two.spec(&dyno("release", 1)).unwrap(), one_off] {
        let url = |port: u16| Some(format!("http://127.0.0.1:{port}"));
        let expected = [Some("5000".to_owned()), url(5_000), Some("5200".to_owned()), url(5_200), None, None];
        assert_eq!((addresses(&spec), variable(&spec, "DYNO_APP").as_deref()), (expected, Some("shop")));
    }
    let foreman = blueprint_with(|settings| settings.names_siblings = false).spec(&dyno("web", 1)).unwrap();
    assert_eq!((addresses(&foreman), variable(&foreman, "DYNO_APP").as_deref()), (Default::default(), Some("shop")));
}
