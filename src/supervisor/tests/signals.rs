//! The signals that `dyno` itself receives (S12).

use super::*;

#[test]
fn s12_int_term_or_hup_stops_all_and_then_terminates_dyno() {
    for sent in [UserSignal::Int, UserSignal::Term, UserSignal::Hup] {
        let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

        assert_eq!(
            signal(&mut supervisor, sent, at(1)),
            [
                format!("system: {sent} received, starting shutdown"),
                "system: sending SIGTERM to all processes".into(),
                "#1 stop 15".into(),
                "#2 stop 15".into(),
            ]
        );
        assert!(supervisor.deadlines().any(|due| due == at(5).mono), "the rest gets the signal");
        assert_eq!(exit(&mut supervisor, "web.1", killed_by(15), at(2)), ["web.1: terminated by SIGTERM"]);
        gone(&mut supervisor, "web.1", at(2));
        assert_eq!(obey(&mut supervisor, "worker.1", at(2)).last().unwrap(), &format!("finish by {sent}"));
    }
}

#[test]
fn s12_a_second_signal_kills_unless_it_comes_within_300_ms() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Int, at_ms(1_000));

    assert_eq!(signal(&mut supervisor, UserSignal::Int, at_ms(1_001)), [""; 0]);
    assert_eq!(signal(&mut supervisor, UserSignal::Term, at_ms(1_299)), [""; 0]);
    assert_eq!(
        signal(&mut supervisor, UserSignal::Term, at_ms(1_300)),
        ["system: sending SIGKILL to all processes", "#1 kill"]
    );
    assert_eq!(signal(&mut supervisor, UserSignal::Int, at(2)), [""; 0], "killed only once");
    assert_eq!(obey(&mut supervisor, "web.1", at(2)).last().unwrap(), "finish by SIGINT");
}

#[test]
fn s12_quit_kills_at_once() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    assert_eq!(
        signal(&mut supervisor, UserSignal::Quit, at(1)),
        ["system: SIGQUIT received, starting shutdown", "system: sending SIGKILL to all processes", "#1 kill",]
    );
    assert_eq!(obey(&mut supervisor, "web.1", at(1)).last().unwrap(), "finish by SIGQUIT");
}

#[test]
fn s12_quit_right_after_int_kills_but_dyno_dies_by_sigint() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Int, at_ms(1_000));

    assert_eq!(signal(&mut supervisor, UserSignal::Quit, at_ms(1_001)).last().unwrap(), "#1 kill");
    assert_eq!(obey(&mut supervisor, "web.1", at(1)).last().unwrap(), "finish by SIGINT");
}

#[test]
fn a_signal_after_an_exit_kills_and_keeps_the_status_of_that_exit() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    crash(&mut supervisor, "web.1", at(1));

    assert_eq!(signal(&mut supervisor, UserSignal::Int, at_ms(1_299)), [""; 0], "it came too soon to mean that");
    assert_eq!(
        signal(&mut supervisor, UserSignal::Int, at_ms(1_300)),
        ["system: sending SIGKILL to all processes", "#2 kill"]
    );
    assert_eq!(obey(&mut supervisor, "worker.1", at(1)).last().unwrap(), "finish 1");
}

#[test]
fn s6_6_each_type_has_its_stop_signal_and_sigterm_is_shown_if_mixed() {
    let stop_signals = [(process_type("web"), 2)].into();
    let policy = Policy { stop_signals, ..Policy::default() };
    let mut mixed = all_up(&["web.1", "worker.1"], policy.clone());
    let mut same = all_up(&["web.1", "web.2"], policy);

    assert_eq!(
        signal(&mut mixed, UserSignal::Term, at(1))[1..],
        ["system: sending SIGTERM to all processes", "#1 stop 2", "#2 stop 15"]
    );
    assert_eq!(
        signal(&mut same, UserSignal::Term, at(1))[1..],
        ["system: sending SIGINT to all processes", "#1 stop 2", "#2 stop 2"]
    );
}

#[test]
fn s12_usr1_and_usr2_are_passed_on_to_every_run() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    assert_eq!(signal(&mut supervisor, UserSignal::Usr1, at(1)), ["#1 pass SIGUSR1", "#2 pass SIGUSR1"]);
    assert_eq!(signal(&mut supervisor, UserSignal::Usr2, at(1)), ["#1 pass SIGUSR2", "#2 pass SIGUSR2"]);
    signal(&mut supervisor, UserSignal::Term, at(2));
    assert_eq!(signal(&mut supervisor, UserSignal::Usr1, at(2)), [""; 0], "not while everything stops");
}

#[test]
fn s12_tstp_pauses_every_run_and_then_dyno_itself() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    assert_eq!(signal(&mut supervisor, UserSignal::Tstp, at(1)), ["#1 pause", "#2 pause", "suspend"]);
    assert_eq!(
        feed(&mut supervisor, Event::Resumed { paused_for: Duration::from_secs(9) }, at(10)),
        ["#1 continue", "#2 continue"]
    );
}

#[test]
fn a_signal_before_boot_ends_dyno_before_anything_starts() {
    let mut supervisor = Supervisor::new(formation(&["web.1"]), Policy::default());

    assert_eq!(signal(&mut supervisor, UserSignal::Term, at(0)).last().unwrap(), "finish by SIGTERM");
    assert_eq!(boot(&mut supervisor), [""; 0]);
}
