//! What ends a smoke test, and the status and reason that follow (S11).

use super::*;

/// The last effect, and the reason.
fn verdict(smoke: &Tested, lines: &[String]) -> (String, String) {
    let report = smoke.report(Outcome::Code(0), at(99).mono);
    (lines.last().cloned().unwrap_or_default(), report.reason)
}

#[track_caller]
fn assert_ends(smoke: &Tested, lines: &[String], last: &str, reason: &str) {
    assert_eq!(verdict(smoke, lines), (last.to_owned(), reason.to_owned()), "{lines:#?}");
}

#[test]
fn the_command_sets_the_exit_status() {
    for (how, last, reason) in [
        (code(0), "finish 0", "the command exited with code 0"),
        (code(3), "finish 3", "the command exited with code 3"),
        (
            code(127),
            "finish 127",
            "the command exited with code 127, the shell's status for a program that was not found",
        ),
        (
            code(126),
            "finish 126",
            "the command exited with code 126, the shell's status for a program that cannot be executed",
        ),
        (killed_by(9), "finish 137", "the command was terminated by SIGKILL"),
    ] {
        let mut smoke = testing(policy());

        end(&mut smoke, "run.1", how, at(3));
        last_look(&mut smoke, 3);

        let lines = end(&mut smoke, "web.1", killed_by(15), at(4));
        assert_ends(&smoke, &lines, last, reason);
    }
}

#[test]
fn if_the_command_cannot_start_the_status_is_126() {
    let mut smoke = begun(plan(&["worker.1"], true), policy(), rules());
    spawned(&mut smoke, "worker.1", at(0));
    feed(&mut smoke, Event::Tick, at(1));
    let run = run_of(&smoke, "run.1");

    feed(&mut smoke, Event::Run(run, RunReport::SpawnFailed(SpawnFailure("cannot execute `/bin/sh`".into()))), at(1));

    let lines = end(&mut smoke, "worker.1", killed_by(15), at(1));
    assert_ends(&smoke, &lines, "finish 126", "the command could not be started: cannot execute `/bin/sh`");
}

#[test]
fn a_failed_release_command_sets_the_exit_status() {
    let plan = Plan { release: Some(spec("release.1")), ..plan(&["web.1"], true) };
    let mut smoke = begun(plan, policy(), rules());
    spawned(&mut smoke, "release.1", at(0));

    let lines = end(&mut smoke, "release.1", code(4), at(1));

    assert_ends(&smoke, &lines, "finish 4", "release.1 exited with code 4");
}

#[test]
fn a_dyno_that_exits_before_the_command_ends_fails_the_test() {
    let booting = begun(plan(&["web.1"], true), policy(), rules());
    let mut settling = booting.clone();
    spawned(&mut settling, "web.1", at(0));
    ready(&mut settling, "web.1", at(1));
    // Whether a dyno was seen to be up for a moment is a matter of chance, so both have the same reason.
    for (smoke, when) in
        [(booting, "while booting"), (settling, "while booting"), (testing(policy()), "while the command ran")]
    {
        for (how, status, words) in [
            (code(7), 7, "exited with code 7"),
            (code(0), 1, "exited with code 0"),
            (killed_by(11), 139, "was terminated by SIGSEGV"),
        ] {
            let mut smoke = smoke.clone();

            let mut lines = end(&mut smoke, "web.1", how, at(3));
            if when == "while the command ran" {
                // The command was stopped, so its success does not matter.
                lines = end(&mut smoke, "run.1", code(0), at(3));
            }

            assert_ends(&smoke, &lines, &format!("finish {status}"), &format!("web.1 {words} {when}"));
        }
    }
}

#[test]
fn s19_2_a_failed_command_decides_before_its_children_are_gone() {
    let failed = |how| {
        let mut smoke = testing(policy());
        exit(&mut smoke, "run.1", how, at(3));
        smoke
    };

    for (how, last, reason) in [
        (code(3), "finish 3", "the command exited with code 3"),
        (killed_by(6), "finish 134", "the command was terminated by SIGABRT"),
    ] {
        let mut dyno_dies = failed(how);
        end(&mut dyno_dies, "web.1", killed_by(9), at(4));
        let lines = gone(&mut dyno_dies, "run.1", at(5));
        assert_ends(&dyno_dies, &lines, last, reason);
        assert_eq!(dyno_dies.report(Outcome::Code(3), at(5).mono).culprit, None);

        for event in [Event::Signal(UserSignal::Int), Event::OutputLost(OutputLoss::Closed)] {
            let mut stopped = failed(how);
            feed(&mut stopped, event, at(4));
            end(&mut stopped, "web.1", killed_by(15), at(4));
            let lines = gone(&mut stopped, "run.1", at(5));
            assert_ends(&stopped, &lines, last, reason);
        }
    }
}

