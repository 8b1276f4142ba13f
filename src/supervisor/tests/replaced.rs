//! Dynos that take the place of an earlier run.

use super::requests::{ask, restart, scale};
use super::*;
use crate::app::Scale;

#[test]
fn s10_2_the_run_after_a_restart_has_a_higher_number_even_if_the_dyno_is_new() {
    let mut supervisor = all_up(&["web.1", "web.2"], Policy::default());
    let lines = ask(&mut supervisor, restart("web.2"), at(1));
    assert_eq!(lines.last().unwrap(), "reply 1: restarting web.2 after 2");

    ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(2));
    obey(&mut supervisor, "web.2", at(2));
    ask(&mut supervisor, scale(&[("web", Scale::To(2))]), at(3));

    assert_eq!(row(&supervisor, "web.2").run, 3);
}
