//! A `.env` that is not a regular file or cannot be read: directories, named pipes, broken links, devices, sockets,
//! files of another user (S2.1, S1.1).

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use crate::app::OTHER_USER;
use crate::harness::{App, Ended};

/// The files that `dyno export runit` lists.
const RUNIT: &str = "\
0600 app.env
0755 app-release/run
0755 app-release/finish
0755 app-release/control/t
0755 app-release/log/run
0755 app-job-1/run
0755 app-job-1/finish
0755 app-job-1/control/t
0755 app-job-1/log/run
`dyno export runit DIR` writes these files; `--stdout` prints them
";

/// Every command that reads the config vars, and its stdout, in which `%` is the value of `A`.
const READERS: [(&[&str], &str); 7] = [
    (&["check"], "valid procfile detected (release, job)\n"),
    (&["config", "--json"], "{%}\n"),
    (&["run", "echo \"[$A]\""], "[%]\n"),
    (
        &["start", "--no-prefix"],
        "started with pid PID\nreleased [%]\nexited with code 0\nstarted with pid PID\n[%]\nexited with code 0\n",
    ),
    (&["export", "runit"], RUNIT),
    (&["release", "--no-prefix"], "started with pid PID\nreleased [%]\nexited with code 0\n"),
    (&["smoke", "--settle", "0.01", "--allow-exit", "job", "--", "echo \"[$A]\""], "[%]\n"),
];

fn app() -> App {
    App::new("release: echo \"released [$A]\"\njob: echo \"[$A]\"\n")
}

fn link(app: App, name: &str, target: impl AsRef<Path>) -> App {
    symlink(target, app.path(name)).unwrap();
    app
}

/// Writes this text to a named pipe once, as soon as a reader opens it.
fn write_once(path: PathBuf, text: &'static str) -> thread::JoinHandle<()> {
    thread::spawn(move || fs::OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap())
}

/// Runs a command with these options after its name, and asserts its stdout, its warnings and its status. `smoke` may
/// write more to stderr after the warnings.
#[track_caller]
fn reads(app: &App, (words, shown): (&[&str], &str), options: &[&str], value: &str, warning: &str) {
    let finished = app.dyno([]).args(&words[..1]).args(options).args(&words[1..]).run();

    let json = if value.is_empty() { String::new() } else { format!("\"A\":\"{value}\"") };
    let shown = shown.replace("{%}", &format!("{{{json}}}")).replace('%', value);
    let label = if words[0] == "check" { "note: " } else { "warning: " };
    let warning = if warning.is_empty() { String::new() } else { format!("{label}{}", warning.trim_end()) };
    // On a loaded machine the writer of a pipe may be late.
    let stderr =
        finished.stderr().lines().filter(|line| !line.starts_with("waiting up to ")).collect::<Vec<_>>().join("\n");
    let stderr = if words[0] == "smoke" { &stderr[..warning.len()] } else { &stderr };
    assert_eq!((finished.ended, finished.stdout().as_str(), stderr), (Ended::Code(0), &*shown, &*warning), "{words:?}");
}

/// Every command ends with this error.
#[track_caller]
fn refused(app: &App, options: &[&str], fact: &str, hint: &str) {
    for words in
        [&["check"][..], &["config"], &["run", "true"], &["start"], &["release"], &["smoke"], &["export", "s6"]]
    {
        let between = if words[0] == "check" { "" } else { "\n" };
        let finished = app.dyno([]).args(&words[..1]).args(options).args(&words[1..]).run();

        finished.expect(Ended::Code(78), "", &format!("error: {fact}\n{between}hint: {hint}\n"));
    }
}

#[test]
fn s2_1_a_default_env_that_is_a_directory_is_ignored_with_one_warning() {
    let warning = ".env is a directory, so it is not read\n\
                   hint: if your config vars are in another file, name it with `-e`\n";
    let directory = app().file(".env/pyvenv.cfg", "");
    let linked = link(app().file("venv/pyvenv.cfg", ""), ".env", "venv");

    for reader in READERS {
        reads(&directory, reader, &[], "", warning);
        reads(&linked, reader, &[], "", warning);
    }
    refused(&linked, &["-e", "venv"], "venv is a directory", "name a file in it");
    refused(&linked, &["-e", ".env"], ".env is a directory", "name a file in it");
}

