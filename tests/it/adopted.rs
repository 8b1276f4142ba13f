//! Processes that `dyno` itself adopts, as a subreaper or as the first process of a container: it reaps them (S6.10).

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{App, Ended, Running};
use crate::process_table::children;

/// A child that `dyno` has from before its start. It leaves an orphan behind, which `dyno` adopts.
const CHILD: &str = "{ (read -r _ <go; (read -r _ <end &)) & }";

fn app() -> App {
    App::new("web: exec sleep 1000\n").fifo("go").fifo("end")
}

/// Lets the child end, and then its orphan. `main`: the process of `dyno`.
fn assert_all_are_reaped(app: &App, dyno: &Running, main: i32) {
    dyno.until_shown("| started with pid");
    let before = children(main);
    assert_eq!(before.len(), 2, "the guardian and the child");

    app.release("go");
    let is_new = |child: &i32| !before.contains(child);
    dyno.until("the child is reaped and its orphan adopted", || {
        let now = children(main);
        now.len() == 2 && now.iter().any(is_new)
    });

    app.release("end");
    dyno.until("the orphan is reaped", || children(main).len() == 1);
}

#[test]
fn s6_10_an_adopted_process_that_has_ended_is_reaped() {
    let app = app();
    let dyno = app.dyno(["start"]).after(CHILD).spawn();

    assert_all_are_reaped(&app, &dyno, dyno.main());

    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s6_10_the_first_process_of_a_container_reaps_what_it_adopts() {
    let app = app();
    let options = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let Some(call) = app.dyno(["start"]).in_namespaces(&options, CHILD) else { return };
    let dyno = call.spawn();
    dyno.until_shown("| started with pid");
    let main = children(dyno.main())[0];

    assert_all_are_reaped(&app, &dyno, main);

    kill(Pid::from_raw(main), Signal::SIGTERM).unwrap();
    dyno.finish().expect_end(Ended::Code(143));
}
