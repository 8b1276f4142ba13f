//! Differences under the names `foreman` and `honcho`, and behaviour that scripts for them rely on (S13.2).

use std::fs;
use std::os::unix::fs::symlink;

use crate::binary;
use crate::harness::{App, Ended};

#[test]
fn honcho_ignores_dot_foreman() {
    let app = App::new("job: echo $A $PORT\n")
        .file(".env", "A=env\n")
        .file("sub/Procfile", "of_foreman: true\n")
        .file("vars", "A=foreman\n")
        .file(".foreman", "root: sub\nprocfile: sub/Procfile\nport: 7000\nenv: vars\nformation: nope=1\n");

    let started = app.called("honcho", ["start"]).run();
    started.expect_end(Ended::Code(0));
    assert_eq!(started.lines_of("job.1")[1], "env 5000", "{}", started.stdout());
    app.called("honcho", ["run", "printenv", "A"]).run().expect(Ended::Code(0), "env\n", "");
    app.called("honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (job)\n");
    // Errors in it do not matter to honcho, either.
    let app = app.file(".foreman", "port: none\nnonsense\n");
    app.called("honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (job)\n");
    app.called("foreman", ["check"]).run().expect_end(Ended::Code(1));
}

#[test]
fn honcho_finds_files_in_its_root_and_runs_in_the_current_directory() {
    let app = App::empty()
        .file("place", "app\n")
        .file("Other", "of_app: cat place\n")
        .file("vars", "A=app\n")
        .file(".env", "A=default_of_app\n")
        .file("sub/place", "sub\n")
        .file("sub/Other", "of_sub: cat place\n")
        .file("sub/vars", "A=sub\n")
        .file("sub/.env", "A=default_of_sub\n");
    let honcho = |args: &[&str]| app.called("honcho", []).args(args).run();

    for names in [&["-d", "sub", "-f", "Other"][..], &["-d", "sub", "-f", app.path("sub/Other").to_str().unwrap()]] {
        honcho(&[names, &["check"]].concat()).expect(Ended::Code(0), "", "Valid procfile detected (of_sub)\n");
    }
    let missing = honcho(&["-d", "sub", "-f", "sub/Other", "check"]);
    let hint = "create it with one line for each process type, such as `web: npm start`";
    missing.expect(Ended::Code(1), "", &format!("error: sub/sub/Other does not exist\nhint: {hint}\n"));
    honcho(&["-d", "sub", "-e", "vars", "run", "printenv", "A"]).expect(Ended::Code(0), "sub\n", "");
    honcho(&["-d", "sub", "-e", "../vars,vars", "run", "printenv", "A"]).expect(Ended::Code(0), "sub\n", "");
    honcho(&["-d", "sub", "run", "cat", "place"]).expect(Ended::Code(0), "app\n", "");
    // The root of honcho is not the directory of `-f`.
    honcho(&["-f", "sub/Other", "run", "printenv", "A"]).expect(Ended::Code(0), "default_of_app\n", "");
    // The others find files from the current directory and run the command in the root.
    for name in ["dyno", "foreman"] {
        let words = ["run", "-d", "sub", "-f", "Other", "-e", "vars", "sh", "-c", "cat place; echo $A"];
        app.called(name, words).run().expect(Ended::Code(0), "sub\napp\n", "");
        let checked = app.called(name, ["check", "-d", "sub", "-f", "Other"]).run();
        checked.expect(Ended::Code(0), "valid procfile detected (of_app)\n", "");
    }
}

