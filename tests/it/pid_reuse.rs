//! No pid is signalled after its process was reaped: by then the system may have given it to a stranger (S6.6, S11).
//!
//! Each case runs in a pid namespace of its own, in which the next pid can be chosen. Its first process is a script. It
//! starts `dyno`, waits until a process of a dyno is gone, and starts a stranger with the same pid, group and session.
//! From then on no dyno starts a process, because that could get the pid first.

use std::fs;

use crate::harness::{App, Call, Ended, Running};
use crate::smoke;

/// Writes its pid to a file, and ends when it can read from a fifo.
const MORTAL: &str = "echo $$ >pid\necho >begun\nread -r _ <end\n";

/// The first process of the namespace. It runs the file `how`, waits until no process of `dyno` is left, and then asks
/// the stranger whether it has received a signal.
const FIRST: &str = r#"
"$@" &
dyno=$!
read -r _ <ended
read -r old <pid
while [ -e /proc/$old ]; do :; done
until [ "$stranger" = "$old" ]; do
    [ -z "$stranger" ] || kill -9 $stranger
    echo $((old - 1)) >/proc/sys/kernel/ns_last_pid
    setsid sh ./stranger &
    stranger=$!
done
read -r _ <listening
. ./how
wait $dyno
ended=$?
is_alone() {
    for process in /proc/[0-9]*; do
        [ $process = /proc/1 ] || [ $process = /proc/$stranger ] || ! grep -q . $process/cmdline 2>/dev/null || return 1
    done
}
until is_alone; do :; done
kill -USR1 $stranger
wait $stranger
echo "dyno $ended, stranger $?" >result
"#;

/// Ends with 0 on SIGUSR1, and with 1 on a signal that `dyno` sends.
const STRANGER: &str = "trap 'exit 1' HUP INT QUIT TERM CONT WINCH USR2\ntrap 'exit 0' USR1\necho >listening\n\
                        while :; do read -r _ <never; done 2>/dev/null\n";

/// The first process of a namespace whose `/proc` is that of another one. It starts `dyno`, and asks at the end.
const INNER: &str = r#"
echo 1000 >/proc/sys/kernel/ns_last_pid
"$@" >log 2>&1 &
dyno=$!
until "$1" wait worker 2>/dev/null; do kill -0 $dyno || break; done
until [ -s pid ]; do :; done
cat pid >begun
read -r _ <listening
"$1" wait --listening --timeout 1 worker >asked 2>&1
echo "worker listens: $?" >result
kill $dyno
wait $dyno
"#;

/// The first process of that other namespace. There a stranger that listens gets the pid that the dyno has in its own.
const OUTER: &str = r#"
unshare --pid --fork --kill-child sh ./inner "$@" &
inner=$!
read -r old <begun
until [ "$stranger" = "$old" ]; do
    [ -z "$stranger" ] || kill -9 $stranger
    echo $((old - 1)) >/proc/sys/kernel/ns_last_pid
    PORT=0 ./listen 127.0.0.1 >printed &
    stranger=$!
done
until grep -q Listening printed; do :; done 2>/dev/null
echo >listening
wait $inner
kill -9 $stranger
"#;

/// A daemon that only SIGKILL ends.
const STUBBORN: &str = "trap '' TERM\nwhile :; do read -r _ <never; done 2>/dev/null\n";

/// How everything ends, and the status of `dyno`.
const ENDS: [(&str, u32); 4] = [
    ("kill -USR2 $dyno; kill -TERM $dyno\n", 143),
    ("kill -QUIT $dyno\n", 131),
    ("kill -KILL $dyno\n", 137),
    ("kill -KILL $(grep -lx dyno-guardian /proc/[0-9]*/comm | sed 's/[^0-9]//g')\n", 70),
];

fn in_pid_namespace(call: Call) -> Option<Call> {
    let options = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    Some(call.in_namespaces(&options, "echo 9 >/proc/sys/kernel/ns_last_pid")?.under(&["sh", "./first"]))
}

/// Runs this Procfile once for each of these ends. `dies` ends the process whose pid is in the file `pid`.
fn assert_stranger_is_spared(ends: &[(&str, u32)], procfile: &str, dies: fn(&App, &Running)) {
    for (how, ended) in ends {
        let mut app = App::new(procfile);
        for (name, content) in
            [("mortal", MORTAL), ("first", FIRST), ("stranger", STRANGER), ("how", how), ("stubborn", STUBBORN)]
        {
            app = app.file(name, content);
        }
        for fifo in ["begun", "end", "ended", "listening", "never"] {
            app = app.fifo(fifo);
        }
        let call = app.dyno(["start", "--can-die", "all=any", "-t", "300"]);
        let Some(call) = in_pid_namespace(call) else { return };
        let dyno = call.spawn();

        dies(&app, &dyno);
        app.release("ended");

        let finished = dyno.finish();
        finished.expect_end(Ended::Code(0));
        let result = fs::read_to_string(app.path("result")).unwrap();
        assert_eq!(result, format!("dyno {ended}, stranger 0\n"), "{how}{}", finished.stdout());
    }
}

#[test]
fn s6_6_the_pid_of_a_leader_that_has_ended_is_never_signalled() {
    let procfile = "web: . ./mortal; kill -34 $$\nworker: read -r _ <begun; read -r _ <never\n";

    assert_stranger_is_spared(&ENDS, procfile, |app, dyno| {
        app.release("end");
        dyno.until_shown("web.1    | terminated by signal 34");
    });
}

// The run goes on without its leader, so it still knows the pid, which was also the id of its group and session.
#[test]
fn s6_6_the_pid_of_a_dead_leader_is_not_signalled_while_its_run_lives() {
    let procfile = "web: setsid sh ./stubborn & . ./mortal; exit 3\nworker: read -r _ <begun; read -r _ <never\n";

    assert_stranger_is_spared(&ENDS[1..], procfile, |app, dyno| {
        app.release("end");
        dyno.until_shown("| left sh (pid ");
    });
}

#[test]
fn s6_6_the_pid_of_a_daemon_that_has_ended_is_never_signalled() {
    // When worker.1 exits, the guardian scans the processes, and finds the daemon.
    let procfile = "web: (setsid sh ./mortal &); read -r _ <never\nworker: read -r _ <begun\nclock: read -r _ <never\n";

    assert_stranger_is_spared(&ENDS, procfile, |app, dyno| {
        dyno.until_shown("worker.1 | exited with code 0");
        app.release("end");
    });
}

#[test]
fn s6_6_the_pid_of_a_child_that_has_ended_is_never_signalled() {
    let procfile = "web: sh ./mortal; read -r _ <never\nworker: read -r _ <begun\n";

    assert_stranger_is_spared(&ENDS, procfile, |app, dyno| {
        dyno.until_shown("worker.1 | exited with code 0");
        app.release("end");
    });
}

#[test]
fn s6_10_a_stranger_with_the_pid_of_a_dyno_does_not_listen_for_it() {
    let app = smoke::app("worker: echo $$ >pid; read -r _ <never\n").file("outer", OUTER).file("inner", INNER);
    let app = app.fifo("begun").fifo("never").fifo("listening");
    let options = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let probe = "echo 9 >/proc/sys/kernel/ns_last_pid && unshare --pid --fork true";
    let Some(call) = app.dyno(["start"]).in_namespaces(&options, probe) else { return };

    call.under(&["sh", "./outer"]).run().expect_end(Ended::Code(0));

    let (asked, result) = (app.path("asked"), app.path("result"));
    assert_eq!(fs::read_to_string(result).unwrap(), "worker listens: 75\n", "{:?}", fs::read_to_string(asked));
}
