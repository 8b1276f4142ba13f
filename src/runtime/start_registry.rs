//! Which starts run: each has a description and a socket in the runtime directory (S10.1).
//!
//! A start holds a lock on its description for life, and the kernel releases it however the start ends. A description
//! whose lock is free is therefore out of date: it is ignored, and the next start removes it together with its socket.
//! Descriptions appear one at a time, behind the gate (`start_gate`), so that of two starts of the same process type one
//! always sees the other. Not here: which start a command means (`api::meant_starts`).

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::RuntimeDirectory;
use crate::api::{LastRun, StartDescription, StartKind};

/// The endings of the files of a start; the first is that of a description.
const DESCRIPTION: &str = "start";
const UNFINISHED: &str = "new";
const SOCKET: &str = "sock";
pub(super) const CERTIFICATE: &str = "crt";

/// The longest description in bytes. One with 1,000 process types of 128 characters has less.
const MAX_DESCRIPTION: usize = 1 << 20;

/// The name of a file of a start, in two parts.
struct StartFile {
    session: String,
    ending: &'static str,
}

/// The longest path of a socket in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// Why a start was not registered.
#[derive(Debug)]
pub enum NotRegistered {
    /// One of its process types is running already.
    Running {
        /// The process type.
        process_type: String,
        /// The start that runs it.
        by: Box<StartDescription>,
    },
    /// Another process holds the lock on this file and does not release it.
    Locked(PathBuf),
    /// The description in this file belongs to a start that runs, but cannot be read: that start may run the same process
    /// types.
    Unreadable(PathBuf),
    /// The system refused a file or the socket.
    Refused(io::Error),
}

/// The starts that run now.
#[derive(Debug, Default)]
pub struct LivingStarts {
    /// In no particular order.
    pub starts: Vec<StartDescription>,
    /// Descriptions of starts that run, but cannot be read.
    pub unreadable: Vec<PathBuf>,
}

/// A registered start. Dropping it removes its files.
#[derive(Debug)]
pub struct RegisteredStart {
    pub(super) directory: RuntimeDirectory,
    listener: UnixListener,
    pub(super) description: RefCell<StartDescription>,
    /// The file of the description, held for its lock.
    file: RefCell<Flock<File>>,
}

impl RegisteredStart {
    /// The socket on which clients connect.
    ///
    /// # Errors
    /// Too many files are open.
    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Leaves a summary in the directory.
    pub(super) fn leave(&self, summary: impl FnOnce(StartDescription) -> LastRun) {
        self.directory.leave_summary(&summary(self.description.borrow().clone()));
    }

    /// The process types that it runs, as other starts see them.
    pub(super) fn types(&self) -> Vec<String> {
        self.description.borrow().types.clone()
    }

    /// Changes the process types that it runs. One change at a time. If it fails, nothing is changed.
    pub(super) async fn set_types(&self, types: Vec<String>) -> Result<(), NotRegistered> {
        self.describe_again(|description| StartDescription { types, ..description }).await
    }

    /// Changes the paths of the files that it reads, under the same rules as [`Self::set_types`].
    pub(super) async fn set_files(&self, files: Vec<String>) -> Result<(), NotRegistered> {
        if self.description.borrow().files == files {
            return Ok(());
        }
        self.describe_again(|description| StartDescription { files, ..description }).await
    }

    async fn describe_again(
        &self,
        new: impl FnOnce(StartDescription) -> StartDescription,
    ) -> Result<(), NotRegistered> {
        let _gate = self.directory.gate_while_others_run().await?;
        let description = new(self.description.borrow().clone());
        let files = self.directory.files().map_err(NotRegistered::Refused)?;
        self.directory.check_free(&description, &files)?;
        let file = self.directory.describe(&description).map_err(NotRegistered::Refused)?;
        self.file.replace(file);
        self.description.replace(description);
        Ok(())
    }
}

impl Drop for RegisteredStart {
    fn drop(&mut self) {
        // First the description, so that no client finds one without a socket.
        let session = &self.description.get_mut().session;
        self.directory.remove(session, DESCRIPTION);
        self.directory.remove(session, SOCKET);
        self.directory.remove(session, CERTIFICATE);
    }
}

