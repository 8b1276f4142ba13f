//! Hard cases of S12: `dyno` suspended or run as PID 1, closed and frozen terminals, a guardian that does not respond,
//! a process that cannot be killed.

use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::app::example;
use crate::harness::{App, Ended, Running, until};
use crate::process_table;

fn state_of(pid: i32) -> char {
    process_table::stat(pid).map_or('-', |(state, _)| state)
}

fn wait(time: Duration) {
    let since = Instant::now();
    until("the time has passed", || since.elapsed() > time);
}

fn sleeper() -> App {
    App::new("web: sleep 1000\nworker: sh -c 'sleep 1000; true'\n")
}

fn both_run(dyno: &Running) {
    dyno.until("both sleep", || dyno.of_dynos().iter().filter(|process| process.command == "sleep 1000").count() == 2);
}

#[test]
fn ctrl_z_suspends_dyno_and_its_dynos_and_cont_continues_them() {
    let app = sleeper();
    let dyno = app.dyno(["start"]).spawn();
    both_run(&dyno);

    dyno.signal(Signal::SIGTSTP);
    dyno.until("all are stopped", || state_of(dyno.main()) == 'T' && dyno.all_of_dynos(|process| process.state == 'T'));
    dyno.signal(Signal::SIGCONT);
    dyno.until("all go on", || state_of(dyno.main()) != 'T' && dyno.all_of_dynos(|process| process.state != 'T'));

    // It works a second time, too.
    dyno.signal(Signal::SIGTSTP);
    dyno.until("all are stopped", || state_of(dyno.main()) == 'T');
    dyno.signal(Signal::SIGCONT);
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn the_grace_is_paused_while_dyno_is_suspended() {
    const GRACE: Duration = Duration::from_secs(10);
    let slow = "trap 'echo got TERM' TERM\necho up\nuntil read -r _ <go; do :; done 2>/dev/null\necho clean end\n";
    let app = App::new("web: ./slow\n").script("slow", slow).fifo("go");
    let dyno = app.dyno(["start", "-t", "10"]).spawn();
    dyno.until_shown("| up");

    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("got TERM");
    dyno.signal(Signal::SIGTSTP);
    dyno.until("dyno is stopped", || state_of(dyno.main()) == 'T');
    wait(GRACE + Duration::from_secs(1));
    dyno.signal(Signal::SIGCONT);
    // If the grace period had not been paused, it would have expired by now, and the dyno would be killed.
    wait(Duration::from_millis(500));
    app.release("go");

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(finished.lines_of("web.1")[2..], ["got TERM", "clean end", "exited with code 0"]);
}

#[test]
fn s11_2_as_pid_1_dyno_reaps_orphans_and_exits_with_128_plus_the_signal() {
    // An orphan becomes a child of PID 1, which is `dyno` here.
    let app = App::new("web: setsid sh -c '(sleep 0.01 &)'; echo up; exec sleep 1000\n");
    let mut words = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !nix::unistd::geteuid().is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    let dyno = app.dyno(["start"]).under(&words).spawn();
    dyno.until_shown("| up");
    let [main] = process_table::children(dyno.main())[..] else { panic!("{}", dyno.report()) };
    dyno.until("no zombie is left", || dyno.processes().iter().all(|process| process.state != 'Z'));

    kill(Pid::from_raw(main), Signal::SIGTERM).unwrap();

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(143));
    assert!(finished.stdout().contains("SIGTERM received, starting shutdown"), "{}", finished.stdout());
}

#[test]
fn ctrl_c_in_a_terminal_reaches_only_dyno_which_ends_by_the_signal() {
    let app = App::new("web: ./hears\n")
        .script(
            "hears",
            "trap 'echo heard INT' INT\ntrap 'echo heard TERM; exit 0' TERM\necho up\n{ read -r _ <go; } 2>/dev/null\n",
        )
        .fifo("go");
    let dyno = app.dyno(["start"]).spawn_in_terminal();
    dyno.until_shown("up\r\n");

    dyno.terminal().type_keys(b"\x03");

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGINT));
    let shown = finished.stdout();
    assert!(shown.contains("heard TERM") && !shown.contains("heard INT"), "{shown}");
}

#[test]
fn a_closed_terminal_stops_everything() {
    let app = sleeper();
    let mut dyno = app.dyno(["start"]).spawn_in_terminal();
    both_run(&dyno);

    dyno.close_terminal();

    dyno.finish().expect_end(Ended::Signal(Signal::SIGHUP));
}

