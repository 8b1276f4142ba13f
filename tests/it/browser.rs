//! Chromium in front of a router (S16). Needs `node`, and what `.ci/long` installs: `BROWSER` is the browser, and `BROWSER_PACKAGES`
//! the directory of its driver and of the dev servers.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::app::{Call, free_base};
use crate::binary;
use crate::front_door::OpenDoor;
use crate::harness::{App, Ended, Running};

/// The versions that are known to work. `.ci/long` installs these.
const PACKAGES: &str = "playwright-core@1.65.1 vite@8.4.0 next@16.4.6 react@19.3.1 react-dom@19.3.1";

/// What the driver of the dev servers sees if nothing fails.
const DEV_SERVER: &str = "first: 200 one\nchanged: in the same page\nchanged after the restart\nagain: 200 three\n";

/// The directory `node_modules` with the packages.
fn packages() -> PathBuf {
    let place = std::env::var_os("BROWSER_PACKAGES").expect("`bash .ci/long` sets BROWSER_PACKAGES and BROWSER");
    let modules = PathBuf::from(place).join("node_modules");
    for package in PACKAGES.split(' ') {
        let (name, version) = package.split_once('@').unwrap();
        let found: serde_json::Value =
            serde_json::from_slice(&fs::read(modules.join(name).join("package.json")).unwrap()).unwrap();
        assert_eq!(found["version"], version, "{name}");
    }
    modules
}

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/browser").join(name).display().to_string()
}

/// Starts an app behind a router.
fn routed(call: Call, args: &[&str]) -> (Running, u16) {
    let port = free_base();
    let running = call.args(&["--router", "-p", &port.to_string()]).args(args).spawn();
    running.until("the router listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (running, port)
}

/// Runs a driver in this directory, which must end with 0, and returns what it printed.
fn driven(app: &App, directory: &Path, driver: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new("node");
    command.arg(data(driver)).current_dir(directory).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", app.top().join("home"));
    command.env("XDG_RUNTIME_DIR", app.top().join("run")).env("DYNO", binary::dyno());
    command.env("BROWSER", std::env::var_os("BROWSER").expect("`bash .ci/long` sets BROWSER"));
    command.env("BROWSER_PACKAGES", packages()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    stdout
}

fn end(running: Running) {
    running.signal(Signal::SIGTERM);
    running.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s16_3_a_browser_sees_no_restart_but_the_page_of_a_crash() {
    let server = data("server.mjs");
    let procfile = format!("web: exec node '{server}'\nworker: exec sleep 1000\n");
    let app = App::new(&procfile).file("version", "one");
    let (running, port) = routed(app.dyno(["start"]), &["--restart", "--max-restarts", "0"]);
    let door = OpenDoor::open(&app);
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();

    let variables = [
        ("PORT", port.to_string()),
        ("DOOR", door.port.to_string()),
        ("SCREENSHOTS", screenshots.display().to_string()),
    ];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let seen = driven(&app, &app.root(), "router.mjs", &variables);

    let (before, rest) = seen.split_once("broken: 503 503 App crashed\n").unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(before, "first: 200 one\nrestarts: []\nscaling: []\nrequests of the page: []\n");
    let (lines, rest) = rest.split_once("dyno why web.1\n").unwrap_or_else(|| panic!("{seen}"));
    let markup = "<img src=x onerror=\"window.attacked = true\"><script>window.attacked = true</script>\n\n";
    assert!(
        lines.contains(markup) && lines.contains("Error: cannot connect to <the database> at 127.0.0.1:5432\n"),
        "{seen}"
    );
    assert_eq!(lines.lines().count(), 20, "{seen}");
    let (root, door_port) = (app.root().display().to_string(), door.port);
    let expected = format!(
        "dyno logs web.1\ndyno restart web.1\nrepaired: 200 two\nlist: 200 Running apps\napp up\n\n\
         http://app.localhost:{door_port}\n\n{root}\nlink: two\n\
         unknown: 404 No running app or process type is called gone\n"
    );
    assert_eq!(rest, expected);
    door.close();
    end(running);
}

#[test]
fn s16_3_vite_in_a_browser_sees_no_error_while_it_restarts() {
    let main = "import { word } from './word.js'\n\
                const show = (word) => { document.querySelector('h1').textContent = word }\nshow(word)\n\
                if (import.meta.hot) import.meta.hot.accept('./word.js', (changed) => show(changed.word))\n";
    let app = App::new("web: exec node_modules/.bin/vite --port $PORT --strictPort\n")
        .file("package.json", r#"{"type": "module"}"#)
        .file("vite.config.js", "export default { cacheDir: '.vite' }\n")
        .file("index.html", "<!doctype html>\n<h1></h1>\n<script type=\"module\" src=\"/main.js\"></script>\n")
        .file("main.js", main)
        .file("word.js", "export const word = 'one'\n");
    std::os::unix::fs::symlink(packages(), app.path("node_modules")).unwrap();
    let (running, port) = routed(app.dyno(["start"]), &[]);

    let seen = driven(&app, &app.root(), "dev_server.mjs", &[("PORT", &port.to_string()), ("FILE", "word.js")]);

    assert_eq!(seen, format!("{DEV_SERVER}sockets: app.localhost:{port}\n"));
    end(running);
}

#[test]
fn s16_3_next_in_a_browser_sees_no_error_while_it_restarts() {
    let packages = packages();
    let packages = packages.parent().unwrap();
    // Next compiles only what is below one directory with its packages.
    let root = packages.join("app");
    fs::create_dir_all(root.join("app")).unwrap();
    let layout =
        "export default function Layout({ children }) { return <html lang=\"en\"><body>{children}</body></html> }\n";
    let config = format!("module.exports = {{ turbopack: {{ root: {:?} }} }}\n", packages.display().to_string());
    for (name, text) in [
        ("Procfile", "web: exec ../node_modules/.bin/next dev --port $PORT\n"),
        ("package.json", "{}\n"),
        ("next.config.js", &config),
        ("app/layout.js", layout),
        ("app/page.js", "export default function Page() { return <h1>{'one'}</h1> }\n"),
    ] {
        fs::write(root.join(name), text).unwrap();
    }
    let app = App::empty();
    let call = app.dyno(["start", "--app", "app"]).directory(&root).env("NEXT_TELEMETRY_DISABLED", "1");
    let (running, port) = routed(call, &[]);

    let seen = driven(&app, &root, "dev_server.mjs", &[("PORT", &port.to_string()), ("FILE", "app/page.js")]);

    assert_eq!(seen, format!("{DEV_SERVER}sockets: app.localhost:{port}\n"));
    end(running);
    fs::remove_dir_all(root).unwrap();
}
