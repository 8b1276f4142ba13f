//! What each signal does to a running formation, and how `dyno` itself ends (S11, S12).

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{App, Call, Ended, Running};
use crate::process_table;

/// Longer than the 300 ms within which a second signal is the same keypress.
const NEXT_KEYPRESS: Duration = Duration::from_millis(400);

/// Prints when it gets TERM, but exits only after `release("go")`.
const SLOW: &str = "trap 'echo got TERM' TERM\necho up\nuntil read -r _ <go; do :; done 2>/dev/null\necho clean end\n";

fn slow_app() -> App {
    App::new("web: ./slow\n").script("slow", SLOW).fifo("go")
}

fn up(call: Call) -> Running {
    let dyno = call.spawn();
    dyno.until_shown("| up");
    dyno
}

pub(crate) fn wait_for_the_next_keypress() {
    let since = Instant::now();
    crate::harness::until("a signal is a new keypress", || since.elapsed() > NEXT_KEYPRESS);
}

#[test]
fn s11_2_int_term_and_hup_stop_everything_and_dyno_ends_by_that_signal() {
    let app = App::new("web: ./polite\n")
        .script("polite", "trap 'echo bye; exit 0' TERM\necho up\n{ read -r _ <go; } 2>/dev/null\n")
        .fifo("go");
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let dyno = up(app.dyno(["start"]));

        dyno.signal(signal);

        dyno.finish().expect(
            Ended::Signal(signal),
            &format!(
                "TIME web.1  | started with pid PID\n\
                 TIME web.1  | up\n\
                 TIME system | {signal} received, starting shutdown\n\
                 TIME system | sending SIGTERM to all processes\n\
                 TIME web.1  | bye\n\
                 TIME web.1  | exited with code 0\n"
            ),
            "",
        );
    }
}

#[test]
fn a_calling_shell_sees_status_130_after_sigint() {
    let app = slow_app();
    let dyno = up(app.dyno(["start", "-t", "0.1"]).under(&["sh", "-c", "\"$0\" \"$@\"; echo status $?"]));

    let [main] = process_table::children(dyno.main())[..] else { panic!("{}", dyno.report()) };
    kill(Pid::from_raw(main), Signal::SIGINT).unwrap();

    let finished = dyno.finish();
    assert!(finished.stdout().ends_with("status 130\n"), "{}", finished.stdout());
}

#[test]
fn a_dyno_that_does_not_exit_within_the_grace_is_killed() {
    let app = slow_app();
    let dyno = up(app.dyno(["start", "-t", "0.3"]));

    dyno.signal(Signal::SIGTERM);

    dyno.finish().expect(
        Ended::Signal(Signal::SIGTERM),
        "TIME web.1  | started with pid PID\n\
         TIME web.1  | up\n\
         TIME system | SIGTERM received, starting shutdown\n\
         TIME system | sending SIGTERM to all processes\n\
         TIME web.1  | got TERM\n\
         TIME system | sending SIGKILL to all processes\n\
         TIME web.1  | terminated by SIGKILL\n",
        "",
    );
}

#[test]
fn a_second_ctrl_c_kills_at_once() {
    let app = slow_app();
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGINT);
    dyno.until_shown("got TERM");
    wait_for_the_next_keypress();
    dyno.signal(Signal::SIGINT);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGINT));
    assert!(finished.stdout().contains("sending SIGKILL to all processes"), "{}", finished.stdout());
    assert!(finished.stdout().ends_with("web.1  | terminated by SIGKILL\n"), "{}", finished.stdout());
}

#[test]
fn s12_1_a_second_signal_within_300_ms_is_the_same_keypress() {
    let app = slow_app();
    let dyno = up(app.dyno(["start", "-t", "300"]));

    // A wrapper such as npm passes on a signal that the terminal has already sent. The test sends the same signal
    // twice: if two different ones are pending, the system does not say which came first.
    dyno.signal(Signal::SIGINT);
    dyno.signal(Signal::SIGINT);
    dyno.until_shown("got TERM");
    wait_for_the_next_keypress();
    app.release("go");

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGINT));
    assert_eq!(finished.lines_of("web.1")[1..], ["up", "got TERM", "clean end", "exited with code 0"]);
}

