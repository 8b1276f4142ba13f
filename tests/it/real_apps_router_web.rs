//! The dev server Vite, a WebSocket server and a Rails app behind a router (S16). Needs `node`, `python3`, `puma`, Rails, and
//! the packages that `.ci/run` installs: `NODE_PACKAGES` and `PYTHON_CLIENTS` name their directories.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::app::free_base;
use crate::binary;
use crate::front_door::{OpenDoor, whole};
use crate::harness::{App, Ended, Finished, Running, note};

/// The versions that are known to work. `.ci/steps` installs these.
const PACKAGES: &str = "vite@8.4.0";

/// What the WebSocket client sees behind a router on port `PORT`.
const WEBSOCKETS: &str = "\
deflate: ['permessage-deflate']
echo: True
sent in fragments: True
got in fragments: ['one ', 'two ', '', 'three', '']
ping: True
ping of the server: pong
None: []
echo: True
sent in fragments: True
got in fragments: ['one ', 'two ', '', 'three', '']
ping: True
ping of the server: pong
5,000 messages in order: True
Host: app.localhost:PORT
Origin: http://shop.example
Connection: upgrade
Upgrade: websocket
X-Forwarded-For: 9.9.9.9, 127.0.0.1
X-Forwarded-Proto: http
X-Forwarded-Port: PORT
Via: 1.1 dyno-router
subprotocol: chat.v2
refused: 403 20000
closed by the server: 1000\x20
closed by the client: 1000\x20
closed by the server: 1001 going away
closed by the client: 1001 going away
closed by the server: 1011 REASON
closed by the client: 1011 REASON
closed by the server: 3000 x
closed by the client: 3000 x
closed by the server: 4999 gr\u{fc}n
closed by the client: 4999 gr\u{fc}n
unmasked: 1002 incorrect masking
reserved bit: 1002 reserved bits must be 0
unknown opcode: 1002 invalid opcode
fragmented ping: 1002 fragmented control frame
continuation of nothing: 1002 unexpected continuation frame
text that is not UTF-8: 1007 invalid start byte at position 0
close with one byte: 1002 close frame too short
too long: 1009 frame with 33554432 bytes exceeds limit of 16777216 bytes
the server dies: without a close frame
";

/// The directory in a variable. None: the packages are not installed, and need not be.
fn packages(variable: &str, place: &str) -> Option<OsString> {
    let Some(found) = std::env::var_os(variable) else {
        assert!(
            std::env::var_os("DYNO_OFFLINE").is_some(),
            "{variable} is not set: after `bash .ci/run`, set {variable}=$PWD/target/{place}; or skip this test with DYNO_OFFLINE=1"
        );
        note(&format!("SKIPPED: {variable} is not set"));
        return None;
    };
    Some(found)
}

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/router").join(name).display().to_string()
}

