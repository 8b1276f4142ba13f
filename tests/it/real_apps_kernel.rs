//! Unusual states of the kernel: `/proc` is missing or belongs to another namespace, an exec hangs because the file
//! system does not answer, a process continues without its main thread. Needs `unshare`, `mount` and `python3`.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::harness::{App, Call, Ended, Running, error, until};
use crate::process_table;
use crate::running::{dynos, pid_of, stop};

/// web.1 leaves a daemon in another session behind and exits.
const DAEMON: &str = "web: setsid sh ./daemon & read -r _ <begun; exit 3\nworker: sleep 1000\n";

fn with_daemon() -> App {
    let daemon = "exec >/dev/null 2>&1 </dev/null\necho >begun\nwhile :; do read -r _ <never; done\n";
    App::new(DAEMON).file("daemon", daemon).fifo("begun").fifo("never")
}

/// Makes the call run in a new mount namespace with an empty `/proc`.
fn without_proc(call: Call) -> Call {
    let line = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    call.under(&[&["unshare", "--mount"][..], as_root(), &["sh", "-c", line]].concat())
}

/// Makes the call run in a new pid namespace with the `/proc` of the outer namespace.
fn with_foreign_proc(call: Call) -> Call {
    call.under(&[&["unshare", "--pid", "--fork", "--kill-child"][..], as_root()].concat())
}

type InNamespaces = fn(Call) -> Call;

/// Each way to lose `/proc`, and what `dyno` says about it.
const NO_PROC: [(InNamespaces, &str); 2] =
    [(without_proc, "is not mounted"), (with_foreign_proc, "belongs to another pid namespace")];

fn as_root() -> &'static [&'static str] {
    if geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] }
}

fn warning(why: &str) -> String {
    format!(
        "warning: `/proc` {why}: a process that leaves its dyno's process group is stopped only at the end, by SIGKILL, \
         and `dyno` cannot see which process listens on a port\nhint: mount it: `mount -t proc proc /proc`\n"
    )
}

#[test]
fn s6_10_without_proc_start_warns_and_leaves_no_process_behind() {
    for (call, why) in NO_PROC {
        let app = with_daemon();

        let finished = call(app.dyno(["start"])).run();

        finished.expect_end(Ended::Code(3));
        assert_eq!(finished.stderr(), warning(why));
        assert_eq!(finished.lines_of("web.1"), ["started with pid PID", "exited with code 3"]);
        // If it starts only when web.1 has exited, it is stopped without a line about its start.
        assert_eq!(finished.lines_of("worker.1").last().map(String::as_str), Some("terminated by SIGTERM"));
        assert!(finished.stdout().ends_with("killed 1 process left behind\n"), "{}", finished.stdout());
    }
}

#[test]
fn s6_10_without_proc_no_process_outlives_a_killed_dyno() {
    let app = with_daemon();
    let dyno = without_proc(app.dyno(["start", "-m", "worker=1"])).spawn();
    dyno.until_shown("started");

    dyno.signal(Signal::SIGKILL);

    dyno.finish().expect_end(Ended::Signal(Signal::SIGKILL));
}

// When `dyno` itself is killed, even processes that have left the process group of their dyno are killed.
#[test]
fn s6_10_without_proc_a_killed_dyno_leaves_no_other_session_behind() {
    let below = "sh -c 'setsid sleep 1001 & exec sleep 1002'";
    let app = App::new(&format!("web: {below} & sleep 1003 & exec sleep 1004\n"));
    let dyno = without_proc(app.dyno(["start"])).spawn();
    let sleepers = || dyno.of_dynos().into_iter().filter(|process| process.command.starts_with("sleep "));
    dyno.until("all four sleep", || sleepers().count() == 4);
    let session = |seconds: &str| {
        let sleeper = sleepers().find(|process| process.command.ends_with(seconds)).unwrap();
        nix::unistd::getsid(Some(Pid::from_raw(sleeper.pid))).unwrap()
    };
    assert_eq!((session("1002"), session("1003")), (session("1004"), session("1004")));
    assert_ne!(session("1001"), session("1004"));

    dyno.signal(Signal::SIGKILL);

    // `finish` also asserts that no process is left.
    dyno.finish().expect_end(Ended::Signal(Signal::SIGKILL));
}

