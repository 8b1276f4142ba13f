//! Resources: nothing leaks, a limit that is too low is reported before anything starts, and a dyno keeps the limits of
//! its user (S6.1, S1.6).

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::harness::{App, Call, Ended, RARE_PORT, Running, error, happens};
use crate::process_table::Held;

#[test]
fn two_hundred_dynos_run_and_stop() {
    let app = App::new(
        "web: echo \"$DYNO on $PORT\"; trap 'echo bye; exit 0' TERM; while :; do read -r _ <never; done 2>/dev/null\n",
    )
    .fifo("never");
    let dyno = app.dyno(["start", "-m", "web=200", "-t", "60", "--fixed-ports"]).spawn();

    dyno.until("all dynos print their port", || dyno.stdout.text().matches(" on 5").count() == 200);
    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();

    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    let lines = finished.lines();
    for index in 1..=200_usize {
        let lines = &lines[&format!("web.{index}")];
        let port = 4999 + index;
        let expected = ["started with pid PID", &format!("web.{index} on {port}"), "bye", "exited with code 0"];
        assert_eq!(lines[..], expected, "web.{index}");
    }
}

#[test]
fn a_thousand_starts_and_exits_leak_no_file_no_zombie_and_no_thread() {
    // Each reserved port keeps a file open, if no other test has reserved the same one. A worker reserves none.
    let app = App::new("worker: sleep 1000\njob: exit 0\n");
    let with_jobs = |jobs: usize| {
        let formation = format!("worker=1,job={jobs}");
        let dyno = app.dyno(["start", "--fixed-ports", "-m", &formation, "--can-die", "job"]).spawn();
        dyno.until("all jobs ended", || dyno.stdout.text().matches("exited with code 0").count() == jobs);
        // The guardian may not have reaped the last job yet.
        dyno.until("only worker.1 is left", || Held::by(&dyno).guardian_children == 1);
        dyno
    };
    let end = |dyno: Running| {
        dyno.signal(Signal::SIGTERM);
        dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    };
    let one = with_jobs(1);
    let least = Held::by(&one);
    end(one);

    let thousand = with_jobs(1000);

    // The guardian reports an exit to `dyno`, which closes its own files a moment later.
    let is_freed = happens(|| Held::by(&thousand).is_within(&least));
    assert!(is_freed, "{:?} is in use, not {least:?}\n{}", Held::by(&thousand), thousand.report());
    end(thousand);
}

#[test]
fn a_low_open_files_limit_is_reported_before_anything_starts() {
    let app = App::new("web: touch started; sleep 1000\n");

    let finished = app.dyno(["start", "-m", "web=30"]).after("ulimit -n 20").run();

    assert!(!matches!(finished.ended, Ended::Code(0) | Ended::Signal(_)), "{:?}", finished.ended);
    assert_eq!(finished.stdout(), "");
    let stderr = finished.stderr();
    assert!(
        stderr.starts_with("error: ") && stderr.contains("open files") && stderr.contains("\n\nhint: "),
        "{stderr}"
    );
    assert!(stderr.contains("20"), "the limit is not named: {stderr}");
    assert!(!app.has("started"));
}

#[test]
fn a_dyno_keeps_the_limits_umask_and_priority_of_its_user() {
    const ASK: &str = "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc; umask; nice; cat /proc/self/oom_score_adj";
    let limits = "ulimit -Sn 333; ulimit -Hn 4444; umask 027";
    let app = App::new(&format!("web: {ASK}\n"));
    let ask = format!("{limits}; {ASK}");
    let plain = Command::new("sh").args(["-c", &ask]).stdin(Stdio::null()).output().unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();

    let finished = app.dyno(["start", "--pty", "never"]).after(limits).run();

    let mut expected: Vec<&str> = plain.lines().collect();
    expected.insert(0, "started with pid PID");
    expected.push("exited with code 0");
    assert_eq!(finished.lines_of("web.1"), expected);
}

#[test]
fn a_dyno_leads_its_own_session_and_inherits_no_open_file() {
    let app = App::new("web: cut -d' ' -f 1,5,6 /proc/self/stat; ls /proc/self/fd\n").file("log", "");
    let open = "exec 7<Procfile 8>>log";

    let finished = app.dyno(["start", "--pty", "never"]).after(open).run();

    let lines = finished.lines_of("web.1");
    // `cut` is a child of the shell, the leader: its group and its session are both the pid of the shell.
    let ids: Vec<&str> = lines[1].split(' ').collect();
    assert_eq!(ids[1], ids[2], "{lines:?}");
    // 3 is the directory that `ls` reads.
    assert_eq!(lines[2..6], ["0", "1", "2", "3"], "{lines:?}");
    assert_eq!(lines[6], "exited with code 0", "{lines:?}");
}

/// Limits the number of processes of the user. The limit does not apply to root, so root switches to another user.
/// Other users get a user namespace, in which the count starts at zero.
fn with_few_processes(call: Call, limit: u32) -> Call {
    // An unused uid, and another one for each test, because the system counts processes per user.
    let uid = 254_000 + limit;
    // The option is `-u` in bash and `-p` in dash.
    let limited = format!("ulimit -u {limit} 2>/dev/null || ulimit -p {limit}");
    if nix::unistd::geteuid().is_root() {
        call.after(&limited).user(uid)
    } else {
        call.under(&["unshare", "--user", "--map-current-user"]).after(&limited)
    }
}

#[test]
fn at_the_process_limit_the_reason_is_shown_and_no_process_is_left() {
    let app = App::new("web: sleep 1000\n");
    let call = with_few_processes(app.dyno(["start", "-m", "web=40", "-t", "1"]), 20);

    let finished = call.run();

    assert!(matches!(finished.ended, Ended::Code(code) if code != 0), "{:?}", finished.ended);
    let shown = finished.stdout() + &finished.stderr();
    let why = "cannot start another process: the process limit of this user or system is reached\n";
    assert!(shown.contains(why), "{shown}");
    // The dynos that had started before the first one failed. None is announced as started after that.
    let ended = shown.matches("terminated by SIG").count();
    assert!((1..20).contains(&ended), "{shown}");
}

#[test]
fn a_guardian_or_thread_that_cannot_be_started_is_one_error() {
    let app = App::new("web: touch started; sleep 1000\n");

    // With two, there is the guardian, but no thread.
    for (limit, what) in [(1, "cannot start `dyno`'s helper process (the guardian)"), (2, "cannot start")] {
        let finished = with_few_processes(app.dyno(["start", "-p", RARE_PORT]), limit).run();

        let fact = format!("{what}: the process limit of this user or system is reached");
        let hint = "a limit of the system or of your user may have been reached; see `ulimit -a`";
        finished.expect(Ended::Code(70), "", &error(&fact, hint));
        assert!(!app.has("started"));
    }
}

#[test]
fn a_dyno_whose_pipes_cannot_be_created_is_reported_and_restarted() {
    let app = App::new("web: read -r _ <go; exit 1\n").fifo("go");
    let dyno = app.dyno(["start", "--restart"]).spawn();
    dyno.until_shown("started with pid");

    // Lowers the limit of the running `dyno`: its files stay open, but it cannot open more.
    let limit = ["--pid", &dyno.main().to_string(), "--nofile=3:3"];
    assert!(Command::new("prlimit").args(limit).status().unwrap().success());
    app.release("go");

    // No other event wakes the main loop here.
    dyno.until_shown("cannot create its pipe or terminal: Too many open files");
    dyno.until_shown("restarting in 1s");
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}
