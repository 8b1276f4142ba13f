//! What ends a smoke, with which status, and what is said about it (S11).

use super::*;

/// The last order, and the reason.
fn verdict(smoke: &Smoke, lines: &[String]) -> (String, String) {
    let report = smoke.report(Outcome::Code(0), at(99).mono);
    (lines.last().cloned().unwrap_or_default(), report.reason)
}

#[track_caller]
fn assert_ends(smoke: &Smoke, lines: &[String], last: &str, reason: &str) {
    assert_eq!(verdict(smoke, lines), (last.to_owned(), reason.to_owned()), "{lines:#?}");
}

#[test]
fn the_status_of_the_command_is_ours() {
    for (how, last, reason) in [
        (code(0), "finish 0", "the command exited with code 0"),
        (code(3), "finish 3", "the command exited with code 3"),
        (code(127), "finish 127", "the command exited with code 127, as a shell does where a program is not found"),
        (
            code(126),
            "finish 126",
            "the command exited with code 126, as a shell does where a program cannot be executed",
        ),
        (killed_by(9), "finish 137", "the command was terminated by SIGKILL"),
    ] {
        let mut smoke = testing(policy());

        end(&mut smoke, "run.1", how, at(3));
        look(&mut smoke, 3);

        let lines = end(&mut smoke, "web.1", killed_by(15), at(4));
        assert_ends(&smoke, &lines, last, reason);
    }
}

#[test]
fn a_command_that_cannot_be_started_is_126() {
    let mut smoke = begun(plan(&["worker.1"], true), policy(), rules());
    spawned(&mut smoke, "worker.1", at(0));
    happen(&mut smoke, Event::Tick, at(1));
    let run = run_of(&smoke, "run.1");

    happen(&mut smoke, Event::SpawnFailed { run, why: SpawnFailure("cannot execute `/bin/sh`".into()) }, at(1));

    let lines = end(&mut smoke, "worker.1", killed_by(15), at(1));
    assert_ends(&smoke, &lines, "finish 126", "the command could not be started: cannot execute `/bin/sh`");
}

#[test]
fn the_status_of_a_failed_release_is_ours() {
    let plan = Plan { release: Some(spec("release.1")), ..plan(&["web.1"], true) };
    let mut smoke = begun(plan, policy(), rules());
    spawned(&mut smoke, "release.1", at(0));

    let lines = end(&mut smoke, "release.1", code(4), at(1));

    assert_ends(&smoke, &lines, "finish 4", "release.1 exited with code 4");
}

#[test]
fn a_dyno_that_ends_while_booting_settling_or_while_the_command_runs_fails_it() {
    let booting = begun(plan(&["web.1"], true), policy(), rules());
    let mut settling = booting.clone();
    spawned(&mut settling, "web.1", at(0));
    ready(&mut settling, "web.1", at(1));
    // Whether one that listened for a moment was seen is chance: both are told as the same.
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
                // It was told to stop, and its own success counts for nothing.
                lines = end(&mut smoke, "run.1", code(0), at(3));
            }

            assert_ends(&smoke, &lines, &format!("finish {status}"), &format!("web.1 {words} {when}"));
        }
    }
}

#[test]
fn a_dyno_that_ends_between_the_end_of_the_command_and_of_its_children_fails_it() {
    let mut smoke = testing(policy());
    exit(&mut smoke, "run.1", code(0), at(3));

    end(&mut smoke, "web.1", code(0), at(3));

    let lines = gone(&mut smoke, "run.1", at(3));
    assert_ends(&smoke, &lines, "finish 1", "web.1 exited with code 0 while the command ran");
}

#[test]
fn a_dyno_that_ends_by_the_last_that_the_command_did_fails_it() {
    let mut smoke = testing(policy());
    assert_eq!(end(&mut smoke, "run.1", code(0), at(3)).last().unwrap(), "#2 stop 15");

    exit(&mut smoke, "web.1", killed_by(9), at(3));

    let lines = gone(&mut smoke, "web.1", at(3));
    assert_ends(&smoke, &lines, "finish 137", "web.1 was terminated by SIGKILL while the command ran");
}

#[test]
fn a_command_that_failed_is_looked_at_no_longer() {
    let mut smoke = testing(policy());

    let lines = end(&mut smoke, "run.1", code(3), at(3));

    assert_eq!(lines.last().unwrap(), "#1 stop 15");
}

#[test]
fn who_did_not_stay_as_it_may_is_named_where_nothing_is_run() {
    let may_end = Policy { can_die: [(process_type("web"), CanDie::Any)].into(), ..policy() };
    let mut smoke = begun(plan(&["web.1", "worker.1"], false), may_end, rules());
    spawned(&mut smoke, "web.1", at(0));
    spawned(&mut smoke, "worker.1", at(0));
    end(&mut smoke, "web.1", code(3), at(0));
    happen(&mut smoke, Event::Tick, at(1));

    let lines = end(&mut smoke, "worker.1", killed_by(15), at(1));

    assert_ends(&smoke, &lines, "finish 0", "everybody came up and stayed up for 1 second, or ended as it may: web.1");
}

#[test]
fn a_reason_names_five_and_how_many_more() {
    let dynos = ["web.1", "web.2", "web.3", "web.4", "web.5", "web.6", "web.7"];
    let mut smoke = begun(plan(&dynos, false), policy(), rules());
    for name in dynos {
        spawned(&mut smoke, name, at(0));
    }

    happen(&mut smoke, Event::Tick, at(60));

    let each = |index| format!("web.{index} does not listen on $PORT (500{index}); ");
    let named: String = (1..=5).map(each).collect();
    let report = smoke.report(Outcome::Code(75), at(60).mono);
    assert_eq!(report.reason, format!("not up within 60 seconds: {named}and 2 more"));
}

