//! Decides the name of the app that is being started (S10.3).

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::api::{Checkouts, GivenName, StartKind, Worktree, app_name, name_from};
use crate::client::real;
use crate::error::Complaint;
use crate::runtime::StateDirectory;

/// The longest `.git` file in bytes.
const MAX_GIT_FILE: u64 = 64 << 10;

/// The name of an app.
pub(super) struct AppIdentity {
    /// The name, unique among the apps of this user.
    pub(super) name: String,
    /// Why it is not the one that was expected.
    pub(super) note: Option<Complaint>,
}

impl AppIdentity {
    /// The identity of the app with this root. `asked`: the name from `--app` or `.foreman`. `copy`: the value of
    /// `--name`.
    ///
    /// Only a `start` claims a name: `foreman` and `honcho` write no such file, and a smoke test leaves nothing behind.
    pub(super) fn of(root: &Path, asked: Option<&str>, copy: Option<&str>, kind: StartKind) -> Self {
        let wanted = asked.map_or_else(|| app_name(root, worktree(root).as_ref()), name_from);
        let GivenName { name, taken_by } = match StateDirectory::find() {
            Some(state) => given(&state, root, &wanted, kind),
            None => GivenName { name: wanted.clone(), taken_by: None },
        };
        let note = taken_by.filter(|_| kind == StartKind::Start).map(|other| {
            let fact = format!("`{wanted}` is the app in {}, so this one is called `{name}`", other.display());
            Complaint::new(fact, "`--app NAME` gives it another name")
        });
        let name = copy.map_or(name.clone(), |copy| format!("{name}-{copy}"));
        Self { name, note }
    }
}

/// The name that this root gets, remembered for the next start. If it cannot be remembered, the next name may differ.
fn given(state: &StateDirectory, root: &Path, wanted: &str, kind: StartKind) -> GivenName {
    let mut known = Checkouts::parse(&state.checkouts());
    let mut given = known.name_for(root, wanted, Path::is_dir);
    if kind == StartKind::Start && known.remember(root, &given.name, Path::is_dir) {
        // Again under the lock: another start may have taken the name meanwhile.
        let _ = state.change_checkouts(|bytes| {
            let mut known = Checkouts::parse(bytes);
            given = known.name_for(root, wanted, Path::is_dir);
            known.remember(root, &given.name, Path::is_dir).then(|| known.to_text().into_bytes())
        });
    }
    given
}

/// The linked worktree of git that a directory is in: `.git` is a file there, and the directory that it names has a
/// `commondir`, which names the shared repository. A submodule has such a file, too, but no `commondir`.
fn worktree(root: &Path) -> Option<Worktree> {
    let top = root.ancestors().find(|path| path.join(".git").symlink_metadata().is_ok())?;
    let own = top.join(path_in(&top.join(".git"), b"gitdir: ")?);
    let common = real(&own.join(path_in(&own.join("commondir"), b"")?));
    let main = if common.ends_with(".git") { common.parent()?.to_owned() } else { common };
    Some(Worktree { top: top.to_owned(), main })
}

/// The path in a file of git that begins with `prefix`.
fn path_in(file: &Path, prefix: &[u8]) -> Option<PathBuf> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(file).ok()?.take(MAX_GIT_FILE).read_to_end(&mut bytes).ok()?;
    let path = bytes.strip_prefix(prefix)?.trim_ascii_end();
    (!path.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}
