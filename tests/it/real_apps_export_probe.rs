//! The same app under `dyno start` and under each engine that it can be exported to (S18.2). What differs is explained in a table
//! in `docs/export.md`, which this test writes. Needs `python3` and the engines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::app::free_port;
use crate::harness::App;
use crate::real_apps_export_engines::{Host, PATH};

/// Reports what it finds, as `name=value` lines, into files that are complete as soon as they exist.
const PROBE: &str = r"
import os, signal, subprocess, sys, threading, time

role, dyno = sys.argv[1], os.environ['DYNO']

def report(name, facts):
    path = f'reports/{dyno}.{name}'
    with open(path + '.new', 'w') as file:
        for key, value in facts.items():
            file.write(f'{key}={value!r}\n')
    os.rename(path + '.new', path)

def of_process(field):
    with open('/proc/self/status') as status:
        return [line.split(':')[1].strip() for line in status if line.startswith(field + ':')][0]

def stdin():
    target = os.readlink('/proc/self/fd/0')
    return target if target == '/dev/null' else target.split(':')[0]

def stopped(number, frame):
    if os.path.exists(f'reports/{dyno}.stop'):
        return report('again', {})
    report('stop', {'signal': signal.Signals(number).name, 'time': time.monotonic()})
    if role != 'deaf':
        time.sleep(0.3)
        sys.exit(0)

def helper_stopped(number, frame):
    report('helper', {'leader': 'alive' if os.getppid() == leader else 'gone'})
    sys.exit(0)

if role == 'helper':
    leader = os.getppid()
    signal.signal(signal.SIGTERM, helper_stopped)
    print('ready', flush=True)
    while True:
        time.sleep(60)
facts = {f'env {key.decode()}': value for key, value in os.environb.items()}
facts['arguments'] = [os.fsencode(word) for word in sys.argv[1:]]
facts['directory'] = os.getcwd()
facts['session'] = 'its own' if os.getsid(0) in (os.getpid(), os.getppid()) else 'another'
facts['group'] = 'its own' if os.getpgid(0) in (os.getpid(), os.getppid()) else 'another'
facts['stdin'] = stdin()
facts['blocked'] = of_process('SigBlk')
facts['ignored'] = int(of_process('SigIgn'), 16) & 0x7fffffff
facts['umask'] = of_process('Umask')
facts['released'] = os.path.exists('reports/released')
facts['time'] = time.monotonic()
count = len([name for name in os.listdir('reports') if name.startswith(f'{dyno}.run')]) + 1
if role == 'release':
    open('reports/released', 'w').close()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stopped)
if role in ('web', 'shell'):
    helper = subprocess.Popen([sys.executable, 'probe.py', 'helper'], stdout=subprocess.PIPE)
    helper.stdout.readline()
    facts['helper pid'] = helper.pid
print(f'{dyno} writes to stdout', flush=True)
print(f'{dyno} writes to stderr', file=sys.stderr, flush=True)
report(f'run{count}', facts)
if role == 'release' or role == 'once':
    sys.exit(0)
if role == 'crash':
    sys.exit(3)
while True:
    time.sleep(0.05)
    if role == 'deaf':
        report('beat', {'time': time.monotonic()})
";

/// What the dynos do is in `PROBE`. The words of `web` and `shell` have what configuration files get wrong.
const PROCFILE: &str = r#"
release: python3 probe.py release
web: python3 probe.py web 'a  b' "c'd" 100% %n %% %h \; '#x' ' ;' ';' "$PORT" "$N_BOTH" '$HOME' ü \\ '\n' "" a=b "{x}"
shell: echo "x ; y # z % $N_PERCENT `echo q`" | sed 's/;/%h/' >piped && python3 probe.py shell "$(cat piped)"; true # & ;
deaf: python3 probe.py deaf
quit: python3 probe.py quit
crash: python3 probe.py crash
once: python3 probe.py once
"#;

/// Options of `dyno start` and `dyno export`.
const OPTIONS: [&str; 6] = ["-t", "3", "--stop-signal", "quit=INT", "--can-die", "once"];

/// The dynos that run until they are stopped.
const LASTING: [&str; 4] = ["web-1", "shell-1", "deaf-1", "quit-1"];

