//! The report of a smoke test.

use super::*;
use crate::smoke::{CommandReport, DynoReport, DynoResult, PhaseResult, Span};

fn span(start: u64, end: u64) -> Span {
    let seconds = Duration::from_secs;
    Span { start: seconds(start), duration: seconds(end - start) }
}

fn results(report: &SmokeReport) -> Vec<PhaseResult> {
    assert!(report.phases.iter().map(|phase| phase.phase).eq(SmokePhase::ALL));
    report.phases.iter().map(|phase| phase.result.clone()).collect()
}

fn dyno_report(name: &str, boot: Option<u64>, ready: Option<u64>, result: DynoResult) -> DynoReport {
    let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    DynoReport { dyno: spec(name).dyno.clone(), boot: seconds(boot), ready: seconds(ready), result }
}

#[test]
fn the_report_of_a_passed_smoke_test_has_the_times_of_phases_and_dynos() {
    let plan = Plan { release: Some(spec("release.1")), ..plan(&["web.1"], true) };
    let mut smoke = begun(plan, policy(), rules());
    spawned(&mut smoke, "release.1", at(1));
    end(&mut smoke, "release.1", code(0), at(3));
    spawned(&mut smoke, "web.1", at(4));
    ready(&mut smoke, "web.1", at(9));
    feed(&mut smoke, Event::Tick, at(10));
    spawned(&mut smoke, "run.1", at(11));
    end(&mut smoke, "run.1", code(0), at(20));
    feed(&mut smoke, Event::Tick, at(21));
    end(&mut smoke, "web.1", killed_by(15), at(22));

    let report = smoke.report(Outcome::Code(0), at(22).mono);

    let phases = [span(0, 3), span(3, 9), span(9, 10), span(10, 21), span(21, 22)];
    assert_eq!(results(&report), phases.map(PhaseResult::Passed));
    assert_eq!(
        report.dynos,
        [
            dyno_report("release.1", Some(1), Some(0), DynoResult::Passed),
            dyno_report("web.1", Some(1), Some(5), DynoResult::Passed),
        ]
    );
    assert_eq!(report.command, Some(CommandReport { words: vec!["npm".into(), "test".into()], status: Some(0) }));
    assert_eq!((report.outcome, report.culprit), (Outcome::Code(0), None));
}

#[test]
fn a_dyno_that_exits_while_settling_fails_the_boot_phase() {
    let mut smoke = begun(plan(&["web.1"], false), policy(), rules());
    spawned(&mut smoke, "web.1", at(1));
    ready(&mut smoke, "web.1", at(2));
    end(&mut smoke, "web.1", code(3), at(3));

    let report = smoke.report(Outcome::Code(3), at(3).mono);

    let why = "web.1 exited with code 3 while booting".to_owned();
    assert_eq!(
        results(&report),
        [
            PhaseResult::NotNeeded,
            PhaseResult::Failed { span: span(0, 3), why },
            PhaseResult::NotReached,
            PhaseResult::NotNeeded,
            PhaseResult::Passed(span(3, 3)),
        ]
    );
}

#[test]
fn a_dyno_that_exits_fails_its_phase_and_is_the_culprit() {
    let mut smoke = begun(plan(&["web.1", "web.2"], true), policy(), rules());
    for name in ["web.1", "web.2"] {
        spawned(&mut smoke, name, at(1));
    }
    end(&mut smoke, "web.2", code(0), at(2));
    end(&mut smoke, "web.1", killed_by(15), at(3));

    let report = smoke.report(Outcome::Code(1), at(3).mono);

    let why = "web.2 exited with code 0 while booting".to_owned();
    assert_eq!(
        results(&report),
        [
            PhaseResult::NotNeeded,
            PhaseResult::Failed { span: span(0, 2), why: why.clone() },
            PhaseResult::NotReached,
            PhaseResult::NotReached,
            PhaseResult::Passed(span(2, 3)),
        ]
    );
    let died = DynoResult::Failed("exited with code 0 while booting".into());
    assert_eq!(
        report.dynos,
        [dyno_report("web.1", Some(1), None, DynoResult::StoppedBeforeUp), dyno_report("web.2", Some(1), None, died),]
    );
    assert_eq!(report.command.map(|command| command.status), Some(None));
    assert_eq!((report.reason, report.culprit), (why, Some(spec("web.2").dyno.clone())));
}

#[test]
fn after_a_failed_release_all_others_are_reported_as_not_started() {
    let plan = Plan { release: Some(spec("release.1")), ..plan(&["web.1"], false) };
    let mut smoke = begun(plan, policy(), rules());
    spawned(&mut smoke, "release.1", at(0));
    end(&mut smoke, "release.1", code(4), at(1));

    let report = smoke.report(Outcome::Code(4), at(1).mono);

    let failed = PhaseResult::Failed { span: span(0, 1), why: "release.1 exited with code 4".into() };
    let rest = [PhaseResult::NotReached, PhaseResult::NotReached, PhaseResult::NotNeeded];
    assert_eq!(results(&report), [&[failed][..], &rest, &[PhaseResult::Passed(span(1, 1))]].concat());
    assert_eq!(
        report.dynos,
        [
            dyno_report("release.1", Some(0), Some(0), DynoResult::Failed("exited with code 4".into())),
            dyno_report("web.1", None, None, DynoResult::NotStarted),
        ]
    );
}

