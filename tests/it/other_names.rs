//! What is different under the names `foreman` and `honcho`, and what scripts for them rely on (S13.2).

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{App, Call, Ended};

/// The binary under another name.
fn called<const N: usize>(app: &App, name: &str, args: [&str; N]) -> Call {
    let path = app.top().join(name);
    if !path.exists() {
        symlink(env!("CARGO_BIN_EXE_dyno"), &path).unwrap();
    }
    app.dyno(args).program(&path)
}

#[test]
fn honcho_does_not_know_dot_foreman() {
    let app = App::new("job: echo $A $PORT\n")
        .file(".env", "A=env\n")
        .file("sub/Procfile", "of_foreman: true\n")
        .file("vars", "A=foreman\n")
        .file(".foreman", "root: sub\nprocfile: sub/Procfile\nport: 7000\nenv: vars\nformation: nope=1\n");

    let started = called(&app, "honcho", ["start"]).run();
    started.expect_end(Ended::Code(0));
    assert_eq!(started.lines_of("job.1")[1], "env 5000", "{}", started.stdout());
    called(&app, "honcho", ["run", "printenv", "A"]).run().expect(Ended::Code(0), "env\n", "");
    called(&app, "honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (job)\n");
    // What is wrong with it is no concern of honcho's either.
    let app = app.file(".foreman", "port: none\nnonsense\n");
    called(&app, "honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (job)\n");
    called(&app, "foreman", ["check"]).run().expect_end(Ended::Code(1));
}

#[test]
fn honchos_files_are_looked_up_in_its_root_and_its_commands_run_where_the_user_is() {
    let app = App::empty()
        .file("place", "app\n")
        .file("Other", "of_app: cat place\n")
        .file("vars", "A=app\n")
        .file(".env", "A=default_of_app\n")
        .file("sub/place", "sub\n")
        .file("sub/Other", "of_sub: cat place\n")
        .file("sub/vars", "A=sub\n")
        .file("sub/.env", "A=default_of_sub\n");
    let honcho = |args: &[&str]| called(&app, "honcho", []).args(args).run();

    for names in [&["-d", "sub", "-f", "Other"][..], &["-d", "sub", "-f", app.path("sub/Other").to_str().unwrap()]] {
        honcho(&[names, &["check"]].concat()).expect(Ended::Code(0), "", "Valid procfile detected (of_sub)\n");
    }
    let missing = honcho(&["-d", "sub", "-f", "sub/Other", "check"]);
    let hint = "write one line for each process type into it, such as `web: npm start`";
    missing.expect(Ended::Code(1), "", &format!("error: sub/sub/Other does not exist\nhint: {hint}\n"));
    honcho(&["-d", "sub", "-e", "vars", "run", "printenv", "A"]).expect(Ended::Code(0), "sub\n", "");
    honcho(&["-d", "sub", "-e", "../vars,vars", "run", "printenv", "A"]).expect(Ended::Code(0), "sub\n", "");
    honcho(&["-d", "sub", "run", "cat", "place"]).expect(Ended::Code(0), "app\n", "");
    // Its root does not follow the Procfile.
    honcho(&["-f", "sub/Other", "run", "printenv", "A"]).expect(Ended::Code(0), "default_of_app\n", "");
    // Elsewhere both start where the user is, and the command runs in the root.
    for name in ["dyno", "foreman"] {
        let words = ["run", "-d", "sub", "-f", "Other", "-e", "vars", "sh", "-c", "cat place; echo $A"];
        called(&app, name, words).run().expect(Ended::Code(0), "sub\napp\n", "");
        let checked = called(&app, name, ["check", "-d", "sub", "-f", "Other"]).run();
        checked.expect(Ended::Code(0), "valid procfile detected (of_app)\n", "");
    }
}

