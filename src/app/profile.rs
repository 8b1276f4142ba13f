//! What of a command line is given to `bash -c` where the app's profile counts (S3.3): `.profile.d/*.sh` of the root in
//! the order of their names, then `.profile`, are sourced in the shell that goes on with the command.
//!
//! As on the platform nothing watches over the scripts: one that fails or cannot be read says so and the next follows;
//! one that calls `exit` ends the dyno with that status, which counts like any end of it; one that sets `-e` sets it for
//! what comes after. What they export, and where they change to, is what the command finds.
//! Whether there are any is seen by the shell at every start, so that nothing here reads a file.

use super::ShellLine;

/// Sources what is there. All names are absolute before the first script runs, so that a script may change directory.
const PROFILE: &[u8] = b"for dyno_profile in \"$PWD\"/.profile.d/*.sh \"$PWD\"/.profile; do \
      if [ -f \"$dyno_profile\" ]; then . \"$dyno_profile\"; fi; done; unset dyno_profile\n";

/// The same line for bash, behind the profile. A line of its own: what cannot be parsed in the command does not keep the
/// profile from running, and `exec` stays where it was.
#[must_use]
pub fn with_profile(line: &ShellLine) -> ShellLine {
    ShellLine { line: [PROFILE, &line.line].concat(), own_shell: line.own_shell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::shell_line;

    #[test]
    fn s3_3_the_command_stands_behind_the_profile_as_it_was() {
        for (command, last) in [("node server.js", "exec node server.js"), ("cd x && node y", "cd x && node y")] {
            let plain = shell_line(command.as_bytes());

            let line = with_profile(&plain);

            let text = String::from_utf8(line.line).unwrap();
            assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(last));
            assert_eq!(line.own_shell, plain.own_shell);
        }
    }
}
