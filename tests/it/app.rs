//! An app in a temporary directory, and `Call`, which starts `dyno` there.
//!
//! A call inherits only `PATH` from the environment of the test; otherwise `dyno` sees only what the call sets.

use std::ffi::OsString;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::{env, fs};

use crate::binary;
use crate::harness::{Capture, Ended, Finished, Running, happens, note, until};
use crate::process_table;
use crate::terminal::Terminal;

/// Every fork holds this lock shared, and writing an executable file holds it exclusively. A child that is forked while
/// the file is open would keep it open until its own exec, and a file that is open for writing cannot be executed.
static FORKS: RwLock<()> = RwLock::new(());

/// A user other than root, who owns none of the files. Only root can switch to another user.
pub(crate) const OTHER_USER: u32 = 65_534;

/// A temporary directory with an app. Dropping the value removes it.
pub(crate) struct App {
    top: PathBuf,
}

impl App {
    /// An empty app.
    pub(crate) fn empty() -> Self {
        let top = std::env::temp_dir().join(format!("dyno-it-{}", unique()));
        for folder in ["app", "home", "run"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        Self { top }
    }

    /// An app with this Procfile.
    pub(crate) fn new(procfile: &str) -> Self {
        Self::empty().file("Procfile", procfile)
    }

    /// Adds a file below the root of the app.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Adds an executable `sh` script below the root of the app.
    pub(crate) fn script(self, name: &str, content: &str) -> Self {
        let exclusive = FORKS.write().unwrap();
        let app = self.file(name, format!("#!/bin/sh\n{content}"));
        drop(exclusive);
        fs::set_permissions(app.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        app
    }

    /// Adds a fifo below the root of the app.
    pub(crate) fn fifo(self, name: &str) -> Self {
        nix::unistd::mkfifo(&self.path(name), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        self
    }

    /// A path below the root of the app.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.top.join("app").join(name)
    }

    /// Saves a file of the app in place.
    #[track_caller]
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The root of the app as `dyno` names it.
    pub(crate) fn root(&self) -> PathBuf {
        fs::canonicalize(self.path("")).unwrap()
    }

    /// The directory that holds the root, the home and the runtime directory.
    pub(crate) fn top(&self) -> &Path {
        &self.top
    }

    /// Whether a file exists below the root of the app.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Writes a line to this fifo, so that the script that waits for one continues.
    pub(crate) fn release(&self, fifo: &str) {
        self.send(fifo, "go\n");
    }

    /// Writes a text to this fifo, once a process reads it.
    pub(crate) fn send(&self, fifo: &str, text: &str) {
        let path = self.path(fifo);
        until(&format!("a process reads {fifo}"), || {
            let open = fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&path);
            open.is_ok_and(|mut pipe| pipe.write_all(text.as_bytes()).is_ok())
        });
    }

    /// Prepares a run of `dyno` with these arguments, in the root of the app.
    pub(crate) fn dyno<const N: usize>(&self, args: [&str; N]) -> Call {
        let mark = format!("it-{}", unique());
        let path = std::env::var_os("PATH").unwrap();
        let env = [
            ("PATH", path),
            ("HOME", self.top.join("home").into()),
            ("XDG_RUNTIME_DIR", self.top.join("run").into()),
            ("TZ", "UTC".into()),
            (process_table::MARK, mark.clone().into()),
        ];
        Call {
            program: binary::dyno().into(),
            wrapper: Vec::new(),
            args: args.iter().map(OsString::from).collect(),
            env: env.map(|(key, value)| (key.to_owned(), value)).into(),
            directory: self.path(""),
            mark,
            stdin: None,
            stdout: None,
            user: None,
        }
    }

    /// The same, with the binary called by another name, such as `foreman`.
    pub(crate) fn called<const N: usize>(&self, name: &str, args: [&str; N]) -> Call {
        let path = self.top().join(name);
        if !path.exists() {
            symlink(binary::dyno(), &path).unwrap();
        }
        self.dyno(args).program(&path)
    }

    /// Runs `dyno` and asserts that it starts nothing: it ends with this status and message, and stdout is empty.
    #[track_caller]
    pub(crate) fn refuses(&self, args: &[&str], status: i32, stderr: &str) {
        self.dyno([]).args(args).run().expect(Ended::Code(status), "", stderr);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

/// Starts a program. When this returns, the child has called exec.
pub(crate) fn fork(command: &mut Command) -> Child {
    let _shared = FORKS.read().unwrap();
    command.spawn().unwrap()
}

/// How the names of the variables begin with which cargo describes a package to its tests.
const PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// The path of a program in `examples`. Builds it first, because `cargo test --test it` does not build the examples.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_dyno")).parent().unwrap();
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--examples", "--target-dir"]).arg(folder.parent().unwrap());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // What cargo tells this test about its package. `ring` is built again, and with it what depends on it, whenever these
        // variables change: now, and once more by the next `cargo test`.
        let of_package =
            |name: &OsString| name.to_str().is_some_and(|name| PACKAGE.iter().any(|of| name.starts_with(of)));
        for name in env::vars_os().map(|(name, _)| name).filter(of_package) {
            build.env_remove(name);
        }
        build.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        assert!(fork(&mut build).wait().unwrap().success(), "the examples cannot be built");
    });
    folder.join("examples").join(name)
}

