//! The directory of the app that is being started: its name (S10.3) and its own block of ports (S5.5).
//!
//! If there is something new to remember, the list of checkouts is locked from the decision until the start is
//! registered. So two starts never choose the same name or block, and a start that is refused leaves nothing behind.
//! Not here: which ports are free (`ports`).

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::api::{BlockOrigin, Checkouts, GivenBlock, GivenName, PortClaim, Worktree, app_name, name_from};
use crate::app::OwnBlock;
use crate::client::real;
use crate::error::Complaint;
use crate::project::{Places, reason};
use crate::runtime::{LockedState, StateDirectory};
use crate::settings::NameSettings;

/// The longest `.git` file in bytes.
const MAX_GIT_FILE: u64 = 64 << 10;

/// Why a command needs the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Need {
    /// A start that remembers name and block. It shares the block with other starts of the app.
    Start,
    /// A run that remembers nothing: `foreman` and `honcho` have no such file, and a smoke test must leave nothing
    /// behind.
    Beside,
    /// A command that only says what a start would decide.
    Look,
}

/// The checkout that an app is started in.
pub(in crate::commands) struct Checkout {
    root: PathBuf,
    worktree: Option<Worktree>,
    /// The name, unique among the apps of this user.
    name: String,
    /// Why the name is not the expected one.
    note: Option<Complaint>,
    /// The app, as other runs identify it; its ports are not known yet.
    claim: PortClaim,
    state: Option<StateDirectory>,
    known: Checkouts,
    need: Need,
    /// Locked as soon as there is something new to remember.
    lock: Option<LockedState>,
    /// The new block to remember, or why it cannot be remembered.
    block: Option<Result<OwnBlock, &'static str>>,
}

impl Checkout {
    /// The name that an app in this checkout has if no other directory has it already.
    pub(in crate::commands) fn usual_name(places: &Places, names: &NameSettings) -> String {
        let root = real(&places.root);
        names.app.as_deref().map_or_else(|| app_name(&root, worktree(&root).as_ref()), name_from)
    }

    /// The checkout of an app with these places and this Procfile.
    pub(in crate::commands) fn of(places: &Places, procfile: &Path, names: &NameSettings, need: Need) -> Self {
        let root = real(&places.root);
        let worktree = worktree(&root);
        let wanted = names.app.as_deref().map_or_else(|| app_name(&root, worktree.as_ref()), name_from);
        let copy = names.copy.as_deref();
        let state = StateDirectory::find();
        let mut checkout = Self {
            known: state
                .as_ref()
                .map(StateDirectory::checkouts)
                .map(|bytes| Checkouts::parse(&bytes))
                .unwrap_or_default(),
            claim: PortClaim::of_app(&root, &real(procfile), copy, need != Need::Beside),
            root,
            worktree,
            name: wanted.clone(),
            note: None,
            state,
            need,
            lock: None,
            block: None,
        };
        let mut given = checkout.known.name_for(&checkout.root, &wanted, Path::is_dir);
        if checkout.would_remember(&given.name) {
            // Decide again under the lock: another start may have taken the name meanwhile. If locking fails, the name
            // is not remembered and may differ the next time.
            let _ = checkout.lock();
            given = checkout.known.name_for(&checkout.root, &wanted, Path::is_dir);
        }
        let GivenName { name, taken_by } = given;
        checkout.note = taken_by.filter(|_| need == Need::Start).map(|other| {
            let fact = format!("`{wanted}` is the app in {}, so this one is called `{name}`", other.display());
            Complaint::new(fact, "`--app NAME` gives it another name")
        });
        checkout.name = name;
        checkout
    }

    /// The root, a real path.
    pub(in crate::commands) fn root(&self) -> &Path {
        &self.root
    }

    /// The name of the app, followed by the `--name` of this start if it has one.
    pub(in crate::commands) fn app_name(&self) -> String {
        self.claim.name.as_ref().map_or_else(|| self.name.clone(), |copy| format!("{}-{copy}", self.name))
    }

    /// Why the app does not have the expected name.
    pub(super) fn name_note(&self) -> Option<&Complaint> {
        self.note.as_ref()
    }

    /// The app, as other runs identify it, without ports.
    pub(super) fn claim(&self) -> &PortClaim {
        &self.claim
    }

    /// Whether the checkout is in a linked worktree of git.
    pub(super) fn is_linked_worktree(&self) -> bool {
        self.worktree.is_some()
    }