#[test]
fn s2_8_what_a_strict_reader_or_a_shell_would_do_is_not_told_under_other_names() {
    let app = App::new("web: a\n").file(".env", "NAME=two words\nA.B=1\n");

    called(&app, "foreman", ["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", "");
    called(&app, "honcho", ["check"]).run().expect(Ended::Code(0), "", "Valid procfile detected (web)\n");
    // What is wrong for everybody is.
    let app = app.file(".env", "NAME=two words\nnonsense\n");
    let told = "note: .env:2: the line is no assignment\nhint: write `KEY=value`, or `#` before a comment\n";
    called(&app, "foreman", ["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", told);
    let valid = format!("{told}Valid procfile detected (web)\n");
    called(&app, "honcho", ["check"]).run().expect(Ended::Code(0), "", &valid);
}

/// `echo one` twice in a Procfile: honcho 2.0.0 ends with 1, `process names must be unique within a Procfile`;
/// foreman runs both and finds nothing to say.
#[test]
fn s1_5_a_name_that_is_defined_twice_fails_the_check_of_honcho_and_not_that_of_foreman() {
    let app = App::new("web: a\nnonsense\nworker: b\nweb: c\n");
    let twice = "Procfile:4: `web` is defined on line 1 and again here; this command counts\n\
                 hint: remove one, or rename one, such as `web_2`, to run both\n";
    let nonsense = "note: Procfile:2: `nonsense` has no process type\nhint: write `web: nonsense`\n";

    let honcho = called(&app, "honcho", ["check"]).run();
    let foreman = called(&app, "foreman", ["check"]).run();

    honcho.expect(Ended::Code(1), "", &format!("{nonsense}error: {twice}"));
    let valid = "valid procfile detected (web, worker)\n";
    foreman.expect(Ended::Code(0), valid, &format!("{nonsense}note: {twice}"));
}

#[test]
fn the_version_is_told_in_the_words_of_heroku_local() {
    let app = App::empty();
    let version = concat!("dyno ", env!("CARGO_PKG_VERSION"), "\n");

    for words in [&["local:version"][..], &["local", "version"], &["version"], &["--version"]] {
        app.dyno([]).args(words).run().expect(Ended::Code(0), version, "");
    }
    let help = app.dyno(["help"]).run().stdout();
    assert!(help.contains("\n  start ") && !help.contains("\n  local"), "{help}");
}

/// What Rails generates today: asks gem whether foreman is missing, sets a default port, passes all arguments on.
#[test]
fn a_bin_dev_like_that_of_todays_rails_runs_unchanged() {
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
    symlink(env!("CARGO_BIN_EXE_dyno"), app.path("tools/foreman")).unwrap();
    let path = format!("{}:{}", app.path("tools").display(), std::env::var("PATH").unwrap());
    let bin_dev = |args: &[&str]| app.dyno([]).program(&app.path("dev")).env("PATH", &path).args(args);
    let alone = |dyno: &str, text: &str, port: &str| {
        let notice = |text: &str| format!("TIME {dyno}  | {text}\n");
        let said = notice(&format!("{text} on {port}"));
        notice("started with pid PID") + &said + &notice("exited with code 0")
    };

    let web = alone("web.1", "web", "3000");
    bin_dev(&["web=1,css=0"]).run().expect(Ended::Code(0), &web, "");
    bin_dev(&["web"]).run().expect(Ended::Code(0), &web, "");
    let css = alone("css.1", "css", "4100");
    bin_dev(&["-m", "all=1,web=0"]).env("PORT", "4000").run().expect(Ended::Code(0), &css, "");
    // The arguments stay apart and win over what the script says; of two that say the same, the last one counts.
    let css = alone("css.1", "css", "6100");
    bin_dev(&["-m", "web=1", "-m", "css=1, web=0", "-p", "6000"]).run().expect(Ended::Code(0), &css, "");
    let asked = fs::read_to_string(app.path("asked")).unwrap();
    assert_eq!(asked, "list --no-installed --exact --silent foreman\n".repeat(4));
}
