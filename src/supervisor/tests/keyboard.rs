//! Ctrl-C while the keyboard is connected to a dyno (S6.8).

use super::*;
use crate::model::PtySize;

/// The user presses Ctrl-C while the keyboard is connected to `run`.
fn ctrl_c(supervisor: &mut Supervisor, run: RunId, now: Now) -> Vec<String> {
    feed(supervisor, Event::Key { run, key: Key::Interrupt }, now)
}

fn other_key(supervisor: &mut Supervisor, run: RunId, now: Now) -> Vec<String> {
    feed(supervisor, Event::Key { run, key: Key::Other }, now)
}

#[test]
fn s6_8_the_first_ctrl_c_goes_to_the_dyno_the_second_stops_all() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    let web = run_of(&supervisor, "web.1");

    assert_eq!(ctrl_c(&mut supervisor, web, at(1)), ["#1 Ctrl-C"]);
    assert_eq!(
        ctrl_c(&mut supervisor, web, at_ms(1_001)),
        [
            "system: SIGINT received, starting shutdown",
            "system: sending SIGTERM to all processes",
            "#1 stop 15",
            "#2 stop 15"
        ]
    );
    obey(&mut supervisor, "web.1", at(2));
    assert_eq!(obey(&mut supervisor, "worker.1", at(2)).last().unwrap(), "finish by SIGINT");
}

#[test]
fn s6_8_after_another_key_ctrl_c_goes_to_the_dyno_again() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    let web = run_of(&supervisor, "web.1");
    ctrl_c(&mut supervisor, web, at(1));

    assert_eq!(other_key(&mut supervisor, web, at(2)), [""; 0]);

    assert_eq!(ctrl_c(&mut supervisor, web, at(3)), ["#1 Ctrl-C"]);
    assert_eq!(ctrl_c(&mut supervisor, web, at(60)).len(), 3, "no matter how much later");
}

#[test]
fn s6_8_a_third_ctrl_c_kills_unless_it_is_the_same_keypress() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    let web = run_of(&supervisor, "web.1");
    ctrl_c(&mut supervisor, web, at(1));
    ctrl_c(&mut supervisor, web, at(2));

    assert_eq!(ctrl_c(&mut supervisor, web, at_ms(2_100)), [""; 0]);
    assert_eq!(ctrl_c(&mut supervisor, web, at_ms(2_300)), ["system: sending SIGKILL to all processes", "#1 kill"]);
}

#[test]
fn s6_8_ctrl_c_stops_all_at_once_if_the_dyno_is_ending_or_gone() {
    let mut ending = all_up(&["web.1", "worker.1"], restarting());
    let web = run_of(&ending, "web.1");
    exit(&mut ending, "web.1", code(1), at(1));
    let mut gone = ending.clone();
    super::gone(&mut gone, "web.1", at(1));

    for supervisor in [&mut ending, &mut gone] {
        assert_eq!(ctrl_c(supervisor, web, at(2))[0], "system: SIGINT received, starting shutdown");
    }
}

#[test]
fn s6_8_the_second_ctrl_c_stops_all_even_if_the_first_caused_a_restart() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    let first = run_of(&supervisor, "web.1");
    ctrl_c(&mut supervisor, first, at(1));
    crash(&mut supervisor, "web.1", at(1));
    tick(&mut supervisor, at(1));
    spawned(&mut supervisor, "web.1", at(1));

    let second = run_of(&supervisor, "web.1");

    let mut typed_into = supervisor.clone();
    assert_eq!(ctrl_c(&mut supervisor, second, at(60))[0], "system: SIGINT received, starting shutdown");
    other_key(&mut typed_into, second, at(2));
    assert_eq!(ctrl_c(&mut typed_into, second, at(3)), [format!("#{} Ctrl-C", second.0)]);
}

#[test]
fn s6_8_sigint_from_elsewhere_stops_all_at_once() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    assert_eq!(signal(&mut supervisor, UserSignal::Int, at(1)).last().unwrap(), "#1 stop 15");
}

fn at_prompt(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::NeedsKeyboard { run, sign: KeyboardSign::DebuggerPrompt }, now)
}

#[test]
fn s6_8_a_debugger_prompt_points_to_focus_once_per_run() {
    let mut supervisor = all_up(&["web.1", "web.2"], restarting());
    let line = |name: &str, focus: &str| {
        vec![format!("system: {name} waits at a debugger prompt: run `dyno start --focus {focus}` to use it")]
    };

    assert_eq!(at_prompt(&mut supervisor, "web.1", at(1)), line("web.1", "web"));
    assert_eq!(at_prompt(&mut supervisor, "web.1", at(2)), [""; 0]);
    assert_eq!(at_prompt(&mut supervisor, "web.2", at(3)), line("web.2", "web.2"));

    crash(&mut supervisor, "web.1", at(4));
    spawned(&mut supervisor, "web.1", at(4));
    assert_eq!(at_prompt(&mut supervisor, "web.1", at(5)), line("web.1", "web"));
}

#[test]
fn s6_8_a_dyno_with_the_keyboard_gets_no_hint_about_focus() {
    for focus in [Focus::Keyboard, Focus::Stdin] {
        let spec = DynoSpec { focus, ..(*spec("web.1")).clone() };
        let plan = plan_of(vec![Arc::new(spec)]);
        let mut supervisor = Supervisor::new(plan, Policy::default());
        boot(&mut supervisor);
        spawned(&mut supervisor, "web.1", at(0));

        assert_eq!(at_prompt(&mut supervisor, "web.1", at(1)), [""; 0]);
    }
}

#[test]
fn s6_8_a_prompt_of_a_dyno_that_has_exited_gets_no_hint() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    let run = run_of(&supervisor, "web.1");
    exit(&mut supervisor, "web.1", code(1), at(1));

    assert!(!supervisor.may_need_keyboard(run));
    let prompt = Event::NeedsKeyboard { run, sign: KeyboardSign::DebuggerPrompt };
    assert_eq!(feed(&mut supervisor, prompt, at(1)), [""; 0]);
}

#[test]
fn s10_5_a_dyno_with_a_terminal_that_waits_points_to_attach() {
    let size = PtySize { rows: 24, cols: 80 };
    for (io, advice) in
        [(Io::Pty(size), "type `dyno attach web.1`"), (Io::Pipe, "run `dyno start --focus web` to use it")]
    {
        let plan = plan_of(vec![Arc::new(DynoSpec { io, ..(*spec("web.1")).clone() })]);
        let mut supervisor =
            Supervisor::new(plan, Policy { terminal_advice: FocusAdvice::Attach, ..Policy::default() });
        boot(&mut supervisor);
        spawned(&mut supervisor, "web.1", at(0));
        let run = run_of(&supervisor, "web.1");
        let waits = || Event::NeedsKeyboard { run, sign: KeyboardSign::WaitsForInput };

        let expected = format!("system: web.1 is waiting for input: {advice}");
        assert_eq!(feed(&mut supervisor, waits(), at(1)), [expected]);
        assert_eq!(feed(&mut supervisor, waits(), at(2)), [""; 0]);
    }
}
