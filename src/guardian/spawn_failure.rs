//! Says in words why a process could not be started.

use nix::errno::Errno;

use super::protocol::SpawnRequest;
use crate::model::SpawnFailure;

/// The step of a spawn that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum SpawnStep {
    /// No process could be created.
    Fork = 1,
    /// The working directory could not be entered.
    Directory = 2,
    /// The program could not be executed.
    Exec = 3,
    /// Anything else between fork and exec.
    Setup = 4,
}

impl SpawnStep {
    pub(super) fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Fork,
            2 => Self::Directory,
            3 => Self::Exec,
            _ => Self::Setup,
        }
    }
}

/// A spawn that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailedStep {
    step: SpawnStep,
    errno: Errno,
}

impl FailedStep {
    pub(super) fn new(step: SpawnStep, errno: Errno) -> Self {
        Self { step, errno }
    }

    /// The reason in words. `request`: what was to be started.
    pub(super) fn describe(self, request: &SpawnRequest) -> SpawnFailure {
        let reason = self.errno.desc();
        SpawnFailure(match (self.step, self.errno) {
            (SpawnStep::Fork, errno) => format!("cannot start another process: {}", fork_failure(errno)),
            (SpawnStep::Directory, _) => format!("cannot enter the directory `{}`: {reason}", text(&request.directory)),
            (SpawnStep::Exec, Errno::E2BIG) => return too_long(),
            (SpawnStep::Exec, _) => {
                let program = request.arguments.first().map(|program| text(program)).unwrap_or_default();
                format!("cannot execute `{program}`: {reason}")
            }
            (SpawnStep::Setup, _) => format!("cannot prepare the process: {reason}"),
        })
    }
}

/// The system accepts no more than this in one exec.
pub(super) fn too_long() -> SpawnFailure {
    let reason = Errno::E2BIG.desc();
    SpawnFailure(format!("the command line and the environment together are too long for the system ({reason})"))
}

/// Why a process could not be started, in words.
#[must_use]
pub fn fork_failure(errno: Errno) -> &'static str {
    if errno == Errno::EAGAIN { "the process limit of this user or system is reached" } else { errno.desc() }
}

/// A text that ends with NUL.
fn text(terminated: &[u8]) -> String {
    String::from_utf8_lossy(terminated.strip_suffix(b"\0").unwrap_or(terminated)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_6_a_failed_start_gives_the_reason() {
        let request = SpawnRequest {
            own_shell: true,
            controlling: false,
            dyno: "web.1".to_owned(),
            port: None,
            directory: b"/app\0".to_vec(),
            arguments: vec![b"/bin/sh\0".to_vec()],
            programs: Vec::new(),
            words: Vec::new(),
            environment: Vec::new(),
        };
        let described = |step, errno| FailedStep::new(step, errno).describe(&request).0;

        assert_eq!(
            described(SpawnStep::Fork, Errno::EAGAIN),
            "cannot start another process: the process limit of this user or system is reached"
        );
        assert_eq!(described(SpawnStep::Fork, Errno::ENOMEM), "cannot start another process: Out of memory");
        assert_eq!(
            described(SpawnStep::Directory, Errno::EACCES),
            "cannot enter the directory `/app`: Permission denied"
        );
        assert_eq!(
            described(SpawnStep::Exec, Errno::E2BIG),
            "the command line and the environment together are too long for the system (Argument list too long)"
        );
        assert_eq!(described(SpawnStep::Exec, Errno::ENOENT), "cannot execute `/bin/sh`: No such file or directory");
        assert_eq!(described(SpawnStep::Setup, Errno::EMFILE), "cannot prepare the process: Too many open files");
    }
}
