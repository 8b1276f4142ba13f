//! An app in the background of a machine that is reached over ssh, without a terminal (S10.6). Needs `sshd`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::unistd::{User, geteuid};

use crate::app::free_port;
use crate::binary;
use crate::harness::{App, note, until};
use crate::process_table::{MARK, marked};
use crate::running::names;

/// An ssh server of this user, which ends when this value is dropped.
struct Host {
    server: Child,
    directory: PathBuf,
    port: u16,
}

impl Host {
    fn new(app: &App) -> Self {
        let directory = app.top().join("ssh");
        fs::create_dir(&directory).unwrap();
        for key in ["host", "user"] {
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(key));
            assert!(make.status().unwrap().success());
        }
        if geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port();
        let shown = directory.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/user.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        );
        fs::write(directory.join("config"), config).unwrap();
        let mut server = Command::new("/usr/sbin/sshd");
        server.args(["-D", "-e", "-f"]).arg(directory.join("config"));
        let server = server.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let host = Self { server, directory, port };
        until("the ssh server answers", || host.run("true").status.success());
        host
    }

    /// Runs a line there, without a terminal.
    fn run(&self, line: &str) -> Output {
        let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"];
        let mut ssh = Command::new("ssh");
        ssh.args(["-p", &self.port.to_string(), "-i"]).arg(self.directory.join("user"));
        ssh.args(options.iter().flat_map(|option| ["-o", option]));
        ssh.args(["127.0.0.1", line]).stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn s10_6_over_ssh_an_app_in_the_background_outlives_the_connection() {
    let user = User::from_uid(geteuid()).unwrap().unwrap();
    if user.shell.ends_with("nologin") {
        note(&format!("skipped: `{}` cannot log in", user.name));
        return;
    }
    let app = App::new("api: exec sleep 1000\n");
    let host = Host::new(&app);
    let (top, root) = (app.top().display().to_string(), app.root().display().to_string());
    let mark = format!("ssh-{top}");
    let dyno = |words: &str| {
        let environment = format!("HOME={top}/home XDG_RUNTIME_DIR={top}/run {MARK}={mark}");
        host.run(&format!("cd {root} && env {environment} {} {words}", binary::dyno()))
    };

    let started = dyno("start --detach");

    // `ssh` has returned although the app holds on to nothing of the connection.
    assert!(started.status.success(), "{started:?}");
    assert_eq!(names(&app), ["api.1"]);
    assert!(String::from_utf8(dyno("logs").stdout).unwrap().contains("| started with pid "));
    let stopped = dyno("stop");
    assert_eq!(
        (stopped.status.code(), String::from_utf8(stopped.stdout).unwrap()),
        (Some(0), "stopping: api.1\n".into())
    );
    until("no process is left", || marked(&mark).is_empty());
}
