//! Exports that the engines of one machine run (S18.2): as which user, in which order, when a dyno is ready, and when it is given up.
//! Needs `python3`, and the engines.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::app::{fork, free_base};
use crate::harness::{App, note};
use crate::real_apps_export_engines::{APP, Engine, Host};

/// Listens on the port in its first argument as soon as the file `go` exists. It answers with 503 until the file `healthy` exists.
const SERVER: &str = r"
import http.server, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists('healthy') else 503)
        self.end_headers()
    def log_message(self, *words):
        pass

open('waits-' + sys.argv[1], 'w').close()
while not os.path.exists('go'):
    time.sleep(0.02)
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

/// Writes into the file of its second argument whether the port in its first argument accepts connections.
const CLIENT: &str = r"
import os, socket, sys, time

try:
    socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()
    seen = 'listens'
except OSError as error:
    seen = str(error)
with open(sys.argv[2] + '.new', 'w') as file:
    file.write(seen)
os.rename(sys.argv[2] + '.new', sys.argv[2])
time.sleep(1000)
";

fn text(app: &App, name: &str) -> String {
    fs::read_to_string(app.path(name)).unwrap_or_default()
}

/// A user that every machine has, with its id, group id and home. None: only root can run something as another user.
fn other_user() -> Option<(&'static str, nix::unistd::User)> {
    let user = nix::unistd::User::from_name("daemon").unwrap().filter(|_| nix::unistd::geteuid().is_root());
    if user.is_none() {
        note("skipped: only root can run an app as another user");
    }
    Some(("daemon", user?))
}

