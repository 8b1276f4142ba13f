//! Starts that come, go, collide, and leave files behind.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Barrier;

use super::super::runtime_directory::RuntimeDirectory;
use super::super::start_gate::GATE;
use super::*;
use crate::api::StartKind;

/// How long a connection may take that succeeds at once.
const WAITS: Duration = Duration::from_secs(5);

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dyno-starts-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

fn directory(path: &Path) -> RuntimeDirectory {
    RuntimeDirectory::open_at(path.to_owned()).expect("a directory")
}

fn start(session: &str, types: &[&str]) -> StartDescription {
    StartDescription {
        pid: 1,
        session: session.to_owned(),
        kind: StartKind::Start,
        app: "app".to_owned(),
        name: None,
        root: "/srv/app".to_owned(),
        directory: "/srv/app".to_owned(),
        procfile: "/srv/app/Procfile".to_owned(),
        types: types.iter().map(|&name| name.to_owned()).collect(),
        started_at_ms: 0,
        url: None,
        web_port: None,
        files: Vec::new(),
        log_directory: None,
    }
}

fn living(directory: &RuntimeDirectory) -> Vec<StartDescription> {
    directory.starts().expect("read").starts
}

/// Changes the process types, on an event loop whose clock jumps to the next deadline.
fn set_types(start: &RegisteredStart, types: &[&str]) -> Result<(), NotRegistered> {
    let types = types.iter().map(|&name| name.to_owned()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("built");
    runtime.block_on(start.set_types(types))
}

/// Writes a file as another process that holds its lock would.
fn locked(path: &Path, text: &[u8]) -> Flock<File> {
    fs::write(path, text).expect("written");
    lock(File::open(path).expect("opened"), FlockArg::LockExclusive).expect("locked")
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .expect("read")
        .map(|entry| entry.expect("read").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn s10_1_a_start_is_found_while_it_lives_and_leaves_no_file() {
    let path = scratch("life");

    let registered = directory(&path).register(&start("a", &["web"])).expect("registered");
    assert_eq!(living(&directory(&path)), [start("a", &["web"])]);
    assert!(directory(&path).connect(&start("a", &["web"]), WAITS).is_ok());
    let socket = fs::metadata(path.join("a.sock")).expect("a socket");
    assert!(socket.file_type().is_socket() && socket.mode() & 0o777 == 0o600);
    drop(registered);

    assert_eq!(living(&directory(&path)), []);
    assert_eq!(names(&path), [GATE]);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_a_process_type_that_runs_is_not_started_again() {
    let path = scratch("collision");
    let _web = directory(&path).register(&start("a", &["web"])).expect("registered");

    let refused = directory(&path).register(&start("b", &["clock", "web"]));
    let Err(NotRegistered::Running { process_type, by }) = refused else { panic!("{refused:?}") };
    assert_eq!((process_type.as_str(), by.session.as_str()), ("web", "a"));
    let _clock = directory(&path).register(&start("b", &["clock"])).expect("registered");

    assert_eq!(living(&directory(&path)).len(), 2);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_a_type_that_is_scaled_up_is_locked_and_one_at_0_is_free() {
    let path = scratch("scaled");
    let web = directory(&path).register(&start("a", &["web"])).expect("registered");
    let worker = directory(&path).register(&start("b", &["worker"])).expect("registered");

    let refused = set_types(&web, &["web", "worker"]);
    assert!(matches!(&refused, Err(NotRegistered::Running { process_type, .. }) if process_type == "worker"));
    assert_eq!(web.types(), ["web"]);
    set_types(&worker, &[]).expect("set");
    set_types(&web, &["web", "worker"]).expect("set");

    let third = directory(&path).register(&start("c", &["worker"]));
    assert!(matches!(&third, Err(NotRegistered::Running { by, .. }) if by.session == "a"), "{third:?}");
    drop((web, worker));
    assert_eq!(names(&path), [GATE]);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_of_many_starts_at_the_same_moment_one_wins() {
    const STARTS: usize = 8;
    let path = scratch("race");
    let (together, done) = (Barrier::new(STARTS), Barrier::new(STARTS));

    let won: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..STARTS)
            .map(|number| {
                let (path, together, done) = (&path, &together, &done);
                scope.spawn(move || {
                    together.wait();
                    let registered = directory(path).register(&start(&number.to_string(), &["web"]));
                    done.wait();
                    usize::from(registered.is_ok())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("joined")).sum()
    });

    assert_eq!(won, 1);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_files_left_by_kill_9_are_ignored_and_removed() {
    let path = scratch("left");
    let runtime = directory(&path);
    // After SIGKILL the files are there, and the kernel has released the locks.
    fs::write(path.join("dead.start"), serde_json::to_vec(&start("dead", &["web"])).expect("JSON")).expect("written");
    fs::write(path.join("half.new"), "{").expect("written");
    for name in ["dead.sock", "lone.sock"] {
        drop(UnixListener::bind(path.join(name)).expect("bound"));
    }
    assert_eq!(living(&runtime), []);
    assert!(runtime.connect(&start("dead", &["web"]), WAITS).is_err());

    let registered = runtime.register(&start("new", &["web"])).expect("registered");

    let left: Vec<String> = names(&path)
        .into_iter()
        .filter(|name| name.rsplit_once('.').is_none_or(|(_, ending)| ending != "ended"))
        .collect();
    assert_eq!(left, ["new.sock", "new.start", GATE]);
    let killed: Vec<_> = directory(&path).last_runs().into_iter().map(|run| (run.start.session, run.killed)).collect();
    assert_eq!(killed, [("dead".to_owned(), true)]);
    drop(registered);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_odd_files_in_the_directory_are_ignored() {
    let path = scratch("odd");
    let runtime = directory(&path);
    fs::create_dir(path.join("directory.start")).expect("made");
    std::os::unix::fs::symlink("/etc/passwd", path.join("link.start")).expect("made");
    nix::unistd::mkfifo(&path.join("pipe.start"), Mode::S_IRWXU).expect("made");
    assert_eq!(living(&runtime), []);
    assert!(runtime.register(&start("web", &["web"])).is_ok());
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_the_path_of_the_directory_may_be_longer_than_that_of_a_socket() {
    let top = scratch("long");
    let path = top.join("x".repeat(200));
    fs::create_dir_all(&top).expect("made");

    let registered = directory(&path).register(&start("a", &["web"])).expect("registered");

    assert!(directory(&path).connect(&start("a", &["web"]), WAITS).is_ok());
    drop(registered);
    fs::remove_dir_all(top).expect("removed");
}

#[test]
fn s10_1_a_directory_that_cannot_be_written_is_reported_and_left_clean() {
    let path = scratch("read-only");
    let runtime = directory(&path);
    // A directory in the place of the socket: like a full disk, it fails after the description was written.
    fs::create_dir(path.join("a.sock")).expect("made");

    let refused = runtime.register(&start("a", &["web"]));

    assert!(matches!(refused, Err(NotRegistered::Refused(_))), "{refused:?}");
    assert_eq!(names(&path), ["a.sock", GATE]);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_2_a_connection_to_a_full_queue_ends_after_the_time_limit() {
    let path = scratch("full");
    let registered = directory(&path).register(&start("a", &["web"])).expect("registered");
    let mut waiting = Vec::new();

    // Nothing accepts these.
    let refused = loop {
        match directory(&path).connect(&start("a", &["web"]), Duration::from_millis(1)) {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
    };

    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    drop(registered);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_a_start_that_cannot_be_read_prevents_another_one() {
    for text in [&b"\xff{"[..], &serde_json::to_vec(&start("other", &["web"])).expect("JSON")] {
        let path = scratch("unreadable");
        let runtime = directory(&path);
        let _running = locked(&path.join("a.start"), text);

        assert_eq!(runtime.starts().expect("read").unreadable, [path.join("a.start")]);
        let refused = runtime.register(&start("b", &["web"]));
        assert!(
            matches!(&refused, Err(NotRegistered::Unreadable(file)) if *file == path.join("a.start")),
            "{refused:?}"
        );
        fs::remove_dir_all(path).expect("removed");
    }
}

#[test]
fn s10_1_a_description_that_is_too_long_to_be_read_is_refused() {
    let path = scratch("long-description");
    let registered = directory(&path).register(&start("a", &["web"])).expect("registered");

    let refused = set_types(&registered, &["web", &"x".repeat(MAX_DESCRIPTION)]);

    assert!(matches!(refused, Err(NotRegistered::Refused(_))), "{refused:?}");
    assert_eq!(living(&directory(&path)), [start("a", &["web"])]);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_a_start_that_changes_its_types_never_looks_ended() {
    let path = scratch("replaced");
    let registered = directory(&path).register(&start("a", &["web"])).expect("registered");
    let directory = directory(&path);

    // What a reader has that opened the description just before it was replaced.
    let before = directory.open_file("a.start").expect("opened");
    set_types(&registered, &["web", "worker"]).expect("set");

    assert!(!is_locked(&before));
    let held = directory.held_from("a.start", before).and_then(read_description);
    assert_eq!(held, Some(start("a", &["web", "worker"])));
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_a_lock_that_is_never_released_is_reported() {
    let path = scratch("gate");
    let registered = directory(&path).register(&start("a", &["web"])).expect("registered");
    let _gate = locked(&path.join(GATE), b"");

    let refused = set_types(&registered, &["web", "worker"]);

    assert!(matches!(&refused, Err(NotRegistered::Locked(file)) if *file == path.join(GATE)), "{refused:?}");
    assert_eq!(registered.types(), ["web"]);
    fs::remove_dir_all(path).expect("removed");
}

#[test]
fn s10_1_a_start_waits_for_another_that_is_being_registered() {
    let path = scratch("gate-wait");
    let runtime = directory(&path);
    let gate = locked(&path.join(GATE), b"");

    let registered = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.register(&start("a", &["web"])));
        drop(gate);
        waiting.join().expect("joined")
    });

    assert!(registered.is_ok(), "{registered:?}");
    drop(registered);
    fs::remove_dir_all(path).expect("removed");
}
