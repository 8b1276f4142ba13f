//! The frames between `dyno` and its guardian. Pure: bytes in, values out.
//!
//! Each frame is a header of fixed size and a payload. File descriptors are attached to the header, so a reader that
//! reads exactly one header at a time always knows which frame they belong to. Both ends are the same binary, so
//! numbers are in native byte order and there is no version.

use super::terminal_modes::TerminalModes;
use super::wire::{PayloadReader, put_bytes, put_i32, put_port, put_process, put_u32, some_port};
use crate::model::{ExitStatus, LeftRunning, RunId};

/// Size of a header, in bytes.
pub(super) const HEADER_BYTES: usize = 16;
/// Largest payload, in bytes: Linux accepts at most 6 MiB of arguments and environment.
pub(super) const MAX_PAYLOAD_BYTES: usize = 8 << 20;
/// Maximum number of descriptors in one frame: stdin, stdout, stderr.
pub(super) const MAX_FDS: usize = 3;

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u32,
    pub(super) payload_bytes: u32,
    pub(super) run: RunId,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (kind, rest) = bytes.split_at_mut(4);
        let (length, run) = rest.split_at_mut(4);
        kind.copy_from_slice(&self.kind.to_ne_bytes());
        length.copy_from_slice(&self.payload_bytes.to_ne_bytes());
        run.copy_from_slice(&self.run.0.to_ne_bytes());
        bytes
    }

    /// None: not a valid header.
    pub(super) fn decode(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let mut reader = PayloadReader(&bytes);
        let header = Self { kind: reader.u32()?, payload_bytes: reader.u32()?, run: RunId(reader.u64()?) };
        (header.payload_bytes as usize <= MAX_PAYLOAD_BYTES).then_some(header)
    }
}

/// A request from `dyno` to the guardian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Start a process. Its streams are attached.
    Spawn(SpawnRequest),
    /// Signal the remaining processes of a run.
    Signal(SignalOrder),
    /// The attached terminal is about to change its modes. Restore `before` if `dyno` is killed.
    RememberTerminal { before: TerminalModes, during: TerminalModes },
    /// `dyno` has restored the modes.
    ForgetTerminal,
    /// Kill every descendant, report and exit.
    Sweep,
}

/// Which signal to send, and to which processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalOrder {
    /// Send this signal and SIGCONT once to each process, in the order of S6.6 or to everything at once.
    Stop { signal: i32, everything: bool },
    /// Send the stop signal to all processes that have not received it.
    StopRest,
    /// Send SIGKILL until nothing is left.
    Kill,
    /// Send this signal to all processes.
    All(i32),
    /// Send this signal to all processes, except to a leader that is our own shell.
    SpareShell(i32),
}

/// One process to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpawnRequest {
    /// The leader is our own `sh`, not the server itself.
    pub(super) own_shell: bool,
    /// Its stdin is a terminal, which becomes the controlling terminal of its session.
    pub(super) controlling: bool,
    /// `web.1`.
    pub(super) dyno: String,
    /// Its `PORT`.
    pub(super) port: Option<u16>,
    /// NUL-terminated path.
    pub(super) directory: Vec<u8>,
    /// NUL-terminated words. The first is the path of the program.
    pub(super) arguments: Vec<Vec<u8>>,
    /// NUL-terminated paths of programs to execute instead, with `words`. The first that can be executed is used.
    pub(super) programs: Vec<Vec<u8>>,
    /// NUL-terminated words for them.
    pub(super) words: Vec<Vec<u8>>,
    /// NUL-terminated `KEY=value`.
    pub(super) environment: Vec<Vec<u8>>,
}

const SPAWN: u32 = 1;
const SIGNAL: u32 = 2;
const SWEEP: u32 = 3;
const REMEMBER_TERMINAL: u32 = 4;
const FORGET_TERMINAL: u32 = 5;
const STOP: u32 = 0;
const KILL: u32 = 1;
const ALL: u32 = 2;
const SPARE_SHELL: u32 = 3;
const STOP_EVERYTHING: u32 = 4;
const STOP_REST: u32 = 5;