/// Config vars whose values configuration files get wrong.
pub(crate) fn nasty_values() -> Vec<(&'static str, String)> {
    let long = "0123456789%y'\"$ \\".repeat(5_900);
    let values = [
        ("N_BOTH", "it's \"both\""),
        ("N_PERCENT", "50% %n %% %(here)s %h"),
        ("N_DOLLAR", "$HOME ${X} $$ $(id)"),
        ("N_BACKTICK", "`id`"),
        ("N_BACKSLASH", "a\\b\\\\ \\n \\"),
        ("N_NEWLINE", "two\nlines\n"),
        ("N_TAB", "\ta\tb\t"),
        ("N_UTF_8", "ü€😀"),
        ("N_EMPTY", ""),
        ("N_BLANK", "  before and after  "),
        ("N_COMMENT", "a # b ; c #"),
        ("N_QUOTES", "'\"'''\"\""),
        ("N_LONG", &long),
    ];
    values.map(|(key, value)| (key, value.to_owned())).into()
}

/// A file in which each value is in double quotes.
pub(crate) fn env_file() -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    let line = |(key, value): (_, String)| format!("{key}=\"{}\"\n", quoted(&value));
    nasty_values().into_iter().map(line).collect::<Vec<String>>().concat()
}

type Facts = BTreeMap<String, String>;

/// What was reported about one run of the app.
#[derive(Debug, Default)]
struct Seen {
    /// By the name of the dyno and of the report, such as `web.1.run1`.
    reports: BTreeMap<String, Facts>,
    /// Whether stdout and stderr of `web.1` are in the log.
    is_logged: bool,
    /// Whether the helper of `web.1` outlived it.
    helper_is_left: bool,
}

impl Seen {
    fn fact(&self, report: &str, name: &str) -> &str {
        self.reports.get(report).and_then(|facts| facts.get(name)).map_or("none", String::as_str)
    }

    fn variables(&self, report: &str) -> BTreeMap<&str, &str> {
        let facts = self.reports[report].iter();
        facts.filter_map(|(name, value)| Some((name.strip_prefix("env ")?, value.as_str()))).collect()
    }
}

fn has(app: &App, report: &str) -> bool {
    app.has(&format!("reports/{report}"))
}

/// Whether everything has happened that happens before a stop.
fn is_complete(app: &App) -> bool {
    let lasting = LASTING.iter().all(|name| has(app, &format!("{}.run1", name.replace('-', "."))));
    lasting && has(app, "once.1.run1") && has(app, "crash.1.run3") && has(app, "deaf.1.beat")
}

/// Moves the reports away.
fn take(app: &App, log: &str) -> Seen {
    let mut seen = Seen::default();
    for entry in fs::read_dir(app.path("reports")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let facts = text.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned()));
        seen.reports.insert(name, facts.collect());
    }
    let pid = seen.fact("web.1.run1", "helper pid").to_owned();
    seen.helper_is_left = Path::new("/proc").join(&pid).exists() && !has(app, "web.1.helper");
    seen.is_logged = ["web.1 writes to stdout", "web.1 writes to stderr"].iter().all(|line| log.contains(line));
    fs::remove_dir_all(app.path("reports")).unwrap();
    fs::create_dir(app.path("reports")).unwrap();
    seen
}

fn under_dyno(app: &App, port: &str) -> Seen {
    let running = app.dyno(["start", "--restart", "-p", port]).args(&OPTIONS).env("PATH", PATH).spawn();
    running.until("all dynos have reported", || is_complete(app));
    running.signal(Signal::SIGTERM);
    let finished = running.finish();
    take(app, &finished.stdout())
}