#[test]
fn s2_8_foreman_and_honcho_show_no_notes_on_strict_readers_or_the_shell() {
    let app = App::new("web: a\n").file(".env", "NAME=two words\nA.B=1\n");

    app.called("foreman", ["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", "");
    app.called("honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (web)\n");
    // A line that no reader understands is still reported.
    let app = app.file(".env", "NAME=two words\nnonsense\n");
    let note = "note: .env:2: this line is not an assignment\nhint: write `KEY=value`, or `#` before a comment\n";
    app.called("foreman", ["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", note);
    let valid = format!("{note}Valid procfile detected (web)\n");
    app.called("honcho", ["check"]).run().expect(Ended::Code(0), "", &valid);
}

// For such a Procfile `honcho check` (2.0.0) ends with 1 and `process names must be unique within a Procfile`; foreman
// runs both commands and does not complain.
#[test]
fn s1_5_a_duplicate_name_fails_honcho_check_but_not_foreman_check() {
    let app = App::new("web: a\nnonsense\nworker: b\nweb: c\n");
    let twice = "Procfile:4: `web` is defined on line 1 and again here; this command is used\n\
                 hint: remove one of them, or rename one, for example to `web_2`, to run both\n";
    let nonsense = "note: Procfile:2: `nonsense` has no process type\nhint: write `web: nonsense`\n";

    let honcho = app.called("honcho", ["check"]).run();
    let foreman = app.called("foreman", ["check"]).run();

    honcho.expect(Ended::Code(1), "", &format!("{nonsense}error: {twice}"));
    let valid = "valid procfile detected (web, worker)\n";
    foreman.expect(Ended::Code(0), valid, &format!("{nonsense}note: {twice}"));
}

#[test]
fn help_lists_start_and_not_its_name_for_users_of_heroku_local() {
    let help = App::empty().dyno(["help"]).run().stdout();

    assert!(help.contains("\n  start ") && !help.contains("\n  local"), "{help}");
}

// The script of current Rails asks `gem` whether foreman is missing, sets a default port and passes on all arguments.
#[test]
fn the_bin_dev_of_current_rails_runs_unchanged() {
    let script = "#!/usr/bin/env sh\n\n\
                  if gem list --no-installed --exact --silent foreman; then\n  \
                  echo \"Installing foreman...\"\n  \
                  gem install foreman\n\
                  fi\n\n\
                  # Default to port 3000 if not specified\n\
                  export PORT=\"${PORT:-3000}\"\n\n\
                  exec foreman start -f Procfile.dev \"$@\"\n";
    let app = App::empty()
        .file("Procfile.dev", "web: echo web on $PORT\ncss: echo css on $PORT\n")
        .script("dev", script)
        .script("tools/gem", "echo \"$*\" >>asked\n[ \"$*\" != 'list --no-installed --exact --silent foreman' ]\n");
    symlink(binary::dyno(), app.path("tools/foreman")).unwrap();
    let path = format!("{}:{}", app.path("tools").display(), std::env::var("PATH").unwrap());
    let bin_dev = |args: &[&str]| app.dyno([]).program(&app.path("dev")).env("PATH", &path).args(args);
    let output_of = |dyno: &str, text: &str, port: &str| {
        let notice = |text: &str| format!("TIME {dyno}  | {text}\n");
        notice("started with pid PID") + &notice(&format!("{text} on {port}")) + &notice("exited with code 0")
    };

    let web = output_of("web.1", "web", "3000");
    bin_dev(&["web=1,css=0"]).run().expect(Ended::Code(0), &web, "");
    bin_dev(&["web"]).run().expect(Ended::Code(0), &web, "");
    let css = output_of("css.1", "css", "4100");
    bin_dev(&["-m", "all=1,web=0"]).env("PORT", "4000").run().expect(Ended::Code(0), &css, "");
    // Arguments with blanks are passed on whole, options override the script, and of two `-m` the last one is used.
    let css = output_of("css.1", "css", "6100");
    bin_dev(&["-m", "web=1", "-m", "css=1, web=0", "-p", "6000"]).run().expect(Ended::Code(0), &css, "");
    let asked = fs::read_to_string(app.path("asked")).unwrap();
    assert_eq!(asked, "list --no-installed --exact --silent foreman\n".repeat(4));
}
