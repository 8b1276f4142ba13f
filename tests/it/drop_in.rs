//! `dyno` under the names `foreman` and `honcho`, and with the words of `heroku local` (S13).

use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use crate::binary;
use crate::docs_examples::README;
use crate::harness::{App, Ended};

const TWO: &str = "web: echo web $PORT\nworker: echo worker $PORT\n";

#[test]
fn foreman_start_accepts_the_options_that_scripts_use() {
    let app = App::empty().file("Procfile.dev", TWO).file(".env", "PORT=9\n");

    for args in [
        &["start", "-f", "Procfile.dev", "--env", "/dev/null", "-m", "all=1,web=0"][..],
        &["start", "-f", "Procfile.dev", "-e", "/dev/null", "all=1,web=0"],
        &["s", "-f", "Procfile.dev", "-e", "/dev/null", "worker", "--no-color", "-t", "3"],
    ] {
        let finished = app.called("foreman", []).args(args).run();

        finished.expect_end(Ended::Code(0));
        assert_eq!(finished.lines_of("worker.1")[1], "worker 5100", "{}", finished.stdout());
        assert!(finished.lines_of("web.1").is_empty(), "{}", finished.stdout());
    }
}

#[test]
fn foreman_run_check_and_version_answer_like_foreman() {
    let app = App::new("web: echo from the Procfile\n").file(".env", "A=1\n");

    app.called("foreman", ["run", "sh", "-c", "echo $A"]).run().expect(Ended::Code(0), "1\n", "");
    app.called("foreman", ["run", "web"]).run().expect(Ended::Code(0), "from the Procfile\n", "");
    app.called("foreman", ["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", "");
    let version = app.called("foreman", ["version"]).run();
    assert_eq!(version.stdout(), "0.90.0\n");
}

#[test]
fn foreman_and_honcho_run_explain_a_process_type_that_they_cannot_run() {
    let app = App::new("web-x: echo w\n");
    let refuses = |name: &str, args: &[&str], status: i32, hint: &str| {
        let stderr = format!("error: `web-x` was not found\n\nhint: {hint}\n");
        app.called(name, []).args(args).run().expect(Ended::Code(status), "", &stderr);
    };

    let hint = "`web-x` is a process type, and this tool runs only commands; use `dyno run web-x`";
    refuses("honcho", &["run", "web-x"], 127, hint);
    let hint = "error: `nosuch` was not found\n\nhint: it is not a program on `PATH`\n";
    for app in [&app, &App::empty()] {
        app.called("honcho", ["run", "nosuch"]).run().expect(Ended::Code(127), "", hint);
    }
    refuses(
        "foreman",
        &["run", "web-x", "42"],
        1,
        "`web-x` is a process type; to run it, leave out the words after it",
    );
}

#[test]
fn s11_3_foreman_and_honcho_end_with_1_on_an_error_of_dyno() {
    let app = App::empty();

    app.called("foreman", ["start"]).run().expect_end(Ended::Code(1));
    app.called("honcho", ["start"]).run().expect_end(Ended::Code(1));
    app.dyno(["start"]).run().expect_end(Ended::Code(78));
    // An unknown name is not a usage error (2) in honcho. With `-c` and `-q` honcho even accepts it (S4.4).
    let app = App::new("web: true\n");
    for args in [&["start", "nope"][..], &["start", "-c", "nope=2"], &["start", "-q", "nope"], &["start", "-p", "abc"]]
    {
        app.called("honcho", []).args(args).run().expect_end(Ended::Code(1));
    }
}

#[test]
fn s11_3_a_usage_error_is_status_2_for_honcho_and_1_for_foreman() {
    let app = App::new("web: true\n");

    for args in [&[][..], &["bogus"], &["start", "--nope"], &["start", "-x"], &["run"]] {
        app.called("honcho", []).args(args).run().expect_end(Ended::Code(2));
    }
    for args in [&["bogus"][..], &["export", "upstart", "."], &["start", "--nope"]] {
        app.called("foreman", []).args(args).run().expect_end(Ended::Code(1));
    }
}

#[test]
fn honcho_run_check_and_start_accept_honcho_options() {
    let app = App::new("foo: echo foo $HONCHO_PROCESS_NAME\nbar: sleep 1000\n").file(".env.x", "A=x\n");

    app.called("honcho", ["-e", ".env.x", "run", "printenv", "A"]).run().expect(Ended::Code(0), "x\n", "");
    let valid = "Valid procfile detected (foo, bar)\n";
    app.called("honcho", ["check"]).run().expect(Ended::Code(0), "", valid);
    let started = app.called("honcho", ["start", "-c", "foo=2"]).run();
    started.expect_end(Ended::Code(0));
    assert!(!started.lines_of("foo.2").is_empty() && !started.lines_of("bar.1").is_empty(), "{}", started.stdout());
}

#[test]
fn heroku_local_starts_without_the_release_command() {
    let app = App::new("release: echo released\nweb: echo up\n");

    let finished = app.dyno(["local"]).run();

    finished.expect_end(Ended::Code(0));
    assert!(finished.stdout().contains("| up\n") && !finished.stdout().contains("released"), "{}", finished.stdout());
    app.dyno(["local:run", "echo", "hi"]).run().expect(Ended::Code(0), "hi\n", "");
}

// The script of older versions of Rails asks `gem` whether foreman is installed, sets a default port and passes on all
// arguments.
// `other_names` has the current script.
#[test]
fn the_bin_dev_of_older_rails_runs_unchanged() {
    let script = "#!/usr/bin/env sh\n\
                  if ! gem list foreman -i --silent; then\n\
                  echo 'Installing foreman...'\n\
                  gem install foreman\n\
                  fi\n\
                  export PORT=\"${PORT:-3000}\"\n\
                  exec foreman start -f Procfile.dev --env /dev/null \"$@\"\n";
    let app = App::empty()
        .file("Procfile.dev", "web: echo web on $PORT\ncss: echo css on $PORT\n")
        .script("dev", script)
        .script("tools/gem", "[ \"$*\" = 'list foreman -i --silent' ]\n");
    symlink(binary::dyno(), app.path("tools/foreman")).unwrap();
    let path = format!("{}:{}", app.path("tools").display(), std::env::var("PATH").unwrap());
    let bin_dev = |args: &[&str]| app.dyno([]).program(&app.path("dev")).env("PATH", &path).args(args);

    let some = bin_dev(&["web=1,css=0"]).run();
    some.expect_end(Ended::Code(0));
    assert_eq!(some.lines_of("web.1")[1], "web on 3000");
    let all = bin_dev(&["-m", "all=1,web=0"]).env("PORT", "4000").run();
    all.expect_end(Ended::Code(0));
    assert_eq!(all.lines_of("css.1")[1], "css on 4100");
}

#[test]
fn the_bin_dev_of_the_readme_runs_the_app_and_leaves_nothing() {
    let (_, section) = README.split_once("\n## bin/dev\n").unwrap();
    let line = section.split('`').find(|code| code.starts_with("exec dyno ")).unwrap();
    let app = App::empty()
        .file("Procfile.dev", "web: echo $PORT ${SECRET-unset}; read -r _ <go; exit 3\ncss: sleep 1000 & wait\n")
        .file(".env", "SECRET=read\n")
        .fifo("go")
        .script("bin/dev", &format!("{line}\n"));
    let app = app.script("tools/dyno", "exec \"$DYNO_BIN\" \"$@\"\n");
    let path = format!("{}:{}", app.path("tools").display(), std::env::var("PATH").unwrap());
    let bin_dev = |args: &[&str]| {
        let call = app.dyno([]).program(&app.path("bin/dev")).args(args);
        call.env("PATH", &path).env("DYNO_BIN", binary::dyno()).spawn()
    };
    let crashed = bin_dev(&["-p", "7000"]);
    crashed.until("both dynos run", || ["web.1", "css.1"].iter().all(|dyno| crashed.stdout.text().contains(dyno)));
    app.release("go");
    // The harness asserts that no process is left.
    let crashed = crashed.finish();
    let stopped = bin_dev(&["--fixed-ports", "css"]);
    stopped.until("a process below the shell runs", || stopped.of_dynos().len() == 2);
    stopped.signal(Signal::SIGINT);
    let stopped = stopped.finish();

    crashed.expect_end(Ended::Code(3));
    assert_eq!(crashed.lines_of("web.1")[1], "7000 unset");
    stopped.expect_end(Ended::Signal(Signal::SIGINT));
    assert!(stopped.lines_of("web.1").is_empty(), "{}", stopped.stdout());
}

#[test]
fn s4_5_dot_foreman_sets_defaults_that_options_override() {
    let app = App::empty()
        .file("Procfile.x", TWO)
        .file(".foreman", "procfile: Procfile.x\nport: 7000\nformation: web=0, worker=1\n");

    let by_file = app.dyno(["start"]).run();
    assert_eq!(by_file.lines_of("worker.1")[1], "worker 7100", "{}", by_file.stdout());
    let by_option = app.dyno(["start", "-p", "8000", "web"]).run();
    assert_eq!(by_option.lines_of("web.1")[1], "web 8000", "{}", by_option.stdout());
}
