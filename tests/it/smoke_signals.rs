//! Smoke tests that a signal stops, such as one from a CI runner, and many smoke tests at once: the status is right and
//! no process is left (S11, S12, S5.4).

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Running, until};
use crate::smoke::{app, ports, smoke, stderr_by_dyno, until_logged};

/// Starts a smoke test and waits until it is in this phase, which is named as in the verdict.
fn in_phase(phase: &str) -> (App, Running) {
    let (procfile, args, shown): (_, &[&str], _) = match phase {
        "during the release phase" => ("release: echo here; read -r _ <never\nweb: ./listen\n", &[], "| here"),
        "while booting" => ("web: echo here; read -r _ <never\n", &[], "| here"),
        "while settling" => ("worker: echo here; read -r _ <never\n", &["--settle", "1000"], "| here"),
        "while the command ran" => {
            ("web: ./listen\n", &["--settle", "0", "--", "echo here >&2; read -r _ <never"], "here\n")
        }
        _ => (
            "worker: trap 'echo here' TERM; echo up; while :; do read -r _ <never; done 2>/dev/null\n",
            &["--settle", "0.5", "--grace", "1000", "--", "exit 3"],
            "| here",
        ),
    };
    let app = app(procfile).fifo("never");
    let smoke = smoke(&app, args).spawn();
    until_logged(&smoke, shown);
    (app, smoke)
}

const PHASES: [&str; 4] = ["during the release phase", "while booting", "while settling", "while the command ran"];

#[test]
fn s11_a_smoke_test_ends_by_the_signal_and_reports_its_phase() {
    for phase in PHASES {
        for (signal, name, status) in [
            (Signal::SIGTERM, "SIGTERM", 143),
            (Signal::SIGINT, "SIGINT", 130),
            (Signal::SIGHUP, "SIGHUP", 129),
            (Signal::SIGQUIT, "SIGQUIT", 131),
        ] {
            let (_app, smoke) = in_phase(phase);

            smoke.signal(signal);

            let finished = smoke.finish();
            finished.expect_end(Ended::Signal(signal));
            let reason = format!("smoke failed: stopped by {name} {phase} (status {status})");
            assert_eq!(stderr_by_dyno(&finished).lines().last(), Some(reason.as_str()));
        }
    }
}

#[test]
fn s12_a_signal_to_a_stopping_smoke_test_kills_and_keeps_the_status() {
    let (_app, smoke) = in_phase("while stopping");
    crate::signals::wait_for_the_next_keypress();

    smoke.signal(Signal::SIGTERM);

    let finished = smoke.finish();
    finished.expect_end(Ended::Code(3));
    let stderr = stderr_by_dyno(&finished);
    assert!(stderr.contains("worker.1: terminated by SIGKILL\n"), "{stderr}");
    assert_eq!(stderr.lines().last(), Some("smoke failed: the command exited with code 3 (status 3)"));
}

#[test]
fn a_killed_smoke_test_leaves_no_process_in_any_phase() {
    for phase in PHASES.into_iter().chain(["while stopping"]) {
        let (_app, smoke) = in_phase(phase);

        smoke.signal(Signal::SIGKILL);

        // `finish` waits until no process is left.
        smoke.finish().expect_end(Ended::Signal(Signal::SIGKILL));
    }
}

#[test]
fn s11_a_smoke_test_whose_guardian_is_killed_ends_with_70() {
    let (_app, smoke) = in_phase("while the command ran");

    nix::sys::signal::kill(nix::unistd::Pid::from_raw(smoke.guardian()), Signal::SIGKILL).unwrap();

    let finished = smoke.finish();
    finished.expect_end(Ended::Code(70));
    let last = "smoke failed: `dyno`'s helper process (the guardian) was killed (status 70)";
    assert_eq!(stderr_by_dyno(&finished).lines().last(), Some(last));
}

#[test]
fn s5_4_forty_smoke_tests_at_once_share_no_port_and_leave_no_process() {
    const SMOKES: usize = 40;
    let app = app("web: ./listen\nworker: read -r _ <never\n").fifo("never");
    let gate = |number: usize| format!("go.{number}");
    let app = (0..SMOKES).fold(app, |app, number| app.fifo(&gate(number)));

    let mut smokes: Vec<Running> = (0..SMOKES)
        .map(|number| {
            let command = format!("echo tested; read -r _ <{}", gate(number));
            smoke(&app, &["web=2", "worker", "--settle", "0", "--http", "/", "--", &command]).spawn()
        })
        .collect();
    // When all commands run, the apps of all smoke tests are up at the same time.
    for smoke in &mut smokes {
        until("the command runs", || smoke.stdout.text() == "tested\n" || smoke.has_ended());
    }
    for number in 0..SMOKES {
        app.release(&gate(number));
    }

    let mut all = BTreeSet::new();
    for smoke in smokes {
        let finished = smoke.finish();
        finished.expect_end(Ended::Code(0));
        let own = ports(&finished.stderr());
        assert_eq!(own.len(), 3, "{}", finished.stderr());
        for port in own {
            assert!(all.insert(port.clone()), "{port} was given twice");
        }
    }
}
