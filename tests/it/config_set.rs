//! `config:get`, `config:set` and `config:unset` change the `.env` in use, and nothing else (S15.3).

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use nix::unistd::geteuid;

use crate::harness::{App, Call, Ended, error};

fn app() -> App {
    App::new("web: true\n")
}

/// The names of the files in the root of the app.
fn files(app: &App) -> Vec<String> {
    let entries = fs::read_dir(app.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn env(app: &App) -> String {
    fs::read_to_string(app.path(".env")).unwrap()
}

fn mode(app: &App, name: &str) -> u32 {
    fs::metadata(app.path(name)).unwrap().permissions().mode() & 0o7777
}

/// The call succeeds and prints this.
#[track_caller]
fn says(call: Call, stdout: &str, stderr: &str) {
    call.run().expect(Ended::Code(0), stdout, stderr);
}

/// A call with this text on its stdin.
fn with_stdin(app: &App, call: Call, text: &str) -> Call {
    fs::write(app.top().join("stdin"), text).unwrap();
    call.stdin_from(File::open(app.top().join("stdin")).unwrap())
}

#[test]
fn s15_3_a_new_env_is_readable_by_its_owner_alone() {
    let app = app();

    says(app.dyno(["config:set", "LEVEL=debug", "KEY=a b"]), "Setting LEVEL, KEY in .env... done\n", "");

    assert_eq!(env(&app), "LEVEL=debug\nKEY='a b'\n");
    assert_eq!(mode(&app, ".env"), 0o600);
    assert_eq!(files(&app), [".env", "Procfile"]);
}

#[test]
fn s15_3_the_rest_of_the_file_its_mode_and_owner_are_kept() {
    let text = "\u{feff}# the level\r\n\r\nexport LEVEL = 'a' # b\r\nOLD=1\r\nOLD=2\r\nX=3";
    let app = app().file(".env", text);
    fs::set_permissions(app.path(".env"), fs::Permissions::from_mode(0o640)).unwrap();
    if geteuid().is_root() {
        chown(app.path(".env"), Some(12_345), Some(23_456)).unwrap();
    }
    let before = fs::metadata(app.path(".env")).unwrap();

    // It is replaced as a whole, so one that is open stays what it was.
    let old = File::open(app.path(".env")).unwrap();
    let foreman = "note: .env:3: foreman reads another value of `LEVEL`\n";
    says(app.dyno(["config:set", "LEVEL=it's"]), "Setting LEVEL in .env... done\n", foreman);
    says(app.dyno(["config:unset", "OLD"]), "Unsetting OLD in .env... done\n", "");

    assert_eq!(old.metadata().unwrap().nlink(), 0);
    assert_eq!(env(&app), "\u{feff}# the level\r\n\r\nexport LEVEL = \"it's\" # b\r\nX=3");
    let after = fs::metadata(app.path(".env")).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
}

#[test]
fn s15_3_without_a_difference_the_file_is_not_replaced() {
    let app = app().file(".env", "A='1'\n");
    let before = fs::metadata(app.path(".env")).unwrap();

    says(app.dyno(["config:set", "A=1"]), "Setting A in .env... done\n", "");
    says(app.dyno(["config:unset", "B", "C"]), "", "note: `B` is not in .env\nnote: `C` is not in .env\n");
    assert_eq!(fs::metadata(app.path(".env")).unwrap().ino(), before.ino());
    says(app.dyno(["config:unset", "A", "B"]), "Unsetting A in .env... done\n", "note: `B` is not in .env\n");

    assert_eq!(env(&app), "");
}

#[test]
fn s15_3_a_key_on_several_lines_is_set_everywhere_with_a_warning() {
    let app = app().file(".env", "A=1\nB=2\nA=3\n");

    let warning = "warning: .env:1: `A` is on lines 1 and 3; all of them were set\nhint: keep one of them\n";
    says(app.dyno(["config:set", "A=4"]), "Setting A in .env... done\n", warning);

    assert_eq!(env(&app), "A=4\nB=2\nA=4\n");
}

#[test]
fn s15_3_the_last_named_file_is_changed() {
    let app = app().file("a.env", "A=1\n").file("b.env", "B=1\n");

    says(app.dyno(["config:set", "-e", "a.env,b.env", "A=2"]), "Setting A in b.env... done\n", "");
    says(app.dyno(["-e", "new.env", "config", "set", "A=3"]), "Setting A in new.env... done\n", "");

    let read = |name: &str| fs::read_to_string(app.path(name)).unwrap();
    assert_eq!((read("a.env"), read("b.env"), read("new.env")), ("A=1\n".into(), "B=1\nA=2\n".into(), "A=3\n".into()));
    says(app.dyno(["config:get", "-e", "a.env,b.env", "A"]), "2\n", "");
}

#[test]
fn s15_3_through_a_symlink_its_target_is_replaced() {
    let app = app().file("shared/real", "A=1\n");
    symlink("shared/link", app.path(".env")).unwrap();
    symlink("real", app.path("shared/link")).unwrap();

    says(app.dyno(["config:set", "A=2"]), "Setting A in .env... done\n", "");

    assert_eq!(fs::read_to_string(app.path("shared/real")).unwrap(), "A=2\n");
    assert!(fs::symlink_metadata(app.path(".env")).unwrap().is_symlink());
    assert!(fs::symlink_metadata(app.path("shared/link")).unwrap().is_symlink());
    assert_eq!(files(&app), [".env", "Procfile", "shared"]);
}

#[test]
fn s15_3_a_value_from_stdin_loses_one_newline_at_its_end() {
    let app = app();
    let set = || app.dyno(["config:set", "--stdin", "KEY"]);
    for (text, value, line) in [
        ("a\nb\n\n", "a\nb\n\n", "KEY=\"a\\nb\\n\"\n"),
        ("a b\r\n", "a b\n", "KEY=\"a b\"\n"),
        ("secret", "secret\n", "KEY=\"secret\"\n"),
        ("", "\n", "KEY=\"\"\n"),
    ] {
        says(with_stdin(&app, set(), text), "Setting KEY in .env... done\n", "");
        assert_eq!(env(&app), line, "{text:?}");
        says(app.dyno(["config:get", "KEY"]), value, "");
    }
    let both = app.dyno(["config:set", "A=1", "--stdin", "B"]);
    says(with_stdin(&app, both, "2"), "Setting A, B in .env... done\n", "");
}

#[test]
fn s15_3_a_value_that_no_variable_can_hold_changes_nothing() {
    let app = app().file(".env", "A=1\n");
    let set = || app.dyno(["config:set", "--stdin", "A"]);

    let nul = error(
        ".env:1: the new value of `A` has a NUL byte",
        "no variable can hold one: encode the value, for example with `base64`",
    );
    with_stdin(&app, set(), "a\0b").run().expect(Ended::Code(78), "", &nul);
    let long = error(
        ".env:1: `A` is longer than 128 KiB, the limit for a variable",
        "write the value to a file and set the variable to its path",
    );
    with_stdin(&app, set(), &"x".repeat(200_000)).run().expect(Ended::Code(78), "", &long);

    assert_eq!(env(&app), "A=1\n");
}

#[test]
fn s15_3_get_prints_what_the_dynos_get() {
    let app = app().file(".env", "A=1\nB=\"x\\ny ${A}\"\nDATABASE_URL=x\n");

    says(app.dyno(["config:get", "B"]), "x\ny 1\n", "");
    says(app.dyno(["config:get", "--set", "A=2", "A"]), "2\n", "");
    says(app.dyno(["config:get", "--prefer-shell", "A"]).env("A", "3"), "3\n", "");
    says(app.dyno(["config:get", "--json", "A", "B"]), "{\"A\":\"1\",\"B\":\"x\\ny 1\"}\n", "");
    let unset = error("`DATABSE_URL` is not set", "did you mean `DATABASE_URL`?");
    app.dyno(["config:get", "DATABSE_URL"]).run().expect(Ended::Code(1), "", &unset);
    let unset = error("`XYZZY` is not set", "`dyno config` lists the config vars");
    app.dyno(["config:get", "A", "XYZZY", "A"]).run().expect(Ended::Code(1), "1\n\n1\n", &unset);
    app.dyno(["config:get", "--json", "XYZZY"]).run().expect(Ended::Code(1), "{\"XYZZY\":null}\n", &unset);
}

#[test]
fn s15_3_get_points_to_explain_for_a_variable_that_is_not_of_the_app() {
    let app = app().file(".env", "A=1\n");

    for key in ["FROM_SHELL", "PORT", "PS", "PYTHONUNBUFFERED"] {
        let hint = format!("`dyno config --explain {key}` shows where the dynos get it from");
        let error = error(&format!("`{key}` is not a config var"), &hint);
        app.dyno(["config:get", key]).env("FROM_SHELL", "x").run().expect(Ended::Code(1), "", &error);
        app.dyno(["config", "--explain", key]).env("FROM_SHELL", "x").run().expect_end(Ended::Code(0));
    }
}

#[test]
fn s15_3_json_has_the_file_and_the_names_but_no_value() {
    let app = app();

    says(
        app.dyno(["config:set", "--json", "A=1", "B=2"]),
        "{\"file\":\".env\",\"keys\":[\"A\",\"B\"],\"releases\":[]}\n",
        "",
    );
    let absent = "note: `C` is not in .env\n";
    says(
        app.dyno(["config:unset", "--json", "A", "C"]),
        "{\"file\":\".env\",\"keys\":[\"A\"],\"releases\":[]}\n",
        absent,
    );
}

#[test]
fn s15_3_a_wrong_argument_is_an_error_that_repeats_no_value() {
    let app = app();
    let in_key = "only A-Z a-z 0-9 _ . - in the key";
    let of_value = format!("write `KEY=VALUE`, with {in_key}");
    let before_equals = "the text before `=` is not a valid variable name";
    for (args, fact, hint) in [
        (
            &["config:set"][..],
            "`dyno config:set` needs `KEY=VALUE`",
            "for example `dyno config:set LEVEL=debug A='b c'`",
        ),
        (&["config:set", "API_KEY"], "`API_KEY` has no value", "write `dyno config:set API_KEY=VALUE`"),
        (&["config:set", "A=1", "hunter2"], "an argument has no value", "write `dyno config:set KEY=VALUE`"),
        (&["config:set", "=hunter2"], before_equals, of_value.as_str()),
        (&["config:set", "a b=hunter2"], before_equals, of_value.as_str()),
        (
            &["config:set", "--stdin", "A=hunter2"],
            "an argument is not a valid variable name",
            &format!("write `--stdin KEY`, with {in_key}"),
        ),
        (
            &["config:unset", "A=hunter2"],
            "an argument is not a valid variable name",
            &format!("write `dyno config:unset KEY`, with {in_key}"),
        ),
        (
            &["config:get", "A=hunter2"],
            "an argument is not a valid variable name",
            &format!("write `dyno config:get KEY`, with {in_key}"),
        ),
        (&["config:unset"], "`dyno config:unset` needs `KEY`", "for example `dyno config:unset API_KEY`"),
    ] {
        app.refuses(args, 2, &error(fact, hint));
    }
    assert_eq!(files(&app), ["Procfile"]);
}

#[test]
fn s15_3_what_is_not_a_regular_file_is_refused() {
    let app = app().fifo("pipe").file("directory/x", "");
    symlink("nowhere", app.path("link")).unwrap();
    let name_one = "name a regular file with `-e`";
    for (file, fact, hint) in [
        ("pipe", "pipe is a named pipe, not a regular file", "change the values where its writer has them"),
        ("directory", "directory is a directory", name_one),
        ("/dev/null", "/dev/null is a device, not a regular file", name_one),
        ("/dev/zero", "/dev/zero is a device, not a regular file", name_one),
        ("link", "link is a broken symlink to `nowhere`", "create the file that it points to, or change the link"),
        ("none/x", "none/x does not exist", "create its directory, or name another file with `-e`"),
        ("-", "stdin cannot be changed: it is not a file of its own", name_one),
        ("/dev/fd/0", "/dev/fd/0 cannot be changed: it is not a file of its own", name_one),
        ("", "no config var file is in use", "name one with `-e`"),
    ] {
        app.refuses(&["config:set", "-e", file, "A=1"], 78, &error(fact, hint));
    }
    let directory = App::new("web: true\n").file(".env/bin/activate", "");
    directory.refuses(&["config:set", "A=1"], 78, &error(".env is a directory", name_one));
}

#[test]
fn s15_3_a_file_that_cannot_be_read_is_left_as_it_is() {
    for (text, fact, hint) in [
        ("A=1\nB='x\n", ".env:2: `B` opens a quote that is never closed", "close it, or use the other kind of quotes"),
        ("A='1' 2\n", ".env:1: `A` has text after its closing quote", "quote the whole value, or none of it"),
        (
            "{\"A\": 1}",
            ".env:1: the file is JSON, which is changed in an editor",
            "open it in an editor, or write one `KEY=value` per line",
        ),
    ] {
        let app = app().file(".env", text);

        app.refuses(&["config:set", "A=2"], 78, &error(fact, hint));

        assert_eq!(env(&app), text);
    }
}
