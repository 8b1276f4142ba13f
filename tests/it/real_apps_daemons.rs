//! Real daemons that hide where they come from: an agent whose environment only root can read, and servers that
//! overwrite their arguments and environment to set a title, as nginx, redis and puma do (S6.10). Needs `ssh-agent` and
//! `python3`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::app::{OTHER_USER, free_port};
use crate::harness::{App, Call, Ended};
use crate::process_table;

/// Reports every earlier agent that still lives, and starts another one. web.1 runs this five times.
const AGENTS: &str = "for pid in $(cat agents 2>/dev/null); do\n\
                      \x20   ! kill -0 $pid 2>/dev/null || echo \"an earlier agent lives\"\n\
                      done\n\
                      eval \"$(ssh-agent -s)\" >/dev/null\n\
                      echo $SSH_AGENT_PID >>agents\n\
                      exit 3\n";

fn as_user(app: &App, call: Call) -> Call {
    if !nix::unistd::geteuid().is_root() {
        return call;
    }
    fs::set_permissions(app.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    call.user(OTHER_USER)
}

/// The agents that were started, and how many of them live.
fn agents(app: &App) -> (usize, usize) {
    let pids = fs::read_to_string(app.path("agents")).unwrap_or_default();
    let lives = |pid: &&str| process_table::stat(pid.parse().unwrap()).is_some();
    (pids.lines().count(), pids.lines().filter(lives).count())
}

#[test]
fn s6_10_after_four_restarts_no_earlier_agent_lives() {
    let app = App::new("web: ./work\n").script("work", AGENTS);
    let call = app.dyno(["start", "--restart", "--max-restarts", "4", "--max-delay", "0"]);

    let finished = as_user(&app, call).run();

    finished.expect_end(Ended::Code(3));
    let run = ["started with pid PID", "exited with code 3", "left ssh-agent (pid PID) running; stopped it too"];
    let lines = finished.lines_of("web.1");
    let shown: Vec<&[String]> = lines.split(|line| line == "restarting").collect();
    assert_eq!(shown[..4], [run; 4]);
    assert_eq!(shown[4][..3], run);
    assert_eq!(agents(&app), (5, 0));
}

// The parent of an agent ends at once, and nothing that can be read says which dyno it comes from, so the log names it.
#[test]
fn s6_10_agents_of_uncertain_origin_are_named_and_stopped_at_the_end() {
    let app = App::new("web: ./work\nworker: exec sleep 1000\n").script("work", AGENTS);
    let call = app.dyno(["start", "--restart", "--max-restarts", "4", "--max-delay", "0"]);
    let dyno = as_user(&app, call).spawn();
    dyno.until("web.1 has ended five times", || dyno.stdout.text().matches("exited with code 3").count() == 5);
    dyno.until("the last agent is named", || dyno.stdout.text().matches("ssh-agent (pid ").count() == 5);

    dyno.signal(Signal::SIGTERM);

    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(agents(&app), (5, 0));
}

/// `server.py HOW`: goes into the background with two forks, overwrites its arguments and its environment, and keeps
/// only one trace of its run: a listening socket (`port`) or its stdout (`stream`). It writes one word to the fifo
/// `begun`.
const TITLED: &str = r"
import ctypes, os, signal, socket, sys

how, port = sys.argv[1], int(os.environ['PORT'])
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
fields = open('/proc/self/stat').read().rsplit(')', 1)[1].split()
# Where the arguments begin and the environment ends: fields 48 and 51 of the line, of which this skips two.
begin, end = int(fields[45]), int(fields[48])
title = b'server: master process'
ctypes.memset(begin, 0, end - begin)
ctypes.memmove(begin, title, len(title))
void, word = os.open('/dev/null', os.O_RDWR), 'up'
for stream in (0, 1, 2) if how == 'port' else (0, 2):
    os.dup2(void, stream)
server = socket.socket()
if how == 'port':
    try:
        server.bind(('127.0.0.1', port))
        server.listen()
    except OSError as error:
        word = error.strerror
with open('begun', 'w') as begun:
    begun.write(word + '\n')
with open('daemons', 'a') as daemons:
    daemons.write('%d\n' % os.getpid())
signal.pause()
";

#[test]
fn s6_10_a_server_that_set_its_title_is_gone_before_the_restart() {
    const RUNS: usize = 4;
    for how in ["port", "stream"] {
        let web = "for pid in $(cat daemons 2>/dev/null); do ! kill -0 $pid 2>/dev/null || echo an earlier one lives; done\n\
                   python3 server.py HOW\nread -r word <begun\necho server: $word\nread -r _ <go\nexit 3\n";
        let app = App::new("web: ./web\nworker: exec sleep 1000\n")
            .script("web", &web.replace("HOW", how))
            .file("server.py", TITLED)
            .fifo("begun")
            .fifo("go");
        let dyno = app.dyno(["start", "--restart", "--max-delay", "0", "-p", &free_port().to_string()]).spawn();
        for run in 1..=RUNS {
            dyno.until("the server is up", || dyno.stdout.text().matches("| server: ").count() == run);
            if run == 1 {
                dyno.until_shown("worker.1 | started");
            }
            if run < RUNS {
                app.release("go");
            }
        }
        dyno.until("the title is set", || has_titled_server(&app));

        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        let lines = finished.lines_of("web.1");
        let of_servers: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains("server:") || line.contains("lives"))
            .collect();
        assert_eq!(of_servers, ["server: up"; RUNS], "{how}\n{}", finished.stdout());
        assert!(!finished.stdout().contains("left behind"), "{how}\n{}", finished.stdout());
        assert_eq!(living_daemons(&app), [0; 0], "{how}");
    }
}

fn living_daemons(app: &App) -> Vec<i32> {
    let pids = fs::read_to_string(app.path("daemons")).unwrap_or_default();
    pids.lines().map(|pid| pid.parse().unwrap()).filter(|pid| process_table::stat(*pid).is_some()).collect()
}

/// Whether the last server shows its title, and nothing of its environment.
fn has_titled_server(app: &App) -> bool {
    living_daemons(app).iter().any(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        process_table::command(*pid).contains("server: master process") && environment.iter().all(|byte| *byte == 0)
    })
}

/// Listens, and leaves its session as daemons do: the process between the first and the last ends at once.
const FORKS_TWICE: &str = "\
import os, socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', int(os.environ['PORT'])))
server.listen()
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
time.sleep(1000)
";

#[test]
fn s6_10_a_server_that_forks_twice_is_reported_with_its_port() {
    for _ in 0..5 {
        let port = free_port();
        let app = App::new("web: exec python3 daemon.py\n").file("daemon.py", FORKS_TWICE);

        let finished = app.dyno(["start", "-p", &port.to_string()]).run();

        let expected = format!(
            "exited with code 0, and left a process listening on port {port} (python3, pid PID), which was stopped: run \
             the server in the foreground"
        );
        assert_eq!(finished.lines_of("web.1"), ["started with pid PID", &expected]);
    }
}