#[test]
fn a_dyno_that_cannot_be_started_fails_it() {
    let mut smoke = begun(plan(&["web.1"], true), policy(), rules());
    let run = run_of(&smoke, "web.1");

    let lines = happen(&mut smoke, Event::SpawnFailed { run, why: SpawnFailure("no memory".into()) }, at(0));

    assert_ends(&smoke, &lines, "finish 126", "web.1 could not be started: no memory while booting");
}

#[test]
fn not_up_in_time_is_75_and_names_all_who_were_not() {
    let mut smoke = begun(plan(&["web.1", "web.2", "web.3"], true), policy(), rules());
    for (name, second) in [("web.1", 0), ("web.2", 0), ("web.3", 1)] {
        spawned(&mut smoke, name, at(second));
    }
    ready(&mut smoke, "web.2", at(5));

    let lines = happen(&mut smoke, Event::Tick, at(60));

    assert_eq!(
        lines,
        [
            "-- stop",
            "#3 find listener",
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
            "#1 find listener",
            "#1 kill",
            "system: sending SIGTERM to all processes",
            "#2 stop 15",
            "#3 stop 15",
        ]
    );
    let run = run_of(&smoke, "web.3");
    happen(&mut smoke, Event::ListensElsewhere { run, port: 3000 }, at(60));
    end(&mut smoke, "web.1", killed_by(9), at(60));
    end(&mut smoke, "web.2", killed_by(15), at(60));
    let lines = end(&mut smoke, "web.3", killed_by(15), at(60));
    let reason = "not up within 60 seconds: web.1 does not listen on $PORT (5001); \
                  web.3 listens on port 3000, not on $PORT (5003)";
    assert_ends(&smoke, &lines, "finish 75", reason);
}

#[test]
fn a_web_that_listens_and_gives_no_right_answer_is_told_so() {
    for (answer, why) in [
        (Some(HttpAnswer::Status(500)), "answers GET /health with 500, not 200 to 399"),
        (Some(HttpAnswer::None(HttpSilence::Refused)), "takes no connection for GET /health"),
        (Some(HttpAnswer::None(HttpSilence::Closed)), "closes the connection without an answer to GET /health"),
        (Some(HttpAnswer::None(HttpSilence::NotHttp)), "answers GET /health with something that is not HTTP"),
        (Some(HttpAnswer::None(HttpSilence::Slow)), "listens but does not answer GET /health"),
        (None, "listens but does not answer GET /health"),
    ] {
        let mut smoke = begun(plan(&["web.1"], true), policy(), asking());
        spawned(&mut smoke, "web.1", at(0));
        ready(&mut smoke, "web.1", at(1));
        if let Some(answer) = answer {
            answered(&mut smoke, "web.1", answer, at(2));
        }

        let mut lines = happen(&mut smoke, Event::Tick, at(60));
        let told = format!("web.1: not up within 60 seconds: it {why}");
        assert_eq!(lines, [told.as_str(), "-- stop", "#1 kill"]);

        lines = end(&mut smoke, "web.1", killed_by(9), at(60));
        assert_ends(&smoke, &lines, "finish 75", &format!("not up within 60 seconds: web.1 {why}"));
    }
}

#[test]
fn a_signal_ends_it_by_the_signal_wherever_it_is() {
    let booting = begun(plan(&["web.1"], true), policy(), rules());
    for (smoke, when) in [(booting, "while booting"), (testing(policy()), "while the command ran")] {
        let mut smoke = smoke;
        let lines = happen(&mut smoke, Event::Signal(UserSignal::Term), at(3));
        assert_eq!(lines[0], "-- stop");

        let mut lines = end(&mut smoke, "web.1", killed_by(15), at(3));
        if when == "while the command ran" {
            lines = end(&mut smoke, "run.1", killed_by(15), at(3));
        }

        assert_ends(&smoke, &lines, "finish by SIGTERM", &format!("stopped by SIGTERM {when}"));
    }
}

#[test]
fn a_signal_in_the_last_phase_changes_nothing_about_the_status() {
    let mut smoke = testing(policy());
    end(&mut smoke, "run.1", code(3), at(3));

    assert_eq!(
        happen(&mut smoke, Event::Signal(UserSignal::Term), at(4)),
        ["system: sending SIGKILL to all processes", "#1 kill"]
    );

    let lines = end(&mut smoke, "web.1", killed_by(9), at(4));
    assert_ends(&smoke, &lines, "finish 3", "the command exited with code 3");
}

#[test]
fn a_log_that_nobody_takes_ends_it() {
    let mut smoke = testing(policy());
    happen(&mut smoke, Event::OutputLost(OutputLoss::Closed), at(3));
    end(&mut smoke, "run.1", killed_by(15), at(3));

    let lines = end(&mut smoke, "web.1", killed_by(15), at(3));

    assert_ends(&smoke, &lines, "finish 141", "the log could not be written");
}

#[test]
fn s11_what_cannot_be_killed_beats_all() {
    let mut smoke = testing(policy());
    exit(&mut smoke, "run.1", code(3), at(3));
    happen(&mut smoke, Event::Tick, at(8));
    let run = run_of(&smoke, "run.1");

    let lines = happen(&mut smoke, Event::Unkillable { run, survivor: "77 (nfs)".into() }, at(10));
    assert_eq!(lines[..2], ["run.1: process 77 (nfs) could not be killed", "-- stop"]);

    let lines = end(&mut smoke, "web.1", killed_by(15), at(10));
    assert_ends(&smoke, &lines, "finish 70", "a process could not be killed");
}
