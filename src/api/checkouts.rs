//! The app name and the block of ports of each directory: the lines of `$XDG_STATE_HOME/dyno/ports` (S5.5, S10.3).
//!
//! A line is `BLOCK NAME PATH`. The block is written as its first port, as `FIRST-LAST` if it is larger than 100 ports,
//! and as `-` if the directory has none. In the path, `%` and all bytes that are not printable ASCII are written as
//! `%XX`. Pure: the caller reads and writes the file.

mod given_block;

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::app_name::distinct_name;
use super::request::decoded;
use crate::app::OwnBlock;

pub use given_block::{BlockOrigin, GivenBlock};

/// If there are this many lines, a new one also drops the lines of directories that no longer exist.
const MANY_LINES: usize = 500;

/// Written in place of a block of ports that was never assigned.
const NO_BLOCK: &str = "-";

/// All directories whose apps have been given a name, and perhaps a block of ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkouts(Vec<RegisteredCheckout>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct RegisteredCheckout {
    block: Option<OwnBlock>,
    name: String,
    path: PathBuf,
}

/// The name that an app gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenName {
    /// The name.
    pub name: String,
    /// The root of the other app that already has the wanted name.
    pub taken_by: Option<PathBuf>,
}

impl Checkouts {
    /// Reads the file. Lines that are not understood are left out.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        Self(text.lines().filter_map(RegisteredCheckout::parse).collect())
    }

    /// The content of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for RegisteredCheckout { block, name, path } in &self.0 {
            let block = block.map_or_else(|| NO_BLOCK.to_owned(), |block| block.to_string());
            let _ = write!(text, "{block} {name} ");
            for byte in path.as_os_str().as_bytes() {
                let is_plain = (b' '..=b'~').contains(byte) && *byte != b'%';
                let _ = if is_plain { write!(text, "{}", char::from(*byte)) } else { write!(text, "%{byte:02X}") };
            }
            text.push('\n');
        }
        text
    }

    /// The name of the app with this root. The first directory that uses a name keeps it, as long as it exists.
    #[must_use]
    pub fn name_for(&self, root: &Path, wanted: &str, exists: impl Fn(&Path) -> bool) -> GivenName {
        let own = self.of(root).map(|checkout| checkout.name.as_str());
        if own == Some(wanted) {
            return GivenName { name: wanted.to_owned(), taken_by: None };
        }
        let others = self.0.iter().filter(|other| other.name == wanted && other.path != root);
        let taken_by = others.map(|other| &other.path).find(|path| exists(path)).cloned();
        let distinct = distinct_name(wanted, root);
        let is_distinct = taken_by.is_some() || own == Some(distinct.as_str());
        GivenName { name: if is_distinct { distinct } else { wanted.to_owned() }, taken_by }
    }

    /// Records a name and, if one was chosen, a block. Returns whether that changes anything. Another line with this
    /// name or block is dropped if its directory no longer exists.
    pub fn remember(
        &mut self,
        root: &Path,
        name: &str,
        block: Option<OwnBlock>,
        exists: impl Fn(&Path) -> bool,
    ) -> bool {
        let own = self.of(root);
        let block = block.or_else(|| own?.block);
        if own.is_some_and(|own| own.name == name && own.block == block) {
            return false;
        }
        let is_full = self.0.len() >= MANY_LINES;
        let has_ours = |other: &RegisteredCheckout| {
            other.name == name || other.block.zip(block).is_some_and(|(other, own)| other.overlaps(own))
        };
        self.0.retain(|other| other.path != root && (!is_full && !has_ours(other) || exists(&other.path)));
        self.0.push(RegisteredCheckout { block, name: name.to_owned(), path: root.to_owned() });
        true
    }

    fn of(&self, root: &Path) -> Option<&RegisteredCheckout> {
        self.0.iter().find(|checkout| checkout.path == root)
    }
}

impl RegisteredCheckout {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ' ');
        let (block, name, path) = (parts.next()?, parts.next()?, parts.next()?);
        let block = if block == NO_BLOCK { None } else { Some(OwnBlock::parse(block)?) };
        let path = PathBuf::from(OsString::from_vec(decoded(path)?));
        let is_valid = !name.is_empty() && path.is_absolute();
        is_valid.then(|| Self { block, name: name.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn name(checkouts: &Checkouts, root: &str, wanted: &str) -> GivenName {
        checkouts.name_for(Path::new(root), wanted, |path| !path.ends_with("gone"))
    }

    fn given(name: &str) -> GivenName {
        GivenName { name: name.to_owned(), taken_by: None }
    }

    #[test]
    fn s10_3_the_first_directory_keeps_the_name_while_it_exists() {
        let known = Checkouts::parse(b"- shop /srv/shop\n10100 blog /srv/blog/gone\n");

        assert_eq!(name(&known, "/srv/shop", "shop"), given("shop"));
        let other = name(&known, "/home/shop", "shop");
        assert_eq!(other.taken_by, Some(PathBuf::from("/srv/shop")));
        assert_eq!(other.name, distinct_name("shop", Path::new("/home/shop")));
        assert_eq!(name(&known, "/home/blog", "blog"), given("blog"));
        assert_eq!(name(&Checkouts::default(), "/home/shop", "shop"), given("shop"));
    }

    #[test]
    fn s10_3_a_distinct_name_stays_when_the_wanted_one_becomes_free() {
        let distinct = distinct_name("shop", Path::new("/home/shop"));
        let known = Checkouts::parse(format!("- shop /gone\n- {distinct} /home/shop\n").as_bytes());

        assert_eq!(name(&known, "/home/shop", "shop"), given(&distinct));
    }

    #[test]
    fn s10_3_a_name_is_recorded_once_and_replaces_that_of_a_lost_directory() {
        let mut known = Checkouts::parse(b"10100 shop /srv/shop\n- blog /srv/gone\n");
        let mut remember =
            |root: &str, name: &str| known.remember(Path::new(root), name, None, |path| !path.ends_with("gone"));

        assert!(!remember("/srv/shop", "shop"));
        assert!(remember("/srv/shop", "store"));
        assert!(remember("/home/blog", "blog"));

        assert_eq!(known.to_text(), "10100 store /srv/shop\n- blog /home/blog\n");
    }

    #[test]
    fn s10_3_every_path_survives_being_written() {
        let odd = Path::new(OsStr::from_bytes(b"/a b/%\n\xff\xc3\xa9"));
        let mut known = Checkouts::default();
        known.remember(odd, "odd", None, |_| true);

        assert_eq!(known.to_text(), "- odd /a b/%25%0A%FF%C3%A9\n");
        assert_eq!(Checkouts::parse(known.to_text().as_bytes()), known);
        let garbage = "x y /z\n- name\n\n- name relative\n70000 name /z\n5000 name /z\n- name /%zz\n\u{0}\n";
        assert_eq!(Checkouts::parse(garbage.as_bytes()), Checkouts::default());
    }

    #[test]
    fn lost_directories_are_dropped_when_there_are_many() {
        let mut known = Checkouts::default();
        for number in 0..MANY_LINES {
            known.remember(Path::new(&format!("/{number}/gone")), &number.to_string(), None, |_| true);
        }

        known.remember(Path::new("/srv/shop"), "shop", None, |path| !path.ends_with("gone"));

        assert_eq!(known.to_text(), "- shop /srv/shop\n");
    }
}