#[test]
fn every_process_gets_term_once() {
    let counts = "trap 'echo term' TERM\nsh -c 'trap \"echo child\" TERM; echo up; while :; do read -r _ <go && exit; done' 2>/dev/null &\n\
                  while :; do wait && exit; done\n";
    let app = App::new("web: ./counts\n").script("counts", counts).fifo("go");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("| term");
    dyno.until_shown("| child");
    wait_for_the_next_keypress();
    app.release("go");
    let finished = dyno.finish();

    let mut lines = finished.lines_of("web.1")[2..].to_vec();
    lines.sort();
    assert_eq!(lines, ["child", "exited with code 0", "term"]);
}

#[test]
fn a_suspended_process_gets_the_stop_signal_too() {
    let app = App::new("web: ./stopped\n")
        .script("stopped", "trap 'echo bye; exit 0' TERM\necho up\nkill -STOP $$\nread -r _ <never\n")
        .fifo("never");
    let dyno = up(app.dyno(["start", "-t", "300"]));
    dyno.until("web.1 is suspended", || dyno.all_of_dynos(|process| process.state == 'T'));

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    assert_eq!(finished.lines_of("web.1")[2..], ["bye", "exited with code 0"]);
}

#[test]
fn a_process_that_left_its_group_gets_the_stop_signal_and_the_grace() {
    // S6.10: a process belongs to the run of its parent, whatever its session.
    let left = "trap 'echo bye; exit 0' TERM\necho up\nuntil read -r _ <never; do :; done 2>/dev/null\n";
    let app = App::new("web: setsid ./left & exec sleep 1000\n").script("left", left).fifo("never");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert!(finished.stdout().contains("web.1  | bye\n"), "{}", finished.stdout());
}

#[test]
fn quit_kills_at_once() {
    let app = slow_app();
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGQUIT);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGQUIT));
    assert!(!finished.stdout().contains("got TERM"), "{}", finished.stdout());
    assert!(finished.stdout().contains("web.1  | terminated by SIGKILL\n"), "{}", finished.stdout());
}

#[test]
fn s12_5_under_nohup_sighup_is_ignored() {
    let app = slow_app();
    let dyno = up(app.dyno(["start", "-t", "0.1"]).under(&["nohup"]));

    dyno.signal(Signal::SIGHUP);
    wait_for_the_next_keypress();
    assert!(!dyno.stdout.text().contains("SIGHUP"), "{}", dyno.report());
    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert!(!finished.stdout().contains("SIGHUP"), "{}", finished.stdout());
}

#[test]
fn int_quit_and_term_are_handled_even_if_they_were_ignored_at_the_start() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let app = slow_app();
        // Like a shell that starts a background job.
        let dyno = up(app.dyno(["start", "-t", "0.1"]).after("trap '' INT QUIT TERM"));

        dyno.signal(signal);

        dyno.finish().expect_end(Ended::Signal(signal));
    }
}

#[test]
fn a_dyno_has_default_signal_handling_whatever_dyno_ignores() {
    let app = App::new("web: exec grep -E 'Sig(Ign|Blk)' /proc/self/status\n");

    let finished = app.dyno(["start", "--pty", "never"]).after("trap '' HUP INT QUIT PIPE USR1 TSTP").run();

    let lines = finished.lines_of("web.1");
    for (line, field) in lines[1..3].iter().zip(["SigBlk:\t", "SigIgn:\t"]) {
        let signals = u64::from_str_radix(line.strip_prefix(field).expect(line), 16).unwrap();
        // Signals 32 and 33 belong to the C library and cannot be changed.
        assert_eq!(signals & !(0b11 << 31), 0, "{lines:?}");
    }
}

