//! Builds the line for `bash -c` that sources the profile of the app before the command (S3.3): `.profile.d/*.sh` of
//! the root in the order of their names, then `.profile`.
//!
//! The scripts run in the same shell as the command. As on the platform, nothing guards against faulty scripts. If one
//! fails or cannot be read, it or bash prints an error, and the next one runs. If one calls `exit`, the dyno exits with
//! that status. If one sets `-e`, changes directory or exports a variable, that applies to everything after it.
//! The shell looks for the scripts at every start of a dyno, so this module reads no files.

use crate::app::ShellLine;

/// Sources the scripts that exist. The shell expands all paths before the first script runs, and `$PWD` makes them
/// absolute, so a script may change directory.
const PROFILE: &[u8] = b"for dyno_profile in \"$PWD\"/.profile.d/*.sh \"$PWD\"/.profile; do \
      if [ -f \"$dyno_profile\" ]; then . \"$dyno_profile\"; fi; done; unset dyno_profile\n";

/// The same shell line for bash, with the profile sourced first. The command is on its own line, so a syntax error in
/// it does not stop the profile from running, and its `exec` stays at the start of a line.
#[must_use]
pub fn with_profile(line: &ShellLine) -> ShellLine {
    ShellLine { line: [PROFILE, &line.line].concat(), own_shell: line.own_shell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::shell_line;

    #[test]
    fn s3_3_the_command_follows_the_profile_unchanged() {
        for (command, last) in [("node server.js", "exec node server.js"), ("cd x && node y", "cd x && node y")] {
            let plain = shell_line(command.as_bytes());

            let line = with_profile(&plain);

            let text = String::from_utf8(line.line).unwrap();
            assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(last));
            assert_eq!(line.own_shell, plain.own_shell);
        }
    }
}
