//! Creates files and directories for this user alone, whatever the umask is: `umask 777` would leave one that no later
//! start of this user could open.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

/// The permissions of a directory and of a file.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Creates a directory. One that exists is left as it is.
///
/// # Errors
/// Those of mkdir(2).
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Ok(()) => {
            open_up_directory(path);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a directory and those above it that are missing.
///
/// # Errors
/// Those of mkdir(2), or something else has its name.
pub(super) fn create_directories(path: &Path) -> io::Result<()> {
    match (create_directory(path), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            create_directories(parent)?;
            create_directory(path)?;
        }
        // On a read-only file system, that is the error for a directory that exists, too.
        (Err(error), _) if !path.is_dir() => return Err(error),
        _ => {}
    }
    if path.is_dir() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EEXIST)) }
}

/// Opens a file with these options, which may create it.
///
/// # Errors
/// Those of open(2).
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(FILE_MODE).open(path)?;
    // One with content is older: its permissions were chosen by its owner.
    if file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
        open_up(&file);
    }
    Ok(file)
}

/// Gives a file of ours the permissions that a umask may have kept from us. Does nothing if the system refuses.
pub(super) fn open_up(file: &File) {
    if let Some(mode) = file.metadata().ok().and_then(|metadata| mended_mode(&metadata, FILE_MODE)) {
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
}

/// The same for a directory.
pub(super) fn open_up_directory(path: &Path) {
    open_up_path(path, OFlag::O_DIRECTORY, DIRECTORY_MODE);
}

/// The same for a file that cannot be opened.
pub(super) fn open_up_file(path: &Path) {
    open_up_path(path, OFlag::empty(), FILE_MODE);
}

/// Never follows a symbolic link, because other users may be able to write to the directory above it.
fn open_up_path(path: &Path, flags: OFlag, wanted: u32) {
    let flags = flags | OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // Not with the standard library: for musl, it takes `O_PATH` for an access mode, and leaves it out.
    let Ok(found) = nix::fcntl::open(path, flags, Mode::empty()).map(File::from) else { return };
    if let Some(mode) = found.metadata().ok().and_then(|metadata| mended_mode(&metadata, wanted)) {
        // A descriptor of this kind has no other way.
        let _ = fs::set_permissions(format!("/proc/self/fd/{}", found.as_raw_fd()), Permissions::from_mode(mode));
    }
}

/// None: we are not its owner, or have all wanted permissions.
fn mended_mode(found: &Metadata, wanted: u32) -> Option<u32> {
    let mode = found.mode() & 0o7777;
    let is_ours = found.uid() == geteuid().as_raw() && !found.is_symlink();
    (is_ours && mode & wanted != wanted).then_some(mode | wanted)
}
