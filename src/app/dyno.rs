//! Who runs and how it ended: dyno names, run numbers, exit statuses.

use std::fmt;

use super::ProcessType;

/// The name of one running slot, such as `web.1`. Index 1-based.
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
/// Every report about a process carries it, so that a late report about an older run is known as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited with this code, 0..=255.
    Code(u8),
    /// It was ended by this signal number.
    Signal(u8),
}

impl ExitStatus {
    /// Whether this counts as success.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// The status a shell would report: the code, or 128 + the signal's number. Rule: S11.
    #[must_use]
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

/// A process that was still running when the leader of its run had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftRunning {
    /// Its process id.
    pub pid: i32,
    /// The name of its program, as `ps` shows it.
    pub name: String,
    /// The TCP port it listened on.
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
    fn a_signal_counts_as_128_plus_its_number() {
        assert_eq!(ExitStatus::Signal(15).shell_code(), 143);
        assert_eq!(ExitStatus::Code(3).shell_code(), 3);
    }
}