impl RuntimeDirectory {
    /// Registers a start, unless one of its process types is running already.
    ///
    /// # Errors
    /// [`NotRegistered`].
    pub fn register(self, start: &StartDescription) -> Result<RegisteredStart, NotRegistered> {
        let _gate = self.gate()?;
        // Listed once: this delays the first dyno.
        let files = self.files().map_err(NotRegistered::Refused)?;
        self.check_free(start, &files)?;
        self.remove_outdated(&files);
        let created = self.listen(&start.session).and_then(|listener| Ok((listener, self.describe(start)?)));
        match created {
            Ok((listener, file)) => {
                let (description, file) = (RefCell::new(start.clone()), RefCell::new(file));
                Ok(RegisteredStart { listener, description, file, directory: self })
            }
            Err(error) => {
                self.remove(&start.session, SOCKET);
                Err(NotRegistered::Refused(error))
            }
        }
    }

    /// Checks that no other start runs one of these process types.
    fn check_free(&self, start: &StartDescription, files: &[StartFile]) -> Result<(), NotRegistered> {
        let mut living = self.living_among(files);
        let others = living.starts.drain(..).filter(|other| other.session != start.session);
        let collision = others.into_iter().find_map(|other| {
            let process_type = start.collision(&other)?.to_owned();
            Some(NotRegistered::Running { process_type, by: Box::new(other) })
        });
        let unreadable = living.unreadable.pop().filter(|_| start.kind.is_exclusive()).map(NotRegistered::Unreadable);
        collision.or(unreadable).map_or(Ok(()), Err)
    }

    fn listen(&self, session: &str) -> io::Result<UnixListener> {
        let socket = self.path_of(&name(session, SOCKET));
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Writes the description of a start, or replaces it, in one step: a reader always finds a whole one, and it is
    /// always locked.
    fn describe(&self, start: &StartDescription) -> io::Result<Flock<File>> {
        self.write_description(start).inspect_err(|_| self.remove(&start.session, UNFINISHED))
    }

    fn write_description(&self, start: &StartDescription) -> io::Result<Flock<File>> {
        let text = serde_json::to_vec(start)?;
        if text.len() > MAX_DESCRIPTION {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the names of its process types are too long"));
        }
        let unfinished = name(&start.session, UNFINISHED);
        let file = self.file_to_write(&unfinished, OFlag::O_EXCL)?;
        let mut description = lock(file, FlockArg::LockExclusiveNonblock)?;
        description.write_all(&text)?;
        let described = name(&start.session, DESCRIPTION);
        renameat(self.descriptor(), unfinished.as_str(), self.descriptor(), described.as_str())?;
        Ok(description)
    }

    /// The starts that run now.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn starts(&self) -> io::Result<LivingStarts> {
        Ok(self.living_among(&self.files()?))
    }

