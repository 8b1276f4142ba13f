//! What a detached start outlives (S10.6).

use super::requests::{ask, restart, scale, stop};
use super::*;
use crate::app::Scale;

#[test]
fn s10_6_a_detached_start_outlives_dynos_that_were_stopped_by_name() {
    let detached = Policy {
        lifetime: Lifetime::Detached,
        can_die: [(process_type("web"), CanDie::Any)].into(),
        ..Policy::default()
    };
    let mut supervisor = all_up(&["web.1"], detached);

    ask(&mut supervisor, stop("web.1"), at(1));
    assert_eq!(obey(&mut supervisor, "web.1", at(1)), ["web.1: terminated by SIGTERM"]);
    ask(&mut supervisor, restart("web.1"), at(2));
    spawned(&mut supervisor, "web.1", at(2));
    exit(&mut supervisor, "web.1", code(0), at(3));

    assert_eq!(gone(&mut supervisor, "web.1", at(3)), ["finish 0"]);
}

#[test]
fn s10_6_a_detached_start_outlives_a_formation_without_dynos() {
    let detached = Policy { lifetime: Lifetime::Detached, ..Policy::default() };
    let mut supervisor = all_up(&["web.1"], detached);

    ask(&mut supervisor, scale(&[("web", Scale::To(0))]), at(1));
    assert_eq!(obey(&mut supervisor, "web.1", at(1)), ["web.1: terminated by SIGTERM"]);

    let all = Command::Stop(Target::All, None);
    let lines = ask(&mut supervisor, all, at(2));
    assert_eq!(lines.last().map(String::as_str), Some("finish 0"));
}
