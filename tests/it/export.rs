//! `dyno export`: which files it writes, removes and keeps, and what is in its way (S18.1).
//!
//! Not here: whether an engine understands the files (`real_apps_export`).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::harness::{App, Ended, error};

const PROCFILE: &str = "web: ./serve -p $PORT\nworker: ./work\nrelease: ./migrate\n";

const LIST: &str = "\
0600 shop.env
0644 shop-release.service
0644 shop-web.1.service
0644 shop-worker.1.service
0644 shop.target
`dyno export systemd DIR` writes these files; `--stdout` prints them
";

const NOTES: &str = "\
note: systemd always waits 1 s before a restart; from version 254 on, `RestartSteps=6` and `RestartMaxDelaySec=60` in `[Service]` make it wait longer each time: add them with `systemctl edit`
note: systemd sends the stop signal to the first process of a dyno, and then SIGKILL to those that outlive it
";

fn app() -> App {
    App::new(PROCFILE).file(".env", "TOKEN=geheim\n").file(".foreman", "app: shop\n")
}

/// Every file of the directory with its text, sorted.
pub(crate) fn files(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).map(|entries| entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>());
    let mut files: Vec<(String, String)> = entries
        .unwrap_or_default()
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

fn names(directory: &Path) -> Vec<String> {
    files(directory).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn s18_1_without_a_directory_the_files_are_listed_or_printed() {
    let app = app();

    app.dyno(["export", "systemd"]).run().expect(Ended::Code(0), LIST, NOTES);

    let printed = app.dyno(["export", "systemd", "--stdout"]).run();
    printed.expect_end(Ended::Code(0));
    assert!(printed.stdout().contains("\nExecStart=/bin/sh -c \"exec ./serve -p $$PORT\"\n"), "{}", printed.stdout());
    assert!(!printed.stdout().contains("geheim"), "{}", printed.stdout());
    assert!(names(&app.path("out")).is_empty());
}

#[test]
fn s18_1_only_what_differs_is_written_and_what_is_not_needed_is_removed() {
    let app = app();
    let export = |words: &[&str]| app.dyno(["export", "systemd", "out"]).args(words).run();

    let wrote = "wrote out/shop.env\nwrote out/shop-release.service\nwrote out/shop-web.1.service\n\
                 wrote out/shop-worker.1.service\nwrote out/shop.target\n";
    export(&[]).expect(Ended::Code(0), wrote, NOTES);
    let mode = fs::metadata(app.path("out/shop.env")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    export(&[]).expect(Ended::Code(0), "5 files are unchanged\n", NOTES);
    app.write("out/others.service", "[Unit]\n");
    let scaled = "wrote out/shop-web.2.service\nwrote out/shop.target\nremoved out/shop-worker.1.service\n\
                  3 files are unchanged\n";
    export(&["-m", "web=2"]).expect(Ended::Code(0), scaled, NOTES);
    let expected = ["others.service", "shop-release.service", "shop-web.1.service", "shop-web.2.service"];
    assert_eq!(names(&app.path("out")), [&expected[..], &["shop.env", "shop.target"]].concat());
    for (name, text) in files(&app.path("out")) {
        assert_eq!(text.contains("geheim"), name == "shop.env", "{name}: {text}");
    }
}

#[test]
fn s18_1_a_difference_is_shown_without_values_and_gives_status_1() {
    let app = app();
    let export = |words: &[&str]| app.dyno(["export", "systemd", "out"]).args(words).run();
    export(&[]).expect_end(Ended::Code(0));
    export(&["--diff"]).expect(Ended::Code(0), "", "");

    app.write(".env", "TOKEN=geheimer\n");
    let differs = export(&["--diff", "-m", "all=1,worker=0"]);

    differs.expect_end(Ended::Code(1));
    let shown = differs.stdout();
    assert!(
        shown.starts_with("shop.env differs; it has values of config vars, which are not shown\n--- a/shop.target\n")
    );
    assert!(
        shown.contains("\n-Wants=shop-web.1.service shop-worker.1.service\n+Wants=shop-web.1.service\n"),
        "{shown}"
    );
    assert!(shown.ends_with("\nshop-worker.1.service is not needed any more, and would be removed\n"), "{shown}");
    assert_eq!(names(&app.path("out")).len(), 5, "nothing is written");
}

#[test]
fn s18_1_a_file_that_a_person_edited_is_kept_unless_forced() {
    let app = app();
    let export = |words: &[&str]| app.dyno(["export", "systemd", "out"]).args(words).run();
    export(&[]).expect_end(Ended::Code(0));
    let edited = fs::read_to_string(app.path("out/shop.target")).unwrap() + "# mine\n";
    app.write("out/shop.target", &edited);
    app.write("out/shop-web.2.service", "[Unit]\n");
    let before = files(&app.path("out"));

    let mine = "error: out/shop-web.2.service exists and was not written by `dyno export`, so nothing was written\n\n\
                hint: choose another directory; `--force` replaces the file\n";
    let fact = error(
        "out/shop.target has been edited, so nothing was written",
        "`--diff` shows the difference; `--force` replaces the file",
    );
    export(&["-c", "web=2"]).expect(Ended::Code(1), "", &format!("{mine}{fact}"));
    assert_eq!(files(&app.path("out")), before);

    let wrote = "wrote out/shop-web.2.service\nwrote out/shop.target\n4 files are unchanged\n";
    export(&["-c", "web=2", "--force"]).expect(Ended::Code(0), wrote, NOTES);
}

#[test]
fn s18_1_a_symlink_or_a_file_of_another_app_is_never_replaced() {
    let app = app().file("target", "mine\n");
    let export = |words: &[&str]| app.dyno(["export", "systemd", "out"]).args(words).run();
    export(&["-a", "other"]).expect_end(Ended::Code(0));
    symlink(app.path("target"), app.path("out/shop.target")).unwrap();

    let fact = error(
        "out/shop.target is not a regular file, so nothing was written",
        "remove it, or choose another directory",
    );
    export(&["--force"]).expect(Ended::Code(1), "", &fact);

    assert_eq!(fs::read_to_string(app.path("target")).unwrap(), "mine\n");
    assert_eq!(names(&app.path("out")).len(), 6, "the other app's files, and the link");
    fs::remove_file(app.path("out/shop.target")).unwrap();
    export(&[]).expect_end(Ended::Code(0));
    assert_eq!(names(&app.path("out")).len(), 10, "both apps share the directory");
}

#[test]
fn s18_1_a_write_that_fails_leaves_everything_as_it_was() {
    let app = app();
    app.dyno(["export", "systemd", "out"]).run().expect_end(Ended::Code(0));
    let before = files(&app.path("out"));
    app.write(".env", &format!("TOKEN={}\n", "x".repeat(10_000)));

    let limited = app.dyno(["export", "systemd", "out", "-m", "web=3"]).after("ulimit -f 2").run();

    let fact = "cannot write out/shop.env: File too large; nothing was changed";
    limited.expect(Ended::Code(73), "", &error(fact, "choose another directory, or make this one writable"));
    assert_eq!(files(&app.path("out")), before);
    let limited = app.dyno(["export", "systemd", "new/deep"]).after("ulimit -f 2").run();
    limited.expect_end(Ended::Code(73));
    assert!(!app.has("new"), "the new directories are gone");
    app.write("plain", "");
    let fact = error(
        "cannot write plain: Not a directory; nothing was changed",
        "choose another directory, or make this one writable",
    );
    app.refuses(&["export", "systemd", "plain"], 73, &fact);
}

#[test]
fn s18_3_without_values_only_the_names_are_written() {
    let app = app();

    let formats = [
        ("systemd", "TOKEN=\"\""),
        ("compose", "TOKEN=\"\""),
        ("supervisord", "export TOKEN=''"),
        ("runit", "export TOKEN=''"),
        ("s6", "export TOKEN=''"),
        ("launchd", "export TOKEN=''"),
    ];
    for (format, line) in formats {
        let exported = app.dyno(["export", format, format, "--no-values", "--image", "shop"]).run();

        exported.expect_end(Ended::Code(0));
        let note = "note: the values of the config vars are left out: type `install -m 600 shop.env.example shop.env`, and write \
                    them into shop.env\n";
        assert!(exported.stderr().contains(note), "{format}: {}", exported.stderr());
        let text = fs::read_to_string(app.path(format).join("shop.env.example")).unwrap();
        assert!(text.ends_with(&format!("\n{line}\n")), "{text}");
        assert!(!app.path(format).join("shop.env").exists(), "{format}: the user writes it");
    }
}

#[test]
fn s18_3_without_config_vars_no_value_is_missing() {
    let app = App::new("web: ./serve\n").file(".foreman", "app: shop\n");
    for format in ["systemd", "supervisord", "runit", "s6", "launchd"] {
        let exported = app.dyno(["export", format, format, "--no-values"]).run();

        exported.expect_end(Ended::Code(0));
        assert!(!exported.stderr().contains("left out"), "{format}: {}", exported.stderr());
        assert!(app.path(format).join("shop.env").exists(), "{format}: the engine reads it");
    }
}

#[test]
fn s18_3_a_refused_name_is_refused_without_its_value_too() {
    let app = App::new("web: ./serve\n").file(".env", "1A=x\n");
    let name = "its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
    for format in ["systemd", "supervisord", "runit", "s6", "launchd"] {
        let fact = format!("{format} cannot have the config var `1A`: {name}");
        let text = error(&fact, "rename `1A`, here and in the app");
        app.refuses(&["export", format, "out"], 78, &text);
        app.refuses(&["export", format, "out", "--no-values"], 78, &text);
    }
}

#[test]
fn s18_1_an_option_that_a_format_has_no_place_for_is_named() {
    let options = ["-l", "log", "--image", "shop", "--host", "shop.test", "--user-units", "-u", "www"];
    let ignored = |format: &str| {
        let listed = app().dyno(["export", format]).args(&options).run();
        listed.expect_end(Ended::Code(0));
        let end = format!("` has no effect on the files for {format}");
        let notes = listed.stderr();
        let names = notes.lines().filter_map(|line| line.strip_prefix("note: `")?.strip_suffix(&end));
        names.collect::<Vec<_>>().join(" ")
    };

    assert_eq!(ignored("systemd"), "--image --host");
    assert_eq!(ignored("supervisord"), "--image --host --user-units");
    assert_eq!(ignored("compose"), "--host --user-units");
    assert_eq!(ignored("kubernetes"), "--user-units");
    assert_eq!(ignored("caddy"), "--user --log-dir --image --user-units");
    let units = app().dyno(["export", "systemd"]).args(&options).run();
    let note = "note: `systemctl --user` starts nothing as `www` unless root calls it: leave `--user www` out\n";
    assert!(units.stderr().contains(note), "{}", units.stderr());
}

#[test]
fn s18_3_a_value_that_the_engine_cannot_carry_is_named() {
    let app = app().file(".env", b"A=\xff\n");

    let fact = "systemd cannot have the config var `A`: its value is not UTF-8";
    let hint = "change `A`, or write only the names of config vars with `--no-values`";
    app.refuses(&["export", "systemd", "out"], 78, &error(fact, hint));
    assert!(!app.has("out"));
}

#[test]
fn s18_5_ports_that_are_free_only_now_are_refused() {
    let hint = "name a port that is free on the machine that will run the app, such as `-p 5000`";
    let fact = "`-p auto` finds ports that are free here and now, so it cannot be exported";
    app().refuses(&["export", "systemd", "-p", "auto"], 2, &error(fact, hint));
    App::empty().dyno(["export", "systemd"]).run().expect_end(Ended::Code(78));
}

#[test]
fn s18_1_foreman_writes_the_same_names_and_replaces_its_own_files() {
    let app = app().file("out/app-web.1.service", "[Unit]\nDescription=of foreman\n");
    let foreman = |words: &[&str]| app.called("foreman", ["export"]).args(words).run();

    let lines = "[foreman export] writing: out/app.env\n[foreman export] writing: out/app-release.service\n\
                 [foreman export] writing: out/app-web.1.service\n[foreman export] writing: out/app-web.2.service\n[foreman export] writing: out/app.target\n";
    let written = foreman(&["systemd", "out", "-m", "web=2", "-u", "deploy", "-l", "log", "-p", "7000"]);
    written.expect_end(Ended::Code(0));
    assert_eq!(written.stdout(), lines);
    let unit = fs::read_to_string(app.path("out/app-web.2.service")).unwrap();
    for line in ["User=deploy", "Environment=\"PORT=7001\"", "Environment=\"PS=web.2\""] {
        assert!(unit.contains(&format!("\n{line}\n")), "{unit}");
    }

    let hint = "leave `-t` out, and change the files that are written";
    let fact = error("`-t`: `dyno export` has no templates", hint);
    foreman(&["systemd", "out", "-t", "templates"]).expect(Ended::Code(1), "", &fact);
    // Formats that foreman alone has.
    let written = names(&app.path("out"));
    for format in ["upstart", "inittab", "bluepill", "daemon"] {
        let fact = format!("`{format}` is not a valid value for `FORMAT`");
        let hint = format!("write `systemd`, `supervisord`, `runit` or `launchd`; `dyno` writes no files for {format}");
        foreman(&[format, "out"]).expect(Ended::Code(1), "", &error(&fact, &hint));
    }
    assert_eq!(names(&app.path("out")), written);
}

#[test]
fn s18_1_honcho_export_names_the_export_of_dyno() {
    let app = app();
    let fact = "under the name `honcho` there is no `export`: the files of honcho have other names than those of `dyno export`";
    let text = error(fact, "type `dyno export systemd DIR`; `dyno help export` lists the formats");

    for args in [
        &["systemd", "out"][..],
        &["-a", "shop", "-l", "log", "-c", "web=2", "upstart", "out"],
        &["-f", "missing", "systemd", "out"],
        &["--help"],
        &[],
    ] {
        app.called("honcho", ["export"]).args(args).run().expect(Ended::Code(1), "", &text);
    }
    app.called("honcho", ["-e", "x", "export", "systemd", "out"]).run().expect(Ended::Code(1), "", &text);
    assert!(!app.has("out"));
}

#[test]
fn s18_3_a_name_cannot_be_a_path_or_a_line_of_a_unit() {
    let app = app();
    let formats = ["systemd", "supervisord", "runit", "launchd"];

    for format in formats {
        let name = format!("error: {format} cannot have the app name `../evil`: ");
        let refused = app.called("foreman", ["export"]).args(&[format, "out", "-a", "../evil"]).run();
        refused.expect_end(Ended::Code(1));
        assert!(refused.stderr().starts_with(&name), "{}", refused.stderr());
        let user = "x\nExecStartPre=touch evil";
        let refused = app.called("foreman", ["export"]).args(&[format, "out", "-a", "shop", "-u", user]).run();
        let fact = format!("{format} cannot have `--user x\\nExecStartPre=touch evil`: that is not the name of a user");
        refused.expect(Ended::Code(1), "", &error(&fact, "change `--user`, or leave it out"));
    }
    assert!(!app.has("out") && !app.path("..").join("evil.target").exists());
}
