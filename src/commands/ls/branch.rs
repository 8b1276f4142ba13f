//! Which branch of git is checked out in a directory. It is read from the files of git, because `ls` must be fast and
//! git may not be installed.

use std::path::Path;

use crate::commands::start::checkout::path_in;

/// How many characters of a commit are shown, as in git.
const SHORT_COMMIT: usize = 7;

/// The branch of the checkout that contains a directory, or its short commit if no branch is checked out. None: the
/// directory is not in a checkout.
pub(super) fn branch(directory: &Path) -> Option<String> {
    let top = directory.ancestors().find(|path| path.join(".git").symlink_metadata().is_ok())?;
    let git = top.join(".git");
    // In a linked worktree and in a submodule, `.git` is a file that names the directory.
    let own = path_in(&git, b"gitdir: ").map_or(git, |named| top.join(named));
    let head = path_in(&own.join("HEAD"), b"")?;
    let head = head.to_string_lossy();
    match head.strip_prefix("ref: ") {
        Some(name) => Some(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()),
        None => head.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| head.chars().take(SHORT_COMMIT).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn s10_2_the_branch_is_read_from_the_files_of_git() {
        let top = std::env::temp_dir().join(format!("dyno-branch-{}", std::process::id()));
        let own = top.join("main/.git/worktrees/fix");
        fs::create_dir_all(&own).expect("created");
        fs::create_dir_all(top.join("fix/app")).expect("created");
        fs::write(top.join("main/.git/HEAD"), "ref: refs/heads/main\n").expect("written");
        fs::write(own.join("HEAD"), "ref: refs/heads/fix/one\n").expect("written");
        fs::write(top.join("fix/.git"), "gitdir: ../main/.git/worktrees/fix\n").expect("written");
        let of = |name: &str| branch(&top.join(name));

        assert_eq!(of("main").as_deref(), Some("main"));
        assert_eq!(of("fix/app").as_deref(), Some("fix/one"));
        fs::write(own.join("HEAD"), "0123456789abcdef0123456789abcdef01234567\n").expect("written");
        assert_eq!(of("fix").as_deref(), Some("0123456"));
        fs::write(own.join("HEAD"), "nonsense of git\n").expect("written");
        assert_eq!(of("fix"), None);
        fs::remove_file(own.join("HEAD")).expect("removed");
        assert_eq!(of("fix"), None);
        fs::remove_dir_all(top).expect("removed");
    }
}
