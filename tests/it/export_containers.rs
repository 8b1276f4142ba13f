//! `dyno export` for engines that run containers, and for Caddy: the files as a user sees them, and what is refused (S18). Also
//! where each format has the values of config vars.
//!
//! That the engines read them as meant is tested in `real_apps_export_containers`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::harness::{App, Ended, error};
use crate::texts::assert_folder;

const PROCFILE: &str = "\
release: ./migrate && echo done
web: python3 -m http.server $PORT
worker: while :; do ./work | tee -a log; sleep 1; done
api: ./api --port=$PORT
clock: ./clock
";

/// Options that show as much as possible.
const OPTIONS: &[&str] = &[
    "-a",
    "shop",
    "--image",
    "registry.example.com/shop:42",
    "-m",
    "web=2,worker=1,api=1,clock=0",
    "--ready",
    "web,api",
    "--http",
    "/health",
    "--stop-signal",
    "api=INT",
    "--can-die",
    "worker",
    "--after",
    "worker=web",
    "-t",
    "30",
    "--log-dir",
    "/var/log/shop",
    "--set",
    "TOKEN=hidden 'value'",
];

const FORMATS: [&str; 4] = ["compose", "kubernetes", "dokku", "caddy"];

fn app() -> App {
    App::new(PROCFILE)
}

/// What the user sees, first on stderr.
fn shown(app: &App, format: &str, options: &[&str]) -> String {
    let finished = app.dyno(["export", format, "--stdout"]).args(options).run();
    finished.expect_end(Ended::Code(0));
    format!("{}\n{}", finished.stderr(), finished.stdout())
}

#[test]
fn s18_2_each_file_of_an_app_with_everything() {
    let app = app();

    let texts = FORMATS.map(|format| (format!("{format}.txt"), shown(&app, format, OPTIONS)));

    assert_folder("export_containers", texts);
}

#[test]
fn s18_2_a_small_app_has_small_files() {
    let app = App::new("web: ./server\n");
    let options = ["-a", "shop", "--image", "shop", "--ready", "web"];

    let texts = FORMATS.map(|format| (format!("{format}.txt"), shown(&app, format, &options)));

    assert_folder("export_containers_small", texts);
}

