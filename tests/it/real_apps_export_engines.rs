//! Engines that run an exported app on this machine: supervisord, runit, s6, and systemd for a user (S18). `.ci/run` installs
//! them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use crate::app::fork;
use crate::harness::{App, Ended, Running, note};

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Supervisord,
    Runit,
    S6,
    Systemd,
}

/// The name of the exported app: that of its directory.
pub(crate) const APP: &str = "app";

/// Where programs are. What a user has installed elsewhere may be a script that adds variables.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a user manager of systemd needs: a machine that seems to be booted with systemd, and control groups of its own. It
/// sees another `/run`, in which nothing else of this machine can be reached. Without a group of its own in each hierarchy
/// it would manage every process of the machine that no manager has yet.
const USER_MANAGER: &str = r#"
mount -t tmpfs none /run && mkdir -p /run/systemd/system || exit 1
for directory in $GROUPS_OF_MANAGER; do
    echo 0 >"$directory/cgroup.procs" || exit 1
done
export SYSTEMD_LOG_TARGET=console
exec /lib/systemd/systemd --user
"#;

/// Empty control groups for one user manager, in each hierarchy that it may change. They are removed at the end.
struct ControlGroups(Vec<PathBuf>);

impl ControlGroups {
    /// None: this machine gives none.
    fn new() -> Option<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("dyno-it-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let top = PathBuf::from("/sys/fs/cgroup");
        let hierarchies = if top.join("cgroup.procs").exists() { vec![top] } else { below(&top) };
        // A user manager does not touch `cpuset`, whose new groups have no processor.
        let hierarchies = hierarchies.into_iter().filter(|path| !path.ends_with("cpuset") && !path.is_symlink());
        let mut groups = Self(Vec::new());
        for group in hierarchies.map(|hierarchy| hierarchy.join(&name)) {
            fs::create_dir(&group).ok()?;
            groups.0.push(group);
        }
        (!groups.0.is_empty()).then_some(groups)
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        for group in &self.0 {
            remove_group(group);
        }
    }
}

/// Removes a control group with those below it, unless a process is in one of them.
fn remove_group(group: &Path) {
    for inner in below(group) {
        remove_group(&inner);
    }
    let _ = fs::remove_dir(group);
}

/// The directories in a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

impl Host {
    pub(crate) const ALL: [Self; 4] = [Self::Supervisord, Self::Runit, Self::S6, Self::Systemd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Supervisord => "supervisord",
            Self::Runit => "runit",
            Self::S6 => "s6",
            Self::Systemd => "systemd",
        }
    }

    /// Where its files are.
    pub(crate) fn directory(self, app: &App) -> PathBuf {
        match self {
            Self::Supervisord | Self::Runit | Self::S6 => app.top().join(self.name()),
            Self::Systemd => app.top().join("home/.config/systemd/user"),
        }
    }

    /// Exports the app, with these options.
    pub(crate) fn export(self, app: &App, options: &[&str]) {
        let directory = self.directory(app);
        let user_units: &[&str] = if self == Self::Systemd { &["--user-units"] } else { &[] };
        let call = app.dyno(["export", self.name(), directory.to_str().unwrap()]).env("PATH", PATH);
        call.args(user_units).args(options).run().expect_end(Ended::Code(0));
    }

    /// Starts the engine on the exported files. None: it cannot run here, which a note says.
    pub(crate) fn start(self, app: &App) -> Option<Engine<'_>> {
        let directory = self.directory(app);
        let path = directory.to_str().unwrap();
        let mut groups = None;
        let running = match self {
            Self::Supervisord => {
                fs::write(app.top().join("supervisord.conf"), configuration(app, &directory)).unwrap();
                let file = app.top().join("supervisord.conf");
                app.dyno(["-c", file.to_str().unwrap()]).env("PATH", PATH).program(Path::new("supervisord")).spawn()
            }
            Self::Runit => app.dyno(["-P", path]).env("PATH", PATH).program(Path::new("runsvdir")).spawn(),
            Self::S6 => app.dyno([path]).env("PATH", PATH).program(Path::new("s6-svscan")).spawn(),
            Self::Systemd => user_manager(app, groups.insert(control_groups()?)),
        };
        let engine = Engine { host: self, app, running, _groups: groups };
        if self == Self::Systemd {
            engine.running.until("the user manager answers", || engine.control(&["list-units"]).status.success());
            let target = format!("{APP}.target");
            assert!(engine.control(&["start", "--no-block", &target]).status.success());
        }
        Some(engine)
    }
}

/// Runs a program that sees mounts of its own.
const OWN_MOUNTS: [&str; 6] = ["unshare", "--mount", "--propagation", "private", "sh", "-c"];

/// The control groups for a user manager. None: it cannot run here, which a note says.
fn control_groups() -> Option<ControlGroups> {
    let mut probe = Command::new(OWN_MOUNTS[0]);
    probe.args(&OWN_MOUNTS[1..]).arg("mount -t tmpfs none /run && test -x /lib/systemd/systemd").stderr(Stdio::null());
    let groups = if fork(&mut probe).wait().unwrap().success() { ControlGroups::new() } else { None };
    if groups.is_none() {
        note("skipped: systemd cannot run for a user here, which needs root and control groups");
    }
    groups
}

fn user_manager(app: &App, groups: &ControlGroups) -> Running {
    let groups: Vec<_> = groups.0.iter().map(|group| group.to_str().unwrap()).collect();
    let call = app.dyno([]).program(Path::new(USER_MANAGER)).under(&OWN_MOUNTS).env("PATH", PATH);
    call.env("GROUPS_OF_MANAGER", groups.join(" ")).spawn()
}

