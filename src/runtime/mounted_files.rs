//! Files that are mount points, such as a `.env` from the host in a container. Their changes are reported for the file
//! itself, not for its directory (S14.2).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mounts that this process sees. The fifth field of a line is the mount point; the type comes after a `-`.
const TABLE: &str = "/proc/self/mountinfo";
const PLACE: usize = 4;

/// File system types whose mount points are not examined, because that can hang or trigger a mount. As a result, a file
/// that is bind-mounted from one of these is not watched.
const NOT_EXAMINED: [&[u8]; 5] = [b"autofs", b"nfs", b"nfs4", b"cifs", b"smb3"];

/// The mount points at the time of reading.
#[derive(Debug, Default)]
pub(super) struct MountedFiles {
    places: Vec<PathBuf>,
}

impl MountedFiles {
    /// The current mount points. Empty if the system does not list them.
    pub(super) fn now() -> Self {
        Self::of(&fs::read(TABLE).unwrap_or_default())
    }

    fn of(table: &[u8]) -> Self {
        let place = |line: &[u8]| {
            let mut fields = line.split(|byte| *byte == b' ');
            let place = fields.nth(PLACE)?;
            let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
            (!NOT_EXAMINED.contains(&kind)).then(|| unescaped(place))
        };
        Self { places: table.split(|byte| *byte == b'\n').filter_map(place).collect() }
    }

    /// The mounted files in this directory, which must be a real path.
    pub(super) fn within<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = &'a Path> {
        let here = self.places.iter().filter(move |place| place.parent() == Some(directory));
        here.filter(|place| fs::metadata(place).is_ok_and(|found| !found.is_dir())).map(PathBuf::as_path)
    }
}

/// The table writes blanks, line ends and backslashes as `\` and three octal digits.
fn unescaped(place: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(place.len());
    let mut rest = place;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| byte == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::scratch::Scratch;

    #[test]
    fn s14_2_the_mounted_files_in_a_directory_are_found() {
        let scratch = Scratch::new("mounted files");
        let (file, directory) = (scratch.file("a b\\c", "1"), scratch.path().join("directory"));
        fs::create_dir(&directory).unwrap();
        let of_type = |kind: &str, place: &Path| {
            let place = place.to_str().unwrap().replace('\\', "\\134").replace(' ', "\\040");
            format!("36 35 98:0 /x {place} rw,noatime shared:1 - {kind} /dev/a rw\n")
        };
        let line = |place: &Path| of_type("ext4", place);
        let remote = of_type("nfs4", &scratch.file("remote", "1"));
        let table = [line(&file), line(&directory), "\n36 35\n".to_owned(), remote, line(Path::new("/"))].concat();

        let mounted = MountedFiles::of(table.as_bytes());

        assert_eq!(mounted.within(scratch.path()).collect::<Vec<_>>(), [&file]);
        assert_eq!(mounted.within(&directory).count(), 0);
    }
}