// The kernel says which sockets listen. Only `/proc` says whose they are.
#[test]
fn s6_11_without_proc_start_sees_that_web_listens_on_its_port() {
    let app = crate::smoke::app("web: exec ./listen 127.0.0.1 >/dev/null\n");
    let port = crate::app::free_port().to_string();
    let dyno = without_proc(app.dyno(["start", "--urls", "-p", &port])).spawn();

    dyno.until_shown(&format!("| listening on http://127.0.0.1:{port}\n"));

    dyno.signal(Signal::SIGTERM);
    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(finished.stderr(), warning("is not mounted"));
}

#[test]
fn s6_10_without_proc_a_smoke_test_is_refused() {
    for (call, why) in NO_PROC {
        let fact = format!("`/proc` {why}: a smoke test cannot see which processes belong to a dyno");

        call(with_daemon().dyno(["smoke", "--", "true"])).run().expect(
            Ended::Code(70),
            "",
            &error(&fact, "mount it: `mount -t proc proc /proc`"),
        );
    }
}

#[test]
fn s8_2_without_proc_a_release_that_is_refused_prints_only_the_error() {
    let error = "error: the Procfile has no `release` command\n\nhint: add a line such as `release: ./migrate`\n";

    without_proc(App::new("web: true\n").dyno(["release"])).run().expect(Ended::Code(78), "", error);
}

/// Holds a lease on a file until it is dropped. Until then, an exec of the file hangs in the kernel.
struct Lease(std::process::Child);

