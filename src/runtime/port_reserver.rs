//! Reserves ports, so that no other run of `dyno` chooses them (S5.4).
//!
//! Ports are reserved in units of ten. Each unit is reserved twice: with the file `ports-UNIT` in the runtime
//! directory, and with a socket name, which is visible to runs of other users and with other runtime directories, too.
//! All files of a reservation are links to one locked file, which says who has which ports. So a reader never finds an
//! incomplete reservation, and the kernel releases all of it however the run ends. Not here: what happens if a port is
//! reserved (`commands::start::ports`).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::RuntimeDirectory;
use super::start_registry::{is_locked, is_same, lock};
use crate::api::PortClaim;

/// The longest file in bytes that is read. 10,000 dynos need less.
const MAX_CLAIM: u64 = 2 << 20;

/// How many times a file that a killed run has left is replaced before the unit is treated as reserved. More than once
/// is necessary only if other runs replace it at the same time.
const MAX_REPLACED: usize = 100;

/// The names of the socket and of the file of a unit begin with these words.
const SOCKET: &str = "dyno-ports-";
const FILE: &str = "ports-";

/// Reserved units: while this value exists, no other run of `dyno` takes them.
#[derive(Debug, Default)]
pub struct PortLocks {
    claim: Option<ClaimFile>,
    names: Vec<OwnedFd>,
    /// The errors for names that could not be taken, except for those in use.
    refused: Vec<Errno>,
}

impl PortLocks {
    /// How many files stay open to keep the units reserved, with those that could not be opened.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.names.len() + self.refused.len() + usize::from(self.claim.is_some())
    }

    /// Why not all units are reserved, although no other run has them: too many files are open, for example.
    #[must_use]
    pub fn refused(&self) -> Option<Errno> {
        self.refused.first().copied()
    }
}

/// The error if a unit belongs to another run. None: that run belongs to another user, or has another runtime
/// directory.
#[derive(Debug)]
pub struct UnitTaken(pub Option<PortClaim>);

/// Reserves ports, or only looks up which ones are reserved.
#[derive(Debug)]
pub struct PortReserver {
    directory: Option<RuntimeDirectory>,
    /// The units that others have reserved, for a reserver that only looks.
    only_looks: Option<BTreeSet<u16>>,
}

impl PortReserver {
    /// A reserver with this directory. None: ports are reserved with socket names alone.
    #[must_use]
    pub fn new(directory: Option<RuntimeDirectory>) -> Self {
        Self { directory, only_looks: None }
    }

    /// A reserver that only looks. Runs that start at the same time do not notice it.
    #[must_use]
    pub fn looking() -> Self {
        // The last field is the name; that of a socket without a file begins with `@`.
        let table = fs::read("/proc/net/unix").unwrap_or_default();
        let unit = |line: &str| line.rsplit_once('@')?.1.strip_prefix(SOCKET)?.parse().ok();
        let units = String::from_utf8_lossy(&table).lines().filter_map(unit).collect();
        Self { directory: RuntimeDirectory::open_existing().ok().flatten(), only_looks: Some(units) }
    }

    /// Reserves these units. `may_share`: whether to leave out a unit that another run has reserved.
    ///
    /// # Errors
    /// [`UnitTaken`] for the first taken unit that must not be left out; then nothing is reserved.
    pub fn reserve(
        &self,
        claim: &PortClaim,
        units: impl IntoIterator<Item = u16>,
        mut may_share: impl FnMut(u16, Option<&PortClaim>) -> bool,
    ) -> Result<PortLocks, UnitTaken> {
        let mut locks = PortLocks::default();
        if self.only_looks.is_none() {
            // A directory that is not writable must not prevent a start.
            locks.claim = self.directory.as_ref().and_then(|directory| ClaimFile::create(directory, claim).ok());
        }
        for unit in units {
            if !self.take(unit, &mut locks) {
                let holder = self.holder(unit);
                if !may_share(unit, holder.as_ref()) {
                    return Err(UnitTaken(holder));
                }
            }
        }
        if let Some(claim) = &mut locks.claim {
            claim.finish();
        }
        Ok(locks)
    }

