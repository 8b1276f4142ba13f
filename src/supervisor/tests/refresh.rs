//! Dynos that are replaced because files have changed (S14.3).

use super::requests::{ask, stop};
use super::*;

fn refresh(name: &str) -> Command {
    Command::Refresh { process_type: process_type(name), first: "src/app.rb".to_owned(), more: 3 }
}

#[test]
fn s14_3_changed_files_replace_the_dynos_of_a_type_without_a_crash() {
    let mut supervisor = all_up(&["web.1", "web.2", "worker.1"], Policy::default());

    let lines = ask(&mut supervisor, refresh("web"), at(1));

    let expected = [
        "system: web restarting: src/app.rb changed (+3 more)",
        "web.1: restart requested: sending SIGTERM",
        "#1 stop 15",
        "web.2: restart requested: sending SIGTERM",
        "#2 stop 15",
        "reply 1: restarting web.1 after 1 web.2 after 2",
    ];
    assert_eq!(lines, expected);
    // Another change before the new run has started does not cause another restart.
    let lines = ask(&mut supervisor, refresh("web"), at(1));
    assert!(lines.iter().all(|line| !line.contains("stop 15")), "{lines:?}");
}

#[test]
fn s14_3_changed_files_do_not_start_a_dyno_that_was_stopped() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    ask(&mut supervisor, stop("web"), at(1));
    obey(&mut supervisor, "web.1", at(2));

    assert_eq!(ask(&mut supervisor, refresh("web"), at(3)), ["reply 1: restarting "]);
}