impl Lease {
    fn on(path: &Path, app: &App) -> Self {
        let line = "import fcntl, os, signal, sys\n\
                    signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
                    fd = os.open(sys.argv[1], os.O_WRONLY)\n\
                    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
                    open(sys.argv[2], 'w')\n\
                    signal.pause()\n\
                    signal.pause()\n";
        let held = app.path("held");
        let mut python = std::process::Command::new("python3");
        let lease = Self(crate::app::fork(python.args(["-c", line]).arg(path).arg(&held)));
        until("the lease is held", || held.exists());
        lease
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the app and waits until worker.1 runs while the exec of web.1 hangs.
fn hanging(app: &App) -> Running {
    let dyno = app.dyno(["start", "-t", "0.5"]).spawn();
    dyno.until_shown("worker.1 | started");
    dyno.until_shown("worker.1 | at work");
    assert!(!dyno.stdout.text().contains("web.1    | started"), "{}", dyno.report());
    dyno
}

/// Two apps whose web.1 runs `dead`: a path, and a word that is looked for in the first entry of `PATH`.
fn with_hanging_program() -> [App; 2] {
    ["./dead", "dead"].map(|web| {
        let app =
            App::new(&format!("web: {web}\nworker: echo at work; exec sleep 1000\n")).script("dead", "echo never\n");
        let path = format!("PATH={}:${{PATH}}\n", app.root().display());
        app.file(".env", path)
    })
}

#[test]
fn a_hanging_exec_does_not_affect_start_and_stop_of_other_dynos() {
    for app in with_hanging_program() {
        let lease = Lease::on(&app.path("dead"), &app);
        let dyno = hanging(&app);

        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        finished.expect_end(Ended::Signal(Signal::SIGTERM));
        assert_eq!(finished.lines_of("worker.1"), ["started with pid PID", "at work", "terminated by SIGTERM"]);
        drop(lease);
    }
}

#[test]
fn a_hanging_exec_does_not_block_the_guardian() {
    for app in with_hanging_program() {
        let lease = Lease::on(&app.path("dead"), &app);
        let dyno = hanging(&app);
        let worker = dyno.of_dynos().into_iter().find(|it| it.dyno.as_deref() == Some("worker.1")).unwrap();

        dyno.signal(Signal::SIGKILL);

        dyno.finish().expect_end(Ended::Signal(Signal::SIGKILL));
        assert!(process_table::stat(worker.pid).is_none_or(|(state, _)| state == 'Z'));
        drop(lease);
    }
}

#[test]
fn s10_2_a_dyno_whose_exec_hangs_can_be_changed() {
    let app = App::new("web: ./dead\nworker: echo at work; exec sleep 1000\n").script("dead", "exec sleep 1000\n");
    let lease = Lease::on(&app.path("dead"), &app);
    let running = hanging(&app);
    let worker = pid_of(&app, "worker.1");
    let says =
        |args: &[&str], line: &str| app.dyno([]).args(args).run().expect(Ended::Code(0), &format!("{line}\n"), "");
    let states = || -> Vec<String> {
        let dynos = dynos(&app);
        dynos.iter().map(|dyno| format!("{} {}", dyno["name"], dyno["state"]).replace('"', "")).collect()
    };

    says(&["restart", "web.1"], "restarting: web.1");
    running.until("the exec was given up", || running.stdout.text().matches("web.1    | terminated by").count() == 1);
    assert_eq!(states(), ["web.1 starting", "worker.1 up"]);
    says(&["scale", "web=2"], "web=2 worker=1");
    assert_eq!(states(), ["web.1 starting", "web.2 starting", "worker.1 up"]);
    says(&["stop", "web.1"], "stopping: web.1");
    running.until("web.1 is down", || states() == ["web.1 down", "web.2 starting", "worker.1 up"]);
    says(&["scale", "web=1"], "web=1 worker=1");
    running.until("the dynos match the formation", || states().len() == 2);
    drop(lease);
    says(&["restart", "web.1"], "restarting: web.1");

    running.until("both are up", || states() == ["web.1 up", "worker.1 up"]);
    assert_eq!(pid_of(&app, "worker.1"), worker);
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s19_2_a_hanging_exec_fails_the_test_at_its_timeout() {
    let app = App::new("web: ./dead\n").script("dead", "echo never\n");
    let lease = Lease::on(&app.path("dead"), &app);

    let finished = app.dyno(["smoke", "--timeout", "0.5", "--", "true"]).run();

    finished.expect_end(Ended::Code(75));
    let line = "not up within 0.5 seconds: it is still waiting for its program to start";
    let shown = String::from_utf8_lossy(&finished.stderr);
    assert!(shown.contains(line), "{shown}");
    drop(lease);
}

/// A server whose main thread ends while another thread continues. It prints a line on SIGTERM.
const WITHOUT_MAIN_THREAD: &str = "import ctypes, os, signal, threading\n\
                                   signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n\
                                   def serve():\n\
                                   \x20   open('pid', 'w').write(str(os.getpid()))\n\
                                   \x20   print('up', flush=True)\n\
                                   \x20   signal.sigwait([signal.SIGTERM])\n\
                                   \x20   print('got TERM', flush=True)\n\
                                   \x20   os._exit(7)\n\
                                   threading.Thread(target=serve).start()\n\
                                   ctypes.CDLL(None).pthread_exit(None)\n";

// The state of such a process is `Z`, like that of a zombie.
#[test]
fn s6_6_a_process_whose_main_thread_has_ended_gets_the_stop_signal() {
    let app = App::new("web: python3 server.py\n").file("server.py", WITHOUT_MAIN_THREAD);
    let dyno = app.dyno(["start", "-t", "300"]).spawn();
    dyno.until_shown("| up");
    let server: i32 = fs::read_to_string(app.path("pid")).unwrap().parse().unwrap();
    until("the main thread has ended", || process_table::stat(server).is_some_and(|(state, _)| state == 'Z'));

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(finished.lines_of("web.1")[2..], ["got TERM", "exited with code 7"]);
}

#[test]
fn s6_7_a_daemon_without_its_main_thread_is_gone_before_the_next_run() {
    let app = App::new(
        "web: [ -e second ] && exit 4; python3 server.py >begun & read -r _ <begun; \
         until grep -q '^State:.Z' /proc/$!/status; do :; done; >second; exit 3\n",
    );
    let app = app.file("server.py", WITHOUT_MAIN_THREAD).fifo("begun");

    let finished = app.dyno(["start", "--restart", "--max-restarts", "1"]).run();

    finished.expect_end(Ended::Code(4));
    assert!(finished.lines_of("web.1").contains(&"left python3 (pid PID) running; stopped it too".to_owned()));
}

/// Makes the call run in a new pid namespace with the `/proc` of the outer one. The first process of a namespace takes
/// all others with it, so here it is a shell that outlives `dyno` until something is written to the fifo `over`.
fn below_another_process(call: Call) -> Call {
    let first = "\"$0\" \"$@\"; status=$?; read -r _ <over; exit $status";
    with_foreign_proc(call).under(&["sh", "-c", first])
}

/// The process of this run with this name.
fn named(dyno: &Running, name: &str) -> Option<Pid> {
    let is_named = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|is| is.trim() == name);
    dyno.processes().iter().map(|process| process.pid).find(is_named).map(Pid::from_raw)
}

#[test]
fn s6_10_with_a_foreign_proc_no_process_outlives_a_killed_dyno() {
    let app = App::new("web: sleep 1000 & setsid sleep 1001 & exec sleep 1002\n").fifo("over");
    let dyno = below_another_process(app.dyno(["start"])).spawn();
    let sleepers = || dyno.of_dynos().iter().filter(|process| process.command.starts_with("sleep ")).count();
    dyno.until("all three sleep", || sleepers() == 3);

    kill(named(&dyno, "dyno").unwrap(), Signal::SIGKILL).unwrap();

    // Their pid namespace still exists, so it does not take them with it.
    dyno.until("they are gone", || dyno.of_dynos().is_empty() && named(&dyno, "dyno-guardian").is_none());
    app.release("over");
    dyno.finish().expect_end(Ended::Code(137));
}

// The child of `dyno` that no dyno has started is the only one that writes to `written`.
#[test]
fn s6_10_with_a_foreign_proc_a_lost_guardian_costs_only_dynos() {
    let app = App::new("web: exec sleep 1000\n").fifo("last").fifo("over");
    let foreign =
        "{ env -i sh -c 'echo >begun; read -r line <last; echo \"$line\" >written' </dev/null >/dev/null 2>&1 & }";
    let dyno = below_another_process(app.dyno(["start"])).after(foreign).spawn();
    dyno.until_shown("started");
    dyno.until("the foreign child runs", || app.has("begun"));

    kill(named(&dyno, "dyno-guardian").unwrap(), Signal::SIGKILL).unwrap();

    dyno.until("`dyno` has ended", || named(&dyno, "dyno").is_none());
    app.release("last");
    until("the foreign child writes its last line", || {
        fs::read_to_string(app.path("written")).is_ok_and(|it| it == "go\n")
    });
    app.release("over");
    dyno.finish().expect_end(Ended::Code(70));
}

// ssh-agent goes into the background at once, and only root can read its environment and its open files.
#[test]
fn s6_10_an_agent_with_an_unreadable_environment_does_not_outlive_its_run() {
    let app = App::new("web: eval \"$(ssh-agent -s)\"; echo $SSH_AGENT_PID >agent; exit 3\n");

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(3));
    let agent: i32 = fs::read_to_string(app.path("agent")).unwrap().trim().parse().unwrap();
    assert!(finished.lines_of("web.1").contains(&"left ssh-agent (pid PID) running; stopped it too".to_owned()));
    assert_eq!(kill(Pid::from_raw(agent), None), Err(nix::errno::Errno::ESRCH));
}

#[test]
fn s10_1_a_start_on_a_full_disk_runs_with_a_warning() {
    let line = "mount -t tmpfs -o size=8k,mode=700 none \"$XDG_RUNTIME_DIR\"; \
                cat /dev/zero 2>/dev/null >\"$XDG_RUNTIME_DIR/fill\"; exec \"$0\" \"$@\"";
    let app = App::new("web: echo hello\n");
    let call = app.dyno(["start"]);

    let finished = call.under(&[&["unshare", "--mount"][..], as_root(), &["sh", "-c", line]].concat()).run();

    let warning = "warning: commands such as `dyno ps` will not find this start: No space left on device\n\
                   hint: make room in the directory that `XDG_RUNTIME_DIR` names\n";
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), warning);
    assert!(finished.stdout().contains("hello"), "{}", finished.stdout());
}
