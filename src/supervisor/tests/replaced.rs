//! Dynos that take the place of an earlier run.

use super::requests::{ask, restart, scale, stop};
use super::*;
use crate::app::Scale;

#[test]
fn s10_2_the_run_after_a_restart_has_a_higher_number_in_a_new_dyno() {
    let mut supervisor = all_up(&["web.1", "web.2"], Policy::default());
    let lines = ask(&mut supervisor, restart("web.2"), at(1));
    assert_eq!(lines.last().unwrap(), "reply 1: restarting web.2 after 2");

    ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(2));
    obey(&mut supervisor, "web.2", at(2));
    ask(&mut supervisor, scale(&[("web", Scale::To(2))]), at(3));

    assert_eq!(row(&supervisor, "web.2").run, 3);
}

#[test]
fn s10_2_a_dyno_that_waits_for_its_port_can_be_stopped() {
    let mut plan = formation(&["web.1", "worker.1"]);
    // The port of web.101.
    let worker = DynoSpec { port: Some(5_100), ..DynoSpec::clone(&plan.formation[1]) };
    plan.formation[1] = Arc::new(worker);
    let mut supervisor = Supervisor::new(plan, Policy::default());
    boot(&mut supervisor);
    ask(&mut supervisor, scale(&[("worker", Scale::To(0)), ("web", Scale::To(101))]), at(1));

    assert_eq!(ask(&mut supervisor, stop("web.101"), at(2)), ["reply 1: stopping web.101"]);

    assert_eq!(obey(&mut supervisor, "worker.1", at(3)), ["worker.1: terminated by SIGTERM"]);
    assert_eq!(ask(&mut supervisor, stop("web.101"), at(4)), ["reply 1: stopping "]);
}