/// The files in a directory and in those below it: runit and s6 have a directory for each dyno.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn s18_3_values_are_in_one_file_that_only_its_owner_reads() {
    let app = app();
    // Dokku gets values in base64.
    let secrets = ["hidden", "aGlkZGVu"];
    let formats = ["compose", "kubernetes", "dokku", "systemd", "supervisord", "runit", "s6", "launchd"];
    for format in formats {
        let file = if format == "kubernetes" { "shop.secret.yaml" } else { "shop.env" };
        app.dyno(["export", format, format]).args(OPTIONS).run().expect_end(Ended::Code(0));
        let mut with_values = Vec::new();
        for path in files_below(&app.path(format)) {
            let text = fs::read_to_string(&path).unwrap();
            if secrets.iter().any(|secret| text.contains(secret)) {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                with_values.push((path.strip_prefix(app.path(format)).unwrap().display().to_string(), mode));
            }
        }
        assert_eq!(with_values, [(file.to_owned(), 0o600)], "{format}");
        let finished = app.dyno(["export", format, "--stdout", "--no-values"]).args(OPTIONS).run();
        finished.expect_end(Ended::Code(0));
        let text = finished.stdout();
        assert!(text.contains("TOKEN") && !text.contains(file) || format != "kubernetes", "{text}");
        assert!(text.contains("TOKEN") && !secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[test]
fn s18_2_dokku_runs_a_release_command_that_is_left_out() {
    let note = "note: dokku runs the `release` line of the Procfile at each deploy, also with `--no-release`: remove the line if it \
                shall not run\n";
    let notes = |procfile: &str, args: &[&str]| App::new(procfile).dyno(["export", "dokku"]).args(args).run().stderr();

    assert!(notes(PROCFILE, &["--no-release"]).contains(note));
    assert!(!notes(PROCFILE, &[]).contains("--no-release"));
    assert!(!notes("web: ./server\n", &["--no-release"]).contains("--no-release"));
}

#[test]
fn s18_2_caddy_says_that_it_has_no_site() {
    let shown = App::new("worker: ./work\n").dyno(["export", "caddy", "--stdout"]).run();

    let note = "note: no process type listens, so there is no site: name those that do with `--ready`\n";
    assert!(shown.stderr().ends_with(note), "{}", shown.stderr());
    assert!(!shown.stdout().contains('{'), "{}", shown.stdout());
}

#[test]
fn s18_2_an_image_is_needed_where_containers_are_described() {
    for format in ["compose", "kubernetes"] {
        let text = error(&format!("{format} needs the name of an image"), "add `--image IMAGE`");
        app().refuses(&["export", format, "-a", "shop"], 2, &text);
    }
    app().dyno(["export", "dokku", "-a", "shop"]).run().expect_end(Ended::Code(0));
}

#[test]
fn s18_3_names_and_values_that_an_engine_refuses_are_errors() {
    let refuses = |procfile: &str, args: &[&str], fact: &str, hint: &str| {
        let status = if fact.contains("--host") { 2 } else { 78 };
        App::new(procfile).refuses(&[&["export", "--image", "shop"], args].concat(), status, &error(fact, hint));
    };
    let (web, other_name) = ("web: ./server\n", "choose another name with `--app`");
    let label = "it may have at most 38 characters: a-z 0-9 -, with a letter at the beginning, and a letter or a digit at the end";
    for name in ["9shop", "a-name-of-40-characters-is-too-long-here"] {
        let fact = format!("kubernetes cannot have the app name `{name}`: {label}");
        refuses(web, &["kubernetes", "-a", name], &fact, other_name);
    }
    let label = "it may only have a-z 0-9 -, with a letter or a digit at both ends, and at most 46 characters together with the \
                 name of the app and a hyphen";
    for name in ["my_worker", "Worker", "a-type-of-42-characters-is-too-long-by-one"] {
        let fact = format!("kubernetes cannot have the process type `{name}`: {label}");
        let procfile = format!("{name}: ./work\n");
        refuses(&procfile, &["kubernetes", "-a", "shop"], &fact, &format!("rename `{name}` in the Procfile"));
    }
    // Dokku gives up in the middle of a deploy (dokku#4129, dokku#4146).
    for (name, reason) in [
        ("my_worker", "it may not contain `_`"),
        ("Worker", "it may not contain capitals"),
        ("worker-", "it may not begin or end with `-`"),
    ] {
        let fact = format!("dokku cannot have the process type `{name}`: {reason}");
        let procfile = format!("web: ./server\n{name}: ./work\n");
        refuses(&procfile, &["dokku", "-a", "shop"], &fact, &format!("rename `{name}` in the Procfile"));
    }
    let reason = "it becomes a part of a host name, which may only have a-z 0-9 -, and no - at its ends";
    let fact = format!("caddy cannot have the process type `my_api`: {reason}");
    refuses("my_api: ./api\n", &["caddy", "-a", "shop", "--ready", "my_api"], &fact, "rename `my_api` in the Procfile");
    let fact = "caddy cannot have `--host a b`: it may only have a-z 0-9 - and dots";
    refuses(web, &["caddy", "-a", "shop", "--host", "a b"], fact, "change `--host`, or leave it out");

    let no_value = |key: &str| format!("change `{key}`, or write only the names of config vars with `--no-values`");
    let rename = |key: &str| format!("rename `{key}`, here and in the app");
    let fact = "kubernetes cannot have the config var `9A`: its name may not begin with a digit";
    refuses(web, &["kubernetes", "-a", "shop", "--set", "9A=1"], fact, &rename("9A"));
    let fact =
        "dokku cannot have the config var `a.b`: its name may only have A-Z a-z 0-9 _, and may not begin with a digit";
    refuses(web, &["dokku", "-a", "shop", "--set", "a.b=1"], fact, &rename("a.b"));
    let fact = "dokku cannot have the config var `LONG`: its value is longer than about 97000 bytes";
    refuses(web, &["dokku", "-a", "shop", "--set", &format!("LONG={}", "x".repeat(100_000))], fact, &no_value("LONG"));
}

#[test]
fn s18_3_a_value_that_is_not_text_is_refused_by_name() {
    for format in ["compose", "kubernetes", "dokku"] {
        let app = App::new("web: ./server\n").file(".env", b"BINARY=\xff\n");
        let fact = format!("{format} cannot have the config var `BINARY`: its value is not UTF-8");
        let hint = "change `BINARY`, or write only the names of config vars with `--no-values`";
        app.refuses(&["export", format, "-a", "shop", "--image", "shop"], 78, &error(&fact, hint));
    }
}
