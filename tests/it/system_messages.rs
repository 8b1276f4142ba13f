//! The full text of messages about everything but the files of an app: directories, ports, limits, programs, the
//! guardian, other names of the binary. Messages about the files are in `file_messages`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{App, Ended, error};

#[test]
fn s5_3_the_message_about_a_port_in_use_names_the_process() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let app = App::new("web: true\n");

    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let fact = format!("port {port} for `web.1` is in use by `{}` (pid PID)", name.trim_end());
    let hint = "stop that process, or choose another port with `-p`; `-p auto` finds a free one";
    app.refuses(&["start", "-p", &port, "--strict-ports"], 69, &error(&fact, hint));
    let warned = app.dyno(["start", "-p", &port]).run();
    assert_eq!((warned.ended, warned.stderr()), (Ended::Code(0), format!("warning: {fact}\nhint: {hint}\n")));
}

#[test]
fn s5_4_without_free_ports_or_a_lock_directory_nothing_starts() {
    let types = (0..40).map(|index| format!("type{index}: touch started\n")).collect::<Vec<_>>().concat();
    let app = App::new(&types);

    let hint = "stop programs that use these ports, or choose the ports with `-p`";
    let fact = "no block of 40000 free ports was found from 20000 up";
    app.refuses(&["start", "-p", "auto", "-m", "type0=1000"], 69, &error(fact, hint));

    let hint = "set `XDG_RUNTIME_DIR` to a directory that you own, or choose the ports with `-p`";
    let ours = app.top().join("run/dyno");
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)).unwrap();
    let fact = format!("the directory `{}` is not private: it must be owned by you, with mode 0700", ours.display());
    app.refuses(&["start", "-p", "auto"], 69, &error(&fact, hint));
    // No directory can be created in `/proc`.
    let fact = "the directory `/proc/dyno` cannot be used: No such file or directory";
    let refused = app.dyno(["start", "-p", "auto"]).env("XDG_RUNTIME_DIR", "/proc").run();
    refused.expect(Ended::Code(69), "", &error(fact, hint));
    assert!(!app.has("started"));
}

#[test]
fn s2_9_an_environment_that_is_too_large_names_its_longest_variable() {
    let keys = (0..30).map(|index| format!("KEY{index}={}\n", "x".repeat(100_000))).collect::<Vec<_>>().concat();
    let app = App::new("web: touch started\n").file(".env", keys + "LONGEST=" + &"x".repeat(100_001) + "\n");

    // The system allows a quarter of the stack limit for arguments and environment.
    let long = app.dyno(["start"]).after("ulimit -s 8192").run();

    long.expect_end(Ended::Code(78));
    assert_eq!(long.stdout(), "");
    let (before, after) = ("error: .env:31: the environment is ", " bytes long, over the system limit of ");
    let stderr = long.stderr();
    let (bytes, rest) = stderr.strip_prefix(before).and_then(|rest| rest.split_once(after)).unwrap();
    assert!(bytes.parse::<usize>().unwrap() > 3_100_000, "{stderr}");
    let hint = "write the value to a file and set the variable to its path";
    assert_eq!(rest, format!("2097152; the longest variable is `LONGEST`\n\nhint: {hint}\n"));
    assert!(!app.has("started"));
}

#[test]
fn s1_6_a_command_that_is_too_long_is_an_error() {
    let line = "x".repeat(1 << 17);
    let app = App::new(&format!("web: true # {line}\n"));

    let fact = "Procfile:1: the command of `web` is 131080 bytes long, and the system allows 131072";
    app.refuses(&["start"], 78, &error(fact, "put it in a script and run the script"));

    let fact = "the command is too long: Argument list too long";
    app.refuses(&["run", "env", &line[..(1 << 17) - 5]], 126, &error(fact, "give fewer or shorter arguments"));
}

#[test]
fn s1_6_a_directory_that_cannot_be_entered_is_reported() {
    let app = App::new("web: true\nrelease: rmdir \"$PWD\"\n");
    fs::create_dir(app.path("root")).unwrap();

    let finished = app.dyno(["start", "-f", "Procfile", "-d", "root"]).run();

    let why = format!("cannot enter the directory `{}`: No such file or directory", app.path("root").display());
    finished.expect(
        Ended::Code(126),
        &format!(
            "TIME release.1 | started with pid PID\nTIME release.1 | exited with code 0\nTIME web.1     | {why}\n"
        ),
        "",
    );
}

