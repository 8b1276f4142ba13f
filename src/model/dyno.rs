//! Dyno names, run numbers, and how a run ended.

use std::fmt;

use super::ProcessType;

/// The name of a dyno, such as `web.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DynoName {
    /// The process type, `web`.
    pub process_type: ProcessType,
    /// 1-based index within the process type; a random number 1000..=9999 for a one-off dyno.
    pub index: u32,
}

impl DynoName {
    /// Names the `index`-th dyno (1-based) of a process type.
    #[must_use]
    pub fn new(process_type: ProcessType, index: u32) -> Self {
        Self { process_type, index }
    }
}

impl fmt::Display for DynoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.process_type, self.index)
    }
}

/// The number of one spawn, unique within one start of `dyno`.
///
/// Every report about a process carries it, so that a late report about an earlier run can be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited with this code, 0..=255.
    Code(u8),
    /// It was killed by the signal with this number.
    Signal(u8),
}

impl ExitStatus {
    /// Whether it exited with 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// The status that a shell would report: the code, or 128 + the signal number. Rule: S11.
    #[must_use]
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

/// A process that was still running after the leader of its run had exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftRunning {
    /// Its process id.
    pub pid: i32,
    /// The name of its program, as `ps` shows it.
    pub name: String,
    /// The TCP port it listens on, if any.
    pub port: Option<u16>,
}

impl fmt::Display for LeftRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_code_of_a_signal_is_128_plus_its_number() {
        assert_eq!(ExitStatus::Signal(15).shell_code(), 143);
        assert_eq!(ExitStatus::Code(3).shell_code(), 3);
    }
}
