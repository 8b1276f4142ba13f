//! Builds the line for `bash -c` that sources the profile of the app before the command (S3.3): `.profile.d/*.sh` of
//! the root in the order of their names, then `.profile`.
//!
//! The scripts run in the same shell as the command. As on the platform, nothing guards against faulty scripts. If one
//! fails or cannot be read, it or bash prints an error, and the next one runs. If one calls `exit`, the dyno exits with
//! that status. If one sets `-e`, changes directory or exports a variable, that applies to everything after it.
//! The shell looks for the scripts at every start of a dyno, so this module reads no files.

/// Sources the scripts that exist. The shell expands all paths before the first script runs, and `$PWD` makes them
/// absolute, so a script may change directory.
const PROFILE: &[u8] = b"for dyno_profile in \"$PWD\"/.profile.d/*.sh \"$PWD\"/.profile; do \
      if [ -f \"$dyno_profile\" ]; then . \"$dyno_profile\"; fi; done; unset dyno_profile\n";

/// The same shell line for bash, with the profile sourced first. The command is on its own line, so a syntax error in
/// it does not stop the profile from running, and its `exec` stays at the start of a line.
pub(super) fn with_profile(line: &[u8]) -> Vec<u8> {
    [PROFILE, line].concat()
}