/// Runs a client, which must end with 0, and returns what it printed.
#[track_caller]
fn printed(app: &App, packages: &OsString, client: &str, port: u16) -> String {
    let mut command = Command::new("python3");
    command.arg(data(client)).arg(port.to_string()).current_dir(app.root()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", app.top().join("home"));
    command.env("XDG_RUNTIME_DIR", app.top().join("run")).env("DYNO", binary::dyno());
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    stdout
}

/// Starts the app behind a router.
fn routed(app: &App, args: &[&str], python: &OsString) -> (Running, u16) {
    let port = free_base();
    let call = app.dyno(["start", "--router", "-p", &port.to_string()]).args(args).env("PYTHONPATH", python);
    let running = call.env("PYTHONDONTWRITEBYTECODE", "1").spawn();
    running.until("the router listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (running, port)
}

fn end(running: Running) -> Finished {
    running.signal(Signal::SIGTERM);
    let finished = running.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    finished
}

#[test]
fn s16_1_websockets_pass_through_the_router_and_the_front_door() {
    let Some(python) = packages("PYTHON_CLIENTS", "python-clients") else { return };
    let app = App::new(&format!("web: exec python3 '{}'\n", data("websocket_server.py")));
    let (running, port) = routed(&app, &["--restart"], &python);
    let door = OpenDoor::open(&app);

    for port in [port, door.port] {
        let seen = printed(&app, &python, "websocket_client.py", port);
        let expected = WEBSOCKETS.replace("PORT", &port.to_string()).replace("REASON", &"r".repeat(123));
        assert_eq!(seen, expected);
    }

    door.close();
    let lines = end(running).lines_of("router");
    let upgraded = lines.iter().filter(|line| line.starts_with("GET / 101 web.1 ")).count();
    let of_headers = lines.iter().filter(|line| line.starts_with("GET /headers 101 web.1 ")).count();
    let refused = lines.iter().filter(|line| line.starts_with("GET /refused 403 web.1 ")).count();
    assert_eq!((upgraded, of_headers, refused, lines.len()), (48, 2, 2, 52), "{lines:#?}");
}

#[test]
fn s16_3_the_client_of_vite_sees_no_error_while_vite_restarts() {
    let (node, python) = (packages("NODE_PACKAGES", "node-packages"), packages("PYTHON_CLIENTS", "python-clients"));
    let (Some(node), Some(python)) = (node, python) else { return };
    let vite = Path::new(&node).join("node_modules/vite/package.json");
    let version = serde_json::from_str::<serde_json::Value>(&fs::read_to_string(vite).unwrap()).unwrap();
    assert_eq!(format!("vite@{}", version["version"].as_str().unwrap()), PACKAGES);
    let main = "import { word } from './word.js'\nconst show = (word) => { document.title = word }\nshow(word)\n\
                if (import.meta.hot) import.meta.hot.accept('./word.js', (changed) => show(changed.word))\n";
    let app = App::new("web: exec node_modules/.bin/vite --port $PORT --strictPort\n")
        .file("package.json", r#"{"type": "module"}"#)
        // Other tests use the same packages.
        .file("vite.config.js", "export default { cacheDir: '.vite' }\n")
        .file("index.html", "<!doctype html>\n<script type=\"module\" src=\"/main.js\"></script>\n")
        .file("main.js", main)
        .file("word.js", "export const word = 'zero'\n");
    symlink(Path::new(&node).join("node_modules"), app.path("node_modules")).unwrap();
    let (running, port) = routed(&app, &[], &python);

    let seen = printed(&app, &python, "vite_client.py", port);

    let update = "update [('/main.js', '/word.js')]";
    let expected = format!(
        "page: 200 True [200, 200]\n{{\"type\":\"connected\"}}\n{update}\n\
         restarting: the socket is closed, without a close frame\nping: vite-ping\npage: 200 True [200, 200]\n\
         answers during the restart: {{200}}\n{{\"type\":\"connected\"}}\n{update}\n"
    );
    assert_eq!(seen, expected);
    let finished = end(running);
    let upgraded = finished.lines_of("router").iter().filter(|line| line.contains(" 101 web.1 ")).count();
    assert_eq!(upgraded, 3, "{}", finished.stdout());
}

/// The head and the body of the answer to a request with this start and these headers.
fn exchange(port: u16, start: &str, headers: &str, body: &str) -> (String, String) {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    // With 1.0 the body comes without chunks.
    let request = format!("{start} HTTP/1.0\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    client.write_all(request.as_bytes()).unwrap();
    let answer = whole(client);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn s16_2_rails_accepts_the_names_of_an_app_and_its_own_forms() {
    let command = "exec puma --quiet --bind tcp://127.0.0.1:$PORT";
    let app =
        App::new(&format!("web: {command}\napi: {command}\n")).file("config.ru", fs::read(data("config.ru")).unwrap());
    let (running, port) = routed(&app, &["--hosts", "shop.example"], &OsString::new());
    running.until("both listen", || running.stdout.text().matches("| * Listening on ").count() == 2);
    let id = "01234567890123456789";
    let get = |path: &str, host: &str| {
        exchange(port, &format!("GET {path}"), &format!("Host: {host}\r\nX-Request-Id: {id}\r\n"), "")
    };

    for (name, dyno) in
        [("localhost", "web.1"), ("127.0.0.1", "web.1"), ("app.localhost", "web.1"), ("app-api.localhost", "api.1")]
    {
        let seen = get("/", &format!("{name}:{port}")).1;
        let expected = format!("{dyno}\nhttp://{name}:{port}\n127.0.0.1\nfalse\n{id}\n");
        assert!(seen.starts_with(&expected), "{seen}");
    }
    // Rails itself refuses what is not `localhost` or one label below it.
    for name in ["a.app.localhost", "shop.example"] {
        let head = get("/", name).0;
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n") && head.contains("\r\nvia: "), "{head}");
    }
    let host = format!("app.localhost:{port}");
    let away = get("/away", &host).0;
    assert!(away.to_ascii_lowercase().contains(&format!("\r\nlocation: http://{host}/\r\n")), "{away}");

    let (head, form) = get("/", &host);
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next()).unwrap();
    let token = form.lines().last().unwrap().replace('+', "%2B").replace('=', "%3D");
    for (origin, status) in [(format!("http://{host}"), 200), ("http://evil.example".to_owned(), 422)] {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let headers = format!("Host: {host}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n{kind}\r\n");
        let head = exchange(port, "POST /", &headers, &format!("authenticity_token={token}")).0;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {head}");
    }
    end(running);
}
