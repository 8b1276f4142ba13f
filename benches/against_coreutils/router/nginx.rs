//! nginx as a proxy with one worker, which does what the router does: kept connections, the same headers for the server, and a
//! line for each request in a file.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::load;
use crate::app::{App, Running, until};
use crate::processes;

/// nginx while it runs.
pub(super) struct Nginx {
    running: Running,
    pub(super) port: u16,
}

impl Nginx {
    /// Where it is installed, if it is.
    pub(super) fn program() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Not on the path of every user.
        let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        places.map(|place| place.join("nginx")).find(|program| program.is_file())
    }

    /// Starts it as a proxy to this port.
    pub(super) fn start(app: &App, program: &Path, server: u16) -> Self {
        let port = free_port();
        let directory = app.path("nginx");
        fs::create_dir(&directory).unwrap();
        let directory = directory.to_str().unwrap();
        let configuration = directory.to_owned() + "/nginx.conf";
        fs::write(&configuration, text(directory, port, server)).unwrap();
        let program = program.to_str().unwrap();
        let running = app.shell(&format!("exec {program} -e {directory}/error.log -c {configuration}"), Stdio::null());
        until("nginx listens", || load::is_up(port));
        Self { running, port }
    }

    /// Its processes: the master and the worker.
    pub(super) fn pids(&self) -> Vec<i32> {
        let master = self.running.pid();
        [vec![master], processes::children(master)].concat()
    }
}

impl Drop for Nginx {
    /// Its worker would outlive a master that is killed.
    fn drop(&mut self) {
        self.running.terminate();
        self.running.wait();
    }
}

/// A port on which nothing listens.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a free port").port()
}

/// As it is installed, except for what makes the two comparable. Its log is gathered in blocks, like ours: with its own
/// default it would write each line by itself.
fn text(directory: &str, port: u16, server: u16) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {directory}/{name};\n"))
        .concat();
    format!(
        r#"daemon off;
pid {directory}/nginx.pid;
worker_processes 1;
events {{
    worker_connections 1024;
}}
http {{
{temporary}    log_format router 'at=info method=$request_method path="$request_uri" host=$http_host '
        'request_id=$request_id fwd="$proxy_add_x_forwarded_for" dyno=$upstream_addr connect=$upstream_connect_time '
        'service=$upstream_response_time status=$status bytes=$body_bytes_sent protocol=http1.1 tls=false';
    access_log {directory}/access.log router buffer=64k flush=1s;
    keepalive_requests 1000000000;
    upstream web {{
        server 127.0.0.1:{server};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Request-Id $request_id;
            proxy_set_header X-Request-Start $msec;
            proxy_set_header Via "1.1 nginx";
        }}
    }}
}}
"#
    )
}
