//! The name of an app (S10.3).

use std::path::{Path, PathBuf};

use super::id::stable_id;

/// The longest name in characters, without the part that `--name` adds.
const MAX_LEN: usize = 40;
/// How many characters of an id make a name different from that of another app.
const DISTINCTION: usize = 4;

/// The name if the directory has no usable name.
const NAMELESS: &str = "app";

/// A linked worktree of git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Its top directory.
    pub top: PathBuf,
    /// The top directory of the main worktree; of a repository without one, the repository itself.
    pub main: PathBuf,
}

/// The name of the app with this root: that of the directory. In a linked worktree it is `MAIN-WORKTREE`, or
/// `DIRECTORY-WORKTREE` for a root below its top, so that the apps of two worktrees differ. `worktree`: the one that
/// the root is in.
#[must_use]
pub fn app_name(root: &Path, worktree: Option<&Worktree>) -> String {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let of = |path: &Path| name_from(&last(path));
    let (main, own) = match worktree {
        None => return of(root),
        Some(worktree) if worktree.top == root => {
            // A repository without a main worktree is usually called `shop.git`.
            let main = last(&worktree.main);
            (name_from(main.strip_suffix(".git").unwrap_or(&main)), of(root))
        }
        Some(worktree) => (of(root), of(&worktree.top)),
    };
    if own.starts_with(&format!("{main}-")) { own } else { cut(&format!("{main}-{own}"), MAX_LEN) }
}

/// A text as a name: in lower case, with a `-` for every character that is not a letter or a digit of ASCII.
#[must_use]
pub fn name_from(text: &str) -> String {
    let allowed = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let name: String = text.to_lowercase().chars().map(allowed).take(MAX_LEN).collect();
    if name.chars().all(|character| character == '-') { NAMELESS.to_owned() } else { name }
}

/// The name of an app with this root if another app is called `name`. The same root always gets the same one.
#[must_use]
pub(super) fn distinct_name(name: &str, root: &Path) -> String {
    let id = stable_id(&["root", &root.to_string_lossy()]);
    format!("{}-{}", cut(name, MAX_LEN - DISTINCTION - 1), cut(&id, DISTINCTION))
}

fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_3_an_app_is_named_after_its_directory() {
        let name = |root: &str| app_name(Path::new(root), None);

        assert_eq!(name("/srv/My Shop_2"), "my-shop-2");
        assert_eq!(name("/srv/Größe"), "gr--e");
        assert_eq!(name(&format!("/{}", "x".repeat(50))), "x".repeat(40));
        for nameless in ["/", "", "/srv/___", "/srv/.."] {
            assert_eq!(name(nameless), "app", "{nameless}");
        }
    }

    #[test]
    fn s10_3_a_worktree_is_named_after_the_main_one_and_itself() {
        let name = |root: &str, top: &str, main: &str| {
            app_name(Path::new(root), Some(&Worktree { top: top.into(), main: main.into() }))
        };

        assert_eq!(name("/wt/fix-1", "/wt/fix-1", "/srv/Shop"), "shop-fix-1");
        assert_eq!(name("/wt/shop-fix-1", "/wt/shop-fix-1", "/srv/shop"), "shop-fix-1");
        assert_eq!(name("/wt/fix-1", "/wt/fix-1", "/srv/shop.git"), "shop-fix-1");
        assert_eq!(name("/wt/fix-1/api", "/wt/fix-1", "/srv/shop"), "api-fix-1");
        assert_eq!(name(&format!("/wt/{}", "x".repeat(50)), "/wt", "/srv/shop").len(), 40);
    }

    #[test]
    fn s10_3_a_second_app_of_the_same_name_always_gets_the_same_digits() {
        let name = distinct_name("shop", Path::new("/srv/shop"));

        assert!(name.starts_with("shop-") && name.len() == 9, "{name}");
        assert_eq!(name, distinct_name("shop", Path::new("/srv/shop")));
        assert_ne!(name, distinct_name("shop", Path::new("/home/shop")));
        assert_eq!(distinct_name(&"x".repeat(40), Path::new("/")).len(), 40);
    }
}