#[test]
fn a_dyno_that_exits_before_the_commands_children_fails_the_test() {
    let mut smoke = testing(policy());
    exit(&mut smoke, "run.1", code(0), at(3));

    end(&mut smoke, "web.1", code(0), at(3));

    let lines = gone(&mut smoke, "run.1", at(3));
    assert_ends(&smoke, &lines, "finish 1", "web.1 exited with code 0 while the command ran");
}

#[test]
fn a_dyno_killed_by_the_last_request_of_the_command_fails_the_test() {
    let mut smoke = testing(policy());
    assert_eq!(end(&mut smoke, "run.1", code(0), at(3)).last().unwrap(), "#2 stop 15");

    exit(&mut smoke, "web.1", killed_by(9), at(3));

    let lines = gone(&mut smoke, "web.1", at(3));
    assert_ends(&smoke, &lines, "finish 137", "web.1 was terminated by SIGKILL while the command ran");
}

#[test]
fn after_a_failed_command_everything_is_stopped_at_once() {
    let mut smoke = testing(policy());

    let lines = end(&mut smoke, "run.1", code(3), at(3));

    assert_eq!(lines.last().unwrap(), "#1 stop 15");
}

#[test]
fn without_a_command_dynos_that_exited_as_allowed_are_named() {
    let may_exit = Policy { can_die: [(process_type("web"), CanDie::Any)].into(), ..policy() };
    let mut smoke = begun(plan(&["web.1", "worker.1"], false), may_exit, rules());
    spawned(&mut smoke, "web.1", at(0));
    spawned(&mut smoke, "worker.1", at(0));
    end(&mut smoke, "web.1", code(3), at(0));
    feed(&mut smoke, Event::Tick, at(1));

    let lines = end(&mut smoke, "worker.1", killed_by(15), at(1));

    assert_ends(&smoke, &lines, "finish 0", "all dynos came up and stayed up for 1 second (web.1 exited, as allowed)");
}

#[test]
fn a_reason_names_five_dynos_and_counts_the_others() {
    let dynos = ["web.1", "web.2", "web.3", "web.4", "web.5", "web.6", "web.7"];
    let mut smoke = begun(plan(&dynos, false), policy(), rules());
    for name in dynos {
        spawned(&mut smoke, name, at(0));
    }

    feed(&mut smoke, Event::Tick, at(60));

    let each = |index| format!("web.{index} does not listen on $PORT (500{index}); ");
    let named: String = (1..=5).map(each).collect();
    let report = smoke.report(Outcome::Code(75), at(60).mono);
    assert_eq!(report.reason, format!("not up within 60 seconds: {named}and 2 more"));
}

#[test]
fn a_dyno_that_cannot_start_fails_the_test() {
    let mut smoke = begun(plan(&["web.1"], true), policy(), rules());
    let run = run_of(&smoke, "web.1");

    let lines = feed(&mut smoke, Event::Run(run, RunReport::SpawnFailed(SpawnFailure("no memory".into()))), at(0));

    assert_ends(&smoke, &lines, "finish 126", "web.1 could not be started: no memory");
}

#[test]
fn a_timeout_has_status_75_and_names_every_dyno_that_is_not_up() {
    let mut smoke = begun(plan(&["web.1", "web.2", "web.3"], true), policy(), rules());
    for (name, second) in [("web.1", 0), ("web.2", 0), ("web.3", 1)] {
        spawned(&mut smoke, name, at(second));
    }
    ready(&mut smoke, "web.2", at(5));

    let lines = feed(&mut smoke, Event::Tick, at(60));

    assert_eq!(
        lines,
        [
            "#3 find listener",
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
            "-- stop",
            "#1 find listener",
            "#1 kill",
            "system: sending SIGTERM to all processes",
            "#2 stop 15",
            "#3 stop 15",
        ]
    );
    let run = run_of(&smoke, "web.3");
    feed(&mut smoke, Event::ListensElsewhere { run, port: 3000 }, at(60));
    end(&mut smoke, "web.1", killed_by(9), at(60));
    end(&mut smoke, "web.2", killed_by(15), at(60));
    let lines = end(&mut smoke, "web.3", killed_by(15), at(60));
    let reason = "not up within 60 seconds: web.1 does not listen on $PORT (5001); \
                  web.3 listens on port 3000, not on $PORT (5003)";
    assert_ends(&smoke, &lines, "finish 75", reason);
}