#[test]
fn after_a_failed_command_no_dyno_is_the_culprit() {
    let mut smoke = testing(policy());
    end(&mut smoke, "run.1", code(3), at(5));
    end(&mut smoke, "web.1", killed_by(15), at(6));

    let report = smoke.report(Outcome::Code(3), at(6).mono);

    let failed = PhaseResult::Failed { span: span(2, 5), why: "the command exited with code 3".into() };
    assert_eq!(results(&report)[3], failed);
    assert_eq!(report.dynos[0].result, DynoResult::Passed);
    assert_eq!((report.culprit, report.command.and_then(|command| command.status)), (None, Some(3)));
}

#[test]
fn the_command_has_its_own_status_whatever_ends_the_test() {
    let status = |smoke: &Tested| smoke.report(Outcome::Code(0), at(9).mono).command.unwrap().status;

    let mut dyno_dies_later = testing(policy());
    end(&mut dyno_dies_later, "run.1", code(0), at(5));
    end(&mut dyno_dies_later, "web.1", killed_by(9), at(5));
    assert_eq!(status(&dyno_dies_later), Some(0));

    let mut dyno_dies_before_the_children = testing(policy());
    exit(&mut dyno_dies_before_the_children, "run.1", code(0), at(5));
    end(&mut dyno_dies_before_the_children, "web.1", killed_by(9), at(5));
    gone(&mut dyno_dies_before_the_children, "run.1", at(5));
    assert_eq!(status(&dyno_dies_before_the_children), Some(0));

    let mut stopped = testing(policy());
    end(&mut stopped, "web.1", killed_by(9), at(5));
    end(&mut stopped, "run.1", code(143), at(5));
    assert_eq!(status(&stopped), None);
}

#[test]
fn after_a_timeout_every_dyno_that_is_not_up_has_failed() {
    let mut smoke = begun(plan(&["web.1", "web.2"], false), policy(), rules());
    for name in ["web.1", "web.2"] {
        spawned(&mut smoke, name, at(0));
    }
    feed(&mut smoke, Event::Tick, at(60));

    let report = smoke.report(Outcome::Code(75), at(60).mono);

    let why = |port: u16| DynoResult::Failed(format!("not up within 60 seconds: it does not listen on $PORT ({port})"));
    assert_eq!(report.dynos.iter().map(|dyno| dyno.result.clone()).collect::<Vec<_>>(), [why(5001), why(5002)]);
    assert_eq!(report.culprit, Some(spec("web.1").dyno.clone()));
}

#[test]
fn a_process_that_could_not_be_killed_fails_the_stop_phase() {
    let lost = "a process could not be killed".to_owned();
    let commands = [(code(0), None), (code(3), Some("the command exited with code 3".to_owned()))];
    for (how, why) in commands {
        let mut smoke = testing(policy());
        end(&mut smoke, "run.1", how, at(5));
        last_look(&mut smoke, 6);
        feed(&mut smoke, Event::Tick, at(12));
        let run = run_of(&smoke, "web.1");
        let lines = feed(&mut smoke, Event::Run(run, RunReport::Unkillable { survivor: "77 (nfs)".into() }), at(14));
        assert_eq!(lines.last().unwrap(), "finish 70");

        let report = smoke.report(Outcome::Code(70), at(14).mono);

        assert_eq!(report.reason, lost);
        let failures = results(&report).into_iter().map(|result| match result {
            PhaseResult::Failed { why, .. } => Some(why),
            PhaseResult::NotNeeded | PhaseResult::NotReached | PhaseResult::Passed(_) => None,
        });
        assert_eq!(failures.collect::<Vec<_>>(), [None, None, None, why, Some(lost.clone())]);
    }
}

#[test]
fn a_guardian_lost_before_the_first_phase_fails_the_boot_phase() {
    let smoke = Tested::new(plan(&["web.1"], false), policy(), rules());

    let report = smoke.report(Outcome::Code(70), at(0).mono);

    assert_eq!(results(&report)[1], PhaseResult::Failed { span: span(0, 0), why: report.reason.clone() });
}

#[test]
fn a_lost_guardian_fails_the_phase_in_which_it_was_lost() {
    let smoke = testing(policy());

    let report = smoke.report(Outcome::Code(70), at(7).mono);

    let why = "`dyno`'s helper process (the guardian) was killed".to_owned();
    assert_eq!(results(&report)[3], PhaseResult::Failed { span: span(2, 7), why: why.clone() });
    assert_eq!(results(&report)[4], PhaseResult::NotReached);
    assert_eq!(report.reason, why);
}
