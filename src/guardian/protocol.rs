//! The frames between `dyno` and its guardian. Pure: bytes in, values out.
//!
//! Each frame is a header of fixed size and a payload. File descriptors are attached to the header, so a reader that
//! reads exactly one header at a time always knows which frame they belong to. Both ends are the same binary, so
//! numbers are in native byte order and there is no version.

use super::terminal_modes::TerminalModes;
use super::wire::{PayloadReader, put_bytes, put_i32, put_port, put_process, put_texts, put_u32, some_port};
use crate::model::{ExitStatus, RunId, RunOrder, RunReport, SpawnFailure};

/// Size of a header, in bytes.
pub(super) const HEADER_BYTES: usize = 16;
/// Largest payload, in bytes: Linux accepts at most 6 MiB of arguments and environment.
pub(super) const MAX_PAYLOAD_BYTES: usize = 8 << 20;
/// The run in a frame that concerns no run.
pub(super) const NO_RUN: RunId = RunId(0);
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

/// A header and the payload after it.
pub(super) fn frame(run: RunId, kind: u32, mut payload: Vec<u8>) -> Vec<u8> {
    let header = Header { kind, payload_bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX), run };
    let mut frame = header.encode().to_vec();
    frame.append(&mut payload);
    frame
}

/// A request from `dyno` to the guardian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Start a process. Its streams are attached.
    Spawn(SpawnRequest),
    /// Signal the remaining processes of a run.
    Signal(RunOrder),
    /// The attached terminal is about to change its modes. Restore `before` if `dyno` is killed.
    RememberTerminal { before: TerminalModes, during: TerminalModes },
    /// `dyno` has restored the modes.
    ForgetTerminal,
    /// Kill every descendant, report and exit.
    Sweep,
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
const STOP_EVERYTHING: u32 = 2;
const STOP_REST: u32 = 3;
const PAUSE: u32 = 4;
const CONTINUE: u32 = 5;
const RESIZED: u32 = 6;
const USR1: u32 = 7;
const USR2: u32 = 8;
const FROM_TERMINAL: u32 = 9;

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
                    RunOrder::Stop { signal, everything: false } => (STOP, signal),
                    RunOrder::Stop { signal, everything: true } => (STOP_EVERYTHING, signal),
                    RunOrder::StopRest => (STOP_REST, 0),
                    RunOrder::Kill => (KILL, 0),
                    RunOrder::Pause => (PAUSE, 0),
                    RunOrder::Continue => (CONTINUE, 0),
                    RunOrder::Resized => (RESIZED, 0),
                    RunOrder::FromTerminal { signal } => (FROM_TERMINAL, signal),
                    RunOrder::Usr1 => (USR1, 0),
                    RunOrder::Usr2 => (USR2, 0),
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
                    STOP => RunOrder::Stop { signal, everything: false },
                    STOP_EVERYTHING => RunOrder::Stop { signal, everything: true },
                    STOP_REST => RunOrder::StopRest,
                    KILL => RunOrder::Kill,
                    PAUSE => RunOrder::Pause,
                    CONTINUE => RunOrder::Continue,
                    RESIZED => RunOrder::Resized,
                    FROM_TERMINAL => RunOrder::FromTerminal { signal },
                    USR1 => RunOrder::Usr1,
                    USR2 => RunOrder::Usr2,
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

/// A message from the guardian to `dyno`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something has happened to a run.
    Run(RunId, RunReport),
    /// The sweep has finished.
    Swept {
        /// Number of processes that dynos had left behind. Only children of the guardian are counted, not their children.
        left: u32,
        /// Processes that could not be killed.
        survivors: Vec<String>,
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
    /// The whole frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        match self {
            Self::Run(run, report) => {
                let kind = put_report(&mut payload, report);
                frame(*run, kind, payload)
            }
            Self::Swept { left, survivors } => {
                put_u32(&mut payload, *left);
                put_texts(&mut payload, survivors);
                frame(NO_RUN, SWEPT, payload)
            }
        }
    }

    pub(super) fn decode(header: Header, payload: &[u8]) -> Option<Self> {
        let mut reader = PayloadReader(payload);
        if header.kind == SWEPT {
            return Some(Self::Swept { left: reader.u32()?, survivors: reader.texts()? });
        }
        Some(Self::Run(header.run, read_report(header.kind, &mut reader)?))
    }
}

/// Returns the kind of the frame.
fn put_report(payload: &mut Vec<u8>, report: &RunReport) -> u32 {
    match report {
        RunReport::Spawned { pid } => {
            put_i32(payload, *pid);
            SPAWNED
        }
        RunReport::SpawnFailed(SpawnFailure(why)) => {
            put_bytes(payload, why.as_bytes());
            SPAWN_FAILED
        }
        RunReport::Exited { exit, left } => {
            let (by_signal, number) = match *exit {
                ExitStatus::Code(code) => (0, code),
                ExitStatus::Signal(signal) => (1, signal),
            };
            put_u32(payload, by_signal);
            put_u32(payload, u32::from(number));
            put_u32(payload, u32::try_from(left.len()).unwrap_or(u32::MAX));
            for process in left {
                put_process(payload, process);
            }
            EXITED
        }
        RunReport::LeftBehind { dynos, process } => {
            put_texts(payload, dynos);
            put_process(payload, process);
            LEFT_BEHIND
        }
        RunReport::Gone => GONE,
        RunReport::Unkillable { survivor } => {
            put_bytes(payload, survivor.as_bytes());
            UNKILLABLE
        }
    }
}

fn read_report(kind: u32, reader: &mut PayloadReader<'_>) -> Option<RunReport> {
    Some(match kind {
        SPAWNED => RunReport::Spawned { pid: reader.i32()? },
        SPAWN_FAILED => RunReport::SpawnFailed(SpawnFailure(reader.text()?)),
        EXITED => {
            let (by_signal, number) = (reader.u32()? != 0, u8::try_from(reader.u32()?).ok()?);
            let exit = if by_signal { ExitStatus::Signal(number) } else { ExitStatus::Code(number) };
            let left = (0..reader.u32()?).map(|_| reader.process()).collect::<Option<_>>()?;
            RunReport::Exited { exit, left }
        }
        LEFT_BEHIND => RunReport::LeftBehind { dynos: reader.texts()?, process: reader.process()? },
        GONE => RunReport::Gone,
        UNKILLABLE => RunReport::Unkillable { survivor: reader.text()? },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
