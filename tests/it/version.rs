//! What `dyno version` says about the binary, under each of its names.

use crate::app::App;
use crate::binary;
use crate::harness::{Ended, Finished};

const OWN: &str = concat!("dyno ", env!("CARGO_PKG_VERSION"), "\n");

/// Removes the line that says what the binary was built for. A binary of a package was built from a commit.
#[track_caller]
pub(crate) fn without_build(text: &str) -> String {
    let (before, rest) = text.split_once("built for ").expect(text);
    let (line, after) = rest.split_once('\n').unwrap();
    let (target, libc) = line.split_once(" (").unwrap();
    assert!(target.starts_with(std::env::consts::ARCH) && target.contains("-linux-"), "{line}");
    let (libc, from) = libc.split_once(')').unwrap();
    let expected = if target.ends_with("musl") { "static musl" } else { "glibc" };
    assert_eq!(libc, expected, "{line}");
    let is_hash = |hash: &str| hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = from.strip_prefix(" from commit ").map(|commit| commit.trim_end_matches("-changed"));
    assert!(from.is_empty() || commit.is_some_and(is_hash), "{line}");
    format!("{before}{after}")
}

fn version(name: &str, args: &[&str]) -> Finished {
    App::empty().called(name, []).args(args).run()
}

#[test]
fn s13_2_the_version_is_one_line_as_an_option_and_two_as_a_command() {
    for flag in ["-V", "-v", "--version"] {
        version("dyno", &[flag]).expect(Ended::Code(0), OWN, "");
    }
    for words in [&["version"][..], &["local:version"], &["local", "version"]] {
        let finished = version("dyno", words);
        assert_eq!((finished.ended, finished.stderr().as_str()), (Ended::Code(0), ""));
        assert_eq!(without_build(&finished.stdout()), OWN);
    }
}

#[test]
fn s13_2_the_version_of_another_tool_comes_with_that_of_dyno_on_stderr() {
    for (name, version_of_it) in [("foreman", "0.90.0\n"), ("honcho", "honcho 2.0.0\n")] {
        let finished = version(name, &["version"]);
        assert_eq!((finished.ended, finished.stdout().as_str()), (Ended::Code(0), version_of_it));
        assert_eq!(without_build(&finished.stderr()), format!("{}, called as `{name}`\n", OWN.trim_end()));
    }
    let stderr =
        "error: a command is missing\n\nhint: `honcho start` runs the app; `honcho --help` lists the commands\n";
    version("honcho", &[]).expect(Ended::Code(2), "", stderr);
}

#[test]
fn the_tested_binary_is_the_one_in_dyno_binary() {
    let expected = std::env::var_os("DYNO_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_dyno").into());

    assert_eq!(std::fs::canonicalize(binary::dyno()).unwrap(), std::fs::canonicalize(expected).unwrap());
}