    /// The starts that have ended without removing their files, which are removed now. None are found while another start
    /// holds the gate: it removes them itself.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn take_killed(&self) -> io::Result<Vec<StartDescription>> {
        if self.files()?.iter().all(|file| self.held_description(&file.session).is_some()) {
            return Ok(Vec::new());
        }
        let Some(_gate) = self.free_gate() else { return Ok(Vec::new()) };
        let files = self.files()?;
        let killed = self.killed_among(&files).collect();
        self.remove_outdated(&files);
        Ok(killed)
    }

    fn living_among(&self, files: &[StartFile]) -> LivingStarts {
        let mut living = LivingStarts::default();
        for file in files.iter().filter(|file| file.ending == DESCRIPTION) {
            let Some(description) = self.held_description(&file.session) else { continue };
            match read_description(description).filter(|start| start.session == file.session) {
                Some(start) => living.starts.push(start),
                None => living.unreadable.push(self.1.join(name(&file.session, DESCRIPTION))),
            }
        }
        living
    }

    /// The same directory, for another thread.
    ///
    /// # Errors
    /// Too many files are open.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?, self.1.clone()))
    }

    /// Receives a message as soon as a start has ended.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub fn end_of(&self, start: &StartDescription) -> io::Result<mpsc::Receiver<()>> {
        let (directory, session) = (self.try_clone()?, start.session.clone());
        let (sender, end) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            // The lock is released when the description is replaced, too.
            while let Some(description) = directory.held_description(&session) {
                drop(lock(description, FlockArg::LockShared));
            }
            let _ = sender.send(());
        })?;
        Ok(end)
    }

    /// Connects to the socket of a start, and waits if its queue of connections is full, as that of a suspended start may
    /// be: `std` would wait without a limit.
    ///
    /// # Errors
    /// It has ended, or no place in the queue became free within `patience` ([`io::ErrorKind::WouldBlock`]).
    pub fn connect(&self, start: &StartDescription, patience: Duration) -> io::Result<UnixStream> {
        let stream = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        // To the kernel zero means no limit. It applies to `connect`, too.
        let limit = TimeVal::microseconds(i64::try_from(patience.as_micros()).unwrap_or(i64::MAX).max(1));
        setsockopt(&stream, sockopt::SendTimeout, &limit)?;
        let address = UnixAddr::new(&self.path_of(&name(&start.session, SOCKET)))?;
        connect(stream.as_raw_fd(), &address)?;
        Ok(stream.into())
    }

    /// The file of the description of a start, if that start lives. One that is replaced loses its lock, so only an
    /// unlocked file that is still there belongs to a start that has ended.
    fn held_description(&self, session: &str) -> Option<File> {
        let name = name(session, DESCRIPTION);
        self.held_from(&name, self.open_file(&name)?)
    }

    /// `file`: what this name meant before.
    fn held_from(&self, name: &str, mut file: File) -> Option<File> {
        while !is_locked(&file) {
            let now = self.open_file(name)?;
            if is_same(&file, &now) {
                return None;
            }
            file = now;
        }
        Some(file)
    }

    /// Removes the files of starts that have ended without doing so. Called with the gate locked, so that files that
    /// are just being created are not removed.
    fn remove_outdated(&self, files: &[StartFile]) {
        for start in self.killed_among(files) {
            self.leave_summary(&LastRun::of_killed(start, jiff::Timestamp::now()));
            self.remove_left_claims();
        }
        for file in files.iter().filter(|file| self.held_description(&file.session).is_none()) {
            self.remove(&file.session, file.ending);
        }
    }

    /// The starts that were killed, so that their descriptions are still there.
    pub(super) fn killed(&self) -> Vec<StartDescription> {
        self.files().map(|files| self.killed_among(&files).collect()).unwrap_or_default()
    }

    fn killed_among<'a>(&'a self, files: &'a [StartFile]) -> impl Iterator<Item = StartDescription> + 'a {
        let described = files.iter().filter(|file| file.ending == DESCRIPTION);
        let dead = described.filter(|file| self.held_description(&file.session).is_none());
        dead.filter_map(|file| read_description(self.open_file(&name(&file.session, DESCRIPTION))?))
    }

    /// Leaves a summary in the directory, except of a smoke test, which reports its own end.
    fn leave_summary(&self, run: &LastRun) {
        match run.start.kind {
            StartKind::Start | StartKind::Beside => drop(self.leave(run)),
            StartKind::Smoke => {}
        }
    }

    /// Opens a file to read it. None: there is no such regular file.
    pub(super) fn open_file(&self, name: &str) -> Option<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(self.descriptor(), name, flags, Mode::empty()).ok()?);
        file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
    }

    /// The files of all starts, also of those that have ended.
    fn files(&self) -> io::Result<Vec<StartFile>> {
        let entries = fs::read_dir(self.path_of("."))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let files = names.filter_map(|name| {
            let (session, found) = name.rsplit_once('.')?;
            let ending = [DESCRIPTION, UNFINISHED, SOCKET, CERTIFICATE].into_iter().find(|ending| *ending == found)?;
            Some(StartFile { session: session.to_owned(), ending })
        });
        Ok(files.collect())
    }

    fn remove(&self, session: &str, ending: &str) {
        let _ = unlinkat(self.descriptor(), name(session, ending).as_str(), UnlinkatFlags::NoRemoveDir);
    }

    /// The path of a file in this directory, or a shorter one if it would be too long for a socket. That one needs
    /// `/proc`, which is not mounted everywhere.
    fn path_of(&self, name: &str) -> PathBuf {
        let path = self.1.join(name);
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return path;
        }
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.descriptor().as_raw_fd()))
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

pub(super) fn name(session: &str, ending: &str) -> String {
    format!("{session}.{ending}")
}

pub(super) fn lock(file: File, how: FlockArg) -> io::Result<Flock<File>> {
    Flock::lock(file, how).map_err(|(_, errno)| errno.into())
}

/// Whether another process holds the lock on this file. The check takes a shared lock for a moment, so that two checks
/// at the same time do not mistake each other for a start.
pub(super) fn is_locked(file: &File) -> bool {
    let Ok(file) = file.try_clone() else { return true };
    lock(file, FlockArg::LockSharedNonblock).is_err()
}

/// Whether these are the same file.
pub(super) fn is_same(one: &File, other: &File) -> bool {
    let identity = |file: &File| file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    identity(one) == identity(other)
}

fn read_description(file: File) -> Option<StartDescription> {
    let mut text = Vec::new();
    file.take(MAX_DESCRIPTION as u64).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