#[test]
fn s18_2_an_app_really_runs_as_its_user() {
    let Some((name, user)) = other_user() else { return };
    let who = "echo \"$(id -u) $(id -g) $HOME $USER $LOGNAME $TOKEN\" >reports/$DYNO\n";
    let expected = format!("{} {} {} {name} {name} s3cret\n", user.uid, user.gid, user.dir.display());
    for host in Host::ALL {
        let procfile = "release: ./who\nweb: ./who; exec sleep 1000\nplain: ./lasting\n";
        let app = App::new(procfile).script("who", who).script("lasting", &format!("{who}exec sleep 1000\n"));
        let app = app.file(".env", "TOKEN=s3cret\n").file("reports/x", "");
        // The release command and supervisord write there as that user.
        for directory in [app.root(), app.path("reports")] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
        }
        host.export(&app, &["-u", name, "--stop-all", "plain"]);
        if host == Host::Supervisord {
            // As its note says.
            let env = host.directory(&app).join("app.env");
            chown(env, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let Some(engine) = host.start(&app) else { continue };

        let dynos = ["release.1", "web.1", "plain.1"];
        let reported = || dynos.iter().all(|dyno| !text(&app, &format!("reports/{dyno}")).is_empty());
        engine.running.until("all have reported", reported);

        for dyno in dynos {
            assert_eq!(text(&app, &format!("reports/{dyno}")), expected, "{dyno} of {host:?}");
        }
        engine.stop(&["web-1", "plain-1", "release"]);
        engine.end();
    }
}

#[test]
fn s18_2_a_type_starts_once_the_other_listens() {
    for host in Host::ALL {
        let base = free_base();
        let (ready, own) = (base, base + 2);
        let procfile = format!(
            "db: python3 server.py {ready}\nweb: python3 client.py {ready} web\n\
             store: python3 server.py {own}\nworker: python3 client.py {own} worker\n"
        );
        let app = App::new(&procfile).file("server.py", SERVER).file("client.py", CLIENT);
        let after = format!("web=db,worker=store:{own}");
        host.export(&app, &["-p", &base.to_string(), "--ready", "db", "--after", &after]);
        let Some(engine) = host.start(&app) else { continue };

        engine.running.until("the servers run", || [ready, own].iter().all(|port| app.has(&format!("waits-{port}"))));
        app.write("go", "");
        engine.running.until("the others run", || app.has("web") && app.has("worker"));

        assert_eq!((text(&app, "web"), text(&app, "worker")), ("listens".to_owned(), "listens".to_owned()), "{host:?}");
        engine.stop(&["web-1", "worker-1", "db-1", "store-1"]);
        engine.end();
    }
}

/// Whether the engine says that a dyno is ready. None: it does not know that.
fn is_ready(engine: &Engine<'_>, app: &App, name: &str) -> Option<bool> {
    let directory = engine.host.directory(app).join(format!("{APP}-{name}"));
    let output = match engine.host {
        Host::Supervisord => return None,
        // It runs the script `check`, for at most a second.
        Host::Runit => {
            let mut check = Command::new("sv");
            check.args(["-w", "1", "check"]).arg(directory).stdout(Stdio::null());
            return Some(fork(&mut check).wait().unwrap().success());
        }
        Host::S6 => {
            let mut status = Command::new("s6-svstat");
            status.args(["-o", "ready"]).arg(directory).stdout(Stdio::piped());
            fork(&mut status).wait_with_output().unwrap()
        }
        Host::Systemd => {
            engine.control(&["show", "-P", "ActiveState", &format!("{APP}-{}.service", name.replace('-', "."))])
        }
    };
    Some(["true", "active"].contains(&String::from_utf8_lossy(&output.stdout).trim()))
}

#[test]
fn s18_2_a_dyno_is_ready_once_it_answers_or_listens() {
    for (host, options) in
        Host::ALL.into_iter().flat_map(|host| [(host, &["--http", "/up"][..]), (host, &["--ready", "web"])])
    {
        let base = free_base();
        let app = App::new(&format!("web: python3 server.py {base}\n")).file("server.py", SERVER);
        host.export(&app, &[&["-p", &base.to_string()], options].concat());
        let Some(engine) = host.start(&app) else { continue };
        let ready = || is_ready(&engine, &app, "web-1");
        engine.running.until("it runs", || app.has(&format!("waits-{base}")));

        if let Some(is_ready) = ready() {
            assert!(!is_ready, "{host:?} {options:?}: nothing listens");
            app.write("go", "");
            if options[0] == "--http" {
                engine.running.until("it answers", || std::net::TcpStream::connect(("127.0.0.1", base)).is_ok());
                assert_eq!(ready(), Some(false), "{host:?}: it answers with 503");
                app.write("healthy", "");
            }
            engine.running.until("it is ready", || ready() == Some(true));
        }
        app.write("go", "");
        engine.stop(&["web-1"]);
        engine.end();
    }
}

#[test]
fn s18_2_a_dyno_that_crashes_too_often_stays_down() {
    for host in Host::ALL {
        let app = App::new("web: ./crash\nother: exec sleep 1000\n");
        let kept = host.directory(&app).join("app-web-1/supervise/restarts");
        // What the scripts for runit and s6 know when the dyno starts: the next pause, and the restarts in a row.
        let app =
            app.script("crash", &format!("echo x >>runs\ncat '{}' >>pauses 2>/dev/null\nexit 3\n", kept.display()));
        host.export(&app, &["--max-restarts", "3", "--max-delay", "1"]);
        let Some(engine) = host.start(&app) else { continue };

        engine.running.until("it is given up", || app.has("runs") && engine.is_down("web-1"));

        assert_eq!(text(&app, "runs"), "x\n".repeat(4), "{host:?}");
        let pauses = if matches!(host, Host::Runit | Host::S6) { "1 1\n1 2\n1 3\n" } else { "" };
        assert_eq!(text(&app, "pauses"), pauses, "{host:?}");
        engine.running.until("the other runs", || !engine.is_down("other-1"));
        engine.stop(&["other-1"]);
        engine.end();
    }
}

#[test]
fn s18_3_values_that_are_filled_in_reach_the_app() {
    for host in Host::ALL {
        let app = App::new("web: ./show; exec sleep 1000\n").script("show", "echo \"$TOKEN\" >shown\n");
        let app = app.file(".env", "TOKEN=s3cret\n");
        host.export(&app, &["--no-values"]);
        let directory = host.directory(&app);
        // What its note says.
        let mut install = Command::new("install");
        install.args(["-m", "600", "app.env.example", "app.env"]).current_dir(&directory);
        assert!(fork(&mut install).wait().unwrap().success());
        let values = directory.join("app.env");
        let filled = fs::read_to_string(&values).unwrap();
        assert!(!filled.contains("s3cret"), "{filled}");
        let filled = filled.replace("TOKEN=\"\"", "TOKEN=\"mine\"").replace("TOKEN=''", "TOKEN='mine'");
        fs::write(&values, filled).unwrap();
        let Some(engine) = host.start(&app) else { continue };

        engine.running.until("it has shown the value", || text(&app, "shown").ends_with('\n'));

        assert_eq!(text(&app, "shown"), "mine\n", "{host:?}");
        assert_eq!(mode(&values), 0o600);
        engine.stop(&["web-1"]);
        engine.end();
        // The next export keeps the values.
        host.export(&app, &["--no-values"]);
        assert!(fs::read_to_string(&values).unwrap().contains("mine"), "{host:?}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn s18_1_a_new_export_reaches_the_dynos_as_the_docs_say() {
    for host in Host::ALL {
        let procfile = |word: &str| format!("release: echo $TOKEN >released\nweb: ./show {word}; exec sleep 1000\n");
        let app = App::new(&procfile("a")).script("show", "echo \"$1 $TOKEN\" >new\nmv new shown\n");
        let app = app.file(".env", "TOKEN=1\n");
        host.export(&app, &["-c", "web=2"]);
        let Some(engine) = host.start(&app) else { continue };
        engine.running.until("it runs", || text(&app, "shown") == "a 1\n" && !engine.is_down("web-2"));

        engine.stop(&["web-2"]);
        for (word, token) in [("a", "2"), ("b", "2"), ("c", "3")] {
            let has_new_values = token != text(&app, ".env").trim().trim_start_matches("TOKEN=");
            app.write("Procfile", &procfile(word));
            app.write(".env", &format!("TOKEN={token}\n"));
            host.export(&app, &[]);
            engine.take_new_files(&["web-1"], word == "a");
            let shown = format!("{word} {token}\n");
            engine.running.until("the new files are used", || text(&app, "shown") == shown);
            let is_released = matches!(host, Host::Supervisord | Host::Systemd) && has_new_values;
            assert!(!is_released || text(&app, "released").trim() == token, "{host:?}");
        }
        engine.stop(&["web-1", "release"]);
        engine.end();
    }
}
