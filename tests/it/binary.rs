//! Which `dyno` is tested: the one that cargo has built, or a binary of a package, whose path is in `DYNO_BINARY`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use crate::harness::note;

/// The path of `dyno`. Its file has this name, because tests put its directory on the `PATH`.
pub(crate) fn dyno() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let Some(other) = env::var_os("DYNO_BINARY") else { return env!("CARGO_BIN_EXE_dyno").to_owned() };
        let path = fs::canonicalize(PathBuf::from(&other)).expect("DYNO_BINARY is the path of a file");
        assert!(path.ends_with("dyno"), "DYNO_BINARY: {} is not called `dyno`", path.display());
        note(&format!("tested: {}", path.display()));
        path.into_os_string().into_string().unwrap()
    });
    &PATH
}

/// The directory with `dyno`.
pub(crate) fn directory() -> &'static Path {
    Path::new(dyno()).parent().unwrap()
}