#[test]
fn s9_3_run_explains_why_a_command_cannot_be_run() {
    let app = App::new("web: true\nodd: echo 'a\n");
    fs::create_dir(app.path("folder")).unwrap();

    let hint = "check the path: it is relative to the root of the app";
    app.refuses(&["run", "./nowhere", "x"], 127, &error("`./nowhere` was not found", hint));
    app.refuses(&["run", "./folder", "x"], 126, &error("`./folder` is a directory", "name a program in it"));
    let fact = "Procfile:2: cannot pass the arguments to `odd`: \
                the command has an unclosed `'`, which would swallow the arguments";
    app.refuses(&["run", "odd", "x"], 78, &error(fact, "close the quote, or write an apostrophe as `\\'`"));
}

#[test]
fn a_log_directory_that_cannot_be_used_is_an_error() {
    let app = App::new("web: touch started\n");

    let fact = "the log directory `Procfile` cannot be used: File exists";
    app.refuses(&["start", "--log-dir", "Procfile"], 74, &error(fact, "name a directory that you can write to"));
    assert!(!app.has("started"));
}

#[test]
fn a_full_disk_stops_everything_with_74() {
    let app = App::new("web: echo hi; read -r _ <never\n").fifo("never");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();

    let finished = app.dyno(["start"]).stdout_to(full).run();

    let fact = "the output could not be written: No space left on device";
    finished.expect(Ended::Code(74), "", &error(fact, "all dynos were stopped"));
}

#[test]
fn a_procfile_with_only_a_release_has_nothing_to_start() {
    let app = App::new("release: touch started\n");

    let fact = "nothing to start: the Procfile defines only `release`";
    app.refuses(&["start"], 2, &error(fact, "run it with `dyno release`"));
    app.refuses(&["start", "web"], 2, &error("the Procfile has no process type `web`", "it defines no process types"));
    let fact = "`release` is the release phase and never part of the formation";
    app.refuses(
        &["start", "release"],
        2,
        &error(fact, "leave it out: it runs before the formation anyway; `dyno release` runs it alone"),
    );
    assert!(!app.has("started"));
}

#[test]
fn s11_a_lost_guardian_causes_one_error_message() {
    let app = App::new("web: read -r _ <never\n").fifo("never");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("started with pid");

    kill(Pid::from_raw(dyno.guardian()), Signal::SIGKILL).unwrap();

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(70));
    assert_eq!(finished.stderr(), "error: `dyno`'s helper process (the guardian) was killed; all dynos were killed\n");
}

#[test]
fn a_low_open_files_limit_is_reported_with_the_number_needed() {
    let app = App::new("worker: touch started\n");

    let fact = "30 dynos need 127 open files, and the limit is 100";
    let hint = "raise it with `ulimit -n 127`, or run fewer dynos";
    let finished = app.dyno(["start", "-m", "worker=30"]).after("ulimit -n 100").run();
    finished.expect(Ended::Code(70), "", &error(fact, hint));
    assert!(!app.has("started"));
}

#[test]
fn s5_4_at_the_limit_of_open_files_ports_do_not_look_taken() {
    let app = App::new("web: touch started\n");

    // How many files are open when the ports are looked for depends on the machine.
    for limit in 4..=12 {
        for args in [&[][..], &["-p", "auto"]] {
            let finished = app.dyno(["start"]).args(args).after(&format!("ulimit -n {limit}")).run();

            assert_eq!(finished.ended, Ended::Code(70), "{limit} {args:?}: {}", finished.stderr());
            assert!(finished.stderr().contains("open files"), "{limit} {args:?}: {}", finished.stderr());
        }
    }
    assert!(!app.has("started"));
}

#[test]
fn s3_2_variables_that_no_file_sets_are_explained_too() {
    let app = App::new("web: true\n");

    let explained = app.dyno(["config", "--explain", "PYTHONUNBUFFERED"]).run();

    explained.expect(Ended::Code(0), "PYTHONUNBUFFERED comes from the default of `dyno`\n", "");
    for key in ["DYNO", "PS", "FOREMAN_WORKER_NAME", "DYNO_SESSION"] {
        let explained = app.dyno(["config", "--explain", key]).run();
        explained.expect(Ended::Code(0), &format!("{key} comes from the dyno\n"), "");
    }
}

#[test]
fn a_value_that_is_not_utf_8_gets_a_warning_in_json() {
    let app = App::new("web: true\n").file(".env", b"A=1\nK=\xff\n");

    app.dyno(["config", "--json"]).run().expect(
        Ended::Code(0),
        "{\"A\":\"1\",\"K\":\"\u{fffd}\"}\n",
        "warning: .env:2: the value of `K` has bytes that are not UTF-8; JSON shows `\u{fffd}` for them\n\
         hint: `dyno config` without `--json` prints it unchanged\n",
    );
    assert_eq!(app.dyno(["config"]).run().stdout, b"A=1\nK='\xff'\n");
}
