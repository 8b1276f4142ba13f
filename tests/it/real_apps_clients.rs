//! Other clients that people use: the Python library `heroku3` for the platform's API (S17.3), and the reference client of
//! the Model Context Protocol (S17.2). `.ci/run` installs both; `PYTHON_CLIENTS` names the directory with their packages.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::binary;
use crate::harness::{App, note};
use crate::running::{dynos, names, pid_of, stop};
use crate::tcp_client::{TcpClient, certificate_of};

/// The versions that are known to work. `.ci/steps` installs these; `heroku3` also needs `six`, but does not say so.
/// `real_apps_router_web` needs `websockets`.
const PACKAGES: &str = "heroku3==5.2.1 six==1.17.0 mcp==2.3.0 websockets==17.4";

/// What a script of `heroku3` begins with.
const HEROKU3: &str = "
import os, heroku3, heroku3.api
heroku3.api.HEROKU_URL = os.environ['HEROKU_HOST']
heroku = heroku3.from_key(os.environ['HEROKU_API_KEY'])
app = heroku.apps()['app']
";

/// Uses the tools of `dyno mcp`, in the order of `CALLS`, and prints what it got.
const MCP: &str = "
import asyncio, json, os, sys
from mcp import Client, StdioServerParameters

async def main():
    server = StdioServerParameters(command=os.environ['DYNO'], args=['mcp'], env=dict(os.environ))
    async with Client(server) as client:
        print(json.dumps([client.server_info.name, client.protocol_version]))
        print(json.dumps([tool.name for tool in (await client.list_tools()).tools]))
        for name, arguments in json.loads(os.environ['CALLS']):
            result = await client.call_tool(name, arguments)
            print(json.dumps([name, result.is_error, [part.text for part in result.content]]))

asyncio.run(main())
";

/// The directory with these clients. None: they are not installed, and need not be.
fn packages() -> Option<OsString> {
    let Some(place) = std::env::var_os("PYTHON_CLIENTS") else {
        assert!(
            std::env::var_os("DYNO_OFFLINE").is_some(),
            "PYTHON_CLIENTS is not set: after `bash .ci/run`, set PYTHON_CLIENTS=$PWD/target/python-clients; or skip this \
             test with DYNO_OFFLINE=1"
        );
        note("SKIPPED: heroku3 and mcp are not installed");
        return None;
    };
    Some(place)
}

/// Whether the version that the tests expect is installed.
fn has_version(app: &App, packages: &OsStr, name: &str) -> bool {
    let found = said(app, packages, &[], &format!("from importlib.metadata import version; print(version('{name}'))"));
    PACKAGES.split(' ').any(|package| package == format!("{name}=={}", found.trim()))
}