    /// The claim of the run that has reserved a unit with a file in our directory.
    #[must_use]
    pub fn holder(&self, unit: u16) -> Option<PortClaim> {
        let file = self.directory.as_ref()?.open_file(&file_name(unit))?;
        let mut text = Vec::new();
        is_locked(&file).then_some(())?;
        file.take(MAX_CLAIM).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Reserves one unit, unless the system refuses. False: another run has it.
    fn take(&self, unit: u16, locks: &mut PortLocks) -> bool {
        if let Some(reserved) = &self.only_looks {
            return !reserved.contains(&unit);
        }
        let name = take_name(&format!("{SOCKET}{unit}"));
        if name.as_ref().is_err_and(|errno| *errno == Errno::EADDRINUSE) {
            return false;
        }
        if locks.claim.as_mut().is_some_and(|claim| !claim.link(unit)) {
            return false;
        }
        match name {
            Ok(name) => locks.names.push(name),
            Err(errno) => locks.refused.push(errno),
        }
        true
    }
}

/// Takes an abstract socket name. Like a port, only one process of a network namespace can have it, and it is free
/// again when that process ends.
fn take_name(name: &str) -> Result<OwnedFd, Errno> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
    Ok(socket)
}

fn file_name(unit: u16) -> String {
    format!("{FILE}{unit}")
}

/// The locked file of a reservation. Dropping it removes all links to it.
#[derive(Debug)]
struct ClaimFile {
    directory: RuntimeDirectory,
    file: Flock<File>,
    /// The temporary name of the file. None: the reservation is complete.
    unfinished: Option<String>,
    units: Vec<u16>,
}

impl ClaimFile {
    fn create(directory: &RuntimeDirectory, claim: &PortClaim) -> io::Result<Self> {
        let directory = directory.try_clone()?;
        let name = format!("{FILE}of-{}", std::process::id());
        directory.unlink(&name);
        let file = lock(directory.file_to_write(&name, OFlag::O_EXCL)?, FlockArg::LockExclusiveNonblock)?;
        let mut claimed = Self { directory, file, unfinished: Some(name), units: Vec::new() };
        claimed.file.write_all(&serde_json::to_vec(claim)?)?;
        Ok(claimed)
    }

    /// Gives the file the name of a unit. False: another run has reserved it.
    fn link(&mut self, unit: u16) -> bool {
        let Some(unfinished) = &self.unfinished else { return false };
        let name = file_name(unit);
        for _ in 0..MAX_REPLACED {
            let here = self.directory.descriptor();
            match linkat(here, unfinished.as_str(), here, name.as_str(), AtFlags::empty()) {
                Ok(()) => {
                    self.units.push(unit);
                    return true;
                }
                Err(Errno::EEXIST) => {}
                // The file system has no links, or is no longer writable: the socket name must be enough.
                Err(_) => return true,
            }
            let Some(left) = self.directory.open_file(&name) else { continue };
            if !self.directory.unlink_left(&name, left) {
                return false;
            }
        }
        false
    }

    fn finish(&mut self) {
        if let Some(name) = self.unfinished.take() {
            self.directory.unlink(&name);
        }
    }
}

impl Drop for ClaimFile {
    fn drop(&mut self) {
        self.finish();
        // Before the lock is released, because a name may belong to another run afterwards.
        for unit in &self.units {
            self.directory.unlink(&file_name(*unit));
        }
    }
}