#[test]
fn s2_1_if_env_in_the_root_is_a_directory_the_current_directory_is_tried() {
    let app = app().file("sub/.env/pyvenv.cfg", "").file("sub/Procfile", "job: true\n").file(".env", "A=1\n");

    let warning = "warning: sub/.env is a directory, so it is not read\n\
                   hint: if your config vars are in another file, name it with `-e`\n";
    app.dyno(["config", "-d", "sub"]).run().expect(Ended::Code(0), "A=1\n", warning);
}

#[test]
fn s2_1_a_named_pipe_is_read_once_by_every_command() {
    let app = link(app().fifo("pipe"), ".env", "pipe");
    for reader in READERS {
        for options in [&[][..], &["-e", "pipe"], &["-e", "/dev/null,.env"]] {
            let writer = write_once(app.path("pipe"), "A=piped\n");
            reads(&app, reader, options, "piped", "");
            writer.join().unwrap();
        }
    }
    // `.env` is now the pipe itself, and its value spans lines.
    fs::rename(app.path("pipe"), app.path(".env")).unwrap();
    let writer = write_once(app.path(".env"), "A='two\nlines'\n");
    app.dyno(["config"]).run().expect(Ended::Code(0), "A=\"two\\nlines\"\n", "");
    writer.join().unwrap();
}

#[test]
fn s2_1_export_writes_the_values_of_a_named_pipe() {
    let app = link(app().fifo("pipe"), ".env", "pipe");
    for (directory, options) in [("default", &[][..]), ("named", &["-e", "pipe"])] {
        let writer = write_once(app.path("pipe"), "A=piped\n");

        let exported = app.dyno(["export", "runit", directory]).args(options).run();

        exported.expect_end(Ended::Code(0));
        let text = fs::read_to_string(app.path(directory).join("app.env")).unwrap();
        assert!(text.ends_with("\nexport A=piped\n"), "{text}");
        writer.join().unwrap();
    }
}

#[test]
fn s2_1_a_wait_for_the_writer_of_a_named_pipe_is_announced() {
    let app = app().fifo(".env");
    let waiting = "waiting up to 10 seconds for a program to write to .env (a named pipe)\n";
    let dyno = app.dyno(["config"]).spawn();
    dyno.until("the wait is announced", || dyno.stderr.text() == waiting);

    let writer = write_once(app.path(".env"), "A=late\n");

    dyno.finish().expect(Ended::Code(0), "A=late\n", waiting);
    writer.join().unwrap();
}

#[test]
fn s2_1_a_named_pipe_without_a_writer_is_an_error_after_10_seconds() {
    let app = App::new("web: touch started\n").fifo(".env").fifo("other");
    let hint = "start the program that writes to it, or name another file with `-e`";

    // All of them wait at the same time, so that the test takes 10 seconds.
    let calls = [&["start"][..], &["start", "--detach"], &["run", "true"], &["smoke"], &["check"], &["export", "s6"]];
    let of_name = |name: &'static str| calls.map(|words| (name, words));
    let running = [of_name(".env"), of_name("other")].concat().into_iter().map(|(name, words)| {
        let options = if name == ".env" { &[][..] } else { &["-e", name] };
        (name, words, app.dyno([]).args(&words[..1]).args(options).args(&words[1..]).spawn())
    });

    for (name, words, dyno) in running.collect::<Vec<_>>() {
        let between = if words == ["check"] { "" } else { "\n" };
        let waiting = format!("waiting up to 10 seconds for a program to write to {name} (a named pipe)\n");
        let fact = format!("{name} is a named pipe, and no program wrote to it within 10 seconds");
        dyno.finish().expect(Ended::Code(78), "", &format!("{waiting}error: {fact}\n{between}hint: {hint}\n"));
    }
    assert!(!app.has("started"));
}

