//! How `dyno` finds the front door on a port: by an abstract socket name, which disappears with its process and leaves no file.
//! The name belongs to the same network as the port.

use std::io::{self, ErrorKind, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Pid, geteuid};

/// The name of the front door of this process.
#[derive(Debug)]
pub struct FrontDoorName {
    _listener: UnixListener,
}

impl FrontDoorName {
    /// Takes the name. Bind the port before, so that a front door that ends gives up its port first.
    ///
    /// # Errors
    /// Another process has it.
    pub fn take(port: u16) -> io::Result<Self> {
        Ok(Self { _listener: UnixListener::bind_addr(&address(port)?)? })
    }

    /// The process of the front door of this user on a port. None: there is none.
    #[must_use]
    pub fn holder(port: u16) -> Option<i32> {
        connected(port).map(|(_, pid)| pid)
    }

    /// Ends the front door of this user on a port and waits for that. Returns its process id. None: there was none.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn stop(port: u16) -> io::Result<Option<i32>> {
        let Some((mut stream, pid)) = connected(port) else { return Ok(None) };
        match kill(Pid::from_raw(pid), Signal::SIGTERM) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
        // It never answers: the connection ends with the process.
        while stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::Interrupted) {}
        Ok(Some(pid))
    }
}

fn address(port: u16) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("dyno-front-door/{}/{port}", geteuid()))
}

/// Another user can have the name, but cannot hide who it is.
fn connected(port: u16) -> Option<(UnixStream, i32)> {
    let stream = UnixStream::connect_addr(&address(port).ok()?).ok()?;
    let peer = getsockopt(&stream, PeerCredentials).ok()?;
    (peer.uid() == geteuid().as_raw()).then_some((stream, peer.pid()))
}
