//! The files that `dyno` creates for itself are usable for its user whatever the umask is (S10.1, S10.3, S7.7).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{App, Call, Ended, until};

/// The mode bits of everything below a directory that differ from those for the user alone, with the paths. Root may open
/// everything, so only these bits show whether other users could.
fn unlike_private(directory: &Path) -> Vec<String> {
    let mut unlike = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        // A file may be removed meanwhile.
        let Ok(found) = entry.metadata() else { continue };
        let (path, mode) = (entry.path(), found.permissions().mode() & 0o777);
        if mode != if found.is_dir() { 0o700 } else { 0o600 } {
            unlike.push(format!("{} {mode:o}", path.display()));
        }
        if found.is_dir() {
            unlike.extend(unlike_private(&path));
        }
    }
    unlike
}

/// Runs an app with this umask, and asks for it from outside.
#[track_caller]
fn assert_private(umask: &str, as_user: impl Fn(Call) -> Call) {
    let app = App::new("web: exec sleep 1000\n");
    // Not the home directory itself, which is not ours to create.
    fs::create_dir_all(app.top().join("home")).unwrap();
    for name in ["home", "app"] {
        fs::set_permissions(app.top().join(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let start = app.dyno(["start", "--log-dir", "log/new"]).after(&format!("umask {umask}"));
    let running = as_user(start).spawn();
    running.until_shown("| started with pid");
    let log = app.path("log/new/web.1.log");
    until("the log has a line", || fs::read(&log).is_ok_and(|text| !text.is_empty()));

    for directory in ["run", "home", "app/log"] {
        let directory = app.top().join(directory);
        assert!(fs::read_dir(&directory).unwrap().next().is_some(), "{} is empty", directory.display());
        // A file has the mode of the umask for a moment.
        until(&format!("umask {umask}: {} is private", directory.display()), || unlike_private(&directory).is_empty());
    }
    as_user(app.dyno(["stop"])).run().expect(Ended::Code(0), "stopping: web.1\n", "");
    let finished = running.finish();
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), "");
    assert_eq!(unlike_private(&app.top().join("run")), [""; 0], "umask {umask}, after the end");
}

#[test]
fn s10_1_no_umask_keeps_dyno_from_its_own_files() {
    for umask in ["777", "277", "022"] {
        assert_private(umask, |call| call);
    }
}

#[test]
fn s10_1_no_umask_keeps_an_ordinary_user_from_files_of_dyno() {
    if nix::unistd::geteuid().is_root() {
        assert_private("777", |call| call.user(54_322));
    }
}
