//! Exports for engines of one machine, as the engines or independent parsers read them (S18). Needs `python3`, and the engines.

use std::fs;
use std::process::{Command, Stdio};

use crate::app::fork;
use crate::harness::{App, Ended};
use crate::real_apps_export_engines::{Host, PATH};
use crate::real_apps_export_probe::{env_file, nasty_values};

/// Commands that configuration files get wrong, by the name of the type.
const COMMANDS: [(&str, &str); 6] = [
    ("quotes", r#"echo 'a "b" <c> & d' "it's $X" \; "#),
    ("pipe", "echo '100% %h %(here)s %%' | sed 's/;/#/' # a ; b"),
    ("semicolon", "echo a ; echo b; ;; #"),
    ("backslash", r"printf '\n\\ \x41' \\"),
    ("xml", "echo ']]>' '<!-- -- -->' '--' &amp; ---"),
    ("utf8", "echo ü€😀"),
];

/// An app with these commands. Those that `sh` refuses are never run here.
fn app_with_commands() -> App {
    let procfile: Vec<String> = COMMANDS.iter().map(|(name, command)| format!("{name}: {command}\n")).collect();
    let procfile = procfile.concat();
    App::new(&procfile)
}

/// Runs a script of Python with these arguments, and returns what it prints.
fn python(script: &str, args: &[&str]) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", script]).args(args).stdout(Stdio::piped());
    let output = fork(&mut command).wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn s18_2_plists_have_the_commands_byte_for_byte() {
    let app = app_with_commands();
    let directory = app.top().join("launchd");
    let call = app.dyno(["export", "launchd", directory.to_str().unwrap(), "--set", "SECRET=s3cret"]).env("PATH", PATH);
    call.run().expect_end(Ended::Code(0));
    for (name, command) in COMMANDS {
        let file = directory.join(format!("app-{name}-1.plist"));
        let script = "import plistlib, sys; job = plistlib.load(open(sys.argv[1], 'rb')); \
                      print(job['Label'], job['EnvironmentVariables']['DYNO'], job['WorkingDirectory'], \
                      job['ProgramArguments'][3], job['ExitTimeOut'], job['KeepAlive'], job['RunAtLoad']); \
                      print(job['ProgramArguments'][5], end='')";
        let seen = python(script, &[file.to_str().unwrap()]);
        let (facts, line) = seen.split_once('\n').unwrap();
        let (root, env) = (app.root(), fs::canonicalize(&directory).unwrap().join("app.env"));
        let expected = format!("app-{name}-1 {name}.1 {} {} 5 True True", root.display(), env.display());
        assert_eq!(facts, expected);
        let line = line.strip_prefix("exec ").unwrap_or(line);
        assert_eq!(line, command.trim(), "{name}");
        assert!(!fs::read_to_string(&file).unwrap().contains("s3cret"));
    }
}

/// Writes what it gets: its further arguments, and its variables.
const SHOW: &str = "name=$1\nshift\nprintf '%s\\0' \"$@\" >\"$name.words\"\nexec env -0 >\"$name.variables\"\n";

/// Does what launchd does with the property lists in the directory of its second argument; `sh` is the program of the first.
const LAUNCHD: &str = "
import os, plistlib, signal, subprocess, sys
shell, directory = sys.argv[1:]
def start(service):
    job = plistlib.load(open(f'{directory}/app-{service}.plist', 'rb'))
    program, *words = job['ProgramArguments']
    assert program == '/bin/sh'
    with open(f'{service}.given', 'w') as file:
        file.write(''.join(f'{key}={value}\\0' for key, value in job['EnvironmentVariables'].items()))
    return subprocess.Popen(['sh', *words], executable=shell, env=job['EnvironmentVariables'],
                            cwd=job['WorkingDirectory'], stdin=subprocess.DEVNULL, start_new_session=True)
dynos = [start(service) for service in ('web-1', 'group-1')]
release = start('release')
try:
    assert [dyno.wait(60) for dyno in dynos] == [0, 0]
finally:
    for process in [*dynos, release]:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
";

/// Words of a command, and what a shell makes of them.
const WORDS: [(&str, &str); 10] = [
    ("'a  b'", "a  b"),
    (r#""c'd""#, "c'd"),
    ("'<x> & ]]>'", "<x> & ]]>"),
    ("'-->'", "-->"),
    ("'&amp;'", "&amp;"),
    ("'$HOME'", "$HOME"),
    (r"\\", r"\"),
    (r"'\n'", r"\n"),
    (r#""""#, ""),
    ("ü€😀", "ü€😀"),
];

#[test]
fn s18_3_the_script_of_a_plist_passes_every_byte_on() {
    let values = nasty_values();
    let mut typed: Vec<String> = WORDS.iter().map(|(typed, _)| (*typed).to_owned()).collect();
    typed.extend(values.iter().map(|(key, _)| format!("\"${key}\"")));
    let mut expected: Vec<&str> = WORDS.iter().map(|(_, word)| *word).collect();
    expected.extend(values.iter().map(|(_, value)| value.as_str()));
    let typed = typed.join(" ");
    let procfile = format!("release: ./show release\nweb: ./show web {typed}\ngroup: ./show group {typed}\n");
    // `sh` is dash, or bash as on a Mac.
    for shell in ["/bin/sh", "/bin/bash"] {
        let app = App::new(&procfile).script("show", SHOW).file(".env", env_file());
        let directory = app.top().join("launchd");
        let directory = directory.to_str().unwrap();
        let call = app.dyno(["export", "launchd", directory, "--stop-all", "group"]).env("PATH", PATH);
        call.run().expect_end(Ended::Code(0));

        let mut launchd = Command::new("python3");
        launchd.args(["-c", LAUNCHD, shell, directory]).current_dir(app.root());
        assert!(fork(&mut launchd).wait().unwrap().success());

        let items = |file: &str| -> Vec<String> {
            let text = String::from_utf8(fs::read(app.path(file)).unwrap()).unwrap();
            text.split_terminator('\0').map(str::to_owned).collect()
        };
        assert!(app.has("release.variables"), "the release command is first");
        for name in ["web", "group"] {
            assert_eq!(items(&format!("{name}.words")), expected, "{shell}: {name}");
            let of_shell = |item: &String| ["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| item.starts_with(own));
            let mut seen = items(&format!("{name}.variables"));
            seen.retain(|item| !of_shell(item));
            seen.sort();
            let given = items(&format!("{name}-1.given"));
            assert!(given.contains(&format!("DYNO={name}.1")) && !given.iter().any(|item| item.starts_with("N_")));
            let mut all = given;
            all.extend(values.iter().map(|(key, value)| format!("{key}={value}")));
            all.sort();
            assert_eq!(seen, all, "{shell}: {name}");
        }
    }
}

#[test]
fn s18_1_a_plist_is_xml_whatever_the_app_is_called() {
    let app = App::new("web: run --all -- --\n");
    let export = || app.dyno(["export", "launchd", "out", "-a", "a---b--"]).env("PATH", PATH).run();
    let directory = app.path("out");
    let _ = export();

    let script = "import plistlib, sys; print(plistlib.load(open(sys.argv[1], 'rb'))['Label'])";
    let label = python(script, &[directory.join("a---b---web-1.plist").to_str().unwrap()]);

    assert_eq!(label, "a---b---web-1\n");
    let again = export();
    assert_eq!((again.ended, again.stdout().as_str()), (Ended::Code(0), "2 files are unchanged\n"));
}

#[test]
fn s18_2_systemd_has_nothing_to_say_about_the_units() {
    let app = app_with_commands().file(".env", "A=\"50% \\\"x\\\" $HOME\"\n");
    let app = app.script("release.sh", "exit 0\n");
    app.write("Procfile", &format!("release: ./release.sh\n{}", fs::read_to_string(app.path("Procfile")).unwrap()));
    let directory = app.top().join("systemd");
    let call = app.dyno(["export", "systemd", directory.to_str().unwrap(), "-m", "all=2", "--after", "pipe=quotes"]);
    let life =
        ["--http", "/up", "--ready", "xml", "--max-restarts", "3", "--max-delay", "0.5", "--can-die", "utf8=any"];
    let others = ["-u", "www-data", "-l", "/var/log/app", "--no-values", "--stop-signal", "pipe=34", "-t", "0.2"];
    call.args(&life).args(&others).run().expect_end(Ended::Code(0));
    let units = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let units: Vec<_> = units.filter(|path| path.extension().is_none_or(|end| end != "example")).collect();
    assert_eq!(units.len(), 2 * COMMANDS.len() + 2);
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").args(&units).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = fork(&mut verify).wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn s18_2_a_failed_release_starts_nothing_until_it_succeeds() {
    let script = "echo \"$DYNO\" >>ran\ntest -e works\n";
    for host in Host::ALL {
        let app =
            App::new("release: ./release.sh\nweb: echo web >>ran; exec sleep 1000\n").script("release.sh", script);
        host.export(&app, &[]);
        let Some(engine) = host.start(&app) else { continue };
        engine.running.until("the release command has failed", || app.has("ran") && engine.is_down("release"));
        assert_eq!(fs::read_to_string(app.path("ran")).unwrap(), "release.1\n", "{host:?}");

        app.write("works", "");
        engine.start_again("release");
        if host == Host::Systemd {
            engine.start_again("web-1");
        }

        let ran = || fs::read_to_string(app.path("ran")).unwrap();
        engine.running.until("web runs", || ran() == "release.1\nrelease.1\nweb\n");
        engine.stop(&["web-1", "release"]);
        engine.end();
    }
}
