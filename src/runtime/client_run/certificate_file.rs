//! The file with the certificate of a start, for clients that have to trust it (S17.3). It is beside the description of the
//! start, and goes with it.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::runtime::RegisteredStart;
use crate::runtime::start_registry::{CERTIFICATE, name};

impl RegisteredStart {
    /// Writes the file and returns its path.
    ///
    /// # Errors
    /// The system refused.
    pub fn publish(&self, certificate: &str) -> io::Result<PathBuf> {
        let name = name(&self.description.borrow().session, CERTIFICATE);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let mut file = File::from(openat(self.directory.descriptor(), name.as_str(), flags, mode)?);
        file.write_all(certificate.as_bytes())?;
        Ok(self.directory.1.join(name))
    }
}