    /// The first port of the block that the checkout had last time.
    pub(super) fn remembered_port(&self) -> Option<u16> {
        self.known.block_of(&self.root).map(OwnBlock::first)
    }

    /// The checkout's own block, or that of the copy that is started. `blocks`: how many blocks of 100 ports the app
    /// needs. None: all are taken. `runs_in` and `is_free`: see [`Checkouts::block_for_copy`].
    pub(super) fn own_block(
        &mut self,
        blocks: u16,
        runs_in: impl Fn(OwnBlock) -> bool,
        is_free: impl FnMut(OwnBlock, bool) -> bool,
    ) -> Option<GivenBlock> {
        if let Some(copy) = &self.claim.name {
            return self.known.block_for_copy((&self.root, copy), blocks, Path::is_dir, runs_in, is_free);
        }
        let mut locked = Ok(());
        if self.need == Need::Start && !self.known.has_block(&self.root, blocks) {
            locked = self.lock();
        }
        let given = self.known.block_for(&self.root, blocks, Path::is_dir, is_free)?;
        match given.origin {
            BlockOrigin::New => self.block = Some(locked.map(|()| given.block)),
            BlockOrigin::Remembered | BlockOrigin::InsteadOf(_) | BlockOrigin::Copy => {}
        }
        Some(given)
    }

    /// Remembers name and block. Call it when the start is registered. Returns warnings if the block cannot be
    /// remembered, or not in the directory that the user named.
    pub(super) fn remember(&mut self) -> Vec<Complaint> {
        let unused = StateDirectory::unused().filter(|_| self.need == Need::Start);
        let unused =
            unused.map(|unused| Complaint::new(unused.to_string(), "set `XDG_STATE_HOME` to an absolute path"));
        let lock = self.lock.take();
        let (block, mut why) = match self.block.take() {
            None => (None, None),
            Some(Ok(block)) => (Some(block), None),
            Some(Err(why)) => (None, Some(why)),
        };
        if let Some(lock) = lock
            && self.known.remember(&self.root, &self.name, block, Path::is_dir)
            && let Err(error) = lock.replace_checkouts(self.known.to_text().as_bytes())
            && block.is_some()
        {
            why = Some(reason(&error));
        }
        let forgotten = why.map(|why| {
            let hint = "set `XDG_STATE_HOME` to a directory that you can write to, or choose the ports with `-p`";
            Complaint::new(format!("cannot remember the ports of this checkout: {why}"), hint)
        });
        unused.into_iter().chain(forgotten).collect()
    }

    fn would_remember(&self, name: &str) -> bool {
        self.need == Need::Start && self.known.clone().remember(&self.root, name, None, Path::is_dir)
    }

    /// Locks the list of checkouts and reads it again.
    fn lock(&mut self) -> Result<(), &'static str> {
        if self.lock.is_some() {
            return Ok(());
        }
        let state = self.state.as_ref().ok_or("neither `XDG_STATE_HOME` nor `HOME` is set")?;
        self.lock = Some(state.lock().map_err(|error| unwritable(&error))?);
        self.known = Checkouts::parse(&state.checkouts());
        Ok(())
    }
}

fn unwritable(error: &io::Error) -> &'static str {
    let is_locked = error.kind() == io::ErrorKind::WouldBlock;
    if is_locked { "the list of checkouts is locked by another process" } else { reason(error) }
}

/// The linked worktree of git that contains a directory. Its `.git` is a file; the directory that this file names has a
/// file `commondir`, which names the shared repository. The `.git` of a submodule is a file, too, but there is no
/// `commondir`.
fn worktree(root: &Path) -> Option<Worktree> {
    let top = root.ancestors().find(|path| path.join(".git").symlink_metadata().is_ok())?;
    let own = top.join(path_in(&top.join(".git"), b"gitdir: ")?);
    let common = real(&own.join(path_in(&own.join("commondir"), b"")?));
    let main = if common.ends_with(".git") { common.parent()?.to_owned() } else { common };
    Some(Worktree { top: top.to_owned(), main })
}

/// The path that a file of git contains after `prefix`.
pub(in crate::commands) fn path_in(file: &Path, prefix: &[u8]) -> Option<PathBuf> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(file).ok()?.take(MAX_GIT_FILE).read_to_end(&mut bytes).ok()?;
    let path = bytes.strip_prefix(prefix)?.trim_ascii_end();
    (!path.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}