#[test]
fn a_timeout_names_the_wrong_answer_of_a_dyno_that_listens() {
    for (answer, why) in [
        (Some(HttpAnswer::Status(500)), "answers GET /health with 500, not 200 to 399"),
        (Some(HttpAnswer::None(HttpSilence::Refused)), "refuses the connection for GET /health"),
        (Some(HttpAnswer::None(HttpSilence::Closed)), "closes the connection without answering GET /health"),
        (Some(HttpAnswer::None(HttpSilence::NotHttp)), "answers GET /health with something that is not HTTP"),
        (Some(HttpAnswer::None(HttpSilence::Slow)), "listens but does not answer GET /health"),
        (None, "listens but does not answer GET /health"),
    ] {
        let mut smoke = begun(probing(plan(&["web.1"], true)), policy(), rules());
        spawned(&mut smoke, "web.1", at(0));
        listens(&mut smoke, "web.1", at(1));
        if let Some(answer) = answer {
            answered(&mut smoke, "web.1", answer, at(2));
        }

        let mut lines = feed(&mut smoke, Event::Tick, at(60));
        let notice = format!("web.1: not up within 60 seconds: it {why}");
        assert_eq!(lines, [notice.as_str(), "-- stop", "#1 kill"]);

        lines = end(&mut smoke, "web.1", killed_by(9), at(60));
        assert_ends(&smoke, &lines, "finish 75", &format!("not up within 60 seconds: web.1 {why}"));
    }
}

#[test]
fn a_guardian_that_does_not_answer_is_not_a_timeout() {
    // The guardian never reports that the processes left running are gone.
    let mut releasing = begun(Plan { release: Some(spec("release.1")), ..plan(&["web.1"], true) }, policy(), rules());
    spawned(&mut releasing, "release.1", at(0));
    exit(&mut releasing, "release.1", code(0), at(3));
    let mut testing = testing(policy());
    exit(&mut testing, "run.1", code(0), at(3));
    for mut smoke in [releasing, testing] {
        let before = smoke.report(Outcome::Code(70), at(99).mono);
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != "replace guardian") {
            let due = smoke.next_deadline().unwrap_or_else(|| panic!("nothing is due: {lines:#?}"));
            lines.extend(feed(&mut smoke, Event::Tick, Now { mono: due, ..at(0) }));
        }

        let report = smoke.report(Outcome::Code(70), at(99).mono);

        assert_eq!(report, before);
    }
}

#[test]
fn in_any_phase_a_signal_stops_the_test_and_terminates_dyno() {
    let booting = begun(plan(&["web.1"], true), policy(), rules());
    for (smoke, when) in [(booting, "while booting"), (testing(policy()), "while the command ran")] {
        let mut smoke = smoke;
        let lines = feed(&mut smoke, Event::Signal(UserSignal::Term), at(3));
        assert_eq!(lines[0], "-- stop");

        let mut lines = end(&mut smoke, "web.1", killed_by(15), at(3));
        if when == "while the command ran" {
            lines = end(&mut smoke, "run.1", killed_by(15), at(3));
        }

        assert_ends(&smoke, &lines, "finish by SIGTERM", &format!("stopped by SIGTERM {when}"));
    }
}

#[test]
fn a_signal_while_stopping_does_not_change_the_status() {
    let mut smoke = testing(policy());
    end(&mut smoke, "run.1", code(3), at(3));

    assert_eq!(
        feed(&mut smoke, Event::Signal(UserSignal::Term), at(4)),
        ["system: sending SIGKILL to all processes", "#1 kill"]
    );

    let lines = end(&mut smoke, "web.1", killed_by(9), at(4));
    assert_ends(&smoke, &lines, "finish 3", "the command exited with code 3");
}

#[test]
fn a_log_that_cannot_be_written_ends_the_test() {
    let mut smoke = testing(policy());
    feed(&mut smoke, Event::OutputLost(OutputLoss::Closed), at(3));
    end(&mut smoke, "run.1", killed_by(15), at(3));

    let lines = end(&mut smoke, "web.1", killed_by(15), at(3));

    assert_ends(&smoke, &lines, "finish 141", "the log could not be written");
}

#[test]
fn s11_an_unkillable_process_overrides_every_other_status() {
    let mut smoke = testing(policy());
    exit(&mut smoke, "run.1", code(3), at(3));
    feed(&mut smoke, Event::Tick, at(8));
    let run = run_of(&smoke, "run.1");

    let lines = feed(&mut smoke, Event::Run(run, RunReport::Unkillable { survivor: "77 (nfs)".into() }), at(10));
    assert_eq!(lines[..2], ["run.1: process 77 (nfs) could not be killed", "-- stop"]);

    let lines = end(&mut smoke, "web.1", killed_by(15), at(10));
    assert_ends(&smoke, &lines, "finish 70", "a process could not be killed");
}