/// A configuration that includes the exported file.
fn configuration(app: &App, directory: &Path) -> String {
    let (top, directory) = (app.top().display(), directory.display());
    format!(
        "[supervisord]\nnodaemon=true\npidfile={top}/supervisord.pid\nlogfile={top}/supervisord.log\n\
         [unix_http_server]\nfile={top}/socket\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://{top}/socket\n\
         [include]\nfiles={directory}/*.conf\n"
    )
}

/// A running engine.
pub(crate) struct Engine<'a> {
    pub(crate) host: Host,
    app: &'a App,
    pub(crate) running: Running,
    // Removed after the engine has ended.
    _groups: Option<ControlGroups>,
}

impl Engine<'_> {
    /// Runs the program that controls the engine.
    pub(crate) fn control(&self, args: &[&str]) -> Output {
        let (program, first): (&str, Vec<String>) = match self.host {
            Host::Supervisord => {
                ("supervisorctl", vec!["-c".into(), self.app.top().join("supervisord.conf").display().to_string()])
            }
            Host::Runit => ("sv", vec!["-w".into(), "60".into()]),
            Host::S6 => ("s6-svc", Vec::new()),
            Host::Systemd => ("systemctl", vec!["--user".into(), "--no-pager".into()]),
        };
        let mut command = Command::new(program);
        command.args(first).args(args).env("XDG_RUNTIME_DIR", self.app.top().join("run"));
        command.env_remove("DBUS_SESSION_BUS_ADDRESS").stdin(Stdio::null());
        let child = fork(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        child.wait_with_output().unwrap()
    }

    /// The names by which the engine knows these services, such as `web-1`.
    fn services(&self, names: &[&str]) -> Vec<String> {
        let directory = self.host.directory(self.app);
        let name = |name: &&str| match self.host {
            Host::Supervisord => format!("{APP}:{APP}-{name}"),
            Host::Runit | Host::S6 => directory.join(format!("{APP}-{name}")).display().to_string(),
            Host::Systemd => match name.rsplit_once('-') {
                Some((process_type, index)) => format!("{APP}-{process_type}.{index}.service"),
                None => format!("{APP}-{name}.service"),
            },
        };
        names.iter().map(name).collect()
    }

    /// Stops these services, and waits until they are down.
    pub(crate) fn stop(&self, names: &[&str]) {
        let services = self.services(names);
        let words = |first: &[&str]| {
            let all: Vec<String> = first.iter().map(|word| (*word).to_owned()).chain(services.clone()).collect();
            self.control(&all.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let output = match self.host {
            Host::Supervisord | Host::Runit | Host::Systemd => words(&["stop"]),
            Host::S6 => {
                for service in &services {
                    assert!(self.control(&["-d", service]).status.success());
                }
                let mut wait = Command::new("s6-svwait");
                fork(wait.arg("-D").args(&services).stdout(Stdio::piped())).wait_with_output().unwrap()
            }
        };
        assert!(output.status.success(), "{names:?}: {output:?}");
    }

    /// Starts a service that is down.
    pub(crate) fn start_again(&self, name: &str) {
        let service = &self.services(&[name])[0];
        let word = if self.host == Host::S6 { "-u" } else { "start" };
        let no_block: &[&str] = if self.host == Host::Systemd { &["--no-block"] } else { &[] };
        let output = self.control(&[no_block, &[word, service]].concat());
        assert!(output.status.success(), "{output:?}");
    }

    /// What the docs say to type after a new export. `only_values`: nothing but `APP.env` has changed.
    pub(crate) fn take_new_files(&self, names: &[&str], only_values: bool) {
        let services = self.services(names);
        let restart: Vec<&str> = services.iter().map(String::as_str).collect();
        let all = format!("{APP}:*");
        let calls: Vec<Vec<&str>> = match self.host {
            Host::Supervisord if only_values => vec![vec!["update"], vec!["restart", &all]],
            Host::Supervisord => vec![vec!["update"]],
            Host::Runit => vec![[&["restart"], &restart[..]].concat()],
            Host::S6 => vec![[&["-r"], &restart[..]].concat()],
            Host::Systemd => vec![vec!["daemon-reload"], vec!["restart", "app.target"]],
        };
        for call in calls {
            let output = self.control(&call);
            assert!(output.status.success(), "{call:?}: {output:?}");
        }
    }

    /// Whether the engine says that a service has ended and is not started again.
    pub(crate) fn is_down(&self, name: &str) -> bool {
        let service = &self.services(&[name])[0];
        let text = |output: Output| String::from_utf8_lossy(&output.stdout).into_owned();
        match self.host {
            Host::Supervisord => {
                let status = text(self.control(&["status", service]));
                ["EXITED", "STOPPED", "FATAL"].iter().any(|word| status.contains(word))
            }
            Host::Runit => {
                let status = text(self.control(&["status", service]));
                status.starts_with("down: ") && !status.contains("want up")
            }
            Host::S6 => {
                let mut status = Command::new("s6-svstat");
                // It complains about a service that is not supervised yet.
                status.args(["-o", "up,wantedup"]).arg(service).stdout(Stdio::piped()).stderr(Stdio::null());
                text(fork(&mut status).wait_with_output().unwrap()).trim() == "false false"
            }
            Host::Systemd => {
                let state = text(self.control(&["show", "-P", "ActiveState", service]));
                ["failed", "inactive"].contains(&state.trim())
            }
        }
    }

    /// Ends the engine. Nothing of it is left.
    pub(crate) fn end(self) {
        match self.host {
            // SIGTERM leaves the services running.
            Host::Runit => self.running.signal(Signal::SIGHUP),
            Host::Supervisord | Host::S6 | Host::Systemd => self.running.signal(Signal::SIGTERM),
        }
        self.running.until("nothing of the engine is left", || self.running.processes().is_empty());
    }
}
