//! The file with the certificate of a start, for clients that have to trust it (S17.3). It is beside the description of the
//! start, and goes with it.

use std::io::{self, Write};
use std::path::PathBuf;

use nix::fcntl::OFlag;

use crate::runtime::RegisteredStart;
use crate::runtime::start_registry::{CERTIFICATE, name};

impl RegisteredStart {
    /// Writes the file and returns its path.
    ///
    /// # Errors
    /// The system refused.
    pub fn publish(&self, certificate: &str) -> io::Result<PathBuf> {
        let name = name(&self.description.borrow().session, CERTIFICATE);
        let mut file = self.directory.file_to_write(&name, OFlag::O_EXCL)?;
        file.write_all(certificate.as_bytes())?;
        Ok(self.directory.1.join(name))
    }
}