#[test]
fn a_terminal_frozen_by_ctrl_s_does_not_delay_the_stop() {
    let app = App::new("web: while :; do echo line; done\n");
    let dyno = app.dyno(["start", "-t", "1"]).spawn_in_terminal();
    dyno.until_shown("line\r\n");

    // Ctrl-S. The terminal still shows what was written before it.
    dyno.terminal().type_keys(b"\x13");
    dyno.until("web.1 waits to write", || {
        let dynos = dyno.of_dynos();
        !dynos.is_empty() && dynos.iter().all(|process| process_table::waits_to_write(process.pid))
    });
    dyno.signal(Signal::SIGTERM);

    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn a_reader_that_does_not_read_does_not_delay_the_stop() {
    let app = App::new("web: while :; do echo line; done\nworker: sleep 1000\n");
    let (reader, writer) = std::io::pipe().unwrap();
    let dyno = app.dyno(["start", "-t", "1"]).stdout_to(writer).spawn();
    dyno.until("web.1 waits to write", || {
        let dynos = dyno.of_dynos();
        dynos.iter().any(|process| process_table::waits_to_write(process.pid))
    });

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    drop(reader);
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn a_guardian_that_does_not_respond_does_not_prevent_the_stop() {
    let app = sleeper();
    let dyno = app.dyno(["start", "-t", "0.5"]).spawn();
    both_run(&dyno);
    kill(Pid::from_raw(dyno.guardian()), Signal::SIGSTOP).unwrap();

    dyno.signal(Signal::SIGINT);

    dyno.finish().expect_end(Ended::Code(70));
}

#[test]
fn a_lost_guardian_ends_the_run_with_70_and_a_message() {
    let app = sleeper();
    let dyno = app.dyno(["start"]).spawn();
    both_run(&dyno);

    kill(Pid::from_raw(dyno.guardian()), Signal::SIGKILL).unwrap();

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(70));
    assert!(
        finished.stderr().starts_with("error: ") && finished.stderr().contains("guardian"),
        "{}",
        finished.stderr()
    );
}

#[test]
fn a_process_that_cannot_be_killed_is_named_and_the_status_is_70() {
    let app = sleeper();
    let dyno = app.dyno(["start", "-t", "0.5"]).spawn();
    both_run(&dyno);
    // A traced process stays a zombie until its tracer has waited for it; nothing else can remove it.
    let web = dyno.of_dynos().into_iter().find(|process| process.dyno.as_deref() == Some("web.1")).unwrap().pid;
    ptrace::seize(Pid::from_raw(web), ptrace::Options::empty()).unwrap();

    dyno.signal(Signal::SIGTERM);
    // A traced process stops before a signal is delivered. Only SIGKILL gets through, and makes it a zombie.
    let finished = dyno.finish();

    finished.expect_end(Ended::Code(70));
    let hint = format!(
        "hint: `ps -p {web} -o stat,wchan` shows why; it ends when the kernel lets it, or use `sudo kill -9 {web}`\n"
    );
    let fact = format!("error: process {web} (sleep) could not be killed\n");
    assert_eq!(finished.stderr(), format!("{fact}\n{hint}"));
    assert!(!finished.stdout().contains("left behind"), "{}", finished.stdout());
    let _ = nix::sys::wait::waitpid(Pid::from_raw(web), None);
}

/// Whether the process has a handler for this signal.
fn handles(pid: Pid, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() >> (signal as i32 - 1) & 1 == 1
}

/// Sends the signal to a program that has stopped itself, at the end of the system call that installs the handler.
fn send_when_handled(pid: Pid, signal: Signal) {
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    loop {
        let stopped = waitpid(pid, None).unwrap();
        if matches!(stopped, WaitStatus::PtraceSyscall(_)) && handles(pid, signal) {
            break;
        }
        let passed_on = if let WaitStatus::Stopped(_, other) = stopped { Some(other) } else { None };
        // Fails if it has ended.
        ptrace::syscall(pid, passed_on).unwrap();
    }
    kill(pid, signal).unwrap();
    ptrace::detach(pid, None).unwrap();
}

#[test]
fn s12_no_signal_is_lost_while_its_handler_is_installed() {
    let app = App::new("web: exec sleep 1000\n");
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let dyno = app.dyno(["start"]).under(&["sh", "-c", "kill -STOP $$; exec \"$0\" \"$@\""]).spawn();
        dyno.until("it has stopped itself", || state_of(dyno.main()) == 'T');

        send_when_handled(Pid::from_raw(dyno.main()), signal);

        dyno.finish().expect_end(Ended::Signal(signal));
    }
}

#[test]
fn s11_a_stopped_guardian_does_not_delay_an_error_before_the_start() {
    let app = App::empty().fifo("in");
    let dyno = app.dyno(["start", "-f", "-", "-e", ""]).under(&["sh", "-c", "exec \"$0\" \"$@\" <in"]).spawn();
    // Opened for reading and writing, so that this does not wait until `dyno` opens it.
    let mut procfile = std::fs::OpenOptions::new().read(true).write(true).open(app.path("in")).unwrap();
    let guardian = dyno.guardian();
    kill(Pid::from_raw(guardian), Signal::SIGSTOP).unwrap();

    std::io::Write::write_all(&mut procfile, b"no entry\n").unwrap();
    drop(procfile);

    dyno.finish().expect_end(Ended::Code(78));
}

#[test]
fn s11_a_file_size_limit_is_reported_and_ends_with_74() {
    let app = App::new("web: yes\n");

    let finished = app.dyno(["start"]).after("ulimit -f 100; exec >log").run();

    finished.expect_end(Ended::Code(74));
    assert!(
        finished.stderr().contains("error: ") && finished.stderr().contains("File too large"),
        "{}",
        finished.stderr()
    );
}

#[test]
fn s6_6_a_process_that_leaves_its_group_on_term_gets_term_once() {
    let app = App::new("web: ./meddle leave & wait\n");
    std::os::unix::fs::symlink(example("meddle"), app.path("meddle")).unwrap();
    let dyno = app.dyno(["start", "-t", "0.5"]).spawn();
    dyno.until_shown("| up\n");

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    let lines = finished.lines_of("web.1");
    assert_eq!(lines.iter().filter(|line| *line == "TERM").count(), 1, "{lines:?}");
}

#[test]
fn a_dyno_dies_with_the_guardian_even_if_dyno_cannot_kill_it() {
    let app = App::new("web: sleep 1000\n");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until("web.1 sleeps", || dyno.all_of_dynos(|process| process.command == "sleep 1000"));
    // While it is stopped, `dyno` itself cannot kill anything.
    dyno.signal(Signal::SIGSTOP);

    kill(Pid::from_raw(dyno.guardian()), Signal::SIGKILL).unwrap();

    dyno.until("the dynos are gone", || dyno.of_dynos().is_empty());
    dyno.signal(Signal::SIGCONT);
    dyno.finish().expect_end(Ended::Code(70));
}
