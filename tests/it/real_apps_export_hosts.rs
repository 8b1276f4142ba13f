//! Exports for engines of one machine, as the engines or independent parsers read them (S18). Needs `python3`, and the engines.

use std::fs;
use std::process::{Command, Stdio};

use crate::app::fork;
use crate::harness::{App, Ended};
use crate::real_apps_export_engines::{Host, PATH};

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