impl Request {
    /// The kind, which goes into the header, and the payload.
    pub(super) fn encode(&self) -> (u32, Vec<u8>) {
        let mut payload = Vec::new();
        match self {
            Self::Spawn(spawn) => {
                put_u32(&mut payload, u32::from(spawn.own_shell));
                put_u32(&mut payload, u32::from(spawn.controlling));
                put_bytes(&mut payload, spawn.dyno.as_bytes());
                put_port(&mut payload, spawn.port);
                put_bytes(&mut payload, &spawn.directory);
                for list in [&spawn.arguments, &spawn.programs, &spawn.words, &spawn.environment] {
                    put_u32(&mut payload, u32::try_from(list.len()).unwrap_or(u32::MAX));
                    for item in list {
                        put_bytes(&mut payload, item);
                    }
                }
                (SPAWN, payload)
            }
            Self::Signal(order) => {
                let (how, signal) = match *order {
                    SignalOrder::Stop { signal, everything: false } => (STOP, signal),
                    SignalOrder::Stop { signal, everything: true } => (STOP_EVERYTHING, signal),
                    SignalOrder::StopRest => (STOP_REST, 0),
                    SignalOrder::Kill => (KILL, 0),
                    SignalOrder::All(signal) => (ALL, signal),
                    SignalOrder::SpareShell(signal) => (SPARE_SHELL, signal),
                };
                put_u32(&mut payload, how);
                put_i32(&mut payload, signal);
                (SIGNAL, payload)
            }
            Self::RememberTerminal { before, during } => {
                put_bytes(&mut payload, &before.encode());
                put_bytes(&mut payload, &during.encode());
                (REMEMBER_TERMINAL, payload)
            }
            Self::ForgetTerminal => (FORGET_TERMINAL, payload),
            Self::Sweep => (SWEEP, payload),
        }
    }

    pub(super) fn decode(kind: u32, payload: &[u8]) -> Option<Self> {
        let mut reader = PayloadReader(payload);
        match kind {
            SPAWN => {
                let (own_shell, controlling) = (reader.u32()? != 0, reader.u32()? != 0);
                let (dyno, port, directory) = (reader.text()?, some_port(reader.port()?), reader.bytes()?.to_vec());
                let (arguments, programs, words) = (reader.list()?, reader.list()?, reader.list()?);
                let environment = reader.list()?;
                Some(Self::Spawn(SpawnRequest {
                    own_shell,
                    controlling,
                    dyno,
                    port,
                    directory,
                    arguments,
                    programs,
                    words,
                    environment,
                }))
            }
            SIGNAL => {
                let (how, signal) = (reader.u32()?, reader.i32()?);
                let order = match how {
                    STOP => SignalOrder::Stop { signal, everything: false },
                    STOP_EVERYTHING => SignalOrder::Stop { signal, everything: true },
                    STOP_REST => SignalOrder::StopRest,
                    KILL => SignalOrder::Kill,
                    ALL => SignalOrder::All(signal),
                    SPARE_SHELL => SignalOrder::SpareShell(signal),
                    _ => return None,
                };
                Some(Self::Signal(order))
            }
            REMEMBER_TERMINAL => {
                let before = TerminalModes::decode(reader.bytes()?)?;
                Some(Self::RememberTerminal { before, during: TerminalModes::decode(reader.bytes()?)? })
            }
            FORGET_TERMINAL => Some(Self::ForgetTerminal),
            SWEEP => Some(Self::Sweep),
            _ => None,
        }
    }
}

/// The step of a spawn that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Stage {
    /// No process could be created.
    Fork = 1,
    /// The working directory could not be entered.
    Directory = 2,
    /// The program could not be executed.
    Exec = 3,
    /// Anything else between fork and exec.
    Setup = 4,
}