/// Runs a script, which must end with 0, and returns what it printed.
#[track_caller]
fn said(app: &App, packages: &OsStr, variables: &[(&str, &str)], script: &str) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", script]).current_dir(app.root()).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", app.top().join("home"));
    command.env("XDG_RUNTIME_DIR", app.top().join("run")).envs(variables.iter().copied());
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn s17_3_heroku3_sees_and_changes_the_app() {
    let Some(packages) = packages() else { return };
    let app = App::new("web: exec sleep 1000\nworker: echo level $LEVEL; exec sleep 1000\n").file(".env", "LEVEL=1\n");
    assert!(has_version(&app, &packages, "heroku3"));
    let (running, client) = TcpClient::of(&app);
    let address = format!("http://127.0.0.1:{}", client.port);
    let certificate = certificate_of(&app);
    let certificate = certificate.to_str().unwrap();
    let variables =
        [("HEROKU_HOST", address.as_str()), ("HEROKU_API_KEY", client.key.as_str()), ("CERTIFICATE", certificate)];
    let py = |script: &str| said(&app, &packages, &variables, &format!("{HEROKU3}{script}"));

    let seen = py("
print(heroku.is_authenticated, heroku.account().email, app.name, app.owner.email, app.stack.name)
print(heroku.app(app.id).id == app.id)
print([(dyno.name, dyno.type, dyno.state, dyno.command) for dyno in app.dynos()])
print([(entry.type, entry.quantity, entry.size) for entry in app.process_formation()])
print([(release.version, release.description, release.current) for release in app.releases()])
print(app.addons(), app.domains(), app.collaborators(), app.logdrains(), app.features())
");
    assert_eq!(
        seen,
        "True local@localhost app local@localhost local\nTrue\n\
         [('web.1', 'web', 'up', 'exec sleep 1000'), ('worker.1', 'worker', 'up', 'echo level $LEVEL; exec sleep 1000')]\n\
         [('web', 1, 'Local'), ('worker', 1, 'Local')]\n[(1, 'Started', True)]\n[] [] [] [] []\n"
    );

    assert_eq!(py("print(app.process_formation()['worker'].scale(2).quantity)"), "2\n");
    running.until("worker.2 is there", || names(&app) == ["web.1", "worker.1", "worker.2"]);
    let batch = "print([entry.quantity for entry in app.batch_scale_formation_processes({'web': 2, 'worker': 1})])";
    assert_eq!(py(batch), "[2, 1]\n");
    running.until("the formation is there", || names(&app) == ["web.1", "web.2", "worker.1"]);

    let config =
        "config = app.config(); config['LEVEL'] = '2'; config['NEW'] = 'a b'; del config['LEVEL']; print(config)";
    assert_eq!(py(config), "{'NEW': 'a b'}\n");
    let newest = "print([release.version for release in app.releases(order_by='version', sort='desc', limit=2)])";
    assert_eq!(py(newest), "[4, 3]\n");
    // It returns the last one of the list, which must be the new one.
    let back = "release = app.rollback(app.releases()[1].id); print(release.version, release.description)";
    assert_eq!(py(back), "5 Rollback to v2\n");
    running.until_shown("level 2");

    let (web, worker) = (pid_of(&app, "web.1"), pid_of(&app, "worker.1"));
    assert_eq!(py("print(app.dynos()['web'][0].restart(), app.kill_dyno('worker.1'))"), "True True\n");
    let is_new = |name: &str, old: i64| ![0, old].contains(&pid_of(&app, name));
    running.until("both are other processes", || is_new("web.1", web) && is_new("worker.1", worker));

    let run = py("print(app.run_command_detached('echo from $DYNO with $LEVEL').name)");
    running.until_shown(&format!("from {} with 2", run.trim()));
    // It trusts only the certificate of the platform, unless it is shown another one.
    let attached = py("
import heroku3.models.app, heroku3.rendezvous
class Here(heroku3.rendezvous.Rendezvous):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cert = os.environ['CERTIFICATE']
heroku3.models.app.Rendezvous = Here
output, dyno = app.run_command('echo level $LEVEL', printout=False)
print(repr(output), dyno.name.startswith('run.'))
");
    assert_eq!(attached, "'level 2\\r\\n' True\n");
    let log = py("print(app.get_log(dyno='worker', lines=1, source='app'), end='')");
    assert!(log.ends_with("+00:00 app[worker.1]: level 2\n") && log.lines().count() == 1, "{log}");
    let tail = py("print(next(app.stream_log(dyno='worker', lines=1, source='app')).decode())");
    assert_eq!(tail, log);
    let refused = py("
try:
    app.process_formation()['web'].scale(99999)
except Exception as error:
    print('web=1000' in str(error), error.response.status_code)
");
    assert_eq!(refused, "True 422\n");
    assert!(dynos(&app).iter().all(|dyno| dyno["state"] == "up"));
    stop(&app, running);
}

#[test]
fn s17_2_the_reference_client_uses_every_tool() {
    let Some(packages) = packages() else { return };
    let app = App::new("clock: echo clock of $LEVEL; exec sleep 1000\n").file(".env", "LEVEL=one\n");
    assert!(has_version(&app, &packages, "mcp"));
    let names = json!({ "names": ["clock"] });
    let calls = json!([
        ["status", {}],
        ["check", {}],
        ["start", { "timeout": 60 }],
        ["status", {}],
        ["why", { "names": ["clock.1"] }],
        ["logs", { "names": ["clock"], "lines": 10, "grep": "of one" }],
        ["scale", { "formation": ["clock=2"] }],
        ["restart", names],
        ["run", { "command": "echo \"run at $LEVEL\"; exit 3" }],
        ["stop", {}],
        ["smoke", { "command": ["sh", "-c", "echo tested"] }],
    ]);
    let variables = [("DYNO", binary::dyno()), ("CALLS", &calls.to_string())];

    let printed = said(&app, &packages, &variables, MCP);

    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tools = ["status", "why", "logs", "start", "stop", "restart", "scale", "run", "check", "smoke"];
    assert_eq!(lines[..2], [json!(["dyno", "2025-11-25"]), json!(tools)]);
    let got = |at: usize| {
        let [name, failed, texts] = &lines[at + 2].as_array().unwrap()[..] else { unreachable!("{printed}") };
        let texts: Vec<&str> = texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        (name.as_str().unwrap().to_owned(), failed == true, texts.join("\n"))
    };
    for (at, name, fails, part) in [
        (0, "status", true, "error: no app is running here"),
        (1, "check", false, "valid procfile detected (clock)\n"),
        (2, "start", false, "exit status 0"),
        (3, "status", false, "clock.1  up"),
        (4, "why", false, "clock.1 is up"),
        (5, "logs", false, "| clock of one\n"),
        (6, "scale", false, "clock=2"),
        (7, "restart", false, "restarting: clock.1, clock.2\n"),
        (8, "run", true, "run at one\n\nexit status 3"),
        (9, "stop", false, "stopping: clock.1, clock.2\n"),
        (10, "smoke", false, "tested\n"),
    ] {
        let (called, failed, text) = got(at);
        assert!((called.as_str(), failed) == (name, fails) && text.contains(part), "{called} {failed} {text}");
    }
    assert_eq!(lines.len(), 13);
    assert!(dynos(&app).is_empty());
}