/// A server on port 5000. None: a server holds the port for good. The servers of other tests end soon.
pub(crate) fn held_5000() -> Option<TcpListener> {
    let mut held = None;
    happens(|| {
        held = TcpListener::bind("127.0.0.1:5000").ok();
        held.is_some()
    });
    held
}

/// Keeps other tests from the blocks of ports that checkouts have: two checkouts of different tests may have the same one,
/// since the hashes of their paths select it.
pub(crate) fn with_all_blocks() -> MutexGuard<'static, ()> {
    static BLOCKS: Mutex<()> = Mutex::new(());
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this machine has IPv6. If it has not, a note says that the test was skipped.
pub(crate) fn has_ipv6() -> bool {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => true,
        Err(error) => {
            let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default());
            let is_missing = matches!(errno, nix::errno::Errno::EADDRNOTAVAIL | nix::errno::Errno::EAFNOSUPPORT);
            assert!(is_missing, "{error}");
            note("skipped: this machine has no IPv6");
            false
        }
    }
}

/// A port that no other test uses, because it was ephemeral a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

/// A base port whose dynos find their ports free as well: no other test uses them, no app chooses them, and the system does
/// not give them to outgoing connections.
pub(crate) fn free_base() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Ten bases share 500 ports: 6000, 6010 and so on, each with the ports of five process types.
    let base = |number: u32| 6_000 + u16::try_from(number % 80 / 10 * 500 + number % 10 * 10).unwrap();
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    loop {
        // Test runs at the same time begin elsewhere.
        let base = base(NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 7);
        if (0..5).all(|place| (0..4).all(|index| is_free(base + place * 100 + index))) {
            return base;
        }
    }
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A run of `dyno` that has not started yet.
pub(crate) struct Call {
    program: OsString,
    wrapper: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    directory: PathBuf,
    mark: String,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    user: Option<u32>,
}