impl Stage {
    pub(super) fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Fork,
            2 => Self::Directory,
            3 => Self::Exec,
            _ => Self::Setup,
        }
    }
}

/// A message from the guardian to `dyno`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Spawned {
        pid: i32,
    },
    SpawnFailed {
        stage: Stage,
        errno: i32,
    },
    /// The leader exited. `left`: the processes that it left running, empty if it was asked to stop.
    Exited {
        exit: ExitStatus,
        left: Vec<LeftRunning>,
    },
    /// One of these dynos left this process running.
    LeftBehind {
        dynos: Vec<String>,
        process: LeftRunning,
    },
    Gone,
    Unkillable {
        survivor: Vec<u8>,
    },
    Swept {
        left: u32,
        survivors: Vec<u8>,
    },
}

const SPAWNED: u32 = 11;
const SPAWN_FAILED: u32 = 12;
const EXITED: u32 = 13;
const GONE: u32 = 14;
const UNKILLABLE: u32 = 15;
const SWEPT: u32 = 16;
const LEFT_BEHIND: u32 = 17;

impl Message {
    pub(super) fn encode(&self) -> (u32, Vec<u8>) {
        let mut payload = Vec::new();
        let kind = match self {
            Self::Spawned { pid } => {
                put_i32(&mut payload, *pid);
                SPAWNED
            }
            Self::SpawnFailed { stage, errno } => {
                put_u32(&mut payload, *stage as u32);
                put_i32(&mut payload, *errno);
                SPAWN_FAILED
            }
            Self::Exited { exit, left } => {
                let (by_signal, number) = match *exit {
                    ExitStatus::Code(code) => (0, code),
                    ExitStatus::Signal(signal) => (1, signal),
                };
                put_u32(&mut payload, by_signal);
                put_u32(&mut payload, u32::from(number));
                put_u32(&mut payload, u32::try_from(left.len()).unwrap_or(u32::MAX));
                for process in left {
                    put_process(&mut payload, process);
                }
                EXITED
            }
            Self::LeftBehind { dynos, process } => {
                put_u32(&mut payload, u32::try_from(dynos.len()).unwrap_or(u32::MAX));
                for dyno in dynos {
                    put_bytes(&mut payload, dyno.as_bytes());
                }
                put_process(&mut payload, process);
                LEFT_BEHIND
            }
            Self::Gone => GONE,
            Self::Unkillable { survivor } => {
                put_bytes(&mut payload, survivor);
                UNKILLABLE
            }
            Self::Swept { left, survivors } => {
                put_u32(&mut payload, *left);
                put_bytes(&mut payload, survivors);
                SWEPT
            }
        };
        (kind, payload)
    }

    pub(super) fn decode(kind: u32, payload: &[u8]) -> Option<Self> {
        let mut reader = PayloadReader(payload);
        Some(match kind {
            SPAWNED => Self::Spawned { pid: reader.i32()? },
            SPAWN_FAILED => Self::SpawnFailed { stage: Stage::from_number(reader.u32()?), errno: reader.i32()? },
            EXITED => {
                let (by_signal, number) = (reader.u32()? != 0, u8::try_from(reader.u32()?).ok()?);
                let exit = if by_signal { ExitStatus::Signal(number) } else { ExitStatus::Code(number) };
                let left = (0..reader.u32()?).map(|_| reader.process()).collect::<Option<_>>()?;
                Self::Exited { exit, left }
            }
            LEFT_BEHIND => {
                let dynos = (0..reader.u32()?).map(|_| reader.text()).collect::<Option<_>>()?;
                Self::LeftBehind { dynos, process: reader.process()? }
            }
            GONE => Self::Gone,
            UNKILLABLE => Self::Unkillable { survivor: reader.bytes()?.to_vec() },
            SWEPT => Self::Swept { left: reader.u32()?, survivors: reader.bytes()?.to_vec() },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