impl RuntimeDirectory {
    /// Removes the files of reservations that killed runs have left.
    pub(super) fn remove_left_claims(&self) {
        for entry in fs::read_dir(&self.1).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.strip_prefix(FILE).is_some_and(|unit| unit.parse::<u16>().is_ok())
                && let Some(file) = self.open_file(&name)
            {
                self.unlink_left(&name, file);
            }
        }
    }

    /// Removes the name of a file that no run has locked. False: a run has locked it.
    fn unlink_left(&self, name: &str, file: File) -> bool {
        let Ok(file) = lock(file, FlockArg::LockExclusiveNonblock) else { return false };
        if self.open_file(name).is_some_and(|now| is_same(&file, &now)) {
            self.unlink(name);
        }
        true
    }

    fn unlink(&self, name: &str) {
        let _ = unlinkat(self.descriptor(), name, UnlinkatFlags::NoRemoveDir);
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dyno-ports-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn reserver(path: &Path) -> PortReserver {
        PortReserver::new(Some(RuntimeDirectory::open_at(path.to_owned()).expect("a directory")))
    }

    fn claim(root: &str) -> PortClaim {
        let ports = vec![("web.1".to_owned(), 65_500)];
        PortClaim { ports, ..PortClaim::of_app(Path::new(root), &Path::new(root).join("Procfile"), None, true) }
    }

    fn names(path: &Path) -> usize {
        fs::read_dir(path).expect("a directory").count()
    }

    #[test]
    fn s5_4_all_units_or_none_are_reserved_until_the_locks_are_dropped() {
        // Higher than any real unit, so that no other run on this machine has them.
        let [a, b, c] = [65_510, 65_520, 65_530];
        let paths = ["locks", "other-locks"].map(scratch);
        let [here, elsewhere] = paths.each_ref().map(|path| reserver(path));
        let reserve = |reserver: &PortReserver, units: &[u16]| {
            reserver.reserve(&claim("/srv/shop"), units.iter().copied(), |_, _| false)
        };

        let first = reserve(&here, &[a, b]).expect("reserved");

        assert_eq!(reserve(&here, &[c, b]).expect_err("taken").0, Some(claim("/srv/shop")));
        assert_eq!(reserve(&elsewhere, &[c, b]).expect_err("taken").0, None);
        assert_eq!(reserve(&PortReserver::looking(), &[b]).expect_err("taken").0, None);
        assert!(reserve(&PortReserver::looking(), &[c]).is_ok());
        assert!(reserve(&here, &[c]).is_ok());
        assert_eq!((names(&paths[0]), names(&paths[1])), (2, 0));
        drop(first);
        assert!(reserve(&elsewhere, &[b]).is_ok());
        assert_eq!(names(&paths[0]), 0);
        for path in &paths {
            fs::remove_dir_all(path).expect("removed");
        }
    }

    #[test]
    fn s5_5_a_unit_of_another_run_can_be_left_out() {
        let path = scratch("share");
        let here = reserver(&path);
        let first = here.reserve(&claim("/srv/shop"), [65_440], |_, _| false).expect("reserved");

        let mut holders = Vec::new();
        let second = here.reserve(&claim("/srv/blog"), [65_440, 65_450], |unit, holder| {
            holders.push((unit, holder.map(|claim| claim.root.clone())));
            true
        });

        assert_eq!(holders, [(65_440, Some("/srv/shop".to_owned()))]);
        drop(second);
        assert_eq!(here.holder(65_440), Some(claim("/srv/shop")));
        drop(first);
        assert_eq!(here.holder(65_440), None);
        fs::remove_dir_all(path).expect("removed");
    }

    #[test]
    fn s5_4_a_file_that_a_killed_run_has_left_is_replaced() {
        let path = scratch("left");
        let here = reserver(&path);
        fs::write(path.join("ports-65460"), "left").expect("written");
        fs::write(path.join(format!("ports-of-{}", std::process::id())), "left").expect("written");

        let locks = here.reserve(&claim("/srv/shop"), [65_460], |_, _| false);

        assert!(locks.is_ok());
        assert_eq!((here.holder(65_460), names(&path)), (Some(claim("/srv/shop")), 1));
        fs::write(path.join("ports-65450"), "left").expect("written");
        here.directory.as_ref().expect("a directory").remove_left_claims();
        assert_eq!((here.holder(65_460), names(&path)), (Some(claim("/srv/shop")), 1));
        drop(locks);
        fs::remove_dir_all(path).expect("removed");
    }

    #[test]
    fn s5_4_exactly_one_of_many_runs_at_once_gets_a_unit() {
        let path = scratch("race");
        reserver(&path);
        // A file that a killed run has left makes the race harder.
        fs::write(path.join("ports-65470"), "left").expect("written");
        let directories = (0..8).map(|_| RuntimeDirectory::open_at(path.clone()).expect("a directory"));

        // In reality each is in its own process, which also takes the socket name. This test races for the files alone.
        let mut files: Vec<ClaimFile> = directories
            .enumerate()
            .map(|(at, directory)| {
                let mut file = ClaimFile::create(&directory, &claim("/srv/shop")).expect("created");
                let name = format!("ports-of-test-{at}");
                fs::rename(path.join(file.unfinished.as_deref().expect("unfinished")), path.join(&name))
                    .expect("moved");
                file.unfinished = Some(name);
                file
            })
            .collect();
        let got: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = files.iter_mut().map(|file| scope.spawn(|| file.link(65_470))).collect();
            threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
        });

        assert_eq!(got.iter().filter(|got| **got).count(), 1, "{got:?}");
        drop(files);
        assert_eq!(names(&path), 0);
        fs::remove_dir_all(path).expect("removed");
    }

    #[test]
    fn s5_4_without_a_directory_the_socket_names_reserve_the_units() {
        let without = PortReserver::new(None);
        let first = without.reserve(&claim("/srv/shop"), [65_480], |_, _| false).expect("reserved");

        assert!(without.reserve(&claim("/srv/shop"), [65_480], |_, _| false).is_err());
        assert_eq!(first.open_files(), 1);
    }
}