#[test]
fn s12_3_usr1_and_usr2_go_to_every_process_of_a_dyno() {
    let hears = "trap 'echo \"$1 heard USR1\"' USR1\ntrap 'echo \"$1 heard USR2\"' USR2\necho \"$1 up\"\n\
                 until read -r _ <go; do :; done 2>/dev/null\n";
    let app = App::new("web: ./hears web\nworker: ./hears a & ./hears b & wait; wait; wait\n")
        .script("hears", hears)
        .fifo("go");
    let dyno = app.dyno(["start", "-t", "1"]).spawn();
    let all_say = |what: &str| {
        for name in ["web", "a", "b"] {
            dyno.until_shown(&format!("| {name} {what}\n"));
        }
    };
    all_say("up");

    dyno.signal(Signal::SIGUSR1);
    all_say("heard USR1");
    dyno.signal(Signal::SIGUSR2);
    all_say("heard USR2");

    // The leader of `worker.1` is the shell of `dyno`, which does not get the signal, because that would end it.
    let report = dyno.stdout.text();
    assert!(!report.contains("exited") && !report.contains("terminated"), "{report}");
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s12_3_usr1_goes_to_a_server_that_replaced_its_shell_with_exec() {
    let hears = "trap 'echo heard' USR1\necho up\nuntil read -r _ <go; do :; done 2>/dev/null\n";
    let app = App::new("a: cd . && exec ./hears\nb: A=1 exec ./hears\n").script("hears", hears).fifo("go");
    let dyno = app.dyno(["start", "-t", "1"]).spawn();
    dyno.until("both are up", || dyno.stdout.text().matches("| up").count() == 2);

    dyno.signal(Signal::SIGUSR1);

    dyno.until("both have heard", || dyno.stdout.text().matches("| heard").count() == 2);
    dyno.signal(Signal::SIGTERM);
    dyno.finish();
}

#[test]
fn stop_signal_sets_the_signal_of_one_type() {
    let hears = "trap 'echo \"$1 heard INT\"; exit 0' INT\ntrap 'echo \"$1 heard TERM\"; exit 0' TERM\necho up\n{ read -r _ <go; } 2>/dev/null\n";
    let app = App::new("web: ./hears web\nworker: ./hears worker\n").script("hears", hears).fifo("go");
    let dyno = app.dyno(["start", "--stop-signal", "worker=INT"]).spawn();
    dyno.until("both are up", || dyno.stdout.text().matches("| up").count() == 2);

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    assert_eq!(finished.lines_of("web.1")[2], "web heard TERM");
    assert_eq!(finished.lines_of("worker.1")[2], "worker heard INT");
}

#[test]
fn a_server_keeps_its_terminal_and_grace_when_its_shell_has_exited() {
    // $PPID is the shell, the leader: the signal ends it at once.
    let server = "trap 'while kill -0 $PPID 2>/dev/null; do :; done; echo graceful; exit 0' TERM\n\
                  echo up\nwhile :; do read -r _ <never; done\n";
    let app = App::new("web: ./server; true\n").script("server", server).fifo("never");
    let dyno = up(app.dyno(["start", "--pty", "always"]));

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    assert!(finished.stdout().contains("TIME web.1  | graceful\n"), "{}", finished.stdout());
}

#[test]
fn s12_no_more_dynos_start_after_a_signal() {
    // $PPID is the guardian, and its parent is `dyno`.
    let first = "read -r _ _ _ dyno _ </proc/$PPID/stat; kill -INT $dyno; exec sleep 1000";
    let started_in_a_run = || {
        let app = App::new(&format!("first: {first}\njob: echo >>started; exec sleep 1000\n"));
        let finished = app.dyno(["start", "-m", "first=1,job=300"]).run();
        finished.expect_end(Ended::Signal(Signal::SIGINT));
        std::fs::read(app.path("started")).unwrap_or_default().len()
    };

    // On a busy machine all may have started before the first one gets the processor to send the signal.
    let are_all = (0..5).all(|_| started_in_a_run() == 300);

    assert!(!are_all, "300 of 300 have started, five times");
}