#[test]
fn s2_1_an_env_file_without_read_permission_is_an_error() {
    let is_root = nix::unistd::geteuid().is_root();
    let procfile = "web: touch started\n";
    let plain = App::new(procfile).file(".env", "A=1\n");
    let linked = link(App::new(procfile).file("secret", "A=1\n"), ".env", "secret");
    // As root, the test runs `dyno` as another user, because root can read any file. Otherwise mode 000 is enough.
    let unreadable = || fs::Permissions::from_mode(if is_root { 0o600 } else { 0o000 });
    fs::set_permissions(plain.path(".env"), unreadable()).unwrap();
    fs::set_permissions(linked.path("secret"), unreadable()).unwrap();
    for (app, name, options) in [
        (&plain, ".env", &[][..]),
        (&plain, ".env", &["-e", ".env"]),
        (&linked, ".env", &[]),
        (&linked, ".env", &["-e", ".env"]),
        (&linked, "secret", &["-e", "/dev/null,secret"]),
    ] {
        for words in [
            &["start"][..],
            &["start", "--detach"],
            &["run", "true"],
            &["smoke"],
            &["config"],
            &["check"],
            &["export", "s6"],
        ] {
            let call = app.dyno([]).args(&words[..1]).args(options).args(&words[1..]);

            let finished = if is_root { call.user(OTHER_USER) } else { call }.run();

            let between = if words == ["check"] { "" } else { "\n" };
            let fact = format!("error: {name} cannot be read: Permission denied\n");
            finished.expect(Ended::Code(78), "", &format!("{fact}{between}hint: `ls -l` shows who may read it\n"));
        }
        assert!(!app.has("started"));
    }
}

#[test]
fn s2_1_a_wrong_option_is_reported_before_a_named_pipe_is_opened() {
    let app = app().fifo(".env");

    let error =
        "error: `--set` expects `KEY=VALUE`, with only A-Z a-z 0-9 _ . - in the key\n\nhint: write `--set KEY=VALUE`\n";
    app.dyno(["start", "--set", "x"]).run().expect(Ended::Code(2), "", error);
}

#[test]
fn s2_1_a_broken_link_warns_and_fails_the_check() {
    let hint = "hint: create the file that it points to, or change the link\n";
    for (target, shown) in [("gone", "gone"), ("Procfile/.env", "Procfile/.env"), (".env", ".env")] {
        let app = link(app(), ".env", target);
        let fact = format!(".env is a broken symlink to `{shown}`, so no config vars are read from it\n{hint}");

        app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error: {fact}"));
        for reader in &READERS[1..] {
            reads(&app, *reader, &[], "", &fact);
        }
        refused(&app, &["-e", ".env"], &format!(".env is a broken symlink to `{shown}`"), &hint[6..hint.len() - 1]);
    }
}

#[test]
fn s1_7_a_procfile_or_dot_foreman_that_is_a_broken_link_is_reported() {
    let hint = "create the file that it points to, or change the link";
    let app = link(App::empty(), "Procfile", "gone");
    let fact = "Procfile is a broken symlink to `gone`";
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\nhint: {hint}\n"));
    app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\n\nhint: {hint}\n"));
    app.dyno(["run", "true"]).run().expect(Ended::Code(0), "", &format!("warning: {fact}\nhint: {hint}\n"));

    let app = link(App::new("job: true\n"), ".foreman", "gone");
    let fact = ".foreman is a broken symlink to `gone`";
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\nhint: {hint}\n"));
    app.dyno(["run", "true"]).run().expect(Ended::Code(0), "", &format!("warning: {fact}\nhint: {hint}\n"));
}

#[test]
fn s2_1_devices_and_sockets_are_refused_and_dev_null_is_empty() {
    let app = link(link(app(), "zero", "/dev/zero"), "null", "/dev/null");
    let _socket = UnixListener::bind(app.path("socket")).unwrap();
    for (name, kind) in [("zero", "device"), ("/dev/zero", "device"), ("socket", "socket")] {
        let fact = format!("{name} is a {kind}, not a regular file");
        refused(&app, &["-e", name], &fact, "use a regular file; `-` reads stdin");

        let app = link(self::app(), ".env", app.path(name));
        let fact = format!(".env is a {kind}, not a regular file");
        refused(&app, &[], &fact, "replace it with a regular file, or name another one with `-e`");
    }
    let linked = link(self::app(), ".env", "/dev/null");
    for reader in READERS {
        for name in ["null", "/dev/null"] {
            reads(&app, reader, &["-e", name], "", "");
        }
        reads(&linked, reader, &[], "", "");
    }
}
