//! What is in the way of `dyno export`: other formats, symlinks, permissions, full disks. Files that are there stay as they were
//! (S18.1, S18.5).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::unistd::geteuid;

use crate::export::files;
use crate::harness::{App, Ended, error, note};

const WRITABLE: &str = "choose another directory, or make this one writable";

fn app() -> App {
    App::new("web: ./serve\nworker: ./work\n").file(".env", "A=1\n").file(".foreman", "app: shop\n")
}

#[test]
fn s18_1_two_formats_do_not_share_a_directory() {
    let app = app();
    app.dyno(["export", "systemd", "out"]).run().expect_end(Ended::Code(0));
    let before = files(&app.path("out"));

    // Both write `shop.env`; only one of them writes `compose.yaml`.
    for (format, file) in [("runit", "shop-"), ("compose", "shop")] {
        for force in [&[][..], &["--force"]] {
            let refused = app.dyno(["export", format, "out", "--image", "shop"]).args(force).run();

            refused.expect_end(Ended::Code(1));
            let fact = format!("error: out has files of `dyno export systemd`, such as out/{file}");
            assert!(refused.stderr().starts_with(&fact), "{}", refused.stderr());
            let rest = ", so nothing was written\n\nhint: choose another directory: each format needs its own\n";
            assert!(refused.stderr().ends_with(rest), "{}", refused.stderr());
            assert_eq!(refused.stderr().matches("error: ").count(), 1, "{}", refused.stderr());
            assert_eq!(files(&app.path("out")), before);
        }
    }
}

#[test]
fn s18_1_nothing_is_written_through_a_symlink_to_a_directory() {
    let app = app().file("elsewhere/run", "mine\n").file("out/others", "");
    symlink(app.path("elsewhere"), app.path("out/shop-web-1")).unwrap();

    let fact = "out/shop-web-1 is a symlink, so nothing was written";
    let text = error(fact, "remove it, or choose another directory");
    app.refuses(&["export", "runit", "out", "--force"], 1, &text);

    assert_eq!(files(&app.path("elsewhere")), [("run".to_owned(), "mine\n".to_owned())]);
    assert!(!app.has("out/shop.env"));
}

#[test]
fn s18_5_a_directory_that_is_not_writable_stays_as_it_was() {
    const OTHER_USER: u32 = 54_321;
    let app = app();
    app.dyno(["export", "systemd", "out"]).run().expect_end(Ended::Code(0));
    // Its values could not be compared.
    fs::set_permissions(app.path("out/shop.env"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(app.path("out"), fs::Permissions::from_mode(0o555)).unwrap();
    let before = files(&app.path("out"));
    for directory in ["out", "out/new"] {
        let call = app.dyno(["export", "systemd", directory, "-p", "7000"]);
        // No mode keeps root from writing.
        let refused = if geteuid().is_root() { call.user(OTHER_USER).run() } else { call.run() };

        let path = if directory == "out" { "out/shop.env" } else { "out/new" };
        let fact = format!("cannot write {path}: Permission denied; nothing was changed");
        refused.expect(Ended::Code(73), "", &error(&fact, WRITABLE));
    }

    assert_eq!(files(&app.path("out")), before);
    fs::set_permissions(app.path("out"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn s18_5_a_disk_that_is_full_in_the_middle_leaves_the_old_files() {
    let app = app();
    app.dyno(["export", "systemd", "out"]).run().expect_end(Ended::Code(0));
    let before = files(&app.path("out"));
    // The files move to a disk with room for twice as many, and back.
    let script = "mkdir disk && mount -t tmpfs -o size=32k none disk && cp -p out/* disk/ && \"$0\" \"$@\"; status=$?
                  rm -r out && cp -rp disk out && umount disk; exit $status";
    let words = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-c"];
    let can_mount = app.dyno([]).in_namespaces(&["--mount"], "mount -t tmpfs none /mnt").is_some();
    if !can_mount {
        return note("skipped: no disk can be mounted here");
    }
    let call = app.dyno(["export", "systemd", "disk", "-p", "7000", "-m", "web=20"]);

    let refused = call.under(&[&words[..], &[script]].concat()).run();

    refused.expect_end(Ended::Code(73));
    let stderr = refused.stderr();
    assert!(stderr.starts_with("error: cannot write disk/shop-web."), "{stderr}");
    assert!(stderr.contains(": No space left on device; nothing was changed\n"), "{stderr}");
    assert_eq!(files(&app.path("out")), before);
}

#[test]
fn s18_5_without_a_procfile_nothing_is_exported() {
    let app = App::empty();

    for format in ["systemd", "supervisord", "runit", "s6", "launchd", "compose", "kubernetes", "dokku", "caddy"] {
        let refused = app.dyno(["export", format, "out", "--image", "shop"]).run();

        refused.expect_end(Ended::Code(78));
        assert!(refused.stderr().starts_with("error: no Procfile in "), "{}", refused.stderr());
        assert!(!app.has("out"));
    }
}