impl Call {
    /// Appends arguments.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(OsString::from));
        self
    }

    /// Sets a variable that `dyno` inherits.
    pub(crate) fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.push((key.to_owned(), value.into()));
        self
    }

    /// Starts `dyno` through another program: `words` come before the path of the binary.
    pub(crate) fn under(mut self, words: &[&str]) -> Self {
        self.wrapper.extend(words.iter().map(OsString::from));
        self
    }

    /// Runs this line of `sh` first, in the process that then becomes `dyno`.
    pub(crate) fn after(self, line: &str) -> Self {
        self.under(&["sh", "-c", &format!("{line}; exec \"$0\" \"$@\"")])
    }

    /// Runs this line of `sh` first, as [`Self::after`] does, in a user namespace of its own and in those of `options`. None:
    /// that is not possible here, which a note says.
    pub(crate) fn in_namespaces(self, options: &[&str], line: &str) -> Option<Self> {
        let words = [&["unshare", "--user", "--map-current-user", "--keep-caps"][..], options].concat();
        let mut probe = Command::new(words[0]);
        probe.args(&words[1..]).args(["sh", "-c", line]).current_dir(&self.directory).stderr(Stdio::null());
        if !fork(&mut probe).wait().unwrap().success() {
            note(&format!("skipped: `{} sh -c '{line}'` is not permitted here", words.join(" ")));
            return None;
        }
        Some(self.under(&words).after(line))
    }

    /// Uses the binary at another path, such as a symlink to it.
    pub(crate) fn program(mut self, path: &Path) -> Self {
        self.program = path.into();
        self
    }

    /// Starts `dyno` in a directory other than the root of the app.
    pub(crate) fn directory(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Runs `dyno` as another user, which only root can do.
    pub(crate) fn user(mut self, uid: u32) -> Self {
        // Where that user can create a runtime directory of its own.
        let top = self.directory.parent().unwrap();
        fs::set_permissions(top.join("run"), fs::Permissions::from_mode(0o777)).unwrap();
        // That user may have no access to the directory in which the binary was built.
        let copy = top.join("dyno");
        if !copy.exists() {
            // `cp` writes the copy instead of this process: a child that another thread forks meanwhile would keep the
            // file open, and a file that is open for writing cannot be executed.
            assert!(fork(Command::new("cp").arg(&self.program).arg(&copy)).wait().unwrap().success());
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        self.program = copy.into();
        self.user = Some(uid);
        self
    }

    /// Gives `dyno` this stdin instead of `/dev/null`.
    pub(crate) fn stdin_from(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Gives `dyno` this stdout; the harness then does not capture it.
    pub(crate) fn stdout_to(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Appends stdout to a file.
    #[cfg(feature = "real-apps")]
    pub(crate) fn stdout_to_file(self, path: &Path) -> Self {
        self.stdout_to(fs::OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    fn command(&mut self) -> Command {
        let mut words = self.wrapper.drain(..).chain([self.program.clone()]).chain(self.args.drain(..));
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env_clear().envs(self.env.drain(..)).current_dir(&self.directory);
        if let Some(uid) = self.user {
            command.uid(uid).gid(uid);
        }
        command
    }

    /// Starts `dyno` without a terminal: stdout and stderr are pipes, unless the call sets another stdout.
    pub(crate) fn spawn(mut self) -> Running {
        let mut command = self.command();
        command
            .stdin(self.stdin.take().unwrap_or_else(Stdio::null))
            .stdout(self.stdout.take().unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped());
        let mut child = fork(&mut command);
        // The command still holds the given stdout open, so that its reader would never see the end of file.
        drop(command);
        let stdout = child.stdout.take().map(Capture::of).unwrap_or_default();
        let stderr = child.stderr.take().map(Capture::of).unwrap_or_default();
        Running::new(child, self.mark, stdout, stderr, None)
    }

    /// Starts `dyno` as the session leader of a terminal of 24 × 80, like a terminal emulator does.
    pub(crate) fn spawn_in_terminal(self) -> Running {
        self.spawn_in_terminal_of(24, 80)
    }

    /// The same with a terminal of another size.
    pub(crate) fn spawn_in_terminal_of(mut self, rows: u16, cols: u16) -> Running {
        self.wrapper.splice(0..0, ["setsid".into(), "--ctty".into()]);
        let mut terminal = Terminal::open();
        terminal.resize(rows, cols);
        let mut command = self.command();
        command.env("TERM", "xterm").stdin(terminal.side()).stdout(terminal.side()).stderr(terminal.side());
        let child = fork(&mut command);
        drop(command);
        terminal.handed_over();
        let stdout = terminal.shown();
        Running::new(child, self.mark, stdout, Capture::default(), Some(terminal))
    }

    /// Starts `dyno` and waits for its end.
    pub(crate) fn run(self) -> Finished {
        self.spawn().finish()
    }
}
