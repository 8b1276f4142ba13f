//! Dynos with a process that cannot be killed, until that process ends after all.

use super::requests::{ask, names, restart, scale, stop};
use super::*;
use crate::app::Scale;

#[test]
fn s6_7_a_dyno_that_cannot_be_killed_comes_back_only_after_its_end() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy { grace: Duration::ZERO, ..Policy::default() });
    let run = run_of(&supervisor, "web.1");
    ask(&mut supervisor, stop("web.1"), at(1));
    tick(&mut supervisor, at(1));
    unkillable(&mut supervisor, "web.1", at(3));

    ask(&mut supervisor, scale(&[("web", Scale::To(0))]), at(4));
    assert_eq!(names(&supervisor), ["web.1 crashed", "worker.1 up"]);
    let lines = ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(5));
    assert_eq!(lines, ["system: scaled to web=1 worker=1", "reply 1: scaled web=1 worker=1"]);

    assert_eq!(feed(&mut supervisor, Event::Run(run, RunReport::Gone), at(6)), [""; 0]);
    let lines = ask(&mut supervisor, restart("web.1"), at(7));
    assert_eq!(lines[1..], ["spawn web.1 #3", "reply 1: restarting web.1 after 1"]);
}

#[test]
fn s6_7_a_dyno_that_was_scaled_away_is_removed_when_it_ends_after_all() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy { grace: Duration::ZERO, ..Policy::default() });
    let run = run_of(&supervisor, "web.1");
    ask(&mut supervisor, scale(&[("web", Scale::To(0))]), at(1));
    tick(&mut supervisor, at(1));
    unkillable(&mut supervisor, "web.1", at(3));

    feed(&mut supervisor, Event::Run(run, RunReport::Gone), at(4));

    assert_eq!(names(&supervisor), ["worker.1 up"]);
}
