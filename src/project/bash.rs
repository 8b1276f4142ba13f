//! Whether there is a bash for the profile of the app (S3.3).

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use crate::error::{Error, Status};
use crate::model::Shell;

/// Refuses to start if the shell for the profile is missing (S11: 78).
pub(crate) fn check_shell(reads_profile: bool) -> Result<(), Error> {
    if reads_profile { check_bash(Shell::Bash.path(), NeededBy::Start) } else { Ok(()) }
}

/// The same for `run`, with the status of a command that is missing or cannot be executed (S9.3).
pub(crate) fn check_shell_of_run(reads_profile: bool) -> Result<(), Error> {
    if reads_profile { check_bash(Shell::Bash.path(), NeededBy::Run) } else { Ok(()) }
}

/// Which command needs the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NeededBy {
    Start,
    Run,
}

fn check_bash(path: &str, needed_by: NeededBy) -> Result<(), Error> {
    let (what, of_run) = match access(path, AccessFlags::X_OK) {
        Ok(()) => return Ok(()),
        Err(Errno::ENOENT) => ("does not exist", Status::NotFound),
        Err(_) => ("cannot be executed", Status::NotExecutable),
    };
    let status = match needed_by {
        NeededBy::Start => Status::Config,
        NeededBy::Run => of_run,
    };
    let fact = format!("`{path}` {what}, but the profile of the app needs it");
    Err(Error::new(status, fact, "install bash, or leave out `--heroku` and `--profile`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_3_a_missing_bash_is_an_error_before_anything_starts() {
        let hint = "install bash, or leave out `--heroku` and `--profile`";
        let reported = |path: &str, needed_by| {
            let error = check_bash(path, needed_by).expect_err("it is not a program");
            assert_eq!(error.complaints()[0].hint, hint);
            (error.status(), error.to_string())
        };
        let missing = "`/nowhere/bash` does not exist, but the profile of the app needs it".to_owned();
        let refused = "`/dev/null` cannot be executed, but the profile of the app needs it".to_owned();

        assert_eq!(reported("/nowhere/bash", NeededBy::Start), (Status::Config, missing.clone()));
        assert_eq!(reported("/nowhere/bash", NeededBy::Run), (Status::NotFound, missing));
        assert_eq!(reported("/dev/null", NeededBy::Start), (Status::Config, refused.clone()));
        assert_eq!(reported("/dev/null", NeededBy::Run), (Status::NotExecutable, refused));
        assert_eq!((check_bash("/bin/sh", NeededBy::Start), check_shell(false)), (Ok(()), Ok(())));
    }
}