/// None: the engine cannot run here.
fn under_engine(app: &App, host: Host, port: &str) -> Option<Seen> {
    let logs = app.top().join("logs").join(host.name());
    fs::create_dir_all(&logs).unwrap();
    host.export(app, &[&OPTIONS[..], &["-p", port, "-l", logs.to_str().unwrap()]].concat());
    let engine = host.start(app)?;
    engine.running.until("all dynos have reported", || is_complete(app));
    engine.running.until("`once` stays down", || engine.is_down("once-1"));
    engine.stop(&LASTING);
    let log = ["web.1.log", "web.1/current"].iter().find_map(|file| fs::read_to_string(logs.join(file)).ok());
    let seen = take(app, &log.unwrap_or_default());
    if seen.helper_is_left {
        let pid = seen.fact("web.1.run1", "helper pid").parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
    engine.end();
    Some(seen)
}

/// The rows of the table: what is compared, and the words for what was seen.
fn rows(dyno: &Seen, seen: &Seen) -> Vec<(&'static str, String)> {
    let same = |is_same: bool, otherwise: String| if is_same { "same".to_owned() } else { otherwise };
    let all = |name: &str, of: &Seen| -> Vec<String> {
        LASTING.iter().map(|dyno| of.fact(&format!("{}.run1", dyno.replace('-', ".")), name).to_owned()).collect()
    };
    let compared = |name: &str| {
        let (ours, theirs) = (all(name, dyno), all(name, seen));
        same(ours == theirs, format!("{theirs:?} instead of {ours:?}"))
    };
    let run = "web.1.run1";
    let of_web = |name: &str| same(dyno.fact(run, name) == seen.fact(run, name), "no".to_owned());
    let (ours, theirs) = (dyno.variables(run), seen.variables(run));
    let values = |prefix: &str, of: &BTreeMap<&str, &str>| -> Vec<(String, String)> {
        let found = of.iter().filter(|(key, _)| key.starts_with(prefix));
        found.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let own = ["PORT", "DYNO", "PS", "DYNO_APP", "DYNO_URL", "WEB_PORT", "WEB_URL", "PATH", "PYTHONUNBUFFERED"];
    let differing: Vec<&str> = own.into_iter().filter(|key| ours.get(key) != theirs.get(key)).collect();
    let further = |of: &BTreeMap<&str, &str>| -> BTreeSet<String> {
        let known = |key: &str| own.contains(&key) || key.starts_with("N_");
        of.keys().filter(|key| !known(key)).map(|key| (*key).to_owned()).collect()
    };
    let (more, less) = (&further(&theirs) - &further(&ours), &further(&ours) - &further(&theirs));
    let own_alone = ["DYNO_SESSION", "FOREMAN_WORKER_NAME", "HONCHO_PROCESS_NAME"];
    assert!(less.iter().all(|name| own_alone.contains(&name.as_str())), "a dyno lacks {less:?}");
    let further = same(more.is_empty() && less.is_empty(), "others".to_owned());
    let given = |of: &Seen| {
        let time = |report: &str| of.fact(report, "time").parse::<f64>().unwrap();
        if time("deaf.1.beat") - time("deaf.1.stop") > 1.5 { "the grace period" } else { "less" }
    };
    let helper = |of: &Seen| match of.fact("web.1.helper", "leader") {
        "'gone'" => "when the first process has ended",
        "'alive'" => "together with the first process",
        _ if of.helper_is_left => "they are left running",
        _ => "SIGKILL alone",
    };
    let worker = |of: &Seen| of.fact("shell.1.helper", "leader").to_owned();
    let signals =
        |of: &Seen| LASTING.map(|name| of.fact(&format!("{}.stop", name.replace('-', ".")), "signal").to_owned());
    let rows = [
        ("Arguments of the program", compared("arguments")),
        ("Values of config vars", same(values("N_", &ours) == values("N_", &theirs), "others".to_owned())),
        (
            "`PORT`, `DYNO`, `PATH` and what `dyno` adds",
            same(differing.is_empty(), format!("other {}", differing.join(", "))),
        ),
        ("Further variables", further),
        ("Directory", compared("directory")),
        ("umask", compared("umask")),
        ("Ignored signals", of_web("ignored")),
        (
            "Ignored signals, if a shell is first",
            same(
                dyno.fact("shell.1.run1", "ignored") == seen.fact("shell.1.run1", "ignored"),
                "INT, QUIT are ignored, too".to_owned(),
            ),
        ),
        ("Blocked signals", compared("blocked")),
        ("Session of its own", of_web("session")),
        ("Process group of its own", of_web("group")),
        (
            "stdin",
            same(all("stdin", dyno) == all("stdin", seen), format!("`{}`", seen.fact(run, "stdin").trim_matches('\''))),
        ),
        ("The release command is first", compared("released")),
        ("Stop signals, also `--stop-signal`", same(signals(dyno) == signals(seen), format!("{:?}", signals(seen)))),
        ("Only one stop signal", same(!seen.reports.contains_key("deaf.1.again"), "no".to_owned())),
        ("From the stop signal to SIGKILL", same(given(dyno) == given(seen), given(seen).to_owned())),
        ("Stop signal for the other processes", same(helper(dyno) == helper(seen), helper(seen).to_owned())),
        (
            "Stop signal for workers of a shell's programs: later",
            same(worker(seen) == worker(dyno), "at once".to_owned()),
        ),
        ("A dyno that crashes starts again", same(seen.reports.contains_key("crash.1.run3"), "no".to_owned())),
        ("`--can-die`: status 0 is the end", same(!seen.reports.contains_key("once.1.run2"), "no".to_owned())),
        ("stdout and stderr are in the log", same(seen.is_logged, "no".to_owned())),
    ];
    rows.into()
}

/// Why a row is not the same everywhere. A row without a reason has to be.
const REASONS: [(&str, &str); 6] = [
    (
        "Further variables",
        "`DYNO_SESSION`, `FOREMAN_WORKER_NAME` and `HONCHO_PROCESS_NAME` come from `dyno start` alone; engines add their own, \
         such as `SUPERVISOR_PROCESS_NAME`, `OLDPWD` or `INVOCATION_ID`",
    ),
    ("Ignored signals, if a shell is first", "the script for s6 runs the command in the background"),
    ("Session of its own", "supervisord makes process groups, but no sessions"),
    ("stdin", "`dyno` gives a pipe that never ends, for watchers that stop at end of file"),
    (
        "Stop signal for the other processes",
        "supervisord forgets them when the first process has ended; systemd kills them then (`KillMode=mixed`)",
    ),
    (
        "Stop signal for workers of a shell's programs: later",
        "`dyno` knows which process is a shell; an engine signals all processes of the dyno at once",
    ),
];

/// Where the table is in the page.
const BEGIN: &str = "<!-- the table of a test -->\n";
const END: &str = "<!-- the end of the table -->\n";

/// What an app has seen under an engine, row by row. None: the engine did not run.
type SeenRows = Option<Vec<(&'static str, String)>>;

/// The table with a column for each engine. An engine that did not run keeps its column of the page.
fn table(page: &str, seen: &[(Host, SeenRows)]) -> String {
    let old = |row: &str, column: usize| {
        let line = page.lines().find(|line| line.starts_with(&format!("| {row} |")));
        line.and_then(|line| line.split(" | ").nth(column + 1)).unwrap_or("same").to_owned()
    };
    let names: Vec<&str> = seen.iter().map(|(host, _)| host.name()).collect();
    let mut text = format!("| | {} | Why |\n|---|{}---|\n", names.join(" | "), "---|".repeat(names.len()));
    let Some(rows) = seen.iter().find_map(|(_, rows)| rows.as_ref()) else { return text };
    for (index, (row, _)) in rows.iter().enumerate() {
        let cell = |(column, (_, rows)): (usize, &(Host, SeenRows))| match rows {
            Some(rows) => rows[index].1.clone(),
            None => old(row, column),
        };
        let cells: Vec<String> = seen.iter().enumerate().map(cell).collect();
        let reason = REASONS.iter().find(|(known, _)| known == row).map_or("", |(_, reason)| reason);
        let is_same = cells.iter().all(|cell| cell == "same");
        assert_eq!(is_same, reason.is_empty(), "`{row}` has to be the same, or to have a reason: {cells:?}");
        let cells = cells.join(" | ");
        text.extend(["| ", row, " | ", &cells, " | ", reason, " |\n"]);
    }
    text
}

#[test]
fn s18_2_the_same_app_under_each_engine_is_in_the_docs() {
    let app = App::new(PROCFILE.trim_start()).file("probe.py", PROBE).file(".env", env_file());
    fs::create_dir(app.path("reports")).unwrap();
    let port = free_port().to_string();
    let dyno = under_dyno(&app, &port);
    for (key, value) in nasty_values() {
        let seen = &dyno.variables("web.1.run1")[key];
        assert!(value.is_empty() || seen.len() > value.len(), "{key}: {value:.40} {seen:.40}");
    }
    let seen: Vec<_> = Host::ALL
        .into_iter()
        .map(|host| (host, under_engine(&app, host, &port).map(|seen| rows(&dyno, &seen))))
        .collect();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = [before, BEGIN, &table(&page, &seen), END, after].concat();
    if std::env::var_os("DYNO_UPDATE_TEXTS").is_some_and(|value| !value.is_empty()) {
        fs::write(&path, &expected).unwrap();
    }
    assert_eq!(
        page, expected,
        "if that is right: DYNO_UPDATE_TEXTS=1 cargo test --features real-apps --test it -- export"
    );
}
