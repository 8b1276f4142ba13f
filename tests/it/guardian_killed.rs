//! What the clients of a start report when its guardian is killed (S10.2, S10.4).

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::detached::no_files_left;
use crate::harness::{App, Ended, Running, error};
use crate::running::start;

#[test]
fn s10_4_a_tail_and_a_waiting_command_end_when_the_guardian_is_killed() {
    let app = App::new("web: echo hello; exec sleep 1000\n");
    let running = start(&app, []);
    let tail = app.dyno(["logs", "-t"]).spawn();
    let waiting = app.dyno(["run", "--detach", "--wait=1000", "echo works; exec sleep 1000"]).spawn();
    tail.until_shown("| works\n");
    waiting.until("it says what it waits for", || waiting.stderr.text().starts_with("waiting for run."));
    let name = waiting.stdout.text().trim_end().to_owned();

    kill(Pid::from_raw(running.guardian()), Signal::SIGKILL).unwrap();

    // The harness asserts that no process is left.
    let [tail, waiting, running] = [tail, waiting, running].map(Running::finish);
    let started = |dyno: &str, line: &str| format!("TIME {dyno} | started with pid PID\nTIME {dyno} | {line}\n");
    let log = started("web.1 ", "hello") + &started(&name, "works");
    tail.expect(Ended::Code(0), &log, "the app has ended\n");
    let fact = error("everything is being stopped", "start it again with `dyno start`");
    waiting.expect(Ended::Code(69), &format!("{name}\n"), &format!("waiting for {name} to end\n{fact}"));
    let fact = "error: `dyno`'s helper process (the guardian) was killed; all dynos were killed\n";
    running.expect(Ended::Code(70), &log, fact);
    no_files_left(&app);
}
